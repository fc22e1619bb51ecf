/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/control.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"

/*
 * One row per field, one table per struct, one row per message type: the encoder and the decoder below walk the
 * same tables, so that they cannot disagree. A field's kind fixes its bytes on the wire; nothing is optional.
 *
 * A packet is judged completely before anything of it is stored: ctl_decode() walks it twice, first without a
 * destination. The sender is one of our own programs, but it may have been taken over by a guest.
 */

enum { CTL_HDR_BYTES = 16 };

enum field_kind {
	F_U8,
	F_BOOL, /* one byte, 0 or 1 */
	F_U16,
	F_U32,
	F_U64,
	F_I32,
	F_RAW,    /* exactly size bytes */
	F_STR,    /* 16-bit length and bytes, no NUL; in memory NUL-terminated in size bytes */
	F_BYTES,  /* struct ctl_bytes_…: 16-bit length and bytes; size is the most */
	F_CNT,    /* 16-bit number of elements of the F_U8S or F_STRUCTS that follows; size is the most */
	F_U8S,    /* as many bytes as the F_CNT before said */
	F_STRUCTS /* as many sub structs as the F_CNT before said, size bytes apart in memory */
};

struct field {
	enum field_kind kind;
	uint32_t off; /* in the struct */
	uint32_t size;
	const struct field *sub; /* F_STRUCTS: the element's fields */
	uint32_t sub_cnt;
};

/* clang-format off */
#define FIELD(k, s, m, n) { .kind = (k), .off = offsetof(struct s, m), .size = (n) }
#define SIZEOF(s, m) sizeof(((struct s *)NULL)->m)
/* Each checks that the member has the kind's size, so that a changed struct does not compile with an old table. */
#define SIZED(k, s, m, n) \
	{ .kind = (k), .off = offsetof(struct s, m), .size = (uint32_t)(0 * sizeof(char[SIZEOF(s, m) == (n) ? 1 : -1]) + (n)) }
#define U8(s, m) SIZED(F_U8, s, m, 1)
#define BOOL(s, m) SIZED(F_BOOL, s, m, 1)
#define U16(s, m) SIZED(F_U16, s, m, 2)
#define U32(s, m) SIZED(F_U32, s, m, 4)
#define U64(s, m) SIZED(F_U64, s, m, 8)
#define I32(s, m) SIZED(F_I32, s, m, 4)
#define RAW(s, m) FIELD(F_RAW, s, m, SIZEOF(s, m))
#define STR(s, m) FIELD(F_STR, s, m, SIZEOF(s, m))
#define BYTES(s, m) FIELD(F_BYTES, s, m, SIZEOF(s, m.b))
#define U8S(s, c, m) FIELD(F_CNT, s, c, SIZEOF(s, m)), FIELD(F_U8S, s, m, SIZEOF(s, m))
#define STRUCTS(s, c, m, e) \
	FIELD(F_CNT, s, c, ARRAY_SIZE(((struct s *)NULL)->m)), \
	{ .kind = F_STRUCTS, .off = offsetof(struct s, m), .size = SIZEOF(s, m[0]), .sub = (e), .sub_cnt = ARRAY_SIZE(e) }

static const struct field ack_fields[] = {
	I32(ctl_ack, err), STR(ctl_ack, text),
};
static const struct field hv_config_fields[] = {
	STR(ctl_hv_config, instance_id), STR(ctl_hv_config, type_name), RAW(ctl_hv_config, uuid),
	U16(ctl_hv_config, cores), U8(ctl_hv_config, threads), BOOL(ctl_hv_config, has_initrd),
	U64(ctl_hv_config, ram_bytes), STR(ctl_hv_config, cmdline), U8S(ctl_hv_config, slot_cnt, slot),
};
static const struct field hv_ready_fields[] = {
	U64(ctl_hv_ready, cpu_us), U32(ctl_hv_ready, syscalls_hint),
};
static const struct field hv_exit_fields[] = {
	U16(ctl_hv_exit, reason), STR(ctl_hv_exit, text),
};
static const struct field svc_console_read_fields[] = {
	U64(ctl_svc_console_read, off), U32(ctl_svc_console_read, max),
};
static const struct field svc_console_data_fields[] = {
	U64(ctl_svc_console_data, off), U64(ctl_svc_console_data, end), BYTES(ctl_svc_console_data, data),
};
static const struct field svc_stats_fields[] = {
	U64(ctl_svc_stats, exits), U64(ctl_svc_stats, exits_pio), U64(ctl_svc_stats, exits_mmio),
	U64(ctl_svc_stats, exits_hlt), U64(ctl_svc_stats, doorbells), U64(ctl_svc_stats, resets),
	U64(ctl_svc_stats, cpu_us),
};
static const struct field card_config_fields[] = {
	STR(ctl_card_config, instance_id),
};
static const struct field card_volume_add_fields[] = {
	STR(ctl_card_volume_add, volume_id), STR(ctl_card_volume_add, device_name), BOOL(ctl_card_volume_add, read_only),
};
static const struct field format_job_fields[] = {
	STR(ctl_format_job, volume_id), U64(ctl_format_job, size), BOOL(ctl_format_job, has_image),
};
static const struct field format_progress_fields[] = {
	U64(ctl_format_progress, done), U64(ctl_format_progress, total),
};
static const struct field sec_config_fields[] = {
	BOOL(ctl_sec_config, lab), STR(ctl_sec_config, tpm_kind),
};
static const struct field sec_channel_fields[] = {
	U16(ctl_sec_channel, purpose), STR(ctl_sec_channel, account_id), STR(ctl_sec_channel, instance_id),
	STR(ctl_sec_channel, volume_id), STR(ctl_sec_channel, kms_key_id),
};
static const struct field sec_volume_destroy_fields[] = {
	STR(ctl_sec_volume_destroy, volume_id),
};
static const struct field sec_status_fields[] = {
	STR(ctl_sec_status, tpm_kind), BOOL(ctl_sec_status, lab), STR(ctl_sec_status, root_key),
	U32(ctl_sec_status, volume_cnt), U32(ctl_sec_status, release_cnt), RAW(ctl_sec_status, fingerprint),
	BYTES(ctl_sec_status, certificate),
};
static const struct field key_request_fields[] = {
	STR(ctl_key_request, volume_id), STR(ctl_key_request, cipher), U32(ctl_key_request, sector_bytes),
	U64(ctl_key_request, payload_off), U64(ctl_key_request, size), BYTES(ctl_key_request, wrapped),
};
static const struct field key_data_fields[] = {
	STR(ctl_key_data, volume_id), I32(ctl_key_data, err), STR(ctl_key_data, text),
	BYTES(ctl_key_data, key), BYTES(ctl_key_data, wrapped),
};
static const struct field l_volume_create_fields[] = {
	STR(ctl_l_volume_create, volume_id), STR(ctl_l_volume_create, account_id), U64(ctl_l_volume_create, size),
	STR(ctl_l_volume_create, image_id), STR(ctl_l_volume_create, kms_key_id),
};
static const struct field l_volume_delete_fields[] = {
	STR(ctl_l_volume_delete, volume_id),
};
static const struct field l_volume_ref_fields[] = {
	STR(ctl_l_volume_ref, volume_id), STR(ctl_l_volume_ref, device_name), BOOL(ctl_l_volume_ref, read_only),
};
static const struct field l_interface_ref_fields[] = {
	STR(ctl_l_interface_ref, interface_id), RAW(ctl_l_interface_ref, mac), U16(ctl_l_interface_ref, mtu),
};
static const struct field l_instance_start_fields[] = {
	STR(ctl_l_instance_start, instance_id), STR(ctl_l_instance_start, account_id),
	STR(ctl_l_instance_start, image_id), STR(ctl_l_instance_start, type_name), RAW(ctl_l_instance_start, uuid),
	U16(ctl_l_instance_start, cores), U8(ctl_l_instance_start, threads), U64(ctl_l_instance_start, ram_bytes),
	STR(ctl_l_instance_start, cmdline),
	STRUCTS(ctl_l_instance_start, volume_cnt, volume, l_volume_ref_fields),
	STRUCTS(ctl_l_instance_start, interface_cnt, interface, l_interface_ref_fields),
};
static const struct field l_progress_fields[] = {
	STR(ctl_l_progress, step), U64(ctl_l_progress, done), U64(ctl_l_progress, total),
};
static const struct field l_instance_started_fields[] = {
	STR(ctl_l_instance_started, instance_id), I32(ctl_l_instance_started, err), STR(ctl_l_instance_started, text),
	BOOL(ctl_l_instance_started, has_network), U64(ctl_l_instance_started, jail_us), U64(ctl_l_instance_started, key_us),
	U64(ctl_l_instance_started, attach_us), U64(ctl_l_instance_started, first_run_us),
	U64(ctl_l_instance_started, hv_cpu_us),
};
static const struct field l_instance_kill_fields[] = {
	STR(ctl_l_instance_kill, instance_id),
};
static const struct field l_instance_gone_fields[] = {
	STR(ctl_l_instance_gone, instance_id), U16(ctl_l_instance_gone, reason), STR(ctl_l_instance_gone, text),
};
static const struct field l_config_fields[] = {
	STR(ctl_l_config, host_mode), BOOL(ctl_l_config, has_listener), BOOL(ctl_l_config, has_api),
	BOOL(ctl_l_config, has_state_dir), BOOL(ctl_l_config, has_security), U16(ctl_l_config, port_cnt),
};
static const struct field l_host_fields[] = {
	STR(ctl_l_host, mode), STR(ctl_l_host, placement), U16(ctl_l_host, cores), U16(ctl_l_host, threads),
	U16(ctl_l_host, cores_free), U64(ctl_l_host, ram_bytes), U64(ctl_l_host, ram_free_bytes),
	STR(ctl_l_host, tpm_kind), STR(ctl_l_host, root_key), BOOL(ctl_l_host, lab), STR(ctl_l_host, security),
	RAW(ctl_l_host, fingerprint), BYTES(ctl_l_host, certificate), STR(ctl_l_host, network), STR(ctl_l_host, way_out),
};
static const struct field l_processes_read_fields[] = {
	U32(ctl_l_processes_read, page),
};
static const struct field l_processes_fields[] = {
	BOOL(ctl_l_processes, more), BYTES(ctl_l_processes, lines),
};
static const struct field address_fields[] = {
	U8(ctl_address, family), RAW(ctl_address, addr),
};
static const struct field netcard_config_fields[] = {
	STR(ctl_netcard_config, instance_id), U16(ctl_netcard_config, vcpu_cnt),
};
static const struct field netcard_interface_add_fields[] = {
	STR(ctl_netcard_interface_add, interface_id), RAW(ctl_netcard_interface_add, mac),
	U16(ctl_netcard_interface_add, mtu),
};
static const struct field vpc_interface_fields[] = {
	STR(ctl_vpc_interface, interface_id), U32(ctl_vpc_interface, vni), RAW(ctl_vpc_interface, mac),
	U16(ctl_vpc_interface, mtu), U16(ctl_vpc_interface, flags),
	RAW(ctl_vpc_interface, vpc_addr), U8(ctl_vpc_interface, vpc_prefix),
	RAW(ctl_vpc_interface, subnet_addr), U8(ctl_vpc_interface, subnet_prefix),
	STR(ctl_vpc_interface, hostname), STR(ctl_vpc_interface, domain),
	U64(ctl_vpc_interface, bps_baseline), U64(ctl_vpc_interface, bps_burst),
	U64(ctl_vpc_interface, burst_seconds), U64(ctl_vpc_interface, pps), U32(ctl_vpc_interface, conntrack_max),
	STRUCTS(ctl_vpc_interface, address_cnt, address, address_fields),
};
static const struct field vpc_rule_fields[] = {
	BOOL(ctl_vpc_rule, egress), U8(ctl_vpc_rule, proto), U16(ctl_vpc_rule, port_min), U16(ctl_vpc_rule, port_max),
	U8(ctl_vpc_rule, family), U8(ctl_vpc_rule, prefix), RAW(ctl_vpc_rule, addr),
};
static const struct field vpc_rules_fields[] = {
	STR(ctl_vpc_rules, interface_id), STRUCTS(ctl_vpc_rules, rule_cnt, rule, vpc_rule_fields),
};
static const struct field vpc_route_fields[] = {
	U8(ctl_vpc_route, family), U8(ctl_vpc_route, prefix), RAW(ctl_vpc_route, addr), U8(ctl_vpc_route, target),
	RAW(ctl_vpc_route, mac),
};
static const struct field vpc_routes_fields[] = {
	STR(ctl_vpc_routes, interface_id), STRUCTS(ctl_vpc_routes, route_cnt, route, vpc_route_fields),
};
static const struct field vpc_mapping_fields[] = {
	U8(ctl_vpc_mapping, family), RAW(ctl_vpc_mapping, addr), RAW(ctl_vpc_mapping, mac), U32(ctl_vpc_mapping, peer),
};
static const struct field vpc_mappings_fields[] = {
	U32(ctl_vpc_mappings, vni), STRUCTS(ctl_vpc_mappings, mapping_cnt, mapping, vpc_mapping_fields),
};
static const struct field vpc_stats_fields[] = {
	BYTES(ctl_vpc_stats, lines),
};
static const struct field vpc_probe_fields[] = {
	STR(ctl_vpc_probe, interface_id),
};
static const struct field vpc_probed_fields[] = {
	STR(ctl_vpc_probed, interface_id), U64(ctl_vpc_probed, frames), BOOL(ctl_vpc_probed, asked),
};
static const struct field wire_peer_fields[] = {
	U32(ctl_wire_peer, peer), U8(ctl_wire_peer, family), RAW(ctl_wire_peer, addr), U16(ctl_wire_peer, port),
	RAW(ctl_wire_peer, fingerprint),
};
static const struct field wire_peer_ref_fields[] = {
	U32(ctl_wire_peer_ref, peer),
};
static const struct field wire_config_fields[] = {
	U16(ctl_wire_config, mtu),
};
static const struct field wire_port_ref_fields[] = {
	STR(ctl_wire_port_ref, interface_id),
};
static const struct field gateway_config_fields[] = {
	STR(ctl_gateway_config, gateway_id), RAW(ctl_gateway_config, mac),
};
static const struct field gateway_nat_fields[] = {
	RAW(ctl_gateway_nat, vpc_addr), RAW(ctl_gateway_nat, vpc_mac), RAW(ctl_gateway_nat, outside_addr),
};
static const struct field metadata_config_fields[] = {
	STR(ctl_metadata_config, instance_id),
};
static const struct field metadata_options_fields[] = {
	BOOL(ctl_metadata_options, enabled), U8(ctl_metadata_options, hop_limit),
	BOOL(ctl_metadata_options, tokens_optional), RAW(ctl_metadata_options, vpc_addr),
	U8(ctl_metadata_options, vpc_prefix), STR(ctl_metadata_options, domain), BOOL(ctl_metadata_options, dns_off),
};
static const struct field metadata_item_fields[] = {
	STR(ctl_metadata_item, path), BOOL(ctl_metadata_item, more), BYTES(ctl_metadata_item, data),
};
static const struct field tun_peer_fields[] = {
	U32(ctl_tun_peer, peer), RAW(ctl_tun_peer, fingerprint),
};
static const struct field tun_peer_ref_fields[] = {
	U32(ctl_tun_peer_ref, peer),
};
static const struct field tun_message_fields[] = {
	U32(ctl_tun_message, peer), BYTES(ctl_tun_message, data),
};
static const struct field tun_ready_fields[] = {
	U32(ctl_tun_ready, peer), U32(ctl_tun_ready, epoch), I32(ctl_tun_ready, err), STR(ctl_tun_ready, text),
};
static const struct field tun_key_read_fields[] = {
	U32(ctl_tun_key_read, peer), U32(ctl_tun_key_read, epoch), U32(ctl_tun_key_read, vni),
};
static const struct field tun_key_fields[] = {
	U32(ctl_tun_key, peer), U32(ctl_tun_key, epoch), U32(ctl_tun_key, vni), I32(ctl_tun_key, err),
	U32(ctl_tun_key, tx.spi), RAW(ctl_tun_key, tx.key), RAW(ctl_tun_key, tx.salt),
	U32(ctl_tun_key, rx.spi), RAW(ctl_tun_key, rx.key), RAW(ctl_tun_key, rx.salt),
};
static const struct field sign_identity_fields[] = {
	BYTES(ctl_sign_identity, document),
};
static const struct field signed_fields[] = {
	I32(ctl_signed, err), BYTES(ctl_signed, signature), BYTES(ctl_signed, pkcs7),
};
static const struct field api_key_create_fields[] = {
	STR(ctl_api_key_create, account_id), STR(ctl_api_key_create, access_key_id),
};
static const struct field api_key_fields[] = {
	I32(ctl_api_key, err), BYTES(ctl_api_key, secret), BYTES(ctl_api_key, sealed),
};
static const struct field api_key_derive_fields[] = {
	STR(ctl_api_key_derive, account_id), STR(ctl_api_key_derive, access_key_id), BYTES(ctl_api_key_derive, sealed),
	STR(ctl_api_key_derive, date), STR(ctl_api_key_derive, region), STR(ctl_api_key_derive, service),
};
static const struct field api_key_derived_fields[] = {
	I32(ctl_api_key_derived, err), RAW(ctl_api_key_derived, key),
};
static const struct field kms_key_fields[] = {
	STR(ctl_kms_key, account_id), STR(ctl_kms_key, key_id), U8(ctl_kms_key, state),
};
static const struct field kms_crypt_fields[] = {
	STR(ctl_kms_crypt, account_id), STR(ctl_kms_crypt, key_id), RAW(ctl_kms_crypt, context),
	BYTES(ctl_kms_crypt, data),
};
static const struct field kms_data_key_fields[] = {
	STR(ctl_kms_data_key, account_id), STR(ctl_kms_data_key, key_id), RAW(ctl_kms_data_key, context),
	U16(ctl_kms_data_key, len), BOOL(ctl_kms_data_key, with_plaintext),
};
static const struct field kms_random_fields[] = {
	U16(ctl_kms_random, len),
};
static const struct field kms_answer_fields[] = {
	I32(ctl_kms_answer, err), STR(ctl_kms_answer, key_id), BYTES(ctl_kms_answer, plain), BYTES(ctl_kms_answer, blob),
};
static const struct field l_gateway_start_fields[] = {
	STR(ctl_l_gateway_start, vpc_id), STR(ctl_l_gateway_start, gateway_id), RAW(ctl_l_gateway_start, mac),
};
static const struct field l_gateway_ref_fields[] = {
	STR(ctl_l_gateway_ref, gateway_id),
};
static const struct field l_gateway_started_fields[] = {
	STR(ctl_l_gateway_started, gateway_id), I32(ctl_l_gateway_started, err), STR(ctl_l_gateway_started, text),
	RAW(ctl_l_gateway_started, outside_addr), U8(ctl_l_gateway_started, outside_prefix),
};
static const struct field l_gateway_gone_fields[] = {
	STR(ctl_l_gateway_gone, gateway_id), STR(ctl_l_gateway_gone, text),
};
static const struct field l_forward_fields[] = {
	U16(ctl_l_forward, host_port), RAW(ctl_l_forward, outside_addr), U16(ctl_l_forward, port),
};
static const struct field l_forward_ref_fields[] = {
	U16(ctl_l_forward_ref, host_port),
};

/* Messages whose number of descriptors follows from their fields. body is a whole struct of the type. */
static unsigned hv_config_fd_cnt(const void *body)
{
	const struct ctl_hv_config *b = body;

	return 4U + b->has_initrd + b->slot_cnt;
}

static unsigned format_job_fd_cnt(const void *body)
{
	const struct ctl_format_job *b = body;

	return 2U + b->has_image;
}

static unsigned l_config_fd_cnt(const void *body)
{
	const struct ctl_l_config *b = body;

	return 0U + b->has_listener + b->has_api + b->has_state_dir + b->has_security + b->port_cnt;
}

static unsigned l_instance_started_fd_cnt(const void *body)
{
	const struct ctl_l_instance_started *b = body;

	if (b->err)
		return 0;
	return b->has_network ? 3 : 1;
}

static unsigned l_gateway_started_fd_cnt(const void *body)
{
	const struct ctl_l_gateway_started *b = body;

	return b->err ? 0 : 1;
}

struct message {
	enum ctl_type type;
	uint8_t fd_min, fd_max;
	bool secret; /* can carry a key: buffers are wiped */
	const struct field *fields;
	uint32_t field_cnt;
	unsigned (*fd_cnt)(const void *body); /* NULL: any number from fd_min to fd_max */
};

#define BODY(f) .fields = (f), .field_cnt = ARRAY_SIZE(f)
static const struct message messages[] = {
	{ .type = CTL_ACK, BODY(ack_fields) },
	{ .type = CTL_HV_CONFIG, .fd_min = 4, .fd_max = FD_MSG_FDS_MAX, BODY(hv_config_fields), .fd_cnt = hv_config_fd_cnt },
	{ .type = CTL_HV_KILL },
	{ .type = CTL_HV_READY, BODY(hv_ready_fields) },
	{ .type = CTL_HV_EXIT, BODY(hv_exit_fields) },
	{ .type = CTL_SVC_CONSOLE_READ, BODY(svc_console_read_fields) },
	{ .type = CTL_SVC_POWER_BUTTON },
	{ .type = CTL_SVC_RESET },
	{ .type = CTL_SVC_STATS_READ },
	{ .type = CTL_SVC_CONSOLE_DATA, BODY(svc_console_data_fields) },
	{ .type = CTL_SVC_STATS, BODY(svc_stats_fields) },
	{ .type = CTL_CARD_CONFIG, .fd_min = 1, .fd_max = 1, BODY(card_config_fields) },
	{ .type = CTL_CARD_VOLUME_ADD, .fd_min = 2, .fd_max = 2, BODY(card_volume_add_fields) },
	{ .type = CTL_FORMAT_JOB, .fd_min = 2, .fd_max = 3, BODY(format_job_fields), .fd_cnt = format_job_fd_cnt },
	{ .type = CTL_FORMAT_PROGRESS, BODY(format_progress_fields) },
	{ .type = CTL_SEC_CONFIG, .fd_min = 1, .fd_max = 2, BODY(sec_config_fields) },
	{ .type = CTL_SEC_CHANNEL, .fd_min = 0, .fd_max = 1, BODY(sec_channel_fields) },
	{ .type = CTL_SEC_VOLUME_DESTROY, BODY(sec_volume_destroy_fields) },
	{ .type = CTL_SEC_STATUS_READ },
	{ .type = CTL_SEC_STATUS, BODY(sec_status_fields) },
	{ .type = CTL_KEY_CREATE, BODY(key_request_fields) },
	{ .type = CTL_KEY_UNWRAP, BODY(key_request_fields) },
	{ .type = CTL_KEY_DATA, .secret = true, BODY(key_data_fields) },
	{ .type = CTL_L_VOLUME_CREATE, BODY(l_volume_create_fields) },
	{ .type = CTL_L_VOLUME_DELETE, BODY(l_volume_delete_fields) },
	{ .type = CTL_L_INSTANCE_START, BODY(l_instance_start_fields) },
	{ .type = CTL_L_INSTANCE_KILL, BODY(l_instance_kill_fields) },
	{ .type = CTL_L_HOST_READ },
	{ .type = CTL_L_PROCESSES_READ, BODY(l_processes_read_fields) },
	{ .type = CTL_L_HOST_STOP },
	{ .type = CTL_L_INSTANCES_READ },
	{ .type = CTL_L_CONFIG, .fd_max = FD_MSG_FDS_MAX, BODY(l_config_fields), .fd_cnt = l_config_fd_cnt },
	{ .type = CTL_L_PROGRESS, BODY(l_progress_fields) },
	{ .type = CTL_L_INSTANCE_STARTED, .fd_max = 3, BODY(l_instance_started_fields), .fd_cnt = l_instance_started_fd_cnt },
	{ .type = CTL_L_INSTANCE_GONE, BODY(l_instance_gone_fields) },
	{ .type = CTL_L_HOST, BODY(l_host_fields) },
	{ .type = CTL_L_PROCESSES, BODY(l_processes_fields) },
	{ .type = CTL_NETCARD_CONFIG, .fd_min = 2, .fd_max = 2, BODY(netcard_config_fields) },
	{ .type = CTL_NETCARD_INTERFACE_ADD, .fd_min = 4, .fd_max = 4, BODY(netcard_interface_add_fields) },
	{ .type = CTL_TUN_PEER_SET, BODY(tun_peer_fields) },
	{ .type = CTL_TUN_START, BODY(tun_peer_ref_fields) },
	{ .type = CTL_TUN_MESSAGE, BODY(tun_message_fields) },
	{ .type = CTL_TUN_KEY_READ, BODY(tun_key_read_fields) },
	{ .type = CTL_TUN_READY, BODY(tun_ready_fields) },
	{ .type = CTL_TUN_KEY, .secret = true, BODY(tun_key_fields) },
	{ .type = CTL_SIGN_IDENTITY, BODY(sign_identity_fields) },
	{ .type = CTL_SIGNED, BODY(signed_fields) },
	{ .type = CTL_API_KEY_CREATE, BODY(api_key_create_fields) },
	{ .type = CTL_API_KEY_DERIVE, BODY(api_key_derive_fields) },
	{ .type = CTL_API_KEY, .secret = true, BODY(api_key_fields) },
	{ .type = CTL_API_KEY_DERIVED, .secret = true, BODY(api_key_derived_fields) },
	{ .type = CTL_KMS_KEY_CREATE, BODY(kms_key_fields) },
	{ .type = CTL_KMS_KEY_DESTROY, BODY(kms_key_fields) },
	{ .type = CTL_KMS_KEY_STATE_SET, BODY(kms_key_fields) },
	{ .type = CTL_KMS_ENCRYPT, .secret = true, BODY(kms_crypt_fields) },
	{ .type = CTL_KMS_DECRYPT, BODY(kms_crypt_fields) },
	{ .type = CTL_KMS_DATA_KEY, BODY(kms_data_key_fields) },
	{ .type = CTL_KMS_RANDOM, BODY(kms_random_fields) },
	{ .type = CTL_KMS_ANSWER, .secret = true, BODY(kms_answer_fields) },
	{ .type = CTL_L_GATEWAY_START, BODY(l_gateway_start_fields) },
	{ .type = CTL_L_GATEWAY_STOP, BODY(l_gateway_ref_fields) },
	{ .type = CTL_L_FORWARD_ADD, BODY(l_forward_fields) },
	{ .type = CTL_L_FORWARD_DEL, BODY(l_forward_ref_fields) },
	{ .type = CTL_L_WIRE_STARTED, .fd_min = 1, .fd_max = 1 },
	{ .type = CTL_L_GATEWAY_STARTED, .fd_max = 1, BODY(l_gateway_started_fields), .fd_cnt = l_gateway_started_fd_cnt },
	{ .type = CTL_L_GATEWAY_GONE, BODY(l_gateway_gone_fields) },
	{ .type = CTL_VPC_INTERFACE_SET, BODY(vpc_interface_fields) },
	{ .type = CTL_VPC_RULES_SET, BODY(vpc_rules_fields) },
	{ .type = CTL_VPC_ROUTES_SET, BODY(vpc_routes_fields) },
	{ .type = CTL_VPC_MAPPINGS_ADD, BODY(vpc_mappings_fields) },
	{ .type = CTL_VPC_MAPPINGS_DEL, BODY(vpc_mappings_fields) },
	{ .type = CTL_VPC_STATS_READ },
	{ .type = CTL_VPC_STATS, BODY(vpc_stats_fields) },
	{ .type = CTL_VPC_PROBE, BODY(vpc_probe_fields) },
	{ .type = CTL_VPC_PROBED, BODY(vpc_probed_fields) },
	{ .type = CTL_WIRE_PEER_SET, BODY(wire_peer_fields) },
	{ .type = CTL_WIRE_PEER_DEL, BODY(wire_peer_ref_fields) },
	{ .type = CTL_WIRE_CONFIG, .fd_min = 3, .fd_max = 3, BODY(wire_config_fields) },
	{ .type = CTL_WIRE_PORT_ADD, .fd_min = 3, .fd_max = 3, BODY(wire_port_ref_fields) },
	{ .type = CTL_WIRE_PORT_DEL, BODY(wire_port_ref_fields) },
	{ .type = CTL_GATEWAY_CONFIG, .fd_min = 5, .fd_max = 5, BODY(gateway_config_fields) },
	{ .type = CTL_GATEWAY_NAT_ADD, BODY(gateway_nat_fields) },
	{ .type = CTL_GATEWAY_NAT_DEL, BODY(gateway_nat_fields) },
	{ .type = CTL_METADATA_CONFIG, .fd_min = 5, .fd_max = 5, BODY(metadata_config_fields) },
	{ .type = CTL_METADATA_OPTIONS_SET, BODY(metadata_options_fields) },
	{ .type = CTL_METADATA_PUT, BODY(metadata_item_fields) },
	{ .type = CTL_METADATA_COMMIT },
};
/* clang-format on */

static const struct message *message_find(uint32_t type)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(messages); i++)
		if ((uint32_t)messages[i].type == type)
			return &messages[i];
	return NULL;
}

/* All "struct ctl_bytes_…" begin alike: the length, then the bytes. */
_Static_assert(offsetof(struct ctl_bytes_wrapped, b) == sizeof(uint16_t), "length, then bytes");
_Static_assert(offsetof(struct ctl_bytes_key, b) == sizeof(uint16_t), "length, then bytes");
_Static_assert(offsetof(struct ctl_bytes_chunk, b) == sizeof(uint16_t), "length, then bytes");
_Static_assert(offsetof(struct ctl_bytes_tunnel, b) == sizeof(uint16_t), "length, then bytes");
_Static_assert(offsetof(struct ctl_bytes_certificate, b) == sizeof(uint16_t), "length, then bytes");
_Static_assert(offsetof(struct ctl_bytes_api_secret, b) == sizeof(uint16_t), "length, then bytes");
_Static_assert(offsetof(struct ctl_bytes_api_sealed, b) == sizeof(uint16_t), "length, then bytes");
_Static_assert(offsetof(struct ctl_bytes_kms, b) == sizeof(uint16_t), "length, then bytes");

/* One number of a struct in memory; size is 1, 2, 4 or 8 bytes. */
static uint64_t num_load(const uint8_t *p, size_t size)
{
	uint64_t v = 0;

	memcpy(&v, p, size); /* x86-64 only: little-endian */
	return v;
}

static void num_store(uint8_t *p, uint64_t v, size_t size)
{
	if (p)
		memcpy(p, &v, size);
}

static int encode_fields(struct wr *w, const struct field *fields, uint32_t field_cnt, const uint8_t *src);

static int encode_structs(struct wr *w, const struct field *f, const uint8_t *p, uint32_t cnt)
{
	uint32_t i;
	int r;

	for (i = 0; i < cnt; i++) {
		r = encode_fields(w, f->sub, f->sub_cnt, p + (size_t)i * f->size);
		if (r < 0)
			return r;
	}
	return 0;
}

static int encode_field(struct wr *w, const struct field *f, const uint8_t *p, uint32_t *cnt)
{
	size_t len;

	switch (f->kind) {
	case F_BOOL:
		if (*p > 1)
			return -EINVAL;
		wr_u8(w, *p);
		return 0;
	case F_U8:
	case F_U16:
	case F_U32:
	case F_I32:
	case F_U64:
	case F_RAW:
		wr_bytes(w, p, f->size);
		return 0;
	case F_STR:
		len = strnlen((const char *)p, f->size);
		if (len == f->size)
			return -EINVAL;
		wr_le16(w, (uint16_t)len);
		wr_bytes(w, p, len);
		return 0;
	case F_BYTES:
		len = num_load(p, sizeof(uint16_t));
		if (len > f->size)
			return -EINVAL;
		wr_le16(w, (uint16_t)len);
		wr_bytes(w, p + sizeof(uint16_t), len);
		return 0;
	case F_CNT:
		*cnt = (uint32_t)num_load(p, sizeof(uint16_t));
		if (*cnt > f->size)
			return -EINVAL;
		wr_le16(w, (uint16_t)*cnt);
		return 0;
	case F_U8S:
		wr_bytes(w, p, *cnt);
		return 0;
	case F_STRUCTS:
		return encode_structs(w, f, p, *cnt);
	}
	return -EINVAL;
}

static int encode_fields(struct wr *w, const struct field *fields, uint32_t field_cnt, const uint8_t *src)
{
	uint32_t i, cnt = 0;
	int r;

	for (i = 0; i < field_cnt; i++) {
		r = encode_field(w, &fields[i], src + fields[i].off, &cnt);
		if (r < 0)
			return r;
	}
	return 0;
}

static int decode_fields(struct rd *in, const struct field *fields, uint32_t field_cnt, uint8_t *dst);

static int decode_structs(struct rd *in, const struct field *f, uint8_t *p, uint32_t cnt)
{
	uint32_t i;
	int r;

	for (i = 0; i < cnt; i++) {
		r = decode_fields(in, f->sub, f->sub_cnt, p ? p + (size_t)i * f->size : NULL);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A string or byte field: judged, and copied to p unless that is NULL. */
static int decode_counted(struct rd *in, size_t max, bool is_text, uint8_t *p)
{
	uint16_t len_raw = rd_le16(in);
	const uint8_t *src = in->p;

	if (in->bad || len_raw > max)
		return -EPROTO;
	rd_skip(in, len_raw);
	if (in->bad || (is_text && memchr(src, '\0', len_raw)))
		return -EPROTO;
	if (p)
		memcpy(p, src, len_raw);
	return len_raw;
}

static int decode_number(struct rd *in, const struct field *f, uint64_t max, uint8_t *p, uint64_t *ret)
{
	uint8_t le[sizeof(uint64_t)] = { 0 };
	uint64_t v;

	rd_bytes(in, le, f->kind == F_CNT ? sizeof(uint16_t) : f->size);
	v = le64_load(le);
	if (in->bad || v > max)
		return -EPROTO;
	num_store(p, v, f->kind == F_CNT ? sizeof(uint16_t) : f->size);
	*ret = v;
	return 0;
}

/*
 * p: where the field goes in a zeroed struct; NULL only judges.
 * cnt: the number of elements the last F_CNT announced.
 */
static int decode_field(struct rd *in, const struct field *f, uint8_t *p, uint32_t *cnt)
{
	uint64_t v;
	int r;

	switch (f->kind) {
	case F_BOOL:
		return decode_number(in, f, 1, p, &v);
	case F_U8:
	case F_U16:
	case F_U32:
	case F_I32:
	case F_U64:
		return decode_number(in, f, UINT64_MAX, p, &v);
	case F_CNT:
		r = decode_number(in, f, f->size, p, &v);
		*cnt = r < 0 ? 0 : (uint32_t)v;
		return r;
	case F_RAW:
	case F_U8S: {
		size_t len = f->kind == F_RAW ? f->size : *cnt;

		if (p)
			rd_bytes(in, p, len);
		else
			rd_skip(in, len);
		return in->bad ? -EPROTO : 0;
	}
	case F_STR:
		r = decode_counted(in, f->size - 1, true, p);
		return r < 0 ? r : 0;
	case F_BYTES:
		r = decode_counted(in, f->size, false, p ? p + sizeof(uint16_t) : NULL);
		if (r < 0)
			return r;
		num_store(p, (uint64_t)r, sizeof(uint16_t));
		return 0;
	case F_STRUCTS:
		return decode_structs(in, f, p, *cnt);
	}
	return -EPROTO;
}

static int decode_fields(struct rd *in, const struct field *fields, uint32_t field_cnt, uint8_t *dst)
{
	uint32_t i, cnt = 0;
	int r;

	for (i = 0; i < field_cnt; i++) {
		r = decode_field(in, &fields[i], dst ? dst + fields[i].off : NULL, &cnt);
		if (r < 0)
			return r;
	}
	return 0;
}

/* What only some types demand of their fields. */
static bool body_ok(const struct message *m, const void *body)
{
	const struct ctl_key_data *key_data = body;
	const struct ctl_api_key *api_key = body;

	if (m->type == CTL_KEY_DATA) /* body is that struct: NOLINTNEXTLINE(clang-analyzer-core.*) */
		return key_data->key.len == 0 || key_data->key.len == CTL_KEY_BYTES;
	if (m->type == CTL_API_KEY) /* NOLINTNEXTLINE(clang-analyzer-core.*) */
		return api_key->secret.len == 0 || api_key->secret.len == CTL_API_SECRET_BYTES;
	return true;
}

static bool fd_cnt_ok(const struct message *m, const void *body, unsigned fd_cnt)
{
	if (fd_cnt < m->fd_min || fd_cnt > m->fd_max)
		return false;
	return !m->fd_cnt || fd_cnt == m->fd_cnt(body);
}

int ctl_encode(enum ctl_type type, uint32_t seq, const void *body, unsigned fd_cnt, void *buf, size_t cap)
{
	const struct message *m = message_find((uint32_t)type);
	struct wr w = wr_init(buf, cap < CTL_MSG_MAX ? cap : CTL_MSG_MAX);
	int r;

	if (!m || (m->field_cnt && !body))
		return -EINVAL;
	if (!body_ok(m, body) || !fd_cnt_ok(m, body, fd_cnt))
		return -EINVAL;

	wr_le16(&w, CTL_VERSION);
	wr_le16(&w, (uint16_t)type);
	wr_le32(&w, 0); /* length, below */
	wr_le32(&w, seq);
	wr_le16(&w, (uint16_t)fd_cnt);
	wr_le16(&w, 0);
	r = encode_fields(&w, m->fields, m->field_cnt, body);
	if (r < 0)
		return r;
	if (w.bad)
		return -EMSGSIZE;
	le32_store(w.p + 4, (uint32_t)w.len);
	return (int)w.len;
}

static int hdr_parse(struct rd *in, size_t len, unsigned fd_cnt, uint32_t *ret_seq, const struct message **ret)
{
	const struct message *m;
	uint32_t version, type_raw, len_raw, seq, fd_cnt_raw, zero;

	version = rd_le16(in);
	type_raw = rd_le16(in);
	len_raw = rd_le32(in);
	seq = rd_le32(in);
	fd_cnt_raw = rd_le16(in);
	zero = rd_le16(in);
	if (in->bad || version != CTL_VERSION || len_raw != len || fd_cnt_raw != fd_cnt || zero)
		return -EPROTO;
	m = message_find(type_raw);
	if (!m || fd_cnt < m->fd_min || fd_cnt > m->fd_max)
		return -EPROTO;

	*ret_seq = seq;
	*ret = m;
	return 0;
}

int ctl_decode(const void *buf, size_t len, unsigned fd_cnt, struct ctl_msg *ret)
{
	const struct message *m;
	struct rd in, judge;
	uint32_t seq;
	int r;

	if (len > CTL_MSG_MAX)
		return -EPROTO;
	in = rd_init(buf, len);
	r = hdr_parse(&in, len, fd_cnt, &seq, &m);
	if (r < 0)
		return r;
	judge = in;
	r = decode_fields(&judge, m->fields, m->field_cnt, NULL);
	if (r < 0 || judge.left)
		return -EPROTO;

	/* The bytes are well-formed: from here on only the few demands across fields can fail. */
	memset(ret, 0, sizeof(*ret));
	ret->type = m->type;
	ret->seq = seq;
	r = decode_fields(&in, m->fields, m->field_cnt, (uint8_t *)&ret->u);
	if (r == 0 && (!body_ok(m, &ret->u) || !fd_cnt_ok(m, &ret->u, fd_cnt)))
		r = -EPROTO;
	if (r < 0)
		mem_wipe(ret, sizeof(*ret));
	return r;
}

/* A packet buffer of CTL_MSG_MAX bytes: too big for small stacks. Wiped, because it may have held a key. */
static void packet_freep(uint8_t **p)
{
	if (!*p)
		return;
	mem_wipe(*p, CTL_MSG_MAX);
	free(*p);
	*p = NULL;
}

int ctl_send(int sock, enum ctl_type type, uint32_t seq, const void *body, const int *fds, unsigned fd_cnt)
{
	CLEANUP(packet_freep) uint8_t *buf = NULL;
	int len;

	buf = malloc(CTL_MSG_MAX);
	if (!buf)
		return -ENOMEM;
	len = ctl_encode(type, seq, body, fd_cnt, buf, CTL_MSG_MAX);
	if (len < 0)
		return len;
	return fd_msg_send(sock, buf, (size_t)len, fds, fd_cnt);
}

int ctl_recv(int sock, struct ctl_msg *ret)
{
	CLEANUP(packet_freep) uint8_t *buf = NULL;
	CLEANUP(fd_list_done) struct fd_list fds = { .cnt = 0 };
	ssize_t n;
	int r;

	buf = malloc(CTL_MSG_MAX);
	if (!buf)
		return -ENOMEM;
	n = fd_msg_recv(sock, buf, CTL_MSG_MAX, &fds);
	if (n <= 0)
		return (int)n;
	r = ctl_decode(buf, (size_t)n, fds.cnt, ret);
	if (r < 0)
		return r;
	ret->fds = fds;
	fds.cnt = 0; /* they are the caller's now */
	return 1;
}

void ctl_msg_done(struct ctl_msg *m)
{
	const struct message *desc = message_find((uint32_t)m->type);

	fd_list_done(&m->fds);
	if (desc && desc->secret)
		mem_wipe(&m->u, sizeof(m->u));
}

int ctl_ack(int sock, uint32_t seq, int err, const char *fmt, ...)
{
	struct ctl_ack a = { .err = err };
	va_list ap;

	if (fmt) {
		va_start(ap, fmt);
		(void)vsnprintf(a.text, sizeof(a.text), fmt, ap);
		va_end(ap);
	}
	return ctl_send(sock, CTL_ACK, seq, &a, NULL, 0);
}
