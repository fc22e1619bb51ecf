/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "security/sign.h"

/*
 * The document scanner against a JSON library: what it lets pass is an object to jansson too (duplicates refused), says
 * the very instance, and, when there is one, the very account; nested values are only lists of scalars.
 */

static const char instance[] = "i-0123456789abcdef0", account[] = "111122223333";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_value(const json_t *v)
{
	size_t i;
	json_t *e;

	must(!json_is_object(v));
	if (!json_is_array(v))
		return;
	json_array_foreach(v, i, e) must(!json_is_object(e) && !json_is_array(e));
}

static bool says(json_t *doc, const char *name, const char *want)
{
	json_t *v = json_object_get(doc, name);

	return v && json_is_string(v) && strcmp(json_string_value(v), want) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int r = sign_document_check(data, size, instance, account), plain;
	const char *name;
	json_error_t err;
	json_t *doc, *v;

	must(r == 0 || r == -EINVAL || r == -EACCES || r == -EFBIG);
	plain = sign_document_check(data, size, instance, "");
	must(r != 0 || plain == 0); /* naming an account only forbids more */
	must(sign_document_check(data, size, "i-0", account) != 0 || r != 0);
	if (plain)
		return 0;
	/* Numbers beyond a double and \u0000 are JSON that this library cannot hold. */
	doc = json_loadb((const char *)data, size,
			 JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &err);
	if (!doc) {
		must(json_error_code(&err) == json_error_numeric_overflow ||
		     json_error_code(&err) == json_error_invalid_utf8 ||
		     json_error_code(&err) == json_error_invalid_syntax);
		/* Only a lone surrogate is a matter of taste. */
		must(json_error_code(&err) == json_error_numeric_overflow ||
		     memmem(data, size, "\\u", 2));
		return 0;
	}
	must(json_is_object(doc) && says(doc, "instanceId", instance));
	v = json_object_get(doc, "accountId");
	must(r != 0 || !v || says(doc, "accountId", account));
	json_object_foreach(doc, name, v)
	{
		must(strlen(name) > 0);
		check_value(v);
	}
	json_decref(doc);
	return 0;
}
