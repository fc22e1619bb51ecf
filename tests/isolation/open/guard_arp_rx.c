/* SPDX-License-Identifier: Apache-2.0 */

/* ARP reaches the guest, whoever sent it. */

#include "vpc/vpc_priv.h"

enum vpc_verdict guard_arp_rx(struct vpc_port *p, const struct frame *f)
{
	(void)p;
	(void)f;
	return VPC_GUEST;
}
