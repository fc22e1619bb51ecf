/* SPDX-License-Identifier: Apache-2.0 */
#include "security/channel_tunnel.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/log.h"
#include "base/mem.h"

int channel_tunnel_open(struct service *s, struct channel *c)
{
	int r;

	if (!s->has_identity)
		return -ENOKEY;
	tunnel_freep(&s->tunnel);
	r = tunnel_new(&s->identity.tunnel, &s->tunnel);
	s->wire = r < 0 ? NULL : c;
	return r;
}

void channel_tunnel_close(struct service *s, const struct channel *c)
{
	if (s->wire != c)
		return;
	s->wire = NULL;
	tunnel_freep(&s->tunnel);
	mem_wipe(&s->late, sizeof(s->late));
	log_info("sec.tunnel.end", "text=\"the wire is gone: its secrets too\"");
}

/*
 * READY and KEY are never lost: a wire that did not hear of an epoch, or of a key that is given out once, would have to
 * begin again. When it does not read, nothing more is read from it either, so one place is enough.
 */
static int send_surely(struct service *s, struct channel *c, enum ctl_type type, uint32_t seq,
		       const void *body, size_t len)
{
	int r = ctl_send(c->fd, type, seq, body, NULL, 0);

	if (r != -EAGAIN)
		return r;
	must(!s->late.type && len <= sizeof(s->late.u));
	s->late.type = type;
	s->late.seq = seq;
	memcpy(&s->late.u, body, len);
	return loop_mod(s->loop, c->fd, EPOLLOUT, &c->ref);
}

int channel_tunnel_flush(struct service *s, struct channel *c)
{
	int r;

	if (s->wire != c || !s->late.type)
		return 1;
	r = ctl_send(c->fd, s->late.type, s->late.seq, &s->late.u, NULL, 0);
	if (r < 0)
		return r;
	mem_wipe(&s->late, sizeof(s->late));
	r = loop_mod(s->loop, c->fd, EPOLLIN, &c->ref);
	return r < 0 ? r : 1;
}

static int out_send(struct service *s, struct channel *c)
{
	const struct tunnel_out *o = &s->tunnel_out;
	int r = 0;

	if (o->has_ready && o->ready.err)
		log_warn_limited("sec.tunnel.refused", "peer=%u err=%d text=\"%s\"", o->ready.peer,
				 o->ready.err, o->ready.text);
	else if (o->has_ready)
		log_info("sec.tunnel.ready", "peer=%u epoch=%u", o->ready.peer, o->ready.epoch);
	if (o->has_ready)
		r = send_surely(s, c, CTL_TUN_READY, 0, &o->ready, sizeof(o->ready));
	if (r == 0 && o->has_message && !s->late.type) {
		r = ctl_send(c->fd, CTL_TUN_MESSAGE, 0, &o->message, NULL, 0);
		if (r == -EAGAIN)
			r = 0; /* as if the network had lost it */
	}
	return r;
}

static int on_message(struct service *s, struct channel *c, const struct ctl_msg *m)
{
	const struct ctl_tun_message *t = &m->u.tun_message;
	int r;

	r = tunnel_message(s->tunnel, t, clock_ns(), &s->tunnel_out);
	/* A message that comes late, and two hosts that begin at once, are everyday. */
	if (r < 0 && r != -ESTALE && r != -EINPROGRESS && r != -EAGAIN)
		log_warn_limited("sec.tunnel.dropped", "peer=%u type=%u len=%u err=%d", t->peer,
				 t->data.len > 3 ? t->data.b[3] : 0U, t->data.len, r);
	return out_send(s, c);
}

static int on_key_read(struct service *s, struct channel *c, const struct ctl_msg *m)
{
	const struct ctl_tun_key_read *q = &m->u.tun_key_read;
	int r;

	r = tunnel_key(s->tunnel, q, &s->tun_key);
	if (r < 0)
		log_warn_limited("sec.tunnel.key_refused", "peer=%u epoch=%u vni=%u err=%d",
				 q->peer, q->epoch, q->vni, r);
	r = send_surely(s, c, CTL_TUN_KEY, m->seq, &s->tun_key, sizeof(s->tun_key));
	mem_wipe(&s->tun_key, sizeof(s->tun_key));
	return r;
}

int channel_tunnel_answer(struct service *s, struct channel *c, const struct ctl_msg *m)
{
	int r;

	if (m->type == CTL_TUN_KEY_READ)
		return on_key_read(s, c, m);
	if (m->type == CTL_TUN_MESSAGE)
		return on_message(s, c, m);
	if (m->type == CTL_TUN_START)
		r = tunnel_start(s->tunnel, m->u.tun_peer_ref.peer, clock_ns(), &s->tunnel_out);
	else if (m->type == CTL_TUN_PEER_SET)
		r = tunnel_peer_set(s->tunnel, &m->u.tun_peer, clock_ns(), &s->tunnel_out);
	else
		return -EPROTO;
	if (r == -ENOMEM || r == -EIO)
		log_err("sec.tunnel.failed", "asked=0x%x err=%d", (unsigned)m->type, r);
	return out_send(s, c);
}
