/* SPDX-License-Identifier: Apache-2.0 */

/* Filters: read once per call, matched per object. Strings are borrowed from the query. */

#include "controller/ec2/filter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "controller/ec2/tags.h"

enum {
	FILTER_VALUES_MAX = 200,      /* of one call */
	FILTER_STEPS_MAX = 100000000, /* characters compared in one call: some tenths of a second */
};

struct filter_one {
	const struct filter_def *def; /* NULL: about tags */
	const char *tag_key;          /* "tag:KEY"; NULL: "tag-key" */
	size_t first, cnt;            /* of filters.pattern */
};

struct filters {
	struct filter_one one[FILTER_VALUES_MAX]; /* each has one value at least */
	size_t cnt;
	const char *pattern[FILTER_VALUES_MAX];
	size_t pattern_cnt;
};

struct filter_emit {
	const char *const *pattern;
	size_t cnt;
	bool hit;
	uint64_t *steps;
};

/* Bytes of the UTF-8 character at @s, which is valid. */
static size_t char_len(const char *s)
{
	size_t n = 1;

	while (((unsigned char)s[n] & 0xc0) == 0x80)
		n++;
	return n;
}

/* @steps grows with the time it takes, at worst the product of both lengths. */
static bool pattern_match(const char *pattern, const char *value, uint64_t *steps)
{
	const char *star = NULL, *from = NULL; /* behind the last "*"; what it has not eaten yet */

	for (;; (*steps)++) {
		const char *p = pattern;

		if (*p == '*') {
			star = ++pattern;
			from = value;
			continue;
		}
		if (*p == '\0' && *value == '\0')
			return true;
		if (*p == '?' && *value != '\0') {
			pattern++;
			value += char_len(value);
			continue;
		}
		if (*p == '\\' && p[1] != '\0')
			p++;
		if (*p != '\0' && *p == *value) {
			pattern = p + 1;
			value++;
			continue;
		}
		if (!star || *from == '\0')
			return false;
		from += char_len(from);
		pattern = star;
		value = from;
	}
}

bool filter_pattern_match(const char *pattern, const char *value)
{
	uint64_t steps = 0;

	return pattern_match(pattern, value, &steps);
}

void filter_str(struct filter_emit *e, const char *value)
{
	if (!value)
		return;
	for (size_t i = 0; i < e->cnt && !e->hit && *e->steps < FILTER_STEPS_MAX; i++)
		e->hit = pattern_match(e->pattern[i], value, e->steps);
}

/* No wildcards in numbers and booleans. */
static void filter_exact(struct filter_emit *e, const char *value)
{
	for (size_t i = 0; i < e->cnt && !e->hit; i++)
		e->hit = strcmp(e->pattern[i], value) == 0;
}

void filter_u64(struct filter_emit *e, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
	filter_exact(e, text);
}

void filter_bool(struct filter_emit *e, bool v)
{
	filter_exact(e, v ? "true" : "false");
}

void filter_time(struct filter_emit *e, uint64_t ms)
{
	char text[XML_TIME_MAX];

	xml_time_text(ms, text);
	filter_str(e, text);
}

static const struct filter_def *def_find(const struct filter_def *defs, const char *name)
{
	for (const struct filter_def *d = defs; d->name; d++)
		if (strcmp(d->name, name) == 0)
			return d;
	return NULL;
}

static void refuse_name(const struct query_at *at, const char *name)
{
	char safe[160];

	log_escape(safe, sizeof(safe), name, strlen(name));
	query_refuse(at, "InvalidParameterValue", "The filter '%s' is invalid", safe);
}

static void name_read(const struct query_at *at, const struct filter_def *defs, bool tags,
		      struct filter_one *ret)
{
	const char *name = query_need_str(at, "Name");

	if (query_failed(at->q))
		return;
	if (tags && strncmp(name, "tag:", 4) == 0 && name[4] != '\0') {
		ret->tag_key = name + 4;
		return;
	}
	if (tags && strcmp(name, "tag-key") == 0)
		return;
	ret->def = def_find(defs, name);
	if (!ret->def)
		refuse_name(at, name);
}

static void values_read(const struct query_at *at, struct filters *f, struct filter_one *o)
{
	const char *v;
	unsigned i = 0;

	o->first = f->pattern_cnt;
	while ((v = query_next_any(at, "Value", &i))) {
		if (f->pattern_cnt == FILTER_VALUES_MAX) {
			query_refuse(at, "FilterLimitExceeded",
				     "The maximum number of filter values on a single call is %d",
				     FILTER_VALUES_MAX);
			return;
		}
		f->pattern[f->pattern_cnt++] = v;
	}
	o->cnt = f->pattern_cnt - o->first;
	if (o->cnt == 0)
		query_refuse(at, "InvalidParameterValue", "The filter %sName has no value",
			     at->prefix);
}

int filters_read(struct ec2_call *c, const struct filter_def *defs, bool tags, struct filters **ret)
{
	CLEANUP(filters_freep) struct filters *f = NULL;
	struct query_at at;
	unsigned i = 0;

	*ret = NULL;
	if (!query_any(&c->in, "Filter"))
		return query_failed(&c->q) ? -EINVAL : 0;
	f = malloc(sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->cnt = 0;
	f->pattern_cnt = 0;
	while (query_next(&c->in, "Filter", &i, &at)) {
		struct filter_one o = { .def = NULL };

		name_read(&at, defs, tags, &o);
		values_read(&at, f, &o);
		if (query_failed(&c->q))
			return -EINVAL;
		f->one[f->cnt++] = o;
	}
	if (query_failed(&c->q))
		return -EINVAL;
	*ret = TAKE_PTR(f);
	return 0;
}

void filters_free(struct filters *f)
{
	free(f);
}

void filters_freep(struct filters **f)
{
	filters_free(*f);
}

static void tags_emit(struct ec2_call *c, const char *id, const char *key, struct filter_emit *e)
{
	struct store_iter i;
	const struct tag *t;

	store_each_of(c->core->st, &tbl_tags, "resource_id", id, &i);
	while (!e->hit && (t = store_next(&i))) {
		if (!key)
			filter_str(e, t->key);
		else if (strcmp(t->key, key) == 0)
			filter_str(e, t->value);
	}
}

bool filters_match(const struct filters *f, struct ec2_call *c, const void *object, const char *id)
{
	for (size_t i = 0; f && i < f->cnt; i++) {
		const struct filter_one *o = &f->one[i];
		struct filter_emit e = { .pattern = f->pattern + o->first,
					 .cnt = o->cnt,
					 .steps = &c->filter_steps };

		if (o->def)
			o->def->get(c, object, &e);
		else if (id)
			tags_emit(c, id, o->tag_key, &e);
		if (c->filter_steps >= FILTER_STEPS_MAX)
			query_refuse(&c->in, "FilterLimitExceeded",
				     "The filters take too long to compare");
		if (!e.hit)
			return false;
	}
	return true;
}
