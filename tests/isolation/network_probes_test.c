/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a hostile guest tries against the network, and what a hostile network tries against a guest, frame by frame, against
 * the real datapath of the network card.
 *
 *   network_probes_test        every probe must be denied
 *   network_probes_GUARD       the same, linked with tests/isolation/open/GUARD.c in the place of one guard: the probes
 *                              which that guard stops must get through (so they prove something), all others must not
 *
 * Probes against the ENA device (descriptor loops, lies about offloads) are in src/cards/network/; those against the wire,
 * which checks most of this again, in wire_probes_test.c; those against the metadata service in metadata_probes.py.
 */

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "net_frame.h"
#include "vpc/vpc.h"

#define US NET_IP(172, 31, 0, 5)
#define PEER NET_IP(172, 31, 0, 6)
#define ROUTER NET_IP(172, 31, 0, 1)
#define SUBNET_ALL NET_IP(172, 31, 15, 255)
#define OTHER_VPC NET_IP(10, 0, 0, 5)
#define HOST NET_IP(10, 77, 0, 1) /* this host's address on the network between hosts */
#define BMC NET_IP(10, 99, 0, 1)
#define OUTSIDE NET_IP(8, 8, 8, 8)

enum { VNI = 0x1001, OTHER_VNI = 0x1002, S = 1000000000, CONNTRACK = 64, FLOOD = 10000 };

static const uint8_t our_mac[6] = { 6, 1, 1, 1, 1, 5 }, peer_mac[6] = { 6, 1, 1, 1, 1, 6 };
static const uint8_t other_mac[6] = { 6, 2, 2, 2, 2, 5 }, igw_mac[6] = { 6, 9, 9, 9, 9, 9 };
static const uint8_t all[6] = { 255, 255, 255, 255, 255, 255 }, mdns[6] = { 1, 0, 0x5e, 0, 0, 251 };
static const uint8_t ipv6_all[6] = { 0x33, 0x33, 0, 0, 0, 1 };
static uint8_t router_mac[6];

static struct vpc_map *map;
static struct vpc_port *port;
static struct net_frame in;
static uint64_t now;
static struct frame out;
static struct vpc_reply reply;

/* ---- the world ---- */

static void routes(bool way_out)
{
	struct vpc_route r[2] = { { .prefix = 16, .target = VPC_ROUTE_LOCAL },
				  { .target = VPC_ROUTE_MAC } };

	r[0].addr = vpc_ipv4(NET_IP(172, 31, 0, 0));
	r[1].addr = vpc_ipv4(0);
	memcpy(r[1].mac, igw_mac, 6);
	must(vpc_port_routes_set(port, r, way_out ? 2 : 1) == 0);
}

/* Out: everything but TCP 25. In: TCP 22. */
static void rules(void)
{
	struct vpc_rule r[] = {
		{ .egress = true, .proto = IP_TCP, .port_min = 0, .port_max = 24 },
		{ .egress = true, .proto = IP_TCP, .port_min = 26, .port_max = 65535 },
		{ .egress = true, .proto = IP_UDP, .port_min = 0, .port_max = 65535 },
		{ .egress = true,
		  .proto = IP_ICMP,
		  .port_min = VPC_PORT_ALL,
		  .port_max = VPC_PORT_ALL },
		{ .egress = true, .proto = IP_ESP },
		{ .proto = IP_TCP, .port_min = 22, .port_max = 22 },
		{ .proto = IP_UDP, .port_min = 68, .port_max = 68 },
	};
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(r); i++)
		r[i].addr = vpc_ipv4(0);
	must(vpc_port_rules_set(port, r, ARRAY_SIZE(r)) == 0);
}

static void map_add(uint32_t vni, uint32_t addr, const uint8_t mac[6])
{
	struct vpc_addr a = vpc_ipv4(addr);

	must(vpc_map_add(map, vni, &a, mac) == 0);
}

static void world_new(void)
{
	static const uint8_t seed[16] = { 3 };
	struct vpc_interface c = { .vni = VNI,
				   .mtu = 1500,
				   .source_dest_check = true,
				   .vpc_prefix = 16,
				   .subnet_prefix = 20,
				   .hostname = "ip-172-31-0-5",
				   .domain = "ec2.internal",
				   .conntrack_max = CONNTRACK,
				   .addr_cnt = 1 };

	now = (uint64_t)1000 * S;
	vpc_router_mac(VNI, router_mac);
	memcpy(c.mac, our_mac, 6);
	c.vpc = c.subnet = vpc_ipv4(NET_IP(172, 31, 0, 0));
	c.addr[0] = vpc_ipv4(US);
	must(vpc_map_new(100, seed, &map) == 0 && vpc_port_new(map, seed, &port) == 0);
	must(vpc_port_set(port, &c, now) == 0);
	map_add(VNI, US, our_mac);
	map_add(VNI, PEER, peer_mac);
	map_add(OTHER_VNI, OTHER_VPC, other_mac);
	/* As if the controller had made a mistake: what stops broadcasts must not be that nobody has the address. */
	map_add(VNI, SUBNET_ALL, peer_mac);
	routes(true);
	rules();
}

static void world_free(void)
{
	vpc_port_freep(&port);
	vpc_map_freep(&map);
}

static size_t have(void)
{
	return in.len < FRAME_HEADERS_MAX ? in.len : FRAME_HEADERS_MAX;
}

static bool tx(void)
{
	enum vpc_verdict v = vpc_tx(port, now, in.b, have(), in.len, &out, &reply);

	if (v == VPC_DHCP)
		v = vpc_dhcp(port, in.b, in.len, &reply);
	return v != VPC_DROP;
}

static bool rx(void)
{
	return vpc_rx(port, now, in.b, have(), in.len, &out) != VPC_DROP;
}

/* ---- frames ---- */

static void udp(uint32_t dst, uint16_t sport, uint16_t dport)
{
	net_eth(&in, router_mac, our_mac, ETH_TYPE_IPV4);
	net_ipv4(&in, US, dst, IP_UDP, 48);
	net_udp(&in, sport, dport);
}

static void tcp(uint32_t dst, uint16_t dport, uint8_t flags)
{
	net_eth(&in, router_mac, our_mac, ETH_TYPE_IPV4);
	net_ipv4(&in, US, dst, IP_TCP, 40);
	net_tcp(&in, 40000, dport, flags);
}

static void from(uint32_t src)
{
	net_put32(in.b + 26, src);
	net_ip_fix(&in);
}

static void rx_tcp(uint32_t src, uint16_t sport, uint16_t dport, uint8_t flags)
{
	net_eth(&in, our_mac, peer_mac, ETH_TYPE_IPV4);
	net_ipv4(&in, src, US, IP_TCP, 40);
	net_tcp(&in, sport, dport, flags);
}

/* IPv6 from a link-local address of somebody: @next header chain, then ICMPv6 of @type. */
static void ipv6(const uint8_t dst_mac[6], uint8_t next, uint8_t type)
{
	static const uint8_t somebody[16] = {
		0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1
	};

	net_eth(&in, dst_mac, our_mac, ETH_TYPE_IPV6);
	in.b[14] = 0x60;
	in.b[19] = 64;
	in.b[20] = next;
	in.b[21] = 255;
	memcpy(in.b + 22, somebody, 16);
	in.b[38] = 0xff;
	in.b[39] = 2;
	in.b[53] = 1;
	in.b[54] = next == 58 ? type : 0; /* hop-by-hop, then another, ... */
	in.len = 54 + 64;
}

/* Puts @n bytes @tag behind the MACs. */
static void tag(const void *bytes, size_t n)
{
	memmove(in.b + 12 + n, in.b + 12, in.len - 12);
	memcpy(in.b + 12, bytes, n);
	in.len += n;
}

/* The same packet with @n bytes of IPv4 options. */
static void options(const void *bytes, size_t n)
{
	memmove(in.b + 34 + n, in.b + 34, in.len - 34);
	memcpy(in.b + 34, bytes, n);
	in.len += n;
	in.b[14] = (uint8_t)(0x45 + n / 4);
	net_put16(in.b + 16, (uint16_t)(in.len - 14));
	net_ip_fix(&in);
}

/* ---- who I am ---- */

static bool src_mac_of_neighbour(void)
{
	udp(PEER, 5000, 5001);
	memcpy(in.b + 6, peer_mac, 6);
	return tx();
}

static bool src_mac_of_router(void)
{
	udp(PEER, 5000, 5001);
	memcpy(in.b + 6, router_mac, 6);
	return tx();
}

static bool src_mac_group(void)
{
	udp(PEER, 5000, 5001);
	memcpy(in.b + 6, all, 6);
	return tx();
}

static bool src_ipv4_of_neighbour(void)
{
	udp(PEER, 5000, 5001);
	from(NET_IP(172, 31, 0, 7));
	return tx();
}

static bool src_ipv4_of_router(void)
{
	udp(PEER, 5000, 5001);
	from(ROUTER);
	return tx();
}

static bool src_ipv4_outside(void)
{
	tcp(PEER, 80, TCP_SYN);
	from(OUTSIDE);
	return tx();
}

static bool src_ipv4_none(void)
{
	udp(PEER, 5000, 5001);
	from(0);
	return tx();
}

static bool metadata_in_the_name_of_a_neighbour(void)
{
	tcp(OUTSIDE, 80, TCP_SYN); /* "its" answer would come here */
	from(VPC_METADATA_ADDR + 0x10000);
	return tx();
}

static bool src_ipv6(void)
{
	ipv6(peer_mac, 58, 128);
	return tx();
}

/* ---- ARP, neighbour discovery, redirects ---- */

static bool arp_gratuitous(void)
{
	net_arp(&in, all, our_mac, 2, our_mac, PEER, PEER);
	return tx();
}

static bool arp_reply_as_router(void)
{
	net_arp(&in, peer_mac, our_mac, 2, our_mac, ROUTER, PEER);
	return tx();
}

static bool arp_request_as_neighbour(void)
{
	net_arp(&in, all, our_mac, 1, our_mac, NET_IP(172, 31, 0, 7), PEER);
	return tx();
}

static bool arp_request_with_another_mac(void)
{
	net_arp(&in, all, our_mac, 1, peer_mac, US, PEER);
	return tx();
}

static bool arp_announcement(void)
{
	net_arp(&in, all, our_mac, 1, our_mac, US, US);
	return tx();
}

static bool arp_reply_from_the_network(void)
{
	net_arp(&in, our_mac, peer_mac, 2, peer_mac, ROUTER, US);
	return rx();
}

static bool nd_advertisement(void)
{
	ipv6(ipv6_all, 58, 136);
	return tx();
}

static bool nd_router_advertisement(void)
{
	ipv6(ipv6_all, 58, 134);
	return tx();
}

static bool ipv6_header_chain(void)
{
	ipv6(peer_mac, 0, 0);
	return tx();
}

static bool icmp(enum vpc_direction dir, uint8_t type, uint8_t code, const struct net_frame *quoted)
{
	bool is_tx = dir == VPC_TX;

	net_eth(&in, is_tx ? router_mac : our_mac, is_tx ? our_mac : peer_mac, ETH_TYPE_IPV4);
	net_ipv4(&in, is_tx ? US : PEER, is_tx ? PEER : US, IP_ICMP, 40);
	net_icmp(&in, type, code, 0);
	if (quoted)
		net_quote(&in, quoted);
	return is_tx ? tx() : rx();
}

static bool icmp_redirect(void)
{
	return icmp(VPC_TX, 5, 1, NULL);
}

static bool icmp_error_with_forged_inner(void)
{
	static struct net_frame q;

	net_eth(&q, our_mac, peer_mac, ETH_TYPE_IPV4);
	net_ipv4(&q, PEER, OUTSIDE, IP_TCP,
		 20); /* a connection of the neighbour with somebody else */
	net_tcp(&q, 5555, 443, TCP_ACK);
	return icmp(VPC_TX, 3, 4, &q);
}

static bool icmp_error_about_a_flow_that_is_not(void)
{
	static struct net_frame q;

	net_eth(&q, our_mac, peer_mac, ETH_TYPE_IPV4);
	net_ipv4(&q, PEER, US, IP_TCP, 20);
	net_tcp(&q, 5555, 22, TCP_ACK);
	return icmp(VPC_TX, 3, 1, &q);
}

/* ---- DHCP ---- */

static bool dhcp_offer_to_neighbour(void)
{
	udp(PEER, 67, 68);
	return tx();
}

static bool dhcp_offer_from_another_port(void)
{
	udp(PEER, 1067, 68);
	return tx();
}

static bool dhcp_relay_to_neighbour(void)
{
	udp(PEER, 67, 67);
	return tx();
}

static bool dhcp_offer_from_the_network(void)
{
	net_eth(&in, our_mac, peer_mac, ETH_TYPE_IPV4);
	net_ipv4(&in, PEER, US, IP_UDP, 48);
	net_udp(&in, 67, 68);
	return rx();
}

/* ---- other link layers ---- */

static bool vlan(void)
{
	udp(PEER, 5000, 5001);
	tag("\x81\x00\x00\x64", 4);
	return tx();
}

static bool vlan_priority(void)
{
	udp(PEER, 5000, 5001);
	tag("\x81\x00\xe0\x00", 4);
	return tx();
}

static bool qinq(void)
{
	udp(PEER, 5000, 5001);
	tag("\x88\xa8\x00\x64\x81\x00\x00\x65", 8);
	return tx();
}

static bool lldp(void)
{
	net_eth(&in, (const uint8_t[]){ 1, 0x80, 0xc2, 0, 0, 0x0e }, our_mac, 0x88cc);
	in.len = 60;
	return tx();
}

/* ---- out of the network ---- */

static bool to(uint32_t dst, uint8_t proto, uint16_t dport, const uint8_t mac[6])
{
	routes(false);
	net_eth(&in, mac, our_mac, ETH_TYPE_IPV4);
	net_ipv4(&in, US, dst, proto, 60);
	if (proto == IP_UDP)
		net_udp(&in, 5000, dport);
	if (proto == IP_TCP)
		net_tcp(&in, 5000, dport, TCP_SYN);
	return tx();
}

static bool geneve_to_this_host(void)
{
	return to(HOST, IP_UDP, 6081, router_mac);
}

static bool vxlan_to_this_host(void)
{
	return to(HOST, IP_UDP, 4789, router_mac);
}

static bool esp_in_udp_to_this_host(void)
{
	return to(HOST, IP_UDP, 4500, router_mac);
}

static bool esp_to_this_host(void)
{
	return to(HOST, IP_ESP, 0, router_mac);
}

static bool tcp_to_this_host(void)
{
	return to(HOST, IP_TCP, 22, igw_mac);
}

static bool bmc(void)
{
	return to(BMC, IP_UDP, 623, router_mac);
}

static bool other_vpc(void)
{
	return to(OTHER_VPC, IP_TCP, 80, router_mac);
}

static bool other_vpc_by_its_mac(void)
{
	return to(OTHER_VPC, IP_TCP, 80, other_mac);
}

static bool nobodys_address(void)
{
	return to(NET_IP(172, 31, 7, 7), IP_TCP, 80, peer_mac);
}

static bool loopback_of_the_next_one(void)
{
	tcp(NET_IP(127, 0, 0, 1), 8080, TCP_SYN);
	return tx();
}

static bool metadata_on_another_port(void)
{
	tcp(VPC_METADATA_ADDR, 8080, TCP_SYN);
	return tx();
}

static bool link_local_beside_metadata(void)
{
	tcp(NET_IP(169, 254, 170, 2), 80, TCP_SYN);
	return tx();
}

static bool metadata_in_fragments(void)
{
	tcp(VPC_METADATA_ADDR, 80, TCP_SYN);
	net_frag(&in, 5, 0, 1);
	return tx();
}

/* ---- to everybody ---- */

static bool multicast(void)
{
	udp(NET_IP(224, 0, 0, 251), 5353, 5353);
	memcpy(in.b, mdns, 6);
	return tx();
}

static bool broadcast(void)
{
	udp(UINT32_MAX, 5000, 5001);
	memcpy(in.b, all, 6);
	return tx();
}

static bool broadcast_of_the_subnet(void)
{
	udp(SUBNET_ALL, 5000, 5001);
	return tx();
}

static bool broadcast_mac_of_one_address(void)
{
	udp(PEER, 5000, 5001);
	memcpy(in.b, all, 6);
	return tx();
}

static bool reserved_address(void)
{
	udp(NET_IP(240, 0, 0, 1), 5000, 5001);
	return tx();
}

/* ---- fragments and options ---- */

static bool fragment_tiny(void)
{
	tcp(PEER, 25, TCP_SYN);
	net_ipv4(&in, US, PEER, IP_TCP, 8); /* the flags would come in the second one */
	net_frag(&in, 5, 0, 1);
	return tx();
}

static bool fragment_first_of(uint16_t id)
{
	udp(PEER, 5000, 5001);
	net_frag(&in, id, 0, 1);
	return tx();
}

static bool fragment_overlapping(void)
{
	if (!fragment_first_of(5))
		return false;
	udp(PEER, 0, 0);
	net_frag(&in, 5, 8, 0);
	return tx();
}

static bool fragment_id_again(void)
{
	if (!fragment_first_of(5))
		return false;
	udp(PEER, 5000, 5009); /* another first one: whose are the later ones? */
	net_frag(&in, 5, 0, 1);
	return tx();
}

static bool fragment_without_a_first(void)
{
	udp(PEER, 0, 0);
	net_frag(&in, 5, 48, 0);
	return tx();
}

static bool fragment_late(void)
{
	if (!fragment_first_of(5))
		return false;
	now += (uint64_t)60 * S;
	udp(PEER, 0, 0);
	net_frag(&in, 5, 48, 0);
	return tx();
}

static bool option_source_route(void)
{
	udp(PEER, 5000, 5001);
	options("\x83\x07\x04\x0a\x00\x00\x05\x00", 8);
	return tx();
}

static bool option_record_route(void)
{
	udp(PEER, 5000, 5001);
	options("\x07\x07\x04\x00\x00\x00\x00\x00", 8);
	return tx();
}

static bool total_length_lies(void)
{
	udp(PEER, 5000, 5001);
	net_put16(in.b + 16, 4000);
	net_ip_fix(&in);
	return tx();
}

static bool longer_than_the_mtu(void)
{
	udp(PEER, 5000, 5001);
	net_ipv4(&in, US, PEER, IP_UDP, 3000);
	net_udp(&in, 5000, 5001);
	return tx();
}

/* ---- rules and connections ---- */

static bool egress_that_no_rule_allows(void)
{
	tcp(PEER, 25, TCP_SYN);
	return tx();
}

static bool ingress_that_no_rule_allows(void)
{
	rx_tcp(PEER, 999, 23, TCP_SYN);
	return rx();
}

static bool tcp_ack_out_of_nowhere(void)
{
	tcp(PEER, 80, TCP_ACK);
	return tx();
}

static bool tcp_reset_out_of_nowhere(void)
{
	tcp(PEER, 80, TCP_RST);
	return tx();
}

static bool tcp_syn_and_fin(void)
{
	tcp(PEER, 80, TCP_SYN | TCP_FIN);
	return tx();
}

static bool tcp_answer_nobody_asked_for(void)
{
	rx_tcp(PEER, 80, 22, TCP_SYN | TCP_ACK);
	return rx();
}

/* Does a flood of SYNs cost an established connection? */
static bool state_exhaustion(void)
{
	unsigned i;

	tcp(PEER, 80, TCP_SYN);
	must(tx());
	rx_tcp(PEER, 80, 40000, TCP_SYN | TCP_ACK);
	must(rx());
	tcp(PEER, 80, TCP_ACK);
	must(tx());
	for (i = 0; i < FLOOD; i++) {
		rx_tcp(NET_IP(172, 31, 4, 0) + i, 1000, 22, TCP_SYN);
		(void)rx();
	}
	tcp(PEER, 80, TCP_ACK);
	return !tx();
}

/* More requests to the DNS than one interface may make in a second. */
static bool service_flood(void)
{
	unsigned i, passed = 0;

	for (i = 0; i < FLOOD; i++) {
		udp(VPC_DNS_ADDR, 5000, 53);
		passed += tx();
	}
	return passed > FLOOD / 2;
}

/* ---- from the network ---- */

static bool frame_for_another_mac(void)
{
	rx_tcp(PEER, 999, 22, TCP_SYN);
	memcpy(in.b, other_mac, 6);
	return rx();
}

static bool frame_for_another_address(void)
{
	rx_tcp(PEER, 999, 22, TCP_SYN);
	net_put32(in.b + 30, OTHER_VPC);
	net_ip_fix(&in);
	return rx();
}

static bool frame_from_oneself(void)
{
	rx_tcp(US, 999, 22, TCP_SYN);
	return rx();
}

static bool frame_from_loopback(void)
{
	rx_tcp(NET_IP(127, 0, 0, 1), 999, 22, TCP_SYN);
	return rx();
}

static bool frame_from_metadata(void)
{
	rx_tcp(VPC_METADATA_ADDR, 80, 22, TCP_SYN);
	return rx();
}

/* ---- all of them ---- */

#define P(guard, name)                                                                             \
	{                                                                                          \
#guard, #name, name                                                                \
	}

static const struct probe {
	const char *guard, *name;
	bool (*gets_through)(void);
} probe[] = {
	P(guard_src_mac, src_mac_of_neighbour),
	P(guard_src_mac, src_mac_of_router),
	P(guard_src_mac, src_mac_group),
	P(guard_src_addr, src_ipv4_of_neighbour),
	P(guard_src_addr, src_ipv4_of_router),
	P(guard_src_addr, src_ipv4_outside),
	P(guard_src_addr, src_ipv4_none),
	P(guard_src_addr, metadata_in_the_name_of_a_neighbour),
	P(guard_other, src_ipv6),
	P(guard_arp, arp_gratuitous),
	P(guard_arp, arp_reply_as_router),
	P(guard_arp, arp_request_as_neighbour),
	P(guard_arp, arp_request_with_another_mac),
	P(guard_arp, arp_announcement),
	P(guard_arp_rx, arp_reply_from_the_network),
	P(guard_other, nd_advertisement),
	P(guard_other, nd_router_advertisement),
	P(guard_other, ipv6_header_chain),
	P(conntrack_icmp, icmp_redirect),
	P(conntrack_icmp, icmp_error_with_forged_inner),
	P(conntrack_icmp, icmp_error_about_a_flow_that_is_not),
	P(guard_dhcp, dhcp_offer_to_neighbour),
	P(guard_dhcp, dhcp_offer_from_another_port),
	P(guard_dhcp, dhcp_relay_to_neighbour),
	P(guard_dhcp, dhcp_offer_from_the_network),
	P(guard_other, vlan),
	P(guard_other, vlan_priority),
	P(guard_other, qinq),
	P(guard_other, lldp),
	P(guard_next_hop, geneve_to_this_host),
	P(guard_next_hop, vxlan_to_this_host),
	P(guard_next_hop, esp_in_udp_to_this_host),
	P(guard_next_hop, esp_to_this_host),
	P(guard_next_hop, tcp_to_this_host),
	P(guard_next_hop, bmc),
	P(guard_next_hop, other_vpc),
	P(guard_next_hop, other_vpc_by_its_mac),
	P(guard_next_hop, nobodys_address),
	P(guard_unicast, loopback_of_the_next_one),
	P(guard_link_local, metadata_on_another_port),
	P(guard_link_local, link_local_beside_metadata),
	P(guard_link_local, metadata_in_fragments),
	P(guard_unicast, multicast),
	P(guard_unicast, broadcast),
	P(guard_unicast, broadcast_of_the_subnet),
	P(guard_unicast, broadcast_mac_of_one_address),
	P(guard_unicast, reserved_address),
	P(guard_other, fragment_tiny),
	P(fragment, fragment_overlapping),
	P(fragment, fragment_id_again),
	P(fragment, fragment_without_a_first),
	P(fragment, fragment_late),
	P(guard_other, option_source_route),
	P(guard_other, option_record_route),
	P(guard_other, total_length_lies),
	P(guard_mtu, longer_than_the_mtu),
	P(secgroup, egress_that_no_rule_allows),
	P(secgroup, ingress_that_no_rule_allows),
	P(conntrack_tcp, tcp_ack_out_of_nowhere),
	P(conntrack_tcp, tcp_reset_out_of_nowhere),
	P(conntrack_tcp, tcp_syn_and_fin),
	P(conntrack_tcp, tcp_answer_nobody_asked_for),
	P(conntrack_victim, state_exhaustion),
	P(guard_service_rate, service_flood),
	P(guard_dst_mac, frame_for_another_mac),
	P(guard_dst_addr, frame_for_another_address),
	P(guard_not_self, frame_from_oneself),
	P(guard_not_self, frame_from_loopback),
	P(guard_link_local, frame_from_metadata),
};

/* What a guard must not stop. */
static bool honest(void)
{
	udp(PEER, 5000, 5001);
	if (!tx())
		return false;
	tcp(OUTSIDE, 443, TCP_SYN);
	if (!tx())
		return false;
	rx_tcp(OUTSIDE, 443, 40000, TCP_SYN | TCP_ACK);
	if (!rx())
		return false;
	rx_tcp(PEER, 999, 22, TCP_SYN);
	return rx();
}

int main(int argc, char **argv)
{
	const char *off = argc > 1 ? argv[1] : "";
	unsigned i, bad = 0, opened = 0;

	world_new();
	must(honest());
	world_free();
	for (i = 0; i < ARRAY_SIZE(probe); i++) {
		bool want = strcmp(probe[i].guard, off) == 0, got;

		world_new();
		got = probe[i].gets_through();
		world_free();
		opened += want;
		if (got == want)
			continue;
		bad++;
		printf("%s (%s): %s\n", probe[i].name, probe[i].guard,
		       got ? "gets through"
			   : "is denied without its guard, too: it proves nothing");
	}
	printf("%u probes, %u denied, %u through%s%s\n", i, i - opened - bad, opened,
	       *off ? ", without " : "", off);
	/* A guard that no probe needs is not shown to be one. */
	return bad || (*off && !opened);
}
