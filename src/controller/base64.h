/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* RFC 4648 base64 with padding. */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* base64_encode(): Return: NUL-terminated text, owned by the caller; NULL without memory. */
char *base64_encode(const uint8_t *p, size_t len);
