/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Copying an image: chunks are read one after the other from the page cache, cut into runs of units that are not all
 * zero, and written while the next chunks are read. A chunk is free again when all its runs are written.
 */

#include "volume-format/image.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "proto/control.h"

enum { PROGRESS_NS = 200 * 1000 * 1000, POLL_MAX = 64 };

struct chunk {
	uint8_t *buf;
	unsigned busy; /* runs in flight */
	struct vol_req req[IMAGE_RUNS_MAX];
	struct iovec iov[IMAGE_RUNS_MAX];
};

struct copy {
	int fd;
	struct vol *v;
	uint64_t bytes;
	int err; /* the first */
	uint8_t *buffers;
	struct chunk chunk[IMAGE_CHUNK_CNT];
};

/* reap() - take completions; @wait: until there is one. #syscalls:volume-format poll ppoll */
static void reap(struct copy *c, bool wait)
{
	struct pollfd p = { .fd = vol_event_fd(c->v), .events = POLLIN };
	struct vol_req *done[POLL_MAX];
	unsigned n;

	while ((n = vol_poll(c->v, done, POLL_MAX)) == 0 && wait)
		(void)poll(&p, 1, -1);
	for (unsigned i = 0; i < n; i++) {
		struct chunk *k = done[i]->ctx;

		k->busy--;
		if (done[i]->res < 0 && !c->err)
			c->err = done[i]->res;
	}
}

static struct chunk *chunk_get(struct copy *c)
{
	for (;;) {
		for (unsigned i = 0; i < IMAGE_CHUNK_CNT; i++) {
			if (!c->chunk[i].busy)
				return &c->chunk[i];
		}
		reap(c, true);
	}
}

static bool unit_zero(const uint8_t *u)
{
	return u[0] == 0 && memcmp(u, u + 1, VOL_UNIT_BYTES - 1) == 0;
}

/* runs_write() - submit what is not zero of @units units that belong at @off */
static void runs_write(struct copy *c, struct chunk *k, uint64_t off, size_t units)
{
	struct vol_req *batch[IMAGE_RUNS_MAX];
	unsigned n = 0;

	for (size_t i = 0; i < units;) {
		size_t first = i;

		while (i < units && !unit_zero(k->buf + i * VOL_UNIT_BYTES))
			i++;
		if (i == first) {
			i++;
			continue;
		}
		must(n < IMAGE_RUNS_MAX);
		k->iov[n].iov_base = k->buf + first * VOL_UNIT_BYTES;
		k->iov[n].iov_len = (i - first) * VOL_UNIT_BYTES;
		memset(&k->req[n], 0, sizeof(k->req[n]));
		k->req[n].op = VOL_WRITE;
		k->req[n].iov = &k->iov[n];
		k->req[n].iov_cnt = 1;
		k->req[n].off = off + first * VOL_UNIT_BYTES;
		k->req[n].len = k->iov[n].iov_len;
		k->req[n].ctx = k;
		batch[n] = &k->req[n];
		n++;
	}
	k->busy = n;
	vol_submit(c->v, batch, n);
}

/* data_next() - first byte of data at or after @off, in whole units. #syscalls:volume-format lseek */
static int data_next(const struct copy *c, uint64_t off, uint64_t *ret)
{
	off_t at = lseek(c->fd, (off_t)off, SEEK_DATA);

	if (at < 0 && errno == ENXIO) /* nothing but a hole until the end */
		at = (off_t)c->bytes;
	else if (at < 0 && errno == EINVAL) /* the file system does not know */
		at = (off_t)off;
	else if (at < 0)
		return -errno;
	if ((uint64_t)at >= c->bytes)
		*ret = c->bytes;
	else
		*ret = max_u64(off, align_down((uint64_t)at, VOL_UNIT_BYTES));
	return 0;
}

static int progress_tell(struct image_progress *p, uint64_t done, uint64_t total, bool last)
{
	const struct ctl_format_progress m = { .done = done, .total = total };
	uint64_t now = clock_ns();
	int r;

	if (now < p->next_ns && !last)
		return 0;
	p->next_ns = now + PROGRESS_NS;
	r = ctl_send(p->sock, CTL_FORMAT_PROGRESS, p->seq, &m, NULL, 0);
	return r == -EAGAIN ? 0 : r;
}

static int chunks_copy(struct copy *c, struct image_progress *p)
{
	uint64_t off = 0;
	int r;

	while (!c->err) {
		struct chunk *k;
		size_t len, units;

		r = data_next(c, off, &off);
		if (r < 0)
			return r;
		if (off >= c->bytes)
			break;
		k = chunk_get(c);
		len = min_u64(IMAGE_CHUNK_BYTES, c->bytes - off);
		units = (len + VOL_UNIT_BYTES - 1) / VOL_UNIT_BYTES;
		memset(k->buf + len, 0, units * VOL_UNIT_BYTES - len);
		r = fd_pread_full(c->fd, k->buf, len, off);
		if (r < 0)
			return r;
		runs_write(c, k, off, units);
		reap(c, false);
		off += len;
		r = progress_tell(p, off, c->bytes, false);
		if (r < 0)
			return r;
	}
	return 0;
}

static int flush(struct copy *c)
{
	struct vol_req req = { .op = VOL_FLUSH, .ctx = &c->chunk[0] }, *r = &req;

	c->chunk[0].busy = 1;
	vol_submit(c->v, &r, 1);
	while (vol_in_flight(c->v))
		reap(c, true);
	return c->err;
}

int image_copy(int fd, uint64_t bytes, struct vol *v, struct image_progress *p)
{
	static struct copy c; /* large; there is one job in a process */
	void *mem;
	int r;

	memset(&c, 0, sizeof(c));
	c.fd = fd;
	c.v = v;
	c.bytes = bytes;
	r = mem_zalloc_pages((size_t)IMAGE_CHUNK_CNT * IMAGE_CHUNK_BYTES, &mem);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < IMAGE_CHUNK_CNT; i++)
		c.chunk[i].buf = (uint8_t *)mem + (size_t)i * IMAGE_CHUNK_BYTES;

	r = chunks_copy(&c, p);
	while (vol_in_flight(v))
		reap(&c, true);
	if (r == 0)
		r = c.err;
	if (r == 0)
		r = flush(&c);
	if (r == 0)
		r = progress_tell(p, bytes, bytes, true);
	mem_free_pages(mem, (size_t)IMAGE_CHUNK_CNT * IMAGE_CHUNK_BYTES);
	return r;
}
