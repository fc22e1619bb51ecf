/* SPDX-License-Identifier: Apache-2.0 */

/* Subnets. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controller/ec2/networks.h"
#include "controller/net_text.h"

enum { RESERVED = 5 };

static const char *subnet_id(const void *row, char buf[EC2_ID_TEXT])
{
	(void)buf;
	return ((const struct subnet *)row)->id;
}

static uint64_t subnet_created(const void *row)
{
	return ((const struct subnet *)row)->created_ms;
}

static bool subnet_mine(struct ec2_call *c, const void *row)
{
	const struct vpc *v =
		store_find(c->core->st, &tbl_vpcs, ((const struct subnet *)row)->vpc_id);

	return v && strcmp(v->account, c->account) == 0;
}

static uint64_t addresses_left(struct ec2_call *c, const struct subnet *s)
{
	uint64_t all = UINT64_C(1) << (32 - s->prefix), used = core_subnet_used(c->core, s);

	return used + RESERVED < all ? all - RESERVED - used : 0;
}

static const char *arn(struct ec2_call *c, const struct subnet *s, char ret[EC2_ARN_MAX])
{
	snprintf(ret, EC2_ARN_MAX, "arn:aws:ec2:%s:%s:subnet/%s", c->core->place.region, c->account,
		 s->id);
	return ret;
}

/* ---- filters ---- */

static void get_id(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	filter_str(e, ((const struct subnet *)o)->id);
}

static void get_vpc(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	filter_str(e, ((const struct subnet *)o)->vpc_id);
}

static void get_arn(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	char buf[EC2_ARN_MAX];

	filter_str(e, arn(c, o, buf));
}

static void get_zone(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)o;
	filter_str(e, c->core->place.zone);
}

static void get_zone_id(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)o;
	filter_str(e, c->core->place.zone_id);
}

static void get_cidr(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	const struct subnet *s = o;
	char cidr[NET_CIDR_TEXT];

	(void)c;
	filter_str(e, net_cidr_text(cidr, s->addr, s->prefix));
}

static void get_default(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	filter_bool(e, ((const struct subnet *)o)->is_default);
}

static void get_state(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	(void)o;
	filter_str(e, "available");
}

static void get_left(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	filter_u64(e, addresses_left(c, o));
}

static void get_public(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	filter_bool(e, ((const struct subnet *)o)->map_public_ip);
}

static void get_owner(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)o;
	filter_str(e, c->account);
}

static void get_false(struct ec2_call *c, const void *o, struct filter_emit *e)
{
	(void)c;
	(void)o;
	filter_bool(e, false);
}

static const struct filter_def subnet_filters[] = {
	{ "availability-zone", get_zone },
	{ "availabilityZone", get_zone },
	{ "availability-zone-id", get_zone_id },
	{ "availabilityZoneId", get_zone_id },
	{ "available-ip-address-count", get_left },
	{ "cidr-block", get_cidr },
	{ "cidr", get_cidr },
	{ "cidrBlock", get_cidr },
	{ "default-for-az", get_default },
	{ "defaultForAz", get_default },
	{ "enable-dns64", get_false },
	{ "ipv6-native", get_false },
	{ "map-customer-owned-ip-on-launch", get_false },
	{ "map-public-ip-on-launch", get_public },
	{ "owner-id", get_owner },
	{ "state", get_state },
	{ "subnet-arn", get_arn },
	{ "subnet-id", get_id },
	{ "vpc-id", get_vpc },
	{ NULL, NULL },
};

/* ---- answer ---- */

static void subnet_write(struct ec2_call *c, const void *row)
{
	const struct subnet *s = row;
	char cidr[NET_CIDR_TEXT], buf[EC2_ARN_MAX];
	struct xml *x = &c->out;

	xml_str(x, "subnetId", s->id);
	xml_str(x, "subnetArn", arn(c, s, buf));
	xml_str(x, "state", "available");
	xml_str(x, "ownerId", c->account);
	xml_str(x, "vpcId", s->vpc_id);
	xml_str(x, "cidrBlock", net_cidr_text(cidr, s->addr, s->prefix));
	xml_empty(x, "ipv6CidrBlockAssociationSet");
	xml_u64(x, "availableIpAddressCount", addresses_left(c, s));
	xml_str(x, "availabilityZone", c->core->place.zone);
	xml_str(x, "availabilityZoneId", c->core->place.zone_id);
	xml_bool(x, "defaultForAz", s->is_default);
	xml_bool(x, "mapPublicIpOnLaunch", s->map_public_ip);
	xml_bool(x, "mapCustomerOwnedIpOnLaunch", false);
	xml_bool(x, "assignIpv6AddressOnCreation", false);
	xml_bool(x, "enableDns64", false);
	xml_bool(x, "ipv6Native", false);
	xml_open(x, "privateDnsNameOptionsOnLaunch");
	xml_str(x, "hostnameType", "ip-name");
	xml_bool(x, "enableResourceNameDnsARecord", false);
	xml_bool(x, "enableResourceNameDnsAAAARecord", false);
	xml_close(x, "privateDnsNameOptionsOnLaunch");
	tags_xml(c, s->id, true);
}

static void subnet_answer(struct ec2_call *c, const struct subnet *s)
{
	xml_open(&c->out, "subnet");
	subnet_write(c, s);
	xml_close(&c->out, "subnet");
}

/* ---- actions ---- */

int ec2_describe_subnets(struct ec2_call *c)
{
	static const struct ec2_describe d = {
		.param = "SubnetId",
		.kind = ID_SUBNET,
		.set = "subnetSet",
		.table = &tbl_subnets,
		.filter = subnet_filters,
		.mine = subnet_mine,
		.id = subnet_id,
		.created_ms = subnet_created,
		.write = subnet_write,
	};

	return ec2_describe(c, &d);
}

int ec2_create_subnet(struct ec2_call *c)
{
	static const char *const never[] = { "Ipv6CidrBlock",  "OutpostArn",
					     "Ipv4IpamPoolId", "Ipv4NetmaskLength",
					     "Ipv6IpamPoolId", "Ipv6NetmaskLength" };
	const char *vpc = query_need_str(&c->in, "VpcId");
	struct net_block b = ec2_read_block(&c->in, "CidrBlock", true);
	struct tag_list tags;
	struct subnet s;
	struct vpc v;
	int r;

	ec2_read_zone(c);
	ec2_read_false(c, "Ipv6Native");
	for (size_t k = 0; k < ARRAY_SIZE(never); k++)
		query_unsupported(&c->in, never[k], NULL);
	tags_read_spec(c, "subnet", "subnet", &tags);
	if (query_failed(&c->q))
		return -EINVAL;
	r = core_vpc_find(c->core, c->account, vpc, &v, &c->fault);
	if (r == 0)
		r = core_subnet_add(c->core, &v, &b, &s, &c->fault);
	if (r == 0)
		r = tags_put(c, s.id, &tags);
	if (r == 0)
		subnet_answer(c, &s);
	return r;
}

int ec2_create_default_subnet(struct ec2_call *c)
{
	struct subnet s;
	int r;

	ec2_read_zone(c);
	ec2_read_false(c, "Ipv6Native");
	if (!query_any(&c->in, "AvailabilityZone") && !query_any(&c->in, "AvailabilityZoneId"))
		(void)query_need_str(&c->in, "AvailabilityZone");
	if (query_failed(&c->q))
		return -EINVAL;
	r = core_subnet_default_add(c->core, c->account, &s, &c->fault);
	if (r == 0)
		subnet_answer(c, &s);
	return r;
}

int ec2_delete_subnet(struct ec2_call *c)
{
	const char *id = query_need_str(&c->in, "SubnetId");
	struct subnet s;
	int r;

	if (query_failed(&c->q))
		return -EINVAL;
	r = core_subnet_find(c->core, c->account, id, &s, &c->fault);
	if (r == 0)
		r = core_subnet_rm(c->core, &s, &c->fault);
	if (r == 0)
		ec2_return(c);
	return r;
}

int ec2_modify_subnet_attribute(struct ec2_call *c)
{
	static const char *const names[] = {
		"MapPublicIpOnLaunch",
		"AssignIpv6AddressOnCreation",
		"EnableDns64",
		"EnableResourceNameDnsARecordOnLaunch",
		"EnableResourceNameDnsAAAARecordOnLaunch",
		"MapCustomerOwnedIpOnLaunch",
		"DisableLniAtDeviceIndex",
		"PrivateDnsHostnameTypeOnLaunch",
		"CustomerOwnedIpv4Pool",
		"EnableLniAtDeviceIndex",
	};
	const char *id = query_need_str(&c->in, "SubnetId");
	const char *type = query_str(&c->in, names[7]);
	struct query_at map = query_in(&c->in, names[0]);
	struct subnet s;
	int r;

	ec2_only_one(c, names, ARRAY_SIZE(names));
	for (size_t k = 1; k < 7; k++)
		ec2_read_false(c, names[k]);
	for (size_t k = 8; k < ARRAY_SIZE(names); k++)
		query_unsupported(&c->in, names[k], NULL);
	if (type && strcmp(type, "ip-name") != 0)
		query_refuse(&c->in, "UnsupportedOperation", "%s can only be ip-name here",
			     names[7]);
	if (query_failed(&c->q))
		return -EINVAL;
	r = core_subnet_find(c->core, c->account, id, &s, &c->fault);
	if (r < 0)
		return r;
	s.map_public_ip = query_bool(&map, "Value", s.map_public_ip);
	if (query_failed(&c->q))
		return -EINVAL;
	r = core_subnet_put(c->core, &s);
	if (r < 0)
		return fault_internal(&c->fault, r, "changing a subnet");
	ec2_return(c);
	return 0;
}
