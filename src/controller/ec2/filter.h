/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Filters of Describe actions: Filter.N.Name, Filter.N.Value.M. Values of one filter are ORed, filters are ANDed; "*" any
 * run, "?" one character, "\" escapes; case-sensitive. A table says which filters an action has and how an
 * object's values of one are found. "tag:KEY" and "tag-key" are handled here for every action whose objects have tags.
 */

#include "controller/ec2/call.h"

struct filter_emit; /* opaque: where a getter says the object's values */
void filter_str(struct filter_emit *e, const char *value); /* "" is a value; NULL is none */
void filter_u64(struct filter_emit *e, uint64_t v);
void filter_bool(struct filter_emit *e, bool v);
void filter_time(struct filter_emit *e, uint64_t ms);

/* filter_get_fn(): emits the values of @object. @c for looking at other rows. */
typedef void filter_get_fn(struct ec2_call *c, const void *object, struct filter_emit *e);
struct filter_def {
	const char *name; /* "instance-state-name"; a row without a name ends the table */
	filter_get_fn *get;
};

struct filters; /* opaque */
/**
 * filters_read() - reads Filter.N of a call; unknown names are refused in the query's fault
 * @tags: objects have tags
 * Return: 0 and *ret (owned: filters_free()), -errno with the call's fault.
 */
MUST_USE int filters_read(struct ec2_call *c, const struct filter_def *defs, bool tags,
			  struct filters **ret);
void filters_free(struct filters *f);
void filters_freep(struct filters **f);
/* filters_match(): @id: whose tags are meant; NULL: none. */
bool filters_match(const struct filters *f, struct ec2_call *c, const void *object, const char *id);
/* filter_pattern_match(): one value against one pattern. */
bool filter_pattern_match(const char *pattern, const char *value);
