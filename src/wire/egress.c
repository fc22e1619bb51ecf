/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Frames out of a port's ring. The card has judged them already; what is checked here again is what others must be
 * able to rely on when the card was taken over: which network, which MAC, which address.
 *
 * There is no way from here to another host but through esp_seal().
 */

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "wire/guard.h"
#include "wire/wire.h"

static const enum port_drop verdict_drop[] = {
	[INNER_RUNT] = PORT_D_RUNT,
	[INNER_ARP] = PORT_D_ARP,
	[INNER_ETHERTYPE] = PORT_D_ETHERTYPE,
	[INNER_GROUP] = PORT_D_GROUP,
};

/* Return: 0 it may travel, else 1 + enum port_drop. */
static unsigned judge(const struct port *p, const uint8_t *copy, size_t len, struct inner *ret)
{
	enum inner_verdict v = inner_parse(copy, len, ret);

	if (v != INNER_OK)
		return 1 + verdict_drop[v];
	if (!p->configured)
		return 1 + PORT_D_UNCONFIGURED;
	if (!guard_src_mac(p, ret))
		return 1 + PORT_D_SRC_MAC;
	if (!guard_src_ip(p, ret))
		return 1 + PORT_D_SRC_IP;
	return 0;
}

static void passed(struct port *p, size_t len)
{
	p->cnt.tx_frames++;
	p->cnt.tx_bytes += len;
}

/* ---- frames that wait for the first keys ---- */

static void hold(struct wire *w, uint32_t tunnel, struct port *p, const uint8_t *head,
		 size_t head_len, const uint8_t *rest, size_t rest_len)
{
	unsigned i;

	for (i = 0; i < WIRE_HELD_MAX && w->held[i].tunnel != WIRE_NONE; i++)
		;
	if (i == WIRE_HELD_MAX || head_len + rest_len > WIRE_HELD_BYTES) {
		p->cnt.drop[PORT_D_NO_KEYS]++;
		return;
	}
	w->held[i].tunnel = tunnel;
	w->held[i].port = (uint32_t)(p - w->port);
	w->held[i].len = (uint32_t)(head_len + rest_len);
	w->held[i].order = w->held_order++;
	w->held[i].until_ns = w->now_ns + WIRE_HELD_NS;
	memcpy(w->held[i].b, head, head_len);
	if (rest_len)
		packet_ring_copy(w->held[i].b + head_len, rest, rest_len);
	w->held_cnt++;
	w->cnt.held++;
	wire_due(w, w->held[i].until_ns);
}

static void held_free(struct wire *w, struct held *h)
{
	h->tunnel = WIRE_NONE;
	w->held_cnt--;
}

static struct held *held_oldest(struct wire *w, uint32_t tunnel)
{
	struct held *best = NULL;
	unsigned i;

	for (i = 0; i < WIRE_HELD_MAX; i++)
		if (w->held[i].tunnel == tunnel && (!best || w->held[i].order < best->order))
			best = &w->held[i];
	return best;
}

void egress_held(struct wire *w, uint32_t tunnel)
{
	struct held *h;

	while (w->held_cnt && w->tunnel[tunnel].tx.esp && (h = held_oldest(w, tunnel))) {
		egress_tunnel(w, tunnel, &w->port[h->port], h->b, h->len, NULL, 0);
		held_free(w, h);
	}
}

void egress_held_expire(struct wire *w, uint32_t tunnel)
{
	unsigned i;

	for (i = 0; w->held_cnt && i < WIRE_HELD_MAX; i++) {
		struct held *h = &w->held[i];

		if (h->tunnel == WIRE_NONE)
			continue;
		if (w->now_ns >= h->until_ns || h->tunnel == tunnel) {
			w->port[h->port].cnt.drop[PORT_D_NO_KEYS]++;
			held_free(w, h);
		} else {
			wire_due(w, h->until_ns);
		}
	}
}

/* ---- to another host ---- */

static void sealed(struct wire *w, struct tunnel *t, struct port *p, const struct esp_seal *job)
{
	struct peer *peer = &w->peer[t->peer];

	if (job->ret == -EKEYEXPIRED) {
		if (!t->tx.told)
			log_err("tunnel.exhausted",
				"peer=%u vni=%u why=\"no new keys came before the old ones ended: "
				"nothing is sent\"",
				t->peer_id, t->vni);
		t->tx.told = true;
		p->cnt.drop[PORT_D_EXHAUSTED]++;
		peer_event(w, peer, PEER_EV_RENEW);
		return;
	}
	if (job->ret < 0) {
		p->cnt.drop[PORT_D_NO_KEYS]++;
		log_warn_limited("tunnel.seal", "peer=%u vni=%u err=%d", t->peer_id, t->vni,
				 job->ret);
		return;
	}
	udp_commit(&w->udp, &peer->addr, (size_t)job->ret);
	passed(p, job->head_len + job->tail_len);
	w->cnt.esp_tx_frames++;
	if (esp_tx_wants_rekey(t->tx.esp, w->now_ns) && peer->clock.state == PEER_READY &&
	    t->tx.epoch == peer->epoch)
		peer_event(w, peer, PEER_EV_RENEW);
}

void egress_tunnel(struct wire *w, uint32_t tunnel, struct port *p, const uint8_t *head,
		   size_t head_len, const uint8_t *rest, size_t rest_len)
{
	struct tunnel *t = &w->tunnel[tunnel];
	struct esp_seal job = { .sa = t->tx.esp,
				.head = head,
				.head_len = (uint32_t)head_len,
				.tail = rest_len ? rest : NULL,
				.tail_len = (uint32_t)rest_len };

	if (!t->tx.esp || t->peer == WIRE_NONE) {
		hold(w, tunnel, p, head, head_len, rest, rest_len);
		return;
	}
	job.out = udp_reserve(&w->udp);
	if (!job.out && !w->udp.blocked) {
		udp_flush(&w->udp, w->now_ns);
		job.out = udp_reserve(&w->udp);
	}
	if (!job.out) {
		p->cnt.drop[PORT_D_SOCKET_FULL]++;
		return;
	}
	esp_seal(&job, 1);
	sealed(w, t, p, &job);
}

void egress_frame(struct wire *w, struct port *p, const struct packet *pkt)
{
	size_t head_len = min_u64(pkt->len, INNER_COPY);
	uint8_t head[INNER_COPY];
	const struct map_entry *e;
	struct map_key k;
	struct inner i;
	unsigned drop;

	packet_ring_copy(head, pkt->data, head_len);
	drop = judge(p, head, pkt->len, &i);
	if (drop) {
		p->cnt.drop[drop - 1]++;
		return;
	}
	k = map_key_mac(p->vni, i.dst);
	e = map_find(&w->map, &k);
	if (e && e->port && &w->port[e->port - 1] != p) {
		if (port_deliver(w, &w->port[e->port - 1], head, head_len, pkt->data + head_len,
				 pkt->len - head_len, pkt->flags) == 0)
			passed(p, pkt->len);
	} else if (e && !e->port && e->peer) {
		egress_tunnel(w, e->tunnel, p, head, head_len, pkt->data + head_len,
			      pkt->len - head_len);
	} else {
		p->cnt.drop[PORT_D_UNKNOWN_DST]++;
	}
}
