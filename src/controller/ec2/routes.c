/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What each VPC has one of and nobody can change yet: the main route table, the default network ACL, the DHCP options; and
 * the internet gateway of the default VPC. They are answered from what really is in force: two routes at most, an ACL that lets
 * everything through, the resolver and the domain that DHCP tells. There are no public addresses.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controller/ec2/networks.h"
#include "controller/net_text.h"

enum { ACL_ALLOW = 100, ACL_DENY = 32767 };

static const struct vpc *as_vpc(const void *row)
{
	return row;
}

static const char *table_id(const void *row, char buf[EC2_ID_TEXT])
{
	return ec2_derived_id(buf, "rtb-", as_vpc(row)->id);
}

static const char *table_association_id(const void *row, char buf[EC2_ID_TEXT])
{
	return ec2_derived_id(buf, "rtbassoc-", as_vpc(row)->id);
}

static const char *acl_id(const void *row, char buf[EC2_ID_TEXT])
{
	return ec2_derived_id(buf, "acl-", as_vpc(row)->id);
}

static const char *options_id(const void *row, char buf[EC2_ID_TEXT])
{
	return ec2_derived_id(buf, "dopt-", as_vpc(row)->id);
}

static uint64_t vpc_created(const void *row)
{
	return as_vpc(row)->created_ms;
}

/* ---- filters that several have ---- */

static void get_vpc(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	filter_str(e, as_vpc(o)->id);
}

static void get_owner(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)o;
	filter_str(e, c->account);
}

static void get_true(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	(void)o;
	filter_bool(e, true);
}

static void get_nothing(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	(void)o;
	(void)e;
}

/* ---- route tables ---- */

static void get_table(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	char buf[EC2_ID_TEXT];

	(void)c;
	filter_str(e, table_id(o, buf));
}

static void get_table_association(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	char buf[EC2_ID_TEXT];

	(void)c;
	filter_str(e, table_association_id(o, buf));
}

static void get_destination(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	const struct vpc *v = o;
	char cidr[NET_CIDR_TEXT];

	filter_str(e, net_cidr_text(cidr, v->addr, v->prefix));
	if (ec2_gateway_of(c, v->id))
		filter_str(e, "0.0.0.0/0");
}

static void get_target(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	const struct gateway *g = ec2_gateway_of(c, as_vpc(o)->id);

	filter_str(e, "local");
	if (g)
		filter_str(e, g->id);
}

static void get_origin(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	filter_str(e, "CreateRouteTable");
	if (ec2_gateway_of(c, as_vpc(o)->id))
		filter_str(e, "CreateRoute");
}

static void get_active(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	(void)o;
	filter_str(e, "active");
}

static const struct filter_def table_filters[] = {
	{ "association.main", get_true },
	{ "association.gateway-id", get_nothing },
	{ "association.route-table-association-id", get_table_association },
	{ "association.route-table-id", get_table },
	{ "association.subnet-id", get_nothing },
	{ "owner-id", get_owner },
	{ "route-table-id", get_table },
	{ "route.destination-cidr-block", get_destination },
	{ "route.destination-ipv6-cidr-block", get_nothing },
	{ "route.gateway-id", get_target },
	{ "route.instance-id", get_nothing },
	{ "route.nat-gateway-id", get_nothing },
	{ "route.origin", get_origin },
	{ "route.state", get_active },
	{ "vpc-id", get_vpc },
	{ NULL, NULL },
};

static void route_write(struct xml *x, const char *cidr, const char *gateway, const char *origin)
{
	xml_open(x, "item");
	xml_str(x, "destinationCidrBlock", cidr);
	xml_str(x, "gatewayId", gateway);
	xml_str(x, "state", "active");
	xml_str(x, "origin", origin);
	xml_close(x, "item");
}

static void table_write(struct ec2_call *c, const void *row)
{
	const struct vpc *v = row;
	const struct gateway *g = ec2_gateway_of(c, v->id);
	char buf[EC2_ID_TEXT], cidr[NET_CIDR_TEXT];
	struct xml *x = &c->out;

	xml_str(x, "routeTableId", table_id(v, buf));
	xml_str(x, "vpcId", v->id);
	xml_str(x, "ownerId", v->account);
	xml_open(x, "routeSet");
	route_write(x, net_cidr_text(cidr, v->addr, v->prefix), "local", "CreateRouteTable");
	if (g)
		route_write(x, "0.0.0.0/0", g->id, "CreateRoute");
	xml_close(x, "routeSet");
	xml_open(x, "associationSet");
	xml_open(x, "item");
	xml_str(x, "routeTableAssociationId", table_association_id(v, buf));
	xml_str(x, "routeTableId", table_id(v, buf));
	xml_bool(x, "main", true);
	xml_open(x, "associationState");
	xml_str(x, "state", "associated");
	xml_close(x, "associationState");
	xml_close(x, "item");
	xml_close(x, "associationSet");
	xml_empty(x, "propagatingVgwSet");
	tags_xml(c, table_id(v, buf), true);
}

int ec2_describe_route_tables(struct ec2_call *c)
{
	static const struct ec2_describe d = {
		.param = "RouteTableId",
		.kind = ID_ROUTE_TABLE,
		.set = "routeTableSet",
		.table = &tbl_vpcs,
		.by_account = true,
		.filter = table_filters,
		.id = table_id,
		.created_ms = vpc_created,
		.write = table_write,
	};

	return ec2_describe(c, &d);
}

/* ---- internet gateways ---- */

static const char *gateway_id(const void *row, char buf[EC2_ID_TEXT])
{
	(void)buf;
	return ((const struct gateway *)row)->id;
}

static bool gateway_mine(struct ec2_call *c, const void *row)
{
	const struct vpc *v =
		store_find(c->core->st, &tbl_vpcs, ((const struct gateway *)row)->vpc_id);

	return v && strcmp(v->account, c->account) == 0;
}

static void get_gateway(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	filter_str(e, ((const struct gateway *)o)->id);
}

static void get_gateway_vpc(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	filter_str(e, ((const struct gateway *)o)->vpc_id);
}

static void get_available(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	(void)o;
	filter_str(e, "available");
}

static const struct filter_def gateway_filters[] = {
	{ "attachment.state", get_available },
	{ "attachment.vpc-id", get_gateway_vpc },
	{ "internet-gateway-id", get_gateway },
	{ "owner-id", get_owner },
	{ NULL, NULL },
};

static void gateway_write(struct ec2_call *c, const void *row)
{
	const struct gateway *g = row;
	struct xml *x = &c->out;

	xml_str(x, "internetGatewayId", g->id);
	xml_str(x, "ownerId", c->account);
	xml_open(x, "attachmentSet");
	xml_open(x, "item");
	xml_str(x, "vpcId", g->vpc_id);
	xml_str(x, "state", "available");
	xml_close(x, "item");
	xml_close(x, "attachmentSet");
	tags_xml(c, g->id, true);
}

int ec2_describe_internet_gateways(struct ec2_call *c)
{
	static const struct ec2_describe d = {
		.param = "InternetGatewayId",
		.kind = ID_GATEWAY,
		.set = "internetGatewaySet",
		.table = &tbl_gateways,
		.filter = gateway_filters,
		.mine = gateway_mine,
		.id = gateway_id,
		.write = gateway_write,
	};

	return ec2_describe(c, &d);
}

/* ---- network ACLs ---- */

static void get_acl(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	char buf[EC2_ID_TEXT];

	(void)c;
	filter_str(e, acl_id(o, buf));
}

static void get_acl_subnets(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	const struct subnet *s;
	struct store_iter it;

	store_each_of(c->core->st, &tbl_subnets, "vpc_id", as_vpc(o)->id, &it);
	while ((s = store_next(&it)))
		filter_str(e, s->id);
}

static void get_acl_associations(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	const struct subnet *s;
	struct store_iter it;
	char buf[EC2_ID_TEXT];

	store_each_of(c->core->st, &tbl_subnets, "vpc_id", as_vpc(o)->id, &it);
	while ((s = store_next(&it)))
		filter_str(e, ec2_derived_id(buf, "aclassoc-", s->id));
}

static const struct filter_def acl_filters[] = {
	{ "association.association-id", get_acl_associations },
	{ "association.network-acl-id", get_acl },
	{ "association.subnet-id", get_acl_subnets },
	{ "default", get_true },
	{ "network-acl-id", get_acl },
	{ "owner-id", get_owner },
	{ "vpc-id", get_vpc },
	{ NULL, NULL },
};

static void entry_write(struct xml *x, unsigned number, const char *action, bool egress)
{
	xml_open(x, "item");
	xml_u64(x, "ruleNumber", number);
	xml_str(x, "protocol", "-1");
	xml_str(x, "ruleAction", action);
	xml_bool(x, "egress", egress);
	xml_str(x, "cidrBlock", "0.0.0.0/0");
	xml_close(x, "item");
}

static void acl_write(struct ec2_call *c, const void *row)
{
	const struct vpc *v = row;
	const struct subnet *s;
	struct xml *x = &c->out;
	struct store_iter it;
	char id[EC2_ID_TEXT], buf[EC2_ID_TEXT];

	acl_id(v, id);
	xml_str(x, "networkAclId", id);
	xml_str(x, "vpcId", v->id);
	xml_bool(x, "default", true);
	xml_str(x, "ownerId", v->account);
	xml_open(x, "entrySet");
	for (int egress = 1; egress >= 0; egress--) {
		entry_write(x, ACL_ALLOW, "allow", egress);
		entry_write(x, ACL_DENY, "deny", egress);
	}
	xml_close(x, "entrySet");
	xml_open(x, "associationSet");
	store_each_of(c->core->st, &tbl_subnets, "vpc_id", v->id, &it);
	while ((s = store_next(&it))) {
		xml_open(x, "item");
		xml_str(x, "networkAclAssociationId", ec2_derived_id(buf, "aclassoc-", s->id));
		xml_str(x, "networkAclId", id);
		xml_str(x, "subnetId", s->id);
		xml_close(x, "item");
	}
	xml_close(x, "associationSet");
	tags_xml(c, id, true);
}

int ec2_describe_network_acls(struct ec2_call *c)
{
	static const struct ec2_describe d = {
		.param = "NetworkAclId",
		.kind = ID_ACL,
		.set = "networkAclSet",
		.table = &tbl_vpcs,
		.by_account = true,
		.filter = acl_filters,
		.id = acl_id,
		.created_ms = vpc_created,
		.write = acl_write,
	};

	return ec2_describe(c, &d);
}

/* ---- DHCP options ---- */

static void get_options(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	char buf[EC2_ID_TEXT];

	(void)c;
	filter_str(e, options_id(o, buf));
}

static void get_option_key(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	(void)o;
	filter_str(e, "domain-name");
	filter_str(e, "domain-name-servers");
}

static void get_option_value(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	filter_str(e, as_vpc(o)->domain);
	filter_str(e, "AmazonProvidedDNS");
}

static const struct filter_def option_filters[] = {
	{ "dhcp-options-id", get_options },
	{ "key", get_option_key },
	{ "owner-id", get_owner },
	{ "value", get_option_value },
	{ NULL, NULL },
};

static void option_write(struct xml *x, const char *key, const char *value)
{
	xml_open(x, "item");
	xml_str(x, "key", key);
	xml_open(x, "valueSet");
	xml_open(x, "item");
	xml_str(x, "value", value);
	xml_close(x, "item");
	xml_close(x, "valueSet");
	xml_close(x, "item");
}

static void options_write(struct ec2_call *c, const void *row)
{
	const struct vpc *v = row;
	char buf[EC2_ID_TEXT];
	struct xml *x = &c->out;

	xml_str(x, "dhcpOptionsId", options_id(v, buf));
	xml_str(x, "ownerId", v->account);
	xml_open(x, "dhcpConfigurationSet");
	option_write(x, "domain-name", v->domain);
	option_write(x, "domain-name-servers", "AmazonProvidedDNS");
	xml_close(x, "dhcpConfigurationSet");
	tags_xml(c, options_id(v, buf), true);
}

int ec2_describe_dhcp_options(struct ec2_call *c)
{
	static const struct ec2_describe d = {
		.param = "DhcpOptionsId",
		.kind = ID_DHCP_OPTIONS,
		.set = "dhcpOptionsSet",
		.table = &tbl_vpcs,
		.by_account = true,
		.filter = option_filters,
		.id = options_id,
		.created_ms = vpc_created,
		.write = options_write,
	};

	return ec2_describe(c, &d);
}

/* ---- addresses ---- */

static const struct filter_def address_filters[] = {
	{ "allocation-id", get_nothing },
	{ "association-id", get_nothing },
	{ "domain", get_nothing },
	{ "instance-id", get_nothing },
	{ "network-border-group", get_nothing },
	{ "network-interface-id", get_nothing },
	{ "network-interface-owner-id", get_nothing },
	{ "private-ip-address", get_nothing },
	{ "public-ip", get_nothing },
	{ NULL, NULL },
};

/* There are none, so whatever is named does not exist. */
int ec2_describe_addresses(struct ec2_call *c)
{
	CLEANUP(filters_freep) struct filters *f = NULL;
	unsigned i = 0;
	const char *text;
	int r = filters_read(c, address_filters, true, &f);

	if (r < 0)
		return r;
	if (query_failed(&c->q))
		return -EINVAL;
	text = query_next_str(&c->in, "AllocationId", &i);
	if (text)
		return ec2_refuse(c, "InvalidAllocationID.NotFound",
				  "The allocation ID '%s' does not exist", text);
	i = 0;
	text = query_next_str(&c->in, "PublicIp", &i);
	if (text)
		return ec2_refuse(c, "InvalidAddress.NotFound", "Address '%s' not found.", text);
	xml_empty(&c->out, "addressesSet");
	return 0;
}
