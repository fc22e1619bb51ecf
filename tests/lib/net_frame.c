/* SPDX-License-Identifier: Apache-2.0 */
#include "net_frame.h"

#include <string.h>

void net_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

void net_put32(uint8_t *p, uint32_t v)
{
	net_put16(p, (uint16_t)(v >> 16));
	net_put16(p + 2, (uint16_t)v);
}

void net_eth(struct net_frame *f, const uint8_t dst[6], const uint8_t src[6], uint16_t type)
{
	memset(f->b, 0, sizeof(f->b));
	memcpy(f->b, dst, 6);
	memcpy(f->b + 6, src, 6);
	net_put16(f->b + 12, type);
	f->len = 14;
}

void net_ip_fix(struct net_frame *f)
{
	uint8_t *ip = f->b + 14;
	unsigned i, n = (ip[0] & 15u) * 4;
	uint32_t sum = 0;

	net_put16(ip + 10, 0);
	for (i = 0; i < n; i += 2)
		sum += (uint32_t)ip[i] << 8 | ip[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	net_put16(ip + 10, (uint16_t)~sum);
}

void net_ipv4(struct net_frame *f, uint32_t src, uint32_t dst, uint8_t proto, size_t l4_len)
{
	uint8_t *ip = f->b + 14;

	ip[0] = 0x45;
	net_put16(ip + 2, (uint16_t)(20 + l4_len));
	ip[8] = 64;
	ip[9] = proto;
	net_put32(ip + 12, src);
	net_put32(ip + 16, dst);
	f->len = 34 + l4_len;
	net_ip_fix(f);
}

void net_udp(struct net_frame *f, uint16_t sport, uint16_t dport)
{
	net_put16(f->b + 34, sport);
	net_put16(f->b + 36, dport);
	net_put16(f->b + 38, (uint16_t)(f->len - 34));
}

void net_tcp(struct net_frame *f, uint16_t sport, uint16_t dport, uint8_t flags)
{
	net_put16(f->b + 34, sport);
	net_put16(f->b + 36, dport);
	f->b[46] = 5 << 4;
	f->b[47] = flags;
}

void net_icmp(struct net_frame *f, uint8_t type, uint8_t code, uint16_t id)
{
	f->b[34] = type;
	f->b[35] = code;
	net_put16(f->b + 38, id);
}

void net_quote(struct net_frame *f, const struct net_frame *of)
{
	memcpy(f->b + 42, of->b + 14, 28);
}

void net_frag(struct net_frame *f, uint16_t id, unsigned off, int more)
{
	net_put16(f->b + 18, id);
	net_put16(f->b + 20, (uint16_t)(off / 8 | (more ? 0x2000 : 0)));
	net_ip_fix(f);
}

void net_arp(struct net_frame *f, const uint8_t dst[6], const uint8_t src[6], uint16_t op,
	     const uint8_t sha[6], uint32_t spa, uint32_t tpa)
{
	uint8_t *a = f->b + 14;

	net_eth(f, dst, src, 0x0806);
	memcpy(a, "\x00\x01\x08\x00\x06\x04", 6);
	net_put16(a + 6, op);
	memcpy(a + 8, sha, 6);
	net_put32(a + 14, spa);
	net_put32(a + 24, tpa);
	f->len = 42;
}
