/* SPDX-License-Identifier: Apache-2.0 */

#include "volume/volume.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "volume/digest.h"
#include "volume/luks2.h"
#include "volume/volume_priv.h"

enum { POLL_BATCH = 64 };

/* ---- open ---- */

static void vol_freep(struct vol **v)
{
	vol_free(*v);
}

void vol_free(struct vol *v)
{
	if (!v)
		return;
	/* First: the backing may still write into the buffers. */
	vol_backing_free(v->backing);
	xts_free(v->xts);
	if (v->buffers)
		mem_free_pages(v->buffers, v->job_cnt * v->job_bytes);
	free(v->batch);
	free(v->jobs);
	free(v);
}

static int buffers_make(struct vol *v)
{
	void *p;
	int r;

	r = mem_zalloc_pages(v->job_cnt * v->job_bytes, &p);
	if (r < 0)
		return r;
	v->buffers = p;
	v->jobs = calloc(v->job_cnt, sizeof(*v->jobs));
	v->batch = calloc((size_t)v->job_cnt + 1, sizeof(struct backing_io *)); /* jobs, one sync */
	if (!v->jobs || !v->batch)
		return -ENOMEM;
	for (unsigned i = v->job_cnt; i-- > 0;) {
		v->jobs[i].buf = v->buffers + i * v->job_bytes;
		v->jobs[i].queue_next = v->free;
		v->free = &v->jobs[i];
	}
	return 0;
}

int vol_open(struct vol_backing *b, const struct vol_params *p, const struct key *key,
	     const struct vol_opts *opts, struct vol **ret)
{
	const struct vol_opts none = { 0 };
	CLEANUP(vol_freep) struct vol *v = NULL;
	uint64_t backing_size;
	int r;

	opts = opts ? opts : &none;
	if (luks2_params_check(p) < 0 || b->depth < 2)
		return -EINVAL;
	if (opts->job_cnt > JOB_CNT_MAX || opts->job_bytes > JOB_BYTES_MAX ||
	    opts->job_bytes % VOL_UNIT_BYTES)
		return -EINVAL;
	r = b->ops->size(b, &backing_size);
	if (r < 0)
		return r;
	if (!range_ok(p->payload_off, p->size, backing_size))
		return -EINVAL;
	r = digest_check(p, key);
	if (r < 0)
		return r;

	v = calloc(1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	v->payload_off = p->payload_off;
	v->size = p->size;
	v->read_only = opts->read_only;
	v->job_cnt = opts->job_cnt ? opts->job_cnt : JOB_CNT_DEFAULT;
	v->job_cnt = (unsigned)min_u64(v->job_cnt, b->depth - 1);
	v->job_bytes = opts->job_bytes ? opts->job_bytes : JOB_BYTES_DEFAULT;
	r = buffers_make(v);
	if (r < 0)
		return r;
	r = xts_new(key, &v->xts);
	if (r < 0)
		return r;

	v->backing = b;
	*ret = TAKE_PTR(v);
	return 0;
}

uint64_t vol_size(const struct vol *v)
{
	return v->size;
}

bool vol_failed(const struct vol *v)
{
	return v->failed;
}

int vol_event_fd(const struct vol *v)
{
	return v->backing->event_fd;
}

unsigned vol_in_flight(const struct vol *v)
{
	return v->in_flight;
}

/* ---- requests ---- */

bool req_changes(const struct vol_req *r)
{
	return r->op != VOL_READ;
}

void req_fail(struct vol_req *r, int err)
{
	if (r->res == 0)
		r->res = err;
}

static void req_done(struct vol *v, struct vol_req *r)
{
	if (r->priv.canceled)
		req_fail(r, -ECANCELED);
	queue_put(&v->done, r);
}

/* A write says "stable" itself; for the others a sync follows. A read with fua returns nothing that could be lost. */
static bool wants_sync(const struct vol_req *r)
{
	return r->fua && r->op != VOL_WRITE && r->res == 0 && !r->priv.canceled;
}

void req_settle(struct vol *v, struct vol_req *r)
{
	if (r->priv.jobs || r->priv.queued || r->priv.cursor < r->len)
		return;
	if (wants_sync(r)) {
		r->priv.syncing = true;
		queue_put(&v->sync_wait, r);
	} else {
		req_done(v, r);
	}
}

/* spans_ok() - do the spans hold exactly the request's bytes? */
static bool spans_ok(const struct vol_req *r)
{
	uint64_t sum = 0;

	if (r->op != VOL_READ && r->op != VOL_WRITE)
		return r->iov_cnt == 0;
	if (r->iov_cnt > VOL_IOV_MAX || r->len > VOL_REQ_BYTES_MAX)
		return false;
	for (unsigned i = 0; i < r->iov_cnt; i++) {
		if (!add_u64(sum, r->iov[i].iov_len, &sum))
			return false;
	}
	return sum == r->len;
}

static int req_check(const struct vol *v, const struct vol_req *r)
{
	if (r->op > VOL_WRITE_ZEROES)
		return -EINVAL;
	if (r->op == VOL_FLUSH)
		return r->len || r->iov_cnt ? -EINVAL : 0;
	if (!r->len || r->off % VOL_LBA_BYTES || r->len % VOL_LBA_BYTES || !spans_ok(r))
		return -EINVAL;
	if (!range_ok(r->off, r->len, v->size))
		return -ERANGE;
	if (v->read_only && req_changes(r))
		return -EROFS;
	return 0;
}

static void req_take(struct vol *v, struct vol_req *r)
{
	memset(&r->priv, 0, sizeof(r->priv));
	v->in_flight++;
	r->res = req_check(v, r);
	if (r->res == 0 && v->failed && req_changes(r))
		r->res = -EIO;

	if (r->res < 0) {
		r->priv.cursor = r->len;
		queue_put(&v->done, r);
	} else if (r->op == VOL_FLUSH) {
		r->priv.syncing = true;
		queue_put(&v->sync_wait, r);
	} else {
		r->priv.queued = true;
		queue_put(&v->pending, r);
	}
}

/* ---- sync groups ---- */

/* One sync at a time; what comes meanwhile shares the next one. */
static void sync_start(struct vol *v)
{
	if (v->syncing || !v->sync_wait.head)
		return;
	v->sync_now = v->sync_wait;
	v->sync_wait = (struct req_queue){ NULL, NULL };
	v->sync_io = (struct backing_io){ .op = BACKING_SYNC };
	v->syncing = true;
	v->batch[v->batch_cnt++] = &v->sync_io;
}

static void sync_done(struct vol *v)
{
	struct vol_req *r;

	v->syncing = false;
	/* A sync that failed once tells nothing the second time: the kernel may have dropped what it could not
	 * write. So nothing is acknowledged any more. */
	if (v->sync_io.res < 0)
		v->failed = true;
	while ((r = queue_take(&v->sync_now))) {
		if (v->failed)
			req_fail(r, -EIO);
		req_done(v, r);
	}
}

/* ---- one round ---- */

/* pump() - start everything that can start, with one call to the backing */
static void pump(struct vol *v)
{
	do {
		jobs_wake(v);
		jobs_carve(v);
		jobs_punch(v);
	} while (v->released && v->waiting);
	sync_start(v);
	if (v->batch_cnt)
		backing_submit(v->backing, v->batch, v->batch_cnt);
	v->batch_cnt = 0;
	/* Nothing in flight would wake the caller. */
	if (v->done.head || v->punch_head)
		fd_event_signal(v->backing->event_fd);
}

void vol_submit(struct vol *v, struct vol_req *const *reqs, unsigned cnt)
{
	for (unsigned i = 0; i < cnt; i++)
		req_take(v, reqs[i]);
	pump(v);
}

static void reap(struct vol *v)
{
	struct backing_io *io[POLL_BATCH];
	unsigned n;

	do {
		n = backing_poll(v->backing, io, POLL_BATCH, false);
		for (unsigned i = 0; i < n; i++) {
			if (io[i] == &v->sync_io)
				sync_done(v);
			else
				job_io_done(v, io[i]->ctx);
		}
	} while (n == POLL_BATCH);
}

unsigned vol_poll(struct vol *v, struct vol_req **ret, unsigned max)
{
	unsigned n = 0;

	/* Cleared before looking, so that what comes later wakes again. */
	fd_event_clear(v->backing->event_fd);
	reap(v);
	while (n < max && v->done.head)
		ret[n++] = queue_take(&v->done);
	v->in_flight -= n;
	pump(v);
	return n;
}

int vol_cancel(struct vol *v, struct vol_req *r)
{
	bool untouched = r->priv.cursor == 0;

	r->priv.canceled = true;
	if (r->priv.queued && queue_remove(&v->pending, r)) {
		r->priv.queued = false;
		r->priv.cursor = r->len;
		req_settle(v, r);
	} else if (r->priv.syncing && queue_remove(&v->sync_wait, r)) {
		untouched = r->op == VOL_FLUSH;
		r->priv.syncing = false;
		req_done(v, r);
	}
	/* Jobs that wait see the mark when they come to their turn; those in flight, when the backing returns. */
	if (v->done.head)
		fd_event_signal(v->backing->event_fd);
	return untouched ? 0 : -EINPROGRESS;
}
