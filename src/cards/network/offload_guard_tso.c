/* SPDX-License-Identifier: Apache-2.0 */

#include "cards/network/offload_priv.h"
#include "vpc/vpc.h"

bool offload_guard_tso(const struct offload_req *q, const uint8_t *hdr, size_t len,
		       size_t frame_max)
{
	size_t need = offload_hdr_need(q), l4_off = (size_t)q->l3_off + q->l3_len;

	return q->tcp && q->l4_words >= TCP_BYTES / 4 &&
	       hdr[l4_off + TCP_DOFF] >> 4 == q->l4_words && len > need &&
	       q->mss >= OFFLOAD_MSS_MIN && need + q->mss <= frame_max;
}
