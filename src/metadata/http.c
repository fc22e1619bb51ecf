/* SPDX-License-Identifier: Apache-2.0 */
#include "metadata/http.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/num.h"

bool http_text_is(struct http_text t, const char *literal)
{
	return t.len == strlen(literal) && strncasecmp(t.p, literal, t.len) == 0;
}

/* ---- where a head ends ---- */

int http_head_end(const char *buf, size_t len, size_t *scanned, int *status)
{
	size_t end = min_u64(len, HTTP_HEAD_MAX), i;

	*status = 400;
	for (i = *scanned; i < end; i++) {
		char c = buf[i];

		if (c == '\0' || (c == '\n' && (i == 0 || buf[i - 1] != '\r')) ||
		    (c != '\n' && i > 0 && buf[i - 1] == '\r'))
			return -EPROTO;
		if (c != '\n')
			continue;
		if (i == 1) /* an empty line before the request line */
			return -EPROTO;
		if (i >= 3 && buf[i - 2] == '\n')
			return (int)i + 1;
	}
	*scanned = end;
	if (end > HTTP_LINE_MAX && !memchr(buf, '\n', HTTP_LINE_MAX)) {
		*status = 414;
		return -EPROTO;
	}
	if (end == HTTP_HEAD_MAX) {
		*status = 431;
		return -EPROTO;
	}
	return 0;
}

/* ---- request line ---- */

static bool is_token_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(struct http_text t)
{
	size_t i;

	for (i = 0; i < t.len; i++)
		if (!is_token_char(t.p[i]))
			return false;
	return t.len > 0;
}

/* The text before the next @stop, which is skipped. Without one: everything, and *@rest is empty. */
static struct http_text text_until(struct http_text *rest, char stop)
{
	const char *p = memchr(rest->p, stop, rest->len);
	struct http_text t = { rest->p, p ? (size_t)(p - rest->p) : rest->len };
	size_t used = p ? t.len + 1 : t.len;

	rest->p += used;
	rest->len -= used;
	return t;
}

static bool text_equal(struct http_text t, const char *literal)
{
	return t.len == strlen(literal) && memcmp(t.p, literal, t.len) == 0;
}

static int version_parse(struct http_text t, struct http_request *ret, int *status)
{
	if (text_equal(t, "HTTP/1.1")) {
		ret->minor = 1;
		return 0;
	}
	if (text_equal(t, "HTTP/1.0")) {
		ret->close = true;
		return 0;
	}
	if (t.len == 8 && !memcmp(t.p, "HTTP/", 5) && t.p[5] >= '0' && t.p[5] <= '9' &&
	    t.p[6] == '.' && t.p[7] >= '0' && t.p[7] <= '9')
		*status = 505;
	return -EPROTO;
}

static int line_parse(struct http_text line, struct http_request *ret, int *status)
{
	struct http_text method = text_until(&line, ' ');
	struct http_text target = text_until(&line, ' ');
	int r;

	if (!is_token(method))
		return -EPROTO;
	ret->method = HTTP_OTHER;
	if (text_equal(method, "GET"))
		ret->method = HTTP_GET;
	else if (text_equal(method, "PUT"))
		ret->method = HTTP_PUT;

	r = version_parse(line, ret, status);
	return r < 0 ? r : http_target_parse(target, ret);
}

/* ---- fields ---- */

static const char *const field_names[HTTP_FIELD_IDS] = {
	[HTTP_HOST] = "Host",
	[HTTP_TOKEN] = "X-aws-ec2-metadata-token",
	[HTTP_TTL] = "X-aws-ec2-metadata-token-ttl-seconds",
	[HTTP_FORWARDED_FOR] = "X-Forwarded-For",
	[HTTP_LENGTH] = "Content-Length",
	[HTTP_TRANSFER] = "Transfer-Encoding",
	[HTTP_EXPECT] = "Expect",
	[HTTP_CONNECTION] = "Connection",
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct http_text text_trim(struct http_text t)
{
	while (t.len && is_blank(t.p[0])) {
		t.p++;
		t.len--;
	}
	while (t.len && is_blank(t.p[t.len - 1]))
		t.len--;
	return t;
}

/* spec: rfc-9110 §5.5: visible characters, blanks, and bytes above 0x7f */
static bool is_value(struct http_text t)
{
	size_t i;

	for (i = 0; i < t.len; i++) {
		uint8_t c = (uint8_t)t.p[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

/* "Connection: a, close" */
static bool list_has(struct http_text list, const char *word)
{
	while (list.len)
		if (http_text_is(text_trim(text_until(&list, ',')), word))
			return true;
	return false;
}

static int field_parse(struct http_text line, struct http_request *ret)
{
	struct http_text name, value;
	unsigned id;

	if (!memchr(line.p, ':', line.len))
		return -EPROTO;
	name = text_until(&line, ':');
	value = text_trim(line);
	if (!is_token(name) ||
	    !is_value(value)) /* a blank begins a folded line, or comes before the colon */
		return -EPROTO;

	for (id = 0; id < HTTP_FIELD_IDS; id++) {
		struct http_field *f = &ret->field[id];

		if (!http_text_is(name, field_names[id]))
			continue;
		if (f->cnt++ == 0)
			f->value = value;
		if (id == HTTP_CONNECTION && list_has(value, "close"))
			ret->close = true;
	}
	return 0;
}

int http_parse(const char *head, size_t len, struct http_request *ret, int *status)
{
	struct http_text rest = { head, len }, line;
	unsigned cnt;
	int r;

	memset(ret, 0, sizeof(*ret));
	*status = 400;
	line = text_until(&rest, '\n');
	if (line.len == 0)
		return -EPROTO;
	if (line.len > HTTP_LINE_MAX) {
		*status = 414;
		return -EPROTO;
	}
	line.len--; /* CR: http_head_end() has looked */
	r = line_parse(line, ret, status);
	if (r < 0)
		return r;

	for (cnt = 0; rest.len; cnt++) {
		line = text_until(&rest, '\n');
		if (line.len <= 1)
			return 0;
		if (cnt == HTTP_FIELDS_MAX) {
			*status = 431;
			return -EPROTO;
		}
		line.len--;
		r = field_parse(line, ret);
		if (r < 0)
			return r;
	}
	return -EPROTO;
}

/* ---- answers ---- */

const char *http_status_text(int status)
{
	static const struct {
		int status;
		const char *text;
	} table[] = {
		{ 200, "OK" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 413, "Content Too Large" },
		{ 414, "URI Too Long" },
		{ 417, "Expectation Failed" },
		{ 431, "Request Header Fields Too Large" },
		{ 503, "Service Unavailable" },
		{ 505, "HTTP Version Not Supported" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].status == status)
			return table[i].text;
	return "Error";
}

size_t http_answer_head(const struct http_answer *a, char buf[HTTP_ANSWER_HEAD_MAX])
{
	char ttl[64] = "", allow[64] = "";
	int n;

	if (a->ttl_s)
		(void)snprintf(ttl, sizeof(ttl), "%s: %u\r\n", field_names[HTTP_TTL], a->ttl_s);
	if (a->allow)
		(void)snprintf(allow, sizeof(allow), "Allow: %s\r\n", a->allow);
	n = snprintf(buf, HTTP_ANSWER_HEAD_MAX,
		     "HTTP/1.1 %d %s\r\n"
		     "Server: EC2ws\r\n"
		     "Content-Type: %s\r\n"
		     "Content-Length: %zu\r\n"
		     "%s%s%s%s\r\n",
		     a->status, http_status_text(a->status), a->type, a->body_len, ttl, allow,
		     a->status == 503 ? "Retry-After: 1\r\n" : "",
		     a->close ? "Connection: close\r\n" : "");
	must(n > 0 && n < HTTP_ANSWER_HEAD_MAX);
	return (size_t)n;
}
