/* SPDX-License-Identifier: Apache-2.0 */

/* A volume on real files: in the working directory (O_DIRECT where the disk has it) and in memory. */

#include "volume/volume_test.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>


enum { SIZE = 4 << 20 };

static int file_new(const char *dir)
{
	char path[128];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/niter-backing-XXXXXX", dir);
	fd = mkostemp(path, O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	return fd;
}

static struct vol *volume_new(int fd, unsigned depth)
{
	struct vol_params p = test_params(SIZE);
	struct key *k = test_key(1);
	struct vol_backing *b;
	struct vol *v;

	assert_int_equal(vol_backing_file_new(fd, depth, &b), 0);
	assert_int_equal(vol_create(b, &p, k), 0);
	assert_int_equal(vol_params_read(b, &p), 0);
	assert_int_equal(vol_open(b, &p, k, NULL, &v), 0);
	key_free(k);
	return v;
}

/* What vol_event_fd() promises: whoever sleeps on it is woken for every completion. */
static int run_waiting(struct vol *v, enum vol_op op, uint64_t off, void *buf, uint64_t len)
{
	struct pollfd p = { .fd = vol_event_fd(v), .events = POLLIN };
	struct iovec iov = { buf, len };
	struct vol_req req = { .op = op, .off = off, .len = len }, *r = &req, *done;

	if (op == VOL_READ || op == VOL_WRITE) {
		req.iov = &iov;
		req.iov_cnt = 1;
	}
	vol_submit(v, &r, 1);
	do
		assert_int_equal(poll(&p, 1, 10000), 1);
	while (!vol_poll(v, &done, 1));
	return req.res;
}

static void load_compare(const char *dir)
{
	enum { N = 100, ROUNDS = 20 };
	static uint8_t model[SIZE], got[SIZE], data[N][16384];
	static struct vol_req req[N];
	static struct iovec iov[N];
	struct vol_req *p[N], *done[N];
	struct vol *v = volume_new(file_new(dir), 40);
	struct pollfd pfd = { .fd = vol_event_fd(v), .events = POLLIN };
	uint32_t rnd = 7;

	memset(model, 0, sizeof(model));
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < N; i++) {
			uint64_t off, len;

			rnd = rnd * 1664525 + 1013904223;
			off = (rnd >> 8) % (SIZE / 512 - 32) * 512;
			len = ((rnd >> 24) % 32 + 1) * 512;
			memset(&req[i], 0, sizeof(req[i]));
			req[i].off = off;
			req[i].len = len;
			req[i].op = rnd % 16 == 0 ? VOL_DISCARD : VOL_WRITE;
			req[i].fua = rnd % 64 == 1;
			memset(data[i], (int)(i + round), len);
			memcpy(data[i], &rnd, sizeof(rnd));
			if (req[i].op == VOL_WRITE) {
				iov[i] = (struct iovec){ data[i], len };
				req[i].iov = &iov[i];
				req[i].iov_cnt = 1;
				memcpy(model + off, data[i], len);
			} else {
				memset(model + off, 0, len);
			}
			p[i] = &req[i];
		}
		vol_submit(v, p, N);
		for (unsigned n = 0; n < N;) {
			unsigned got_cnt;

			assert_int_equal(poll(&pfd, 1, 10000), 1);
			got_cnt = vol_poll(v, done, N);
			for (unsigned i = 0; i < got_cnt; i++)
				assert_int_equal(done[i]->res, 0);
			n += got_cnt;
		}
		assert_int_equal(run_waiting(v, VOL_FLUSH, 0, NULL, 0), 0);
	}
	assert_int_equal(run_waiting(v, VOL_READ, 0, got, SIZE), 0);
	assert_memory_equal(got, model, SIZE);
	vol_free(v);
}

static void vol_on_file__holds_what_was_written(void **state)
{
	(void)state;
	load_compare(".");
	load_compare("/dev/shm");
}

static void vol_on_file__stays_sparse_and_gives_space_back(void **state)
{
	static uint8_t data[1 << 20];
	int fd = file_new("."), kept = dup(fd);
	struct vol *v = volume_new(fd, 8);
	struct stat st;

	(void)state;
	memset(data, 3, sizeof(data));
	assert_int_equal(run_waiting(v, VOL_WRITE, 1 << 20, data, sizeof(data)), 0);
	assert_int_equal(run_waiting(v, VOL_FLUSH, 0, NULL, 0), 0);
	assert_int_equal(fstat(kept, &st), 0);
	assert_in_range(st.st_blocks * 512, 1 << 20, (1 << 20) + 256 * 1024);
	assert_int_equal(run_waiting(v, VOL_DISCARD, 0, NULL, SIZE), 0);
	assert_int_equal(run_waiting(v, VOL_FLUSH, 0, NULL, 0), 0);
	assert_int_equal(fstat(kept, &st), 0);
	assert_true(st.st_blocks * 512 < 256 * 1024);
	assert_int_equal(st.st_size, (16 << 20) + SIZE);
	vol_free(v);
	close(kept);
}

static void vol_on_file__reports_a_file_that_was_cut(void **state)
{
	static uint8_t data[4096];
	int fd = file_new("."), kept = dup(fd);
	struct vol *v = volume_new(fd, 8);

	(void)state;
	assert_int_equal(run_waiting(v, VOL_READ, SIZE - 4096, data, sizeof(data)), 0);
	assert_int_equal(ftruncate(kept, (16 << 20) + SIZE / 2), 0);
	assert_int_equal(run_waiting(v, VOL_READ, 0, data, sizeof(data)), 0);
	assert_int_equal(run_waiting(v, VOL_READ, SIZE - 4096, data, sizeof(data)), -EIO);
	assert_int_equal(run_waiting(v, VOL_READ, SIZE / 2 - 512, data, 1024), -EIO);
	vol_free(v);
	close(kept);
}

static void vol_backing_file_new__rejects_what_is_no_file(void **state)
{
	struct vol_backing *b = NULL;
	int p[2];

	(void)state;
	assert_int_equal(pipe(p), 0);
	assert_int_equal(vol_backing_file_new(p[0], 8, &b), -EINVAL);
	close(p[1]);
	assert_int_equal(vol_backing_file_new(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), 8, &b),
			 -EINVAL);
	assert_int_equal(vol_backing_file_new(open("/dev/zero", O_RDWR | O_CLOEXEC), 8, &b),
			 -EINVAL);
	assert_int_equal(vol_backing_file_new(file_new("."), 0, &b), -EINVAL);
	assert_int_equal(vol_backing_file_new(file_new("."), 4097, &b), -EINVAL);
	assert_null(b);
	assert_int_equal(vol_backing_file_new(file_new("."), 8, &b), 0); /* the twin */
	vol_backing_free(b);
}

static void vol_on_file__an_error_of_the_kernel_is_an_answer(void **state)
{
	static uint8_t data[8192];
	char path[] = "./niter-backing-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);
	struct key *k = test_key(1);
	struct vol_backing *b;
	struct vol_params p;
	struct vol *v;

	(void)state;
	vol_free(volume_new(fd, 8));
	/* Opened for reading only, though the volume is not: every write fails in io_submit itself. */
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(vol_backing_file_new(fd, 8, &b), 0);
	assert_int_equal(vol_params_read(b, &p), 0);
	assert_int_equal(vol_open(b, &p, k, NULL, &v), 0);
	assert_int_equal(run_waiting(v, VOL_WRITE, 0, data, sizeof(data)), -EIO);
	assert_int_equal(run_waiting(v, VOL_WRITE, 512, data, 512), -EIO);
	assert_int_equal(run_waiting(v, VOL_DISCARD, 0, NULL, 4096), -EIO);
	assert_int_equal(run_waiting(v, VOL_READ, 0, data, sizeof(data)), 0);
	assert_int_equal(vol_in_flight(v), 0);
	vol_free(v);
	key_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vol_on_file__holds_what_was_written),
		cmocka_unit_test(vol_on_file__stays_sparse_and_gives_space_back),
		cmocka_unit_test(vol_on_file__reports_a_file_that_was_cut),
		cmocka_unit_test(vol_backing_file_new__rejects_what_is_no_file),
		cmocka_unit_test(vol_on_file__an_error_of_the_kernel_is_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
