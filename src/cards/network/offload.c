/* SPDX-License-Identifier: Apache-2.0 */

/*
 * See offload.h. The arithmetic follows Linux: skb_checksum_help() for checksums alone, tcp_gso_segment() and
 * inet_gso_segment() for segments.
 */

#include "cards/network/offload.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/num.h"
#include "cards/network/offload_priv.h"
#include "vpc/vpc.h"

size_t offload_hdr_need(const struct offload_req *q)
{
	return q->tso ? (size_t)q->l3_off + q->l3_len + 4 * (size_t)q->l4_words : 0;
}

/* The whole checksum is asked for: padding must not be in it, so the IP header's length must be the frame's. */
static bool length_fits(const struct offload_req *q, const uint8_t *ip, size_t len)
{
	size_t said =
		q->ipv6 ? (size_t)IPV6_BYTES + be16_load(ip + IP6_LEN) : be16_load(ip + IP4_LEN);

	return said == len - q->l3_off;
}

static void plan_tso(const struct offload_req *q, size_t len, struct offload_plan *p)
{
	size_t need = offload_hdr_need(q);

	p->hdr_len = (uint16_t)need;
	p->mss = q->mss;
	p->payload_len = (uint32_t)(len - need);
	p->seg_cnt = (p->payload_len + q->mss - 1) / q->mss;
	p->l4_csum = true;
	p->l4_partial = false;
	p->l3_csum = !q->ipv6;
}

int offload_plan(const struct offload_req *q, const uint8_t *hdr, size_t hdr_len, size_t len,
		 size_t frame_max, struct offload_plan *ret)
{
	size_t l4_off = (size_t)q->l3_off + q->l3_len;
	struct offload_plan p = { .seg_cnt = 1 };

	if (!q->tso && len > frame_max)
		return -EPROTO;
	if (!q->tso && !q->l3_csum && !q->l4_csum) {
		*ret = p;
		return 0;
	}
	if (!offload_guard_l3(q, hdr, hdr_len))
		return -EPROTO;
	if ((q->tso || q->l4_csum) && !offload_guard_l4(q, hdr_len))
		return -EPROTO;
	if (q->tso && (offload_hdr_need(q) > hdr_len || !offload_guard_tso(q, hdr, len, frame_max)))
		return -EPROTO;
	if (!q->tso && q->l4_csum && !q->l4_partial && !length_fits(q, hdr + q->l3_off, len))
		return -EPROTO;

	p.tso = q->tso;
	p.l3_csum = q->l3_csum;
	p.l4_csum = q->l4_csum;
	p.l4_partial = q->l4_partial;
	p.ipv6 = q->ipv6;
	p.proto = q->tcp ? IP_TCP : IP_UDP;
	p.l3_off = q->l3_off;
	p.l4_off = (uint16_t)l4_off;
	p.check_off = (uint16_t)(l4_off + (q->tcp ? TCP_CHECK : UDP_CHECK));
	if (q->tso)
		plan_tso(q, len, &p);
	*ret = p;
	return 0;
}

static void ipv4_check(uint8_t *ip)
{
	size_t len = (size_t)(ip[0] & 15) * 4;

	be16_store(ip + IP4_CHECK, 0);
	be16_store(ip + IP4_CHECK, checksum_fold(checksum_add(0, ip, len)));
}

size_t offload_headers(const struct offload_plan *p, const uint8_t *orig, uint32_t idx,
		       uint8_t *hdr)
{
	uint32_t done = idx * p->mss;
	size_t payload = (size_t)min_u64(p->mss, p->payload_len - done);
	uint8_t *ip = hdr + p->l3_off, *tcp = hdr + p->l4_off;

	memcpy(hdr, orig, p->hdr_len);
	if (p->ipv6) {
		be16_store(ip + IP6_LEN, (uint16_t)(p->hdr_len - p->l3_off + payload - IPV6_BYTES));
	} else {
		be16_store(ip + IP4_LEN, (uint16_t)(p->hdr_len - p->l3_off + payload));
		be16_store(ip + IP4_ID, (uint16_t)(be16_load(ip + IP4_ID) + idx));
		ipv4_check(ip);
	}
	be32_store(tcp + TCP_SEQ, be32_load(tcp + TCP_SEQ) + done);
	if (idx + 1 < p->seg_cnt)
		tcp[TCP_FLAGS] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	if (idx)
		tcp[TCP_FLAGS] &= (uint8_t)~TCP_CWR;
	be16_store(tcp + TCP_CHECK, 0);
	return payload;
}

void offload_prepare(const struct offload_plan *p, uint8_t *hdr)
{
	if (p->l3_csum)
		ipv4_check(hdr + p->l3_off);
	if (p->l4_csum && !p->l4_partial)
		be16_store(hdr + p->check_off, 0);
}

/*
 * checksum_add() for payload: four sums of 32-bit words in 64-bit lanes, twice as fast as a chain of carries. Byte order
 * does not matter until the end. spec: rfc-1071 §2
 */
static uint64_t payload_add(uint64_t sum, const uint8_t *p, size_t len)
{
	typedef uint64_t lanes __attribute__((vector_size(16)));
	const lanes low = { 0xffffffff, 0xffffffff };
	lanes a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 }, v[4];
	uint64_t words;

	for (; len >= sizeof(v); p += sizeof(v), len -= sizeof(v)) {
		memcpy(v, p, sizeof(v));
		a += v[0] & low;
		b += v[0] >> 32;
		c += v[1] & low;
		d += v[1] >> 32;
		a += v[2] & low;
		b += v[2] >> 32;
		c += v[3] & low;
		d += v[3] >> 32;
	}
	a += b + c + d;
	words = a[0] + a[1];
	words = (words & 0xffffffff) + (words >> 32);
	words = (words & 0xffff) + (words >> 16);
	words = (words & 0xffff) + (words >> 16);
	words = (words & 0xffff) + (words >> 16);
	return checksum_add(sum + be16toh((uint16_t)words), p, len);
}

static uint64_t pseudo(bool ipv6, const uint8_t *ip, uint8_t proto, size_t l4_len)
{
	/* Both forms add up to: addresses, protocol, length. spec: rfc-8200 §8.1 */
	uint64_t sum = ipv6 ? checksum_add(0, ip + IP6_SRC, 32) : checksum_add(0, ip + IP4_SRC, 8);

	return sum + proto + (l4_len >> 16) + (l4_len & 0xffff);
}

void offload_l4(const struct offload_plan *p, const uint8_t *hdr, size_t hdr_len, uint8_t *frame,
		size_t len)
{
	/* Both parts begin at an even distance from the L4 header. */
	size_t split = hdr_len - ((hdr_len - p->l4_off) & (hdr_len < len));
	uint64_t sum =
		p->l4_partial ? 0 : pseudo(p->ipv6, hdr + p->l3_off, p->proto, len - p->l4_off);
	uint16_t check;

	sum = checksum_add(sum, hdr + p->l4_off, split - p->l4_off);
	check = checksum_fold(payload_add(sum, frame + split, len - split));
	/* As skb_checksum_help(): zero would mean "none" to UDP, and both zeroes are one. */
	if (!check && (p->l4_partial || p->proto == IP_UDP))
		check = 0xffff;
	be16_store(frame + p->check_off, check);
}

/* ---- towards the guest ---- */

static void l4_classify(struct offload_class *c, uint8_t proto, size_t hdr_len)
{
	size_t view = hdr_len - c->l4_off;

	c->tcp = proto == IP_TCP && c->l4_len >= TCP_BYTES && view >= TCP_BYTES;
	c->udp = proto == IP_UDP && c->l4_len >= UDP_BYTES && view >= UDP_BYTES;
}

static void classify4(struct offload_class *c, const uint8_t *hdr, size_t hdr_len, size_t len)
{
	const uint8_t *ip = hdr + ETH_BYTES;
	size_t ihl = (size_t)(ip[0] & 15) * 4, total;

	if (hdr_len < ETH_BYTES + IPV4_BYTES || ip[0] >> 4 != 4 || ihl < IPV4_BYTES ||
	    ETH_BYTES + ihl > hdr_len)
		return;
	total = be16_load(ip + IP4_LEN);
	if (total < ihl || total > len - ETH_BYTES)
		return;
	c->ipv4 = true;
	c->l3_bad = checksum_fold(checksum_add(0, ip, ihl)) != 0;
	c->l4_off = (uint16_t)(ETH_BYTES + ihl);
	c->l4_len = (uint16_t)(total - ihl);
	c->frag = be16_load(ip + IP4_FRAG) & IP4_FRAG_MASK;
	if (!c->frag)
		l4_classify(c, ip[IP4_PROTO], hdr_len);
}

static void classify6(struct offload_class *c, const uint8_t *hdr, size_t hdr_len, size_t len)
{
	const uint8_t *ip = hdr + ETH_BYTES;
	size_t payload;

	if (hdr_len < ETH_BYTES + IPV6_BYTES || ip[0] >> 4 != 6)
		return;
	payload = be16_load(ip + IP6_LEN);
	if (payload > len - ETH_BYTES - IPV6_BYTES)
		return;
	c->ipv6 = true;
	c->l4_off = ETH_BYTES + IPV6_BYTES;
	c->l4_len = (uint16_t)payload;
	c->frag = ip[IP6_NEXT] == IP6_FRAGMENT;
	l4_classify(c, ip[IP6_NEXT], hdr_len);
}

void offload_classify(const uint8_t *hdr, size_t hdr_len, size_t len, struct offload_class *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->l3_off = ETH_BYTES;
	if (hdr_len <= ETH_BYTES)
		return;
	if (be16_load(hdr + 12) == ETH_TYPE_IPV4)
		classify4(ret, hdr, hdr_len, len);
	else if (be16_load(hdr + 12) == ETH_TYPE_IPV6)
		classify6(ret, hdr, hdr_len, len);
}

bool offload_verify(const struct offload_class *c, const uint8_t *hdr, size_t hdr_len,
		    const uint8_t *rest)
{
	const uint8_t *ip = hdr + c->l3_off;
	size_t here = (size_t)min_u64(c->l4_len, hdr_len - c->l4_off), left = c->l4_len - here;
	uint8_t odd[2] = { 0 };
	uint64_t sum;

	if (c->udp && c->ipv4 && be16_load(hdr + c->l4_off + UDP_CHECK) == 0)
		return true; /* the sender made none */
	sum = pseudo(c->ipv6, ip, c->tcp ? IP_TCP : IP_UDP, c->l4_len);
	if (left && here % 2) {
		/* One word lies in both parts. */
		odd[0] = hdr[c->l4_off + --here];
		odd[1] = *rest++;
		left--;
		sum = checksum_add(sum, odd, 2);
	}
	sum = checksum_add(sum, hdr + c->l4_off, here);
	return checksum_fold(payload_add(sum, rest, left)) == 0;
}
