/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Between upload.c, its tests and its fuzz target. */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum { UPLOAD_FILES = 3 };
#define UPLOAD_END 0xffffffffU

struct upload_frame {
	uint32_t file; /* unchecked */
	uint32_t left; /* bytes still to come */
	uint64_t off;  /* of the next of them */
};

/* upload_frame_parse(): the header alone. -EPROTO when @len is too short. */
MUST_USE int upload_frame_parse(const uint8_t *p, size_t len, struct upload_frame *ret);
/* upload_frame_check(): may this frame come next in a file of @size bytes? Return: 0, -EPROTO. */
MUST_USE int upload_frame_check(const struct upload_frame *h, uint64_t size, uint64_t next_off);
/* fd_sync(): fsync. */
MUST_USE int fd_sync(int fd);
