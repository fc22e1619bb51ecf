/* SPDX-License-Identifier: Apache-2.0 */

/*
 * ARP requests and DHCP messages of a guest. Input: 0 ARP or 1 DHCP, then what follows the Ethernet header, or the UDP header.
 * Asserted: an answer goes to the guest or to everybody, from the router's (or the neighbour's) MAC, offers no address but
 * the guest's own, repeats the request's number, and its options can be read to their end.
 */

#include <string.h>

#include "base/bytes.h"
#include "base/num.h"
#include "net_frame.h"
#include "vpc/vpc.h"

#define US NET_IP(172, 31, 0, 5)
#define PEER NET_IP(172, 31, 0, 6)
#define ROUTER NET_IP(172, 31, 0, 1)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t mac[6] = { 6, 1, 1, 1, 1, 5 }, peer_mac[6] = { 6, 1, 1, 1, 1, 6 };
static const uint8_t all[6] = { 255, 255, 255, 255, 255, 255 };
static uint8_t router_mac[6];
static struct net_frame in;

static struct vpc_port *port(void)
{
	static const uint8_t seed[16] = { 1 };
	static struct vpc_port *p;
	static struct vpc_map *m;
	struct vpc_addr peer = vpc_ipv4(PEER);
	struct vpc_interface c = { .vni = 7,
				   .mtu = 1500,
				   .source_dest_check = true,
				   .vpc_prefix = 16,
				   .subnet_prefix = 20,
				   .hostname = "ip-172-31-0-5",
				   .domain = "ec2.internal",
				   .addr_cnt = 1 };

	if (p)
		return p;
	vpc_router_mac(7, router_mac);
	memcpy(c.mac, mac, 6);
	c.vpc = c.subnet = vpc_ipv4(NET_IP(172, 31, 0, 0));
	c.addr[0] = vpc_ipv4(US);
	must(vpc_map_new(4, seed, &m) == 0 && vpc_map_add(m, 7, &peer, peer_mac) == 0);
	must(vpc_port_new(m, seed, &p) == 0 && vpc_port_set(p, &c, 1) == 0);
	return p;
}

static void arp_check(const struct vpc_reply *r)
{
	const uint8_t *a = r->b + ETH_BYTES;
	uint32_t target = be32_load(in.b + 38);
	const uint8_t *who = target == PEER ? peer_mac : router_mac;

	must(r->len == 60 && memcmp(r->b, mac, 6) == 0 && memcmp(r->b + 6, who, 6) == 0);
	must(be16_load(a + 6) == 2 && memcmp(a + 8, who, 6) == 0 && be32_load(a + 14) == target);
	must(target == PEER || target == ROUTER || target == VPC_METADATA_ADDR ||
	     target == VPC_DNS_ADDR);
	/* The request was one, in the guest's own name. */
	must(be16_load(in.b + 20) == 1 && memcmp(in.b + 22, mac, 6) == 0);
	must(be32_load(in.b + 28) == US || be32_load(in.b + 28) == 0);
}

static uint8_t options_check(const uint8_t *p, const uint8_t *end)
{
	uint8_t type = 0;

	while (p < end && *p != 255) {
		must(end - p >= 2 && end - p - 2 >= p[1]);
		if (p[0] == 53)
			type = p[2];
		if (p[0] == 54 || p[0] == 3)
			must(be32_load(p + 2) == ROUTER);
		p += 2 + p[1];
	}
	must(p < end);
	return type;
}

static void dhcp_check(const struct vpc_reply *r)
{
	const uint8_t *m = r->b + 42;
	uint32_t yiaddr = be32_load(m + 16), dst;
	enum frame_error e;
	struct frame f;
	uint8_t type;

	must(r->len <= sizeof(r->b) && frame_parse(r->b, r->len, r->len, &f, &e) == 0);
	dst = f.dst;
	must(memcmp(r->b, dst == US ? mac : all, 6) == 0 && (dst == US || dst == UINT32_MAX));
	must(memcmp(r->b + 6, router_mac, 6) == 0 && f.src == ROUTER && f.sport == 67 &&
	     f.dport == 68);
	must(m[0] == 2 && memcmp(m + 4, in.b + 46, 4) == 0 && memcmp(m + 28, mac, 6) == 0);
	type = options_check(m + 240, r->b + r->len);
	must(type == 2 || type == 5 || type == 6);
	must(yiaddr == US || (yiaddr == 0 && type != 2));
	must(in.b[42] == 1); /* never an answer to an answer */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vpc_port *p = port();
	static struct vpc_reply reply;
	static uint64_t now = 1;
	enum vpc_verdict v;
	struct frame f;
	bool dhcp;

	if (size < 1 || size > 1500)
		return 0;
	dhcp = data[0] & 1;
	data++;
	size--;
	now += 10000000; /* the rate of requests is not the subject */
	net_eth(&in, all, mac, dhcp ? ETH_TYPE_IPV4 : ETH_TYPE_ARP);
	if (dhcp) {
		net_ipv4(&in, 0, UINT32_MAX, IP_UDP, 8 + size);
		net_udp(&in, 68, 67);
		memcpy(in.b + 42, data, size);
	} else {
		memcpy(in.b + ETH_BYTES, data, size);
		in.len = ETH_BYTES + size;
	}
	v = vpc_tx(p, now, in.b, min_u64(in.len, FRAME_HEADERS_MAX), in.len, &f, &reply);
	must(v == VPC_DROP || v == (dhcp ? VPC_DHCP : VPC_REPLY));
	if (v == VPC_DHCP)
		v = vpc_dhcp(p, in.b, in.len, &reply);
	if (v == VPC_REPLY)
		(dhcp ? dhcp_check : arp_check)(&reply);
	return 0;
}
