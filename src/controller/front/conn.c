/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One connection. It is read only while it may say something: during a call and while the answer leaves the rest waits
 * in the kernel, so a client that does not read cannot make us read. Its buffer grows with what really came.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "controller/front/front_priv.h"

enum { TLS_HANDSHAKE_BYTE = 0x16, TOGETHER = 16 * 1024 };

void front_conn_phase(struct front_conn *c, enum conn_phase phase, unsigned seconds)
{
	struct front *f = c->d->front;

	c->phase = phase;
	c->began_ns = clock_ns();
	c->due_ns = seconds ? c->began_ns + (uint64_t)seconds * 1000000000U : UINT64_MAX;
	f->due_ns = min_u64(f->due_ns, c->due_ns);
}

/* Bytes of a buffer that count against all others'. */
static size_t in_big(size_t cap)
{
	return cap > IN_SMALL ? cap - IN_SMALL : 0;
}

static void in_resize(struct front_conn *c, char *in, size_t cap)
{
	c->d->front->in_big += in_big(cap) - in_big(c->in_cap);
	c->in = in;
	c->in_cap = cap;
}

static void in_free(struct front_conn *c)
{
	if (c->secret && c->in)
		mem_wipe(c->in, c->in_cap);
	free(c->in);
	in_resize(c, NULL, 0);
}

static void out_free(struct front_conn *c)
{
	c->d->front->out_total -= c->out_len;
	if (c->secret && c->out)
		mem_wipe(c->out, c->out_len);
	free(c->out);
	c->out = NULL;
	c->out_len = 0;
	c->out_done = 0;
}

void front_conn_end(struct front_conn *c)
{
	struct front *f = c->d->front;

	if (c->phase == FRONT_DEAD)
		return;
	if (c->call) {
		c->call->x.conn = NULL;
		c->call->x.req = NULL;
		c->call = NULL;
	}
	loop_del(&c->d->loop, c->fd);
	tls_free(c->tls);
	c->tls = NULL;
	fd_closep(&c->fd);
	in_free(c);
	out_free(c);
	if (c->prev)
		c->prev->next = c->next;
	else
		f->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	f->conn_cnt--;
	c->prev = NULL;
	c->next = f->dead;
	f->dead = c;
	c->phase = FRONT_DEAD;
	f->due_ns = 0;
}

void front_conn_free(struct front_conn *c)
{
	free(c);
}

int front_conn_new(struct daemon *d, int fd, const char *peer, uint32_t peer_key)
{
	CLEANUP(fd_closep) int own = fd;
	struct front *f = d->front;
	struct front_conn *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->d = d;
	c->ref.type = REF_FRONT_CONN;
	c->ref.ptr = c;
	c->number = ++f->numbers;
	c->peer_key = peer_key;
	memcpy(c->peer, peer, strnlen(peer, sizeof(c->peer) - 1));
	c->events = EPOLLIN;
	r = loop_add(&d->loop, own, c->events, &c->ref);
	if (r < 0) {
		free(c);
		return r;
	}
	c->fd = TAKE_FD(own);
	c->next = f->conns;
	if (c->next)
		c->next->prev = c;
	f->conns = c;
	f->conn_cnt++;
	front_conn_phase(c, FRONT_IDLE, HEAD_S);
	return 0;
}

/* More can be done without an event. */
static void again_later(struct front_conn *c)
{
	struct front *f = c->d->front;

	if (c->again || c->phase == FRONT_DEAD)
		return;
	c->again = true;
	c->again_next = NULL;
	*f->again_tail = c;
	f->again_tail = &c->again_next;
}

/* What to be told of: reading only where something may be said. */
static void watch(struct front_conn *c)
{
	uint32_t want = 0;

	if (c->phase == FRONT_DEAD)
		return;
	if (c->phase == FRONT_IDLE || c->phase == FRONT_READ || c->phase == FRONT_LINGER)
		want = EPOLLIN;
	if (c->phase == FRONT_SEND)
		want = EPOLLOUT;
	if (c->phase == FRONT_HANDSHAKE ||
	    (c->tls && (c->phase == FRONT_SEND || c->phase == FRONT_READ)))
		want = tls_wants_write(c->tls) ? EPOLLOUT : EPOLLIN;
	if (want == c->events)
		return;
	if (loop_mod(&c->d->loop, c->fd, want, &c->ref) < 0)
		front_conn_end(c);
	else
		c->events = want;
}

/* Return: bytes, 0 end of what the client says, -EAGAIN, -errno. #syscalls:niterd recvfrom read */
static ssize_t bytes_read(struct front_conn *c, char *p, size_t cap)
{
	ssize_t n;

	if (c->tls)
		return tls_read(c->tls, p, cap);
	n = recv(c->fd, p, cap, 0);
	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	return n;
}

/* #syscalls:niterd sendto */
static ssize_t bytes_write(struct front_conn *c, const char *p, size_t len)
{
	ssize_t n;

	if (c->tls)
		return tls_write(c->tls, p, len);
	n = send(c->fd, p, len, MSG_NOSIGNAL);
	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	return n;
}

/* The answer has left. #syscalls:niterd shutdown */
static void sent(struct front_conn *c)
{
	out_free(c);
	if (c->close) {
		/* A reset would overtake the answer if bytes were left unread. */
		if (c->tls)
			tls_goodbye(c->tls);
		(void)shutdown(c->fd, SHUT_WR);
		in_free(c);
		c->in_len = 0;
		front_conn_phase(c, FRONT_LINGER, LINGER_S);
		return;
	}
	if (c->secret && c->used)
		mem_wipe(c->in, c->used);
	c->in_len -= c->used;
	if (c->in && c->in_len)
		memmove(c->in, c->in + c->used, c->in_len);
	c->used = 0;
	c->continued = false;
	memset(&c->reader, 0, sizeof(c->reader));
	if (c->in_len == 0)
		in_free(c);
	c->secret = false;
	front_conn_phase(c, c->in_len ? FRONT_READ : FRONT_IDLE, c->in_len ? HEAD_S : IDLE_S);
	if (c->in_len || (c->tls && tls_pending(c->tls)))
		again_later(c);
}

static void out_flush(struct front_conn *c)
{
	while (c->out_done < c->out_len) {
		ssize_t n = bytes_write(c, c->out + c->out_done, c->out_len - c->out_done);

		if (n == -EAGAIN)
			return;
		if (n <= 0) {
			front_conn_end(c);
			return;
		}
		c->out_done += (size_t)n;
	}
	sent(c);
}

/* What realloc() does, but nothing of the old place stays. */
static char *body_move(char *body, size_t cap, size_t len)
{
	char *out = malloc(cap);

	if (!out || !body)
		return out;
	memcpy(out, body, len);
	mem_wipe(body, len);
	free(body);
	return out;
}

void front_conn_send(struct front_conn *c, const char *head, size_t head_len, char *body,
		     size_t len)
{
	char *out =
		c->secret ? body_move(body, head_len + len, len) : realloc(body, head_len + len);

	if (!out) {
		free(body);
		front_conn_end(c);
		return;
	}
	memmove(out + head_len, out, len);
	memcpy(out, head, head_len);
	c->out = out;
	c->out_len = head_len + len;
	c->out_done = 0;
	c->d->front->out_total += c->out_len;
	front_conn_phase(c, FRONT_SEND, SEND_S);
	out_flush(c);
	watch(c);
}

/* "100 Continue" is small and first: a socket that has no room even for it is not worth waiting for. */
static void continue_say(struct front_conn *c)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

	c->continued = true;
	if (bytes_write(c, text, sizeof(text) - 1) != (ssize_t)sizeof(text) - 1)
		front_conn_end(c);
}

static void call_begin(struct front_conn *c, const struct http_request *req)
{
	struct front_call *k = NULL;
	int r;

	if (http_span_is(req->method, "HEAD")) {
		call_refuse(c, 405, "HEAD is not offered"); /* its answer would have no body */
		return;
	}
	r = call_new(c, &k);
	c->close = req->close;
	if (r < 0) {
		call_refuse(c, r == -EBUSY ? 503 : 500, "Request limit exceeded.");
		return;
	}
	k->req = *req;
	c->call = k;
	front_conn_phase(c, FRONT_CALL, 0);
	route(&k->x);
}

/* Is there a request in the buffer? */
static void request_look(struct front_conn *c)
{
	struct http_request req;
	bool had_head = c->reader.head_len > 0;
	ssize_t n = http_read(&c->reader, c->in, c->in_len, &req);

	if (n > 0) {
		c->used = (size_t)n;
		call_begin(c, &req);
		return;
	}
	if (n < 0) {
		call_refuse(c, c->reader.status, c->reader.reason);
		return;
	}
	if (!had_head && c->reader.head_len > 0) {
		front_conn_phase(c, FRONT_READ, BODY_S);
		if (c->reader.expects && !c->continued)
			continue_say(c);
	}
}

/* Room for more bytes. Return: 0, -ENOMEM, -EBUSY: others have taken it all. */
static int in_room(struct front_conn *c)
{
	struct front *f = c->d->front;
	size_t cap = c->in_cap ? c->in_cap * 2 : IN_START;
	size_t whole = c->reader.head_len + c->reader.body_len;
	char *in;

	if (c->in_len < c->in_cap)
		return 0;
	if (c->reader.head_len && cap > whole)
		cap = whole; /* more than there is, or the request would be complete */
	if (f->in_big + in_big(cap) - in_big(c->in_cap) > IN_BIG_TOTAL)
		return -EBUSY;
	in = realloc(c->in, cap);
	if (!in)
		return -ENOMEM;
	in_resize(c, in, cap);
	return 0;
}

/* TLS or not? Return: whether it is known. */
static bool first_byte(struct front_conn *c)
{
	unsigned char b;
	ssize_t n = recv(c->fd, &b, 1, MSG_PEEK);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		front_conn_end(c);
		return false;
	}
	c->known = true;
	if (b != TLS_HANDSHAKE_BYTE)
		return true;
	if (!c->d->front->tls || tls_new(c->d->front->tls, c->fd, &c->tls) < 0) {
		front_conn_end(c);
		return false;
	}
	front_conn_phase(c, FRONT_HANDSHAKE, HEAD_S);
	return true;
}

/* Return: whether it is done. */
static bool handshake(struct front_conn *c)
{
	int r = tls_handshake(c->tls);

	if (r == -EAGAIN)
		return false;
	if (r < 0) {
		front_conn_end(c);
		return false;
	}
	front_conn_phase(c, FRONT_IDLE, HEAD_S);
	return true;
}

static void linger(struct front_conn *c)
{
	char junk[4096];
	ssize_t n;

	do {
		n = recv(c->fd, junk, sizeof(junk), 0);
		if (n > 0)
			c->dropped += (size_t)n;
	} while (n > 0 && c->dropped < LINGER_BYTES);
	if (n >= 0 || (errno != EAGAIN && errno != EINTR))
		front_conn_end(c);
}

/* Reads and answers until nothing is left, the request is complete, or it is others' turn. */
static void reading(struct front_conn *c)
{
	size_t budget = TURN_CONN_BYTES;

	if (c->in_len)
		request_look(c);
	while (c->phase == FRONT_IDLE || c->phase == FRONT_READ) {
		ssize_t n;
		int r;

		if (budget == 0) {
			again_later(c);
			return;
		}
		r = in_room(c);
		if (r < 0) {
			call_refuse(c, 503, "Request limit exceeded.");
			return;
		}
		n = bytes_read(c, c->in + c->in_len, min_u64(c->in_cap - c->in_len, budget));
		if (n == -EAGAIN) {
			if (c->in_len == 0)
				in_free(c);
			return;
		}
		if (n <= 0) {
			front_conn_end(c); /* in the middle of a request, or between two */
			return;
		}
		if (c->phase == FRONT_IDLE)
			front_conn_phase(c, FRONT_READ, HEAD_S);
		c->in_len += (size_t)n;
		budget -= (size_t)n;
		request_look(c);
	}
}

void front_conn_go(struct front_conn *c)
{
	if (c->phase == FRONT_IDLE && !c->known && !first_byte(c))
		return;
	if (c->phase == FRONT_HANDSHAKE && !handshake(c)) {
		watch(c);
		return;
	}
	if (c->phase == FRONT_IDLE || c->phase == FRONT_READ)
		reading(c);
	else if (c->phase == FRONT_SEND)
		out_flush(c);
	else if (c->phase == FRONT_LINGER)
		linger(c);
	watch(c);
}

void front_conn_event(struct front_conn *c, uint32_t events)
{
	if (c->phase == FRONT_DEAD)
		return; /* ended in this turn */
	if (events & (EPOLLHUP | EPOLLERR)) {
		front_conn_end(c);
		return;
	}
	front_conn_go(c);
}
