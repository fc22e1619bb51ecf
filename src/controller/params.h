/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A request's "params", by table: every member that is not in the table, has another type or does not fit is
 * refused by name.
 */

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "controller/fault.h"

enum param_type { PARAM_TEXT, PARAM_U64, PARAM_BOOL };

struct param {
	const char *name;
	enum param_type type;
	bool required;
	void *ret;  /* char[cap], uint64_t or bool; untouched when absent */
	size_t cap; /* of text, with NUL; an empty text is an absent one */
};

/**
 * params_read() - fill the table's results
 * @params: the object, or NULL when the request had none
 * Return: 0, -EINVAL with @f (MissingParameter, UnknownParameter, InvalidParameterValue).
 */
MUST_USE int params_read(const json_t *params, const struct param *table, size_t cnt,
			 struct fault *f);
