/* SPDX-License-Identifier: Apache-2.0 */
#include "metadata/guard.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

int guard_framing(const struct http_request *req)
{
	const struct http_field *len = &req->field[HTTP_LENGTH];
	size_t i;

	if (req->field[HTTP_TRANSFER].cnt || len->cnt > 1)
		return 400;
	if (len->cnt) {
		if (len->value.len == 0)
			return 400;
		for (i = 0; i < len->value.len; i++)
			if (len->value.p[i] < '0' || len->value.p[i] > '9')
				return 400;
		for (i = 0; i < len->value.len; i++)
			if (len->value.p[i] != '0')
				return 413;
	}
	return req->field[HTTP_EXPECT].cnt ? 417 : 0;
}

int guard_enabled(const struct imds *m)
{
	return m->options.enabled ? 0 : 403;
}

/* spec: rfc-9110 §7.2: host, or host:port */
static bool host_good(const struct imds *m, struct http_text t)
{
	static const char data[] = "instance-data";
	const size_t len = sizeof(data) - 1;

	if (t.len > 3 && !memcmp(t.p + t.len - 3, ":80", 3))
		t.len -= 3;
	if (http_text_is(t, "169.254.169.254") || http_text_is(t, data))
		return true;
	if (t.len <= len + 1 || t.p[len] != '.')
		return false;
	return http_text_is((struct http_text){ t.p, len }, data) &&
	       http_text_is((struct http_text){ t.p + len + 1, t.len - len - 1 },
			    m->options.domain);
}

int guard_host(const struct imds *m, const struct http_request *req)
{
	const struct http_field *host = &req->field[HTTP_HOST];

	if (host->cnt > 1 || (host->cnt == 0 && req->minor > 0))
		return 400;
	if (host->cnt && !host_good(m, host->value))
		return 403;
	return req->absolute && !host_good(m, req->authority) ? 403 : 0;
}

int guard_method(const struct http_request *req, bool token_path)
{
	return req->method == (token_path ? HTTP_PUT : HTTP_GET) ? 0 : 405;
}

int guard_forwarded(const struct http_request *req)
{
	return req->field[HTTP_FORWARDED_FOR].cnt ? 403 : 0;
}

int guard_ttl(const struct http_request *req, unsigned *ret)
{
	const struct http_field *f = &req->field[HTTP_TTL];
	unsigned v = 0;
	size_t i;

	if (f->cnt != 1 || f->value.len == 0 || f->value.len > 5)
		return 400;
	for (i = 0; i < f->value.len; i++) {
		if (f->value.p[i] < '0' || f->value.p[i] > '9')
			return 400;
		v = v * 10 + (unsigned)(f->value.p[i] - '0');
	}
	if (v < 1 || v > TOKEN_TTL_MAX_S)
		return 400;
	*ret = v;
	return 0;
}

int guard_token_once(const struct http_request *req)
{
	return req->field[HTTP_TOKEN].cnt > 1 ? 400 : 0;
}

/* A token that is no token is refused also where none is needed. */
int guard_token(const struct imds *m, const struct http_request *req, uint64_t now_ns)
{
	const struct http_field *f = &req->field[HTTP_TOKEN];

	if (f->cnt == 0)
		return m->options.tokens_optional ? 0 : 401;
	return token_check(&m->tokens, f->value.p, f->value.len, now_ns) ? 0 : 401;
}

/*
 * #syscalls-include <netinet/in.h>
 * #syscalls:metadata setsockopt(IP_TTL)
 */
int guard_hop_limit(int fd, uint8_t hops)
{
	int v = hops;

	return setsockopt(fd, IPPROTO_IP, IP_TTL, &v, sizeof(v)) < 0 ? -errno : 0;
}

uint64_t guard_rate(struct bucket *b, uint64_t now_ns)
{
	return bucket_take(b, 1, now_ns);
}

bool guard_late(uint64_t deadline_ns, uint64_t now_ns)
{
	return now_ns >= deadline_ns;
}
