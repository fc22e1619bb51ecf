/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Base64 with padding, strict: one text for each byte string and no other. spec: rfc-4648 §4, §3.5 */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* BASE64_CHARS(n): characters, NUL included, that @n bytes become. */
#define BASE64_CHARS(n) (((n) + 2) / 3 * 4 + 1)

/* base64_encode(): @ret holds BASE64_CHARS(@len). */
void base64_encode(const uint8_t *in, size_t len, char *ret);

/**
 * base64_decode() - the opposite
 * @in:      NUL-terminated, from outside
 * @ret_len: bytes written; 0 for the empty text
 * Return: 0, -EBADMSG not strict base64, -EMSGSIZE more than @cap bytes.
 */
MUST_USE int base64_decode(const char *in, uint8_t *ret, size_t cap, size_t *ret_len);
