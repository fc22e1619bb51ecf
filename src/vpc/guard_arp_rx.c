/* SPDX-License-Identifier: Apache-2.0 */

#include "vpc/vpc_priv.h"

enum vpc_verdict guard_arp_rx(struct vpc_port *p, const struct frame *f)
{
	(void)f;
	p->counters.drop[VPC_RX][VPC_R_ARP]++;
	return VPC_DROP;
}
