/* SPDX-License-Identifier: Apache-2.0 */

#include "volume/backing.h"

#include <errno.h>

void backing_submit(struct vol_backing *b, struct backing_io *const *io, unsigned cnt)
{
	must(cnt <= b->depth - b->in_flight);
	b->in_flight += cnt;
	b->ops->submit(b, io, cnt);
}

unsigned backing_poll(struct vol_backing *b, struct backing_io **ret, unsigned max, bool wait)
{
	unsigned n;

	if (!b->in_flight)
		return 0;
	n = b->ops->poll(b, ret, max, wait);
	must(n <= b->in_flight);
	b->in_flight -= n;
	return n;
}

int backing_run(struct vol_backing *b, enum backing_op op, uint64_t off, uint8_t *buf, uint64_t len)
{
	struct backing_io io = { .op = op, .off = off, .buf = buf, .len = len };
	struct backing_io *p = &io, *done;

	must(!b->in_flight);
	do {
		backing_submit(b, &p, 1);
		if (backing_poll(b, &done, 1, true) != 1 || done != p)
			return -EIO;
		if (io.res < 0)
			return (int)io.res;
		if (op == BACKING_SYNC)
			return 0;
		if (io.res == 0 || (uint64_t)io.res > io.len)
			return op == BACKING_READ ? -ENODATA : -EIO;
		io.off += (uint64_t)io.res;
		io.len -= (uint64_t)io.res;
		if (op != BACKING_PUNCH)
			io.buf += io.res;
	} while (io.len);
	return 0;
}

void vol_backing_free(struct vol_backing *b)
{
	struct backing_io *done;

	if (!b)
		return;
	while (b->in_flight)
		(void)!backing_poll(b, &done, 1, true);
	b->ops->free(b);
}
