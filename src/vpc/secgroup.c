/* SPDX-License-Identifier: Apache-2.0 */

#include "vpc/secgroup.h"

static bool ports_match(const struct vpc_rule *r, const struct frame *f)
{
	switch (f->proto) {
	case IP_TCP:
	case IP_UDP:
		return f->dport >= r->port_min && f->dport <= r->port_max;
	case IP_ICMP:
		return (r->port_min == VPC_PORT_ALL || r->port_min == f->icmp_type) &&
		       (r->port_max == VPC_PORT_ALL || r->port_max == f->icmp_code);
	default:
		return true;
	}
}

bool secgroup_allows(const struct secgroup *g, enum vpc_direction dir, const struct frame *f)
{
	const struct vpc_addr remote = dir == VPC_TX ? frame_dst(f) : frame_src(f);
	size_t i;

	for (i = 0; i < g->cnt[dir]; i++) {
		const struct vpc_rule *r = &g->rule[dir][i];

		if (r->proto != VPC_PROTO_ALL && (r->proto != f->proto || !ports_match(r, f)))
			continue;
		if (vpc_addr_in(&remote, &r->addr, r->prefix))
			return true;
	}
	return false;
}
