/* SPDX-License-Identifier: Apache-2.0 */

/* What nobody understands is forwarded, as a plain switch does. */

#include "vpc/vpc_priv.h"

enum vpc_verdict guard_other(struct vpc_port *p, struct frame *f, unsigned why)
{
	(void)p;
	(void)f;
	(void)why;
	return VPC_WIRE;
}
