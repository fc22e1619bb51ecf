/* SPDX-License-Identifier: Apache-2.0 */

/* VPCs. Route table, network ACL and DHCP options of a VPC are one each and have its digits in their ids (routes.c). */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controller/ec2/networks.h"
#include "controller/net_text.h"

static const char *vpc_id(const void *row, char buf[EC2_ID_TEXT])
{
	(void)buf;
	return ((const struct vpc *)row)->id;
}

static uint64_t vpc_created(const void *row)
{
	return ((const struct vpc *)row)->created_ms;
}

/* ---- filters ---- */

static void get_id(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	filter_str(e, ((const struct vpc *)o)->id);
}

static void get_cidr(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	const struct vpc *v = o;
	char cidr[NET_CIDR_TEXT];

	(void)c;
	filter_str(e, net_cidr_text(cidr, v->addr, v->prefix));
}

static void get_association(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	char buf[EC2_ID_TEXT];

	(void)c;
	filter_str(e, ec2_derived_id(buf, "vpc-cidr-assoc-", ((const struct vpc *)o)->id));
}

static void get_associated(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	(void)o;
	filter_str(e, "associated");
}

static void get_dhcp(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	char buf[EC2_ID_TEXT];

	(void)c;
	filter_str(e, ec2_derived_id(buf, "dopt-", ((const struct vpc *)o)->id));
}

static void get_default(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	filter_bool(e, ((const struct vpc *)o)->is_default);
}

static void get_owner(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	filter_str(e, ((const struct vpc *)o)->account);
}

static void get_state(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	(void)o;
	filter_str(e, "available");
}

static const struct filter_def vpc_filters[] = {
	{ "cidr", get_cidr },
	{ "cidr-block-association.association-id", get_association },
	{ "cidr-block-association.cidr-block", get_cidr },
	{ "cidr-block-association.state", get_associated },
	{ "dhcp-options-id", get_dhcp },
	{ "is-default", get_default },
	{ "isDefault", get_default },
	{ "owner-id", get_owner },
	{ "state", get_state },
	{ "vpc-id", get_id },
	{ NULL, NULL },
};

/* ---- answer ---- */

static void vpc_write(struct ec2_call *c, const void *row)
{
	const struct vpc *v = row;
	char cidr[NET_CIDR_TEXT], id[EC2_ID_TEXT];
	struct xml *x = &c->out;

	net_cidr_text(cidr, v->addr, v->prefix);
	xml_str(x, "vpcId", v->id);
	xml_str(x, "ownerId", v->account);
	xml_str(x, "state", "available");
	xml_str(x, "cidrBlock", cidr);
	xml_open(x, "cidrBlockAssociationSet");
	xml_open(x, "item");
	xml_str(x, "cidrBlock", cidr);
	xml_str(x, "associationId", ec2_derived_id(id, "vpc-cidr-assoc-", v->id));
	xml_open(x, "cidrBlockState");
	xml_str(x, "state", "associated");
	xml_close(x, "cidrBlockState");
	xml_close(x, "item");
	xml_close(x, "cidrBlockAssociationSet");
	xml_empty(x, "ipv6CidrBlockAssociationSet");
	xml_str(x, "dhcpOptionsId", ec2_derived_id(id, "dopt-", v->id));
	xml_str(x, "instanceTenancy", "default");
	xml_bool(x, "isDefault", v->is_default);
	tags_xml(c, v->id, true);
}

static void vpc_answer(struct ec2_call *c, const struct vpc *v)
{
	xml_open(&c->out, "vpc");
	vpc_write(c, v);
	xml_close(&c->out, "vpc");
}

/* ---- actions ---- */

static int describe_vpcs(struct ec2_call *c)
{
	static const struct ec2_describe d = {
		.param = "VpcId",
		.kind = ID_VPC,
		.set = "vpcSet",
		.table = &tbl_vpcs,
		.by_account = true,
		.filter = vpc_filters,
		.id = vpc_id,
		.created_ms = vpc_created,
		.write = vpc_write,
	};

	return ec2_describe(c, &d);
}

static void no_ipv6_no_ipam(struct ec2_call *c)
{
	static const char *const names[] = {
		"Ipv6Pool",
		"Ipv6CidrBlock",
		"Ipv4IpamPoolId",
		"Ipv4NetmaskLength",
		"Ipv6IpamPoolId",
		"Ipv6NetmaskLength",
		"Ipv6CidrBlockNetworkBorderGroup",
		"VpcEncryptionControl",
	};

	for (size_t k = 0; k < ARRAY_SIZE(names); k++)
		query_unsupported(&c->in, names[k], NULL);
	ec2_read_false(c, "AmazonProvidedIpv6CidrBlock");
}

static int create_vpc(struct ec2_call *c)
{
	struct net_block b = ec2_read_block(&c->in, "CidrBlock", true);
	const char *tenancy = query_str(&c->in, "InstanceTenancy");
	struct tag_list tags;
	struct vpc v;
	int r;

	if (tenancy && strcmp(tenancy, "default") != 0)
		query_refuse(&c->in, "UnsupportedOperation",
			     "InstanceTenancy can only be default here");
	no_ipv6_no_ipam(c);
	tags_read_spec(c, "vpc", "vpc", &tags);
	if (query_failed(&c->q))
		return -EINVAL;
	r = core_vpc_add(c->core, c->account, &b, &v, &c->fault);
	if (r == 0)
		r = tags_put(c, v.id, &tags);
	if (r == 0)
		vpc_answer(c, &v);
	return r;
}

static int create_default_vpc(struct ec2_call *c)
{
	struct vpc v;
	int r = core_vpc_default_add(c->core, c->account, &v, &c->fault);

	if (r == 0)
		vpc_answer(c, &v);
	return r;
}

static int delete_vpc(struct ec2_call *c)
{
	const char *id = query_need_str(&c->in, "VpcId");
	struct vpc v;
	int r;

	if (query_failed(&c->q))
		return -EINVAL;
	r = core_vpc_find(c->core, c->account, id, &v, &c->fault);
	if (r == 0)
		r = core_vpc_rm(c->core, &v, &c->fault);
	if (r == 0)
		ec2_return(c);
	return r;
}

static int describe_vpc_attribute(struct ec2_call *c)
{
	const char *id = query_need_str(&c->in, "VpcId");
	const char *name = query_need_str(&c->in, "Attribute");
	struct vpc v;
	int r;

	if (query_failed(&c->q))
		return -EINVAL;
	r = core_vpc_find(c->core, c->account, id, &v, &c->fault);
	if (r < 0)
		return r;
	if (strcmp(name, "enableDnsSupport") != 0 && strcmp(name, "enableDnsHostnames") != 0 &&
	    strcmp(name, "enableNetworkAddressUsageMetrics") != 0)
		return ec2_refuse(c, "InvalidParameterValue",
				  "Value (%s) for parameter attribute is invalid. Unknown "
				  "attribute.",
				  name);
	xml_str(&c->out, "vpcId", v.id);
	if (strcmp(name, "enableDnsSupport") == 0)
		xml_value(&c->out, name, v.dns_support ? "true" : "false");
	else if (strcmp(name, "enableDnsHostnames") == 0)
		xml_value(&c->out, name, v.dns_hostnames ? "true" : "false");
	else
		xml_value(&c->out, name, "false");
	return 0;
}

static int modify_vpc_attribute(struct ec2_call *c)
{
	static const char *const names[] = { "EnableDnsSupport", "EnableDnsHostnames",
					     "EnableNetworkAddressUsageMetrics" };
	const char *id = query_need_str(&c->in, "VpcId");
	struct query_at support = query_in(&c->in, names[0]), hosts = query_in(&c->in, names[1]);
	struct vpc v;
	int r;

	ec2_only_one(c, names, ARRAY_SIZE(names));
	ec2_read_false(c, names[2]);
	if (query_failed(&c->q))
		return -EINVAL;
	r = core_vpc_find(c->core, c->account, id, &v, &c->fault);
	if (r < 0)
		return r;
	v.dns_support = query_bool(&support, "Value", v.dns_support);
	v.dns_hostnames = query_bool(&hosts, "Value", v.dns_hostnames);
	if (query_failed(&c->q))
		return -EINVAL;
	r = core_vpc_put(c->core, &v, &c->acts);
	if (r < 0)
		return fault_internal(&c->fault, r, "changing a network");
	ec2_return(c);
	return 0;
}

const struct ec2_action ec2_network_actions[] = {
	{ "DescribeVpcs", describe_vpcs, NULL, false },
	{ "CreateVpc", create_vpc, NULL, true },
	{ "CreateDefaultVpc", create_default_vpc, NULL, true },
	{ "DeleteVpc", delete_vpc, NULL, true },
	{ "DescribeVpcAttribute", describe_vpc_attribute, NULL, false },
	{ "ModifyVpcAttribute", modify_vpc_attribute, NULL, true },
	{ "DescribeSubnets", ec2_describe_subnets, NULL, false },
	{ "CreateSubnet", ec2_create_subnet, NULL, true },
	{ "CreateDefaultSubnet", ec2_create_default_subnet, NULL, true },
	{ "DeleteSubnet", ec2_delete_subnet, NULL, true },
	{ "ModifySubnetAttribute", ec2_modify_subnet_attribute, NULL, true },
	{ "DescribeRouteTables", ec2_describe_route_tables, NULL, false },
	{ "DescribeInternetGateways", ec2_describe_internet_gateways, NULL, false },
	{ "DescribeNetworkAcls", ec2_describe_network_acls, NULL, false },
	{ "DescribeDhcpOptions", ec2_describe_dhcp_options, NULL, false },
	{ "DescribeAddresses", ec2_describe_addresses, NULL, false },
	{ NULL, NULL, NULL, false },
};
