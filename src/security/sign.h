/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the identity document key signs: a flat JSON object that says which instance it is for, and that is the
 * instance for which the channel was opened. Everything else is refused, so a taken-over metadata process can have
 * lies about its own instance signed, but none about another one.
 *
 * The scanner is stricter than JSON: one object; at most SIGN_MEMBERS_MAX members; names of letters and digits, no two
 * alike even when case is ignored (readers differ in that); values are strings, numbers, true, false, null, or a list
 * of these; strings of printable ASCII; "instanceId" is a string without escapes. It reads each byte once and allocates nothing.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum {
	SIGN_DOCUMENT_MAX = 8192, /* bytes */
	SIGN_MEMBERS_MAX = 64,
};

/**
 * sign_document_check() - may this be signed for @instance?
 * @instance: ids as tree_id_ok() knows them
 * @account:  if not empty, "accountId" must be this, when it is there
 * Return: 0, -EINVAL not such a document, -EACCES it is for another instance or account, -EFBIG too long.
 */
MUST_USE int sign_document_check(const void *doc, size_t len, const char *instance,
				 const char *account);
