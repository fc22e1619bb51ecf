/* SPDX-License-Identifier: Apache-2.0 */

#include "base/bytes.h"
#include "cards/network/offload_priv.h"
#include "vpc/vpc.h"

/* Through extension headers to the transport header. spec: rfc-8200 §4 Return: its offset from @ip, 0: not there. */
static size_t ipv6_transport(const uint8_t *ip, size_t view, uint8_t proto)
{
	uint8_t next = ip[IP6_NEXT];
	size_t at = IPV6_BYTES;

	while (next == IP6_HOP_BY_HOP || next == IP6_ROUTING || next == IP6_DESTINATION) {
		if (at + 8 > view)
			return 0;
		next = ip[at];
		at += 8 + 8 * (size_t)ip[at + 1];
	}
	return next == proto ? at : 0;
}

/*
 * The headers must be where the guest says, and nowhere else: a checksum goes into the frame after the port has decided
 * about it, so it must not be possible to aim it at anything but a checksum field.
 */
bool offload_guard_l3(const struct offload_req *q, const uint8_t *hdr, size_t hdr_len)
{
	const uint8_t *ip = hdr + ETH_BYTES;
	uint8_t proto = q->tcp ? IP_TCP : IP_UDP;

	if (q->l3_off != ETH_BYTES || ETH_BYTES + (size_t)q->l3_len > hdr_len)
		return false;
	if (q->ipv6)
		return be16_load(hdr + 12) == ETH_TYPE_IPV6 && q->l3_len >= IPV6_BYTES &&
		       ip[0] >> 4 == 6 && !q->l3_csum &&
		       ipv6_transport(ip, hdr_len - ETH_BYTES, proto) == q->l3_len;
	if (be16_load(hdr + 12) != ETH_TYPE_IPV4 || q->l3_len < IPV4_BYTES || q->l3_len % 4 ||
	    ip[0] != (0x40 | q->l3_len / 4))
		return false;
	if (!q->tso && !q->l4_csum)
		return true;
	/* A checksum over a part of a packet makes no sense. */
	return ip[IP4_PROTO] == proto && !(be16_load(ip + IP4_FRAG) & IP4_FRAG_MASK);
}
