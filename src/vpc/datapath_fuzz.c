/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The datapath, both directions, many frames. Input: steps of
 *   u8 which   frame to begin with (bits 0-3), from the network (bit 4), a minute passes (bit 5), repair the IPv4
 *              checksum (bit 6)
 *   u8 n       edits, n times: u8 offset, u8 value (offset is taken modulo the frame's length, at most 255)
 * Asserted, by a second look at the bytes: what goes to the wire comes from the guest's own MAC and address, goes to the
 * MAC that its destination has, to one receiver, and is otherwise unchanged; what goes to the guest is for it, and not
 * from itself; a TCP segment that is no SYN follows a SYN that passed; what no rule lets in follows what went out. The table
 * of flows stays within its bounds.
 */

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/num.h"
#include "net_frame.h"
#include "vpc/vpc.h"

#define US NET_IP(172, 31, 0, 5)
#define PEER NET_IP(172, 31, 0, 6)
#define OUTSIDE NET_IP(8, 8, 8, 8)
#define ROUTER NET_IP(172, 31, 0, 1)

enum { VNI = 7, FLOWS = 16, SEEN = 4096, BASES = 13, MINUTE = 60 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t mac[6] = { 6, 1, 1, 1, 1, 5 }, peer_mac[6] = { 6, 1, 1, 1, 1, 6 },
		     igw_mac[6] = { 6, 9, 9, 9, 9, 9 };
static const uint8_t all[6] = { 255, 255, 255, 255, 255, 255 };
static uint8_t router_mac[6];
static struct net_frame in;

/* Tuples of packets that passed: a filter without false negatives, one bit each. */
static uint8_t syn_seen[SEEN], out_seen[SEEN];

static struct vpc_port *port_new(void)
{
	static const uint8_t seed[16] = { 1 };
	static struct vpc_map *m; /* where LeakSanitizer looks */
	struct vpc_port *p;
	struct vpc_addr peer = vpc_ipv4(PEER);
	struct vpc_rule rule[2] = { { .egress = true, .proto = VPC_PROTO_ALL },
				    { .proto = IP_TCP, .port_min = 22, .port_max = 22 } };
	struct vpc_route route[2] = { { .prefix = 16, .target = VPC_ROUTE_LOCAL },
				      { .target = VPC_ROUTE_MAC } };

	vpc_router_mac(VNI, router_mac);
	route[0].addr = vpc_ipv4(NET_IP(172, 31, 0, 0));
	rule[0].addr = rule[1].addr = route[1].addr = vpc_ipv4(0);
	memcpy(route[1].mac, igw_mac, 6);
	must(vpc_map_new(4, seed, &m) == 0);
	must(vpc_map_add(m, VNI, &peer, peer_mac) == 0 &&
	     vpc_map_add(m, VNI + 1, &peer, peer_mac) == 0);
	must(vpc_port_new(m, seed, &p) == 0);
	must(vpc_port_rules_set(p, rule, 2) == 0 && vpc_port_routes_set(p, route, 2) == 0);
	return p;
}

/* A port without a past: an hour later and in another network nothing of before is left. */
static struct vpc_port *port_fresh(uint64_t *ret_now)
{
	static struct vpc_port *p;
	static uint64_t hour;
	struct vpc_interface c = { .mtu = 1500,
				   .source_dest_check = true,
				   .vpc_prefix = 16,
				   .subnet_prefix = 20,
				   .conntrack_max = FLOWS,
				   .addr_cnt = 1 };

	if (!p)
		p = port_new();
	*ret_now = ++hour % 1000000 * 3600 * 1000000000;
	c.vni = VNI + hour % 2;
	memcpy(c.mac, mac, 6);
	c.vpc = c.subnet = vpc_ipv4(NET_IP(172, 31, 0, 0));
	c.addr[0] = vpc_ipv4(US);
	must(vpc_port_set(p, &c, *ret_now) == 0 && vpc_port_counters(p)->flows == 0);
	return p;
}

static void base_udp(uint32_t src, uint32_t dst, uint16_t sport, uint16_t dport)
{
	net_ipv4(&in, src, dst, IP_UDP, 48);
	net_udp(&in, sport, dport);
}

static void base_tcp(uint32_t src, uint32_t dst, uint16_t sport, uint16_t dport, uint8_t flags)
{
	net_ipv4(&in, src, dst, IP_TCP, 40);
	net_tcp(&in, sport, dport, flags);
}

/* From the guest, or as the answer to that from the network. */
static void base(unsigned which, bool rx)
{
	static struct net_frame q;
	const uint8_t *from = rx ? peer_mac : mac;
	uint32_t src = rx ? PEER : US, dst = rx ? US : PEER;
	uint16_t a = rx ? 80 : 4000, b = rx ? 4000 : 80;
	static const uint8_t flags[] = { TCP_SYN, TCP_SYN | TCP_ACK, TCP_ACK, TCP_FIN | TCP_ACK,
					 TCP_RST };

	net_eth(&in, rx ? mac : router_mac, from, ETH_TYPE_IPV4);
	if (which < 5) {
		base_tcp(src, dst, a, b, flags[which]);
	} else if (which == 5) {
		base_tcp(src, dst, 1000, 22, TCP_SYN);
	} else if (which == 6) {
		base_udp(src, dst, a, b);
	} else if (which == 7 || which == 8) {
		base_udp(src, dst, a, b);
		net_frag(&in, 5, which == 7 ? 0 : 48, which == 7);
	} else if (which == 9) {
		net_ipv4(&in, src, dst, IP_ICMP, 36);
		net_icmp(&in, rx ? 0 : 8, 0, 9);
	} else if (which == 10) {
		base_udp(dst, src, b, a); /* what the other side sent */
		q = in;
		net_ipv4(&in, src, dst, IP_ICMP, 36);
		net_icmp(&in, 3, 0, 0);
		net_quote(&in, &q);
	} else if (which == 11) {
		net_arp(&in, all, from, 1, from, src, ROUTER);
	} else {
		base_udp(src, rx ? US : OUTSIDE, a, b);
	}
}

/* ---- the second look ---- */

static unsigned tuple(const uint8_t *b, bool rx)
{
	uint32_t x = be32_load(b + (rx ? 26 : 30)) * 2654435761u ^ b[23];

	if (b[23] != IP_TCP && b[23] != IP_UDP)
		return x >> 20;
	x = (x ^ be16_load(b + (rx ? 36 : 34))) * 2654435761u;
	x = (x ^ be16_load(b + (rx ? 34 : 36))) * 2654435761u;
	return x >> 20;
}
static_assert(SEEN == 1 << 12, "tuple() gives 12 bits");

static bool whole(const uint8_t *b)
{
	return (be16_load(b + 20) & 0x1fff) == 0;
}

static void both_check(bool rx)
{
	const uint8_t *b = in.b;
	uint8_t flags = b[47] & (TCP_SYN | TCP_ACK | TCP_FIN | TCP_RST);
	unsigned t = tuple(b, rx);

	must(be16_load(b + 12) == ETH_TYPE_IPV4 && b[14] == 0x45);
	must(be16_load(b + 16) <= in.len - 14 && b[22] != 0);
	if (!whole(b))
		return;
	if (b[23] == IP_UDP)
		must(be16_load(b + 34) != 67 && be16_load(b + 36) != 67 && be16_load(b + 36) != 68);
	if (b[23] == IP_TCP) {
		must(flags == TCP_SYN || syn_seen[t]);
		syn_seen[t] |= flags == TCP_SYN;
	}
	if (!rx && b[23] != IP_ICMP)
		out_seen[t] = 1;
	/* The only rule lets TCP 22 in. */
	if (rx && b[23] != IP_ICMP && !(b[23] == IP_TCP && be16_load(b + 36) == 22))
		must(out_seen[t]);
	if (b[23] == IP_ICMP)
		must(b[34] == 0 || b[34] == 8 || b[34] == 3 || b[34] == 11 || b[34] == 12);
}

static void wire_check(const struct frame *f)
{
	const uint8_t *b = in.b;
	uint32_t dst = be32_load(b + 30);
	bool local = dst >> 16 == (US >> 16);

	must(memcmp(b + 6, mac, 6) == 0 && be32_load(b + 26) == US && !(b[0] & 1));
	must(memcmp(f->h, local ? peer_mac : igw_mac, 6) == 0 && (!local || dst == PEER));
	must(dst >> 24 != 127 && dst >> 24 < 224 && dst >> 24 != 0 && dst >> 16 != 0xa9fe);
	must(memcmp(f->h + 6, b + 6, f->h_len - 6u) == 0 && in.len <= 1514);
	both_check(false);
}

static void guest_check(const struct frame *f)
{
	must(memcmp(in.b, mac, 6) == 0 && be32_load(in.b + 30) == US && be32_load(in.b + 26) != US);
	must(memcmp(f->h, in.b, f->h_len) == 0 && be32_load(in.b + 26) >> 16 != 0xa9fe);
	both_check(true);
}

static void step(struct vpc_port *p, bool rx, uint64_t now)
{
	static struct vpc_reply reply;
	size_t have = min_u64(in.len, FRAME_HEADERS_MAX);
	enum vpc_verdict v;
	struct frame f;

	(void)!vpc_wait_ns(p, rx ? VPC_RX : VPC_TX, now);
	if (rx) {
		v = vpc_rx(p, now, in.b, have, in.len, &f);
		must(v == VPC_DROP || v == VPC_GUEST);
		if (v == VPC_GUEST)
			guest_check(&f);
	} else {
		v = vpc_tx(p, now, in.b, have, in.len, &f, &reply);
		must(v != VPC_GUEST);
		if (v == VPC_WIRE)
			wire_check(&f);
		if (v == VPC_METADATA)
			must(memcmp(f.h, vpc_metadata_mac, 6) == 0 && f.src == US &&
			     f.dst >> 16 == 0xa9fe);
		if (v == VPC_DHCP)
			(void)!vpc_dhcp(p, in.b, in.len, &reply);
	}
	must(vpc_port_counters(p)->flows <= FLOWS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vpc_port *p;
	struct rd r = rd_init(data, size);
	uint64_t now;

	memset(syn_seen, 0, sizeof(syn_seen));
	memset(out_seen, 0, sizeof(out_seen));
	p = port_fresh(&now);
	while (r.left >= 2) {
		uint8_t which = rd_u8(&r), edits = rd_u8(&r) & 7;

		base((which & 15) % BASES, which & 16);
		while (edits--) {
			uint8_t at = rd_u8(&r);

			in.b[at % in.len] = rd_u8(&r);
		}
		if (which & 64 && be16_load(in.b + 12) == ETH_TYPE_IPV4)
			net_ip_fix(&in);
		if (which & 32)
			now += (uint64_t)MINUTE * 1000000000;
		step(p, which & 16, now);
		vpc_port_tick(p, now);
	}
	return 0;
}
