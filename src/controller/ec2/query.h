/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The parameters of an EC2 Query request: a form body as a sorted list of names and values, read by a handler member
 * by member. What a handler has read is marked; what nobody read is refused by name at the end, so nothing is ever
 * silently accepted. "Name=" counts as absent. The first thing wrong is remembered in the query's fault and
 * everything after it reads as absent, so a handler asks query_failed() once, before it changes anything.
 *
 * Limits (-EPROTO at parsing): QUERY_BYTES_MAX, QUERY_PARAMS_MAX, list index QUERY_INDEX_MAX, QUERY_DEPTH_MAX, a name
 * given twice, UTF-8 that is none, control characters but TAB, LF, CR, "%" without two hex digits.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "controller/fault.h"

enum {
	QUERY_BYTES_MAX = 1024 * 1024,
	QUERY_PARAMS_MAX = 2000,
	QUERY_INDEX_MAX = 1000,
	QUERY_DEPTH_MAX = 8,
	QUERY_NAME_MAX = 256, /* with NUL */
};

struct query_param {
	const char *name, *value; /* decoded, NUL-terminated, in the query's memory */
	bool read;
};

struct query {
	char *text;                /* owned: every name and value */
	struct query_param *param; /* owned; sorted by name, list indices as numbers */
	size_t cnt;
	struct fault *fault; /* borrowed; code[0] != 0 once something was wrong */
};

/* A place in the tree of names: "" or "BlockDeviceMapping.2.Ebs". */
struct query_at {
	struct query *q;
	char prefix[QUERY_NAME_MAX]; /* with its dot at the end; "" at the root */
};

/**
 * query_parse() - decode a form body (or the query part of a target)
 * Return: 0 and *ret (query_done()), -EPROTO with @f, -ENOMEM.
 */
MUST_USE int query_parse(const char *body, size_t len, struct query *ret, struct fault *f);
void query_done(struct query *q);

struct query_at query_root(struct query *q);
/* query_in(): one structure deeper. */
struct query_at query_in(const struct query_at *at, const char *name);
/**
 * query_next() - the next member of a list of structures, in order of its numbers, gaps allowed
 * @i: 0 at first; the number of the member found afterwards
 */
bool query_next(const struct query_at *at, const char *name, unsigned *i, struct query_at *ret);
/* query_next_str(): the same for a list of plain values: "InstanceId.1". NULL after the last. */
const char *query_next_str(const struct query_at *at, const char *name, unsigned *i);
/* query_next_any(): as query_next_str(), but an empty value is one, as in filters. */
const char *query_next_any(const struct query_at *at, const char *name, unsigned *i);
/* query_given(): is there a parameter of just this name, even "Name="? Marks it: DeleteTags and NoDevice need to know. */
bool query_given(const struct query_at *at, const char *name);
/* query_any(): is there any parameter below this place, or with this name? Marks nothing. */
bool query_any(const struct query_at *at, const char *name);

/* All mark as read. NULL / @def / false when absent. What is no number, out of range, no boolean is InvalidParameterValue. */
const char *query_str(const struct query_at *at, const char *name);
uint64_t query_u64(const struct query_at *at, const char *name, uint64_t min, uint64_t max,
		   uint64_t def);
int64_t query_i64(const struct query_at *at, const char *name, int64_t min, int64_t max,
		  int64_t def);
bool query_bool(const struct query_at *at, const char *name, bool def);
/* query_need_str(): MissingParameter when absent; then returns "". */
const char *query_need_str(const struct query_at *at, const char *name);
uint64_t query_need_u64(const struct query_at *at, const char *name, uint64_t min, uint64_t max);

/* query_ignore(): a member that changes nothing here ("Monitoring.Enabled"): every parameter of this name or below it. */
void query_ignore(const struct query_at *at, const char *name);
/* query_unsupported(): if given: UnsupportedOperation, by name, with @why for people (may be NULL). */
void query_unsupported(const struct query_at *at, const char *name, const char *why);
/* query_refuse(): remembers a fault unless there is one already. */
void query_refuse(const struct query_at *at, const char *code, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
bool query_failed(const struct query *q);
/* query_leftovers(): the first parameter nobody read is UnknownParameter. Return: 0, -EINVAL with the fault set. */
MUST_USE int query_leftovers(struct query *q);
