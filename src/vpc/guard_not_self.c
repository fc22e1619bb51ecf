/* SPDX-License-Identifier: Apache-2.0 */

#include "vpc/vpc_priv.h"

unsigned guard_not_self(const struct vpc_port *p, const struct frame *f)
{
	uint32_t top = f->src >> 24;

	return port_has_addr4(p, f->src) || top == 0 || top == 127 || top >= 224 ? VPC_R_SRC_ADDR
										 : VPC_PASS;
}
