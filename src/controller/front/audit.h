/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Who called what, with what result: one line for each call over HTTP, in a file that is rotated. Never a parameter,
 * never a secret. Calls that nobody signed are limited in number, so that a stranger cannot roll the file away.
 */

#include "controller/front/exchange.h"

struct audit;

enum {
	AUDIT_FILE_BYTES = 4 << 20, /* then it is rotated */
	AUDIT_FILES = 4,            /* kept, the one written to included */
};

/* audit_open(): @path: its directory exists; older files are PATH.1 …; NULL: only the log gets the lines. Return: 0 and *ret (owned: audit_free()). */
MUST_USE int audit_open(const char *path, struct audit **ret);
void audit_free(struct audit *a);

/* audit_call(): notes it; audit_flush() writes what was noted. @status: of the answer. */
void audit_call(struct audit *a, const struct exchange *x, unsigned status);
void audit_flush(struct audit *a);

/* audit_tail(): the last lines, at most @max bytes of whole lines, oldest first. Return: 0 and *ret (owned), -errno. */
MUST_USE int audit_tail(struct audit *a, size_t max, char **ret);
