/* SPDX-License-Identifier: Apache-2.0 */
#include "security/tunnel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "security/tunnel_priv.h"

enum { VNI_LIMIT = 1 << 24, VNIS_GROW = 64 };
/* INITs that are answered, a second: of one peer, and of all together. */
enum { PLAIN_BURST = 4, PLAIN_RATE = 1, PLAIN_ALL_BURST = 40, PLAIN_ALL_RATE = 20 };
enum { PROVED_BURST = 4, PROVED_RATE = 4, PROVED_ALL_BURST = 40, PROVED_ALL_RATE = 40 };

void handshake_wipe(struct handshake *h)
{
	key_freep(&h->x25519);
	key_freep(&h->p384);
	key_freep(&h->master);
	memset(h, 0, sizeof(*h));
}

bool handshake_alive(struct handshake *h, uint64_t now_ns)
{
	if (h->state != HS_NONE && now_ns - h->born_ns >= HANDSHAKE_NS)
		handshake_wipe(h);
	return h->state != HS_NONE;
}

void handshake_say(struct handshake *h, uint32_t peer, uint64_t now_ns, struct tunnel_out *out)
{
	h->sent_ns = now_ns;
	out->has_message = true;
	out->message.peer = peer;
	out->message.data.len = (uint16_t)h->out_len;
	memcpy(out->message.data.b, h->out, h->out_len);
}

void out_message(struct tunnel_out *out, uint32_t peer, const struct tunnel_msg *m)
{
	_Static_assert((int)TUNNEL_MSG_MAX <= (int)CTL_TUNNEL_MESSAGE_MAX, "fits");

	out->has_message = true;
	out->message.peer = peer;
	out->message.data.len = (uint16_t)tunnel_msg_encode(m, out->message.data.b);
}

void out_ready(struct tunnel_out *out, uint32_t peer, uint32_t epoch, int err, const char *text)
{
	out->has_ready = true;
	out->ready.peer = peer;
	out->ready.epoch = epoch;
	out->ready.err = err;
	(void)snprintf(out->ready.text, sizeof(out->ready.text), "%s", text);
}

bool peer_goes_first(const struct tunnel *t, const struct peer *p)
{
	return memcmp(t->id.fingerprint, p->fp, sizeof(p->fp)) < 0;
}

static void session_wipe(struct session *s)
{
	key_freep(&s->secret);
	free(s->vni);
	memset(s, 0, sizeof(*s));
}

int session_take(struct peer *p, struct handshake *h, bool initiator, uint64_t now_ns)
{
	struct session s = { .epoch = h->epoch, .initiator = initiator, .born_ns = now_ns };
	int r;

	r = tunnel_secret(&h->t, h->master, &s.secret);
	if (r < 0)
		return r;
	session_wipe(&p->session[1]);
	p->session[1] = p->session[0];
	p->session[0] = s;
	p->epoch = h->epoch;
	return 0;
}

static struct peer *peer_find(const struct tunnel *t, uint32_t id)
{
	struct peer *p;

	for (p = t->peers; p && p->id != id; p = p->next)
		;
	return p;
}

static void peer_wipe(struct peer *p)
{
	handshake_wipe(&p->ours);
	handshake_wipe(&p->theirs);
	session_wipe(&p->session[0]);
	session_wipe(&p->session[1]);
	p->epoch = 0;
}

static void peer_remove(struct tunnel *t, struct peer *gone)
{
	struct peer **p = &t->peers;

	while (*p != gone)
		p = &(*p)->next;
	*p = gone->next;
	peer_wipe(gone);
	free(gone);
	t->peer_cnt--;
}

static int peer_add(struct tunnel *t, const struct ctl_tun_peer *c, uint64_t now_ns)
{
	struct peer *p;

	if (t->peer_cnt >= TUNNEL_PEERS_MAX)
		return -EUSERS;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->id = c->peer;
	memcpy(p->fp, c->fingerprint, sizeof(p->fp));
	bucket_init(&p->plain, PLAIN_RATE, PLAIN_BURST, now_ns);
	bucket_init(&p->proved, PROVED_RATE, PROVED_BURST, now_ns);
	p->next = t->peers;
	t->peers = p;
	t->peer_cnt++;
	return 0;
}

static int peer_set(struct tunnel *t, const struct ctl_tun_peer *c, uint64_t now_ns)
{
	static const uint8_t none[TUNNEL_FINGERPRINT_BYTES];
	struct peer *p = peer_find(t, c->peer);

	if (!c->peer || memcmp(c->fingerprint, t->id.fingerprint, sizeof(none)) == 0)
		return -EINVAL;
	if (p && memcmp(c->fingerprint, p->fp, sizeof(p->fp)) == 0)
		return 0;
	if (p)
		peer_remove(t, p);
	if (memcmp(c->fingerprint, none, sizeof(none)) == 0)
		return 0;
	return peer_add(t, c, now_ns);
}

int tunnel_peer_set(struct tunnel *t, const struct ctl_tun_peer *c, uint64_t now_ns,
		    struct tunnel_out *out)
{
	int r;

	memset(out, 0, sizeof(*out));
	r = peer_set(t, c, now_ns);
	if (r == -EINVAL)
		out_ready(out, c->peer, 0, r,
			  "this is not another host: give the other host's own fingerprint "
			  "(niter host status there)");
	else if (r < 0)
		out_ready(out, c->peer, 0, r, "too many hosts");
	return r;
}

int tunnel_start(struct tunnel *t, uint32_t peer, uint64_t now_ns, struct tunnel_out *out)
{
	struct peer *p = peer_find(t, peer);
	int r;

	memset(out, 0, sizeof(*out));
	if (!p) {
		out_ready(out, peer, 0, -ENOENT, "no such host is configured");
		return -ENOENT;
	}
	p->told = false;
	if (handshake_alive(&p->ours, now_ns)) {
		p->ours.cookie_cnt = 0;
		if (now_ns - p->ours.sent_ns >= RESEND_NS)
			handshake_say(&p->ours, peer, now_ns, out);
		return 0;
	}
	r = initiator_begin(t, p, now_ns);
	if (r == 0)
		handshake_say(&p->ours, peer, now_ns, out);
	return r;
}

int tunnel_message(struct tunnel *t, const struct ctl_tun_message *c, uint64_t now_ns,
		   struct tunnel_out *out)
{
	struct peer *p = peer_find(t, c->peer);
	const uint8_t *b = c->data.b;
	size_t len = c->data.len;
	struct tunnel_msg m;
	int r;

	memset(out, 0, sizeof(*out));
	if (!p)
		return -ENOENT;
	r = tunnel_msg_decode(b, len, &m);
	if (r < 0)
		return r;
	switch (m.type) {
	case TUNNEL_INIT:
		return responder_init(t, p, &m, b, now_ns, out);
	case TUNNEL_REPLY:
		return initiator_reply(t, p, &m, b, len, now_ns, out);
	case TUNNEL_FINISH:
		return responder_finish(t, p, &m, b, len, now_ns, out);
	case TUNNEL_DONE:
		return initiator_done(p, &m, b, len, now_ns, out);
	case TUNNEL_COOKIE:
		return initiator_cookie(p, &m, now_ns, out);
	case TUNNEL_REFUSED:
		return initiator_refused(p, &m, now_ns, out);
	}
	return -EPROTO;
}

/* A key is given out once: remember @vni. Return: 0, -EALREADY, -E2BIG, -ENOMEM. */
static int vni_take(struct session *s, uint32_t vni)
{
	uint32_t *grown;
	unsigned i;

	for (i = 0; i < s->vni_cnt; i++)
		if (s->vni[i] == vni)
			return -EALREADY;
	if (s->vni_cnt >= TUNNEL_VNIS_MAX)
		return -E2BIG;
	if (s->vni_cnt == s->vni_cap) {
		grown = reallocarray(s->vni, s->vni_cap + VNIS_GROW, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		s->vni = grown;
		s->vni_cap += VNIS_GROW;
	}
	s->vni[s->vni_cnt++] = vni;
	return 0;
}

static int key_make(struct tunnel *t, const struct ctl_tun_key_read *q, struct ctl_tun_key *ret)
{
	struct peer *p = peer_find(t, q->peer);
	struct session *s;
	unsigned i;
	int r;

	if (!q->vni || q->vni >= VNI_LIMIT)
		return -EINVAL;
	for (i = 0; p && q->epoch && i < SESSIONS; i++) {
		s = &p->session[i];
		if (s->epoch != q->epoch)
			continue;
		r = vni_take(s, q->vni);
		if (r == 0)
			r = tunnel_sa(s->secret, s->initiator ? 0 : 1, q->epoch, q->vni, &ret->tx);
		if (r == 0)
			r = tunnel_sa(s->secret, s->initiator ? 1 : 0, q->epoch, q->vni, &ret->rx);
		return r;
	}
	return -ENOENT;
}

int tunnel_key(struct tunnel *t, const struct ctl_tun_key_read *q, struct ctl_tun_key *ret)
{
	int r;

	memset(ret, 0, sizeof(*ret));
	r = key_make(t, q, ret);
	if (r < 0)
		mem_wipe(ret, sizeof(*ret));
	ret->peer = q->peer;
	ret->epoch = q->epoch;
	ret->vni = q->vni;
	ret->err = r;
	return r;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t tunnel_expire(struct tunnel *t, uint64_t now_ns)
{
	uint64_t next = UINT64_MAX;
	struct peer *p;

	for (p = t->peers; p; p = p->next) {
		if (handshake_alive(&p->ours, now_ns))
			next = earlier(next, p->ours.born_ns + HANDSHAKE_NS);
		if (handshake_alive(&p->theirs, now_ns))
			next = earlier(next, p->theirs.born_ns + HANDSHAKE_NS);
		if (p->session[1].epoch && now_ns - p->session[0].born_ns >= SESSION_OVERLAP_NS)
			session_wipe(&p->session[1]);
		if (p->session[1].epoch)
			next = earlier(next, p->session[0].born_ns + SESSION_OVERLAP_NS);
	}
	return next;
}

int tunnel_new(const struct tunnel_identity *id, struct tunnel **ret)
{
	CLEANUP(tunnel_freep) struct tunnel *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->id = *id;
	bucket_init(&t->plain, PLAIN_ALL_RATE, PLAIN_ALL_BURST, 0);
	bucket_init(&t->proved, PROVED_ALL_RATE, PROVED_ALL_BURST, 0);
	*ret = TAKE_PTR(t);
	return 0;
}

void tunnel_free(struct tunnel *t)
{
	if (!t)
		return;
	while (t->peers)
		peer_remove(t, t->peers);
	key_freep(&t->cookie_key[0]);
	key_freep(&t->cookie_key[1]);
	free(t);
}

void tunnel_freep(struct tunnel **t)
{
	tunnel_free(*t);
	*t = NULL;
}
