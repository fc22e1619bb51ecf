/* SPDX-License-Identifier: Apache-2.0 */
#include "metadata/base64.h"

size_t base64_write(const uint8_t *p, size_t len, size_t columns, char *ret)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t i, n = 0, column = 0;

	for (i = 0; i < len; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16;

		if (i + 1 < len)
			v |= (uint32_t)p[i + 1] << 8;
		if (i + 2 < len)
			v |= p[i + 2];
		if (columns && column == columns) {
			ret[n++] = '\n';
			column = 0;
		}
		ret[n++] = digits[v >> 18];
		ret[n++] = digits[v >> 12 & 63];
		ret[n++] = i + 1 < len ? digits[v >> 6 & 63] : '=';
		ret[n++] = i + 2 < len ? digits[v & 63] : '=';
		column += 4;
	}
	return n;
}
