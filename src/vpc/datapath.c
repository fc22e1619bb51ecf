/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Frame in, verdict out. Every guard is a file of its own (vpc_priv.h); this file is their order.
 */

#include <errno.h>
#include <string.h>

#include "vpc/vpc_priv.h"

enum { NS_PER_S = 1000000000, PORT_HTTP = 80, PORT_DNS = 53, DHCP_SERVER = 67, DHCP_CLIENT = 68 };

const uint8_t vpc_metadata_mac[6] = { 0x02, 0x00, 0xa9, 0xfe, 0xa9, 0xfe };
const uint8_t vpc_metadata_router_mac[6] = { 0x02, 0x00, 0xa9, 0xfe, 0xa9, 0x01 };

static enum vpc_verdict drop(struct vpc_port *p, enum vpc_direction dir, unsigned why)
{
	p->counters.drop[dir][why]++;
	return VPC_DROP;
}

static unsigned reason_of(enum frame_error e)
{
	switch (e) {
	case FRAME_VLAN:
		return VPC_R_VLAN;
	case FRAME_IPV6:
		return VPC_R_IPV6;
	case FRAME_ETHERTYPE:
		return VPC_R_ETHERTYPE;
	case FRAME_OPTIONS:
		return VPC_R_OPTIONS;
	case FRAME_TINY:
		return VPC_R_FRAGMENT;
	case FRAME_MALFORMED:
	case FRAME_OK:
		break;
	}
	return VPC_R_MALFORMED;
}

uint64_t vpc_wait_ns(struct vpc_port *p, enum vpc_direction dir, uint64_t now_ns)
{
	enum limit_cause cause;
	uint64_t wait_ns;

	if (!p->set)
		return 0; /* it is going to be dropped */
	wait_ns = limit_wait_ns(&p->limit, dir, now_ns, &cause);
	if (wait_ns && !p->waiting[dir]) {
		p->counters.limited[dir] += cause == LIMIT_BANDWIDTH;
		p->counters.pps_limited += cause == LIMIT_PACKETS;
	}
	p->waiting[dir] = wait_ns != 0;
	return wait_ns;
}

/* ---- both directions: fragments, connections, rules ---- */

/* Return: VPC_PASS or the reason. *ret_ref: what is tracked; ->flow NULL for a later fragment or an ICMP error. */
static unsigned track(struct vpc_port *p, enum vpc_direction dir, const struct frame *f,
		      uint32_t now_s, struct ct_ref *ret_ref, bool *ret_opens)
{
	*ret_opens = false;
	ret_ref->flow = NULL;
	if (f->frag_off)
		return fragment_later(&p->fragments[dir], f, now_s) ? VPC_PASS : VPC_R_FRAGMENT;
	switch (conntrack_see(&p->ct, dir, f, now_s, ret_ref)) {
	case CT_KNOWN:
		return VPC_PASS;
	case CT_OPENS:
		*ret_opens = true;
		return secgroup_allows(&p->groups, dir, f) ? VPC_PASS : VPC_R_RULES;
	case CT_BAD_ICMP:
		return VPC_R_ICMP;
	case CT_INVALID:
		break;
	}
	return VPC_R_STATE;
}

/* The frame passes: remember what follows from it. */
static unsigned commit(struct vpc_port *p, enum vpc_direction dir, const struct frame *f,
		       uint32_t now_s, struct ct_ref *ref, bool opens)
{
	if (f->frag_more && !f->frag_off && !fragment_first(&p->fragments[dir], f, now_s))
		return VPC_R_FRAGMENT;
	if (opens && conntrack_open(&p->ct, dir, now_s, ref) < 0)
		return VPC_R_CONNTRACK_FULL;
	return VPC_PASS;
}

static enum vpc_verdict pass(struct vpc_port *p, enum vpc_direction dir, const struct frame *f,
			     enum vpc_verdict v)
{
	p->counters.frames[dir]++;
	p->counters.bytes[dir] += f->len;
	return v;
}

/* ---- guest -> network ---- */

/* A client's message to the only DHCP server there is. */
static bool is_dhcp(const struct vpc_port *p, const struct frame *f)
{
	return f->proto == IP_UDP && f->l4 && !f->frag_more && f->sport == DHCP_CLIENT &&
	       f->dport == DHCP_SERVER && (f->dst == UINT32_MAX || f->dst == p->router4) &&
	       (f->src == 0 || port_has_addr4(p, f->src));
}

static bool is_service(const struct frame *f, uint32_t addr, uint16_t port)
{
	bool http = addr == VPC_METADATA_ADDR && port == PORT_HTTP && f->proto == IP_TCP;
	bool dns = addr == VPC_DNS_ADDR && port == PORT_DNS &&
		   (f->proto == IP_TCP || f->proto == IP_UDP);

	return f->l4 && !frame_is_fragment(f) && (http || dns);
}

static enum vpc_verdict tx_service(struct vpc_port *p, uint64_t now_ns, struct frame *f)
{
	unsigned why;

	why = f->len > VPC_METADATA_MTU + ETH_BYTES
		      ? VPC_R_MTU
		      : guard_service_rate(p, LIMIT_LINK_LOCAL, now_ns);
	if (why != VPC_PASS)
		return drop(p, VPC_TX, why);
	memcpy(f->h, vpc_metadata_mac, 6);
	p->metadata_ns = now_ns;
	p->counters.metadata_tx++;
	return VPC_METADATA;
}

static enum vpc_verdict tx_forward(struct vpc_port *p, uint64_t now_ns, struct frame *f)
{
	uint32_t now_s = (uint32_t)(now_ns / NS_PER_S);
	struct ct_ref ref;
	uint8_t mac[6];
	unsigned why;
	bool opens;

	why = track(p, VPC_TX, f, now_s, &ref, &opens);
	if (why == VPC_PASS)
		why = guard_next_hop(p, f, opens ? NULL : ref.flow, mac);
	if (why == VPC_PASS)
		why = commit(p, VPC_TX, f, now_s, &ref, opens);
	if (why != VPC_PASS)
		return drop(p, VPC_TX, why);
	memcpy(f->h, mac, 6);
	return pass(p, VPC_TX, f, VPC_WIRE);
}

static enum vpc_verdict tx_ipv4(struct vpc_port *p, uint64_t now_ns, struct frame *f)
{
	unsigned why;

	if (is_dhcp(p, f)) {
		why = guard_service_rate(p, LIMIT_ANSWERS, now_ns);
		return why == VPC_PASS ? VPC_DHCP : drop(p, VPC_TX, why);
	}
	why = guard_src_addr(p, f);
	if (why == VPC_PASS)
		why = guard_mtu(p, f);
	if (why != VPC_PASS)
		return drop(p, VPC_TX, why);
	/* Only in an address of its own, also when the guest routes: the answer comes back to that. */
	if (is_service(f, f->dst, f->dport) && port_has_addr4(p, f->src))
		return tx_service(p, now_ns, f);

	why = guard_unicast(p, f);
	if (why == VPC_PASS)
		why = guard_link_local(p, f);
	if (why == VPC_PASS)
		why = guard_dhcp(p, f);
	return why == VPC_PASS ? tx_forward(p, now_ns, f) : drop(p, VPC_TX, why);
}

enum vpc_verdict vpc_tx(struct vpc_port *p, uint64_t now_ns, const void *hdr, size_t have,
			size_t len, struct frame *f, struct vpc_reply *reply)
{
	enum frame_error e;
	unsigned why;
	int r;

	if (!p->set)
		return drop(p, VPC_TX, VPC_R_UNCONFIGURED);
	limit_charge(&p->limit, VPC_TX, len, now_ns);
	r = frame_parse(hdr, have, len, f, &e);
	if (r < 0 && f->h_len < ETH_BYTES)
		return drop(p, VPC_TX, VPC_R_MALFORMED);
	why = guard_src_mac(p, f);
	if (why != VPC_PASS)
		return drop(p, VPC_TX, why);
	if (r < 0)
		return guard_other(p, f, reason_of(e));
	if (f->kind == FRAME_ARP)
		return guard_arp(p, now_ns, f, reply);
	return tx_ipv4(p, now_ns, f);
}

enum vpc_verdict vpc_dhcp(struct vpc_port *p, const void *frame, size_t len,
			  struct vpc_reply *reply)
{
	enum frame_error e;
	struct frame f;

	if (!p->set)
		return drop(p, VPC_TX, VPC_R_UNCONFIGURED);
	if (frame_parse(frame, len, len, &f, &e) < 0 || f.kind != FRAME_IPV4 || !is_dhcp(p, &f) ||
	    guard_src_mac(p, &f) != VPC_PASS ||
	    !dhcp_answer(p, frame, (size_t)f.l3 + f.l3_len, reply))
		return drop(p, VPC_TX, VPC_R_DHCP);
	p->counters.dhcp_replies++;
	return VPC_REPLY;
}

/* ---- network -> guest ---- */

static unsigned rx_check(const struct vpc_port *p, const struct frame *f)
{
	unsigned why;

	why = guard_dst_mac(p, f);
	if (why == VPC_PASS)
		why = guard_dst_addr(p, f);
	if (why == VPC_PASS)
		why = guard_not_self(p, f);
	if (why == VPC_PASS)
		why = guard_unicast(p, f);
	if (why == VPC_PASS)
		why = guard_link_local(p, f);
	return why == VPC_PASS ? guard_dhcp(p, f) : why;
}

enum vpc_verdict vpc_rx(struct vpc_port *p, uint64_t now_ns, const void *hdr, size_t have,
			size_t len, struct frame *f)
{
	uint32_t now_s = (uint32_t)(now_ns / NS_PER_S);
	struct ct_ref ref;
	enum frame_error e;
	unsigned why;
	bool opens;

	if (!p->set)
		return drop(p, VPC_RX, VPC_R_UNCONFIGURED);
	limit_charge(&p->limit, VPC_RX, len, now_ns);
	if (frame_parse(hdr, have, len, f, &e) < 0)
		return drop(p, VPC_RX, reason_of(e));
	if (f->kind == FRAME_ARP)
		return guard_arp_rx(p, f);
	why = rx_check(p, f);
	if (why == VPC_PASS)
		why = track(p, VPC_RX, f, now_s, &ref, &opens);
	if (why == VPC_PASS)
		why = commit(p, VPC_RX, f, now_s, &ref, opens);
	return why == VPC_PASS ? pass(p, VPC_RX, f, VPC_GUEST) : drop(p, VPC_RX, why);
}

/* ---- metadata -> guest ---- */

/* The port with this address that spoke to the service last: networks of one guest may overlap. */
static int port_with(struct vpc_port *const *port, size_t cnt, uint32_t addr)
{
	int best = -EPROTO;
	size_t i;

	for (i = 0; i < cnt; i++) {
		struct vpc_port *p = port[i];

		if (!p || !p->set || !p->metadata_ns || !port_has_addr4(p, addr))
			continue;
		if (best < 0 || p->metadata_ns > port[best]->metadata_ns)
			best = (int)i;
	}
	return best;
}

static int metadata_arp(const struct frame *f, struct vpc_reply *reply)
{
	struct arp_request req;

	if (arp_parse(f, &req) < 0 || memcmp(req.sender_mac, vpc_metadata_mac, 6) != 0 ||
	    req.target == VPC_METADATA_ADDR || req.target == VPC_DNS_ADDR)
		return -EPROTO;
	arp_reply_build(&req, vpc_metadata_router_mac, reply);
	return -EAGAIN;
}

int vpc_metadata_rx(struct vpc_port *const *port, size_t cnt, uint64_t now_ns, const void *hdr,
		    size_t have, size_t len, struct frame *f, struct vpc_reply *reply)
{
	enum frame_error e;
	int i;

	(void)now_ns;
	if (frame_parse(hdr, have, len, f, &e) < 0 || len > VPC_METADATA_MTU + ETH_BYTES)
		return -EPROTO;
	if (f->kind == FRAME_ARP)
		return metadata_arp(f, reply);
	if (memcmp(frame_src_mac(f), vpc_metadata_mac, 6) != 0 ||
	    memcmp(frame_dst_mac(f), vpc_metadata_router_mac, 6) != 0 ||
	    !is_service(f, f->src, f->sport))
		return -EPROTO;
	i = port_with(port, cnt, f->dst);
	if (i < 0)
		return i;
	memcpy(f->h, port[i]->conf.mac, 6);
	memcpy(f->h + 6, port[i]->router_mac, 6);
	port[i]->counters.metadata_rx++;
	return i;
}
