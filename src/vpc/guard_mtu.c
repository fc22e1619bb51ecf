/* SPDX-License-Identifier: Apache-2.0 */

#include "vpc/vpc_priv.h"

unsigned guard_mtu(const struct vpc_port *p, const struct frame *f)
{
	return f->len <= (uint32_t)p->conf.mtu + ETH_BYTES ? VPC_PASS : VPC_R_MTU;
}
