/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Where the bytes of a container are: a handful of asynchronous operations. backing_file.c is a file or block
 * device; backing_record.c (tests) is memory that records, fails and crashes on demand; RBD will be a third.
 *
 * An operation belongs to its submitter, who keeps it and its buffer alive until poll has returned it.
 * Order: none between operations in flight. A sync covers what completed before it was submitted.
 */

#include <libaio.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "volume/volume.h"

enum backing_op { BACKING_READ, BACKING_WRITE, BACKING_SYNC, BACKING_PUNCH };

struct backing_io {
	enum backing_op op;
	bool dsync;   /* of a write: stable when it completes */
	uint64_t off; /* bytes, multiple of 4096 */
	uint64_t len; /* bytes, multiple of 4096; a punch may do less, see res */
	uint8_t *buf; /* borrowed; aligned to 4096; read and write only */
	int64_t res; /* out: bytes done (read, write, punch; may be short), 0 for sync, or -errno */
	void *ctx;   /* the submitter's */

	/* private to the backing */
	struct iocb iocb;
	struct backing_io *next;
};

struct backing_ops {
	/* Takes all of them; each completes once through poll, whatever happens. */
	void (*submit)(struct vol_backing *b, struct backing_io *const *io, unsigned cnt);
	/* @wait: block until there is at least one (the caller knows that one is in flight). */
	unsigned (*poll)(struct vol_backing *b, struct backing_io **ret, unsigned max, bool wait);
	/* Bytes: now, and a new length. Blocking. */
	int (*size)(struct vol_backing *b, uint64_t *ret);
	int (*resize)(struct vol_backing *b, uint64_t size);
	void (*free)(struct vol_backing *b);
};

/* The first member of each kind of backing. */
struct vol_backing {
	const struct backing_ops *ops;
	int event_fd;       /* owned; signalled when poll may have something */
	unsigned in_flight; /* kept by backing_submit() and backing_poll() */
	unsigned depth;     /* in flight at most */
};

void backing_submit(struct vol_backing *b, struct backing_io *const *io, unsigned cnt);
MUST_USE unsigned backing_poll(struct vol_backing *b, struct backing_io **ret, unsigned max,
			       bool wait);

/**
 * backing_run() - one operation from start to end, while nothing else is in flight. Blocks.
 * Short reads and writes are continued.
 * Return: 0, -ENODATA at the end of the backing, -errno.
 */
MUST_USE int backing_run(struct vol_backing *b, enum backing_op op, uint64_t off, uint8_t *buf,
			 uint64_t len);
