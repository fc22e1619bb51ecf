/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a client sends on one connection, in pieces, some of it while an earlier request is being answered. The front is real; behind
 * it every request is answered with what was understood of it, at once or some turns later.
 *
 * The model reads the same bytes with http_read() alone: those answers come, in that order, no other, and nothing comes behind
 * a refusal or the last request of a connection. When the client has gone, nothing of it is left.
 *
 * First byte: how long the pieces are, and whether the client waits for its answers or goes at the end.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"
#include "controller/front/front_priv.h"
#include "front_alone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { ANSWERS_MAX = 256, ECHO_MAX = 256, INPUT_MAX = 48 * 1024, STEPS_MAX = 4000 };

static struct daemon *d;

/* Requests that are answered later; one connection has one at a time. */
static struct exchange *late;
static unsigned late_turns;

/* What is said of a request. */
static size_t echo(const struct http_request *q, char ret[ECHO_MAX])
{
	unsigned sum = 0;
	int n;

	for (size_t k = 0; k < q->body_len; k++)
		sum = sum * 31 + (unsigned char)q->body[k];
	n = snprintf(ret, ECHO_MAX, "%.*s %zu of target, %zu headers, %zu of body: %u",
		     (int)q->method.len, q->method.p, q->target.len, q->header_cnt, q->body_len,
		     sum);
	return (size_t)n;
}

static void answer(struct exchange *x)
{
	char text[ECHO_MAX], *body;
	size_t len = x->req ? echo(x->req, text) : 0;

	body = malloc(len + 1);
	must(body);
	memcpy(body, text, len);
	exchange_reply(x, 200, "text/plain", body, len);
}

void route(struct exchange *x)
{
	if (memchr(x->req->target.p, 'd', x->req->target.len)) {
		must(!late);
		late = x;
		late_turns = 3;
	} else {
		answer(x);
	}
}

static void step(int timeout_ms)
{
	struct exchange *x = late;

	(void)front_alone_step(d, late ? 0 : timeout_ms);
	if (x && late && --late_turns == 0) {
		late = NULL;
		answer(x);
		front_turn_end(d, true);
	}
}

struct expected {
	unsigned status;
	char body[ECHO_MAX];
};

/* Return: how many answers come. */
static size_t model(const char *p, size_t len, struct expected ret[ANSWERS_MAX])
{
	size_t cnt = 0;

	while (len > 0) {
		struct http_reader r = { 0 };
		struct http_request q;
		ssize_t n = http_read(&r, p, len, &q);

		if (n == 0)
			return cnt;
		must(cnt < ANSWERS_MAX);
		ret[cnt].status = n < 0 ? r.status : 200;
		ret[cnt].body[0] = '\0';
		if (n > 0 && http_span_is(q.method, "HEAD"))
			ret[cnt].status = 405;
		else if (n > 0)
			(void)echo(&q, ret[cnt].body);
		cnt++;
		if (n < 0 || ret[cnt - 1].status != 200 || q.close)
			return cnt;
		p += n;
		len -= (size_t)n;
	}
	return cnt;
}

/* What came back. Return: bytes there. */
static size_t collect(int fd, char *buf, size_t len, size_t cap, bool *end)
{
	ssize_t n = recv(fd, buf + len, cap - len, MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN))
		*end = true;
	return n > 0 ? len + (size_t)n : len;
}

static void compare(const char *buf, size_t len, const struct expected *want, size_t cnt)
{
	size_t at = 0;

	for (size_t k = 0; k < cnt; k++) {
		char head[64];
		const char *end, *length;
		size_t n;

		while (len - at > 25 && memcmp(buf + at, "HTTP/1.1 100 Continue\r\n\r\n", 25) == 0)
			at += 25;
		snprintf(head, sizeof(head), "HTTP/1.1 %u ", want[k].status);
		must(len - at > strlen(head) && memcmp(buf + at, head, strlen(head)) == 0);
		end = memmem(buf + at, len - at, "\r\n\r\n", 4);
		must(end);
		length = memmem(buf + at, (size_t)(end - buf) - at, "Content-Length: ", 16);
		must(length);
		n = strtoul(length + 16, NULL, 10);
		at = (size_t)(end + 4 - buf);
		must(n <= len - at);
		must(want[k].status != 200 ||
		     (n == strlen(want[k].body) && memcmp(buf + at, want[k].body, n) == 0));
		at += n;
	}
	while (len - at >= 25 && memcmp(buf + at, "HTTP/1.1 100 Continue\r\n\r\n", 25) == 0)
		at += 25;
	must(at == len);
}

/* Sends everything in pieces. Return: bytes of answers that came meanwhile. */
static size_t play(int fd, const char *p, size_t len, size_t piece, char *buf, size_t cap,
		   bool *end)
{
	size_t got = 0, at = 0;

	for (unsigned k = 0; at < len && !*end && k < STEPS_MAX; k++) {
		ssize_t n = send(fd, p + at, min_u64(piece, len - at), MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0)
			at += (size_t)n;
		else if (errno != EAGAIN)
			break;
		step(0);
		got = collect(fd, buf, got, cap, end);
	}
	return got;
}

static void nothing_left(void)
{
	struct front *f = d->front;

	for (unsigned k = 0; k < STEPS_MAX && (f->conn_cnt || f->call_cnt || f->dead || late); k++)
		step(1);
	must(!f->conns && f->conn_cnt == 0 && f->call_cnt == 0 && !f->dead && !f->held);
	must(f->in_big == 0 && f->out_total == 0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)argc;
	(void)argv;
	setenv("NITER_LOG", "err", 1);
	log_init("http-conn-fuzz");
	d = front_alone();
	must(listener >= 0 && tls_init() == 0 && loop_init(&d->loop) == 0);
	must(front_new(d, listener, false) == 0);
	loop_del(&d->loop, d->front->listener);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t pieces[] = { 1, 13, 600, INPUT_MAX };
	static struct expected want[ANSWERS_MAX];
	static char buf[1 << 20];
	bool end = false, stays;
	size_t got, cnt;
	int fd[2];

	if (size < 2 || size > INPUT_MAX)
		return 0;
	stays = data[0] & 4;
	if (model((const char *)data + 1, size - 1, want) >= ANSWERS_MAX - 1)
		return 0;
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) == 0);
	must(front_conn_new(d, fd[0], "fuzz", 1) == 0);
	got = play(fd[1], (const char *)data + 1, size - 1, pieces[data[0] & 3], buf, sizeof(buf),
		   &end);
	if (stays) {
		(void)shutdown(fd[1], SHUT_WR);
		for (unsigned k = 0; k < STEPS_MAX && !end; k++) {
			step(1);
			got = collect(fd[1], buf, got, sizeof(buf), &end);
		}
		must(end);
		cnt = model((const char *)data + 1, size - 1, want);
		if (data[1] != 0x16)
			compare(buf, got, want, cnt);
	}
	close(fd[1]);
	nothing_left();
	return 0;
}
