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
	.purpose = CTL_KEY_FOR_CARD,
	.account_id = "acQ",
	.instance_id = "i-Q",
	.volume_id = "vol-Q",
	.kms_key_id = "01234567Q",
};
static const struct ctl_sec_volume_destroy sec_destroy = { .volume_id = "vol-Q" };
static const struct ctl_sec_status sec_status = {
	.tpm_kind = "swtpmQ", .lab = 1, .root_key = "sealed (Q)", .volume_cnt = 3, .release_cnt = 4,
	.fingerprint = { 1, 2, 3 }, .certificate = { .len = 3, .b = { 0x30, 1, 0 } }
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
	.volume_id = "vol-Q",
	.account_id = "acQ",
	.size = 8ULL << 30,
	.image_id = "ami-Q",
	.kms_key_id = "01234567Q",
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
	.interface_cnt = 2,
	.interface = { { "eni-Q1", { 2, 1 }, 9001 }, { "eni-Q2", { 2, 2 }, 1500 } },
};
static const struct ctl_l_progress progress = { .step = "copy Q", .done = 3, .total = 9 };
static const struct ctl_l_instance_started started = {
	.instance_id = "i-Q", .text = "Q", .jail_us = 1, .key_us = 2, .attach_us = 3, .first_run_us = 4, .hv_cpu_us = 5
};
static const struct ctl_l_instance_started started_net = { .instance_id = "i-Q", .text = "Q", .has_network = 1 };
static const struct ctl_l_instance_started not_started = { .instance_id = "i-Q", .err = -12, .text = "Q" };
static const struct ctl_l_instance_kill instance_kill = { .instance_id = "i-Q" };
static const struct ctl_l_instance_gone instance_gone = {
	.instance_id = "i-Q", .reason = CTL_EXIT_KILLED, .text = "Q"
};
static const struct ctl_l_config config = {
	.host_mode = "serverQ", .has_listener = 1, .has_api = 1, .has_state_dir = 1, .has_security = 1, .port_cnt = 8
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
	.fingerprint = { 1, 2, 3, [31] = 0xfe },
	.certificate = { .len = 2, .b = { 0x30, 0 } },
	.network = "runningQ",
	.way_out = "none: no uplinkQ",
};
static const struct ctl_l_processes_read processes_read = { .page = 2 };
static const struct ctl_l_processes processes = { .more = 1, .lines = { .len = 3, .b = "{}\n" } };
static const struct ctl_netcard_config netcard_config = { .instance_id = "i-Q", .vcpu_cnt = 4 };
static const struct ctl_netcard_interface_add netcard_interface_add = {
	.interface_id = "eni-Q", .mac = { 2, 0, 0, 0, 0, 1 }, .mtu = 9001
};
static const struct ctl_vpc_interface vpc_interface = {
	.interface_id = "eni-Q",
	.vni = 0x1001,
	.mac = { 2, 0, 0, 0, 0, 1 },
	.mtu = 9001,
	.flags = CTL_VPC_SOURCE_DEST_CHECK,
	.vpc_addr = { 172, 31 },
	.vpc_prefix = 16,
	.subnet_addr = { 172, 31, 16 },
	.subnet_prefix = 20,
	.hostname = "ip-172-31-16-5Q",
	.domain = "ec2.internalQ",
	.bps_baseline = 1000000,
	.bps_burst = 5000000,
	.burst_seconds = 60,
	.pps = 100000,
	.conntrack_max = 4096,
	.address_cnt = 2,
	.address = { { CTL_IPV4, { 172, 31, 16, 5 } }, { CTL_IPV6, { 0x20, 1, [15] = 7 } } },
};
static const struct ctl_vpc_rules vpc_rules = {
	.interface_id = "eni-Q",
	.rule_cnt = 2,
	.rule = { { .egress = 0, .proto = 6, .port_min = 22, .port_max = 22, .family = CTL_IPV4 },
		  { .egress = 1, .proto = 255, .port_max = 65535, .family = CTL_IPV4, .prefix = 8, .addr = { 10 } } },
};
static const struct ctl_vpc_routes vpc_routes = {
	.interface_id = "eni-Q",
	.route_cnt = 2,
	.route = { { .family = CTL_IPV4, .prefix = 16, .addr = { 172, 31 }, .target = CTL_ROUTE_LOCAL },
		   { .family = CTL_IPV4, .target = CTL_ROUTE_MAC, .mac = { 2, 0, 0, 0, 0, 9 } } },
};
static const struct ctl_vpc_mappings mappings = {
	.vni = 0x1001,
	.mapping_cnt = 2,
	.mapping = { { .family = CTL_IPV4, .addr = { 172, 31, 16, 6 }, .mac = { 2, 0, 0, 0, 0, 2 }, .peer = 0 },
		     { .mac = { 2, 0, 0, 0, 0, 3 }, .peer = 7 } },
};
static const struct ctl_vpc_probe vpc_probe = { .interface_id = "eni-0123456789abcdef0" };
static const struct ctl_vpc_probed vpc_probed = {
	.interface_id = "eni-0123456789abcdef0", .frames = 77, .asked = 1
};
static const struct ctl_vpc_stats vpc_stats = { .lines = { .len = 13, .b = "eni-1 drop 4\n" } };
static const struct ctl_wire_peer wire_peer = {
	.peer = 7, .family = CTL_IPV4, .addr = { 10, 77, 0, 2 }, .port = 4500, .fingerprint = { 9, 8, 7 }
};
static const struct ctl_wire_peer_ref wire_peer_ref = { .peer = 7 };
static const struct ctl_wire_config wire_config = { .mtu = 1500 };
static const struct ctl_wire_port_ref wire_port_ref = { .interface_id = "eni-Q" };
static const struct ctl_gateway_config gateway_config = { .gateway_id = "igw-Q", .mac = { 2, 0, 0, 0, 0, 9 } };
static const struct ctl_gateway_nat gateway_nat = {
	.vpc_addr = { 172, 31, 16, 5 }, .vpc_mac = { 2, 0, 0, 0, 0, 1 }, .outside_addr = { 100, 64, 0, 2 }
};
static const struct ctl_metadata_config metadata_config = { .instance_id = "i-Q" };
static const struct ctl_metadata_options metadata_options = {
	.enabled = 1, .hop_limit = 1, .vpc_addr = { 172, 31 }, .vpc_prefix = 16, .domain = "ec2.internalQ", .dns_off = 1
};
static const struct ctl_metadata_item metadata_item = {
	.path = "meta-data/Q", .more = 1, .data = { .len = 5, .b = "hello" }
};
static const struct ctl_tun_peer tun_peer = { .peer = 7, .fingerprint = { 9, 8, 7 } };
static const struct ctl_tun_peer_ref tun_peer_ref = { .peer = 7 };
static const struct ctl_tun_message tun_message = { .peer = 7, .data = { .len = 3, .b = { 1, 2, 3 } } };
static const struct ctl_tun_ready tun_ready = { .peer = 7, .epoch = 2, .err = -13, .text = "Q" };
static const struct ctl_tun_key_read tun_key_read = { .peer = 7, .epoch = 2, .vni = 0x1001 };
static const struct ctl_tun_key tun_key = {
	.peer = 7,
	.epoch = 2,
	.vni = 0x1001,
	.tx = { .spi = 0x1234, .key = { 1, 2 }, .salt = { 3 } },
	.rx = { .spi = 0x4321, .key = { 4, 5 }, .salt = { 6 } },
};
static const struct ctl_sign_identity sign_identity = { .document = { .len = 2, .b = "{}" } };
static const struct ctl_signed signed_identity = {
	.signature = { .len = 3, .b = { 1, 2, 3 } }, .pkcs7 = { .len = 2, .b = { 0x30, 0 } }
};
static const struct ctl_l_gateway_start gateway_start = {
	.vpc_id = "vpc-Q", .gateway_id = "igw-Q", .mac = { 2, 0, 0, 0, 0, 9 }
};
static const struct ctl_l_gateway_ref gateway_ref = { .gateway_id = "igw-Q" };
static const struct ctl_l_gateway_started gateway_started = {
	.gateway_id = "igw-Q", .text = "Q", .outside_addr = { 100, 64 }, .outside_prefix = 24
};
static const struct ctl_l_gateway_started gateway_not_started = { .gateway_id = "igw-Q", .err = -12, .text = "Q" };
static const struct ctl_l_gateway_gone gateway_gone = { .gateway_id = "igw-Q", .text = "Q" };
static const struct ctl_l_forward forward = { .host_port = 2222, .outside_addr = { 100, 64, 0, 2 }, .port = 22 };
static const struct ctl_l_forward_ref forward_ref = { .host_port = 2222 };
static const struct ctl_api_key_create api_key_create = { .account_id = "1234Q", .access_key_id = "AKIAQ" };
static const struct ctl_api_key_derive api_key_derive = {
	.account_id = "1234Q",
	.access_key_id = "AKIAQ",
	.sealed = { .len = 4, .b = { 1, 0, 0xff, 2 } },
	.date = "2026112Q",
	.region = "us-east-1Q",
	.service = "ec2Q",
};
static const struct ctl_api_key api_key = {
	.secret = { .len = CTL_API_SECRET_BYTES, .b = "0123456789abcdefghijABCDEFGHIJ+/01234567" },
	.sealed = { .len = 3, .b = { 9, 8, 7 } },
};
static const struct ctl_api_key no_api_key = { .err = -28 };
static const struct ctl_api_key_derived api_key_derived = { .key = { 1, 2, 3, [31] = 0xfe } };
static const struct ctl_kms_key kms_key = { .account_id = "1234Q", .key_id = "01234567-Q", .state = CTL_KMS_DISABLED };
static const struct ctl_kms_crypt kms_crypt = {
	.account_id = "1234Q",
	.key_id = "01234567-Q",
	.context = { 3, 2, 1, [31] = 0xfe },
	.data = { .len = 5, .b = "hello" },
};
static const struct ctl_kms_data_key kms_data_key = {
	.account_id = "1234Q", .key_id = "01234567-Q", .context = { 3, 2, 1 }, .len = 32, .with_plaintext = 1
};
static const struct ctl_kms_random kms_random = { .len = 1024 };
static const struct ctl_kms_answer kms_answer = {
	.key_id = "01234567-Q", .plain = { .len = 5, .b = "hello" }, .blob = { .len = 3, .b = { 0, 1, 0xff } }
};

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
	SAMPLE(CTL_L_CONFIG, config, 12),
	SAMPLE(CTL_L_PROGRESS, progress, 0),
	SAMPLE(CTL_L_INSTANCE_STARTED, started, 1),
	SAMPLE(CTL_L_INSTANCE_STARTED, started_net, 3),
	SAMPLE(CTL_L_INSTANCE_STARTED, not_started, 0),
	SAMPLE(CTL_L_INSTANCE_GONE, instance_gone, 0),
	SAMPLE(CTL_L_HOST, host, 0),
	SAMPLE(CTL_L_PROCESSES, processes, 0),
	SAMPLE(CTL_NETCARD_CONFIG, netcard_config, 2),
	SAMPLE(CTL_NETCARD_INTERFACE_ADD, netcard_interface_add, 4),
	SAMPLE(CTL_TUN_PEER_SET, tun_peer, 0),
	SAMPLE(CTL_TUN_START, tun_peer_ref, 0),
	SAMPLE(CTL_TUN_MESSAGE, tun_message, 0),
	SAMPLE(CTL_TUN_KEY_READ, tun_key_read, 0),
	SAMPLE(CTL_TUN_READY, tun_ready, 0),
	SAMPLE(CTL_TUN_KEY, tun_key, 0),
	SAMPLE(CTL_SIGN_IDENTITY, sign_identity, 0),
	SAMPLE(CTL_SIGNED, signed_identity, 0),
	SAMPLE(CTL_L_GATEWAY_START, gateway_start, 0),
	SAMPLE(CTL_L_GATEWAY_STOP, gateway_ref, 0),
	SAMPLE(CTL_L_FORWARD_ADD, forward, 0),
	SAMPLE(CTL_L_FORWARD_DEL, forward_ref, 0),
	{ .name = "CTL_L_WIRE_STARTED", .type = CTL_L_WIRE_STARTED, .fd_cnt = 1, .fd_alt = 1 },
	SAMPLE(CTL_L_GATEWAY_STARTED, gateway_started, 1),
	SAMPLE(CTL_L_GATEWAY_STARTED, gateway_not_started, 0),
	SAMPLE(CTL_L_GATEWAY_GONE, gateway_gone, 0),
	SAMPLE(CTL_VPC_INTERFACE_SET, vpc_interface, 0),
	SAMPLE(CTL_VPC_RULES_SET, vpc_rules, 0),
	SAMPLE(CTL_VPC_ROUTES_SET, vpc_routes, 0),
	SAMPLE(CTL_VPC_MAPPINGS_ADD, mappings, 0),
	SAMPLE(CTL_VPC_MAPPINGS_DEL, mappings, 0),
	BARE(CTL_VPC_STATS_READ),
	SAMPLE(CTL_VPC_STATS, vpc_stats, 0),
	SAMPLE(CTL_WIRE_PEER_SET, wire_peer, 0),
	SAMPLE(CTL_WIRE_PEER_DEL, wire_peer_ref, 0),
	SAMPLE(CTL_WIRE_CONFIG, wire_config, 3),
	SAMPLE(CTL_WIRE_PORT_ADD, wire_port_ref, 3),
	SAMPLE(CTL_WIRE_PORT_DEL, wire_port_ref, 0),
	SAMPLE(CTL_GATEWAY_CONFIG, gateway_config, 5),
	SAMPLE(CTL_GATEWAY_NAT_ADD, gateway_nat, 0),
	SAMPLE(CTL_GATEWAY_NAT_DEL, gateway_nat, 0),
	SAMPLE(CTL_METADATA_CONFIG, metadata_config, 5),
	SAMPLE(CTL_METADATA_OPTIONS_SET, metadata_options, 0),
	SAMPLE(CTL_METADATA_PUT, metadata_item, 0),
	BARE(CTL_METADATA_COMMIT),
	SAMPLE(CTL_API_KEY_CREATE, api_key_create, 0),
	SAMPLE(CTL_API_KEY_DERIVE, api_key_derive, 0),
	SAMPLE(CTL_API_KEY, api_key, 0),
	SAMPLE(CTL_API_KEY, no_api_key, 0),
	SAMPLE(CTL_API_KEY_DERIVED, api_key_derived, 0),
	SAMPLE(CTL_KMS_KEY_CREATE, kms_key, 0),
	SAMPLE(CTL_KMS_KEY_DESTROY, kms_key, 0),
	SAMPLE(CTL_KMS_KEY_STATE_SET, kms_key, 0),
	SAMPLE(CTL_KMS_ENCRYPT, kms_crypt, 0),
	SAMPLE(CTL_KMS_DECRYPT, kms_crypt, 0),
	SAMPLE(CTL_KMS_DATA_KEY, kms_data_key, 0),
	SAMPLE(CTL_KMS_RANDOM, kms_random, 0),
	SAMPLE(CTL_KMS_ANSWER, kms_answer, 0),
	SAMPLE(CTL_VPC_PROBE, vpc_probe, 0),
	SAMPLE(CTL_VPC_PROBED, vpc_probed, 0),
};

const size_t control_sample_cnt = ARRAY_SIZE(control_samples);
