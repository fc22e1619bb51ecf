/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The life of a job: made from a piece of a request, waits for older ones that overlap, one or two backing operations,
 * ends. Everything here runs in the volume's one thread; nothing allocates.
 *
 *   kind        waiting ->  reading ->  writing | punching -> end
 *   JOB_READ       x           x
 *   JOB_WRITE      x                       x
 *   JOB_PATCH      x           x           x
 *   JOB_PUNCH      x                                x
 */

#include <errno.h>
#include <string.h>

#include "base/num.h"
#include "volume/volume_priv.h"

/* ---- order ---- */

static bool changes(const struct job *j)
{
	return j->kind != JOB_READ;
}

/* blocked() - is there an older living job that must end first? */
static bool blocked(const struct vol *v, const struct job *j)
{
	if (!changes(j) && !v->changing)
		return false;
	for (const struct job *i = v->old; i != j; i = i->next) {
		if ((changes(i) || changes(j)) && i->unit < j->unit + j->unit_cnt &&
		    j->unit < i->unit + i->unit_cnt)
			return true;
	}
	return false;
}

static void list_add(struct vol *v, struct job *j)
{
	j->next = NULL;
	j->prev = v->young;
	if (v->young)
		v->young->next = j;
	else
		v->old = j;
	v->young = j;
	v->changing += changes(j);
}

static void list_del(struct vol *v, struct job *j)
{
	if (j->prev)
		j->prev->next = j->next;
	else
		v->old = j->next;
	if (j->next)
		j->next->prev = j->prev;
	else
		v->young = j->prev;
	v->changing -= changes(j);
}

/* ---- end ---- */

static void job_end(struct vol *v, struct job *j, int err)
{
	struct vol_req *r = j->req;

	list_del(v, j);
	v->released = true;
	j->queue_next = v->free;
	v->free = j;

	if (err < 0)
		req_fail(r, err);
	must(r->priv.jobs);
	r->priv.jobs--;
	req_settle(v, r);
}

/* What the volume says for an error of the backing. */
static int error_of(int64_t res)
{
	return res == -ENOSPC || res == -EDQUOT || res == -EFBIG ? -ENOSPC : -EIO;
}

/* stopped() - may the job not go on? Return: true, and the job has ended. */
static bool stopped(struct vol *v, struct job *j)
{
	if (j->req->priv.canceled)
		job_end(v, j, -ECANCELED);
	else if (v->failed && changes(j))
		job_end(v, j, -EIO);
	else
		return false;
	return true;
}

/* ---- operations ---- */

static void hand_over(struct vol *v, struct job *j)
{
	must(v->batch_cnt <= v->job_cnt);
	v->batch[v->batch_cnt++] = &j->io;
}

static void io_set(struct vol *v, struct job *j, enum backing_op op)
{
	j->io.op = op;
	j->io.dsync = false;
	j->io.off = v->payload_off + j->unit * VOL_UNIT_BYTES;
	j->io.len = j->unit_cnt * VOL_UNIT_BYTES;
	j->io.buf = j->buf;
	j->io.ctx = j;
}

static void read_start(struct vol *v, struct job *j)
{
	io_set(v, j, BACKING_READ);
	j->state = JOB_READING;
	hand_over(v, j);
}

/* The buffer holds ciphertext. */
static void write_start(struct vol *v, struct job *j)
{
	io_set(v, j, BACKING_WRITE);
	j->io.dsync = j->req->fua;
	j->state = JOB_WRITING;
	hand_over(v, j);
}

static void punch_queue(struct vol *v, struct job *j)
{
	j->queue_next = NULL;
	if (v->punch_tail)
		v->punch_tail->queue_next = j;
	else
		v->punch_head = j;
	v->punch_tail = j;
}

void jobs_punch(struct vol *v)
{
	uint64_t bytes = 0;

	for (unsigned n = 0;
	     v->punch_head && n < PUNCHES_PER_ROUND && bytes < PUNCH_BYTES_PER_ROUND; n++) {
		struct job *j = v->punch_head;

		v->punch_head = j->queue_next;
		if (!v->punch_head)
			v->punch_tail = NULL;
		if (stopped(v, j))
			continue;
		bytes += j->io.len;
		hand_over(v, j);
	}
}

static void job_start(struct vol *v, struct job *j)
{
	int r;

	if (stopped(v, j))
		return;
	switch (j->kind) {
	case JOB_READ:
	case JOB_PATCH:
		read_start(v, j);
		return;
	case JOB_WRITE:
		r = units_encrypt(v->xts, j->unit, &j->at, j->buf, j->unit_cnt);
		if (r < 0)
			job_end(v, j, -EIO);
		else
			write_start(v, j);
		return;
	case JOB_PUNCH:
		io_set(v, j, BACKING_PUNCH);
		j->state = JOB_PUNCHING;
		punch_queue(v, j);
		return;
	}
}

void jobs_wake(struct vol *v)
{
	struct job *next;

	/* Starting one can end it at once (canceled), which may free another. */
	while (v->released && v->waiting) {
		v->released = false;
		for (struct job *j = v->old; j; j = next) {
			next = j->next;
			if (j->state != JOB_WAITING || blocked(v, j))
				continue;
			v->waiting--;
			job_start(v, j);
		}
	}
	v->released = false;
}

/* ---- completion ---- */

/* go_on() - hand over the rest of an operation that was done in part */
static void go_on(struct vol *v, struct job *j)
{
	j->io.off += (uint64_t)j->io.res;
	j->io.len -= (uint64_t)j->io.res;
	if (j->io.op != BACKING_PUNCH)
		j->io.buf += j->io.res;
	if (j->state == JOB_PUNCHING)
		punch_queue(v, j);
	else
		hand_over(v, j);
}

static void read_done(struct vol *v, struct job *j)
{
	size_t skip = j->off % VOL_UNIT_BYTES;

	if (stopped(v, j))
		return;
	if (units_decrypt(v->xts, j->unit, j->buf, j->unit_cnt) < 0) {
		job_end(v, j, -EIO);
		return;
	}
	if (j->kind == JOB_READ) {
		spans_scatter(&j->at, j->buf + skip, j->len);
		job_end(v, j, 0);
		return;
	}

	if (j->req->op == VOL_WRITE)
		spans_gather(&j->at, j->buf + skip, j->len);
	else
		memset(j->buf + skip, 0, j->len);
	if (xts_encrypt(v->xts, j->unit, j->buf, j->buf, 1) < 0)
		job_end(v, j, -EIO);
	else
		write_start(v, j);
}

static void write_error(struct vol *v, struct job *j)
{
	int err = error_of(j->io.res);

	/* A stable write that failed may have been the sync in it: see vol_failed(). */
	if (j->io.dsync && err != -ENOSPC)
		v->failed = true;
	job_end(v, j, err);
}

/* punch_instead() - zeroes of ciphertext, a buffer at a time, on a backing without holes */
static void punch_instead(struct vol *v, struct job *j)
{
	v->no_punch = true;
	memset(j->buf, 0, v->job_bytes);
	j->io.op = BACKING_WRITE;
	j->io.buf = j->buf;
	j->io.len = min_u64(j->io.len, v->job_bytes);
	hand_over(v, j);
}

static void punch_done(struct vol *v, struct job *j)
{
	uint64_t end = v->payload_off + (j->unit + j->unit_cnt) * VOL_UNIT_BYTES;

	if (j->io.res == -EOPNOTSUPP && j->io.op == BACKING_PUNCH) {
		punch_instead(v, j);
		return;
	}
	if (j->io.res <= 0 || (uint64_t)j->io.res > j->io.len) {
		job_end(v, j, error_of(j->io.res));
		return;
	}
	j->io.off += (uint64_t)j->io.res;
	j->io.len = end - j->io.off;
	if (!j->io.len) {
		job_end(v, j, v->failed ? -EIO : 0);
		return;
	}
	j->io.op = BACKING_PUNCH;
	if (v->no_punch && !stopped(v, j))
		punch_instead(v, j);
	else if (!v->no_punch)
		punch_queue(v, j);
}

void job_io_done(struct vol *v, struct job *j)
{
	if (j->state == JOB_PUNCHING) {
		punch_done(v, j);
		return;
	}
	if (j->io.res < 0 && j->state == JOB_WRITING) {
		write_error(v, j);
	} else if (j->io.res <= 0 || (uint64_t)j->io.res > j->io.len) {
		job_end(v, j, error_of(j->io.res)); /* 0: somebody made the file shorter */
	} else if ((uint64_t)j->io.res < j->io.len) {
		go_on(v, j);
	} else if (j->state == JOB_READING) {
		read_done(v, j);
	} else {
		job_end(v, j, v->failed ? -EIO : 0);
	}
}

/* ---- from requests to jobs ---- */

/* piece() - kind and bytes of the next job of @r, which has some left */
static enum job_kind piece(const struct vol *v, const struct vol_req *r, uint64_t *ret_len)
{
	uint64_t off = r->off + r->priv.cursor, left = r->len - r->priv.cursor;
	uint64_t skip = off % VOL_UNIT_BYTES;

	if (r->op == VOL_READ) {
		*ret_len = min_u64(left, v->job_bytes - skip);
		return JOB_READ;
	}
	if (skip || left < VOL_UNIT_BYTES) {
		*ret_len = min_u64(left, VOL_UNIT_BYTES - skip);
		return JOB_PATCH;
	}
	left = align_down(left, VOL_UNIT_BYTES);
	*ret_len = r->op == VOL_WRITE ? min_u64(left, v->job_bytes) : left;
	return r->op == VOL_WRITE ? JOB_WRITE : JOB_PUNCH;
}

static void job_make(struct vol *v, struct vol_req *r)
{
	struct job *j = v->free;
	struct spans at = { .iov = r->iov, .idx = r->priv.iov_idx, .off = r->priv.iov_off };

	v->free = j->queue_next;
	j->req = r;
	j->kind = piece(v, r, &j->len);
	j->off = r->off + r->priv.cursor;
	j->unit = j->off / VOL_UNIT_BYTES;
	j->unit_cnt = (j->off + j->len - 1) / VOL_UNIT_BYTES - j->unit + 1;
	j->at = at;

	r->priv.cursor += j->len;
	if (r->iov_cnt) {
		spans_skip(&at, j->len);
		r->priv.iov_idx = at.idx;
		r->priv.iov_off = at.off;
	}
	r->priv.jobs++;
	list_add(v, j);
	if (blocked(v, j)) {
		j->state = JOB_WAITING;
		v->waiting++;
		return;
	}
	job_start(v, j);
}

void jobs_carve(struct vol *v)
{
	while (v->pending.head && v->free) {
		struct vol_req *r = v->pending.head;

		/* Held by a job of its own, so that a piece that ends at once does not complete the request. */
		r->priv.jobs++;
		while (v->free && r->priv.cursor < r->len)
			job_make(v, r);
		r->priv.jobs--;
		if (r->priv.cursor < r->len)
			return;
		(void)queue_take(&v->pending);
		r->priv.queued = false;
		req_settle(v, r);
	}
}
