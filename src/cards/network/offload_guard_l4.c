/* SPDX-License-Identifier: Apache-2.0 */

#include "cards/network/offload_priv.h"
#include "vpc/vpc.h"

bool offload_guard_l4(const struct offload_req *q, size_t hdr_len)
{
	size_t at = (size_t)q->l3_off + q->l3_len;

	return at + (q->tcp ? TCP_BYTES : UDP_BYTES) <= hdr_len;
}
