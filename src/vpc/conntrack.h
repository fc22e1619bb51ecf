/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Tracked connections of one port.
 *
 * A flow is (protocol, own address and port, remote address and port); ICMP echo counts by its identifier and by who asks.
 * The first packet of a flow must be allowed by a rule; what follows in either direction passes because the flow is known.
 * TCP begins with a SYN only, and every packet must fit the state the two sides are in (conntrack_tcp.c).
 * An ICMP error passes only if the packet it quotes was really sent by its receiver, in a flow that is known.
 *
 * The table is bounded. Flows lie in lists by what they are, each with one time-out, the one seen longest ago first. When
 * the table is full, room is made in this order: closed connections, half-open ones (of the newcomer's direction first),
 * closing ones, those without a handshake. Among half-open ones the remote with the most of them loses one. Established
 * TCP connections make room only after CT_IDLE_S without a packet: a flood cannot end them; the newcomer is refused.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "vpc/hash.h"
#include "vpc/vpc.h"

/* Seconds since the last packet. Those of EC2, where EC2 tells. */
enum {
	CT_HALF_S = 30,
	CT_CLOSED_S = 10,
	CT_CLOSING_S = 120,
	CT_REPLIED_S = 180,
	CT_OPEN_S = 432000,
	CT_IDLE_S = 350,
};

/*
 * States. "Opener" is the side that sent the first packet.
 *   NEW       opener spoke, nobody answered
 *   REPLIED   not TCP: both spoke
 *   SYN_ACK   TCP: the other side agreed; the opener has not confirmed
 *   OPEN      TCP: three-way handshake complete
 *   CLOSING   TCP: one side said FIN
 *   CLOSED    TCP: both did, or one said RST
 */
enum ct_state {
	CT_FREE,
	CT_NEW,
	CT_REPLIED,
	CT_SYN_ACK,
	CT_OPEN,
	CT_CLOSING,
	CT_CLOSED,
	CT_STATES
};

enum ct_list {
	CT_LIST_HALF_TX,
	CT_LIST_HALF_RX,
	CT_LIST_CLOSED,
	CT_LIST_CLOSING,
	CT_LIST_REPLIED,
	CT_LIST_OPEN,
	CT_LISTS
};

struct ct_key {
	uint64_t local[2], remote[2]; /* addresses, as in struct vpc_addr */
	uint16_t lport, rport;        /* ICMP echo: identifier; 1 if the local side asks, else 0 */
	uint8_t family, proto;
};

struct ct_flow {
	struct ct_key key;
	uint8_t state;   /* enum ct_state */
	uint8_t list;    /* enum ct_list */
	uint8_t opener;  /* enum vpc_direction: TX: the guest opened it */
	uint8_t fin;     /* bit per direction: a FIN was seen */
	uint8_t rst;     /* was open until a RST came from direction rst - 1 */
	uint16_t remote; /* index in half[] */
	uint32_t last_s;
	uint32_t chain;      /* next in the hash chain; 0: none */
	uint32_t prev, next; /* in the list; 0: none */
	/* The next hop of what the guest sends, valid while the generations are these. */
	uint32_t hop_map_gen, hop_route_gen;
	uint8_t hop_mac[6];
};

enum { CT_REMOTES = 1024 };

struct conntrack {
	struct vpc_hash_key hash_key;
	uint32_t cap;         /* flows there may be; at most VPC_CONNTRACK_MAX */
	uint32_t cnt, fresh;  /* flows there are; entries never used start here */
	uint32_t free;        /* chain of freed entries */
	uint32_t *head;       /* hash heads, VPC_CONNTRACK_MAX of them, owned pages */
	struct ct_flow *flow; /* [1 ...], owned pages */
	struct {
		uint32_t first, last;
	} list[CT_LISTS];
	uint32_t half[CT_REMOTES]; /* half-open flows by hash of the remote address */
	uint64_t evicted, expired; /* ever */
};

enum ct_answer {
	CT_KNOWN,    /* belongs to a flow, which moved on */
	CT_OPENS,    /* would open a flow: ask the rules, then conntrack_open() */
	CT_INVALID,  /* fits no flow */
	CT_BAD_ICMP, /* redirect, unknown type, or an error about nothing that was sent */
};

/* What conntrack_see() found, for conntrack_open() and the caller's own fields. */
struct ct_ref {
	struct ct_key key;
	uint32_t hash;
	struct ct_flow *
		flow; /* KNOWN: the flow, NULL for an ICMP error; OPENS: an old one with these ports, or NULL */
};

MUST_USE int conntrack_init(struct conntrack *ct, const uint8_t seed[16]);
void conntrack_done(struct conntrack *ct);
/* conntrack_clear(): forget every flow. */
void conntrack_clear(struct conntrack *ct);
/* conntrack_limit(): at most @cap flows from now on; what is too much is evicted in the usual order. */
void conntrack_limit(struct conntrack *ct, uint32_t cap, uint32_t now_s);
/* conntrack_see(): one packet with a whole transport header (f->l4). */
enum ct_answer conntrack_see(struct conntrack *ct, enum vpc_direction dir, const struct frame *f,
			     uint32_t now_s, struct ct_ref *ret);
/* conntrack_open(): after CT_OPENS. Return: 0 and ret->flow, -ENOBUFS: full of flows that must not go. */
MUST_USE int conntrack_open(struct conntrack *ct, enum vpc_direction dir, uint32_t now_s,
			    struct ct_ref *ref);
/* conntrack_expire(): forget up to @budget flows whose time is over. Return: how many. */
unsigned conntrack_expire(struct conntrack *ct, uint32_t now_s, unsigned budget);

/* ---- inside ---- */

/* conntrack_age_s(): the clock may stand still or, seen from a flow, a little back. */
static inline uint32_t conntrack_age_s(const struct ct_flow *f, uint32_t now_s)
{
	return now_s > f->last_s ? now_s - f->last_s : 0;
}

/* conntrack_victim(): who makes room for a flow opened in direction @dir? Return: its index, 0: nobody may be asked to. */
uint32_t conntrack_victim(const struct conntrack *ct, enum vpc_direction dir, uint32_t now_s);

/* conntrack_tcp(): the state after a segment with @flags from the opener (or the other side). Return: a state,
 * CT_FREE: it begins a new flow, -1: it does not fit. spec: rfc-9293 §3.3.2 */
int conntrack_tcp(const struct ct_flow *flow, bool from_opener, uint8_t flags);
/* conntrack_tcp_begins(): may a flow begin with these flags? */
bool conntrack_tcp_begins(uint8_t flags);

enum ct_icmp { CT_ICMP_ASK, CT_ICMP_ANSWER, CT_ICMP_ERROR, CT_ICMP_OTHER };
/* conntrack_icmp(): what kind of message; only echo, and errors 3, 11, 12. */
enum ct_icmp conntrack_icmp(uint8_t type);
/* conntrack_quote(): the key of the packet that an ICMP error quotes. Return: 0, -EPROTO: cut, contradictory, or not about its receiver. */
MUST_USE int conntrack_quote(enum vpc_direction dir, const struct frame *f, struct ct_key *ret);
/* conntrack_find(): Return: the living flow or NULL. */
struct ct_flow *conntrack_find(struct conntrack *ct, const struct ct_key *key, uint32_t now_s,
			       uint32_t *ret_hash);
