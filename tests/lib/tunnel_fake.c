/* SPDX-License-Identifier: Apache-2.0 */
#include "tunnel_fake.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "crypto/hash.h"

enum { MSG_ASK = 1, MSG_ANSWER = 2, MSG_BYTES = 1 + 4 + 8 + 8 };

void tunnel_fake_init(struct tunnel_fake *f, int fd, uint8_t fingerprint, uint64_t seed)
{
	memset(f, 0, sizeof(*f));
	f->fd = fd;
	memset(f->fingerprint, fingerprint, sizeof(f->fingerprint));
	f->nonce = seed << 32;
	must(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
}

void tunnel_fake_done(struct tunnel_fake *f)
{
	fd_closep(&f->fd);
}

static struct tunnel_fake_peer *peer_of(struct tunnel_fake *f, uint32_t id)
{
	unsigned i;

	for (i = 0; i < TUNNEL_FAKE_PEERS; i++)
		if (f->peer[i].id == id)
			return &f->peer[i];
	return NULL;
}

static void peer_set(struct tunnel_fake *f, const struct ctl_tun_peer *m)
{
	static const uint8_t zero[CTL_FINGERPRINT_BYTES];
	struct tunnel_fake_peer *p = peer_of(f, m->peer);

	if (!memcmp(m->fingerprint, zero, sizeof(zero))) {
		if (p)
			memset(p, 0, sizeof(*p));
		return;
	}
	if (p && !memcmp(p->fingerprint, m->fingerprint, sizeof(p->fingerprint)))
		return;
	if (!p)
		p = peer_of(f, 0);
	must(p);
	memset(p, 0, sizeof(*p));
	p->id = m->peer;
	memcpy(p->fingerprint, m->fingerprint, sizeof(p->fingerprint));
}

static void message_send(struct tunnel_fake *f, uint32_t peer, unsigned kind, uint32_t epoch,
			 uint64_t i, uint64_t r)
{
	struct ctl_tun_message m = { .peer = peer };
	struct wr out = wr_init(m.data.b, sizeof(m.data.b));

	wr_u8(&out, (uint8_t)kind);
	wr_le32(&out, epoch);
	wr_le64(&out, i);
	wr_le64(&out, r);
	m.data.len = (uint16_t)out.len;
	(void)!ctl_send(f->fd, CTL_TUN_MESSAGE, 0, &m, NULL, 0);
}

static void ready(struct tunnel_fake *f, struct tunnel_fake_peer *p, uint32_t epoch, uint64_t i,
		  uint64_t r, bool initiator)
{
	struct ctl_tun_ready m = { .peer = p->id, .epoch = epoch };

	p->epoch[1] = p->epoch[0];
	p->epoch[0].epoch = p->last = epoch;
	p->epoch[0].i = i;
	p->epoch[0].r = r;
	p->epoch[0].initiator = initiator;
	p->asking = 0;
	(void)!ctl_send(f->fd, CTL_TUN_READY, 0, &m, NULL, 0);
}

static void start(struct tunnel_fake *f, uint32_t id)
{
	struct tunnel_fake_peer *p = peer_of(f, id);

	f->starts++;
	if (!p)
		return;
	if (!p->asking)
		p->asking = ++f->nonce;
	message_send(f, id, MSG_ASK, p->last, p->asking, 0);
}

void tunnel_fake_renew(struct tunnel_fake *f, uint32_t peer)
{
	start(f, peer);
}

static void asked(struct tunnel_fake *f, struct tunnel_fake_peer *p, uint32_t last, uint64_t i)
{
	uint32_t epoch = (last > p->last ? last : p->last) + 1;

	if (p->asking && memcmp(f->fingerprint, p->fingerprint, sizeof(p->fingerprint)) < 0) {
		message_send(f, p->id, MSG_ASK, p->last, p->asking, 0);
		return;
	}
	if (p->answered != i) {
		p->answered = i;
		p->answer = ++f->nonce;
		p->answer_epoch = epoch;
		ready(f, p, epoch, i, p->answer, false);
	}
	message_send(f, p->id, MSG_ANSWER, p->answer_epoch, i, p->answer);
}

static void message(struct tunnel_fake *f, const struct ctl_tun_message *m)
{
	struct rd in = rd_init(m->data.b, m->data.len);
	struct tunnel_fake_peer *p = peer_of(f, m->peer);
	unsigned kind = rd_u8(&in);
	uint32_t epoch = rd_le32(&in);
	uint64_t i = rd_le64(&in), r = rd_le64(&in);

	if (in.bad || in.left || !p || f->silent)
		return;
	if (kind == MSG_ASK)
		asked(f, p, epoch, i);
	else if (kind == MSG_ANSWER && i == p->asking && p->asking && epoch > p->last)
		ready(f, p, epoch, i, r, true);
}

static void sa_derive(const struct tunnel_fake_peer *p, unsigned e, uint32_t vni, unsigned dir,
		      struct ctl_tun_sa *ret)
{
	uint8_t in[32], out[HASH_SHA384_BYTES];
	struct wr w = wr_init(in, sizeof(in));
	struct rd r;

	wr_le64(&w, p->epoch[e].i);
	wr_le64(&w, p->epoch[e].r);
	wr_le32(&w, p->epoch[e].epoch);
	wr_le32(&w, vni);
	wr_le32(&w, dir);
	must(hash_sha384(in, w.len, out) == 0);
	r = rd_init(out, sizeof(out));
	rd_bytes(&r, ret->key, sizeof(ret->key));
	rd_bytes(&r, ret->salt, sizeof(ret->salt));
	ret->spi = rd_le32(&r) | 256;
}

static bool given(struct tunnel_fake *f, const struct ctl_tun_key_read *m)
{
	unsigned i;

	for (i = 0; i < f->given_cnt; i++)
		if (f->given[i].peer == m->peer && f->given[i].epoch == m->epoch &&
		    f->given[i].vni == m->vni)
			return true;
	return false;
}

static void key_read(struct tunnel_fake *f, uint32_t seq, const struct ctl_tun_key_read *m)
{
	struct ctl_tun_key k = {
		.peer = m->peer, .epoch = m->epoch, .vni = m->vni, .err = -ENOENT
	};
	const struct tunnel_fake_peer *p = peer_of(f, m->peer);
	unsigned e;

	for (e = 0; p && e < 2; e++) {
		if (p->epoch[e].epoch != m->epoch || !m->epoch)
			continue;
		k.err = 0;
		sa_derive(p, e, m->vni, p->epoch[e].initiator ? 0 : 1, &k.tx);
		sa_derive(p, e, m->vni, p->epoch[e].initiator ? 1 : 0, &k.rx);
		break;
	}
	if (k.err == 0 && given(f, m)) {
		f->twice++;
		k = (struct ctl_tun_key){
			.peer = m->peer, .epoch = m->epoch, .vni = m->vni, .err = -EALREADY
		};
	} else if (k.err == 0) {
		must(f->given_cnt < TUNNEL_FAKE_GIVEN);
		f->key[f->given_cnt] = k;
		f->given[f->given_cnt++] = *m;
	}
	(void)!ctl_send(f->fd, CTL_TUN_KEY, seq, &k, NULL, 0);
}

int tunnel_fake_step(struct tunnel_fake *f)
{
	struct ctl_msg *m = &f->msg;
	int r = ctl_recv(f->fd, m);

	if (r == -EAGAIN)
		return 0;
	if (r <= 0)
		return r < 0 ? r : -ECONNRESET;
	if (m->type == CTL_TUN_PEER_SET)
		peer_set(f, &m->u.tun_peer);
	else if (m->type == CTL_TUN_START)
		start(f, m->u.tun_peer_ref.peer);
	else if (m->type == CTL_TUN_MESSAGE)
		message(f, &m->u.tun_message);
	else
		must(m->type == CTL_TUN_KEY_READ); /* the wire must not send anything else */
	if (m->type == CTL_TUN_KEY_READ)
		key_read(f, m->seq, &m->u.tun_key_read);
	ctl_msg_done(m);
	return 1;
}
