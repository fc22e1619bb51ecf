/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The channel to niter-security, which makes the keys; this process only carries its messages. Nothing blocks on it:
 * when it does not keep up, a handshake message is lost and asked for again.
 */

#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "wire/wire.h"

struct peer *peer_by_id(struct wire *w, uint32_t id)
{
	unsigned i;

	for (i = 0; id && i < WIRE_PEERS_MAX; i++)
		if (w->peer[i].id == id)
			return &w->peer[i];
	return NULL;
}

struct peer *peer_by_addr(struct wire *w, const struct udp_addr *addr)
{
	unsigned i;

	for (i = 0; i < WIRE_PEERS_MAX; i++)
		if (w->peer[i].id && udp_addr_equal(&w->peer[i].addr, addr))
			return &w->peer[i];
	return NULL;
}

/* Return: 0, -errno: it was not sent. */
static int channel_send(struct wire *w, enum ctl_type type, uint32_t seq, const void *body)
{
	int r = w->tunnel_fd >= 0 ? ctl_send(w->tunnel_fd, type, seq, body, NULL, 0) : -ENOTCONN;

	if (r < 0)
		log_warn_limited("tunnel_channel.send", "type=%#x err=%d", (unsigned)type, r);
	return r;
}

void keys_peer_set(struct wire *w, const struct peer *p)
{
	struct ctl_tun_peer m = { .peer = p->id };

	memcpy(m.fingerprint, p->fingerprint, sizeof(m.fingerprint));
	(void)channel_send(w, CTL_TUN_PEER_SET, 0, &m);
}

void peer_event(struct wire *w, struct peer *p, enum peer_event ev)
{
	enum peer_state before = p->clock.state;
	struct ctl_tun_peer_ref m = { .peer = p->id };

	if (ev != PEER_EV_READY && ev != PEER_EV_UNWANT && w->tunnel_fd < 0)
		return;
	if (peer_clock_move(&p->clock, ev, w->now_ns, wire_chance(w))) {
		w->cnt.starts++;
		keys_peer_set(w, p); /* nothing happens when it knows him already */
		(void)channel_send(w, CTL_TUN_START, 0, &m);
	}
	if (p->clock.state == PEER_IDLE && before != PEER_IDLE)
		tunnel_peer_forget(w, (uint32_t)(p - w->peer), false);
	wire_due(w, p->clock.due_ns);
}

void keys_ask(struct wire *w)
{
	unsigned i;

	for (i = 0; i < WIRE_TUNNELS_MAX && w->keys_asked < WIRE_KEYS_ASKED_MAX; i++) {
		struct tunnel *t = &w->tunnel[i];
		struct ctl_tun_key_read m = { .peer = t->peer_id,
					      .epoch = t->epoch,
					      .vni = t->vni };

		if (!t->peer_id || t->keys != KEYS_WANTED)
			continue;
		if (channel_send(w, CTL_TUN_KEY_READ, ++w->tun_seq, &m) < 0) {
			if (w->tunnel_fd >= 0)
				wire_due(w, w->now_ns + PEER_RETRY_NS);
			return;
		}
		t->keys = KEYS_ASKED;
		w->keys_asked++;
	}
}

/* ---- from niter-security ---- */

static void handshake_out(struct wire *w, const struct ctl_tun_message *m)
{
	struct peer *p = peer_by_id(w, m->peer);
	uint8_t *to;

	if (!p) /* niterd has taken him away meanwhile */
		return;
	to = udp_reserve(&w->udp);
	if (!to) {
		w->cnt.drop[WIRE_D_HANDSHAKE_CHANNEL]++;
		return;
	}
	memset(to, 0, WIRE_MARKER);
	memcpy(to + WIRE_MARKER, m->data.b, m->data.len);
	udp_commit(&w->udp, &p->addr, WIRE_MARKER + (size_t)m->data.len);
	w->cnt.handshakes_tx++;
}

static void epoch_ready(struct wire *w, const struct ctl_tun_ready *m)
{
	struct peer *p = peer_by_id(w, m->peer);
	char text[128];

	if (!p)
		return;
	if (m->err < 0) {
		log_warn_limited("peer.refused", "peer=%u err=%d why=\"%s\"", m->peer, m->err,
				 log_escape(text, sizeof(text), m->text, strlen(m->text)));
		return; /* it goes on trying */
	}
	if (m->epoch == p->epoch)
		return;
	p->epoch = m->epoch;
	p->ready_cnt++;
	w->cnt.epochs++;
	log_info("peer.epoch", "peer=%u epoch=%u", p->id, p->epoch);
	peer_event(w, p, PEER_EV_READY);
	tunnel_peer_keys(w, (uint32_t)(p - w->peer));
}

static struct tunnel *tunnel_asking(struct wire *w, const struct ctl_tun_key *k)
{
	unsigned i;

	for (i = 0; i < WIRE_TUNNELS_MAX; i++) {
		struct tunnel *t = &w->tunnel[i];

		if (t->peer_id == k->peer && t->vni == k->vni && t->keys == KEYS_ASKED &&
		    t->epoch == k->epoch && t->peer_id)
			return t;
	}
	return NULL;
}

static void key_arrived(struct wire *w, const struct ctl_tun_key *k)
{
	struct tunnel *t = tunnel_asking(w, k);
	int r = k->err;

	if (w->keys_asked)
		w->keys_asked--;
	wire_due(w, w->now_ns); /* the next may be asked for */
	if (!t)                 /* of an epoch that is over already, or of a peer that is gone */
		return;
	t->keys = KEYS_NONE;
	if (r == 0 && t->peer != WIRE_NONE)
		r = tunnel_install(w, t, k);
	if (r == 0 || t->peer == WIRE_NONE)
		return;
	w->cnt.keys_refused++;
	log_warn_limited("tunnel.keys", "peer=%u vni=%u epoch=%u err=%d", k->peer, k->vni, k->epoch,
			 r);
	peer_event(w, &w->peer[t->peer], PEER_EV_RENEW);
}

void keys_message(struct wire *w, struct ctl_msg *m)
{
	if (m->type == CTL_TUN_MESSAGE)
		handshake_out(w, &m->u.tun_message);
	else if (m->type == CTL_TUN_READY)
		epoch_ready(w, &m->u.tun_ready);
	else if (m->type == CTL_TUN_KEY)
		key_arrived(w, &m->u.tun_key);
	else
		log_warn_limited("tunnel_channel.unexpected", "type=%#x", (unsigned)m->type);
}

static void unanswered(struct wire *w)
{
	unsigned i;

	w->keys_asked = 0;
	for (i = 0; i < WIRE_TUNNELS_MAX; i++)
		if (w->tunnel[i].keys == KEYS_WANTED || w->tunnel[i].keys == KEYS_ASKED)
			w->tunnel[i].keys = KEYS_NONE;
}

void keys_opened(struct wire *w)
{
	unsigned i;

	unanswered(w);
	for (i = 0; i < WIRE_PEERS_MAX; i++) {
		struct peer *p = &w->peer[i];

		if (!p->id)
			continue;
		p->epoch = 0;
		peer_clock_init(&p->clock);
		keys_peer_set(w, p);
		if (tunnel_peer_shared(w, i))
			peer_event(w, p, PEER_EV_WANT);
	}
}

void keys_closed(struct wire *w)
{
	unsigned i;

	log_err("tunnel_channel.closed",
		"why=\"niter-security is gone: no new keys; drain and reboot this host\"");
	if (w->tunnel_fd >= 0)
		loop_del(&w->loop, w->tunnel_fd);
	fd_closep(&w->tunnel_fd);
	unanswered(w);
	for (i = 0; i < WIRE_PEERS_MAX; i++)
		w->peer[i].clock.due_ns = PEER_NEVER;
}

/* ---- from the network ---- */

void keys_handshake(struct wire *w, const uint8_t *buf, size_t len, const struct udp_addr *from)
{
	struct ctl_tun_message m;
	struct peer *p;

	if (!len || len > sizeof(m.data.b)) {
		w->cnt.drop[WIRE_D_HANDSHAKE_SIZE]++;
		return;
	}
	p = peer_by_addr(w, from);
	if (!p) {
		w->cnt.drop[WIRE_D_HANDSHAKE_PEER]++;
		return;
	}
	if (bucket_take(&p->handshakes, 1, w->now_ns)) {
		w->cnt.drop[WIRE_D_HANDSHAKE_RATE]++;
		return;
	}
	m.peer = p->id;
	m.data.len = (uint16_t)len;
	memcpy(m.data.b, buf, len);
	if (channel_send(w, CTL_TUN_MESSAGE, 0, &m) < 0)
		w->cnt.drop[WIRE_D_HANDSHAKE_CHANNEL]++;
	else
		w->cnt.handshakes_rx++;
}
