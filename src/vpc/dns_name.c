/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "vpc/dns.h"

enum { POINTER = 0xc0 };

int dns_name_parse(const uint8_t *msg, size_t len, size_t *off, struct dns_name *ret)
{
	size_t at = *off,
	       behind = 0;   /* behind: where the message goes on, once a pointer was followed */
	size_t floor = *off; /* a pointer must lead to before this */
	unsigned n = 0;
	uint8_t c;

	for (;;) {
		if (at >= len)
			return -EPROTO;
		c = msg[at];
		if ((c & POINTER) == POINTER) {
			size_t to;

			if (len - at < 2)
				return -EPROTO;
			to = (size_t)(c & ~POINTER) << 8 | msg[at + 1];
			if (to < DNS_HEADER_BYTES || to >= floor)
				return -EPROTO;
			if (!behind)
				behind = at + 2;
			at = floor = to;
			continue;
		}
		if (c > DNS_LABEL_MAX || len - at < c + 1u || n + c + 1u > DNS_NAME_MAX)
			return -EPROTO;
		memcpy(ret->b + n, msg + at, c + 1u);
		n += c + 1u;
		at += c + 1u;
		if (c == 0)
			break;
	}
	ret->len = (uint8_t)n;
	*off = behind ? behind : at;
	return 0;
}

static bool is_host_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_';
}

int dns_name_from_text(const char *text, struct dns_name *ret)
{
	unsigned n = 0;

	while (*text) {
		size_t len = strcspn(text, "."), i;

		if (len == 0 || len > DNS_LABEL_MAX || n + len + 2 > DNS_NAME_MAX)
			return -EINVAL;
		for (i = 0; i < len; i++)
			if (!is_host_char(text[i]))
				return -EINVAL;
		ret->b[n++] = (uint8_t)len;
		memcpy(ret->b + n, text, len);
		n += (unsigned)len;
		text += len;
		if (*text == '.' && !*++text)
			return -EINVAL; /* no dot at the end */
	}
	if (n == 0)
		return -EINVAL;
	ret->b[n++] = 0;
	ret->len = (uint8_t)n;
	return 0;
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

bool dns_name_equal(const struct dns_name *a, const struct dns_name *b)
{
	unsigned i;

	if (a->len != b->len)
		return false;
	for (i = 0; i < a->len; i++) /* a length is at most 63 and no letter */
		if (lower(a->b[i]) != lower(b->b[i]))
			return false;
	return true;
}
