/* SPDX-License-Identifier: Apache-2.0 */

/* Network interfaces. One is attached when an instance is launched with it; to a running instance none can be, yet. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controller/ec2/networks.h"
#include "controller/net_text.h"

static const char *interface_id(const void *row, char buf[EC2_ID_TEXT])
{
	(void)buf;
	return ((const struct interface *)row)->id;
}

static uint64_t interface_created(const void *row)
{
	return ((const struct interface *)row)->created_ms;
}

static const char *vpc_of(struct ec2_call *c, const struct interface *ni)
{
	const struct subnet *s = store_find(c->core->st, &tbl_subnets, ni->subnet_id);

	return s ? s->vpc_id : "";
}

static const char *status(const struct interface *ni)
{
	return ni->instance_id[0] ? "in-use" : "available";
}

/* ---- filters ---- */

static void get_id(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	filter_str(e, ((const struct interface *)o)->id);
}

static void get_vpc(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	filter_str(e, vpc_of(c, o));
}

static void get_subnet(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	filter_str(e, ((const struct interface *)o)->subnet_id);
}

static void get_zone(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)o;
	filter_str(e, c->core->place.zone);
}

static void get_group(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	const struct interface_group *m;
	struct store_iter it;

	store_each_of(c->core->st, &tbl_interface_groups, "interface_id",
		      ((const struct interface *)o)->id, &it);
	while ((m = store_next(&it)))
		filter_str(e, m->group_id);
}

static void get_group_name(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	const struct interface_group *m;
	struct store_iter it;

	store_each_of(c->core->st, &tbl_interface_groups, "interface_id",
		      ((const struct interface *)o)->id, &it);
	while ((m = store_next(&it))) {
		const struct group *g = store_find(c->core->st, &tbl_groups, m->group_id);

		if (g)
			filter_str(e, g->name);
	}
}

static void get_description(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	filter_str(e, ((const struct interface *)o)->description);
}

static void get_status(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	filter_str(e, status(o));
}

static void get_mac(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	char mac[NET_MAC_TEXT];

	(void)c;
	filter_str(e, net_mac_text(mac, ((const struct interface *)o)->mac));
}

static void get_address(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	char addr[NET_IPV4_TEXT];

	(void)c;
	filter_str(e, net_ipv4_text(addr, ((const struct interface *)o)->addr));
}

static void get_dns(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	char name[EC2_ARN_MAX];

	filter_str(e, ec2_private_dns(c, o, name));
}

static void get_type(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	(void)o;
	filter_str(e, "interface");
}

static void get_owner(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	filter_str(e, ((const struct interface *)o)->account);
}

static void get_true(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	(void)o;
	filter_bool(e, true);
}

static void get_false(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	(void)o;
	filter_bool(e, false);
}

static void get_nothing(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	(void)o;
	(void)e;
}

static void get_check(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	filter_bool(e, ((const struct interface *)o)->source_dest_check);
}

static void get_attachment(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	if (((const struct interface *)o)->instance_id[0])
		filter_str(e, ((const struct interface *)o)->attachment_id);
}

static void get_attached_to(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	if (((const struct interface *)o)->instance_id[0])
		filter_str(e, ((const struct interface *)o)->instance_id);
}

static void get_attached_owner(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	if (((const struct interface *)o)->instance_id[0])
		filter_str(e, ((const struct interface *)o)->account);
}

static void get_attached_idx(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	if (((const struct interface *)o)->instance_id[0])
		filter_u64(e, ((const struct interface *)o)->device_idx);
}

static void get_attached_status(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	filter_str(e, ((const struct interface *)o)->instance_id[0] ? "attached" : "detached");
}

static void get_attached_time(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	if (((const struct interface *)o)->instance_id[0])
		filter_time(e, ((const struct interface *)o)->attached_ms);
}

static void get_attached_delete(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	if (((const struct interface *)o)->instance_id[0])
		filter_bool(e, ((const struct interface *)o)->delete_on_termination);
}

static const struct filter_def interface_filters[] = {
	{ "addresses.association.public-ip", get_nothing },
	{ "addresses.primary", get_true },
	{ "addresses.private-ip-address", get_address },
	{ "association.association-id", get_nothing },
	{ "association.public-ip", get_nothing },
	{ "attachment.attach-time", get_attached_time },
	{ "attachment.attachment-id", get_attachment },
	{ "attachment.delete-on-termination", get_attached_delete },
	{ "attachment.device-index", get_attached_idx },
	{ "attachment.instance-id", get_attached_to },
	{ "attachment.instance-owner-id", get_attached_owner },
	{ "attachment.status", get_attached_status },
	{ "availability-zone", get_zone },
	{ "description", get_description },
	{ "group-id", get_group },
	{ "group-name", get_group_name },
	{ "interface-type", get_type },
	{ "ipv6-addresses.ipv6-address", get_nothing },
	{ "mac-address", get_mac },
	{ "network-interface-id", get_id },
	{ "owner-id", get_owner },
	{ "private-dns-name", get_dns },
	{ "private-ip-address", get_address },
	{ "requester-id", get_nothing },
	{ "requester-managed", get_false },
	{ "source-dest-check", get_check },
	{ "status", get_status },
	{ "subnet-id", get_subnet },
	{ "vpc-id", get_vpc },
	{ NULL, NULL },
};

/* ---- answer ---- */

static void attachment_xml(struct ec2_call *c, const struct interface *ni)
{
	struct xml *x = &c->out;

	if (!ni->instance_id[0])
		return;
	xml_open(x, "attachment");
	xml_str(x, "attachmentId", ni->attachment_id);
	xml_str(x, "instanceId", ni->instance_id);
	xml_str(x, "instanceOwnerId", ni->account);
	xml_u64(x, "deviceIndex", ni->device_idx);
	xml_u64(x, "networkCardIndex", 0);
	xml_str(x, "status", "attached");
	xml_time(x, "attachTime", ni->attached_ms);
	xml_bool(x, "deleteOnTermination", ni->delete_on_termination);
	xml_close(x, "attachment");
}

static void interface_write(struct ec2_call *c, const void *row)
{
	const struct interface *ni = row;
	char mac[NET_MAC_TEXT], addr[NET_IPV4_TEXT], dns[EC2_ARN_MAX];
	struct xml *x = &c->out;

	net_ipv4_text(addr, ni->addr);
	ec2_private_dns(c, ni, dns);
	xml_str(x, "networkInterfaceId", ni->id);
	xml_str(x, "subnetId", ni->subnet_id);
	xml_str(x, "vpcId", vpc_of(c, ni));
	xml_str(x, "availabilityZone", c->core->place.zone);
	xml_str(x, "description", ni->description);
	xml_str(x, "ownerId", ni->account);
	xml_bool(x, "requesterManaged", false);
	xml_str(x, "status", status(ni));
	xml_str(x, "macAddress", net_mac_text(mac, ni->mac));
	xml_str(x, "privateIpAddress", addr);
	xml_str(x, "privateDnsName", dns);
	xml_bool(x, "sourceDestCheck", ni->source_dest_check);
	ec2_groups_xml(c, ni->id);
	attachment_xml(c, ni);
	xml_open(x, "privateIpAddressesSet");
	xml_open(x, "item");
	xml_str(x, "privateIpAddress", addr);
	xml_str(x, "privateDnsName", dns);
	xml_bool(x, "primary", true);
	xml_close(x, "item");
	xml_close(x, "privateIpAddressesSet");
	xml_empty(x, "ipv6AddressesSet");
	xml_str(x, "interfaceType", "interface");
	tags_xml(c, ni->id, true);
}

/* ---- describe ---- */

static int describe_interfaces(struct ec2_call *c)
{
	static const struct ec2_describe d = {
		.param = "NetworkInterfaceId",
		.kind = ID_INTERFACE,
		.set = "networkInterfaceSet",
		.table = &tbl_interfaces,
		.by_account = true,
		.filter = interface_filters,
		.id = interface_id,
		.created_ms = interface_created,
		.write = interface_write,
	};

	return ec2_describe(c, &d);
}

static int describe_attribute(struct ec2_call *c)
{
	const char *id = query_need_str(&c->in, "NetworkInterfaceId");
	const char *name = query_need_str(&c->in, "Attribute");
	struct interface ni;
	int r;

	if (query_failed(&c->q))
		return -EINVAL;
	r = core_interface_find(c->core, c->account, id, &ni, &c->fault);
	if (r < 0)
		return r;
	xml_str(&c->out, "networkInterfaceId", ni.id);
	if (strcmp(name, "description") == 0)
		xml_value(&c->out, name, ni.description);
	else if (strcmp(name, "sourceDestCheck") == 0)
		xml_value(&c->out, name, ni.source_dest_check ? "true" : "false");
	else if (strcmp(name, "groupSet") == 0)
		ec2_groups_xml(c, ni.id);
	else if (strcmp(name, "attachment") == 0)
		attachment_xml(c, &ni);
	else
		return ec2_refuse(c, "InvalidParameterValue",
				  "Value (%s) for parameter attribute is invalid. Unknown "
				  "attribute.",
				  name);
	return 0;
}

/* ---- create, delete ---- */

/* PrivateIpAddress, or PrivateIpAddresses.1 that is the primary one: there is one address. */
static const char *read_address(struct ec2_call *c)
{
	const char *addr = query_str(&c->in, "PrivateIpAddress");
	struct query_at at;
	unsigned i = 0;

	while (query_next(&c->in, "PrivateIpAddresses", &i, &at)) {
		const char *one = query_need_str(&at, "PrivateIpAddress");

		if (!query_bool(&at, "Primary", false))
			query_refuse(&at, "UnsupportedOperation",
				     "An interface has one address, the primary one");
		else if (addr)
			query_refuse(&at, "InvalidParameterCombination",
				     "More than one primary private IP address");
		addr = one;
	}
	if (query_u64(&c->in, "SecondaryPrivateIpAddressCount", 0, UINT32_MAX, 0) > 0)
		query_refuse(&c->in, "UnsupportedOperation",
			     "SecondaryPrivateIpAddressCount: an interface has one address");
	return addr;
}

static const char *read_description(struct ec2_call *c, const struct query_at *at, const char *name)
{
	const char *text = query_str(at, name);

	if (text && strlen(text) >= NET_GROUP_NAME_MAX)
		query_refuse(&c->in, "InvalidParameterValue",
			     "A description has at most %d characters", NET_GROUP_NAME_MAX - 1);
	return text;
}

static void read_rest(struct ec2_call *c)
{
	static const char *const never[] = {
		"Ipv6Addresses",
		"Ipv4Prefix",
		"Ipv6Prefix",
		"EnablePrimaryIpv6",
		"ConnectionTrackingSpecification",
		"Operator",
	};
	static const char *const none[] = { "Ipv6AddressCount", "Ipv4PrefixCount",
					    "Ipv6PrefixCount" };
	const char *type = query_str(&c->in, "InterfaceType");

	for (size_t k = 0; k < ARRAY_SIZE(never); k++)
		query_unsupported(&c->in, never[k], NULL);
	for (size_t k = 0; k < ARRAY_SIZE(none); k++)
		if (query_u64(&c->in, none[k], 0, UINT32_MAX, 0) > 0)
			query_refuse(&c->in, "UnsupportedOperation", "%s can only be 0 here",
				     none[k]);
	if (type && strcmp(type, "interface") != 0)
		query_refuse(&c->in, "UnsupportedOperation",
			     "InterfaceType can only be interface here");
}

static void interface_answer(struct ec2_call *c, const struct interface *ni)
{
	const char *token = query_str(&c->in, "ClientToken");

	xml_open(&c->out, "networkInterface");
	interface_write(c, ni);
	xml_close(&c->out, "networkInterface");
	xml_opt(&c->out, "clientToken", token);
}

static int create_interface(struct ec2_call *c)
{
	const char *group[NET_INTERFACE_GROUPS_MAX + 1];
	struct core_interface_want q = {
		.account = c->account,
		.subnet_id = query_need_str(&c->in, "SubnetId"),
		.private_ip = read_address(c),
		.description = read_description(c, &c->in, "Description"),
		.group_id = group,
		.group_cnt = ec2_read_ids(&c->in, "SecurityGroupId", group, ARRAY_SIZE(group)),
	};
	struct interface ni;
	struct tag_list tags;
	int r;

	read_rest(c);
	tags_read_spec(c, "network-interface", "network-interface", &tags);
	if (query_failed(&c->q))
		return -EINVAL;
	r = core_interface_add(c->core, &q, &ni, &c->fault);
	if (r == 0)
		r = tags_put(c, ni.id, &tags);
	if (r < 0)
		return r;
	ec2_token_result(c, ni.id);
	interface_answer(c, &ni);
	return 0;
}

static int create_again(struct ec2_call *c, const char *result)
{
	struct interface ni;
	int r = core_interface_find(c->core, c->account, result, &ni, &c->fault);

	if (r == 0)
		interface_answer(c, &ni);
	return r;
}

static int delete_interface(struct ec2_call *c)
{
	const char *id = query_need_str(&c->in, "NetworkInterfaceId");
	struct interface ni;
	int r;

	if (query_failed(&c->q))
		return -EINVAL;
	r = core_interface_find(c->core, c->account, id, &ni, &c->fault);
	if (r == 0)
		r = core_interface_rm(c->core, &ni, &c->fault);
	if (r == 0)
		ec2_return(c);
	return r;
}

/* ---- change ---- */

static int attachment_change(struct ec2_call *c, struct interface *ni)
{
	struct query_at at = query_in(&c->in, "Attachment");
	const char *id = query_need_str(&at, "AttachmentId");

	query_unsupported(&at, "DefaultEnaQueueCount", NULL);
	query_unsupported(&at, "EnaQueueCount", NULL);
	if (!query_any(&at, "DeleteOnTermination"))
		(void)query_need_str(&at, "DeleteOnTermination");
	ni->delete_on_termination =
		query_bool(&at, "DeleteOnTermination", ni->delete_on_termination);
	if (query_failed(&c->q))
		return -EINVAL;
	if (!ni->instance_id[0] || strcmp(ni->attachment_id, id) != 0)
		return ec2_refuse_id(c, ID_ATTACHMENT, id);
	return 0;
}

static int groups_change(struct ec2_call *c, const struct interface *ni)
{
	const char *group[NET_INTERFACE_GROUPS_MAX + 1];
	size_t cnt = ec2_read_ids(&c->in, "SecurityGroupId", group, ARRAY_SIZE(group));

	if (cnt == 0)
		query_refuse(&c->in, "InvalidParameterValue",
			     "An interface has one security group at least");
	if (query_failed(&c->q))
		return -EINVAL;
	return core_interface_groups(c->core, ni, group, cnt, &c->acts, &c->fault);
}

static int modify_interface(struct ec2_call *c)
{
	static const char *const names[] = {
		"Description",
		"SourceDestCheck",
		"SecurityGroupId",
		"Attachment",
		"EnaSrdSpecification",
		"EnablePrimaryIpv6",
		"ConnectionTrackingSpecification",
		"AssociatePublicIpAddress",
		"AssociatedSubnetId",
	};
	const char *id = query_need_str(&c->in, "NetworkInterfaceId");
	struct query_at text_at = query_in(&c->in, names[0]), check = query_in(&c->in, names[1]);
	const char *text = read_description(c, &text_at, "Value");
	/* An empty description is one. */
	bool empty = !text && query_given(&text_at, "Value");
	struct interface ni;
	int r;

	for (size_t k = 4; k < ARRAY_SIZE(names); k++)
		query_unsupported(&c->in, names[k], NULL);
	if (!empty)
		ec2_only_one(c, names, ARRAY_SIZE(names));
	for (size_t k = 1; empty && k < 4; k++)
		if (query_any(&c->in, names[k]))
			query_refuse(&c->in, "InvalidParameterCombination",
				     "Only one attribute can be changed in a request");
	if (query_failed(&c->q))
		return -EINVAL;
	r = core_interface_find(c->core, c->account, id, &ni, &c->fault);
	if (r == 0 && query_any(&c->in, "SecurityGroupId"))
		r = groups_change(c, &ni);
	else if (r == 0 && query_any(&c->in, "Attachment"))
		r = attachment_change(c, &ni);
	if (r < 0)
		return r;
	if (text || empty)
		snprintf(ni.description, sizeof(ni.description), "%.*s", NET_GROUP_NAME_MAX - 1,
			 text ? text : "");
	ni.source_dest_check = query_bool(&check, "Value", ni.source_dest_check);
	if (query_failed(&c->q))
		return -EINVAL;
	r = core_interface_put(c->core, &ni, &c->acts);
	if (r < 0)
		return fault_internal(&c->fault, r, "changing an interface");
	ec2_return(c);
	return 0;
}

/* ---- attach, detach: not while an instance exists ---- */

static int attach_interface(struct ec2_call *c)
{
	const char *id = query_need_str(&c->in, "NetworkInterfaceId");
	const char *instance = query_need_str(&c->in, "InstanceId");
	const struct instance *i;
	struct interface ni;
	int r;

	(void)query_need_u64(&c->in, "DeviceIndex", 0, 255);
	(void)query_u64(&c->in, "NetworkCardIndex", 0, 255, 0);
	if (query_failed(&c->q))
		return -EINVAL;
	r = core_interface_find(c->core, c->account, id, &ni, &c->fault);
	if (r < 0)
		return r;
	i = store_find(c->core->st, &tbl_instances, instance);
	if (!i || strcmp(i->account, c->account) != 0)
		return ec2_refuse_id(c, ID_INSTANCE, instance);
	if (ni.instance_id[0])
		return ec2_refuse(c, "InvalidNetworkInterface.InUse",
				  "Network interface '%s' is currently in use.", ni.id);
	return ec2_refuse(c, "UnsupportedOperation",
			  "AttachNetworkInterface is not offered here: an instance has the "
			  "interface it was launched with");
}

static int detach_interface(struct ec2_call *c)
{
	const char *id = query_need_str(&c->in, "AttachmentId");
	const struct interface *ni;
	struct store_iter it;

	(void)query_bool(&c->in, "Force", false);
	if (query_failed(&c->q))
		return -EINVAL;
	store_each_of(c->core->st, &tbl_interfaces, "account", c->account, &it);
	while ((ni = store_next(&it)))
		if (ni->instance_id[0] && strcmp(ni->attachment_id, id) == 0)
			break;
	if (!ni)
		return ec2_refuse_id(c, ID_ATTACHMENT, id);
	return ec2_refuse(c, "OperationNotPermitted",
			  "The network interface at device index %u cannot be detached.",
			  ni->device_idx);
}

const struct ec2_action ec2_interface_actions[] = {
	{ "DescribeNetworkInterfaces", describe_interfaces, NULL, false },
	{ "DescribeNetworkInterfaceAttribute", describe_attribute, NULL, false },
	{ "CreateNetworkInterface", create_interface, create_again, true },
	{ "DeleteNetworkInterface", delete_interface, NULL, true },
	{ "ModifyNetworkInterfaceAttribute", modify_interface, NULL, true },
	{ "AttachNetworkInterface", attach_interface, NULL, true },
	{ "DetachNetworkInterface", detach_interface, NULL, true },
	{ NULL, NULL, NULL, false },
};
