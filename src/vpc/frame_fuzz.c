/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The frame parser. Input: how many bytes of the frame are in reach (1 byte), the frame. Asserted: what it says agrees
 * with a second reading of the same bytes, written plainly; offsets stay inside the copy and inside the packet; it makes no
 * difference how much more than the headers is in reach.
 */

#include <errno.h>
#include <string.h>

#include "base/num.h"
#include "vpc/vpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned u16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static uint32_t u32(const uint8_t *p)
{
	return (uint32_t)u16(p) << 16 | u16(p + 2);
}

/* Plain sum of an IPv4 header of 20 bytes. */
static bool sum_ok(const uint8_t *p)
{
	uint32_t sum = 0;
	unsigned i;

	for (i = 0; i < 20; i += 2)
		sum += u16(p + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

static void ipv4_check(const uint8_t *p, size_t len, const struct frame *f)
{
	const uint8_t *ip = p + 14, *l4 = p + 34;
	unsigned total = u16(ip + 2), off = u16(ip + 6), payload = total - 20;

	must(len >= 34 && ip[0] == 0x45 && total >= 20 && total <= len - 14 && ip[8] && sum_ok(ip));
	must(!(off & 0x8000) && f->l3 == 14 && f->l3_len == total && f->proto == ip[9]);
	must(f->src == u32(ip + 12) && f->dst == u32(ip + 16) && f->frag_id == u16(ip + 4));
	must(f->frag_off == (off & 0x1fff) * 8 && f->frag_more == ((off & 0x2000) != 0));
	if (off & 0x3fff)
		must(payload > 0 && f->frag_off + payload <= 65515 &&
		     (!f->frag_more || payload % 8 == 0));
	if (f->frag_off) {
		must(!f->l4 && !f->sport && !f->dport && !f->tcp_flags);
		return;
	}
	must(f->l4 == 34 && f->l4_hdr <= payload && f->l4 + f->l4_hdr <= f->h_len);
	if (f->proto == IP_TCP)
		must(f->l4_hdr == (l4[12] >> 4) * 4 && f->l4_hdr >= 20 && f->sport == u16(l4) &&
		     f->dport == u16(l4 + 2) && f->tcp_flags == (l4[13] & 63));
	if (f->proto == IP_UDP)
		must(f->l4_hdr == 8 && f->sport == u16(l4) && f->dport == u16(l4 + 2) &&
		     u16(l4 + 4) >= 8 && (f->frag_more || u16(l4 + 4) <= payload));
	if (f->proto == IP_ICMP)
		must(f->l4_hdr == 8 && f->icmp_type == l4[0] && f->icmp_code == l4[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame f, g;
	enum frame_error e, e2;
	size_t have;
	int r;

	if (size < 1)
		return 0;
	have = min_u64(data[0], size - 1);
	data++;
	size--;
	r = frame_parse(data, have, size, &f, &e);
	must((r == 0 && e == FRAME_OK) || (r == -EPROTO && e != FRAME_OK));
	must(f.h_len <= have && f.h_len <= FRAME_HEADERS_MAX && memcmp(f.h, data, f.h_len) == 0);
	if (r == 0) {
		must(f.kind == FRAME_IPV4 || f.kind == FRAME_ARP);
		must(u16(data + 12) == (f.kind == FRAME_ARP ? 0x0806 : 0x0800));
		if (f.kind == FRAME_IPV4)
			ipv4_check(data, size, &f);
		/* With more in reach it is the same frame. */
		must(frame_parse(data, size, size, &g, &e2) == 0);
		must(g.proto == f.proto && g.l4 == f.l4 && g.l4_hdr == f.l4_hdr &&
		     g.dport == f.dport);
	} else if (have == size && e == FRAME_MALFORMED && size >= 14) {
		must(u16(data + 12) == 0x0800 || u16(data + 12) == 0x0806 || size > VPC_FRAME_MAX);
	}
	return 0;
}
