/* SPDX-License-Identifier: Apache-2.0 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/base64.h"

static int digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

int base64_decode(const char *s, uint8_t **ret, size_t *ret_len)
{
	size_t len = strlen(s), pad = 0, out_len, at = 0;
	uint8_t *out;

	if (len % 4 != 0)
		return -EINVAL;
	while (pad < 2 && pad < len && s[len - 1 - pad] == '=')
		pad++;
	for (size_t k = 0; k < len - pad; k++)
		if (digit(s[k]) < 0)
			return -EINVAL;
	out_len = len / 4 * 3 - pad;
	*ret_len = out_len;
	*ret = NULL;
	if (out_len == 0)
		return 0;
	out = malloc(len / 4 * 3);
	if (!out)
		return -ENOMEM;
	for (size_t k = 0; k < len; k += 4) {
		uint32_t v = 0;

		for (size_t j = 0; j < 4; j++)
			v = v << 6 | (uint32_t)(k + j < len - pad ? digit(s[k + j]) : 0);
		out[at++] = (uint8_t)(v >> 16);
		out[at++] = (uint8_t)(v >> 8);
		out[at++] = (uint8_t)v;
	}
	*ret = out;
	return 0;
}

char *base64_encode(const uint8_t *p, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *out, *o;

	out = o = malloc((len + 2) / 3 * 4 + 1);
	if (!out)
		return NULL;
	for (size_t k = 0; k < len; k += 3) {
		uint32_t v = (uint32_t)p[k] << 16;

		if (len - k > 1)
			v |= (uint32_t)p[k + 1] << 8;
		if (len - k > 2)
			v |= p[k + 2];
		*o++ = digits[v >> 18];
		*o++ = digits[v >> 12 & 63];
		*o++ = len - k > 1 ? digits[v >> 6 & 63] : '=';
		*o++ = len - k > 2 ? digits[v & 63] : '=';
	}
	*o = '\0';
	return out;
}
