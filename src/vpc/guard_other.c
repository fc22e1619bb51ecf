/* SPDX-License-Identifier: Apache-2.0 */

#include "vpc/vpc_priv.h"

enum vpc_verdict guard_other(struct vpc_port *p, struct frame *f, unsigned why)
{
	(void)f;
	p->counters.drop[VPC_TX][why]++;
	return VPC_DROP;
}
