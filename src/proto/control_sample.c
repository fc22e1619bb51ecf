/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/control_sample.h"

static const struct ctl_ack ack = { .err = -28, .text = "Q: no space left; free some" };
static const struct ctl_hv_config hv_config = {
	.instance_id = "i-Q123",
	.type_name = "t3.Qicro",
	.uuid = { 0xec, 0x2f, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14 },
	.cores = 2,
	.threads = 2,
	.has_initrd = 1,
	.ram_bytes = 1ULL << 30,
	.cmdline = "console=ttyS0 Q",
	.slot_cnt = 2,
	.slot = { 4, 5 },
};
static const struct ctl_hv_ready hv_ready = { .cpu_us = 123456, .syscalls_hint = 40 };
static const struct ctl_hv_exit hv_exit = { .reason = CTL_EXIT_TRIPLE_FAULT, .text = "Q" };
static const struct ctl_svc_console_read console_read = { .off = 1ULL << 40, .max = 4096 };
static const struct ctl_svc_console_data console_data = {
	.off = 7, .end = 12, .data = { .len = 5, .b = "hello" }
};
static const struct ctl_svc_stats stats = { 1, 2, 3, 4, 5, 6, 7 };
static const struct ctl_card_config card_config = { .instance_id = "i-Q" };
static const struct ctl_card_volume_add card_volume_add = {
	.volume_id = "vol-Q", .device_name = "/dev/xvdQ", .read_only = 1
};
static const struct ctl_format_job format_job = { .volume_id = "vol-Q", .size = 8ULL << 30, .has_image = 1 };
static const struct ctl_format_progress format_progress = { .done = 1, .total = 2 };
static const struct ctl_sec_config sec_config = { .lab = 1, .tpm_kind = "swtpmQ" };
static const struct ctl_sec_channel sec_channel = {
	.purpose = CTL_KEY_FOR_CARD, .account_id = "acQ", .instance_id = "i-Q", .volume_id = "vol-Q"
};
static const struct ctl_sec_volume_destroy sec_destroy = { .volume_id = "vol-Q" };
static const struct ctl_sec_status sec_status = {
	.tpm_kind = "swtpmQ", .lab = 1, .root_key = "sealed (Q)", .volume_cnt = 3, .release_cnt = 4
};
static const struct ctl_key_request key_create = {
	.volume_id = "vol-Q", .cipher = "aes-xts-plain64Q", .sector_bytes = 4096, .payload_off = 16 << 20, .size = 1 << 30
};
static const struct ctl_key_request key_unwrap = {
	.volume_id = "vol-Q",
	.cipher = "aes-xts-plain64Q",
	.sector_bytes = 4096,
	.payload_off = 16 << 20,
	.size = 1 << 30,
	.wrapped = { .len = 4, .b = { 1, 0, 0xff, 2 } },
};
static const struct ctl_key_data key_data = {
	.volume_id = "vol-Q",
	.text = "Q",
	.key = { .len = CTL_KEY_BYTES, .b = { 1, 2, 3, [CTL_KEY_BYTES - 1] = 9 } },
	.wrapped = { .len = 3, .b = { 0, 0, 1 } },
};
static const struct ctl_l_volume_create volume_create = {
	.volume_id = "vol-Q", .account_id = "acQ", .size = 8ULL << 30, .image_id = "ami-Q"
};
static const struct ctl_l_volume_delete volume_delete = { .volume_id = "vol-Q" };
static const struct ctl_l_instance_start instance_start = {
	.instance_id = "i-Q",
	.account_id = "acQ",
	.image_id = "ami-Q",
	.type_name = "c5.xlargeQ",
	.uuid = { 0xec, 0x2e },
	.cores = 2,
	.threads = 2,
	.ram_bytes = 8ULL << 30,
	.cmdline = "root=Q",
	.volume_cnt = 2,
	.volume = { { "vol-Q1", "/dev/xvdaQ", 0 }, { "vol-Q2", "/dev/sdQ", 1 } },
};
static const struct ctl_l_progress progress = { .step = "copy Q", .done = 3, .total = 9 };
static const struct ctl_l_instance_started started = {
	.instance_id = "i-Q", .text = "Q", .jail_us = 1, .key_us = 2, .attach_us = 3, .first_run_us = 4, .hv_cpu_us = 5
};
static const struct ctl_l_instance_started not_started = { .instance_id = "i-Q", .err = -12, .text = "Q" };
static const struct ctl_l_instance_kill instance_kill = { .instance_id = "i-Q" };
static const struct ctl_l_instance_gone instance_gone = {
	.instance_id = "i-Q", .reason = CTL_EXIT_KILLED, .text = "Q"
};
static const struct ctl_l_config config = {
	.host_mode = "serverQ", .has_listener = 1, .has_state_dir = 1, .port_cnt = 8
};
static const struct ctl_l_host host = {
	.mode = "hostedQ",
	.placement = "whole-coresQ",
	.cores = 4,
	.threads = 8,
	.cores_free = 3,
	.ram_bytes = 1ULL << 34,
	.ram_free_bytes = 1ULL << 33,
	.tpm_kind = "noneQ",
	.root_key = "sealedQ",
	.lab = 1,
	.security = "runningQ",
};
static const struct ctl_l_processes_read processes_read = { .page = 2 };
static const struct ctl_l_processes processes = { .more = 1, .lines = { .len = 3, .b = "{}\n" } };

#define SAMPLE(t, b, n) { #t, t, &(b), sizeof(b), n, n }
#define SAMPLE_ALT(t, b, n, alt) { #t, t, &(b), sizeof(b), n, alt }
#define BARE(t) { .name = #t, .type = t }

const struct control_sample control_samples[] = {
	SAMPLE(CTL_ACK, ack, 0),
	SAMPLE(CTL_HV_CONFIG, hv_config, 7),
	BARE(CTL_HV_KILL),
	SAMPLE(CTL_HV_READY, hv_ready, 0),
	SAMPLE(CTL_HV_EXIT, hv_exit, 0),
	SAMPLE(CTL_SVC_CONSOLE_READ, console_read, 0),
	BARE(CTL_SVC_POWER_BUTTON),
	BARE(CTL_SVC_RESET),
	BARE(CTL_SVC_STATS_READ),
	SAMPLE(CTL_SVC_CONSOLE_DATA, console_data, 0),
	SAMPLE(CTL_SVC_STATS, stats, 0),
	SAMPLE(CTL_CARD_CONFIG, card_config, 1),
	SAMPLE(CTL_CARD_VOLUME_ADD, card_volume_add, 2),
	SAMPLE(CTL_FORMAT_JOB, format_job, 3),
	SAMPLE(CTL_FORMAT_PROGRESS, format_progress, 0),
	SAMPLE_ALT(CTL_SEC_CONFIG, sec_config, 2, 1),
	SAMPLE_ALT(CTL_SEC_CHANNEL, sec_channel, 1, 0),
	SAMPLE(CTL_SEC_VOLUME_DESTROY, sec_destroy, 0),
	BARE(CTL_SEC_STATUS_READ),
	SAMPLE(CTL_SEC_STATUS, sec_status, 0),
	SAMPLE(CTL_KEY_CREATE, key_create, 0),
	SAMPLE(CTL_KEY_UNWRAP, key_unwrap, 0),
	SAMPLE(CTL_KEY_DATA, key_data, 0),
	SAMPLE(CTL_L_VOLUME_CREATE, volume_create, 0),
	SAMPLE(CTL_L_VOLUME_DELETE, volume_delete, 0),
	SAMPLE(CTL_L_INSTANCE_START, instance_start, 0),
	SAMPLE(CTL_L_INSTANCE_KILL, instance_kill, 0),
	BARE(CTL_L_HOST_READ),
	SAMPLE(CTL_L_PROCESSES_READ, processes_read, 0),
	BARE(CTL_L_HOST_STOP),
	BARE(CTL_L_INSTANCES_READ),
	SAMPLE(CTL_L_CONFIG, config, 10),
	SAMPLE(CTL_L_PROGRESS, progress, 0),
	SAMPLE(CTL_L_INSTANCE_STARTED, started, 1),
	SAMPLE(CTL_L_INSTANCE_STARTED, not_started, 0),
	SAMPLE(CTL_L_INSTANCE_GONE, instance_gone, 0),
	SAMPLE(CTL_L_HOST, host, 0),
	SAMPLE(CTL_L_PROCESSES, processes, 0),
};

const size_t control_sample_cnt = ARRAY_SIZE(control_samples);
