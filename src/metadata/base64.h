/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Room that base64_write() needs for @len bytes in lines of 76 characters. */
#define BASE64_LINES_BYTES(len) (((len) + 2) / 3 * 4 + ((len) + 2) / 3 * 4 / 76 + 1)

/**
 * base64_write() - RFC 4648 base64 with padding
 * @columns:  characters of a line, a multiple of 4; 0: one line. No newline after the last
 * @ret:      not terminated
 *
 * Return: characters written.
 */
size_t base64_write(const uint8_t *p, size_t len, size_t columns, char *ret);
