/* SPDX-License-Identifier: Apache-2.0 */

#include "vpc/frame.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/num.h"
#include "vpc/checksum.h"
#include "vpc/vpc.h"

enum {
	ARP_BYTES = 28,
	ETH_TYPE_OLD_QINQ = 0x9100,
	IPV4_EVIL = 0x8000, /* reserved, must be zero */
	IPV4_MF = 0x2000,
	IPV4_OFF_MASK = 0x1fff,
	ICMP_ECHO_REPLY = 0,
	ICMP_ECHO = 8,
};

/* Transport header of @left bytes; a first fragment must carry all of it. */
static enum frame_error parse_l4(struct frame *f, unsigned left)
{
	const enum frame_error cut = f->frag_more ? FRAME_TINY : FRAME_MALFORMED;
	const uint8_t *p = f->h + f->l4;
	unsigned need;

	need = f->proto == IP_TCP    ? TCP_BYTES
	       : f->proto == IP_UDP  ? UDP_BYTES
	       : f->proto == IP_ICMP ? ICMP_BYTES
				     : 0;
	if (left < need)
		return cut;
	if (f->h_len < f->l4 + need)
		return FRAME_MALFORMED;
	f->l4_hdr = (uint8_t)need;
	if (!need)
		return FRAME_OK;

	if (f->proto == IP_ICMP) {
		f->icmp_type = p[0];
		f->icmp_code = p[1];
		if (f->icmp_type == ICMP_ECHO || f->icmp_type == ICMP_ECHO_REPLY)
			f->sport = f->dport = be16_load(p + 4);
		return FRAME_OK;
	}
	f->sport = be16_load(p);
	f->dport = be16_load(p + 2);
	if (f->proto == IP_UDP) {
		unsigned udp_len = be16_load(p + 4);

		return udp_len < UDP_BYTES || (udp_len > left && !f->frag_more) ? FRAME_MALFORMED
										: FRAME_OK;
	}
	f->l4_hdr = (uint8_t)(p[12] >> 4 << 2);
	f->tcp_flags = p[13] & 0x3f;
	if (f->l4_hdr < TCP_BYTES)
		return FRAME_MALFORMED;
	if (f->l4_hdr > left)
		return cut;
	return f->h_len < f->l4 + f->l4_hdr ? FRAME_MALFORMED : FRAME_OK;
}

/* spec: rfc-791 §3.1 */
static enum frame_error parse_ipv4(struct frame *f)
{
	const uint8_t *p = f->h + ETH_BYTES;
	unsigned ihl, payload;
	uint16_t frag;

	if (f->h_len < ETH_BYTES + IPV4_BYTES || p[0] >> 4 != 4)
		return FRAME_MALFORMED;
	ihl = (p[0] & 15u) * 4;
	f->l3_len = be16_load(p + 2);
	if (ihl < IPV4_BYTES || f->l3_len < ihl || f->l3_len > f->len - ETH_BYTES)
		return FRAME_MALFORMED;
	if (ihl != IPV4_BYTES)
		return FRAME_OPTIONS;
	if (checksum_fold(checksum_add(0, p, IPV4_BYTES)) != 0)
		return FRAME_MALFORMED;

	payload = f->l3_len - IPV4_BYTES;
	frag = be16_load(p + 6);
	f->frag_id = be16_load(p + 4);
	f->frag_off = (uint16_t)((frag & IPV4_OFF_MASK) << 3);
	f->frag_more = frag & IPV4_MF;
	if (frag & IPV4_EVIL || p[8] == 0)
		return FRAME_MALFORMED;
	/* A fragment has bytes, multiples of 8 unless it is the last, and ends where a packet may end. */
	if (frame_is_fragment(f) && (!payload || (f->frag_more && payload % 8) ||
				     f->frag_off + payload > UINT16_MAX - IPV4_BYTES))
		return FRAME_MALFORMED;

	f->l3 = ETH_BYTES;
	f->proto = p[9];
	f->src = be32_load(p + 12);
	f->dst = be32_load(p + 16);
	if (f->frag_off)
		return FRAME_OK;
	f->l4 = ETH_BYTES + IPV4_BYTES;
	return parse_l4(f, payload);
}
static_assert(ETH_BYTES + IPV4_BYTES + 60 <= FRAME_HEADERS_MAX,
	      "the longest TCP header lies in the copy");

static enum frame_error parse(struct frame *f)
{
	if (f->h_len < ETH_BYTES || f->len > VPC_FRAME_MAX)
		return FRAME_MALFORMED;
	switch (be16_load(f->h + 12)) {
	case ETH_TYPE_IPV4:
		f->kind = FRAME_IPV4;
		return parse_ipv4(f);
	case ETH_TYPE_ARP:
		f->kind = FRAME_ARP;
		return f->h_len < ETH_BYTES + ARP_BYTES ? FRAME_MALFORMED : FRAME_OK;
	case ETH_TYPE_IPV6:
		return FRAME_IPV6;
	case ETH_TYPE_VLAN:
	case ETH_TYPE_QINQ:
	case ETH_TYPE_OLD_QINQ:
		return FRAME_VLAN;
	default:
		return FRAME_ETHERTYPE;
	}
}

int frame_parse(const void *p, size_t have, size_t len, struct frame *ret,
		enum frame_error *ret_error)
{
	/* Everything but the bytes, which are copied over anyway. */
	memset((uint8_t *)ret + sizeof(ret->h), 0, sizeof(*ret) - sizeof(ret->h));
	ret->h_len = (uint16_t)min_u64(min_u64(have, len), FRAME_HEADERS_MAX);
	ret->len = (uint32_t)min_u64(len, UINT32_MAX);
	memcpy(ret->h, p, ret->h_len);
	*ret_error = parse(ret);
	return *ret_error == FRAME_OK ? 0 : -EPROTO;
}

struct vpc_addr vpc_ipv4(uint32_t host_order)
{
	struct vpc_addr a = { .family = VPC_IPV4 };

	be32_store(a.b, host_order);
	return a;
}

uint32_t vpc_addr_ipv4(const struct vpc_addr *a)
{
	return a->family == VPC_IPV4 ? be32_load(a->b) : 0;
}

struct vpc_addr frame_src(const struct frame *f)
{
	return vpc_ipv4(f->src);
}

struct vpc_addr frame_dst(const struct frame *f)
{
	return vpc_ipv4(f->dst);
}

bool vpc_addr_equal(const struct vpc_addr *a, const struct vpc_addr *b)
{
	return a->family == b->family && memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

bool vpc_addr_in(const struct vpc_addr *a, const struct vpc_addr *block, unsigned prefix)
{
	unsigned bytes = prefix / 8, bits = prefix % 8;

	if (a->family != block->family || prefix > (a->family == VPC_IPV4 ? 32u : 128u))
		return false;
	if (memcmp(a->b, block->b, bytes) != 0)
		return false;
	return !bits || !((a->b[bytes] ^ block->b[bytes]) >> (8 - bits));
}
