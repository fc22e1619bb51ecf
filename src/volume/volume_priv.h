/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Inside an open volume. Requests are cut into jobs; a job is one backing operation at a time on a run of whole units,
 * with one private buffer.
 *
 *   vol_submit -> pending queue -> jobs (job.c) -> backing -> done queue -> vol_poll
 *                       flush, fua of a discard -> sync group -/
 *
 * Jobs live in one list in the order they were made. A job starts when no older living job overlaps it where one of
 * the two changes something: that is the lock per unit, it cannot deadlock and it starves nobody.
 */

#include "crypto/xts.h"
#include "volume/backing.h"
#include "volume/unit.h"
#include "volume/volume.h"

enum {
	JOB_CNT_DEFAULT = 128,
	JOB_CNT_MAX = 1024,
	JOB_BYTES_DEFAULT = 64 << 10,
	JOB_BYTES_MAX = 1 << 20,
	PUNCHES_PER_ROUND = 32, /* they block: see backing_file.c */
	PUNCH_BYTES_PER_ROUND = 16 << 20,
};

enum job_kind {
	JOB_READ,  /* read, decrypt, to the spans */
	JOB_WRITE, /* from the spans, encrypt, write */
	JOB_PATCH, /* a part of one unit: read, decrypt, change, encrypt, write */
	JOB_PUNCH, /* make a hole */
};

enum job_state {
	JOB_WAITING,  /* for older jobs that overlap */
	JOB_READING,  /* read in flight */
	JOB_WRITING,  /* write in flight */
	JOB_PUNCHING, /* punch in flight, or in the punch queue */
};

struct job {
	struct backing_io io;
	struct vol_req *req; /* borrowed; alive as long as it has jobs */
	enum job_kind kind;
	enum job_state state;
	uint64_t unit, unit_cnt; /* covered, whole units */
	uint64_t off, len;       /* bytes of the volume that the request means */
	struct spans at;         /* where its payload begins */
	uint8_t *buf;            /* its own, job_bytes */
	struct job *prev, *next; /* living, older first */
	struct job *queue_next;  /* free list or punch queue */
};

struct req_queue {
	struct vol_req *head, *tail;
};

struct vol {
	struct vol_backing *backing; /* owned */
	struct xts *xts;             /* owned */
	uint64_t payload_off, size;  /* bytes */
	bool read_only;
	bool failed;   /* a sync failed: sticky */
	bool no_punch; /* the backing has no holes: ciphertext zeroes are written instead */
	unsigned in_flight;

	struct job *jobs; /* owned array */
	unsigned job_cnt;
	size_t job_bytes;
	uint8_t *buffers; /* owned: job_cnt * job_bytes */
	struct job *free; /* last used first, so that few buffers are touched */
	struct job *old, *young;
	unsigned changing; /* living jobs that change something */
	unsigned waiting;  /* living jobs in JOB_WAITING */
	bool released;     /* a job ended since waiting jobs were looked at */
	struct job *punch_head, *punch_tail;

	struct req_queue pending; /* not all turned into jobs yet */
	struct req_queue done;
	struct req_queue sync_wait, sync_now;
	struct backing_io sync_io;
	bool syncing;

	struct backing_io **batch; /* owned: to be handed over at the end of this call */
	unsigned batch_cnt;
};

/* queue.c */
void queue_put(struct req_queue *q, struct vol_req *r);
struct vol_req *queue_take(struct req_queue *q);
/* Return: false when it is not in there. */
bool queue_remove(struct req_queue *q, struct vol_req *r);

/* job.c */
/* jobs_carve(): turn pending requests into jobs while there are free ones. */
void jobs_carve(struct vol *v);
/* jobs_wake(): start waiting jobs that nothing older blocks any more. */
void jobs_wake(struct vol *v);
/* jobs_punch(): hand over a round's worth of the punch queue. */
void jobs_punch(struct vol *v);
/* job_io_done(): the backing is done with the job's operation. */
void job_io_done(struct vol *v, struct job *j);

/* volume.c */
/* req_settle(): completes a request that has nothing left to do. */
void req_settle(struct vol *v, struct vol_req *r);
/* req_fail(): keeps the first error. */
void req_fail(struct vol_req *r, int err);
bool req_changes(const struct vol_req *r);
