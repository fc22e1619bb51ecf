/* SPDX-License-Identifier: Apache-2.0 */

#include "vpc/vpc_priv.h"

/* An instance that routes or translates has the check switched off; no address of this host or of everybody even then. */
unsigned guard_src_addr(const struct vpc_port *p, const struct frame *f)
{
	uint32_t top = f->src >> 24;

	if (port_has_addr4(p, f->src))
		return VPC_PASS;
	if (p->conf.source_dest_check || top == 0 || top == 127 || top >= 224 ||
	    f->src >> 16 == 0xa9fe)
		return VPC_R_SRC_ADDR;
	return VPC_PASS;
}
