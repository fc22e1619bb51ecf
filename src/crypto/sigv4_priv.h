/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Between the sigv4*.c files only. */

#include <string.h>

#include "crypto/sigv4.h"

#define SIGV4_ALGORITHM "AWS4-HMAC-SHA256"
#define SIGV4_TERMINATOR "aws4_request"
#define SIGV4_UNSIGNED "UNSIGNED-PAYLOAD"

static inline bool span_is(struct sigv4_span s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.p, text, s.len) == 0;
}

/* span_is_name(): is @s, in any case, the lower-case @name? */
static inline bool span_is_name(struct sigv4_span s, struct sigv4_span name)
{
	if (s.len != name.len)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c >= 'A' && c <= 'Z')
			c = (unsigned char)(c + 'a' - 'A');
		if (c != (unsigned char)name.p[i])
			return false;
	}
	return true;
}

/* span_cut(): what comes before the next @sep, which is skipped; all of it when there is none. */
static inline struct sigv4_span span_cut(struct sigv4_span *s, char sep)
{
	const char *at = s->len ? memchr(s->p, sep, s->len) : NULL;
	struct sigv4_span head = { s->p, at ? (size_t)(at - s->p) : s->len };

	s->p += at ? head.len + 1 : head.len;
	s->len -= at ? head.len + 1 : head.len;
	return head;
}

/* query_check(): can the query be written in its canonical form? Return: 0, -EPROTO. */
MUST_USE int sigv4_query_check(struct sigv4_span query);
/* path_check(): can the path? Return: 0, -EPROTO. */
MUST_USE int sigv4_path_check(struct sigv4_span path);
/* sigv4_number(): @len decimal digits, at most @max. Return: 0, -EPROTO. */
MUST_USE int sigv4_number(const char *p, size_t len, unsigned max, unsigned *ret);
/* sigv4_time_basic(): "20261122T094516Z"; sigv4_time_http(): as in a Date header. Return: 0 and @s has it, -EPROTO. */
MUST_USE int sigv4_time_basic(struct sigv4 *s, struct sigv4_span v);
MUST_USE int sigv4_time_http(struct sigv4 *s, struct sigv4_span v);
/* sigv4_hex_digit(): value of a digit, either case; -1 it is none. */
int sigv4_hex_digit(char c);
void sigv4_hex(const uint8_t *p, size_t len,
	       char *ret); /* lower case; 2 * len characters, no NUL */
