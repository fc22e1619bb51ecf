/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Inside the engine: what a port is made of, and the guards.
 *
 * A guard is one decision that keeps something out, alone in its file guard_NAME.c: the isolation tests link another one
 * in its place to show that without it the probes would pass. It returns VPC_REASONS to let a frame pass, else the reason.
 */

#include "vpc/conntrack.h"
#include "vpc/fragment.h"
#include "vpc/hash.h"
#include "vpc/limit.h"
#include "vpc/route.h"
#include "vpc/secgroup.h"
#include "vpc/vpc.h"

enum { VPC_PASS = VPC_REASONS };

struct vpc_port {
	bool set;
	const struct vpc_map *map; /* borrowed */
	struct vpc_interface conf;
	/* From conf, host order. */
	uint32_t addr4[VPC_ADDRESSES_MAX];
	unsigned addr4_cnt;
	uint32_t router4, broadcast4; /* of the subnet */
	uint8_t router_mac[6];

	struct secgroup groups;
	struct route_table routes;
	uint32_t route_gen;
	struct conntrack ct;
	struct fragments fragments[VPC_DIRECTIONS];
	struct limit limit;
	uint64_t metadata_ns; /* when the guest last spoke to the metadata service; 0: never */
	bool waiting[VPC_DIRECTIONS];
	struct vpc_counters counters;
};

/* vpc_map_gen(): another number after each change. */
uint32_t vpc_map_gen(const struct vpc_map *m);

bool port_has_addr4(const struct vpc_port *p, uint32_t addr);

/* ---- answers ---- */

/**
 * arp_answer() - the request in @f, from whoever has @mac
 * @addr: does somebody have the address? Return true and the MAC to tell.
 *
 * spec: rfc-826
 */
struct arp_request {
	uint8_t sender_mac[6];
	uint32_t sender, target; /* host order */
};
/* arp_parse(): Return: 0 a request, -EPROTO: anything else. */
MUST_USE int arp_parse(const struct frame *f, struct arp_request *ret);
void arp_reply_build(const struct arp_request *req, const uint8_t mac[6], struct vpc_reply *ret);

/* dhcp_answer(): spec: rfc-2131, rfc-2132. Return: true: a reply was built. */
MUST_USE bool dhcp_answer(const struct vpc_port *p, const uint8_t *frame, size_t len,
			  struct vpc_reply *reply);

/* ---- guards ---- */

/* TX: the guest speaks as itself. */
unsigned guard_src_mac(const struct vpc_port *p, const struct frame *f);
unsigned guard_src_addr(const struct vpc_port *p, const struct frame *f);
/* TX and RX: one receiver, and not this host. */
unsigned guard_unicast(const struct vpc_port *p, const struct frame *f);
/* TX: no longer than the network carries. */
unsigned guard_mtu(const struct vpc_port *p, const struct frame *f);
/* TX and RX: nobody but the card is a DHCP server. */
unsigned guard_dhcp(const struct vpc_port *p, const struct frame *f);
/* TX: of 169.254.0.0/16 only the services; RX: nothing. */
unsigned guard_link_local(const struct vpc_port *p, const struct frame *f);
/* RX: it is for this guest. */
unsigned guard_dst_mac(const struct vpc_port *p, const struct frame *f);
unsigned guard_dst_addr(const struct vpc_port *p, const struct frame *f);
/* RX: nobody speaks as the guest itself. */
unsigned guard_not_self(const struct vpc_port *p, const struct frame *f);
/* TX: the services are for a guest that does not flood them. */
unsigned guard_service_rate(struct vpc_port *p, enum limit_service which, uint64_t now_ns);
/* TX: what is neither IPv4 nor ARP goes nowhere. @why: what frame_parse() said. */
enum vpc_verdict guard_other(struct vpc_port *p, struct frame *f, unsigned why);
/* TX: ARP is answered, never forwarded. */
enum vpc_verdict guard_arp(struct vpc_port *p, uint64_t now_ns, struct frame *f,
			   struct vpc_reply *reply);
/* RX: nobody but the card speaks ARP to the guest. */
enum vpc_verdict guard_arp_rx(struct vpc_port *p, const struct frame *f);
/* TX: the next hop is the mapping's, whatever the guest wrote. Return: VPC_PASS and @ret_mac, else the reason. */
unsigned guard_next_hop(struct vpc_port *p, const struct frame *f, struct ct_flow *flow,
			uint8_t ret_mac[6]);
