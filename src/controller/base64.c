/* SPDX-License-Identifier: Apache-2.0 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controller/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const uint8_t *p, size_t len)
{
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

static int digit_value(char c)
{
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

ssize_t base64_decode(const char *text, uint8_t *ret, size_t cap)
{
	size_t len = strlen(text), pad = 0, out = 0;

	if (len % 4 != 0)
		return -EINVAL;
	while (pad < 2 && pad < len && text[len - 1 - pad] == '=')
		pad++;
	if (len / 4 * 3 - pad > cap)
		return -EMSGSIZE;
	for (size_t k = 0; k < len; k += 4) {
		size_t keep = k + 4 == len ? 3 - pad : 3;
		uint32_t v = 0;

		for (size_t j = 0; j < 4; j++) {
			int d = j > keep ? 0 : digit_value(text[k + j]);

			if (d < 0)
				return -EINVAL;
			v = v << 6 | (uint32_t)d;
		}
		if (v & (UINT32_C(0xffffff) >> (8 * keep))) /* one way to write one value */
			return -EINVAL;
		for (size_t j = 0; j < keep; j++)
			ret[out++] = (uint8_t)(v >> (16 - 8 * j));
	}
	return (ssize_t)out;
}
