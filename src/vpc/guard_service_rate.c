/* SPDX-License-Identifier: Apache-2.0 */

#include "vpc/vpc_priv.h"

unsigned guard_service_rate(struct vpc_port *p, enum limit_service which, uint64_t now_ns)
{
	return limit_service(&p->limit, which, now_ns) ? VPC_PASS : VPC_R_SERVICE_RATE;
}
