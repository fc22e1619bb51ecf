/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* RFC 4648 base64 with padding. */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"

/* base64_encode(): Return: NUL-terminated text, owned by the caller; NULL without memory. */
char *base64_encode(const uint8_t *p, size_t len);
/* base64_decode(): at most @cap bytes. Return: how many, -EINVAL other text, -EMSGSIZE more than @cap. */
MUST_USE ssize_t base64_decode(const char *text, uint8_t *ret, size_t cap);
