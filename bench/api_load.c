/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Asks an EC2 endpoint on this machine the same thing over and over, for bench/api.py.
 *
 *   api-load PORT ACCESS_KEY_ID SECRET REGION
 *
 * Answers each line "CONNECTIONS SECONDS REQUESTS BODY" on standard input with a line of JSON. BODY is a form body; each "@"
 * in it becomes a number that no request had before. Stops after REQUESTS, or after SECONDS when REQUESTS is 0.
 *
 * Every request is written and signed before the clock starts, and no two are equal: amz-sdk-invocation-id, which is
 * signed, differs, as it does between the calls of an SDK. (With REQUESTS 0, RING_MAX of them are used in turn.) A
 * connection has one request under way, and is made anew only when the other end closes it. Latency is from the first
 * byte sent to the last byte received.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "crypto/crypto.h"
#include "crypto/sigv4.h"

enum {
	CONNECTIONS_MAX = 256,
	REQUESTS_MAX = 200000,
	RING_MAX = 4096,
	BODY_MAX = 4096,
	REQUEST_MAX = 8192,
	HEAD_MAX = 16384,
	STUCK_MS = 60000,
	EVENTS_MAX = 64,
};

struct text {
	char *p; /* owned */
	size_t len;
};

struct conn {
	int fd;
	const struct text *request;
	size_t sent;
	uint64_t began_ns;
	char head[HEAD_MAX]; /* of the answer, NUL-terminated, until it is complete */
	size_t head_len;
	bool in_body, close;
	uint64_t body_left;
	unsigned status;
};

struct load {
	struct sockaddr_in to;
	const char *key_id, *region;
	struct key *secret;
	unsigned port;
	uint64_t serial; /* of "@" and invocation ids */
	struct text *ring;
	size_t ring_cnt;
	struct conn conn[CONNECTIONS_MAX];
	unsigned conn_cnt;
	uint32_t *latency_us; /* of each answer */
	size_t done, begun, want;
	uint64_t errors, bytes, connects, end_ns;
	char first_error[512];
	int epoll;
};

static struct load l;

static void die(const char *what, int err)
{
	(void)fprintf(stderr, "api-load: %s: %s\n", what, strerrordesc_np(err));
	exit(1);
}

/* Writing requests -------------------------------------------------------------------------- */

static size_t body_write(const char *template, char *ret)
{
	size_t len = 0;

	for (const char *p = template; *p && len < BODY_MAX - 32; p++) {
		if (*p == '@')
			len += (size_t)snprintf(ret + len, BODY_MAX - len, "%" PRIu64, l.serial);
		else
			ret[len++] = *p;
	}
	ret[len] = '\0';
	return len;
}

static struct sigv4_span span(const char *text)
{
	return (struct sigv4_span){ text, strlen(text) };
}

static void request_write(const char *template, const char *date, struct text *ret)
{
	static char body[BODY_MAX], authorization[SIGV4_AUTHORIZATION_MAX];
	char host[32], id[64];
	const char *type = "application/x-www-form-urlencoded; charset=utf-8";
	struct sigv4_header h[4];
	struct sigv4_request r = { .method = span("POST"), .path = span("/"), .header = h };
	size_t len;
	int n;

	l.serial++;
	len = body_write(template, body);
	(void)snprintf(host, sizeof(host), "127.0.0.1:%u", l.port);
	(void)snprintf(id, sizeof(id), "00000000-0000-4000-8000-%012" PRIx64, l.serial);
	h[r.header_cnt++] = (struct sigv4_header){ span("amz-sdk-invocation-id"), span(id) };
	h[r.header_cnt++] = (struct sigv4_header){ span("content-type"), span(type) };
	h[r.header_cnt++] = (struct sigv4_header){ span("host"), span(host) };
	h[r.header_cnt++] = (struct sigv4_header){ span("x-amz-date"), span(date) };
	r.body = (struct sigv4_span){ body, len };
	n = sigv4_sign(&r, l.key_id, l.secret, l.region, "ec2", authorization,
		       sizeof(authorization));
	if (n < 0)
		die("sigv4_sign", -n);

	n = asprintf(
		&ret->p,
		"POST / HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nX-Amz-Date: %s\r\n"
		"amz-sdk-invocation-id: %s\r\nAuthorization: %s\r\nContent-Length: %zu\r\n\r\n%s",
		host, type, date, id, authorization, len, body);
	if (n < 0)
		die("memory", ENOMEM);
	ret->len = (size_t)n;
}

static void ring_free(void)
{
	for (size_t i = 0; i < l.ring_cnt; i++)
		free(l.ring[i].p);
	free(l.ring);
	free(l.latency_us);
	l.ring = NULL;
	l.latency_us = NULL;
}

static void ring_make(const char *template, size_t cnt)
{
	char date[32];
	time_t now = time(NULL);
	struct tm tm;

	if (!gmtime_r(&now, &tm) || !strftime(date, sizeof(date), "%Y%m%dT%H%M%SZ", &tm))
		die("clock", EINVAL);
	l.ring_cnt = cnt ? cnt : RING_MAX;
	l.ring = calloc(l.ring_cnt, sizeof(*l.ring));
	l.latency_us = calloc(REQUESTS_MAX, sizeof(*l.latency_us));
	if (!l.ring || !l.latency_us)
		die("memory", ENOMEM);
	for (size_t i = 0; i < l.ring_cnt; i++)
		request_write(template, date, &l.ring[i]);
}

/* Asking ------------------------------------------------------------------------------------ */

static void conn_open(struct conn *c)
{
	int one = 1;
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)&l.to, sizeof(l.to)) < 0)
		die("connect", errno);
	if (setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0)
		die("setsockopt", errno);
	if (epoll_ctl(l.epoll, EPOLL_CTL_ADD, c->fd, &ev) < 0)
		die("epoll_ctl", errno);
	l.connects++;
}

static void conn_close(struct conn *c)
{
	if (c->fd >= 0)
		(void)close(c->fd);
	c->fd = -1;
}

/* Requests are small: they fit into the socket's buffer, and a blocking send() takes all. */
static void conn_send(struct conn *c)
{
	ssize_t n;

	if (c->fd < 0)
		conn_open(c);
	c->began_ns = clock_ns();
	n = send(c->fd, c->request->p, c->request->len, MSG_NOSIGNAL);
	if (n < 0 || (size_t)n != c->request->len)
		die("send", n < 0 ? errno : EIO);
}

/* conn_next() - Return: whether there was anything left to ask */
static bool conn_next(struct conn *c)
{
	if (l.begun >= l.want || (l.end_ns && clock_ns() >= l.end_ns))
		return false;
	c->request = &l.ring[l.begun++ % l.ring_cnt];
	c->head_len = 0;
	c->in_body = false;
	conn_send(c);
	return true;
}

/* The value of a header of an answer, or NULL. */
static const char *header(const char *head, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = strstr(head, "\r\n"); p; p = strstr(p + 2, "\r\n")) {
		if (strncasecmp(p + 2, name, len) == 0 && p[2 + len] == ':')
			return p + 3 + len + strspn(p + 3 + len, " ");
	}
	return NULL;
}

static void head_read(struct conn *c, size_t end)
{
	const char *length, *connection;
	size_t rest = c->head_len - end;

	c->head[end - 2] = '\0';
	length = header(c->head, "content-length");
	connection = header(c->head, "connection");
	if (strncmp(c->head, "HTTP/1.", 7) != 0 || !length)
		die("an answer without status or length", EPROTO);
	c->status = (unsigned)strtoul(c->head + 9, NULL, 10);
	c->body_left = strtoull(length, NULL, 10);
	c->close = connection ? strncasecmp(connection, "close", 5) == 0 : c->head[7] == '0';
	c->in_body = true;
	if (rest > c->body_left)
		die("bytes behind an answer", EPROTO);
	c->body_left -= rest;
	if (c->status != 200 && !l.first_error[0])
		(void)snprintf(l.first_error, sizeof(l.first_error), "%.*s",
			       (int)(rest < 500 ? rest : 500), c->head + end);
}

static void answered(struct conn *c)
{
	uint64_t us = (clock_ns() - c->began_ns) / 1000;

	if (l.done < REQUESTS_MAX)
		l.latency_us[l.done] = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
	l.done++;
	l.errors += c->status != 200;
	if (c->close)
		conn_close(c);
}

/* conn_read() - what is there. Return: 1 the answer is complete, 0 not yet. */
static int conn_read(struct conn *c)
{
	static char sink[256 * 1024];
	char *to = c->in_body ? sink : c->head + c->head_len, *end;
	size_t cap = c->in_body ? sizeof(sink) : HEAD_MAX - 1 - c->head_len;
	ssize_t n = recv(c->fd, to, cap, 0);

	if (n <= 0)
		die("recv", n < 0 ? errno : ECONNRESET);
	l.bytes += (uint64_t)n;
	if (c->in_body) {
		if ((uint64_t)n > c->body_left)
			die("bytes behind an answer", EPROTO);
		c->body_left -= (uint64_t)n;
		return c->body_left == 0;
	}
	c->head_len += (size_t)n;
	c->head[c->head_len] = '\0';
	end = strstr(c->head, "\r\n\r\n");
	if (!end) {
		if (c->head_len == HEAD_MAX - 1)
			die("the head of an answer", EMSGSIZE);
		return 0;
	}
	head_read(c, (size_t)(end - c->head) + 4);
	return c->body_left == 0;
}

static void conn_begin(struct conn *c)
{
	conn_open(c);
	c->head_len = 0;
	c->in_body = false;
}

static double run(void)
{
	struct epoll_event ev[EVENTS_MAX];
	unsigned flying = 0;
	uint64_t began;

	for (unsigned i = 0; i < l.conn_cnt; i++)
		conn_begin(&l.conn[i]);
	began = clock_ns();
	if (l.end_ns)
		l.end_ns += began;
	for (unsigned i = 0; i < l.conn_cnt; i++)
		flying += conn_next(&l.conn[i]);
	while (flying) {
		int n = epoll_wait(l.epoll, ev, EVENTS_MAX, STUCK_MS);

		if (n <= 0)
			die("no answer", n < 0 ? errno : ETIMEDOUT);
		for (int i = 0; i < n; i++) {
			struct conn *c = ev[i].data.ptr;

			if (conn_read(c) == 0)
				continue;
			answered(c);
			flying -= !conn_next(c);
		}
	}
	return (double)(clock_ns() - began) / 1e9;
}

/* Telling ----------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static uint32_t quantile(size_t cnt, unsigned permille)
{
	return cnt ? l.latency_us[(cnt - 1) * permille / 1000] : 0;
}

static void report(double seconds)
{
	size_t cnt = l.done < REQUESTS_MAX ? l.done : REQUESTS_MAX;

	qsort(l.latency_us, cnt, sizeof(*l.latency_us), by_value);
	for (char *p = l.first_error; *p; p++) {
		if (*p == '"' || *p == '\\' || (unsigned char)*p < ' ')
			*p = '\'';
	}
	printf("{\"requests\":%zu,\"seconds\":%.6f,\"rate\":%.1f,\"errors\":%" PRIu64
	       ",\"bytes\":%" PRIu64 ",\"connects\":%" PRIu64
	       ",\"p50_us\":%u,\"p99_us\":%u,\"max_us\":%u,\"first_error\":\"%s\"}\n",
	       l.done, seconds, (double)l.done / seconds, l.errors, l.bytes, l.connects,
	       quantile(cnt, 500), quantile(cnt, 990), quantile(cnt, 1000), l.first_error);
	(void)fflush(stdout);
}

static void command(char *line)
{
	char *end = line, *body;
	double seconds, took;
	size_t requests;

	l.conn_cnt = (unsigned)strtoul(end, &end, 10);
	seconds = strtod(end, &end);
	requests = strtoul(end, &end, 10);
	body = end + strspn(end, " ");
	body[strcspn(body, "\n")] = '\0';
	if (!l.conn_cnt || l.conn_cnt > CONNECTIONS_MAX || requests > REQUESTS_MAX || !*body)
		die("a line should be CONNECTIONS SECONDS REQUESTS BODY", EINVAL);

	ring_make(body, requests);
	l.want = requests ? requests : SIZE_MAX;
	l.end_ns = requests ? 0 : (uint64_t)(seconds * 1e9);
	l.done = l.begun = 0;
	l.errors = l.bytes = l.connects = 0;
	l.first_error[0] = '\0';
	took = run();
	for (unsigned i = 0; i < l.conn_cnt; i++)
		conn_close(&l.conn[i]);
	report(took);
	ring_free();
}

int main(int argc, char **argv)
{
	static char line[BODY_MAX + 64];
	int r;

	log_init("api-load");
	if (argc != 5) {
		(void)fprintf(stderr, "usage: api-load PORT ACCESS_KEY_ID SECRET REGION\n");
		return 2;
	}
	r = crypto_init();
	if (r < 0)
		die("crypto_init", -r);
	l.port = (unsigned)strtoul(argv[1], NULL, 10);
	l.to = (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons((uint16_t)l.port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	l.key_id = argv[2];
	l.region = argv[4];
	r = key_new_from(argv[3], strlen(argv[3]), &l.secret);
	if (r < 0)
		die("key", -r);
	l.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l.epoll < 0)
		die("epoll", errno);
	for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
		l.conn[i].fd = -1;
	while (fgets(line, sizeof(line), stdin))
		command(line);
	key_free(l.secret);
	return 0;
}
