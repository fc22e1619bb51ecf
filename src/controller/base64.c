/* SPDX-License-Identifier: Apache-2.0 */

#include <stdlib.h>

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
