/* SPDX-License-Identifier: Apache-2.0 */

/* What DescribeInstances can be asked for: one getter for each filter. */

#include <string.h>

#include "controller/ec2/instances.h"
#include "controller/net_text.h"

/* A getter of an instance @i. */
#define GET(name)                                                                                  \
	static void get_##name(UNUSED struct ec2_call *c, UNUSED const struct instance *i,         \
			       struct filter_emit *e);                                             \
	static void name(struct ec2_call *c, const void *object, struct filter_emit *e)            \
	{                                                                                          \
		get_##name(c, object, e);                                                          \
	}                                                                                          \
	static void get_##name(UNUSED struct ec2_call *c, UNUSED const struct instance *i,         \
			       struct filter_emit *e)

/* One that says a member, or a word. */
#define SAY(name, value)                                                                           \
	GET(name)                                                                                  \
	{                                                                                          \
		filter_str(e, (value));                                                            \
	}

static const struct subnet *subnet_of(struct ec2_call *c, const struct interface *ni)
{
	return ni ? store_find(c->core->st, &tbl_subnets, ni->subnet_id) : NULL;
}

SAY(id, i->id)
SAY(state_name, instance_state_name(i->state))
SAY(type, i->type)
SAY(image, i->image_id)
SAY(zone, c->core->place.zone)
SAY(architecture, "x86_64")
SAY(key, i->key_name[0] ? i->key_name : NULL)
SAY(reservation, i->reservation_id)
SAY(root_name, CORE_ROOT_DEVICE)
SAY(root_type, "ebs")
SAY(token, i->client_token[0] ? i->client_token : NULL)
SAY(owner, i->account)
SAY(reason_code, i->reason_code[0] ? i->reason_code : NULL)
SAY(reason, i->reason)
SAY(tenancy, "default")
SAY(required, "required")
SAY(endpoint, i->imds_enabled ? "enabled" : "disabled")
SAY(disabled, "disabled")
SAY(virtualization, "hvm")
SAY(hypervisor, "xen")
SAY(monitoring, i->monitored ? "enabled" : "disabled")
SAY(platform, "Linux/UNIX")
SAY(boot_mode, "legacy-bios")
SAY(none, NULL)

GET(state_code)
{
	filter_u64(e, (uint64_t)i->state);
}

GET(hop_limit)
{
	filter_u64(e, i->imds_hop_limit);
}

GET(launch_idx)
{
	filter_u64(e, i->launch_idx);
}

GET(launch_time)
{
	filter_time(e, i->launched_ms);
}

GET(enclaves)
{
	filter_bool(e, i->enclaves);
}

GET(no)
{
	filter_bool(e, false);
}

GET(subnet)
{
	const struct interface *ni = instance_interface(c, i->id);

	filter_str(e, ni ? ni->subnet_id : NULL);
}

GET(vpc)
{
	const struct subnet *s = subnet_of(c, instance_interface(c, i->id));

	filter_str(e, s ? s->vpc_id : NULL);
}

GET(private_ip)
{
	const struct interface *ni = instance_interface(c, i->id);
	char text[NET_IPV4_TEXT];

	filter_str(e, ni ? net_ipv4_text(text, ni->addr) : NULL);
}

GET(private_dns)
{
	const struct interface *ni = instance_interface(c, i->id);
	char text[INSTANCE_DNS_MAX];

	filter_str(e, ni ? instance_dns(c, ni, text) : NULL);
}

GET(source_dest_check)
{
	const struct interface *ni = instance_interface(c, i->id);

	if (ni)
		filter_bool(e, ni->source_dest_check);
}

/* ---- groups ---- */

static void emit_groups(struct ec2_call *c, const struct interface *ni, bool names,
			struct filter_emit *e)
{
	const struct interface_group *m;
	struct store_iter it;

	store_each_of(c->core->st, &tbl_interface_groups, "interface_id", ni->id, &it);
	while ((m = store_next(&it))) {
		const struct group *g = store_find(c->core->st, &tbl_groups, m->group_id);

		if (g)
			filter_str(e, names ? g->name : g->id);
	}
}

GET(group_id)
{
	const struct interface *ni = instance_interface(c, i->id);

	if (ni)
		emit_groups(c, ni, false, e);
}

GET(group_name)
{
	const struct interface *ni = instance_interface(c, i->id);

	if (ni)
		emit_groups(c, ni, true, e);
}

/* ---- interfaces ---- */

typedef void interface_say_fn(struct ec2_call *c, const struct interface *ni,
			      struct filter_emit *e);

static void emit_interfaces(struct ec2_call *c, const struct instance *i, interface_say_fn *say,
			    struct filter_emit *e)
{
	const struct interface *ni;
	struct store_iter it;

	store_each_of(c->core->st, &tbl_interfaces, "instance_id", i->id, &it);
	while ((ni = store_next(&it)))
		say(c, ni, e);
}

/* A getter that says something of each interface @ni. */
#define EACH_INTERFACE(name)                                                                       \
	static void say_##name(UNUSED struct ec2_call *c, const struct interface *ni,              \
			       struct filter_emit *e);                                             \
	static void name(struct ec2_call *c, const void *object, struct filter_emit *e)            \
	{                                                                                          \
		emit_interfaces(c, object, say_##name, e);                                         \
	}                                                                                          \
	static void say_##name(UNUSED struct ec2_call *c, const struct interface *ni,              \
			       struct filter_emit *e)

EACH_INTERFACE(ni_id)
{
	filter_str(e, ni->id);
}

EACH_INTERFACE(ni_subnet)
{
	filter_str(e, ni->subnet_id);
}

EACH_INTERFACE(ni_vpc)
{
	const struct subnet *s = subnet_of(c, ni);

	filter_str(e, s ? s->vpc_id : NULL);
}

EACH_INTERFACE(ni_address)
{
	char text[NET_IPV4_TEXT];

	filter_str(e, net_ipv4_text(text, ni->addr));
}

EACH_INTERFACE(ni_dns)
{
	char text[INSTANCE_DNS_MAX];

	filter_str(e, instance_dns(c, ni, text));
}

EACH_INTERFACE(ni_mac)
{
	char text[NET_MAC_TEXT];

	filter_str(e, net_mac_text(text, ni->mac));
}

EACH_INTERFACE(ni_group)
{
	emit_groups(c, ni, false, e);
}

EACH_INTERFACE(ni_description)
{
	filter_str(e, ni->description);
}

EACH_INTERFACE(ni_status)
{
	(void)ni;
	filter_str(e, "in-use");
}

EACH_INTERFACE(ni_owner)
{
	filter_str(e, ni->account);
}

EACH_INTERFACE(ni_attachment)
{
	filter_str(e, ni->attachment_id);
}

EACH_INTERFACE(ni_index)
{
	filter_u64(e, ni->device_idx);
}

EACH_INTERFACE(ni_check)
{
	filter_bool(e, ni->source_dest_check);
}

/* ---- volumes ---- */

typedef void volume_say_fn(const struct volume *v, struct filter_emit *e);

static void emit_volumes(struct ec2_call *c, const struct instance *i, volume_say_fn *say,
			 struct filter_emit *e)
{
	const struct volume *v;
	struct store_iter it;

	store_each_of(c->core->st, &tbl_volumes, "instance_id", i->id, &it);
	while ((v = store_next(&it)))
		if (v->state == VOLUME_CREATING || v->state == VOLUME_IN_USE)
			say(v, e);
}

#define EACH_VOLUME(name)                                                                          \
	static void say_##name(const struct volume *v, struct filter_emit *e);                     \
	static void name(struct ec2_call *c, const void *object, struct filter_emit *e)            \
	{                                                                                          \
		emit_volumes(c, object, say_##name, e);                                            \
	}                                                                                          \
	static void say_##name(const struct volume *v, struct filter_emit *e)

EACH_VOLUME(vol_id)
{
	filter_str(e, v->id);
}

EACH_VOLUME(vol_device)
{
	filter_str(e, v->device);
}

EACH_VOLUME(vol_status)
{
	filter_str(e, v->state == VOLUME_CREATING ? "attaching" : "attached");
}

EACH_VOLUME(vol_delete)
{
	filter_bool(e, v->delete_on_termination);
}

EACH_VOLUME(vol_time)
{
	filter_time(e, v->attached_ms);
}

/* clang-format off: a table */
const struct filter_def instance_filters[] = {
	{ "instance-id", id },
	{ "instance-state-name", state_name },
	{ "instance-state-code", state_code },
	{ "instance-type", type },
	{ "image-id", image },
	{ "vpc-id", vpc },
	{ "subnet-id", subnet },
	{ "network-interface.network-interface-id", ni_id },
	{ "network-interface.subnet-id", ni_subnet },
	{ "network-interface.vpc-id", ni_vpc },
	{ "network-interface.addresses.private-ip-address", ni_address },
	{ "network-interface.private-ip-address", ni_address },
	{ "network-interface.private-dns-name", ni_dns },
	{ "network-interface.mac-address", ni_mac },
	{ "network-interface.group-id", ni_group },
	{ "network-interface.description", ni_description },
	{ "network-interface.status", ni_status },
	{ "network-interface.owner-id", ni_owner },
	{ "network-interface.attachment.attachment-id", ni_attachment },
	{ "network-interface.attachment.device-index", ni_index },
	{ "network-interface.source-dest-check", ni_check },
	{ "network-interface.availability-zone", zone },
	{ "block-device-mapping.volume-id", vol_id },
	{ "block-device-mapping.device-name", vol_device },
	{ "block-device-mapping.status", vol_status },
	{ "block-device-mapping.delete-on-termination", vol_delete },
	{ "block-device-mapping.attach-time", vol_time },
	{ "availability-zone", zone },
	{ "architecture", architecture },
	{ "key-name", key },
	{ "private-ip-address", private_ip },
	{ "ip-address", none },
	{ "private-dns-name", private_dns },
	{ "dns-name", none },
	{ "reservation-id", reservation },
	{ "requester-id", none },
	{ "root-device-name", root_name },
	{ "root-device-type", root_type },
	{ "instance.group-id", group_id },
	{ "instance.group-name", group_name },
	{ "group-id", group_id },
	{ "group-name", group_name },
	{ "client-token", token },
	{ "owner-id", owner },
	{ "launch-index", launch_idx },
	{ "launch-time", launch_time },
	{ "state-reason-code", reason_code },
	{ "reason", reason },
	{ "source-dest-check", source_dest_check },
	{ "tenancy", tenancy },
	{ "placement-group-name", none },
	{ "enclave-options.enabled", enclaves },
	{ "hibernation-options.configured", no },
	{ "metadata-options.http-tokens", required },
	{ "metadata-options.http-endpoint", endpoint },
	{ "metadata-options.http-put-response-hop-limit", hop_limit },
	{ "metadata-options.http-protocol-ipv4", endpoint },
	{ "metadata-options.http-protocol-ipv6", disabled },
	{ "virtualization-type", virtualization },
	{ "hypervisor", hypervisor },
	{ "monitoring-state", monitoring },
	{ "platform-details", platform },
	{ "platform", none },
	{ "current-instance-boot-mode", boot_mode },
	{ "iam-instance-profile.arn", none },
	{ "iam-instance-profile.id", none },
	{ "instance-lifecycle", none },
	{ "spot-instance-request-id", none },
	{ "kernel-id", none },
	{ "ramdisk-id", none },
	{ "product-code", none },
	{ NULL, NULL },
};
/* clang-format on */
