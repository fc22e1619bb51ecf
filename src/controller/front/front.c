/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/front/front.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "controller/ec2/call.h"
#include "controller/front/auth.h"
#include "controller/front/front_priv.h"

enum {
	ACCEPTS_PER_WAKE = 64,
	PEER_KEYS = 256,
	LOOK_EVERY_NS = 100000000, /* time limits are looked at no more often */
};

static void peer_name(const struct sockaddr_storage *sa, char ret[FRONT_ADDRESS_MAX],
		      uint32_t *ret_key)
{
	char host[INET6_ADDRSTRLEN] = "";
	const struct sockaddr_in *in = (const void *)sa;
	const struct sockaddr_in6 *in6 = (const void *)sa;

	*ret_key = 0;
	snprintf(ret, FRONT_ADDRESS_MAX, "-");
	if (sa->ss_family == AF_INET) {
		*ret_key = ntohl(in->sin_addr.s_addr);
		snprintf(ret, FRONT_ADDRESS_MAX, "%s:%u",
			 inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host)),
			 ntohs(in->sin_port));
	} else if (sa->ss_family == AF_INET6) {
		memcpy(ret_key, &in6->sin6_addr.s6_addr[4], sizeof(*ret_key)); /* its /64 */
		snprintf(ret, FRONT_ADDRESS_MAX, "[%s]:%u",
			 inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host)),
			 ntohs(in6->sin6_port));
	}
}

/* May this connection go to make room? Not one that is being answered. */
static bool evictable(const struct front_conn *c)
{
	return c->phase != FRONT_CALL && c->phase != FRONT_DEAD;
}

static size_t peer_slot(uint32_t key)
{
	return (key * 2654435761U) >> 24;
}

/*
 * All places are taken: the address with the most connections gives one up, the one that has waited longest. Whoever
 * opens many pays with his own.
 */
static bool evict(struct front *f)
{
	static uint16_t cnt[PEER_KEYS];
	struct front_conn *c, *victim = NULL;

	memset(cnt, 0, sizeof(cnt));
	for (c = f->conns; c; c = c->next)
		cnt[peer_slot(c->peer_key)]++;
	for (c = f->conns; c; c = c->next) {
		unsigned mine = cnt[peer_slot(c->peer_key)];
		unsigned most = victim ? cnt[peer_slot(victim->peer_key)] : 0;

		if (evictable(c) &&
		    (mine > most || (victim && mine == most && c->began_ns < victim->began_ns)))
			victim = c;
	}
	if (!victim)
		return false;
	log_warn_limited("front.evicted", "peer=%s", victim->peer);
	front_conn_end(victim);
	return true;
}

/*
 * The address whose answers hold the most bytes loses one, the one that has waited longest: whoever asks and does not
 * read pays with his own.
 */
bool front_answer_drop(struct front *f)
{
	static size_t bytes[PEER_KEYS];
	struct front_conn *c, *victim = NULL;

	memset(bytes, 0, sizeof(bytes));
	for (c = f->conns; c; c = c->next)
		bytes[peer_slot(c->peer_key)] += c->out_len;
	for (c = f->conns; c; c = c->next) {
		size_t mine = bytes[peer_slot(c->peer_key)];
		size_t most = victim ? bytes[peer_slot(victim->peer_key)] : 0;

		if (c->phase == FRONT_SEND &&
		    (mine > most || (victim && mine == most && c->began_ns < victim->began_ns)))
			victim = c;
	}
	if (!victim)
		return false;
	log_warn_limited("front.answer_dropped", "peer=%s bytes=%zu", victim->peer,
			 victim->out_len);
	front_conn_end(victim);
	return true;
}

/* While every place is taken by a call under way, clients wait in the listener's queue. */
static void listener_watch(struct front *f, bool full)
{
	if (full != f->full && loop_mod(&f->d->loop, f->listener, full ? 0 : EPOLLIN, &f->ref) == 0)
		f->full = full;
}

/* #syscalls:niterd accept4 setsockopt */
void front_accept(struct daemon *d)
{
	struct front *f = d->front;

	for (int k = 0; k < ACCEPTS_PER_WAKE; k++) {
		struct sockaddr_storage sa = { 0 };
		socklen_t len = sizeof(sa);
		uint32_t key;
		char peer[64];
		int fd, one = 1;

		if (f->conn_cnt >= FRONT_CONN_MAX && !evict(f)) {
			listener_watch(f, true);
			return;
		}
		fd = accept4(f->listener, (struct sockaddr *)&sa, &len,
			     SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
				log_warn_limited("front.accept", "err=%d", -errno);
			return;
		}
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		peer_name(&sa, peer, &key);
		if (front_conn_new(d, fd, peer, key) < 0)
			log_warn_limited("front.conn", "peer=%s", peer);
	}
}

void front_again(struct daemon *d)
{
	struct front *f = d->front;
	struct front_conn *c = f ? f->again : NULL;

	if (!c)
		return;
	f->again = NULL;
	f->again_tail = &f->again;
	while (c) {
		struct front_conn *next = c->again_next;

		c->again = false;
		if (c->phase != FRONT_DEAD)
			front_conn_go(c);
		c = next;
	}
}

static void overdue(struct front_conn *c)
{
	if (c->phase == FRONT_READ)
		call_refuse(c, 408, "The request took too long");
	else
		front_conn_end(c);
}

/* Connections that ended and that no list refers to. */
static void reap(struct front *f)
{
	struct front_conn **at = &f->dead;

	while (*at) {
		struct front_conn *c = *at;

		if (c->again) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		front_conn_free(c);
	}
}

void front_timers(struct daemon *d, uint64_t now_ns, uint64_t *next)
{
	struct front *f = d->front;

	if (!f)
		return;
	if (now_ns >= f->due_ns) {
		struct front_conn *c, *after;

		f->due_ns = UINT64_MAX;
		for (c = f->conns; c; c = after) {
			after = c->next;
			if (now_ns >= c->due_ns)
				overdue(c);
			else
				f->due_ns = min_u64(f->due_ns, c->due_ns);
		}
		f->due_ns = f->due_ns < now_ns + LOOK_EVERY_NS ? now_ns + LOOK_EVERY_NS : f->due_ns;
	}
	reap(f);
	if (f->conn_cnt < FRONT_CONN_MAX)
		listener_watch(f, false);
	*next = min_u64(*next, f->again ? now_ns : f->due_ns);
}

/* #syscalls:niterd getsockname */
static void address_read(struct front *f)
{
	struct sockaddr_storage sa = { 0 };
	const struct sockaddr_in *in = (const void *)&sa;
	socklen_t len = sizeof(sa);
	uint32_t key;

	if (getsockname(f->listener, (struct sockaddr *)&sa, &len) < 0)
		return;
	peer_name(&sa, f->address, &key);
	f->port = ntohs(in->sin_port); /* at the same place in both families */
}

void front_address(const struct daemon *d, char ret[FRONT_ADDRESS_MAX])
{
	snprintf(ret, FRONT_ADDRESS_MAX, "%s", d->front ? d->front->address : "");
}

unsigned front_port(const struct daemon *d)
{
	return d->front ? d->front->port : 0;
}

int front_new(struct daemon *d, int listener, bool files)
{
	CLEANUP(fd_closep) int own = listener;
	static const struct ec2_sink sink = { turn_acts, exchange_reply, auth_replay_check };
	struct front *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return -ENOMEM;
	ec2_sink_set(&sink);
	f->d = d;
	f->listener = -1;
	f->held_tail = &f->held;
	f->again_tail = &f->again;
	f->due_ns = UINT64_MAX;
	f->ref.type = REF_FRONT;
	d->front = f;
	r = audit_open(files ? FRONT_AUDIT_PATH : NULL, &f->audit);
	if (r == 0)
		r = certificate_open(files ? FRONT_CERTIFICATE_PATH : NULL, own, &f->pem);
	if (r == 0)
		r = tls_server_new(f->pem, &f->tls);
	if (r == 0)
		r = loop_add(&d->loop, own, EPOLLIN, &f->ref);
	if (r < 0) {
		front_free(d);
		return r;
	}
	f->listener = TAKE_FD(own);
	address_read(f);
	log_info("front.listens", "address=%s connections=%d", f->address, FRONT_CONN_MAX);
	return 0;
}

int front_audit(struct daemon *d, size_t max, char **ret)
{
	return d->front ? audit_tail(d->front->audit, max, ret) : -ENOENT;
}

/* Exchanges that wait for somebody are not freed: the process ends. */
void front_free(struct daemon *d)
{
	struct front *f = d->front;

	if (!f)
		return;
	while (f->conns)
		front_conn_end(f->conns);
	front_turn_end(d, false);
	while (f->again) {
		f->again->again = false;
		f->again = f->again->again_next;
	}
	reap(f);
	if (f->listener >= 0)
		loop_del(&d->loop, f->listener);
	fd_closep(&f->listener);
	tls_server_free(f->tls);
	certificate_free(f->pem);
	audit_free(f->audit);
	free(f);
	d->front = NULL;
}
