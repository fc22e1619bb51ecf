/* SPDX-License-Identifier: Apache-2.0 */

#include "vpc/vpc_priv.h"

/* A network without flooding has no broadcast and, for now, no multicast. */
unsigned guard_unicast(const struct vpc_port *p, const struct frame *f)
{
	uint32_t top = f->dst >> 24;

	if (frame_dst_mac(f)[0] & 1 || top >= 224 || f->dst == p->broadcast4)
		return VPC_R_MULTICAST;
	return top == 0 || top == 127 ? VPC_R_DST_ADDR : VPC_PASS;
}
