/* SPDX-License-Identifier: Apache-2.0 */

/* Services without end. */

#include "vpc/vpc_priv.h"

unsigned guard_service_rate(struct vpc_port *p, enum limit_service which, uint64_t now_ns)
{
	(void)p;
	(void)which;
	(void)now_ns;
	return VPC_PASS;
}
