/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The datapath from outside: frames in, verdicts out. What attackers try is tests/isolation/network_probes_test.c.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "net_frame.h"
#include "vpc/vpc.h"

#define US NET_IP(172, 31, 0, 5)
#define PEER NET_IP(172, 31, 0, 6)
#define ROUTER NET_IP(172, 31, 0, 1)
#define OUTSIDE NET_IP(8, 8, 8, 8)

enum { VNI = 0x1001 };

static const uint8_t our_mac[6] = { 6, 1, 1, 1, 1, 5 }, peer_mac[6] = { 6, 1, 1, 1, 1, 6 };
static const uint8_t igw_mac[6] = { 6, 9, 9, 9, 9, 9 }, all[6] = { 255, 255, 255, 255, 255, 255 };
static const uint8_t seed[16] = { 3 };
static uint8_t router_mac[6];

static struct vpc_map *map;
static struct vpc_port *port;
static struct vpc_interface conf;
static uint64_t now = 1000000000000;
static struct net_frame in;
static struct frame f;
static struct vpc_reply reply;

static void rules(uint16_t ssh_from_any)
{
	struct vpc_rule r[2] = {
		{ .egress = true, .proto = VPC_PROTO_ALL },
		{ .proto = IP_TCP, .port_min = ssh_from_any, .port_max = ssh_from_any },
	};

	r[0].addr = r[1].addr = vpc_ipv4(0);
	assert_int_equal(vpc_port_rules_set(port, r, 2), 0);
}

static void routes(void)
{
	struct vpc_route r[2] = { { .prefix = 16, .target = VPC_ROUTE_LOCAL },
				  { .target = VPC_ROUTE_MAC } };

	r[0].addr = vpc_ipv4(NET_IP(172, 31, 0, 0));
	r[1].addr = vpc_ipv4(0);
	memcpy(r[1].mac, igw_mac, 6);
	assert_int_equal(vpc_port_routes_set(port, r, 2), 0);
}

static void interface(void)
{
	memset(&conf, 0, sizeof(conf));
	conf.vni = VNI;
	memcpy(conf.mac, our_mac, 6);
	conf.mtu = 1500;
	conf.source_dest_check = true;
	conf.vpc = vpc_ipv4(NET_IP(172, 31, 0, 0));
	conf.vpc_prefix = 16;
	conf.subnet = conf.vpc;
	conf.subnet_prefix = 20;
	conf.addr_cnt = 1;
	conf.addr[0] = vpc_ipv4(US);
	(void)snprintf(conf.hostname, sizeof(conf.hostname), "ip-172-31-0-5");
	(void)snprintf(conf.domain, sizeof(conf.domain), "ec2.internal");
}

static int setup_empty(void **state)
{
	(void)state;
	vpc_router_mac(VNI, router_mac);
	interface();
	assert_int_equal(vpc_map_new(100, seed, &map), 0);
	return vpc_port_new(map, seed, &port);
}

static int setup(void **state)
{
	struct vpc_addr peer = vpc_ipv4(PEER), us = vpc_ipv4(US);

	assert_int_equal(setup_empty(state), 0);
	assert_int_equal(vpc_map_add(map, VNI, &peer, peer_mac), 0);
	assert_int_equal(vpc_map_add(map, VNI, &us, our_mac), 0);
	assert_int_equal(vpc_port_set(port, &conf, now), 0);
	rules(22);
	routes();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	vpc_port_freep(&port);
	vpc_map_freep(&map);
	return 0;
}

static enum vpc_verdict tx(void)
{
	return vpc_tx(port, now, in.b, in.len < FRAME_HEADERS_MAX ? in.len : FRAME_HEADERS_MAX,
		      in.len, &f, &reply);
}

static enum vpc_verdict rx(void)
{
	return vpc_rx(port, now, in.b, in.len < FRAME_HEADERS_MAX ? in.len : FRAME_HEADERS_MAX,
		      in.len, &f);
}

/* A drop, and for that reason. */
static void assert_dropped(enum vpc_direction dir, enum vpc_reason why)
{
	uint64_t before = vpc_port_counters(port)->drop[dir][why];

	assert_int_equal(dir == VPC_TX ? tx() : rx(), VPC_DROP);
	assert_true(vpc_port_counters(port)->drop[dir][why] == before + 1);
}

static void out_tcp(uint32_t dst, uint16_t dport, uint8_t flags)
{
	net_eth(&in, router_mac, our_mac, ETH_TYPE_IPV4);
	net_ipv4(&in, US, dst, IP_TCP, 20);
	net_tcp(&in, 40000, dport, flags);
}

static void out_udp(uint32_t dst, uint16_t sport, uint16_t dport)
{
	net_eth(&in, router_mac, our_mac, ETH_TYPE_IPV4);
	net_ipv4(&in, US, dst, IP_UDP, 40);
	net_udp(&in, sport, dport);
}

static void in_tcp(uint32_t src, uint16_t sport, uint16_t dport, uint8_t flags)
{
	net_eth(&in, our_mac, peer_mac, ETH_TYPE_IPV4);
	net_ipv4(&in, src, US, IP_TCP, 20);
	net_tcp(&in, sport, dport, flags);
}

/* ---- configuration ---- */

static void port__drops_everything_until_it_is_configured(void **state)
{
	(void)state;
	out_tcp(PEER, 80, TCP_SYN);
	assert_dropped(VPC_TX, VPC_R_UNCONFIGURED);
	in_tcp(PEER, 999, 22, TCP_SYN);
	assert_dropped(VPC_RX, VPC_R_UNCONFIGURED);
	net_arp(&in, all, our_mac, 1, our_mac, US, ROUTER);
	assert_dropped(VPC_TX, VPC_R_UNCONFIGURED);
	assert_null(vpc_port_interface(port));
	/* What it is, but neither rules nor routes. */
	assert_int_equal(vpc_port_set(port, &conf, now), 0);
	out_tcp(PEER, 80, TCP_SYN);
	assert_dropped(VPC_TX, VPC_R_RULES);
	in_tcp(PEER, 999, 22, TCP_SYN);
	assert_dropped(VPC_RX, VPC_R_RULES);
	rules(22);
	out_tcp(PEER, 80, TCP_SYN);
	assert_dropped(VPC_TX, VPC_R_ROUTE);
	in_tcp(PEER, 999, 22, TCP_SYN);
	assert_int_equal(rx(), VPC_GUEST);
	routes();
	out_tcp(PEER, 80, TCP_SYN);
	assert_dropped(VPC_TX, VPC_R_MAPPING);
}

static void assert_refused(void (*spoil)(struct vpc_interface *))
{
	struct vpc_interface c = conf;

	spoil(&c);
	assert_int_equal(vpc_port_set(port, &c, now), -EINVAL);
}

static void spoil_vni(struct vpc_interface *c)
{
	c->vni = 0x1000000;
}
static void spoil_vni0(struct vpc_interface *c)
{
	c->vni = 0;
}
static void spoil_mac(struct vpc_interface *c)
{
	c->mac[0] |= 1;
}
static void spoil_mac0(struct vpc_interface *c)
{
	memset(c->mac, 0, 6);
}
static void spoil_mtu(struct vpc_interface *c)
{
	c->mtu = 575;
}
static void spoil_mtu_max(struct vpc_interface *c)
{
	c->mtu = 9203;
}
static void spoil_vpc(struct vpc_interface *c)
{
	c->vpc_prefix = 7;
}
static void spoil_vpc_bits(struct vpc_interface *c)
{
	c->vpc = vpc_ipv4(NET_IP(172, 31, 0, 1));
}
static void spoil_subnet(struct vpc_interface *c)
{
	c->subnet = vpc_ipv4(NET_IP(172, 30, 0, 0));
}
static void spoil_subnet_prefix(struct vpc_interface *c)
{
	c->subnet_prefix = 29;
}
static void spoil_addr(struct vpc_interface *c)
{
	c->addr[0] = vpc_ipv4(NET_IP(172, 31, 16, 5));
}
static void spoil_addr_router(struct vpc_interface *c)
{
	c->addr[0] = vpc_ipv4(ROUTER);
}
static void spoil_addr_broadcast(struct vpc_interface *c)
{
	c->addr[0] = vpc_ipv4(NET_IP(172, 31, 15, 255));
}
static void spoil_addr_none(struct vpc_interface *c)
{
	c->addr_cnt = 0;
}
static void spoil_addr_many(struct vpc_interface *c)
{
	c->addr_cnt = VPC_ADDRESSES_MAX + 1;
}
static void spoil_addr_family(struct vpc_interface *c)
{
	c->addr_cnt = 2;
	c->addr[1].family = 9;
}
static void spoil_name(struct vpc_interface *c)
{
	c->hostname[2] = '\n';
}
static void spoil_name_end(struct vpc_interface *c)
{
	memset(c->domain, 'x', sizeof(c->domain));
}

static void port_set__refuses_what_contradicts_itself(void **state)
{
	static void (*const spoil[])(struct vpc_interface *) = {
		spoil_vni,
		spoil_vni0,
		spoil_mac,
		spoil_mac0,
		spoil_mtu,
		spoil_mtu_max,
		spoil_vpc,
		spoil_vpc_bits,
		spoil_subnet,
		spoil_subnet_prefix,
		spoil_addr,
		spoil_addr_router,
		spoil_addr_broadcast,
		spoil_addr_none,
		spoil_addr_many,
		spoil_addr_family,
		spoil_name,
		spoil_name_end,
	};
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(spoil) / sizeof(spoil[0]); i++)
		assert_refused(spoil[i]);
	assert_int_equal(vpc_port_set(port, &conf, now), 0);
}

static void port_set__another_network_forgets_its_flows(void **state)
{
	(void)state;
	out_tcp(PEER, 80, TCP_SYN);
	assert_int_equal(tx(), VPC_WIRE);
	assert_int_equal(vpc_port_set(port, &conf, now), 0);
	assert_true(vpc_port_counters(port)->flows == 1);
	conf.vni = VNI + 1;
	assert_int_equal(vpc_port_set(port, &conf, now), 0);
	assert_true(vpc_port_counters(port)->flows == 0);
}

/* ---- guest -> network ---- */

static void tx__reaches_a_neighbour(void **state)
{
	(void)state;
	out_tcp(PEER, 80, TCP_SYN);
	assert_int_equal(tx(), VPC_WIRE);
	assert_memory_equal(frame_dst_mac(&f), peer_mac, 6);
	assert_memory_equal(frame_src_mac(&f), our_mac, 6);
	assert_memory_equal(f.h + 12, in.b + 12, in.len - 12);
	assert_true(vpc_port_counters(port)->frames[VPC_TX] == 1);
	assert_true(vpc_port_counters(port)->bytes[VPC_TX] == in.len);
}

static void tx__the_destination_mac_is_the_mappings(void **state)
{
	static const uint8_t someone[6] = { 6, 4, 4, 4, 4, 4 };

	(void)state;
	out_tcp(PEER, 80, TCP_SYN);
	memcpy(in.b, someone, 6);
	assert_int_equal(tx(), VPC_WIRE);
	assert_memory_equal(frame_dst_mac(&f), peer_mac, 6);
	out_tcp(OUTSIDE, 80, TCP_SYN);
	memcpy(in.b, peer_mac, 6);
	assert_int_equal(tx(), VPC_WIRE);
	assert_memory_equal(frame_dst_mac(&f), igw_mac, 6);
}

static void tx__a_flow_follows_a_mapping_that_moves(void **state)
{
	static const uint8_t new_mac[6] = { 6, 7, 7, 7, 7, 7 };
	struct vpc_addr peer = vpc_ipv4(PEER);

	(void)state;
	out_udp(PEER, 5000, 5001);
	assert_int_equal(tx(), VPC_WIRE);
	out_udp(PEER, 5000, 5001);
	assert_int_equal(tx(), VPC_WIRE);
	assert_memory_equal(frame_dst_mac(&f), peer_mac, 6);
	assert_int_equal(vpc_map_add(map, VNI, &peer, new_mac), 0);
	out_udp(PEER, 5000, 5001);
	assert_int_equal(tx(), VPC_WIRE);
	assert_memory_equal(frame_dst_mac(&f), new_mac, 6);
	assert_int_equal(vpc_map_del(map, VNI, &peer), 0);
	out_udp(PEER, 5000, 5001);
	assert_dropped(VPC_TX, VPC_R_MAPPING);
	/* ... and a route table that changes. */
	assert_int_equal(vpc_map_add(map, VNI, &peer, new_mac), 0);
	out_udp(PEER, 5000, 5001);
	assert_int_equal(tx(), VPC_WIRE);
	assert_int_equal(vpc_port_routes_set(port, NULL, 0), 0);
	out_udp(PEER, 5000, 5001);
	assert_dropped(VPC_TX, VPC_R_ROUTE);
}

static void tx__an_answer_passes_only_after_its_question(void **state)
{
	(void)state;
	in_tcp(PEER, 80, 40000, TCP_SYN | TCP_ACK);
	assert_dropped(VPC_RX, VPC_R_STATE);
	out_tcp(PEER, 80, TCP_SYN);
	assert_int_equal(tx(), VPC_WIRE);
	in_tcp(PEER, 80, 40000, TCP_SYN | TCP_ACK);
	assert_int_equal(rx(), VPC_GUEST);
	assert_memory_equal(f.h, in.b, in.len);
	in_tcp(PEER, 81, 40000, TCP_SYN | TCP_ACK);
	assert_dropped(VPC_RX, VPC_R_STATE);
}

static void tx__a_frame_that_is_dropped_opens_nothing(void **state)
{
	(void)state;
	out_tcp(NET_IP(172, 31, 0, 99), 80, TCP_SYN);
	assert_dropped(VPC_TX, VPC_R_MAPPING);
	assert_true(vpc_port_counters(port)->flows == 0);
	assert_int_equal(vpc_port_rules_set(port, NULL, 0), 0);
	out_tcp(PEER, 80, TCP_SYN);
	assert_dropped(VPC_TX, VPC_R_RULES);
	assert_true(vpc_port_counters(port)->flows == 0);
}

static void tx__rules_that_go_leave_known_flows(void **state)
{
	(void)state;
	out_udp(PEER, 5000, 5001);
	assert_int_equal(tx(), VPC_WIRE);
	assert_int_equal(vpc_port_rules_set(port, NULL, 0), 0);
	out_udp(PEER, 5000, 5001);
	assert_int_equal(tx(), VPC_WIRE);
	out_udp(PEER, 5002, 5001);
	assert_dropped(VPC_TX, VPC_R_RULES);
}

static void tx__a_router_may_speak_for_others_if_it_is_told_so(void **state)
{
	(void)state;
	out_udp(PEER, 5000, 5001);
	net_put32(in.b + 26, OUTSIDE);
	net_ip_fix(&in);
	assert_dropped(VPC_TX, VPC_R_SRC_ADDR);
	conf.source_dest_check = false;
	assert_int_equal(vpc_port_set(port, &conf, now), 0);
	assert_int_equal(tx(), VPC_WIRE);
	/* but for no host, no network and nobody special */
	net_put32(in.b + 26, NET_IP(127, 0, 0, 1));
	net_ip_fix(&in);
	assert_dropped(VPC_TX, VPC_R_SRC_ADDR);
	net_put32(in.b + 26, VPC_METADATA_ADDR);
	net_ip_fix(&in);
	assert_dropped(VPC_TX, VPC_R_SRC_ADDR);
}

static void tx__fragments_follow_their_first(void **state)
{
	(void)state;
	out_udp(PEER, 5000, 5001);
	net_frag(&in, 9, 40, 0);
	assert_dropped(VPC_TX, VPC_R_FRAGMENT);
	out_udp(PEER, 5000, 5001);
	net_frag(&in, 9, 0, 1);
	assert_int_equal(tx(), VPC_WIRE);
	out_udp(PEER, 5000, 5001);
	net_frag(&in, 9, 40, 0);
	assert_int_equal(tx(), VPC_WIRE);
	assert_memory_equal(frame_dst_mac(&f), peer_mac, 6);
	/* A first one that is denied takes the rest with it. */
	assert_int_equal(vpc_port_rules_set(port, NULL, 0), 0);
	out_udp(PEER, 6000, 5001);
	net_frag(&in, 10, 0, 1);
	assert_dropped(VPC_TX, VPC_R_RULES);
	out_udp(PEER, 6000, 5001);
	net_frag(&in, 10, 40, 0);
	assert_dropped(VPC_TX, VPC_R_FRAGMENT);
}

static void tx__the_mtu_is_a_limit(void **state)
{
	(void)state;
	out_udp(PEER, 5000, 5001);
	net_ipv4(&in, US, PEER, IP_UDP, 1480);
	net_udp(&in, 5000, 5001);
	assert_int_equal(in.len, 1514);
	assert_int_equal(tx(), VPC_WIRE);
	net_ipv4(&in, US, PEER, IP_UDP, 1481);
	net_udp(&in, 5000, 5001);
	assert_dropped(VPC_TX, VPC_R_MTU);
}

/* ---- ARP ---- */

static enum vpc_verdict who_has(uint32_t target)
{
	net_arp(&in, all, our_mac, 1, our_mac, US, target);
	return tx();
}

static void assert_arp(uint32_t target, const uint8_t mac[6])
{
	assert_int_equal(who_has(target), VPC_REPLY);
	assert_int_equal(reply.len, 60);
	assert_memory_equal(reply.b, our_mac, 6);
	assert_memory_equal(reply.b + 6, mac, 6);
	assert_memory_equal(reply.b + 12, "\x08\x06\x00\x01\x08\x00\x06\x04\x00\x02", 10);
	assert_memory_equal(reply.b + 22, mac, 6);
	assert_memory_equal(reply.b + 28, in.b + 38, 4);
	assert_memory_equal(reply.b + 32, our_mac, 6);
	assert_memory_equal(reply.b + 38, in.b + 28, 4);
}

static void arp__is_answered_for_all_there_are(void **state)
{
	(void)state;
	assert_arp(ROUTER, router_mac);
	assert_arp(PEER, peer_mac);
	assert_arp(VPC_METADATA_ADDR, router_mac);
	assert_arp(VPC_DNS_ADDR, router_mac);
}

static void vpc_probe__asks_the_guest_for_its_own_address(void **state)
{
	(void)state;
	assert_int_equal(vpc_probe(port, &reply), 0);
	net_arp(&in, our_mac, router_mac, 1, router_mac, ROUTER, US);
	assert_true(reply.len == 60);
	assert_memory_equal(reply.b, in.b, 42);
}

static void vpc_probe__has_nobody_to_ask_before_the_port_is_set(void **state)
{
	(void)state;
	assert_int_equal(vpc_probe(port, &reply), -ENOENT);
}

static void arp__is_not_answered_for_nobody_or_oneself(void **state)
{
	(void)state;
	assert_int_equal(who_has(NET_IP(172, 31, 0, 77)), VPC_DROP);
	assert_int_equal(who_has(OUTSIDE), VPC_DROP);
	assert_int_equal(who_has(NET_IP(169, 254, 1, 1)), VPC_DROP);
	assert_int_equal(who_has(US), VPC_DROP);
	/* The probe for one's own address must stay unanswered, that for the router's must not. */
	net_arp(&in, all, our_mac, 1, our_mac, 0, US);
	assert_dropped(VPC_TX, VPC_R_ARP);
	net_arp(&in, all, our_mac, 1, our_mac, 0, ROUTER);
	assert_int_equal(tx(), VPC_REPLY);
}

/* ---- metadata ---- */

static void metadata__http_and_dns_lead_there(void **state)
{
	(void)state;
	out_tcp(VPC_METADATA_ADDR, 80, TCP_SYN);
	assert_int_equal(tx(), VPC_METADATA);
	assert_memory_equal(frame_dst_mac(&f), vpc_metadata_mac, 6);
	out_udp(VPC_DNS_ADDR, 5000, 53);
	assert_int_equal(tx(), VPC_METADATA);
	out_tcp(VPC_DNS_ADDR, 53, TCP_SYN);
	assert_int_equal(tx(), VPC_METADATA);
	/* Not even without rules: as on EC2, security groups do not see it. */
	assert_int_equal(vpc_port_rules_set(port, NULL, 0), 0);
	out_tcp(VPC_METADATA_ADDR, 80, TCP_ACK);
	assert_int_equal(tx(), VPC_METADATA);
}

static void metadata__nothing_else_does(void **state)
{
	(void)state;
	out_tcp(VPC_METADATA_ADDR, 81, TCP_SYN);
	assert_dropped(VPC_TX, VPC_R_LINK_LOCAL);
	out_tcp(VPC_DNS_ADDR, 80, TCP_SYN);
	assert_dropped(VPC_TX, VPC_R_LINK_LOCAL);
	out_udp(VPC_METADATA_ADDR, 5000, 80);
	assert_dropped(VPC_TX, VPC_R_LINK_LOCAL);
	out_tcp(NET_IP(169, 254, 1, 1), 80, TCP_SYN);
	assert_dropped(VPC_TX, VPC_R_LINK_LOCAL);
	out_udp(VPC_DNS_ADDR, 5000, 53);
	net_frag(&in, 3, 0, 1);
	assert_dropped(VPC_TX, VPC_R_LINK_LOCAL);
}

static void metadata__a_flood_is_cut_as_on_ec2(void **state)
{
	unsigned i, passed = 0;

	(void)state;
	for (i = 0; i < 5000; i++) {
		out_udp(VPC_DNS_ADDR, 5000, 53);
		passed += tx() == VPC_METADATA;
	}
	assert_in_range(passed, 1000, 1100);
	assert_true(vpc_port_counters(port)->drop[VPC_TX][VPC_R_SERVICE_RATE] == 5000 - passed);
	/* The network goes on, and what one needs to use it. */
	assert_int_equal(who_has(ROUTER), VPC_REPLY);
	out_tcp(PEER, 80, TCP_SYN);
	assert_int_equal(tx(), VPC_WIRE);
}

static int from_tap(struct vpc_port *const *ports, size_t cnt)
{
	return vpc_metadata_rx(ports, cnt, now, in.b, in.len, in.len, &f, &reply);
}

static void answer_http(uint32_t dst)
{
	net_eth(&in, vpc_metadata_router_mac, vpc_metadata_mac, ETH_TYPE_IPV4);
	net_ipv4(&in, VPC_METADATA_ADDR, dst, IP_TCP, 20);
	net_tcp(&in, 80, 40000, TCP_SYN | TCP_ACK);
}

static void metadata_rx__goes_to_who_asked(void **state)
{
	struct vpc_port *ports[3] = { NULL, port, NULL };

	(void)state;
	answer_http(US);
	assert_int_equal(from_tap(ports, 3), -EPROTO); /* it never asked */
	out_tcp(VPC_METADATA_ADDR, 80, TCP_SYN);
	assert_int_equal(tx(), VPC_METADATA);
	answer_http(US);
	assert_int_equal(from_tap(ports, 3), 1);
	assert_memory_equal(frame_dst_mac(&f), our_mac, 6);
	assert_memory_equal(frame_src_mac(&f), router_mac, 6);
	answer_http(PEER);
	assert_int_equal(from_tap(ports, 3), -EPROTO);
}

static void metadata_rx__of_two_networks_with_one_address_the_last_that_asked(void **state)
{
	struct vpc_port *other, *ports[2] = { port, NULL };
	uint8_t other_mac[6] = { 6, 2, 2, 2, 2, 2 };

	(void)state;
	out_tcp(VPC_METADATA_ADDR, 80, TCP_SYN);
	assert_int_equal(tx(), VPC_METADATA);
	assert_int_equal(vpc_port_new(map, seed, &other), 0);
	conf.vni++;
	memcpy(conf.mac, other_mac, 6);
	assert_int_equal(vpc_port_set(other, &conf, now), 0);
	ports[1] = other;
	answer_http(US);
	assert_int_equal(from_tap(ports, 2), 0);
	now++;
	out_tcp(VPC_METADATA_ADDR, 80, TCP_SYN);
	memcpy(in.b + 6, other_mac, 6);
	assert_int_equal(vpc_tx(other, now, in.b, in.len, in.len, &f, &reply), VPC_METADATA);
	answer_http(US);
	assert_int_equal(from_tap(ports, 2), 1);
	assert_memory_equal(frame_dst_mac(&f), other_mac, 6);
	vpc_port_free(other);
}

static void metadata_rx__says_nothing_but_its_services(void **state)
{
	struct vpc_port *ports[1] = { port };

	(void)state;
	out_tcp(VPC_METADATA_ADDR, 80, TCP_SYN);
	assert_int_equal(tx(), VPC_METADATA);
	answer_http(US);
	assert_int_equal(from_tap(ports, 1), 0);
	answer_http(US);
	in.b[11] ^= 1; /* another MAC */
	assert_int_equal(from_tap(ports, 1), -EPROTO);
	answer_http(US);
	net_put32(in.b + 26, PEER);
	net_ip_fix(&in);
	assert_int_equal(from_tap(ports, 1), -EPROTO);
	answer_http(US);
	net_put16(in.b + 34, 22);
	assert_int_equal(from_tap(ports, 1), -EPROTO);
	answer_http(US);
	in.b[12] = 0x86;
	assert_int_equal(from_tap(ports, 1), -EPROTO);
}

static void metadata_rx__arp_of_the_service_is_answered(void **state)
{
	struct vpc_port *ports[1] = { port };

	(void)state;
	net_arp(&in, all, vpc_metadata_mac, 1, vpc_metadata_mac, VPC_METADATA_ADDR, US);
	assert_int_equal(from_tap(ports, 1), -EAGAIN);
	assert_memory_equal(reply.b + 22, vpc_metadata_router_mac, 6);
	assert_memory_equal(reply.b, vpc_metadata_mac, 6);
	net_arp(&in, all, vpc_metadata_mac, 1, vpc_metadata_mac, VPC_METADATA_ADDR, VPC_DNS_ADDR);
	assert_int_equal(from_tap(ports, 1), -EPROTO);
	net_arp(&in, all, our_mac, 1, our_mac, VPC_METADATA_ADDR, US);
	assert_int_equal(from_tap(ports, 1), -EPROTO);
}

/* ---- network -> guest ---- */

static void rx__rules_decide_who_comes_in(void **state)
{
	(void)state;
	in_tcp(OUTSIDE, 999, 22, TCP_SYN);
	assert_int_equal(rx(), VPC_GUEST);
	in_tcp(OUTSIDE, 999, 23, TCP_SYN);
	assert_dropped(VPC_RX, VPC_R_RULES);
	/* The guest may answer, and nothing else. */
	assert_int_equal(vpc_port_rules_set(port, NULL, 0), 0);
	net_eth(&in, router_mac, our_mac, ETH_TYPE_IPV4);
	net_ipv4(&in, US, OUTSIDE, IP_TCP, 20);
	net_tcp(&in, 22, 999, TCP_SYN | TCP_ACK);
	assert_int_equal(tx(), VPC_WIRE);
	assert_memory_equal(frame_dst_mac(&f), igw_mac, 6);
	net_tcp(&in, 22, 998, TCP_SYN | TCP_ACK);
	assert_dropped(VPC_TX, VPC_R_STATE);
}

static void rx__is_for_this_guest_only(void **state)
{
	(void)state;
	in_tcp(PEER, 999, 22, TCP_SYN);
	memcpy(in.b, peer_mac, 6);
	assert_dropped(VPC_RX, VPC_R_DST_MAC);
	in_tcp(PEER, 999, 22, TCP_SYN);
	memcpy(in.b, all, 6);
	assert_dropped(VPC_RX, VPC_R_DST_MAC);
	in_tcp(PEER, 999, 22, TCP_SYN);
	net_put32(in.b + 30, NET_IP(172, 31, 0, 9));
	net_ip_fix(&in);
	assert_dropped(VPC_RX, VPC_R_DST_ADDR);
	in_tcp(US, 999, 22, TCP_SYN);
	assert_dropped(VPC_RX, VPC_R_SRC_ADDR);
	in_tcp(NET_IP(169, 254, 169, 254), 999, 22, TCP_SYN);
	assert_dropped(VPC_RX, VPC_R_LINK_LOCAL);
	net_arp(&in, our_mac, peer_mac, 2, peer_mac, ROUTER, US);
	assert_dropped(VPC_RX, VPC_R_ARP);
}

static void wait__leaves_frames_where_they_are(void **state)
{
	unsigned i;

	(void)state;
	conf.bps_baseline = 8000000; /* 1 MB/s */
	conf.pps = 1000000;
	assert_int_equal(vpc_port_set(port, &conf, now), 0);
	for (i = 0; i < 10000 && vpc_wait_ns(port, VPC_TX, now) == 0; i++) {
		out_udp(PEER, 5000, 5001);
		(void)!tx();
	}
	assert_in_range(i, 100, 9000);
	assert_true(vpc_wait_ns(port, VPC_TX, now) > 0);
	assert_true(vpc_wait_ns(port, VPC_RX, now) == 0);
	assert_true(vpc_port_counters(port)->limited[VPC_TX] == 1);
	now += vpc_wait_ns(port, VPC_TX, now);
	assert_true(vpc_wait_ns(port, VPC_TX, now) == 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(vpc_probe__asks_the_guest_for_its_own_address),
		cmocka_unit_test_setup_teardown(vpc_probe__has_nobody_to_ask_before_the_port_is_set,
						setup_empty, teardown),
		cmocka_unit_test_setup_teardown(port__drops_everything_until_it_is_configured,
						setup_empty, teardown),
		T(port_set__refuses_what_contradicts_itself),
		T(port_set__another_network_forgets_its_flows),
		T(tx__reaches_a_neighbour),
		T(tx__the_destination_mac_is_the_mappings),
		T(tx__a_flow_follows_a_mapping_that_moves),
		T(tx__an_answer_passes_only_after_its_question),
		T(tx__a_frame_that_is_dropped_opens_nothing),
		T(tx__rules_that_go_leave_known_flows),
		T(tx__a_router_may_speak_for_others_if_it_is_told_so),
		T(tx__fragments_follow_their_first),
		T(tx__the_mtu_is_a_limit),
		T(arp__is_answered_for_all_there_are),
		T(arp__is_not_answered_for_nobody_or_oneself),
		T(metadata__http_and_dns_lead_there),
		T(metadata__nothing_else_does),
		T(metadata__a_flood_is_cut_as_on_ec2),
		T(metadata_rx__goes_to_who_asked),
		T(metadata_rx__of_two_networks_with_one_address_the_last_that_asked),
		T(metadata_rx__says_nothing_but_its_services),
		T(metadata_rx__arp_of_the_service_is_answered),
		T(rx__rules_decide_who_comes_in),
		T(rx__is_for_this_guest_only),
		T(wait__leaves_frames_where_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
