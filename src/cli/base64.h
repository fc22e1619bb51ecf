/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/**
 * base64_decode() - RFC 4648 with padding, nothing else in the text
 * @ret: owned by the caller; NULL when *ret_len is 0
 * Return: 0, -EINVAL, -ENOMEM.
 */
MUST_USE int base64_decode(const char *s, uint8_t **ret, size_t *ret_len);
/* base64_encode(): Return: NUL-terminated text, owned by the caller; NULL without memory. */
char *base64_encode(const uint8_t *p, size_t len);
