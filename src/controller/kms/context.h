/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The encryption context of a KMS request, in the one form that is hashed. docs/wire/kms-blob.md */

#include <jansson.h>
#include <stdint.h>

#include "base/attr.h"

enum { KMS_CONTEXT_PAIRS_MAX = 128, KMS_CONTEXT_BYTES_MAX = 8192, KMS_CONTEXT_DIGEST = 32 };

/**
 * kms_context_digest() - of an object whose members are strings
 * @o: NULL: none, which is like an empty one
 * Return: 0, -EINVAL a value is no string, -E2BIG more than fits, -ENOMEM, -EIO.
 */
MUST_USE int kms_context_digest(json_t *o, uint8_t ret[KMS_CONTEXT_DIGEST]);
