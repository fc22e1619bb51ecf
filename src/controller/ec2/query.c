/* SPDX-License-Identifier: Apache-2.0 */

/* Reading the parameters of a request: query_parse.c decoded and sorted them. */

#include "controller/ec2/query.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "controller/ec2/query_priv.h"

/* A name of the tree; too long a one is none that can have been sent. */
struct full_name {
	char s[QUERY_NAME_MAX];
	bool ok;
};

static struct full_name name_of(const struct query_at *at, const char *name)
{
	size_t prefix = strlen(at->prefix), len = strlen(name);
	struct full_name n;

	n.ok = prefix + len < sizeof(n.s);
	n.s[0] = '\0';
	if (n.ok) {
		memcpy(n.s, at->prefix, prefix);
		memcpy(n.s + prefix, name, len + 1);
	}
	return n;
}

/* The first parameter that is not before @name. */
static size_t lower_bound(const struct query *q, const char *name)
{
	size_t lo = 0, hi = q->cnt;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (query_name_cmp(q->param[mid].name, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct query_param *param_find(const struct query_at *at, const char *name)
{
	struct full_name n = name_of(at, name);
	struct query *q = at->q;
	size_t i;

	if (!n.ok)
		return NULL;
	i = lower_bound(q, n.s);
	if (i == q->cnt || strcmp(q->param[i].name, n.s) != 0)
		return NULL;
	return &q->param[i];
}

/* Is @p the parameter @n, or one below it? */
static bool param_below(const struct query_param *p, const char *n, size_t n_len)
{
	return strncmp(p->name, n, n_len) == 0 && (p->name[n_len] == '\0' || p->name[n_len] == '.');
}

/* Number of the list member that @p is or is part of; 0: none. @n_len: of the list's name */
static unsigned param_idx(const struct query_param *p, size_t n_len, const char **ret_rest)
{
	const char *s = p->name + n_len;
	unsigned v = 0;

	if (*s != '.')
		return 0;
	for (s++; *s >= '0' && *s <= '9'; s++)
		v = v * 10 + (unsigned)(*s - '0');
	*ret_rest = s;
	return v;
}

/*
 * The first parameter of the list @n whose number is above @after. Return: NULL after the last; *ret_idx its number,
 * *ret_rest what follows it in its name.
 */
static struct query_param *list_next(struct query *q, const struct full_name *n, unsigned after,
				     unsigned *ret_idx, const char **ret_rest)
{
	size_t n_len = strlen(n->s);
	char from[QUERY_NAME_MAX + 16];

	if (!n->ok || after >= QUERY_INDEX_MAX)
		return NULL;
	snprintf(from, sizeof(from), "%s.%u", n->s, after + 1);
	for (size_t i = lower_bound(q, from); i < q->cnt; i++) {
		if (!param_below(&q->param[i], n->s, n_len))
			return NULL;
		*ret_idx = param_idx(&q->param[i], n_len, ret_rest);
		if (*ret_idx == 0) /* words come after numbers */
			return NULL;
		return &q->param[i];
	}
	return NULL;
}

struct query_at query_root(struct query *q)
{
	return (struct query_at){ .q = q };
}

struct query_at query_in(const struct query_at *at, const char *name)
{
	struct query_at in = { .q = at->q };
	struct full_name n = name_of(at, name);
	size_t len = strlen(n.s);

	if (n.ok && len + 1 < sizeof(in.prefix)) {
		memcpy(in.prefix, n.s, len);
		in.prefix[len] = '.';
	} else {
		/* Below a name that is too long there is nothing: no name holds a blank. */
		memcpy(in.prefix, " ", 2);
	}
	return in;
}

bool query_next(const struct query_at *at, const char *name, unsigned *i, struct query_at *ret)
{
	struct full_name n = name_of(at, name);
	const char *rest;
	struct query_param *p;
	size_t len;

	if (query_failed(at->q))
		return false;
	p = list_next(at->q, &n, *i, i, &rest);
	if (!p)
		return false;
	*ret = (struct query_at){ .q = at->q };
	len = (size_t)(rest - p->name);
	if (len + 1 >= sizeof(ret->prefix)) /* nothing can be below it */
		len = sizeof(ret->prefix) - 2;
	memcpy(ret->prefix, p->name, len);
	ret->prefix[len] = '.';
	return true;
}

const char *query_next_any(const struct query_at *at, const char *name, unsigned *i)
{
	struct full_name n = name_of(at, name);
	const char *rest;
	struct query_param *p;

	if (query_failed(at->q))
		return NULL;
	while ((p = list_next(at->q, &n, *i, i, &rest))) {
		if (*rest != '\0') /* a structure where a value should be: left over */
			continue;
		p->read = true;
		return p->value;
	}
	return NULL;
}

const char *query_next_str(const struct query_at *at, const char *name, unsigned *i)
{
	const char *v;

	do
		v = query_next_any(at, name, i);
	while (v && v[0] == '\0');
	return v;
}

bool query_any(const struct query_at *at, const char *name)
{
	struct full_name n = name_of(at, name);
	size_t n_len = strlen(n.s);

	if (!n.ok)
		return false;
	for (size_t i = lower_bound(at->q, n.s); i < at->q->cnt; i++) {
		if (!param_below(&at->q->param[i], n.s, n_len))
			return false;
		if (at->q->param[i].value[0] != '\0')
			return true;
	}
	return false;
}

bool query_given(const struct query_at *at, const char *name)
{
	struct query_param *p = param_find(at, name);

	if (!p || query_failed(at->q))
		return false;
	p->read = true;
	return true;
}

const char *query_str(const struct query_at *at, const char *name)
{
	struct query_param *p = param_find(at, name);

	if (!p || query_failed(at->q))
		return NULL;
	p->read = true;
	return p->value[0] != '\0' ? p->value : NULL;
}

/* Unsigned digits. Return: false: no number of 64 bits. */
static bool digits_parse(const char *s, uint64_t *ret)
{
	uint64_t v = 0;

	if (*s == '\0')
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s > '9' || __builtin_mul_overflow(v, 10U, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			return false;
	}
	*ret = v;
	return true;
}

static void refuse_value(const struct query_at *at, const char *name, const char *value,
			 const char *expected)
{
	char safe[96];

	log_escape(safe, sizeof(safe), value, strlen(value));
	query_refuse(at, "InvalidParameterValue",
		     "Value (%s) for parameter %s%s is invalid. Expected %s.", safe, at->prefix,
		     name, expected);
}

uint64_t query_u64(const struct query_at *at, const char *name, uint64_t min, uint64_t max,
		   uint64_t def)
{
	const char *s = query_str(at, name);
	char expected[96];
	uint64_t v;

	if (!s)
		return def;
	if (digits_parse(s, &v) && v >= min && v <= max)
		return v;
	snprintf(expected, sizeof(expected), "a number from %llu to %llu", (unsigned long long)min,
		 (unsigned long long)max);
	refuse_value(at, name, s, expected);
	return def;
}

int64_t query_i64(const struct query_at *at, const char *name, int64_t min, int64_t max,
		  int64_t def)
{
	const char *s = query_str(at, name);
	char expected[96];
	uint64_t v = 0;
	bool minus, ok;
	int64_t n;

	if (!s)
		return def;
	minus = s[0] == '-';
	ok = digits_parse(s + minus, &v) && v <= (uint64_t)INT64_MAX;
	n = minus ? -(int64_t)v : (int64_t)v;
	if (ok && n >= min && n <= max)
		return n;
	snprintf(expected, sizeof(expected), "a number from %lld to %lld", (long long)min,
		 (long long)max);
	refuse_value(at, name, s, expected);
	return def;
}

bool query_bool(const struct query_at *at, const char *name, bool def)
{
	const char *s = query_str(at, name);

	if (!s)
		return def;
	if (strcmp(s, "true") == 0)
		return true;
	if (strcmp(s, "false") == 0)
		return false;
	refuse_value(at, name, s, "true or false");
	return def;
}

static void refuse_missing(const struct query_at *at, const char *name)
{
	query_refuse(at, "MissingParameter", "The request must contain the parameter %s%s",
		     at->prefix, name);
}

const char *query_need_str(const struct query_at *at, const char *name)
{
	const char *s = query_str(at, name);

	if (!s)
		refuse_missing(at, name);
	return s ? s : "";
}

uint64_t query_need_u64(const struct query_at *at, const char *name, uint64_t min, uint64_t max)
{
	if (!query_any(at, name))
		refuse_missing(at, name);
	return query_u64(at, name, min, max, min);
}

void query_ignore(const struct query_at *at, const char *name)
{
	struct full_name n = name_of(at, name);
	size_t n_len = strlen(n.s);

	if (!n.ok)
		return;
	for (size_t i = lower_bound(at->q, n.s);
	     i < at->q->cnt && param_below(&at->q->param[i], n.s, n_len); i++)
		at->q->param[i].read = true;
}

void query_unsupported(const struct query_at *at, const char *name, const char *why)
{
	if (!query_any(at, name))
		return;
	query_refuse(at, "UnsupportedOperation", "The parameter %s%s is not supported here%s%s",
		     at->prefix, name, why ? ": " : "", why ? why : "");
}

void query_refuse(const struct query_at *at, const char *code, const char *fmt, ...)
{
	char text[MODEL_TEXT_MAX];
	va_list ap;

	if (query_failed(at->q))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)!fault_set(at->q->fault, EINVAL, code, NULL, "%s", text);
}

bool query_failed(const struct query *q)
{
	return q->fault->code[0] != '\0';
}

int query_leftovers(struct query *q)
{
	char safe[QUERY_NAME_MAX];

	for (size_t i = 0; i < q->cnt; i++) {
		if (q->param[i].read || q->param[i].value[0] == '\0')
			continue;
		log_escape(safe, sizeof(safe), q->param[i].name, strlen(q->param[i].name));
		return fault_set(q->fault, EINVAL, "UnknownParameter", NULL,
				 "The parameter %s is not recognized", safe);
	}
	return 0;
}
