/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "metadata/http.h"

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Decodes what begins at t.p[*i] and moves *i behind it. Return: 0 … 255, -EPROTO. */
static int char_next(struct http_text t, size_t *i)
{
	char c = t.p[(*i)++];
	int hi, lo, v;

	if (c <= 0x20 || c == 0x7f ||
	    c == '#') /* c <= 0x20: also every byte above 0x7f, char is signed */
		return -EPROTO;
	if (c != '%')
		return c;
	if (t.len - *i < 2)
		return -EPROTO;
	hi = hex_value(t.p[*i]);
	lo = hex_value(t.p[*i + 1]);
	*i += 2;
	if (hi < 0 || lo < 0)
		return -EPROTO;
	v = hi << 4 | lo;
	return v < 0x20 || v == 0x7f || v == '/' ? -EPROTO : v;
}
static_assert((char)-1 < 0, "char is signed here");

static bool is_dots(const char *p, size_t len)
{
	return (len == 1 && p[0] == '.') || (len == 2 && p[0] == '.' && p[1] == '.');
}

/* @t begins with '/'. */
static int path_parse(struct http_text t, char *path)
{
	size_t i = 1, n = 0, segment = 0; /* segment: where the present one begins in path */
	int c;

	while (i < t.len && t.p[i] != '?') {
		bool slash = t.p[i] == '/';

		c = char_next(t, &i);
		if (c < 0)
			return c;
		if (slash && is_dots(path + segment, n - segment))
			return -EPROTO;
		path[n++] = (char)c; /* never longer than what it came from */
		if (slash)
			segment = n;
	}
	if (is_dots(path + segment, n - segment))
		return -EPROTO;
	for (; i < t.len; i++) /* the query means nothing here, but it is checked for form */
		if (t.p[i] <= 0x20 || t.p[i] == 0x7f || t.p[i] == '#')
			return -EPROTO;
	if (n > 1 && path[n - 1] == '/') /* "//" is no second name of "/" */
		n--;
	path[n] = '\0';
	return 0;
}

int http_target_parse(struct http_text target, struct http_request *ret)
{
	static const char scheme[] = "http://";
	const size_t scheme_len = sizeof(scheme) - 1;
	size_t n;

	if (target.len >= sizeof(ret->path))
		return -EPROTO;
	if (target.len > scheme_len && !strncasecmp(target.p, scheme, scheme_len)) {
		ret->absolute = true;
		target.p += scheme_len;
		target.len -= scheme_len;
		for (n = 0; n < target.len && !memchr("/?#", target.p[n], 3); n++)
			;
		ret->authority = (struct http_text){ target.p, n };
		target.p += n;
		target.len -= n;
		if (target.len == 0)
			return 0; /* http://host is http://host/ */
	}
	if (target.len == 0 || target.p[0] != '/')
		return -EPROTO;
	return path_parse(target, ret->path);
}
