/* SPDX-License-Identifier: Apache-2.0 */

/* Every ICMP message is a question. */

#include <errno.h>

#include "vpc/vpc_priv.h"

enum ct_icmp conntrack_icmp(uint8_t type)
{
	(void)type;
	return CT_ICMP_ASK;
}

int conntrack_quote(enum vpc_direction dir, const struct frame *f, struct ct_key *ret)
{
	(void)dir;
	(void)f;
	(void)ret;
	return -EPROTO;
}
