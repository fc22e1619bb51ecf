/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a client sends. Asserted:
 *   - however it comes in pieces, the same is understood or the same refused;
 *   - what is understood, written down again in the plainest way from its parts, is understood the same and as long;
 *   - a second reader, which knows only lines, finds the same body: nothing hides between two requests;
 *   - every span lies inside the request, and what is refused has a status and a reason.
 */

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/num.h"
#include "controller/front/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PLAIN_MAX = 64 * 1024 };

static char plain[PLAIN_MAX + HTTP_BODY_BYTES_MAX];

static bool span_equal(struct http_span a, struct http_span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static void span_inside(struct http_span s, const char *buf, size_t len)
{
	must(s.len == 0 || (s.p >= buf && range_ok((size_t)(s.p - buf), s.len, len)));
}

static void inside_check(const struct http_request *q, const char *buf, size_t len)
{
	span_inside(q->method, buf, len);
	span_inside(q->target, buf, len);
	span_inside(q->path, buf, len);
	span_inside(q->query, buf, len);
	must(q->target.len > 0 && q->target.p[0] == '/' && q->header_cnt <= HTTP_HEADERS_MAX);
	must(q->path.len + (q->path.len < q->target.len) + q->query.len == q->target.len);
	for (size_t k = 0; k < q->header_cnt; k++) {
		span_inside(q->header[k].name, buf, len);
		span_inside(q->header[k].value, buf, len);
		must(q->header[k].name.len > 0 &&
		     !memchr(q->header[k].name.p, ':', q->header[k].name.len));
		must(!q->header[k].value.len ||
		     (!memchr(q->header[k].value.p, '\n', q->header[k].value.len) &&
		      !memchr(q->header[k].value.p, '\0', q->header[k].value.len)));
	}
	must(q->body == buf + len - q->body_len);
}

/* The second reader: lines up to the first empty one; Content-Length by the C library. Return: bytes of the request. */
static size_t model(const char *buf, size_t size)
{
	size_t at = 0, length = 0;

	for (;;) {
		const char *line = buf + at, *end = memmem(line, size - at, "\r\n", 2);

		must(end && !memchr(line, '\n', (size_t)(end - line)) &&
		     !memchr(line, '\0', (size_t)(end - line)));
		at += (size_t)(end - line) + 2;
		if (end == line)
			return at + length;
		must(strncasecmp(line, "transfer-encoding:", 18) != 0);
		if (strncasecmp(line, "content-length:", 15) == 0)
			length = strtoul(line + 15, NULL, 10);
	}
}

static size_t plain_write(const struct http_request *q)
{
	size_t n = (size_t)snprintf(plain, PLAIN_MAX, "%.*s %.*s HTTP/1.%u\r\n", (int)q->method.len,
				    q->method.p, (int)q->target.len, q->target.p, q->minor);

	for (size_t k = 0; k < q->header_cnt; k++)
		n += (size_t)snprintf(plain + n, PLAIN_MAX - n, "%.*s:%.*s\r\n",
				      (int)q->header[k].name.len, q->header[k].name.p,
				      (int)q->header[k].value.len, q->header[k].value.p);
	n += (size_t)snprintf(plain + n, PLAIN_MAX - n, "\r\n");
	must(n < PLAIN_MAX);
	memcpy(plain + n, q->body, q->body_len);
	return n + q->body_len;
}

static void again_check(const struct http_request *q)
{
	struct http_reader r = { 0 };
	struct http_request p;
	size_t len = plain_write(q);

	must(http_read(&r, plain, len, &p) == (ssize_t)len);
	must(span_equal(q->method, p.method) && span_equal(q->path, p.path) &&
	     span_equal(q->query, p.query) && q->minor == p.minor && q->close == p.close);
	must(q->header_cnt == p.header_cnt && q->body_len == p.body_len);
	for (size_t k = 0; k < q->header_cnt; k++)
		must(span_equal(q->header[k].name, p.header[k].name) &&
		     span_equal(q->header[k].value, p.header[k].value));
}

/* In pieces of which only the growing beginning is seen. Return: as http_read(). */
static ssize_t pieces(const uint8_t *data, size_t size, size_t step, struct http_reader *r,
		      struct http_request *ret, char *buf)
{
	ssize_t n = 0;

	for (size_t len = 0; n == 0 && len < size;) {
		size_t more = min_u64(step, size - len);

		memcpy(buf + len, data + len, more);
		len += more;
		n = http_read(r, buf, len, ret);
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t steps[] = { 1, 7, 1000 };
	struct http_reader whole = { 0 };
	struct http_request q, p;
	char *buf, *other;
	ssize_t n;

	if (size > 4 * HTTP_HEAD_BYTES_MAX)
		return 0;
	buf = malloc(size ? size : 1);
	other = malloc(size ? size : 1);
	must(buf && other);
	if (size)
		memcpy(buf, data, size);
	n = http_read(&whole, buf, size, &q);
	must(n >= -EPROTO && (n >= 0 || n == -EPROTO) && n <= (ssize_t)size);
	if (n < 0)
		must(whole.status >= 400 && whole.status < 600 && whole.reason);
	if (n > 0) {
		must(model(buf, size) == (size_t)n);
		inside_check(&q, buf, (size_t)n);
		again_check(&q);
	}
	for (size_t k = 0; k < ARRAY_SIZE(steps); k++) {
		struct http_reader r = { 0 };

		must(pieces(data, size, steps[k], &r, &p, other) == n);
		must(r.status == whole.status && r.head_len == whole.head_len);
	}
	free(buf);
	free(other);
	return 0;
}
