/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "base/attr.h"
#include "volume/volume.h"

enum {
	IMAGE_CHUNK_BYTES = 256 << 10,
	IMAGE_CHUNK_CNT = 8,
	IMAGE_RUNS_MAX = IMAGE_CHUNK_BYTES / VOL_UNIT_BYTES /
			 2, /* in one chunk: every second unit is zero */
};

/* Where to tell how far it is. @done of @total bytes of the image. */
struct image_progress {
	int sock;
	uint32_t seq;
	uint64_t next_ns; /* not before */
};

/**
 * image_copy() - the image's bytes into an open, empty volume
 * @fd:    image: a file; hostile bytes are fine, they are only copied. Borrowed
 * @bytes: of the image, multiple of VOL_LBA_BYTES, at most the volume's size
 *
 * Holes of the file and units of zeroes stay holes in the volume. Ends with a flush.
 * Return: 0, -EIO reading the image or the volume, -ENODATA the image became shorter, -ENOSPC, -ENOMEM, -EPIPE
 * nobody listens to the progress any more.
 */
MUST_USE int image_copy(int fd, uint64_t bytes, struct vol *v, struct image_progress *p);
