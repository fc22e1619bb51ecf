/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A refusal as a person or an EC2 client sees it: a code from EC2's list, one line that says what, one that says
 * what to do. Functions return -errno as everywhere; those that decide about requests fill one of these as well,
 * and the API sends it. Text from outside (names, ids) is put in only after it was checked or escaped.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "controller/model.h"

struct fault {
	char code[MODEL_CODE_MAX];   /* "InvalidInstanceType"; empty: no fault */
	char text[MODEL_TEXT_MAX];   /* "there is no instance type \"t9.huge\"" */
	char remedy[MODEL_TEXT_MAX]; /* "niter types"; empty: nothing to advise */
};

/**
 * fault_set() - fill @f
 * @remedy: literal, borrowed for the call; NULL for none
 * Return: -@err, so that a caller can `return fault_set(f, ENOENT, …)`.
 */
MUST_USE int fault_set(struct fault *f, int err, const char *code, const char *remedy,
		       const char *fmt, ...) PRINTF_LIKE(5, 6);

/* fault_internal(): for what is nobody's fault but ours or the disk's: code InternalError, text from @err. */
MUST_USE int fault_internal(struct fault *f, int err, const char *what);

/* fault_absent(): the thing with this id is not there, or not the asker's: NotFound or, by its shape, Malformed. @kind: enum id_kind. Return: -ENOENT. */
MUST_USE int fault_absent(struct fault *f, int kind, const char *id);
