/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Decoding a form body: one pass that decodes into one block of memory, one check of each name, one sort.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controller/ec2/query_priv.h"

static bool digit_is(char c)
{
	return c >= '0' && c <= '9';
}

static bool word_char_is(char c)
{
	return digit_is(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
	       c == '_' || c == ':';
}

/* Length of the part @s begins with. */
static size_t part_len(const char *s)
{
	return strcspn(s, ".");
}

/* A part that is a number has no zero in front: query_name_check(). */
static int part_cmp(const char *a, size_t a_len, const char *b, size_t b_len)
{
	bool a_num = digit_is(a[0]), b_num = digit_is(b[0]);
	size_t n = a_len < b_len ? a_len : b_len;
	int r;

	if (a_num != b_num)
		return a_num ? -1 : 1;
	if (a_num && a_len != b_len)
		return a_len < b_len ? -1 : 1;
	r = memcmp(a, b, n);
	if (r != 0)
		return r;
	return a_len == b_len ? 0 : a_len < b_len ? -1 : 1;
}

int query_name_cmp(const char *a, const char *b)
{
	for (;;) {
		size_t a_len = part_len(a), b_len = part_len(b);
		int r = part_cmp(a, a_len, b, b_len);

		if (r != 0)
			return r;
		a += a_len;
		b += b_len;
		if (*a == '\0' || *b == '\0')
			return (*a != '\0') - (*b != '\0');
		a++;
		b++;
	}
}

static int param_cmp(const void *a, const void *b)
{
	const struct query_param *x = a, *y = b;

	must(x->name && y->name);
	return query_name_cmp(x->name, y->name);
}

/* Bytes of the sequence that begins with @p; 0: none that XML can carry. */
static size_t utf8_sequence(const unsigned char *p, size_t len)
{
	size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;

	if (p[0] < 0xc2 || p[0] > 0xf4 || len < n)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	if (p[0] == 0xef && p[1] == 0xbf && p[2] >= 0xbe)
		return 0;
	return n;
}

bool query_utf8_valid(const char *s, size_t len)
{
	const unsigned char *p = (const unsigned char *)s;

	while (len > 0) {
		size_t n = p[0] < 0x80 ? 1 : utf8_sequence(p, len);

		if (n == 0)
			return false;
		p += n;
		len -= n;
	}
	return true;
}

static int hex_value(char c)
{
	if (digit_is(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/*
 * Decodes [@in, @end) to @out, with a NUL. Return: its length, -1: not well-formed, or what no value may hold.
 */
static ptrdiff_t field_decode(const char *in, const char *end, char *out)
{
	char *start = out;
	unsigned char high = 0;

	while (in < end) {
		char c = *in++;

		if (c == '+') {
			c = ' ';
		} else if (c == '%') {
			int hi, lo;

			if (end - in < 2)
				return -1;
			hi = hex_value(in[0]);
			lo = hex_value(in[1]);
			if (hi < 0 || lo < 0)
				return -1;
			c = (char)(hi << 4 | lo);
			in += 2;
		}
		if ((unsigned char)c < 0x20 && c != '\t' && c != '\n' && c != '\r')
			return -1;
		high |= (unsigned char)c;
		*out++ = c;
	}
	*out = '\0';
	if ((high & 0x80) && !query_utf8_valid(start, (size_t)(out - start)))
		return -1;
	return out - start;
}

/* A part that begins with a digit is the number of a list's member. */
static bool part_check(const char *s, size_t len)
{
	unsigned v = 0;

	if (len == 0)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!word_char_is(s[i]))
			return false;
	if (!digit_is(s[0]))
		return true;
	for (size_t i = 0; i < len && i < 5; i++) {
		if (!digit_is(s[i]))
			return false;
		v = v * 10 + (unsigned)(s[i] - '0');
	}
	return s[0] != '0' && len < 5 && v <= QUERY_INDEX_MAX;
}

static bool name_check(const char *s, size_t len)
{
	if (len == 0 || len >= QUERY_NAME_MAX)
		return false;
	for (unsigned depth = 1; depth <= QUERY_DEPTH_MAX; depth++) {
		size_t n = part_len(s);

		if (!part_check(s, n))
			return false;
		s += n;
		if (*s++ == '\0')
			return true;
	}
	return false;
}

static int fault_malformed(struct fault *f, const char *what)
{
	return fault_set(f, EPROTO, "MalformedQueryString", NULL,
			 "The query string contains a syntax error: %s", what);
}

/* One "name=value". @out: where its text goes. Return: bytes of it, -EPROTO. */
static ptrdiff_t pair_decode(const char *p, const char *end, char *out, struct query_param *ret,
			     struct fault *f)
{
	const char *eq = memchr(p, '=', (size_t)(end - p));
	ptrdiff_t name_len, value_len;

	name_len = field_decode(p, eq ? eq : end, out);
	if (name_len < 0 || !name_check(out, (size_t)name_len))
		return fault_malformed(f, "a parameter has no valid name");
	ret->name = out;
	ret->value = "";
	if (!eq)
		return name_len + 1;
	value_len = field_decode(eq + 1, end, out + name_len + 1);
	if (value_len < 0)
		return fault_malformed(f, "a value is not percent-encoded UTF-8 text");
	ret->value = out + name_len + 1;
	return name_len + value_len + 2;
}

static int params_decode(const char *body, const char *end, struct query *q, struct fault *f)
{
	char *out = q->text;

	for (const char *p = body, *next; p < end; p = next + 1) {
		ptrdiff_t n;

		next = memchr(p, '&', (size_t)(end - p));
		if (!next)
			next = end;
		if (next == p)
			continue;
		n = pair_decode(p, next, out, &q->param[q->cnt], f);
		if (n < 0)
			return -EPROTO;
		q->cnt++;
		out += n;
	}
	return 0;
}

static int params_sort(struct query *q, struct fault *f)
{
	bool sorted = true;

	for (size_t i = 1; i < q->cnt && sorted; i++)
		sorted = param_cmp(&q->param[i - 1], &q->param[i]) < 0;
	if (sorted)
		return 0;
	qsort(q->param, q->cnt, sizeof(q->param[0]), param_cmp);
	for (size_t i = 1; i < q->cnt; i++)
		if (strcmp(q->param[i - 1].name, q->param[i].name) == 0)
			return fault_malformed(f, "a parameter is given twice");
	return 0;
}

static size_t pairs_count(const char *body, size_t len)
{
	size_t cnt = 1;

	for (size_t i = 0; i < len; i++)
		cnt += body[i] == '&';
	return cnt;
}

int query_parse(const char *body, size_t len, struct query *ret, struct fault *f)
{
	struct query q = { .fault = f };
	size_t pairs;
	int r;

	if (len > QUERY_BYTES_MAX)
		return fault_malformed(f, "it is too long");
	pairs = pairs_count(body, len);
	if (pairs > QUERY_PARAMS_MAX)
		return fault_malformed(f, "too many parameters");
	/* Decoding never lengthens, and each "=" and "&" is room for a NUL. One more for the last. */
	q.text = malloc(len + 2);
	q.param = calloc(pairs, sizeof(q.param[0]));
	r = q.text && q.param ? params_decode(body, body + len, &q, f) : -ENOMEM;
	if (r == 0)
		r = params_sort(&q, f);
	if (r < 0) {
		query_done(&q);
		return r;
	}
	*ret = q;
	return 0;
}

void query_done(struct query *q)
{
	free(q->text);
	free(q->param);
	*q = (struct query){ .fault = q->fault };
}
