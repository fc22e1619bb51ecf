/* SPDX-License-Identifier: Apache-2.0 */

#include "volume/backing_record.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"

enum { OPS_MAX = 4096, PENDING_MAX = 1024 };

struct op {
	enum backing_op op;
	bool dsync, failed;
	uint64_t off, len;
	uint8_t *data;                 /* owned copy of a write */
	uint64_t submitted, completed; /* times; completed UINT64_MAX: not yet */
};

struct pending {
	struct backing_io *io;
	struct op *op; /* NULL: not recorded */
	int64_t res;
};

struct record {
	struct vol_backing b;
	uint8_t *image, *base; /* owned; base: at record_start() */
	uint64_t size, base_size;
	uint64_t seed;
	uint64_t now;
	struct op *ops; /* owned array */
	unsigned op_cnt, sync_cnt;
	struct pending pending[PENDING_MAX];
	unsigned pending_cnt;
	struct record_fault fault;
};

static struct record *rec(struct vol_backing *b)
{
	return (struct record *)(void *)b;
}

static uint64_t next_random(struct record *r)
{
	r->seed ^= r->seed << 13;
	r->seed ^= r->seed >> 7;
	r->seed ^= r->seed << 17;
	return r->seed;
}

/* Untouched pages cost nothing, also under MALLOC_PERTURB_. */
static uint8_t *pages_new(uint64_t size)
{
	void *p;

	return mem_zalloc_pages(size ? size : 1, &p) == 0 ? p : NULL;
}

static void pages_free(uint8_t *p, uint64_t size)
{
	if (p)
		mem_free_pages(p, size ? size : 1);
}

static void ops_forget(struct record *r)
{
	for (unsigned i = 0; i < r->op_cnt; i++)
		free(r->ops[i].data);
	r->op_cnt = 0;
	r->sync_cnt = 0;
}

static void record_free(struct vol_backing *b)
{
	struct record *r = rec(b);

	ops_forget(r);
	fd_closep(&r->b.event_fd);
	free(r->ops);
	pages_free(r->image, r->size);
	pages_free(r->base, r->base_size);
	free(r);
}

static bool faulty(const struct record *r, const struct backing_io *io)
{
	unsigned idx = r->fault.only_sync ? r->sync_cnt : r->op_cnt;

	if (r->fault.at == UINT_MAX || (r->fault.only_sync && io->op != BACKING_SYNC))
		return false;
	return r->fault.sticky ? idx >= r->fault.at : idx == r->fault.at;
}

static int64_t carry_out(struct record *r, const struct backing_io *io, uint64_t len)
{
	if (io->op == BACKING_SYNC)
		return 0;
	if (io->off >= r->size)
		return io->op == BACKING_READ ? 0 : -EIO;
	len = min_u64(len, r->size - io->off);
	if (io->op == BACKING_READ)
		memcpy(io->buf, r->image + io->off, len);
	else if (io->op == BACKING_WRITE)
		memcpy(r->image + io->off, io->buf, len);
	else
		memset(r->image + io->off, 0, len);
	return (int64_t)len;
}

static struct op *log_op(struct record *r, const struct backing_io *io, uint64_t len, bool failed)
{
	struct op *o = &r->ops[r->op_cnt];

	must(r->op_cnt < OPS_MAX);
	*o = (struct op){ .op = io->op,
			  .dsync = io->dsync,
			  .failed = failed,
			  .off = io->off,
			  .len = len,
			  .submitted = r->now++,
			  .completed = UINT64_MAX };
	if (io->op == BACKING_WRITE) {
		o->data = malloc(len);
		must(o->data);
		memcpy(o->data, io->buf, len);
	}
	r->op_cnt++;
	r->sync_cnt += io->op == BACKING_SYNC;
	return o;
}

static void record_submit(struct vol_backing *b, struct backing_io *const *io, unsigned cnt)
{
	struct record *r = rec(b);

	for (unsigned i = 0; i < cnt; i++) {
		struct pending *p = &r->pending[r->pending_cnt];
		uint64_t len = io[i]->len;
		bool fails = faulty(r, io[i]);

		must(r->pending_cnt < PENDING_MAX);
		must(io[i]->off % VOL_UNIT_BYTES == 0 && len % VOL_LBA_BYTES == 0);
		if (r->fault.short_one && io[i]->op != BACKING_SYNC && len > VOL_UNIT_BYTES &&
		    r->op_cnt % r->fault.short_one == 0)
			len = align_down(len / 2, VOL_UNIT_BYTES);
		p->io = io[i];
		p->op = log_op(r, io[i], len, fails);
		if (fails)
			p->res = r->fault.err;
		else if (io[i]->op == BACKING_PUNCH && r->fault.no_punch)
			p->res = -EOPNOTSUPP;
		else
			p->res = carry_out(r, io[i], len);
		p->op->failed = p->res < 0;
		r->pending_cnt++;
	}
	if (r->pending_cnt)
		fd_event_signal(b->event_fd);
}

static struct backing_io *complete_one(struct record *r)
{
	unsigned i = r->seed ? (unsigned)(next_random(r) % r->pending_cnt) : 0;
	struct pending p = r->pending[i];

	memmove(&r->pending[i], &r->pending[i + 1], (r->pending_cnt - i - 1) * sizeof(p));
	r->pending_cnt--;
	p.op->completed = r->now++;
	p.io->res = p.res;
	return p.io;
}

static unsigned record_poll(struct vol_backing *b, struct backing_io **ret, unsigned max, bool wait)
{
	struct record *r = rec(b);
	unsigned want = r->pending_cnt, n = 0;

	if (r->seed && want)
		want = (unsigned)(next_random(r) % (want + 1));
	if (wait && !want)
		want = 1;
	while (n < max && n < want && r->pending_cnt)
		ret[n++] = complete_one(r);
	if (r->pending_cnt)
		fd_event_signal(b->event_fd);
	return n;
}

static int record_size(struct vol_backing *b, uint64_t *ret)
{
	*ret = rec(b)->size;
	return 0;
}

static int record_resize(struct vol_backing *b, uint64_t size)
{
	struct record *r = rec(b);
	uint8_t *p = pages_new(size);

	if (!p)
		return -ENOMEM;
	memcpy(p, r->image, min_u64(size, r->size));
	pages_free(r->image, r->size);
	r->image = p;
	r->size = size;
	return 0;
}

static const struct backing_ops record_backing_ops = {
	.submit = record_submit,
	.poll = record_poll,
	.size = record_size,
	.resize = record_resize,
	.free = record_free,
};

int record_new(uint64_t size, uint64_t seed, struct vol_backing **ret)
{
	struct record *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->b.ops = &record_backing_ops;
	r->b.depth = 1024;
	r->b.event_fd = fd_eventfd();
	r->size = size;
	r->image = pages_new(size);
	r->ops = calloc(OPS_MAX, sizeof(*r->ops));
	if (r->b.event_fd < 0 || !r->image || !r->ops) {
		record_free(&r->b);
		return -ENOMEM;
	}
	r->seed = seed;
	r->fault.at = UINT_MAX;
	*ret = &r->b;
	return 0;
}

uint8_t *record_image(struct vol_backing *b)
{
	return rec(b)->image;
}

/* A container has nothing between its headers and its payload; untouched pages cost nothing. */
static void copy_used(uint8_t *to, const uint8_t *from, uint64_t size)
{
	uint64_t head = min_u64(size, 64 * KIB);

	memcpy(to, from, head);
	if (size > VOL_PAYLOAD_OFF)
		memcpy(to + VOL_PAYLOAD_OFF, from + VOL_PAYLOAD_OFF, size - VOL_PAYLOAD_OFF);
}

void record_start(struct vol_backing *b)
{
	struct record *r = rec(b);

	must(!r->pending_cnt);
	ops_forget(r);
	pages_free(r->base, r->base_size);
	r->base_size = r->size;
	r->base = pages_new(r->size);
	must(r->base);
	copy_used(r->base, r->image, r->size);
	r->now = 0;
}

void record_fault_set(struct vol_backing *b, const struct record_fault *f)
{
	rec(b)->fault = *f;
}

void record_seed(struct vol_backing *b, uint64_t seed)
{
	rec(b)->seed = seed;
}

unsigned record_ops(struct vol_backing *b)
{
	return rec(b)->op_cnt;
}

uint64_t record_now(struct vol_backing *b)
{
	return rec(b)->now;
}

/* stable() - is this on the disk for certain when the power goes at @time? */
static bool stable(const struct record *r, const struct op *o, uint64_t time)
{
	if (o->completed >= time || o->failed)
		return false;
	if (o->dsync)
		return true;
	for (unsigned i = 0; i < r->op_cnt; i++) {
		const struct op *s = &r->ops[i];

		if (s->op == BACKING_SYNC && !s->failed && s->submitted > o->completed &&
		    s->completed < time)
			return true;
	}
	return false;
}

static bool changes(const struct op *o, uint64_t time)
{
	return (o->op == BACKING_WRITE || o->op == BACKING_PUNCH) && o->submitted < time;
}

unsigned record_unstable(struct vol_backing *b, uint64_t time)
{
	struct record *r = rec(b);
	unsigned n = 0;

	for (unsigned i = 0; i < r->op_cnt; i++)
		n += changes(&r->ops[i], time) && !stable(r, &r->ops[i], time);
	return n;
}

static void apply(uint8_t *image, uint64_t size, const struct op *o, uint64_t mask)
{
	for (uint64_t at = 0; at < o->len && o->off + at + VOL_LBA_BYTES <= size;
	     at += VOL_LBA_BYTES) {
		if (!(mask >> (at / VOL_LBA_BYTES % 64) & 1))
			continue;
		if (o->op == BACKING_WRITE)
			memcpy(image + o->off + at, o->data + at, VOL_LBA_BYTES);
		else
			memset(image + o->off + at, 0, VOL_LBA_BYTES);
	}
}

int record_crash(struct vol_backing *b, uint64_t time, uint64_t keep, unsigned torn,
		 uint64_t torn_mask, struct vol_backing **ret)
{
	struct record *r = rec(b);
	unsigned at = 0;
	uint8_t *image;
	int rc;

	rc = record_new(r->size, 0, ret);
	if (rc < 0)
		return rc;
	image = record_image(*ret);
	copy_used(image, r->base, r->size);
	for (unsigned i = 0; i < r->op_cnt; i++) {
		const struct op *o = &r->ops[i];

		if (!changes(o, time))
			continue;
		if (stable(r, o, time)) {
			apply(image, r->size, o, UINT64_MAX);
			continue;
		}
		if (at == torn)
			apply(image, r->size, o, torn_mask);
		else if (at >= 64 || keep >> at & 1)
			apply(image, r->size, o, UINT64_MAX);
		at++;
	}
	return 0;
}
