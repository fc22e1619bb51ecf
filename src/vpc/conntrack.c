/* SPDX-License-Identifier: Apache-2.0 */

#include "vpc/conntrack.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/num.h"

enum { EXPIRE_FIRST = 8 /* flows looked for whose time is over, before one is evicted */ };

static const uint32_t timeout_s[CT_LISTS] = {
	[CT_LIST_HALF_TX] = CT_HALF_S,    [CT_LIST_HALF_RX] = CT_HALF_S,
	[CT_LIST_CLOSED] = CT_CLOSED_S,   [CT_LIST_CLOSING] = CT_CLOSING_S,
	[CT_LIST_REPLIED] = CT_REPLIED_S, [CT_LIST_OPEN] = CT_OPEN_S,
};

int conntrack_init(struct conntrack *ct, const uint8_t seed[16])
{
	void *p;
	int r;

	memset(ct, 0, sizeof(*ct));
	ct->hash_key = (struct vpc_hash_key){ { le64_load(seed), le64_load(seed + 8) } };
	r = mem_zalloc_pages(VPC_CONNTRACK_MAX * sizeof(*ct->head), &p);
	if (r < 0)
		return r;
	ct->head = p;
	r = mem_zalloc_pages((VPC_CONNTRACK_MAX + 1ul) * sizeof(*ct->flow), &p);
	if (r < 0) {
		conntrack_done(ct);
		return r;
	}
	ct->flow = p;
	ct->cap = VPC_CONNTRACK_DEFAULT;
	ct->fresh = 1;
	return 0;
}

void conntrack_done(struct conntrack *ct)
{
	if (ct->head)
		mem_free_pages(ct->head, VPC_CONNTRACK_MAX * sizeof(*ct->head));
	if (ct->flow)
		mem_free_pages(ct->flow, (VPC_CONNTRACK_MAX + 1ul) * sizeof(*ct->flow));
	ct->head = NULL;
	ct->flow = NULL;
}

/* ---- lists and hash ---- */

static bool half_open(const struct ct_flow *f)
{
	return f->list <= CT_LIST_HALF_RX;
}

static uint32_t *half_of(struct conntrack *ct, const struct ct_flow *f)
{
	return &ct->half[f->remote];
}

static void list_del(struct conntrack *ct, struct ct_flow *f)
{
	if (f->prev)
		ct->flow[f->prev].next = f->next;
	else
		ct->list[f->list].first = f->next;
	if (f->next)
		ct->flow[f->next].prev = f->prev;
	else
		ct->list[f->list].last = f->prev;
	if (half_open(f))
		--*half_of(ct, f);
}

static void list_add(struct conntrack *ct, struct ct_flow *f, enum ct_list list)
{
	uint32_t idx = (uint32_t)(f - ct->flow), last = ct->list[list].last;

	f->list = (uint8_t)list;
	f->prev = last;
	f->next = 0;
	ct->list[list].last = idx;
	if (last)
		ct->flow[last].next = idx;
	else
		ct->list[list].first = idx;
	if (half_open(f))
		++*half_of(ct, f);
}

static enum ct_list list_of(const struct ct_flow *f)
{
	switch ((enum ct_state)f->state) {
	case CT_NEW:
	case CT_SYN_ACK:
		return f->opener == VPC_TX ? CT_LIST_HALF_TX : CT_LIST_HALF_RX;
	case CT_REPLIED:
		return CT_LIST_REPLIED;
	case CT_OPEN:
		return CT_LIST_OPEN;
	case CT_CLOSING:
		return CT_LIST_CLOSING;
	case CT_CLOSED:
	case CT_FREE:
	case CT_STATES:
		break;
	}
	return CT_LIST_CLOSED;
}

static uint32_t hash_of(const struct conntrack *ct, const struct ct_key *k)
{
	uint64_t tail = (uint64_t)k->lport << 48 | (uint64_t)k->rport << 32 |
			(uint32_t)k->family << 8 | k->proto;
	uint64_t v4[2] = { k->local[0] << 32 | (uint32_t)k->remote[0], tail };
	uint64_t v6[5] = { k->local[0], k->local[1], k->remote[0], k->remote[1], tail };

	return (uint32_t)(k->family == VPC_IPV4 ? vpc_hash(&ct->hash_key, v4, 2)
						: vpc_hash(&ct->hash_key, v6, 5));
}

static bool key_equal(const struct ct_key *a, const struct ct_key *b)
{
	return a->local[0] == b->local[0] && a->remote[0] == b->remote[0] && a->lport == b->lport &&
	       a->rport == b->rport && a->proto == b->proto && a->family == b->family &&
	       a->local[1] == b->local[1] && a->remote[1] == b->remote[1];
}

static uint32_t *head_of(struct conntrack *ct, uint32_t hash)
{
	return &ct->head[hash & (VPC_CONNTRACK_MAX - 1)];
}

static void flow_del(struct conntrack *ct, struct ct_flow *f)
{
	uint32_t idx = (uint32_t)(f - ct->flow);
	uint32_t *at = head_of(ct, hash_of(ct, &f->key));

	while (*at != idx) {
		must(*at); /* it is in its chain */
		at = &ct->flow[*at].chain;
	}
	*at = f->chain;
	list_del(ct, f);
	f->state = CT_FREE;
	f->chain = ct->free;
	ct->free = idx;
	ct->cnt--;
}

void conntrack_clear(struct conntrack *ct)
{
	unsigned i;

	for (i = 0; i < CT_LISTS; i++)
		while (ct->list[i].first)
			flow_del(ct, &ct->flow[ct->list[i].first]);
}

unsigned conntrack_expire(struct conntrack *ct, uint32_t now_s, unsigned budget)
{
	unsigned i, done = 0;

	for (i = 0; i < CT_LISTS; i++) {
		while (done < budget && ct->list[i].first) {
			struct ct_flow *f = &ct->flow[ct->list[i].first];

			if (conntrack_age_s(f, now_s) < timeout_s[i])
				break;
			flow_del(ct, f);
			done++;
		}
	}
	ct->expired += done;
	return done;
}

/* ---- making room ---- */

void conntrack_limit(struct conntrack *ct, uint32_t cap, uint32_t now_s)
{
	ct->cap = (uint32_t)min_u64(cap ? cap : VPC_CONNTRACK_DEFAULT, VPC_CONNTRACK_MAX);
	while (ct->cnt > ct->cap) {
		uint32_t idx = conntrack_victim(ct, VPC_RX, now_s);

		flow_del(ct, &ct->flow[idx ? idx : ct->list[CT_LIST_OPEN].first]);
		ct->evicted++;
	}
}

static int room_make(struct conntrack *ct, enum vpc_direction dir, uint32_t now_s)
{
	uint32_t idx;

	if (ct->cnt < ct->cap || conntrack_expire(ct, now_s, EXPIRE_FIRST))
		return 0;
	idx = conntrack_victim(ct, dir, now_s);
	if (!idx)
		return -ENOBUFS;
	flow_del(ct, &ct->flow[idx]);
	ct->evicted++;
	return 0;
}

int conntrack_open(struct conntrack *ct, enum vpc_direction dir, uint32_t now_s, struct ct_ref *ref)
{
	struct ct_flow *f;
	uint32_t idx, *head;
	int r;

	/* Its ports are used again: the old one is over. */
	if (ref->flow)
		flow_del(ct, ref->flow);
	ref->flow = NULL;
	r = room_make(ct, dir, now_s);
	if (r < 0)
		return r;
	idx = ct->free;
	if (idx)
		ct->free = ct->flow[idx].chain;
	else
		idx = ct->fresh++;
	ct->cnt++;

	f = &ct->flow[idx];
	head = head_of(ct, ref->hash);
	*f = (struct ct_flow){
		.key = ref->key,
		.state = CT_NEW,
		.opener = (uint8_t)dir,
		.remote = (uint16_t)(vpc_hash(&ct->hash_key, ref->key.remote, 2) % CT_REMOTES),
		.last_s = now_s,
		.chain = *head,
	};
	*head = idx;
	list_add(ct, f, list_of(f));
	ref->flow = f;
	return 0;
}

/* ---- one packet ---- */

struct ct_flow *conntrack_find(struct conntrack *ct, const struct ct_key *key, uint32_t now_s,
			       uint32_t *ret_hash)
{
	uint32_t hash = hash_of(ct, key), idx;

	*ret_hash = hash;
	for (idx = *head_of(ct, hash); idx; idx = ct->flow[idx].chain) {
		struct ct_flow *f = &ct->flow[idx];

		if (!key_equal(&f->key, key))
			continue;
		if (conntrack_age_s(f, now_s) < timeout_s[f->list])
			return f;
		flow_del(ct, f);
		ct->expired++;
		return NULL;
	}
	return NULL;
}

static void flow_move(struct conntrack *ct, struct ct_flow *f, enum vpc_direction dir, int to,
		      uint32_t now_s, uint8_t tcp_flags)
{
	bool changed = f->state != to;

	if (f->key.proto == IP_TCP) {
		if (tcp_flags & TCP_FIN)
			f->fin |= (uint8_t)(1u << dir);
		if (to == CT_CLOSED && changed && tcp_flags & TCP_RST &&
		    (f->state == CT_OPEN || f->state == CT_CLOSING))
			f->rst = (uint8_t)(dir + 1);
		else if (to != CT_CLOSED)
			f->rst = 0;
	}
	f->state = (uint8_t)to;
	/* A closed connection gets no more time. Within a second nothing needs to move. */
	if (!changed && (to == CT_CLOSED || f->last_s == now_s))
		return;
	f->last_s = now_s;
	list_del(ct, f);
	list_add(ct, f, list_of(f));
}

/* The flow's key as seen from the guest. */
static void key_of(enum vpc_direction dir, const struct frame *f, struct ct_key *ret)
{
	bool tx = dir == VPC_TX;

	*ret = (struct ct_key){ .family = VPC_IPV4, .proto = f->proto };
	ret->local[0] = __builtin_bswap32(tx ? f->src : f->dst);
	ret->remote[0] = __builtin_bswap32(tx ? f->dst : f->src);
	if (f->proto == IP_ICMP) {
		ret->lport = f->sport;
		ret->rport = (conntrack_icmp(f->icmp_type) == CT_ICMP_ASK) == tx;
	} else if (f->proto == IP_TCP || f->proto == IP_UDP) {
		ret->lport = tx ? f->sport : f->dport;
		ret->rport = tx ? f->dport : f->sport;
	}
}

static enum ct_answer see_error(struct conntrack *ct, enum vpc_direction dir, const struct frame *f,
				uint32_t now_s, struct ct_ref *ret)
{
	struct ct_flow *flow;

	if (conntrack_quote(dir, f, &ret->key) < 0)
		return CT_BAD_ICMP;
	flow = conntrack_find(ct, &ret->key, now_s, &ret->hash);
	/* Its receiver must have sent something in that flow: it opened it, or it answered. */
	if (!flow || (flow->state == CT_NEW && flow->opener == dir))
		return CT_BAD_ICMP;
	return CT_KNOWN;
}

enum ct_answer conntrack_see(struct conntrack *ct, enum vpc_direction dir, const struct frame *f,
			     uint32_t now_s, struct ct_ref *ret)
{
	enum ct_icmp icmp = f->proto == IP_ICMP ? conntrack_icmp(f->icmp_type) : CT_ICMP_ASK;
	struct ct_flow *flow;
	int to;

	ret->flow = NULL;
	if (icmp == CT_ICMP_OTHER)
		return CT_BAD_ICMP;
	if (icmp == CT_ICMP_ERROR)
		return see_error(ct, dir, f, now_s, ret);

	key_of(dir, f, &ret->key);
	flow = conntrack_find(ct, &ret->key, now_s, &ret->hash);
	if (!flow) {
		if (f->proto == IP_TCP)
			return conntrack_tcp_begins(f->tcp_flags) ? CT_OPENS : CT_INVALID;
		return icmp == CT_ICMP_ANSWER ? CT_INVALID : CT_OPENS;
	}

	if (f->proto == IP_TCP)
		to = conntrack_tcp(flow, flow->opener == dir, f->tcp_flags);
	else
		to = flow->opener == dir ? flow->state : CT_REPLIED;
	if (to < 0)
		return CT_INVALID;
	ret->flow = flow;
	if (to == CT_FREE)
		return CT_OPENS;
	flow_move(ct, flow, dir, to, now_s, f->tcp_flags);
	return CT_KNOWN;
}
