/* SPDX-License-Identifier: Apache-2.0 */

#include "vpc/vpc_priv.h"

enum { DHCP_SERVER = 67, DHCP_CLIENT = 68 };

unsigned guard_dhcp(const struct vpc_port *p, const struct frame *f)
{
	(void)p;
	if (f->proto != IP_UDP || !f->l4)
		return VPC_PASS;
	return f->sport == DHCP_SERVER || f->dport == DHCP_SERVER || f->dport == DHCP_CLIENT
		       ? VPC_R_DHCP
		       : VPC_PASS;
}
