/* SPDX-License-Identifier: Apache-2.0 */

#include <errno.h>

#include "vpc/secgroup.h"

static bool valid(const struct vpc_rule *r)
{
	if (r->addr.family != VPC_IPV4 && r->addr.family != VPC_IPV6)
		return false;
	if (r->prefix > (r->addr.family == VPC_IPV4 ? 32 : 128))
		return false;
	if (r->proto == IP_TCP || r->proto == IP_UDP)
		return r->port_min <= r->port_max;
	return true;
}

int secgroup_set(struct secgroup *g, const struct vpc_rule *rule, size_t cnt)
{
	size_t i;

	if (cnt > VPC_RULES_MAX)
		return -EINVAL;
	for (i = 0; i < cnt; i++)
		if (!valid(&rule[i]))
			return -EINVAL;

	g->cnt[VPC_TX] = g->cnt[VPC_RX] = 0;
	for (i = 0; i < cnt; i++) {
		enum vpc_direction dir = rule[i].egress ? VPC_TX : VPC_RX;

		g->rule[dir][g->cnt[dir]++] = rule[i];
	}
	return 0;
}
