/* SPDX-License-Identifier: Apache-2.0 */

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "controller/params.h"

static int fault_type(struct fault *f, const struct param *p, const char *what)
{
	return fault_set(f, EINVAL, "InvalidParameterValue", "see docs/wire/api.md",
			 "the parameter \"%s\" %s", p->name, what);
}

static int text_read(const struct param *p, const json_t *v, struct fault *f)
{
	size_t len;

	if (!json_is_string(v))
		return fault_type(f, p, "must be a text");
	len = json_string_length(v);
	if (len >= p->cap)
		return fault_type(f, p, "is too long");
	if (memchr(json_string_value(v), '\0',
		   len)) /* jansson allows \u0000 only when asked; stay sure */
		return fault_type(f, p, "contains a NUL");
	memcpy(p->ret, json_string_value(v), len + 1);
	return 0;
}

static int u64_read(const struct param *p, const json_t *v, struct fault *f)
{
	json_int_t n;

	if (!json_is_integer(v))
		return fault_type(f, p, "must be a whole number");
	n = json_integer_value(v);
	if (n < 0)
		return fault_type(f, p, "must not be negative");
	*(uint64_t *)p->ret = (uint64_t)n;
	return 0;
}

static int param_read(const struct param *p, const json_t *v, struct fault *f)
{
	switch (p->type) {
	case PARAM_TEXT:
		return text_read(p, v, f);
	case PARAM_U64:
		return u64_read(p, v, f);
	case PARAM_BOOL:
		if (!json_is_boolean(v))
			return fault_type(f, p, "must be true or false");
		*(bool *)p->ret = json_is_true(v);
		return 0;
	}
	return -EINVAL;
}

/* An empty text counts as absent: clients send them. */
static bool is_absent(const json_t *v)
{
	return !v || json_is_null(v) || (json_is_string(v) && json_string_length(v) == 0);
}

static int unknown_check(const json_t *params, const struct param *table, size_t cnt,
			 struct fault *f)
{
	char safe[64];
	const char *key;
	json_t *all, *v;
	int r = 0;

	all = json_deep_copy(params); /* iteration wants a non-const object */
	if (!all)
		return fault_internal(f, ENOMEM, "reading the request");
	json_object_foreach(all, key, v)
	{
		size_t k = 0;

		while (k < cnt && strcmp(table[k].name, key) != 0)
			k++;
		if (k < cnt)
			continue;
		log_escape(safe, sizeof(safe), key, strlen(key));
		r = fault_set(f, EINVAL, "UnknownParameter", "see docs/wire/api.md",
			      "there is no parameter \"%s\"", safe);
		break;
	}
	json_decref(all);
	return r;
}

int params_read(const json_t *params, const struct param *table, size_t cnt, struct fault *f)
{
	int r;

	if (params && !json_is_object(params))
		return fault_set(f, EINVAL, "InvalidRequest", "see docs/wire/api.md",
				 "\"params\" must be an object");
	r = params ? unknown_check(params, table, cnt, f) : 0;
	for (size_t k = 0; r == 0 && k < cnt; k++) {
		const json_t *v = params ? json_object_get(params, table[k].name) : NULL;

		if (!is_absent(v))
			r = param_read(&table[k], v, f);
		else if (table[k].required)
			r = fault_set(f, EINVAL, "MissingParameter", "see docs/wire/api.md",
				      "the request must contain the parameter \"%s\"",
				      table[k].name);
	}
	return r;
}
