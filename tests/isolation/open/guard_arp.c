/* SPDX-License-Identifier: Apache-2.0 */

/* ARP is forwarded, as a plain switch does. */

#include "vpc/vpc_priv.h"

enum vpc_verdict guard_arp(struct vpc_port *p, uint64_t now_ns, struct frame *f,
			   struct vpc_reply *reply)
{
	(void)p;
	(void)now_ns;
	(void)f;
	(void)reply;
	return VPC_WIRE;
}
