/* SPDX-License-Identifier: Apache-2.0 */

/* Growing buffer of XML; see xml.h. */

#include "controller/ec2/xml.h"

#include <stdlib.h>
#include <string.h>

enum { XML_FIRST_BYTES = 4096, DIGITS_MAX = 20 };

/* spec: xml-1.0 §2.2: what no document can carry becomes U+FFFD. CR would be read back as LF. */
enum char_kind { CH_PLAIN, CH_AMP, CH_LT, CH_GT, CH_QUOT, CH_CR, CH_BAD, CH_EF };

static const uint8_t char_kind[256] = {
	[0x00] = CH_BAD, CH_BAD,        CH_BAD,          CH_BAD,          CH_BAD,          CH_BAD,
	CH_BAD,          CH_BAD,        [0x08] = CH_BAD, [0x0b] = CH_BAD, CH_BAD,          CH_CR,
	CH_BAD,          CH_BAD,        [0x10] = CH_BAD, CH_BAD,          CH_BAD,          CH_BAD,
	CH_BAD,          CH_BAD,        CH_BAD,          CH_BAD,          [0x18] = CH_BAD, CH_BAD,
	CH_BAD,          CH_BAD,        CH_BAD,          CH_BAD,          CH_BAD,          CH_BAD,
	['&'] = CH_AMP,  ['<'] = CH_LT, ['>'] = CH_GT,   ['"'] = CH_QUOT, [0xef] = CH_EF,
};

void xml_done(struct xml *x)
{
	free(x->buf);
	*x = (struct xml){ .buf = NULL };
}

bool xml_failed(const struct xml *x)
{
	return x->failed;
}

/* Room for @len bytes at the end. Return: where, NULL: failed. */
static char *room(struct xml *x, size_t len)
{
	size_t cap = x->cap ? x->cap : XML_FIRST_BYTES;
	char *p;

	if (x->failed)
		return NULL;
	if (len <= x->cap - x->len)
		return x->buf + x->len;
	while (cap - x->len < len && cap <= SIZE_MAX / 4)
		cap *= 2;
	p = cap - x->len >= len ? realloc(x->buf, cap) : NULL;
	if (!p) {
		x->failed = true;
		return NULL;
	}
	x->buf = p;
	x->cap = cap;
	return x->buf + x->len;
}

void xml_raw(struct xml *x, const char *p, size_t len)
{
	char *to = room(x, len);

	if (!to || len == 0)
		return;
	memcpy(to, p, len);
	x->len += len;
}

/* "<" or "</", @name, and how it ends. */
static void tag(struct xml *x, const char *begin, size_t begin_len, const char *name,
		const char *end, size_t end_len)
{
	size_t n = strlen(name);
	char *to = room(x, begin_len + n + end_len);

	if (!to)
		return;
	memcpy(to, begin, begin_len);
	memcpy(to + begin_len, name, n);
	memcpy(to + begin_len + n, end, end_len);
	x->len += begin_len + n + end_len;
}

void xml_open(struct xml *x, const char *name)
{
	tag(x, "<", 1, name, ">", 1);
}

void xml_close(struct xml *x, const char *name)
{
	tag(x, "</", 2, name, ">", 1);
}

void xml_empty(struct xml *x, const char *name)
{
	tag(x, "<", 1, name, "/>", 2);
}

static void special(struct xml *x, enum char_kind k)
{
	static const struct {
		const char *s;
		size_t len;
	} as[] = {
		[CH_AMP] = { "&amp;", 5 },       [CH_LT] = { "&lt;", 4 },
		[CH_GT] = { "&gt;", 4 },         [CH_QUOT] = { "&quot;", 6 },
		[CH_CR] = { "&#13;", 5 },        [CH_BAD] = { "\xef\xbf\xbd", 3 },
		[CH_EF] = { "\xef\xbf\xbd", 3 },
	};

	xml_raw(x, as[k].s, as[k].len);
}

static void escape(struct xml *x, const char *s, size_t len)
{
	size_t from = 0;

	for (size_t i = 0; i < len; i++) {
		enum char_kind k = char_kind[(uint8_t)s[i]];
		size_t bytes = 1;

		if (k == CH_PLAIN)
			continue;
		if (k == CH_EF) {
			/* U+FFFE and U+FFFF are no characters. */
			if (len - i < 3 || (uint8_t)s[i + 1] != 0xbf || (uint8_t)s[i + 2] < 0xbe)
				continue;
			bytes = 3;
		}
		xml_raw(x, s + from, i - from);
		special(x, k);
		i += bytes - 1;
		from = i + 1;
	}
	xml_raw(x, s + from, len - from);
}

void xml_strn(struct xml *x, const char *name, const char *text, size_t len)
{
	if (len == 0) {
		xml_empty(x, name);
		return;
	}
	xml_open(x, name);
	escape(x, text, len);
	xml_close(x, name);
}

void xml_str(struct xml *x, const char *name, const char *text)
{
	xml_strn(x, name, text, strlen(text));
}

void xml_opt(struct xml *x, const char *name, const char *text)
{
	if (text && text[0] != '\0')
		xml_str(x, name, text);
}

/* An element whose text needs no escaping. */
static void plain(struct xml *x, const char *name, const char *text, size_t len)
{
	xml_open(x, name);
	xml_raw(x, text, len);
	xml_close(x, name);
}

void xml_u64(struct xml *x, const char *name, uint64_t v)
{
	char digits[DIGITS_MAX];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + v % 10);
	while ((v /= 10) > 0);
	plain(x, name, digits + at, sizeof(digits) - at);
}

void xml_i64(struct xml *x, const char *name, int64_t v)
{
	char digits[DIGITS_MAX + 1];
	size_t at = sizeof(digits);
	uint64_t n = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

	do
		digits[--at] = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	if (v < 0)
		digits[--at] = '-';
	plain(x, name, digits + at, sizeof(digits) - at);
}

void xml_bool(struct xml *x, const char *name, bool v)
{
	if (v)
		plain(x, name, "true", 4);
	else
		plain(x, name, "false", 5);
}

static void digits_put(char *to, unsigned width, uint64_t v)
{
	while (width > 0) {
		to[--width] = (char)('0' + v % 10);
		v /= 10;
	}
}

void xml_time_text(uint64_t ms, char ret[XML_TIME_MAX])
{
	/* Days since 1 March of year 0 of the Gregorian calendar, in eras of 400 years. */
	uint64_t day = ms / 86400000 + 719468, in_day = ms % 86400000;
	uint64_t era = day / 146097, doe = day % 146097;
	uint64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	uint64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	uint64_t mp = (5 * doy + 2) / 153;
	uint64_t month = mp < 10 ? mp + 3 : mp - 9;

	memcpy(ret, "0000-00-00T00:00:00.000Z", XML_TIME_MAX);
	digits_put(ret, 4, yoe + era * 400 + (month <= 2));
	digits_put(ret + 5, 2, month);
	digits_put(ret + 8, 2, doy - (153 * mp + 2) / 5 + 1);
	digits_put(ret + 11, 2, in_day / 3600000);
	digits_put(ret + 14, 2, in_day / 60000 % 60);
	digits_put(ret + 17, 2, in_day / 1000 % 60);
	digits_put(ret + 20, 3, in_day % 1000);
}

void xml_time(struct xml *x, const char *name, uint64_t ms)
{
	char text[XML_TIME_MAX];

	xml_time_text(ms, text);
	plain(x, name, text, XML_TIME_MAX - 1);
}

void xml_base64(struct xml *x, const char *name, const void *p, size_t len)
{
	static const char abc[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *in = p;
	char *out;

	if (len == 0) {
		xml_empty(x, name);
		return;
	}
	xml_open(x, name);
	out = room(x, (len + 2) / 3 * 4);
	if (!out)
		return;
	for (size_t i = 0; i < len; i += 3) {
		size_t left = len - i;
		uint32_t v = (uint32_t)in[i] << 16;

		v |= left > 1 ? (uint32_t)in[i + 1] << 8 : 0;
		v |= left > 2 ? in[i + 2] : 0;
		*out++ = abc[v >> 18];
		*out++ = abc[v >> 12 & 63];
		*out++ = left > 1 ? abc[v >> 6 & 63] : '=';
		*out++ = left > 2 ? abc[v & 63] : '=';
	}
	x->len += (len + 2) / 3 * 4;
	xml_close(x, name);
}

void xml_value(struct xml *x, const char *name, const char *text)
{
	xml_open(x, name);
	xml_str(x, "value", text);
	xml_close(x, name);
}
