/* SPDX-License-Identifier: Apache-2.0 */

#include "vpc/vpc_priv.h"

unsigned guard_dst_addr(const struct vpc_port *p, const struct frame *f)
{
	return !p->conf.source_dest_check || port_has_addr4(p, f->dst) ? VPC_PASS : VPC_R_DST_ADDR;
}
