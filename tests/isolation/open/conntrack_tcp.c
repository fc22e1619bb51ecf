/* SPDX-License-Identifier: Apache-2.0 */

/* Any segment begins a connection, any segment fits. */

#include "vpc/vpc_priv.h"

bool conntrack_tcp_begins(uint8_t flags)
{
	(void)flags;
	return true;
}

int conntrack_tcp(const struct ct_flow *flow, bool from_opener, uint8_t flags)
{
	(void)from_opener;
	(void)flags;
	return flow->state;
}
