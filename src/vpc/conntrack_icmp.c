/* SPDX-License-Identifier: Apache-2.0 */

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "vpc/conntrack.h"

enum { QUOTED_BYTES = 8 };

enum ct_icmp conntrack_icmp(uint8_t type)
{
	switch (type) {
	case 8:
		return CT_ICMP_ASK;
	case 0:
		return CT_ICMP_ANSWER;
	case 3:  /* unreachable, also "fragmentation needed" */
	case 11: /* time exceeded */
	case 12: /* parameter problem */
		return CT_ICMP_ERROR;
	default: /* redirects among others */
		return CT_ICMP_OTHER;
	}
}

/* The quoted packet went the other way: what came in quotes what the guest sent. spec: rfc-792 */
int conntrack_quote(enum vpc_direction dir, const struct frame *f, struct ct_key *ret)
{
	const uint8_t *ip = f->h + f->l4 + ICMP_BYTES;
	const uint8_t *l4 = ip + IPV4_BYTES;
	unsigned from_local = dir == VPC_RX;
	const unsigned end = f->l4 + ICMP_BYTES + IPV4_BYTES + QUOTED_BYTES;

	/* Whole in the copy and in the packet. A first fragment has what is needed; a later one has not. */
	if (end > f->h_len || end > (unsigned)f->l3 + f->l3_len || frame_is_fragment(f))
		return -EPROTO;
	if (ip[0] != 0x45 || be16_load(ip + 2) < IPV4_BYTES + QUOTED_BYTES ||
	    be16_load(ip + 6) & 0x1fff)
		return -EPROTO;
	/* It was sent by whom this error is for. */
	if (be32_load(ip + 12) != f->dst)
		return -EPROTO;

	*ret = (struct ct_key){ .family = VPC_IPV4, .proto = ip[9] };
	memcpy(from_local ? ret->local : ret->remote, ip + 12, 4);
	memcpy(from_local ? ret->remote : ret->local, ip + 16, 4);
	if (ret->proto == IP_TCP || ret->proto == IP_UDP) {
		ret->lport = be16_load(l4 + (from_local ? 0 : 2));
		ret->rport = be16_load(l4 + (from_local ? 2 : 0));
	} else if (ret->proto == IP_ICMP) {
		enum ct_icmp kind = conntrack_icmp(l4[0]);

		if (kind != CT_ICMP_ASK && kind != CT_ICMP_ANSWER)
			return -EPROTO;
		ret->lport = be16_load(l4 + 4);
		ret->rport = (kind == CT_ICMP_ASK) == (from_local != 0);
	}
	return 0;
}
