/* SPDX-License-Identifier: Apache-2.0 */

#include "vpc/vpc_priv.h"

/* Link-local addresses belong to the card. What is one of its services was taken out before. */
unsigned guard_link_local(const struct vpc_port *p, const struct frame *f)
{
	(void)p;
	return f->dst >> 16 == 0xa9fe || f->src >> 16 == 0xa9fe ? VPC_R_LINK_LOCAL : VPC_PASS;
}
