/* SPDX-License-Identifier: Apache-2.0 */

#include <string.h>

#include "vpc/vpc_priv.h"

static unsigned look_up(const struct vpc_port *p, const struct vpc_addr *dst, uint8_t ret_mac[6])
{
	const struct vpc_route *r = route_find(&p->routes, dst);

	if (!r || r->target == VPC_ROUTE_BLACKHOLE)
		return VPC_R_ROUTE;
	if (r->target == VPC_ROUTE_MAC) {
		memcpy(ret_mac, r->mac, 6);
		return VPC_PASS;
	}
	return vpc_map_find(p->map, p->conf.vni, dst, ret_mac) == 0 ? VPC_PASS : VPC_R_MAPPING;
}

unsigned guard_next_hop(struct vpc_port *p, const struct frame *f, struct ct_flow *flow,
			uint8_t ret_mac[6])
{
	struct vpc_addr dst;
	unsigned why;

	/* What a flow's packets found before still holds if nothing changed since. */
	if (flow && flow->hop_route_gen == p->route_gen &&
	    flow->hop_map_gen == vpc_map_gen(p->map) && flow->hop_route_gen) {
		memcpy(ret_mac, flow->hop_mac, 6);
		return VPC_PASS;
	}
	dst = frame_dst(f);
	why = look_up(p, &dst, ret_mac);
	if (why == VPC_PASS && flow) {
		flow->hop_route_gen = p->route_gen;
		flow->hop_map_gen = vpc_map_gen(p->map);
		memcpy(flow->hop_mac, ret_mac, 6);
	}
	return why;
}
