/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Form bodies. Asserted: what was accepted is sorted, each parameter is found under its name and nothing else is; the
 * list walk meets every plain member in order of its numbers; written out again, percent-encoded in the sorted order,
 * it decodes to the same; a body that a second, slower decoder takes is taken, one it refuses is refused.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/ec2/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Bytes of one field as the model decodes it; -1: refused. @out has room for @len + 1. */
static int model_field(const uint8_t *in, size_t len, char *out)
{
	int n = 0;

	for (size_t i = 0; i < len; i++) {
		char hex[3] = { 0 };
		char *end;

		if (in[i] != '%') {
			out[n++] = in[i] == '+' ? ' ' : (char)in[i];
			continue;
		}
		if (len - i < 3)
			return -1;
		memcpy(hex, in + i + 1, 2);
		out[n++] = (char)strtoul(hex, &end, 16);
		if (end != hex + 2 || hex[0] == '+' || hex[0] == '-' || hex[0] == ' ' ||
		    hex[0] == '\t' || hex[0] == '\n' || hex[0] == '\v' || hex[0] == '\f' ||
		    hex[0] == '\r' || hex[1] == 'x' || hex[1] == 'X')
			return -1;
		i += 2;
	}
	out[n] = '\0';
	return n;
}

/* One code point; 0: none. */
static size_t model_utf8(const unsigned char *p, size_t left)
{
	static const struct {
		unsigned mask, lead;
		size_t bytes;
		uint32_t min;
	} forms[] = { { 0x80, 0x00, 1, 0 },
		      { 0xe0, 0xc0, 2, 0x80 },
		      { 0xf0, 0xe0, 3, 0x800 },
		      { 0xf8, 0xf0, 4, 0x10000 } };

	for (size_t f = 0; f < 4; f++) {
		uint32_t v = p[0] & ~forms[f].mask & 0xff;

		if ((p[0] & forms[f].mask) != forms[f].lead)
			continue;
		if (forms[f].bytes > left)
			return 0;
		for (size_t k = 1; k < forms[f].bytes; k++) {
			if (p[k] >> 6 != 2)
				return 0;
			v = v << 6 | (p[k] & 0x3f);
		}
		if (v < forms[f].min || v > 0x10ffff || (v >= 0xd800 && v < 0xe000) ||
		    v == 0xfffe || v == 0xffff)
			return 0;
		if (v < 0x20 && v != 9 && v != 10 && v != 13)
			return 0;
		return forms[f].bytes;
	}
	return 0;
}

static bool model_text(const char *s, int len)
{
	size_t left = (size_t)len;

	while (left > 0) {
		size_t n = model_utf8((const unsigned char *)s, left);

		if (n == 0)
			return false;
		s += n;
		left -= n;
	}
	return true;
}

static bool model_part(const char *s, size_t len)
{
	static const char words[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_:";
	char digits[8] = { 0 };

	if (len == 0 || strspn(s, words) < len)
		return false;
	if (strspn(s, "0123456789") == 0)
		return true;
	if (strspn(s, "0123456789") < len || len > 4 || s[0] == '0')
		return false;
	memcpy(digits, s, len);
	return atoi(digits) <= QUERY_INDEX_MAX; /* NOLINT(cert-err34-c): four digits */
}

static bool model_name(const char *s, int len)
{
	int depth = 1;

	if (len == 0 || len >= QUERY_NAME_MAX || strlen(s) != (size_t)len)
		return false;
	for (;;) {
		size_t n = strcspn(s, ".");

		if (depth > QUERY_DEPTH_MAX || !model_part(s, n))
			return false;
		if (s[n] == '\0')
			return true;
		s += n + 1;
		depth++;
	}
}

/* What the model makes of a body. */
struct model {
	char *text;
	char *name[QUERY_PARAMS_MAX], *value[QUERY_PARAMS_MAX];
	size_t cnt;
};

static bool model_pair(struct model *m, const uint8_t *p, size_t len, char *out, size_t *ret_used)
{
	const uint8_t *eq = memchr(p, '=', len);
	size_t name_len = eq ? (size_t)(eq - p) : len;
	int n = model_field(p, name_len, out), v = 0;

	if (n < 0 || !model_text(out, n) || !model_name(out, n))
		return false;
	m->name[m->cnt] = out;
	m->value[m->cnt] = out + n + 1;
	out[n + 1] = '\0';
	if (eq)
		v = model_field(eq + 1, len - name_len - 1, out + n + 1);
	if (v < 0 || !model_text(out + n + 1, v))
		return false;
	for (size_t i = 0; i < m->cnt; i++)
		if (strcmp(m->name[i], m->name[m->cnt]) == 0)
			return false;
	m->cnt++;
	*ret_used = (size_t)n + (size_t)v + 2;
	return true;
}

static bool model_parse(struct model *m, const uint8_t *p, size_t len)
{
	size_t separators = 0, used = 0, n = 0;

	for (size_t i = 0; i < len; i++)
		separators += p[i] == '&';
	if (len > QUERY_BYTES_MAX || separators >= QUERY_PARAMS_MAX)
		return false;
	for (size_t at = 0; at <= len; at++) {
		size_t end = at;

		while (end < len && p[end] != '&')
			end++;
		if (end > at && !model_pair(m, p + at, end - at, m->text + used, &n))
			return false;
		used += end > at ? n : 0;
		at = end;
	}
	return true;
}

static void check_same(const struct query *q, const struct model *m)
{
	must(q->cnt == m->cnt);
	for (size_t i = 0; i < m->cnt; i++) {
		size_t hits = 0;

		for (size_t k = 0; k < q->cnt; k++)
			hits += strcmp(q->param[k].name, m->name[i]) == 0 &&
				strcmp(q->param[k].value, m->value[i]) == 0;
		must(hits == 1);
	}
}

static void check_reading(struct query *q)
{
	struct query_at root = query_root(q);

	for (size_t i = 0; i < q->cnt; i++) {
		const char *v = query_str(&root, q->param[i].name);

		must(q->param[i].read);
		must(v ? v == q->param[i].value : q->param[i].value[0] == '\0');
		must(query_any(&root, q->param[i].name) || q->param[i].value[0] == '\0');
	}
	must(query_leftovers(q) == 0);
	must(!query_str(&root, "No Such"));
}

/* Members "L.N" of the list L, by looking at all, against the walk. */
static void check_list(struct query *q)
{
	struct query_at root = query_root(q);
	unsigned last = 0, i = 0, cnt = 0;

	for (size_t k = 0; k < q->cnt; k++) {
		const char *s = q->param[k].name;

		cnt += strncmp(s, "L.", 2) == 0 && s[2] >= '0' && s[2] <= '9' &&
		       !strchr(s + 2, '.');
	}
	while (query_next_any(&root, "L", &i)) {
		must(i > last);
		last = i;
		cnt--;
	}
	must(cnt == 0);
}

static size_t encode_text(char *out, const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += (size_t)sprintf(out + n, "%%%02X", (unsigned char)*s);
	return n;
}

static void check_again(const struct query *q, size_t size)
{
	char *body = malloc(size * 3 + q->cnt * 2 + 1);
	struct fault f = { .code = "" };
	struct query again;
	size_t n = 0;

	must(body);
	for (size_t i = 0; i < q->cnt; i++) {
		n += encode_text(body + n, q->param[i].name);
		body[n++] = '=';
		n += encode_text(body + n, q->param[i].value);
		body[n++] = '&';
	}
	if (n > QUERY_BYTES_MAX || q->cnt >= QUERY_PARAMS_MAX) {
		free(body);
		return;
	}
	must(query_parse(body, n, &again, &f) == 0);
	must(again.cnt == q->cnt);
	for (size_t i = 0; i < q->cnt; i++) {
		must(strcmp(again.param[i].name, q->param[i].name) == 0);
		must(strcmp(again.param[i].value, q->param[i].value) == 0);
	}
	query_done(&again);
	free(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fault f = { .code = "" };
	struct model *m = calloc(1, sizeof(*m));
	struct query q;
	int r;

	must(m);
	m->text = malloc(size * 2 + 2); /* two NULs for each pair */
	must(m->text);
	r = query_parse((const char *)data, size, &q, &f);
	must(r == 0 || r == -EPROTO);
	must((r == 0) == (f.code[0] == '\0'));
	must((r == 0) == model_parse(m, data, size));
	if (r == 0) {
		check_same(&q, m);
		check_again(&q, size);
		check_list(&q);
		check_reading(&q);
		query_done(&q);
	}
	free(m->text);
	free(m);
	return 0;
}
