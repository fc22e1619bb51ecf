/* SPDX-License-Identifier: Apache-2.0 */

/* A packet is any row of descriptors. */

#include "cards/network/ena_priv.h"

bool ena_guard_chain(const struct ena_pkt *p, uint32_t w0)
{
	(void)p;
	(void)w0;
	return true;
}
