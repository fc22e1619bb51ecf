/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Clients: connections on the unix socket and control ports. docs/wire/api.md is the wire page.
 *
 * A control port is one stream for ever. Its other end comes and goes unseen when it does so quickly, so a port
 * is watched edge-triggered (a port nobody holds reports HUP all the time), and a hello at any moment begins a
 * new session: whatever the last client left is dropped. While frames are expected, a hello cannot be told from
 * data; there, a hello at the very end of what came followed by FRAMES_QUIET_MS of silence counts.
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
#include "controller/niterd.h"

enum {
	READS_PER_WAKE = 8,
	ACCEPTS_PER_WAKE = 16,
	OUT_START = 4096,
	FRAMES_QUIET_MS = 300, /* well below the time after which a client repeats its hello */
	HELLO_WAIT_S = 10,     /* a connection that says no hello by then is closed */
	HELLO_MAX = sizeof(((struct conn *)0)->tail), /* bytes of a hello line */
};

static void conn_break(struct conn *c);

void conn_op_done(struct conn *c)
{
	json_decref(c->op.req_id);
	json_decref(c->op.list);
	free(c->op.run.user_data);
	memset(&c->op, 0, sizeof(c->op));
}

/* The client is gone or starts over; what it asked for goes on without it. */
static void session_end(struct conn *c)
{
	conn_op_done(c);
	upload_free(c->upload);
	c->upload = NULL;
	c->in_len = 0;
	c->out_len = 0;
	c->tail_len = 0;
	c->state = CONN_HELLO;
}

static void conn_free(struct conn *c)
{
	session_end(c);
	if (c->fd >= 0)
		loop_del(&c->d->loop, c->fd);
	fd_closep(&c->fd);
	free(c->in);
	if (c->out)
		mem_wipe(c->out, c->out_cap); /* one answer holds a secret access key */
	free(c->out);
	free(c);
}

static void conn_break(struct conn *c)
{
	if (c->port)
		session_end(c);
	else
		c->broken = true;
}

/* What the loop should tell: for a connection, only what can be used now; a port has everything, by edges. */
static void conn_watch(struct conn *c)
{
	uint32_t want = 0;

	if (c->port || c->broken)
		return;
	if (!c->eof && c->in_len < CONN_IN_BYTES)
		want |= EPOLLIN;
	if (c->out_len)
		want |= EPOLLOUT;
	if (want == c->events)
		return;
	if (loop_mod(&c->d->loop, c->fd, want, &c->ref) < 0)
		c->broken = true;
	c->events = want;
}

/* Return: the index of a free slot, or ARRAY_SIZE(d->conn). */
static size_t slot_free(const struct daemon *d)
{
	size_t k;

	for (k = 0; k < ARRAY_SIZE(d->conn) && d->conn[k]; k++)
		;
	return k;
}

int conn_add(struct daemon *d, int fd, bool port)
{
	CLEANUP(fd_closep) int own = fd;
	size_t k = slot_free(d);
	struct conn *c;
	int r;

	if (k == ARRAY_SIZE(d->conn))
		return -EMFILE;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->fd = -1;
	c->d = d;
	c->port = port;
	c->heard_ns = clock_ns();
	c->ref.type = REF_CONN;
	c->ref.ptr = c;
	c->in = malloc(CONN_IN_BYTES);
	c->events = port ? (uint32_t)(EPOLLIN | EPOLLOUT | EPOLLET) : (uint32_t)EPOLLIN;
	r = c->in ? loop_add(&d->loop, own, c->events, &c->ref) : -ENOMEM;
	if (r < 0) {
		conn_free(c);
		return r;
	}
	c->fd = TAKE_FD(own);
	d->conn[k] = c;
	return 0;
}

/* While all slots are taken, new clients wait in the listener's queue. */
static void listener_watch(struct daemon *d)
{
	bool room = slot_free(d) < ARRAY_SIZE(d->conn);

	if (d->listener < 0 || room == !d->listener_full)
		return;
	if (!room)
		log_warn_limited("conn.full", "max=%d", CONN_MAX);
	if (loop_mod(&d->loop, d->listener, room ? EPOLLIN : 0, &d->listener_ref) == 0)
		d->listener_full = !room;
}

/* #syscalls:niterd accept4 */
void conn_accept(struct daemon *d)
{
	for (int k = 0; k < ACCEPTS_PER_WAKE && slot_free(d) < ARRAY_SIZE(d->conn); k++) {
		int fd = accept4(d->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0) {
			if (errno != EAGAIN)
				log_warn_limited("conn.accept", "err=%d", -errno);
			break;
		}
		if (conn_add(d, fd, false) < 0)
			log_warn_limited("conn.add", "max=%d", CONN_MAX);
	}
	listener_watch(d);
}

/* #syscalls:niterd write sendto */
static void out_flush(struct conn *c)
{
	size_t done = 0;
	ssize_t n = 0;

	if (c->out_len == 0)
		return;
	while (done < c->out_len) {
		n = c->port ? write(c->fd, c->out + done, c->out_len - done)
			    : send(c->fd, c->out + done, c->out_len - done, MSG_NOSIGNAL);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	memmove(c->out, c->out + done, c->out_len - done);
	c->out_len -= done;
	mem_wipe(c->out + c->out_len, done);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		conn_break(c);
}

static void out_add(struct conn *c, const char *p, size_t len)
{
	if (c->broken)
		return;
	if (len > c->out_cap - c->out_len) {
		size_t cap = c->out_cap ? c->out_cap : OUT_START;
		char *bigger;

		while (cap < c->out_len + len)
			cap *= 2;
		bigger = cap <= CONN_OUT_MAX ? malloc(cap) : NULL;
		if (!bigger) {
			log_warn_limited("conn.deaf", "bytes=%zu", c->out_len);
			conn_break(c);
			return;
		}
		if (c->out) {
			memcpy(bigger, c->out, c->out_len);
			mem_wipe(c->out, c->out_cap);
			free(c->out);
		}
		c->out = bigger;
		c->out_cap = cap;
	}
	memcpy(c->out + c->out_len, p, len);
	c->out_len += len;
}

void conn_send(struct conn *c, json_t *msg)
{
	CLEANUP(free_p) char *line = msg ? json_dumps(msg, JSON_COMPACT) : NULL;

	json_decref(msg);
	if (!line) {
		conn_break(c); /* no memory: better gone than silent */
		return;
	}
	out_add(c, line, strlen(line));
	mem_wipe(line, strlen(line));
	out_add(c, "\n", 1);
	out_flush(c);
}

void conn_send_text(struct conn *c, const char *text)
{
	out_add(c, text, strlen(text));
}

void conn_result(struct conn *c, json_t *result)
{
	conn_send(c, json_pack("{s:O,s:o}", "id", c->op.req_id, "result", result));
	conn_op_done(c);
}

void conn_fault(struct conn *c, const struct fault *f)
{
	json_t *id = c->op.req_id ? json_incref(c->op.req_id) : json_null();
	json_t *err = json_pack("{s:s,s:s}", "code", f->code, "message", f->text);

	if (err && f->remedy[0])
		(void)!json_object_set_new(err, "remedy", json_string(f->remedy));
	conn_send(c, json_pack("{s:o,s:o}", "id", id, "error", err));
	conn_op_done(c);
}

void conn_progress(struct conn *c, const char *step, uint64_t done, uint64_t total)
{
	if (c->out_len > OUT_START) /* a slow reader misses some */
		return;
	conn_send(c, json_pack("{s:O,s:{s:s,s:I,s:I}}", "id", c->op.req_id, "progress", "step",
			       step, "done", (json_int_t)done, "total", (json_int_t)total));
}

static void in_drop(struct conn *c, size_t len)
{
	memmove(c->in, c->in + len, c->in_len - len);
	c->in_len -= len;
}

static void fault_line(struct conn *c, const char *text)
{
	struct fault f;

	(void)!fault_set(&f, EPROTO, "InvalidRequest", "see docs/wire/api.md", "%s", text);
	conn_fault(c, &f);
}

/* A hello line begins a session. Return: whether it was one. */
static bool hello_take(struct conn *c, const char *line, size_t len)
{
	json_t *session = NULL;
	size_t rest;

	if (len > HELLO_MAX || api_hello(line, len, &session) < 0)
		return false;
	/* What came behind the line belongs to the new session. */
	rest = c->in_len - (size_t)(line + len - c->in);
	memmove(c->in, line + len, rest);
	session_end(c);
	c->in_len = rest;
	c->state = CONN_READY;
	api_hello_answer(c, session);
	json_decref(session);
	return true;
}

static void frames_end(struct conn *c, const struct fault *f)
{
	upload_free(c->upload);
	c->upload = NULL;
	conn_fault(c, f);
	/* Where the next line would begin is unknown; a port's client says hello again. */
	c->in_len = 0;
	c->state = CONN_HELLO;
	if (!c->port)
		c->eof = true;
}

/* Return: whether something was eaten. */
static bool frames_process(struct conn *c)
{
	struct fault f = { .code = "" };
	struct image img = { 0 };
	uint64_t done_bytes = 0, total = 0;
	bool done = false;
	ssize_t n;

	n = upload_feed(c->upload, (const uint8_t *)c->in, c->in_len, &done, &f);
	if (n < 0) {
		frames_end(c, &f);
		return true;
	}
	in_drop(c, (size_t)n);
	if (!done) {
		upload_progress(c->upload, &done_bytes, &total);
		if (n > 0 && c->heard_ns - c->op.progress_ns > 200000000U) {
			c->op.progress_ns = c->heard_ns;
			conn_progress(c, "upload", done_bytes, total);
		}
		return n > 0;
	}
	c->state = CONN_READY;
	if (upload_finish(c->upload, &img, &f) == 0 && core_image_add(&c->d->core, &img, &f) < 0)
		(void)!upload_remove(img.id);
	/* What was half-made is gone before the client hears of it. */
	upload_free(c->upload);
	c->upload = NULL;
	if (f.code[0])
		conn_fault(c, &f);
	else
		conn_result(c, json_pack("{s:o}", "image", json_of_image(&img)));
	return true;
}

/* One line. Return: whether it was eaten; false also means that it has to wait. */
static bool line_process(struct conn *c, size_t len)
{
	char *line = c->in;
	size_t full = len + 1;

	if (len == 0) {
		in_drop(c, full);
		return true;
	}
	/* On a port the beginning of the line may be what an earlier client left. */
	if (c->port && c->state != CONN_FRAMES) {
		const char *at = memmem(line, len, "{\"hello\"", 8);

		if (at && hello_take(c, at, full - (size_t)(at - line)))
			return true;
	}
	if (c->state == CONN_HELLO) {
		if (c->port) {
			in_drop(c, full);
			return true;
		}
		if (!hello_take(c, line, full)) {
			fault_line(c, "the first line must be a hello");
			c->eof = true;
			c->in_len = 0;
		}
		return true;
	}
	if (c->op.kind != OP_NONE)
		return false;
	api_request(c, line, len);
	/* A request may have ended the session; then nothing is left to drop. */
	if (c->in_len >= full)
		in_drop(c, full);
	return true;
}

static void conn_process(struct conn *c)
{
	bool more = true;

	while (more && !c->broken && c->in_len > 0) {
		char *nl;

		if (c->state == CONN_FRAMES) {
			more = frames_process(c);
			continue;
		}
		if (c->eof && c->state == CONN_HELLO) {
			c->in_len = 0;
			return;
		}
		nl = memchr(c->in, '\n', min_u64(c->in_len, CONN_LINE_MAX));
		if (nl) {
			more = line_process(c, (size_t)(nl - c->in));
		} else if (c->in_len >= CONN_LINE_MAX) {
			if (!c->port || c->state == CONN_READY)
				fault_line(c, "a line is longer than 64 KiB");
			c->in_len = 0;
			c->state = CONN_HELLO;
			c->eof = !c->port;
			return;
		} else {
			more = false;
		}
	}
}

static void tail_keep(struct conn *c, const char *p, size_t len)
{
	size_t cap = sizeof(c->tail), keep;

	if (len > cap) {
		p += len - cap;
		len = cap;
	}
	keep = min_u64(c->tail_len, cap - len);
	memmove(c->tail, c->tail + c->tail_len - keep, keep);
	memcpy(c->tail + keep, p, len);
	c->tail_len = keep + len;
}

/* #syscalls:niterd read */
static void conn_read(struct conn *c)
{
	for (int k = 0; k < READS_PER_WAKE && !c->eof && !c->broken; k++) {
		ssize_t n;

		if (c->in_len == CONN_IN_BYTES)
			break;
		n = read(c->fd, c->in + c->in_len, CONN_IN_BYTES - c->in_len);
		if (n < 0) {
			if (errno != EAGAIN && errno != EINTR)
				conn_break(c);
			return;
		}
		if (n == 0) {
			if (c->port)
				session_end(c);
			else
				c->eof = true;
			return;
		}
		c->heard_ns = clock_ns();
		if (c->port && c->state == CONN_FRAMES)
			tail_keep(c, c->in + c->in_len, (size_t)n);
		c->in_len += (size_t)n;
		conn_process(c);
	}
	/* Stopped by the budget or a full buffer: a port's edge is spent. */
	if (c->port)
		c->more = true;
}

void conn_event(struct conn *c, uint32_t events)
{
	if (c->broken)
		return;
	if (events & EPOLLOUT)
		out_flush(c);
	if (c->port && (events & EPOLLHUP)) {
		session_end(c);
		return;
	}
	if (events & EPOLLIN)
		conn_read(c);
	if (!c->port && (events & (EPOLLHUP | EPOLLERR)))
		c->broken = true;
	/* A client that cut an upload short will not come back to it. */
	if (c->eof && c->state == CONN_FRAMES)
		c->broken = true;
	conn_watch(c);
}

/* On a port: was the last thing heard a hello, a while ago, in the middle of frames? */
static void frames_quiet(struct conn *c, uint64_t now_ns, uint64_t *next)
{
	uint64_t due = c->heard_ns + (uint64_t)FRAMES_QUIET_MS * 1000000U;
	const char *at = NULL;
	size_t len = c->tail_len;

	if (now_ns < due) {
		*next = min_u64(*next, due);
		return;
	}
	if (len && c->tail[len - 1] == '\n')
		at = memmem(c->tail, len, "{\"hello\"", 8);
	if (!at)
		return;
	len -= (size_t)(at - c->tail);
	memcpy(c->in, at, len);
	session_end(c);
	c->in_len = len;
	conn_process(c);
}

/* A connection that has not said hello yet has only so long. */
static void hello_wait(struct conn *c, uint64_t now_ns, uint64_t *next)
{
	uint64_t due = c->heard_ns + (uint64_t)HELLO_WAIT_S * 1000000000U;

	if (c->port || c->state != CONN_HELLO)
		return;
	if (now_ns >= due)
		c->broken = true;
	else
		*next = min_u64(*next, due);
}

static void conn_timer(struct conn *c, uint64_t now_ns, uint64_t *next)
{
	api_timers(c, now_ns, next);
	if (c->op.kind == OP_NONE && c->in_len > 0 && c->state == CONN_READY)
		conn_process(c); /* a request that waited for the one before it */
	if (c->more && c->in_len < CONN_IN_BYTES) {
		c->more = false;
		conn_read(c);
	}
	if (c->more && c->in_len < CONN_IN_BYTES)
		*next = now_ns;
	if (c->port && c->state == CONN_FRAMES)
		frames_quiet(c, now_ns, next);
	hello_wait(c, now_ns, next);
	if (!c->port && c->eof && c->op.kind == OP_NONE && c->out_len == 0)
		c->broken = true;
	conn_watch(c);
}

void conn_timers(struct daemon *d, uint64_t now_ns, uint64_t *next)
{
	for (size_t k = 0; k < ARRAY_SIZE(d->conn); k++) {
		struct conn *c = d->conn[k];

		if (!c)
			continue;
		conn_timer(c, now_ns, next);
		if (c->broken) {
			d->conn[k] = NULL;
			conn_free(c);
		}
	}
	listener_watch(d);
}

void conn_free_all(struct daemon *d)
{
	for (size_t k = 0; k < ARRAY_SIZE(d->conn); k++) {
		if (d->conn[k])
			conn_free(d->conn[k]);
		d->conn[k] = NULL;
	}
}
