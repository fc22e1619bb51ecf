/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Small files people name: public keys, user data. */

#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"

enum { KEY_FILE_MAX = 4096, USER_DATA_MAX = 16384 };

/* small_file_read(): at most @cap bytes of @path. Return: how many, -1 with the line printed. */
MUST_USE ssize_t small_file_read(const char *path, char *buf, size_t cap, const char *too_big);

/**
 * public_key_read() - the line of a .pub file
 * @ret_name: what the key may be called: the file's name without .pub
 * Return: CLI_OK, or CLI_FAILED with the line printed.
 */
MUST_USE int public_key_read(const char *path, char ret_line[KEY_FILE_MAX + 1], char *ret_name,
			     size_t cap);
