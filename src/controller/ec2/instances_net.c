/* SPDX-License-Identifier: Apache-2.0 */

/* Where the interface of a launch goes: top-level members, or NetworkInterface.1; never both. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controller/ec2/instances_run.h"

static void group_add(struct ec2_call *c, struct run_network *n, const char *id)
{
	if (n->group_cnt == RUN_GROUPS_MAX) {
		query_refuse(&c->in, "SecurityGroupsPerInterfaceLimitExceeded",
			     "An interface has at most %d security groups",
			     NET_INTERFACE_GROUPS_MAX);
		return;
	}
	n->group_id[n->group_cnt++] = id;
}

static void groups_read(struct ec2_call *c, const struct query_at *at, const char *name,
			struct run_network *n)
{
	const char *id;
	unsigned k = 0;

	while ((id = query_next_str(at, name, &k)))
		group_add(c, n, id);
}

/* SecurityGroup.N: names, in the default network. */
static void names_read(struct ec2_call *c, const struct core_launch *q, struct run_network *n)
{
	struct group g;
	struct vpc v;
	const char *name;
	unsigned k = 0;

	while ((name = query_next_str(&c->in, "SecurityGroup", &k))) {
		if (q->subnet_id) {
			query_refuse(&c->in, "InvalidParameterCombination",
				     "The parameter groupName cannot be used with the parameter "
				     "subnet");
			return;
		}
		if (core_vpc_default(c->core, c->account, &v) < 0 ||
		    core_group_named(c->core, v.id, name, &g) < 0) {
			query_refuse(&c->in, "InvalidGroup.NotFound",
				     "The security group '%.255s' does not exist in default VPC",
				     name);
			return;
		}
		if (n->named_cnt == RUN_GROUPS_MAX)
			return;
		snprintf(n->named[n->named_cnt], CTL_ID_MAX, "%s", g.id);
		group_add(c, n, n->named[n->named_cnt++]);
	}
}

/* PrivateIpAddresses.M of an interface: the primary one only. */
static const char *address_read(struct ec2_call *c, const struct query_at *at)
{
	const char *addr = query_str(at, "PrivateIpAddress");
	struct query_at one;
	unsigned k = 0;

	while (query_next(at, "PrivateIpAddresses", &k, &one)) {
		const char *ip = query_need_str(&one, "PrivateIpAddress");

		if (!query_bool(&one, "Primary", false) || (addr && strcmp(addr, ip) != 0))
			query_refuse(&one, "UnsupportedOperation",
				     "%sPrimary=false is not supported: an interface has one "
				     "address",
				     one.prefix);
		addr = ip;
	}
	if (query_u64(at, "SecondaryPrivateIpAddressCount", 0, 64, 0) > 0)
		query_refuse(at, "UnsupportedOperation",
			     "%sSecondaryPrivateIpAddressCount is not supported", at->prefix);
	(void)c;
	return addr;
}

static void interface_new(struct ec2_call *c, const struct query_at *at, struct core_launch *q,
			  struct run_network *n)
{
	q->subnet_id = query_str(at, "SubnetId");
	q->interface_description = query_str(at, "Description");
	q->private_ip = address_read(c, at);
	q->interface_keep = !query_bool(at, "DeleteOnTermination", true);
	groups_read(c, at, "SecurityGroupId", n);
	if (q->interface_description && strlen(q->interface_description) >= NET_GROUP_NAME_MAX)
		query_refuse(at, "InvalidParameterValue", "%sDescription is too long", at->prefix);
}

static void interface_there(const struct query_at *at, struct core_launch *q, const char *id)
{
	static const char *const alone[] = { "SubnetId", "Description", "SecurityGroupId",
					     "PrivateIpAddress", "PrivateIpAddresses" };

	q->interface_id = id;
	for (size_t k = 0; k < ARRAY_SIZE(alone); k++)
		if (query_any(at, alone[k]))
			query_refuse(at, "InvalidParameterCombination",
				     "A network interface may not specify both a network "
				     "interface ID and %s",
				     alone[k]);
	if (query_bool(at, "DeleteOnTermination", false))
		query_refuse(at, "InvalidParameterCombination",
			     "A network interface that exists may not be deleted on termination");
	if (q->max > 1)
		query_refuse(at, "InvalidParameterCombination",
			     "A network interface can be attached to one instance only");
}

static void interface_read(struct ec2_call *c, const struct query_at *at, struct core_launch *q,
			   struct run_network *n)
{
	static const char *const absent[] = {
		"Ipv6AddressCount",
		"Ipv6Addresses",
		"AssociateCarrierIpAddress",
		"Ipv4Prefix",
		"Ipv4PrefixCount",
		"Ipv6Prefix",
		"Ipv6PrefixCount",
		"PrimaryIpv6",
		"EnaSrdSpecification",
		"ConnectionTrackingSpecification",
		"EnaQueueCount",
	};
	const char *id = query_str(at, "NetworkInterfaceId"),
		   *type = query_str(at, "InterfaceType");

	if (query_u64(at, "DeviceIndex", 0, 64, 0) != 0)
		query_refuse(at, "InvalidParameterValue",
			     "The first network interface must have %sDeviceIndex=0", at->prefix);
	if (query_u64(at, "NetworkCardIndex", 0, 64, 0) != 0)
		query_refuse(at, "InvalidParameterValue",
			     "Instance types here have one network card");
	if (type && strcmp(type, "interface") != 0)
		query_refuse(at, "UnsupportedOperation", "%sInterfaceType=%.32s is not supported",
			     at->prefix, type);
	if (query_bool(at, "AssociatePublicIpAddress", false))
		query_refuse(at, "UnsupportedOperation",
			     "%sAssociatePublicIpAddress is not supported: there are no public "
			     "addresses yet",
			     at->prefix);
	for (size_t k = 0; k < ARRAY_SIZE(absent); k++)
		query_unsupported(at, absent[k], NULL);
	if (id)
		interface_there(at, q, id);
	else
		interface_new(c, at, q, n);
}

static void interfaces_read(struct ec2_call *c, struct core_launch *q, struct run_network *n)
{
	static const char *const alone[] = { "SubnetId", "SecurityGroupId", "SecurityGroup",
					     "PrivateIpAddress" };
	struct query_at at;
	unsigned k = 0, cnt = 0;

	for (size_t j = 0; j < ARRAY_SIZE(alone); j++)
		if (query_any(&c->in, alone[j]))
			query_refuse(&c->in, "InvalidParameterCombination",
				     "Network interfaces and an instance-level %s may not be "
				     "specified on the same request",
				     alone[j]);
	while (query_next(&c->in, "NetworkInterface", &k, &at)) {
		if (cnt++ > 0) {
			query_refuse(&at, "UnsupportedOperation",
				     "%s: an instance can be launched with one network interface "
				     "so far",
				     at.prefix);
			return;
		}
		interface_read(c, &at, q, n);
	}
}

int run_network_read(struct ec2_call *c, struct core_launch *q, struct run_network *n)
{
	if (query_any(&c->in, "NetworkInterface")) {
		interfaces_read(c, q, n);
	} else {
		q->subnet_id = query_str(&c->in, "SubnetId");
		q->private_ip = query_str(&c->in, "PrivateIpAddress");
		groups_read(c, &c->in, "SecurityGroupId", n);
		names_read(c, q, n);
	}
	if (q->private_ip && q->max > 1)
		query_refuse(&c->in, "InvalidParameterCombination",
			     "A private address can be given to one instance only");
	q->group_id = n->group_id;
	q->group_cnt = n->group_cnt;
	return query_failed(&c->q) ? -EINVAL : 0;
}
