/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Service sockets to network cards, metadata processes, the wire and gateways. They are told things and
 * acknowledge them; they never ask. A card may have been taken over by its guest: it can do no more here than to
 * say no, or nothing; messages wait in a bounded queue, and a socket that breaks the protocol is closed.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/fd.h"
#include "base/log.h"
#include "controller/niterd.h"

enum {
	OUT_MAX = 256,       /* messages that wait: more than all about one instance */
	OUT_WIRE_MAX = 4096, /* ... about a host */
	RECV_PER_WAKE = 64,
};

/* Too big for the stack; one thread. */
static struct ctl_msg msg_buf;

static void out_free(struct svc *s)
{
	while (s->out) {
		struct out_msg *o = s->out;

		s->out = o->next;
		free(o);
	}
	s->out_tail = &s->out;
	s->out_cnt = 0;
}

bool svc_is_open(const struct svc *s)
{
	return s->d && s->fd >= 0;
}

void svc_close(struct svc *s)
{
	if (!s->d)
		return;
	if (s->fd >= 0)
		loop_del(&s->d->loop, s->fd);
	fd_closep(&s->fd);
	out_free(s);
	net_want_done(&s->told);
	s->retry_ns = 0;
	s->tries = 0;
	s->metadata_told = false;
}

int svc_open(struct daemon *d, struct svc *s, enum svc_kind kind, const char *id, int fd)
{
	CLEANUP(fd_closep) int own = fd;
	int flags, r;

	if (own < 0)
		return -EPROTO;
	flags = fcntl(own, F_GETFL); /* the other end must not be able to hold us up */
	if (flags < 0 || fcntl(own, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	svc_close(s);
	s->d = d;
	s->fd = -1;
	s->kind = kind;
	s->ref.type = REF_SVC;
	s->ref.ptr = s;
	s->seq = (uint32_t)(clock_ns() /
			    1024); /* answers to an earlier niterd may lie in the socket */
	s->out_tail = &s->out;
	snprintf(s->id, sizeof(s->id), "%s", id);
	r = loop_add(&d->loop, own, EPOLLIN, &s->ref);
	if (r < 0)
		return r;
	s->fd = TAKE_FD(own);
	d->net_dirty = true;
	return 0;
}

static int out_flush(struct svc *s)
{
	int r;

	while (s->out) {
		struct out_msg *o = s->out;

		r = fd_msg_send(s->fd, o->b, o->len, NULL, 0);
		if (r == -EAGAIN)
			return loop_mod(&s->d->loop, s->fd, EPOLLIN | EPOLLOUT, &s->ref);
		if (r < 0)
			return r;
		s->out = o->next;
		s->out_cnt--;
		free(o);
	}
	s->out_tail = &s->out;
	return loop_mod(&s->d->loop, s->fd, EPOLLIN, &s->ref);
}

int svc_send(struct svc *s, uint8_t *packet, size_t len, uint32_t *ret_seq)
{
	struct out_msg *o;
	int r;

	if (!svc_is_open(s))
		return -ENOTCONN;
	if (++s->seq == 0)
		s->seq = 1;
	net_packet_seq_set(packet, s->seq);
	*ret_seq = s->seq;
	if (!s->out) {
		r = fd_msg_send(s->fd, packet, len, NULL, 0);
		if (r != -EAGAIN)
			return r;
	}
	if (s->out_cnt == (s->kind == SVC_WIRE ? OUT_WIRE_MAX : OUT_MAX))
		return -ENOBUFS;
	o = malloc(sizeof(*o) + len);
	if (!o)
		return -ENOMEM;
	o->next = NULL;
	o->len = len;
	memcpy(o->b, packet, len);
	*s->out_tail = o;
	s->out_tail = &o->next;
	s->out_cnt++;
	return out_flush(s);
}

/* Return: 1 more may come, 0 nothing now, -errno the socket is of no use any more. */
static int svc_recv(struct svc *s)
{
	int r = ctl_recv(s->fd, &msg_buf);

	if (r == -EAGAIN)
		return 0;
	if (r <= 0)
		return r < 0 ? r : -EPIPE;
	if (msg_buf.type == CTL_ACK)
		net_svc_ack(s, msg_buf.seq, &msg_buf.u.ack);
	else if (msg_buf.type == CTL_VPC_PROBED && s->kind == SVC_CARD)
		health_probed(s, &msg_buf.u.vpc_probed);
	else
		r = -EPROTO;
	ctl_msg_done(&msg_buf);
	return r;
}

void svc_event(struct svc *s, uint32_t events)
{
	int r = 0;

	if (!svc_is_open(s)) /* closed in this very turn */
		return;
	if (events & EPOLLOUT)
		r = out_flush(s);
	if (r == 0)
		r = 1;
	for (int k = 0; r > 0 && k < RECV_PER_WAKE && svc_is_open(s); k++)
		r = svc_recv(s);
	if (r < 0) {
		/* An end is told by the launcher, who starts what must live. */
		if (r == -EPIPE || r == -ECONNRESET)
			log_debug("svc.closed", "kind=%d id=%s", (int)s->kind, s->id);
		else
			log_warn("svc.broken", "kind=%d id=%s err=%d", (int)s->kind, s->id, r);
		svc_close(s);
	}
}
