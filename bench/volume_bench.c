/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the volume library and the cipher under it do on one thread, without card and guest.
 *
 *   volume-bench FILE SECONDS
 *
 * FILE is made, filled and removed. One line of JSON for each figure.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "crypto/key.h"
#include "crypto/xts.h"
#include "volume/volume.h"

enum { VOL_MIB = 1024, QD_MAX = 64, BLOCK_KIB = 512 };

static uint8_t *buffers; /* QD_MAX * 1 MiB */
static double seconds;

static double now(void)
{
	return (double)clock_ns() / 1e9;
}

static double cpu(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return (double)u.ru_utime.tv_sec + (double)u.ru_utime.tv_usec / 1e6 +
	       (double)u.ru_stime.tv_sec + (double)u.ru_stime.tv_usec / 1e6;
}

static int xts_figure(const struct key *k, size_t units, bool encrypt)
{
	struct xts *x;
	uint64_t done = 0;
	double t0, t;

	if (xts_new(k, &x) < 0)
		return -EIO;
	t0 = now();
	do {
		for (unsigned i = 0; i < 256; i++, done += units) {
			int r = encrypt ? xts_encrypt(x, done, buffers, buffers, units)
					: xts_decrypt(x, done, buffers, buffers, units);

			if (r < 0)
				return r;
		}
		t = now() - t0;
	} while (t < seconds);
	(void)printf("{\"what\":\"xts %s\",\"bytes\":%zu,\"gb_s\":%.2f,\"ns_per_4k\":%.0f}\n",
		     encrypt ? "encrypt" : "decrypt", units * 4096, (double)done * 4096 / t / 1e9,
		     t / (double)done * 1e9);
	xts_free(x);
	return 0;
}

static int io_figure(struct vol *v, const char *name, enum vol_op op, bool random, uint64_t len,
		     unsigned qd)
{
	static struct vol_req req[QD_MAX];
	struct vol_req *batch[QD_MAX], *done[QD_MAX];
	struct iovec iov[QD_MAX];
	struct pollfd p = { .fd = vol_event_fd(v), .events = POLLIN };
	uint64_t at = 0, cnt = 0, span = vol_size(v) / len, rnd = 88172645463325252ULL;
	double t0 = now(), c0 = cpu(), t = 0;
	unsigned n = 0;

	memset(req, 0, sizeof(req));
	for (unsigned i = 0; i < qd; i++)
		done[n++] = &req[i];
	while (t < seconds || vol_in_flight(v)) {
		unsigned m = 0;

		for (unsigned i = 0; i < n && t < seconds; i++) {
			struct vol_req *r = done[i];
			size_t idx = (size_t)(r - req);

			rnd ^= rnd << 13;
			rnd ^= rnd >> 7;
			rnd ^= rnd << 17;
			iov[idx] = (struct iovec){ buffers + idx * (1 << 20), len };
			r->op = op;
			r->iov = &iov[idx];
			r->iov_cnt = 1;
			r->off = (random ? rnd % span : at++ % span) * len;
			r->len = len;
			batch[m++] = r;
		}
		vol_submit(v, batch, m);
		n = vol_poll(v, done, QD_MAX);
		if (!n && vol_in_flight(v)) {
			(void)poll(&p, 1, -1);
			n = vol_poll(v, done, QD_MAX);
		}
		for (unsigned i = 0; i < n; i++) {
			if (done[i]->res < 0)
				return done[i]->res;
		}
		cnt += n;
		t = now() - t0;
	}
	(void)printf("{\"what\":\"%s\",\"bytes\":%lu,\"qd\":%u,\"iops\":%.0f,\"mib_s\":%.0f,\"cpu_"
		     "us_per_io\":%.2f}\n",
		     name, (unsigned long)len, qd, (double)cnt / t,
		     (double)(cnt * len) / t / 1048576, (cpu() - c0) / (double)cnt * 1e6);
	(void)fflush(stdout);
	return 0;
}

static int run_one(struct vol *v, enum vol_op op, uint64_t off, uint64_t len)
{
	struct iovec iov = { buffers, len };
	struct vol_req req = { .op = op, .off = off, .len = len, .iov = &iov, .iov_cnt = 1 },
		       *r = &req, *done;
	struct pollfd p = { .fd = vol_event_fd(v), .events = POLLIN };

	vol_submit(v, &r, 1);
	while (!vol_poll(v, &done, 1))
		(void)poll(&p, 1, -1);
	return req.res;
}

/*
 * What the first overwrite of 4 KiB costs in a volume that was made from a snapshot (docs/decisions): bring the whole
 * block of 512 KiB over (read with one key, write with the other), then write. Against the plain write.
 */
static int first_write_figure(struct vol *from, struct vol *to)
{
	uint64_t blocks = vol_size(to) / (BLOCK_KIB << 10), cnt = 0;
	double t0 = now(), plain, copied;

	for (; now() - t0 < seconds && cnt < blocks; cnt++) {
		if (run_one(to, VOL_WRITE, cnt * (BLOCK_KIB << 10) + 4096, 4096) < 0)
			return -EIO;
	}
	plain = (now() - t0) / (double)cnt;
	t0 = now();
	for (cnt = 0; now() - t0 < seconds && cnt < blocks; cnt++) {
		uint64_t off = cnt * (BLOCK_KIB << 10);

		if (run_one(from, VOL_READ, off, BLOCK_KIB << 10) < 0 ||
		    run_one(to, VOL_WRITE, off, BLOCK_KIB << 10) < 0 ||
		    run_one(to, VOL_WRITE, off + 4096, 4096) < 0)
			return -EIO;
	}
	copied = (now() - t0) / (double)cnt;
	(void)printf(
		"{\"what\":\"first 4 KiB overwrite\",\"plain_us\":%.0f,\"copy_block_us\":%.0f}\n",
		plain * 1e6, copied * 1e6);
	return 0;
}

static int volume_make(const char *path, const struct key *k, struct vol **ret)
{
	struct vol_params p = { .volume_id = "vol-bench",
				.key_id = "vol-bench.1",
				.wrapped_len = 1 };
	struct vol_backing *b = NULL;
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), r;

	if (fd < 0)
		return -errno;
	p.size = (uint64_t)VOL_MIB << 20;
	r = vol_backing_file_new(fd, 256, &b);
	if (r == 0)
		r = vol_create(b, &p, k);
	if (r == 0)
		r = vol_open(b, &p, k, NULL, ret);
	(void)unlink(path);
	return r;
}

static int figures(const char *path, const struct key *k)
{
	static const struct {
		const char *name;
		enum vol_op op;
		bool random;
		uint64_t len;
		unsigned qd;
	} t[] = {
		{ "seq write", VOL_WRITE, false, 256 << 10, 16 },
		{ "seq read", VOL_READ, false, 256 << 10, 16 },
		{ "rand read", VOL_READ, true, 4096, 1 },
		{ "rand read", VOL_READ, true, 4096, 32 },
		{ "rand write", VOL_WRITE, true, 4096, 1 },
		{ "rand write", VOL_WRITE, true, 4096, 32 },
		{ "rand write 512", VOL_WRITE, true, 512, 32 },
	};
	struct vol *v = NULL, *other = NULL;
	int r;

	r = volume_make(path, k, &v);
	for (uint64_t i = 0; r == 0 && i < VOL_MIB; i++)
		r = run_one(v, VOL_WRITE, i << 20, 1 << 20);
	for (unsigned i = 0; r == 0 && i < sizeof(t) / sizeof(t[0]); i++)
		r = io_figure(v, t[i].name, t[i].op, t[i].random, t[i].len, t[i].qd);
	if (r == 0)
		r = volume_make(path, k, &other);
	if (r == 0)
		r = first_write_figure(v, other);
	vol_free(v);
	vol_free(other);
	return r;
}

int main(int argc, char **argv)
{
	struct key *k;
	void *p;
	int r;

	if (argc != 3)
		return 2;
	seconds = strtod(argv[2], NULL);
	if (mem_zalloc_pages((size_t)QD_MAX << 20, &p) < 0 || key_new_random(XTS_KEY_BYTES, &k) < 0)
		return 1;
	buffers = p;
	memset(buffers, 0x5a, (size_t)QD_MAX << 20);
	r = xts_figure(k, 1, true);
	if (r == 0)
		r = xts_figure(k, 1, false);
	if (r == 0)
		r = xts_figure(k, 16, true);
	if (r == 0)
		r = figures(argv[1], k);
	if (r < 0)
		(void)fprintf(stderr, "volume-bench: %s\n", strerrordesc_np(-r));
	key_free(k);
	return r < 0;
}
