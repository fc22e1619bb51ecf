/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Files below the store directory, by its descriptor. Names are literals of this program, never links: O_NOFOLLOW
 * always. This is the only place of niter-security that opens anything, and it is used while CTL_SEC_CONFIG is
 * handled, never later.
 */

#include <stddef.h>

#include "base/attr.h"

/* dir_open(): an existing file for reading and writing. Return: descriptor (owned), -ENOENT, -errno. */
MUST_USE int dir_open(int dir, const char *name);

/* dir_open_or_create(): as dir_open(), made empty with mode 0600 when it is not there; the name is durable. */
MUST_USE int dir_open_or_create(int dir, const char *name);

/**
 * dir_read() - a whole small file
 * @cap: bytes at @buf
 * Return: bytes read, -ENOENT, -EFBIG when it has more than @cap, -errno.
 */
MUST_USE int dir_read(int dir, const char *name, void *buf, size_t cap);

/**
 * dir_write_new() - a whole file at once, or nothing: NAME.new, sync, rename, sync of the directory
 * @name: at most 60 bytes; what had this name is replaced
 * Return: 0, -errno; then the old state is there.
 */
MUST_USE int dir_write_new(int dir, const char *name, const void *buf, size_t len);
