/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Rules of security groups as requests and answers have them (permissions.c). */

#include "controller/ec2/networks.h"

enum { PERMISSIONS_MAX = 4 * NET_RULES_MAX }; /* rules one request may name */

struct rule_list {
	struct group_rule rule[PERMISSIONS_MAX]; /* without ids */
	size_t cnt;
	bool impossible; /* one of them can be in no group here: IPv6, a prefix list */
};

/**
 * ec2_read_permissions() - IpPermissions.N, and the old flat members, as rules of @g
 * @exist: they are looked for, not made: what cannot be here is then @impossible, not refused
 * What is wrong is in the query's fault.
 */
void ec2_read_permissions(struct ec2_call *c, const struct group *g, bool egress, bool exist,
			  struct rule_list *ret);
/* ec2_read_rule(): the members of a SecurityGroupRuleRequest into @rule; its group and direction stay. */
void ec2_read_rule(struct ec2_call *c, const struct query_at *at, const struct group *g,
		   struct group_rule *rule);
/* ec2_protocol(): "tcp", "-1", "50". */
const char *ec2_protocol(const struct group_rule *r, char buf[8]);
/* ec2_ports(): from and to as EC2 says them, -1 is any. Return: false: the protocol has none. */
bool ec2_ports(const struct group_rule *r, int *ret_from, int *ret_to);
/* ec2_permissions_xml(): ipPermissions or ipPermissionsEgress of a group. */
void ec2_permissions_xml(struct ec2_call *c, const struct group *g, bool egress);
/* ec2_rule_xml(): the members of a securityGroupRuleSet item. */
void ec2_rule_xml(struct ec2_call *c, const struct group_rule *r, const char *account);
