/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Connections of HTTP. All of them belong to one instance, but not to one program in it: so nobody can keep the others
 * out by holding connections (the one that has been silent longest makes room), by sending slowly (deadlines) or by
 * sending much (one rate for all, taken in turns).
 */

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "metadata/guard.h"
#include "metadata/metadata.h"

#define MS_NS 1000000ull
#define S_NS 1000000000ull

enum {
	REQUEST_S = 10,
	ANSWER_S = 10,
	IDLE_S = 30,
	LINGER_S = 2,
	YOUNG_MS = 100,
	ACCEPTS_PER_WAKE = 16
};
enum { SEND_BYTES = 32 * 1024, RECEIVE_BYTES = 16 * 1024 }; /* room for an answer, and for a head */

void http_server_init(struct http_server *s, struct loop *loop, struct imds *imds, uint64_t now_ns)
{
	unsigned i;

	s->loop = loop;
	s->imds = imds;
	s->listener = -1;
	s->listener_ref = (struct loop_ref){ REF_HTTP_LISTENER, s };
	bucket_init(&s->rate, HTTP_RATE, HTTP_RATE_BURST, now_ns);
	for (i = 0; i < HTTP_CONNS_MAX; i++) {
		s->peer[i].fd = -1;
		s->peer[i].ref = (struct loop_ref){ REF_HTTP_CONN, &s->peer[i] };
	}
}

/*
 * Accepted sockets inherit both. The kernel doubles them.
 * #syscalls-include <sys/socket.h>
 * #syscalls:metadata setsockopt(SO_SNDBUF|SO_RCVBUF)
 */
int buffers_set(int listener)
{
	const int out = SEND_BYTES, in = RECEIVE_BYTES;

	if (setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &out, sizeof(out)) < 0 ||
	    setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &in, sizeof(in)) < 0)
		return -errno;
	return 0;
}

int http_server_listen(struct http_server *s, int fd)
{
	int r;

	must(s->listener < 0);
	s->listener = fd;
	r = buffers_set(fd);
	return r < 0 ? r : loop_add(s->loop, fd, EPOLLIN, &s->listener_ref);
}

static void peer_close(struct http_server *s, struct http_peer *p)
{
	loop_del(s->loop, p->fd);
	fd_closep(&p->fd);
	p->state = PEER_FREE;
}

static void peer_watch(struct http_server *s, struct http_peer *p, enum peer_state state,
		       uint32_t events)
{
	p->state = state;
	if (events == p->events)
		return;
	p->events = events;
	if (loop_mod(s->loop, p->fd, events, &p->ref) < 0)
		peer_close(s, p);
}

/* #syscalls:metadata shutdown */
static void peer_linger(struct http_server *s, struct http_peer *p, uint64_t now_ns)
{
	if (p->eof || shutdown(p->fd, SHUT_WR) < 0) {
		peer_close(s, p);
		return;
	}
	p->deadline_ns = now_ns + LINGER_S * S_NS;
	peer_watch(s, p, PEER_LINGER, EPOLLIN);
}

/*
 * Sends what is there.
 * #syscalls:metadata sendto
 * Return: 1 all gone, 0 the window is full, -errno.
 */
static int peer_flush(struct http_peer *p, uint64_t now_ns)
{
	struct http_conn *c = &p->conn;

	while (c->out_off < c->out_end) {
		ssize_t n = send(p->fd, c->out + c->out_off, c->out_end - c->out_off, MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		c->out_off += (size_t)n;
		p->moved_ns = now_ns;
	}
	return 1;
}

/* A request was answered: on to the next. Return: true when there may be more to do. */
static bool peer_answer(struct http_server *s, struct http_peer *p, uint64_t now_ns)
{
	bool partial = p->conn.in_len > 0;
	uint64_t wait_ns = 0;

	if (partial && s->rate_ns) { /* behind those who wait already */
		peer_watch(s, p, PEER_WAITING, 0);
		return false;
	}
	switch (http_conn_step(&p->conn, s->imds, &s->rate, now_ns, &wait_ns)) {
	case STEP_TOKEN:
		if (guard_hop_limit(p->fd, s->imds->options.hop_limit) < 0) {
			peer_close(s, p);
			return false;
		}
		p->deadline_ns = now_ns + ANSWER_S * S_NS;
		return true;
	case STEP_ANSWER:
		p->deadline_ns = now_ns + ANSWER_S * S_NS;
		return true;
	case STEP_WAIT:
		s->rate_ns = now_ns + wait_ns;
		peer_watch(s, p, PEER_WAITING, 0);
		return false;
	case STEP_MORE:
		break;
	}
	if (p->eof) {
		peer_close(s, p);
		return false;
	}
	if (p->state != PEER_READING)
		p->deadline_ns = now_ns + (partial ? REQUEST_S : IDLE_S) * S_NS;
	peer_watch(s, p, PEER_READING, EPOLLIN);
	return false;
}

/* Everything that can be done now. The rate bounds it. */
static void peer_go(struct http_server *s, struct http_peer *p, uint64_t now_ns)
{
	int r;

	do {
		r = peer_flush(p, now_ns);
		if (r < 0) {
			peer_close(s, p);
			return;
		}
		if (r == 0) {
			peer_watch(s, p, PEER_WRITING, EPOLLOUT);
			return;
		}
		if (p->conn.close) {
			peer_linger(s, p, now_ns);
			return;
		}
		/* So that the next request has a deadline of its own. */
		if (p->state == PEER_READING && p->conn.out_end)
			p->state = PEER_WRITING;
		p->conn.out_off = p->conn.out_end = 0;
	} while (peer_answer(s, p, now_ns));
}

/* #syscalls:metadata recvfrom */
static void peer_read(struct http_server *s, struct http_peer *p, uint64_t now_ns)
{
	struct http_conn *c = &p->conn;
	ssize_t n = recv(p->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, 0);

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			peer_close(s, p);
		return;
	}
	if (n == 0) {
		p->eof = true;
	} else {
		if (c->in_len == 0)
			p->deadline_ns = now_ns + REQUEST_S * S_NS;
		c->in_len += (size_t)n;
		p->moved_ns = now_ns;
	}
	peer_go(s, p, now_ns);
}

static void peer_drain(struct http_server *s, struct http_peer *p)
{
	ssize_t n = recv(p->fd, p->conn.in, sizeof(p->conn.in), 0);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		peer_close(s, p);
}

void http_server_ready(struct http_server *s, struct http_peer *p, uint32_t events, uint64_t now_ns)
{
	if (p->state == PEER_FREE) /* closed earlier in this round */
		return;
	if (p->state != PEER_LINGER && events & (EPOLLERR | EPOLLHUP)) {
		peer_close(s, p);
		return;
	}
	switch (p->state) {
	case PEER_READING:
		peer_read(s, p, now_ns);
		break;
	case PEER_WRITING:
		peer_go(s, p, now_ns);
		break;
	case PEER_LINGER:
		peer_drain(s, p);
		break;
	case PEER_WAITING:
	case PEER_FREE:
		break;
	}
}

/* ---- accepting ---- */

/* A place for one more: a free one, or the connection that has been silent longest. NULL: all are young. */
static struct http_peer *place_find(struct http_server *s, uint64_t now_ns)
{
	struct http_peer *oldest = &s->peer[0];
	unsigned i;

	for (i = 0; i < HTTP_CONNS_MAX; i++) {
		if (s->peer[i].state == PEER_FREE)
			return &s->peer[i];
		if (s->peer[i].moved_ns < oldest->moved_ns)
			oldest = &s->peer[i];
	}
	return guard_late(oldest->moved_ns + YOUNG_MS * MS_NS, now_ns) ? oldest : NULL;
}

static void listener_pause(struct http_server *s, bool pause, uint64_t now_ns)
{
	if (loop_mod(s->loop, s->listener, pause ? 0 : EPOLLIN, &s->listener_ref) < 0)
		log_err("http.listener", NULL);
	s->listener_ns = pause ? now_ns + YOUNG_MS * MS_NS : 0;
}

/* #syscalls:metadata accept4 */
void http_server_accept(struct http_server *s, uint64_t now_ns)
{
	for (unsigned k = 0; k < ACCEPTS_PER_WAKE; k++) {
		struct http_peer *p = place_find(s, now_ns);
		int fd;

		if (!p) {
			listener_pause(s, true, now_ns);
			return;
		}
		fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		if (p->state != PEER_FREE) {
			log_warn_limited("http.displaced", "max=%d", HTTP_CONNS_MAX);
			peer_close(s, p);
		}
		p->fd = fd;
		http_conn_reset(&p->conn);
		p->state = PEER_READING;
		p->eof = false;
		p->events = EPOLLIN;
		p->moved_ns = now_ns;
		p->deadline_ns = now_ns + REQUEST_S * S_NS;
		if (loop_add(s->loop, p->fd, p->events, &p->ref) < 0)
			peer_close(s, p);
	}
}

/* ---- time ---- */

/* Those whose turn has come, each one request, beginning behind the last one that had it. */
static void turns_take(struct http_server *s, uint64_t now_ns)
{
	const unsigned from = s->turn;
	unsigned i;

	s->rate_ns = 0;
	for (i = 0; i < HTTP_CONNS_MAX && !s->rate_ns; i++) {
		unsigned k = (from + i) % HTTP_CONNS_MAX;

		if (s->peer[k].state != PEER_WAITING)
			continue;
		peer_go(s, &s->peer[k], now_ns);
		if (s->peer[k].state != PEER_WAITING || s->rate_ns)
			s->turn = k + 1;
	}
}

uint64_t http_server_tick(struct http_server *s, uint64_t now_ns)
{
	uint64_t next = UINT64_MAX;
	unsigned i;

	if (s->rate_ns && now_ns >= s->rate_ns)
		turns_take(s, now_ns);
	if (s->listener_ns && now_ns >= s->listener_ns)
		listener_pause(s, false, now_ns);
	for (i = 0; i < HTTP_CONNS_MAX; i++) {
		struct http_peer *p = &s->peer[i];

		if (p->state == PEER_FREE || p->state == PEER_WAITING)
			continue;
		if (guard_late(p->deadline_ns, now_ns))
			peer_close(s, p);
		else
			next = min_u64(next, p->deadline_ns);
	}
	if (s->rate_ns)
		next = min_u64(next, s->rate_ns);
	if (s->listener_ns)
		next = min_u64(next, s->listener_ns);
	return next;
}
