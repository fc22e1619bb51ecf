/* SPDX-License-Identifier: Apache-2.0 */

/* Headers are wherever the guest says. */

#include "cards/network/offload_priv.h"

bool offload_guard_l3(const struct offload_req *q, const uint8_t *hdr, size_t hdr_len)
{
	(void)q;
	(void)hdr;
	(void)hdr_len;
	return true;
}
