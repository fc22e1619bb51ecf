/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A regular file or block device through Linux AIO: one io_submit() for a batch, completions in an eventfd.
 * With O_DIRECT nothing blocks in io_submit() but the allocation of blocks (measured on ext4: 7 us each) and
 * IOCB_CMD_FDSYNC runs in a kernel thread. Where the file system has no O_DIRECT (tmpfs), io_submit() itself does the
 * work: correct, but not asynchronous.
 *
 * AIO has no hole punching. fallocate(2) is called in submit, PUNCH_STEP_BYTES at most per operation: measured on ext4,
 * 64 MiB of written blocks cost 10 ms, an extent every 8 KiB 0.1 ms each 4 KiB. The rest of a long punch is a short
 * result, which the submitter continues after it has looked after everybody else.
 */

#include <errno.h>
#include <fcntl.h>
#include <libaio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"
#include "volume/backing.h"

enum {
	DEPTH_MAX = 4096,
	BATCH = 64, /* iocbs handed over, events fetched, with one system call */
	PUNCH_STEP_BYTES = 16 << 20,
};

struct backing_file {
	struct vol_backing b;
	int fd;           /* owned */
	io_context_t aio; /* owned; NULL: not set up */
	bool punchable;   /* fallocate() has not yet said that it cannot */
	bool block_device;
	struct backing_io *done; /* finished without AIO; a list */
};

static struct backing_file *file_of(struct vol_backing *b)
{
	return (struct backing_file *)(void *)b;
}

static void file_free(struct vol_backing *b)
{
	struct backing_file *f = file_of(b);

	if (f->aio)
		io_destroy(f->aio);
	fd_closep(&f->b.event_fd);
	fd_closep(&f->fd);
	free(f);
}

static void file_freep(struct backing_file **f)
{
	if (*f)
		file_free(&(*f)->b);
}

static void done_put(struct backing_file *f, struct backing_io *io, int64_t res)
{
	io->res = res;
	io->next = f->done;
	f->done = io;
	fd_event_signal(f->b.event_fd);
}

/*
 * punch() - make a hole
 *
 * #syscalls:* fallocate
 * Return: bytes done, -EOPNOTSUPP the file system or device cannot, -errno.
 */
static int64_t punch(struct backing_file *f, const struct backing_io *io)
{
	uint64_t len = min_u64(io->len, PUNCH_STEP_BYTES);

	if (f->punchable) {
		if (fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)io->off,
			      (off_t)len) == 0)
			return (int64_t)len;
		if (errno != EOPNOTSUPP && errno != ENOSYS)
			return -errno;
		f->punchable = false;
	}
	return -EOPNOTSUPP;
}

static void iocb_fill(struct backing_file *f, struct backing_io *io)
{
	struct iocb *cb = &io->iocb;

	memset(cb, 0, sizeof(*cb));
	if (io->op == BACKING_SYNC)
		io_prep_fdsync(cb, f->fd);
	else if (io->op == BACKING_READ)
		io_prep_pread(cb, f->fd, io->buf, io->len, (long long)io->off);
	else
		io_prep_pwrite(cb, f->fd, io->buf, io->len, (long long)io->off);
	if (io->op == BACKING_WRITE && io->dsync)
		cb->aio_rw_flags = RWF_DSYNC;
	io_set_eventfd(cb, f->b.event_fd);
	cb->data = io;
}

/*
 * aio_start() - hand over iocbs; those the kernel refuses complete with its error
 *
 * The first one refused stops io_submit(), so it is answered here and the rest is tried again.
 * #syscalls:* io_submit
 */
static void aio_start(struct backing_file *f, struct iocb **cb, unsigned cnt)
{
	unsigned at = 0;

	while (at < cnt) {
		int n = io_submit(f->aio, (long)(cnt - at), cb + at);

		if (n > 0) {
			at += (unsigned)n;
			continue;
		}
		if (n == -EINTR)
			continue;
		done_put(f, cb[at]->data, n == 0 || n == -EAGAIN ? -EIO : n);
		at++;
	}
}

static void file_submit(struct vol_backing *b, struct backing_io *const *io, unsigned cnt)
{
	struct backing_file *f = file_of(b);
	struct iocb *batch[BATCH];
	unsigned n = 0;

	for (unsigned i = 0; i < cnt; i++) {
		if (io[i]->op == BACKING_PUNCH) {
			done_put(f, io[i], punch(f, io[i]));
			continue;
		}
		iocb_fill(f, io[i]);
		batch[n++] = &io[i]->iocb;
		if (n == BATCH) {
			aio_start(f, batch, n);
			n = 0;
		}
	}
	aio_start(f, batch, n);
}

/*
 * Debian 12's libaio makes the first call, Debian 13's the second.
 * #syscalls:* io_getevents io_pgetevents
 */
static unsigned file_poll(struct vol_backing *b, struct backing_io **ret, unsigned max, bool wait)
{
	struct backing_file *f = file_of(b);
	struct io_event ev[BATCH];
	struct timespec now = { 0, 0 };
	unsigned n = 0;
	int got;

	while (n < max && f->done) {
		ret[n] = f->done;
		f->done = f->done->next;
		n++;
	}
	if (n == max)
		return n;

	do {
		long room = (long)min_u64(max - n, BATCH);

		got = io_getevents(f->aio, wait && !n, room, ev, wait && !n ? NULL : &now);
		for (int i = 0; i < got; i++) {
			struct backing_io *io = ev[i].data;

			io->res = (int64_t)ev[i].res;
			ret[n++] = io;
		}
	} while ((got == -EINTR && wait && !n) || (got == BATCH && n < max));
	return n;
}

/* #syscalls:* lseek */
static int file_size(struct vol_backing *b, uint64_t *ret)
{
	/* Right for files and for block devices. */
	off_t end = lseek(file_of(b)->fd, 0, SEEK_END);

	if (end < 0)
		return -errno;
	*ret = (uint64_t)end;
	return 0;
}

/* #syscalls:volume-format ftruncate */
static int file_resize(struct vol_backing *b, uint64_t size)
{
	struct backing_file *f = file_of(b);
	uint64_t now = 0;
	int r;

	if (!f->block_device)
		return ftruncate(f->fd, (off_t)size) < 0 ? -errno : 0;
	r = file_size(b, &now);
	if (r < 0)
		return r;
	return now >= size ? 0 : -ENOSPC;
}

static const struct backing_ops file_ops = {
	.submit = file_submit,
	.poll = file_poll,
	.size = file_size,
	.resize = file_resize,
	.free = file_free,
};

/*
 * direct_on() - O_DIRECT if the file system has it; a refusal is no error
 *
 * #syscalls:* fcntl(F_GETFL|F_SETFL)
 */
static int direct_on(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	if (fcntl(fd, F_SETFL, flags | O_DIRECT) < 0 && errno != EINVAL)
		return -errno;
	return 0;
}

/* #syscalls:* fstat newfstatat eventfd2 io_setup io_destroy */
int vol_backing_file_new(int fd, unsigned depth, struct vol_backing **ret)
{
	CLEANUP(fd_closep) int owned = fd;
	CLEANUP(file_freep) struct backing_file *f = NULL;
	struct stat st;
	int r;

	if (!depth || depth > DEPTH_MAX)
		return -EINVAL;
	if (fstat(owned, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return -EINVAL;
	r = direct_on(owned);
	if (r < 0)
		return r;

	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->b.ops = &file_ops;
	f->b.depth = depth;
	f->b.event_fd = -1;
	f->fd = TAKE_FD(owned);
	f->punchable = true;
	f->block_device = S_ISBLK(st.st_mode);

	r = fd_eventfd();
	if (r < 0)
		return r;
	f->b.event_fd = r;
	r = io_setup((int)depth, &f->aio);
	if (r < 0)
		return r;

	*ret = &TAKE_PTR(f)->b;
	return 0;
}
