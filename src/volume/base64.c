/* SPDX-License-Identifier: Apache-2.0 */

#include "volume/base64.h"

#include <errno.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const uint8_t *in, size_t len, char *ret)
{
	for (size_t i = 0; i < len; i += 3) {
		uint32_t v = (uint32_t)in[i] << 16;

		if (i + 1 < len)
			v |= (uint32_t)in[i + 1] << 8;
		if (i + 2 < len)
			v |= in[i + 2];
		*ret++ = digits[v >> 18];
		*ret++ = digits[v >> 12 & 63];
		*ret++ = i + 1 < len ? digits[v >> 6 & 63] : '=';
		*ret++ = i + 2 < len ? digits[v & 63] : '=';
	}
	*ret = '\0';
}

static int digit_value(char c)
{
	const char *p = c ? strchr(digits, c) : NULL;

	return p ? (int)(p - digits) : -1;
}

int base64_decode(const char *in, uint8_t *ret, size_t cap, size_t *ret_len)
{
	size_t chars = strlen(in), pad = 0, len;

	if (chars % 4)
		return -EBADMSG;
	if (chars && in[chars - 1] == '=')
		pad = in[chars - 2] == '=' ? 2 : 1;
	len = chars / 4 * 3 - pad;
	if (len > cap)
		return -EMSGSIZE;

	for (size_t i = 0; i < chars; i += 4) {
		size_t use = i + 4 == chars ? 4 - pad : 4;
		uint32_t v = 0;

		for (size_t j = 0; j < 4; j++) {
			int d = j < use ? digit_value(in[i + j]) : 0;

			if (d < 0)
				return -EBADMSG;
			v = v << 6 | (uint32_t)d;
		}
		/* Bits that the padding leaves over must be zero, or two texts would mean the same bytes. */
		if ((use == 3 && (v & 0xff)) || (use == 2 && (v & 0xffff)))
			return -EBADMSG;
		*ret++ = (uint8_t)(v >> 16);
		if (use > 2)
			*ret++ = (uint8_t)(v >> 8);
		if (use > 3)
			*ret++ = (uint8_t)v;
	}
	*ret_len = len;
	return 0;
}
