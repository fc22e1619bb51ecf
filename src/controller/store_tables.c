/* SPDX-License-Identifier: Apache-2.0 */

/* The tables: columns as data. A member of a struct that is no column is lost: a test looks for such. */

#include <string.h>

#include "base/attr.h"
#include "controller/store_priv.h"

static bool instance_state_fits(int64_t v)
{
	return instance_state_valid(v);
}

static bool volume_state_fits(int64_t v)
{
	return volume_state_valid(v);
}

/* More cannot have been kept than was written. */
static bool console_sound(const void *row)
{
	const struct console_tail *c = row;

	return c->len <= c->end;
}

static bool key_state_fits(int64_t v)
{
	return v >= KMS_KEY_ENABLED && v <= KMS_KEY_PENDING_DELETION;
}

#define AS(s, m, k, n)                                                                             \
	{                                                                                          \
		.name = (n), .kind = (k), .off = offsetof(struct s, m),                            \
		.size = sizeof(((struct s *)NULL)->m)                                              \
	}
#define COL(s, m, k) AS(s, m, k, #m)
#define ENUM(s, m, v)                                                                              \
	{                                                                                          \
		.name = #m, .kind = COL_ENUM, .off = offsetof(struct s, m),                        \
		.size = sizeof(((struct s *)NULL)->m), .valid = (v)                                \
	}
#define DATA(s, m, l, n)                                                                           \
	{                                                                                          \
		.name = (n), .kind = COL_DATA, .off = offsetof(struct s, m),                       \
		.size = sizeof(((struct s *)NULL)->m), .len_off = offsetof(struct s, l),           \
		.len_size = sizeof(((struct s *)NULL)->l)                                          \
	}
#define TABLE(s, n, keys, cols)                                                                    \
	.name = (n), .row_bytes = sizeof(struct s), .key_cnt = (keys),                             \
	.col_cnt = ARRAY_SIZE(cols), .col = (cols)
#define AGED(s) .age_off = offsetof(struct s, created_ms)
#define TAGS                                                                                       \
	{                                                                                          \
		&tbl_tags, "resource_id"                                                           \
	}

static const struct col accounts_cols[] = {
	COL(account, id, COL_TEXT),
	COL(account, name, COL_TEXT),
	COL(account, created_ms, COL_U64),
};
const struct store_table tbl_accounts = {
	.idx = 0,
	TABLE(account, "account", 1, accounts_cols),
	AGED(account),
};

static const struct col access_keys_cols[] = {
	COL(access_key, id, COL_TEXT),
	COL(access_key, account, COL_TEXT),
	DATA(access_key, sealed, sealed_len, "sealed"),
	COL(access_key, created_ms, COL_U64),
};
const struct store_table tbl_access_keys = {
	.idx = 1,
	TABLE(access_key, "access_key", 1, access_keys_cols),
	AGED(access_key),
	.index = { "account" },
};

static const struct col images_cols[] = {
	COL(image, id, COL_TEXT),
	COL(image, account, COL_TEXT),
	COL(image, name, COL_TEXT),
	COL(image, architecture, COL_TEXT),
	COL(image, kernel_version, COL_TEXT),
	COL(image, cmdline, COL_TEXT),
	COL(image, kernel_bytes, COL_U64),
	COL(image, initrd_bytes, COL_U64),
	COL(image, disk_bytes, COL_U64),
	COL(image, stored_bytes, COL_U64),
	COL(image, sha256_kernel, COL_TEXT),
	COL(image, sha256_initrd, COL_TEXT),
	COL(image, sha256_disk, COL_TEXT),
	COL(image, created_ms, COL_U64),
};
const struct store_table tbl_images = {
	.idx = 2,
	TABLE(image, "image", 1, images_cols),
	AGED(image),
	.index = { "account", "name" },
	.cascade = { TAGS },
};

static const struct col instances_cols[] = {
	COL(instance, id, COL_TEXT),
	COL(instance, account, COL_TEXT),
	COL(instance, name, COL_TEXT),
	COL(instance, image_id, COL_TEXT),
	COL(instance, type, COL_TEXT),
	COL(instance, cores, COL_UINT),
	COL(instance, threads, COL_UINT),
	COL(instance, ram_bytes, COL_U64),
	ENUM(instance, state, instance_state_fits),
	COL(instance, reason_code, COL_TEXT),
	COL(instance, reason, COL_TEXT),
	COL(instance, boot_cnt, COL_UINT),
	COL(instance, created_ms, COL_U64),
	COL(instance, launched_ms, COL_U64),
	COL(instance, ended_ms, COL_U64),
	AS(instance, times.volume_us, COL_U64, "volume_us"),
	AS(instance, times.jail_us, COL_U64, "jail_us"),
	AS(instance, times.key_us, COL_U64, "key_us"),
	AS(instance, times.attach_us, COL_U64, "attach_us"),
	AS(instance, times.first_run_us, COL_U64, "first_run_us"),
	AS(instance, times.hv_cpu_us, COL_U64, "hv_cpu_us"),
	COL(instance, reservation_id, COL_TEXT),
	COL(instance, launch_idx, COL_UINT),
	COL(instance, client_token, COL_TEXT),
	COL(instance, key_name, COL_TEXT),
	COL(instance, shutdown_terminates, COL_BOOL),
	COL(instance, keep_termination, COL_BOOL),
	COL(instance, keep_stop, COL_BOOL),
	COL(instance, imds_enabled, COL_BOOL),
	COL(instance, imds_tags, COL_BOOL),
	COL(instance, imds_hop_limit, COL_UINT),
	COL(instance, enclaves, COL_BOOL),
	COL(instance, monitored, COL_BOOL),
};
const struct store_table tbl_instances = {
	.idx = 3,
	TABLE(instance, "instance", 1, instances_cols),
	AGED(instance),
	.index = { "account", "name", "image_id", "reservation_id" },
	.cascade = { TAGS, { &tbl_forwards, "instance_id" } },
};

static const struct col volumes_cols[] = {
	COL(volume, id, COL_TEXT),
	COL(volume, account, COL_TEXT),
	COL(volume, image_id, COL_TEXT),
	COL(volume, size, COL_U64),
	ENUM(volume, state, volume_state_fits),
	COL(volume, reason, COL_TEXT),
	COL(volume, created_ms, COL_U64),
	COL(volume, instance_id, COL_REF),
	COL(volume, device, COL_TEXT),
	COL(volume, device_idx, COL_UINT),
	COL(volume, delete_on_termination, COL_BOOL),
	COL(volume, type, COL_TEXT),
	COL(volume, iops, COL_UINT),
	COL(volume, throughput, COL_UINT),
	COL(volume, kms_key_id, COL_TEXT),
	COL(volume, attached_ms, COL_U64),
};
const struct store_table tbl_volumes = {
	.idx = 4,
	TABLE(volume, "volume", 1, volumes_cols),
	AGED(volume),
	.index = { "account", "instance_id", "image_id", "kms_key_id" },
	.cascade = { TAGS },
};

static const struct col consoles_cols[] = {
	COL(console_tail, instance_id, COL_TEXT),
	COL(console_tail, boot_cnt, COL_UINT),
	AS(console_tail, end, COL_U64, "end_off"),
	DATA(console_tail, data, len, "data"),
};
const struct store_table tbl_consoles = {
	.idx = 5,
	TABLE(console_tail, "console", 1, consoles_cols),
	.on_demand = true,
	.sound = console_sound,
};

static const struct col key_pairs_cols[] = {
	COL(key_pair, id, COL_TEXT),          COL(key_pair, account, COL_TEXT),
	COL(key_pair, name, COL_TEXT),        COL(key_pair, type, COL_TEXT),
	COL(key_pair, fingerprint, COL_TEXT), COL(key_pair, public_key, COL_TEXT),
	COL(key_pair, created_ms, COL_U64),
};
const struct store_table tbl_key_pairs = {
	.idx = 6,
	TABLE(key_pair, "key_pair", 1, key_pairs_cols),
	AGED(key_pair),
	.index = { "account", "name" },
	.cascade = { TAGS },
};

static const struct col tags_cols[] = {
	COL(tag, resource_id, COL_TEXT),
	AS(tag, key, COL_TEXT, "tag_key"),
	COL(tag, account, COL_TEXT),
	COL(tag, value, COL_TEXT),
};
const struct store_table tbl_tags = {
	.idx = 7,
	TABLE(tag, "tag", 2, tags_cols),
	.index = { "account", "resource_id" },
};

static const struct col client_tokens_cols[] = {
	COL(client_token, account, COL_TEXT), COL(client_token, action, COL_TEXT),
	COL(client_token, token, COL_TEXT),   COL(client_token, digest, COL_TEXT),
	COL(client_token, result, COL_TEXT),  COL(client_token, created_ms, COL_U64),
};
const struct store_table tbl_client_tokens = {
	.idx = 8,
	TABLE(client_token, "client_token", 3, client_tokens_cols),
	AGED(client_token),
	.index = { "account" },
};

static const struct col kms_keys_cols[] = {
	COL(kms_key, id, COL_TEXT),           COL(kms_key, account, COL_TEXT),
	COL(kms_key, description, COL_TEXT),  COL(kms_key, by_service, COL_BOOL),
	ENUM(kms_key, state, key_state_fits), COL(kms_key, created_ms, COL_U64),
	COL(kms_key, deletion_ms, COL_U64),
};
const struct store_table tbl_kms_keys = {
	.idx = 9,
	TABLE(kms_key, "kms_key", 1, kms_keys_cols),
	AGED(kms_key),
	.index = { "account" },
	.cascade = { TAGS },
};

static const struct col vpcs_cols[] = {
	COL(vpc, id, COL_TEXT),          COL(vpc, account, COL_TEXT),
	COL(vpc, addr, COL_UINT),        COL(vpc, prefix, COL_UINT),
	COL(vpc, vni, COL_UINT),         COL(vpc, domain, COL_TEXT),
	COL(vpc, is_default, COL_BOOL),  COL(vpc, created_ms, COL_U64),
	COL(vpc, dns_support, COL_BOOL), COL(vpc, dns_hostnames, COL_BOOL),
};
const struct store_table tbl_vpcs = {
	.idx = 10,
	TABLE(vpc, "vpc", 1, vpcs_cols),
	AGED(vpc),
	.index = { "account" },
	.cascade = { TAGS },
};

static const struct col subnets_cols[] = {
	COL(subnet, id, COL_TEXT),
	COL(subnet, vpc_id, COL_TEXT),
	COL(subnet, addr, COL_UINT),
	COL(subnet, prefix, COL_UINT),
	COL(subnet, is_default, COL_BOOL),
	COL(subnet, created_ms, COL_U64),
	COL(subnet, map_public_ip, COL_BOOL),
};
const struct store_table tbl_subnets = {
	.idx = 11,
	TABLE(subnet, "subnet", 1, subnets_cols),
	AGED(subnet),
	.index = { "vpc_id" },
	.cascade = { TAGS },
};

static const struct col groups_cols[] = {
	COL(group, id, COL_TEXT),          COL(group, vpc_id, COL_TEXT),
	COL(group, account, COL_TEXT),     COL(group, name, COL_TEXT),
	COL(group, description, COL_TEXT), COL(group, created_ms, COL_U64),
};
const struct store_table tbl_groups = {
	.idx = 12,
	TABLE(group, "security_group", 1, groups_cols),
	AGED(group),
	.index = { "account", "vpc_id", "name" },
	.cascade = { TAGS, { &tbl_group_rules, "group_id" } },
};

static const struct col group_rules_cols[] = {
	COL(group_rule, id, COL_TEXT),
	COL(group_rule, group_id, COL_TEXT),
	COL(group_rule, egress, COL_BOOL),
	COL(group_rule, proto, COL_UINT),
	COL(group_rule, port_min, COL_UINT),
	COL(group_rule, port_max, COL_UINT),
	COL(group_rule, addr, COL_UINT),
	COL(group_rule, prefix, COL_UINT),
	COL(group_rule, member_group_id, COL_REF),
	COL(group_rule, description, COL_TEXT),
};
const struct store_table tbl_group_rules = {
	.idx = 13,
	TABLE(group_rule, "security_rule", 1, group_rules_cols),
	.index = { "group_id", "member_group_id" },
	.cascade = { TAGS },
};

static const struct col interfaces_cols[] = {
	COL(interface, id, COL_TEXT),          COL(interface, account, COL_TEXT),
	COL(interface, subnet_id, COL_TEXT),   COL(interface, instance_id, COL_REF),
	COL(interface, device_idx, COL_UINT),  COL(interface, mac, COL_MAC),
	COL(interface, addr, COL_UINT),        COL(interface, source_dest_check, COL_BOOL),
	COL(interface, outside_idx, COL_UINT), COL(interface, created_ms, COL_U64),
	COL(interface, description, COL_TEXT), COL(interface, attachment_id, COL_TEXT),
	COL(interface, attached_ms, COL_U64),  COL(interface, delete_on_termination, COL_BOOL),
};
const struct store_table tbl_interfaces = {
	.idx = 14,
	TABLE(interface, "interface", 1, interfaces_cols),
	AGED(interface),
	.index = { "account", "subnet_id", "instance_id", "addr", "outside_idx" },
	.cascade = { TAGS, { &tbl_interface_groups, "interface_id" } },
};

static const struct col interface_groups_cols[] = {
	COL(interface_group, interface_id, COL_TEXT),
	COL(interface_group, group_id, COL_TEXT),
};
const struct store_table tbl_interface_groups = {
	.idx = 15,
	TABLE(interface_group, "interface_group", 2, interface_groups_cols),
	.index = { "interface_id", "group_id" },
};

static const struct col gateways_cols[] = {
	COL(gateway, id, COL_TEXT),
	COL(gateway, vpc_id, COL_TEXT),
	COL(gateway, mac, COL_MAC),
};
const struct store_table tbl_gateways = {
	.idx = 16,
	TABLE(gateway, "gateway", 1, gateways_cols),
	.index = { "vpc_id" },
	.cascade = { TAGS },
};

static const struct col launch_data_cols[] = {
	COL(launch_data, instance_id, COL_TEXT),
	COL(launch_data, key_name, COL_TEXT),
	COL(launch_data, public_key, COL_TEXT),
	DATA(launch_data, user_data.b, user_data.len, "user_data"),
};
const struct store_table tbl_launch_data = {
	.idx = 17,
	TABLE(launch_data, "launch_data", 1, launch_data_cols),
	.on_demand = true,
};

static const struct col peers_cols[] = {
	COL(peer, number, COL_UINT), COL(peer, name, COL_TEXT),       COL(peer, addr, COL_UINT),
	COL(peer, port, COL_UINT),   COL(peer, fingerprint, COL_RAW),
};
const struct store_table tbl_peers = {
	.idx = 18,
	TABLE(peer, "peer", 1, peers_cols),
	.index = { "name" },
	.cascade = { { &tbl_remotes, "peer" } },
};

static const struct col remotes_cols[] = {
	COL(remote, vpc_id, COL_TEXT),
	COL(remote, addr, COL_UINT),
	COL(remote, mac, COL_MAC),
	COL(remote, peer, COL_UINT),
};
const struct store_table tbl_remotes = {
	.idx = 19,
	TABLE(remote, "remote", 2, remotes_cols),
	.index = { "vpc_id", "peer" },
};

static const struct col forwards_cols[] = {
	COL(forward, host_port, COL_UINT),
	COL(forward, instance_id, COL_TEXT),
	COL(forward, port, COL_UINT),
};
const struct store_table tbl_forwards = {
	.idx = 20,
	TABLE(forward, "forward", 1, forwards_cols),
	.index = { "instance_id" },
};

static const struct col settings_cols[] = {
	COL(setting, name, COL_TEXT),
	COL(setting, value, COL_TEXT),
};
const struct store_table tbl_settings = {
	.idx = 21,
	TABLE(setting, "setting", 1, settings_cols),
};

const struct store_table *const store_tables[STORE_TABLES] = {
	&tbl_accounts,      &tbl_access_keys, &tbl_images,     &tbl_instances,
	&tbl_volumes,       &tbl_consoles,    &tbl_key_pairs,  &tbl_tags,
	&tbl_client_tokens, &tbl_kms_keys,    &tbl_vpcs,       &tbl_subnets,
	&tbl_groups,        &tbl_group_rules, &tbl_interfaces, &tbl_interface_groups,
	&tbl_gateways,      &tbl_launch_data, &tbl_peers,      &tbl_remotes,
	&tbl_forwards,      &tbl_settings,
};

const struct col *store_col(const struct store_table *t, const char *name)
{
	size_t k = 0;

	while (k < t->col_cnt && strcmp(t->col[k].name, name) != 0)
		k++;
	must(k < t->col_cnt);
	return &t->col[k];
}
