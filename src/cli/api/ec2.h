/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One EC2 Query call: parameters in, the answer's members out as JSON. An element whose children are all <item> becomes
 * an array, an element with other children an object, any other a string: so an empty list is an empty string, which
 * json_array_foreach() walks like an empty array. Errors are printed here, once, as one line.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* Parameters of a call, in the order they were added. After a failed allocation the call fails. */
struct ec2_params {
	char *text; /* owned: a form body */
	size_t len;
	bool failed;
};

/* ec2_add(): nothing is added when @value is NULL. */
void ec2_add(struct ec2_params *p, const char *name, const char *value);
/* ec2_add_n(): "Filter.2.Name": @fmt with @n. */
void ec2_add_n(struct ec2_params *p, const char *fmt, unsigned n, const char *value);
void ec2_add_u64(struct ec2_params *p, const char *name, uint64_t value);
/* ec2_add_filter(): filter number @n with one value. */
void ec2_add_filter(struct ec2_params *p, unsigned n, const char *name, const char *value);

/**
 * ec2_call() - ask, wait, understand
 * @params:     emptied, also on failure; NULL for none
 * @ret_result: owned by the caller (json_decref()); NULL: not wanted
 * Return: CLI_OK, or CLI_FAILED with the line printed.
 */
MUST_USE int ec2_call(const char *action, struct ec2_params *params, json_t **ret_result);

/* ec2_answer_parse(): the root element's members of an XML answer. NULL when it is none. For ec2_call() and its test. */
json_t *ec2_answer_parse(const char *text, size_t len);
