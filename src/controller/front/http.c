/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/front/http.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/num.h"

enum {
	METHOD_MAX = 16,
	LENGTH_DIGITS_MAX = 18, /* of a Content-Length: fits in 64 bits */
};

static int refuse(struct http_reader *r, unsigned status, const char *reason)
{
	r->status = status;
	r->reason = reason;
	return -EPROTO;
}

static struct http_span span(const char *p, size_t len)
{
	return (struct http_span){ p, len };
}

bool http_span_is(struct http_span s, const char *literal)
{
	return s.len == strlen(literal) && (s.len == 0 || strncasecmp(s.p, literal, s.len) == 0);
}

const struct http_header *http_header_find(const struct http_request *r, const char *name,
					   size_t *ret_cnt)
{
	const struct http_header *found = NULL;
	size_t cnt = 0;

	for (size_t k = 0; k < r->header_cnt; k++) {
		if (!http_span_is(r->header[k].name, name))
			continue;
		found = &r->header[k];
		cnt++;
	}
	if (ret_cnt)
		*ret_cnt = cnt;
	return cnt == 1 ? found : NULL;
}

/* spec: rfc-9110 §5.6.2 */
static bool is_tchar(char c)
{
	static const char other[] = "!#$%&'*+-.^_`|~";

	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c != '\0' && strchr(other, c));
}

static bool is_token(struct http_span s)
{
	size_t k = 0;

	while (k < s.len && is_tchar(s.p[k]))
		k++;
	return s.len > 0 && k == s.len;
}

/*
 * Looks at the bytes that came since the last call, each once: CR only before LF, LF only behind CR, no other control
 * character but TAB. Return: 1 the head is complete, 0 not yet, -EPROTO.
 */
static int head_scan(struct http_reader *r, const char *buf, size_t len)
{
	for (size_t k = r->scanned; k < len; k++) {
		unsigned char c = (unsigned char)buf[k];
		bool after_cr = k > 0 && buf[k - 1] == '\r';

		if (k == HTTP_HEAD_BYTES_MAX)
			return refuse(r, 431, "The request's head is too long");
		if ((c == '\n') != after_cr)
			return refuse(r, 400, "A CR or LF that ends no line");
		if ((c < 0x20 && c != '\r' && c != '\n' && c != '\t') || c == 0x7f)
			return refuse(r, 400, "A control character in the request's head");
		r->scanned = k + 1;
		if (c == '\n' && k >= 3 && buf[k - 2] == '\n') {
			r->head_len = k + 1;
			return 1;
		}
	}
	return 0;
}

/* The line at *at, without its CRLF; the head is known to consist of lines. */
static struct http_span line_next(const char *head, size_t head_len, size_t *at)
{
	const char *p = head + *at, *lf = memchr(p, '\n', head_len - *at);

	must(lf && lf > p);
	*at += (size_t)(lf - p) + 1;
	return span(p, (size_t)(lf - p) - 1);
}

/* host[:port]: no user, no path. spec: rfc-3986 §3.2 */
static bool is_authority(struct http_span s)
{
	static const char other[] = "-._~:[]%!$&'()*+,;=";
	size_t k = 0;

	while (k < s.len &&
	       ((s.p[k] >= '0' && s.p[k] <= '9') ||
		((s.p[k] | 0x20) >= 'a' && (s.p[k] | 0x20) <= 'z') || strchr(other, s.p[k])))
		k++;
	return s.len > 0 && s.len < 256 && k == s.len;
}

/* Takes "http://authority" off. Return: whether there was a good one. */
static bool absolute_take(struct http_span *target, struct http_span *ret_authority)
{
	static const char *const schemes[] = { "http://", "https://" };

	for (size_t s = 0; s < ARRAY_SIZE(schemes); s++) {
		size_t skip = strlen(schemes[s]), n = 0;

		if (target->len <= skip || strncasecmp(target->p, schemes[s], skip) != 0)
			continue;
		while (skip + n < target->len && target->p[skip + n] != '/' &&
		       target->p[skip + n] != '?')
			n++;
		*ret_authority = span(target->p + skip, n);
		*target = span(target->p + skip + n, target->len - skip - n);
		return is_authority(*ret_authority) && target->len > 0 && target->p[0] == '/';
	}
	return false;
}

static int target_take(struct http_reader *r, struct http_span target, struct http_span *authority,
		       struct http_request *ret)
{
	const char *mark;

	for (size_t k = 0; k < target.len; k++)
		if ((unsigned char)target.p[k] <= 0x20 || (unsigned char)target.p[k] >= 0x7f ||
		    target.p[k] == '#')
			return refuse(r, 400, "A character in the target that must be written %XX");
	if (target.len == 0 || (target.p[0] != '/' && !absolute_take(&target, authority)))
		return refuse(r, 400, "The target is neither a path nor an http address");
	ret->target = target;
	mark = memchr(target.p, '?', target.len);
	ret->path = span(target.p, mark ? (size_t)(mark - target.p) : target.len);
	ret->query = mark ? span(mark + 1, target.len - ret->path.len - 1)
			  : span(target.p + target.len, 0);
	return 0;
}

/* spec: rfc-9112 §3 */
static int request_line(struct http_reader *r, struct http_span line, struct http_span *authority,
			struct http_request *ret)
{
	const char *a = memchr(line.p, ' ', line.len), *b;
	struct http_span version;

	if (!a)
		return refuse(r, 400, "The request line is malformed");
	ret->method = span(line.p, (size_t)(a - line.p));
	b = memchr(a + 1, ' ', line.len - ret->method.len - 1);
	if (!b || !is_token(ret->method) || ret->method.len > METHOD_MAX)
		return refuse(r, 400, "The request line is malformed");
	version = span(b + 1, (size_t)(line.p + line.len - b) - 1);
	if (version.len != 8 || memcmp(version.p, "HTTP/", 5) != 0 || version.p[6] != '.')
		return refuse(r, 400, "The request line is malformed");
	if (version.p[5] != '1' || (version.p[7] != '0' && version.p[7] != '1'))
		return refuse(r, 505, "Only HTTP/1.1 is spoken here");
	ret->minor = (unsigned)(version.p[7] - '0');
	return target_take(r, span(a + 1, (size_t)(b - a) - 1), authority, ret);
}

static struct http_span trim(struct http_span s)
{
	while (s.len > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = span(s.p + 1, s.len - 1);
	while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* spec: rfc-9112 §5.1: nothing between name and colon; §5.2: no line goes on in the next */
static int field_line(struct http_reader *r, struct http_span line, struct http_request *ret)
{
	const char *colon = memchr(line.p, ':', line.len);
	struct http_header *h = &ret->header[ret->header_cnt];

	if (line.p[0] == ' ' || line.p[0] == '\t')
		return refuse(r, 400, "A header that goes on in the next line");
	if (!colon)
		return refuse(r, 400, "A header line without a colon");
	if (ret->header_cnt == HTTP_HEADERS_MAX)
		return refuse(r, 431, "Too many headers");
	h->name = span(line.p, (size_t)(colon - line.p));
	h->value = trim(span(colon + 1, line.len - h->name.len - 1));
	if (!is_token(h->name))
		return refuse(r, 400, "A header's name is malformed");
	ret->header_cnt++;
	return 0;
}

static int length_read(struct http_reader *r, struct http_span v, uint64_t *ret)
{
	uint64_t n = 0;

	if (v.len == 0 || (v.len > 1 && v.p[0] == '0'))
		return refuse(r, 400, "Content-Length is no number");
	for (size_t k = 0; k < v.len; k++) {
		if (v.p[k] < '0' || v.p[k] > '9')
			return refuse(r, 400, "Content-Length is no number");
		if (k < LENGTH_DIGITS_MAX)
			n = n * 10 + (uint64_t)(v.p[k] - '0');
	}
	*ret = v.len > LENGTH_DIGITS_MAX ? UINT64_MAX : n;
	return 0;
}

/* Which bytes are the body? spec: rfc-9112 §6.3 */
static int body_decide(struct http_reader *r, const struct http_request *q)
{
	size_t lengths = 0, codings = 0;
	const struct http_header *length = http_header_find(q, "Content-Length", &lengths);
	uint64_t n = 0;
	int e;

	(void)http_header_find(q, "Transfer-Encoding", &codings);
	if (lengths > 1 || (lengths && codings))
		return refuse(r, 400, "The length of the body is said twice");
	if (codings)
		return refuse(r, 501, "Transfer-Encoding is not offered: say Content-Length");
	if (!length)
		return 0;
	e = length_read(r, length->value, &n);
	if (e < 0)
		return e;
	if (n > HTTP_BODY_BYTES_MAX)
		return refuse(r, 413, "The body is too long");
	r->body_len = (size_t)n;
	return 0;
}

/* spec: rfc-9110 §10.1.1 */
static int expect_decide(struct http_reader *r, const struct http_request *q)
{
	size_t cnt = 0;
	const struct http_header *h = http_header_find(q, "Expect", &cnt);

	if (cnt == 0)
		return 0;
	if (!h || !http_span_is(h->value, "100-continue"))
		return refuse(r, 417, "Only 100-continue can be expected");
	r->expects = q->minor >= 1;
	return 0;
}

/* spec: rfc-9112 §3.2 */
static int host_check(struct http_reader *r, const struct http_request *q,
		      struct http_span authority)
{
	size_t cnt = 0;
	const struct http_header *h = http_header_find(q, "Host", &cnt);

	if (cnt > 1 || (cnt == 0 && q->minor >= 1))
		return refuse(r, 400, "One Host header is needed");
	if (!h)
		return 0;
	if (!is_authority(h->value))
		return refuse(r, 400, "The Host header is malformed");
	if (authority.len > 0 && (authority.len != h->value.len ||
				  strncasecmp(authority.p, h->value.p, authority.len) != 0))
		return refuse(r, 400, "Target and Host header name two hosts");
	return 0;
}

/* Does one of the Connection headers have @option? spec: rfc-9110 §7.6.1 */
static bool connection_has(const struct http_request *q, const char *option)
{
	for (size_t k = 0; k < q->header_cnt; k++) {
		struct http_span v = q->header[k].value;

		if (!http_span_is(q->header[k].name, "Connection"))
			continue;
		for (;;) {
			const char *comma = v.len ? memchr(v.p, ',', v.len) : NULL;
			size_t n = comma ? (size_t)(comma - v.p) : v.len;

			if (http_span_is(trim(span(v.p, n)), option))
				return true;
			if (!comma)
				break;
			v = span(comma + 1, v.len - n - 1);
		}
	}
	return false;
}

/* The whole head at @head. */
static int head_parse(struct http_reader *r, const char *head, struct http_request *ret)
{
	struct http_span authority = { NULL, 0 };
	size_t at = 0;
	int e;

	memset(ret, 0, sizeof(*ret));
	e = request_line(r, line_next(head, r->head_len, &at), &authority, ret);
	while (e == 0 && at < r->head_len - 2)
		e = field_line(r, line_next(head, r->head_len, &at), ret);
	if (e == 0)
		e = host_check(r, ret, authority);
	if (e == 0)
		e = body_decide(r, ret);
	if (e == 0)
		e = expect_decide(r, ret);
	if (e < 0)
		return e;
	ret->close = ret->minor == 0 || connection_has(ret, "close");
	return 0;
}

ssize_t http_read(struct http_reader *r, const char *buf, size_t len, struct http_request *ret)
{
	struct http_request q;
	bool known = r->head_len > 0;
	int e;

	if (!known) {
		e = head_scan(r, buf, len);
		if (e <= 0)
			return e;
	}
	/* Read again when the body is complete: the buffer may have moved meanwhile. */
	if (known && len - r->head_len < r->body_len)
		return 0;
	e = head_parse(r, buf, &q);
	if (e < 0)
		return e;
	if (len - r->head_len < r->body_len)
		return 0;
	q.body = buf + r->head_len;
	q.body_len = r->body_len;
	*ret = q;
	return (ssize_t)(r->head_len + r->body_len);
}

const char *http_status_text(unsigned status)
{
	static const struct {
		unsigned status;
		const char *text;
	} table[] = {
		{ 100, "Continue" },
		{ 200, "OK" },
		{ 204, "No Content" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 408, "Request Timeout" },
		{ 409, "Conflict" },
		{ 412, "Precondition Failed" },
		{ 413, "Content Too Large" },
		{ 417, "Expectation Failed" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 503, "Service Unavailable" },
		{ 505, "HTTP Version Not Supported" },
	};

	for (size_t k = 0; k < ARRAY_SIZE(table); k++)
		if (table[k].status == status)
			return table[k].text;
	return "Unknown";
}
