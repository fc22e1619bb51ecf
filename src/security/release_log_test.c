/* SPDX-License-Identifier: Apache-2.0 */
#include "security/release_log.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "crypto/crypto.h"

static struct key *mac_key;
static const char *golden_path;
static int disk = -1;
static struct release_log l;
static struct store_log_mark none;

static const struct release what = { "release", "vol-a", "111122223333", "i-a" };

static int setup(void **state)
{
	(void)state;
	assert_int_equal(key_new_random(32, &mac_key), 0);
	disk = memfd_create("log", MFD_CLOEXEC);
	assert_true(disk >= 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	release_log_done(&l);
	fd_closep(&disk);
	key_freep(&mac_key);
	return 0;
}

/* Start again with what is on disk. */
static void up(const struct store_log_mark *mark)
{
	release_log_done(&l);
	assert_int_equal(release_log_open(&l, fcntl(disk, F_DUPFD_CLOEXEC, 0), mac_key, mark), 0);
}

static void lines(unsigned cnt)
{
	while (cnt--)
		assert_int_equal(release_log_add(&l, &what), 0);
}

static off_t size(void)
{
	struct stat st;

	assert_int_equal(fstat(disk, &st), 0);
	return st.st_size;
}

static void mark(struct store_log_mark *ret)
{
	ret->cnt = l.cnt;
	memcpy(ret->head, l.head, sizeof(ret->head));
}

static void release_log__goes_on_after_a_restart(void **state)
{
	struct store_log_mark m;

	(void)state;
	l.fd = -1;
	up(&none);
	lines(40); /* more than one read */
	mark(&m);
	lines(1);
	up(&m);
	assert_int_equal(l.cnt, 41);
	assert_false(l.damaged_now);
	lines(1);
	up(&m);
	assert_int_equal(l.cnt, 42);
	assert_int_equal(l.damage_cnt, 0);
}

static void release_log__cuts_off_a_torn_line_at_every_byte(void **state)
{
	off_t whole, at;

	(void)state;
	l.fd = -1;
	up(&none);
	lines(2);
	whole = size();
	lines(1);
	for (at = size() - 1; at > whole; at--) {
		assert_int_equal(ftruncate(disk, at), 0);
		up(&none);
		assert_int_equal(l.cnt, 2);
		assert_false(l.damaged_now);
		assert_int_equal(size(), whole);
		lines(1);
	}
}

static void release_log__notices_every_changed_byte_and_says_so_once(void **state)
{
	char before[1024], b[1024];
	off_t len, at;

	(void)state;
	l.fd = -1;
	up(&none);
	lines(3);
	len = size();
	assert_true((size_t)len <= sizeof(before));
	assert_int_equal(fd_pread_full(disk, before, (size_t)len, 0), 0);
	for (at = 0; at < len - 1; at++) {
		memcpy(b, before, (size_t)len);
		b[at] ^= 0x10;
		assert_int_equal(ftruncate(disk, 0), 0);
		assert_int_equal(fd_pwrite_full(disk, b, (size_t)len, 0), 0);
		up(&none);
		assert_true(l.damaged_now);
		up(&none);
		assert_false(l.damaged_now);
		assert_int_equal(l.damage_cnt, 1);
	}
}

static void release_log__notices_a_line_taken_out(void **state)
{
	char b[1024];
	off_t one, two, three;

	(void)state;
	l.fd = -1;
	up(&none);
	lines(1);
	one = size();
	lines(1);
	two = size();
	lines(1);
	three = size();
	assert_int_equal(fd_pread_full(disk, b, (size_t)three, 0), 0);
	memmove(b + one, b + two, (size_t)(three - two));
	assert_int_equal(ftruncate(disk, 0), 0);
	assert_int_equal(fd_pwrite_full(disk, b, (size_t)(one + three - two), 0), 0);
	up(&none);
	assert_true(l.damaged_now);
}

static void release_log__notices_that_it_was_cut(void **state)
{
	struct store_log_mark m;
	off_t two;

	(void)state;
	l.fd = -1;
	up(&none);
	lines(2);
	two = size();
	lines(2);
	mark(&m);
	up(&m);
	assert_false(l.damaged_now);
	assert_int_equal(ftruncate(disk, two), 0);
	up(&m);
	assert_true(l.damaged_now);
	assert_int_equal(l.cnt, m.cnt + 1); /* numbers are not used twice */
	lines(1);
	up(&m);
	assert_false(l.damaged_now);

	assert_int_equal(ftruncate(disk, 0), 0);
	up(&m);
	assert_true(l.damaged_now);
}

static void release_log__takes_no_line_made_with_another_key(void **state)
{
	CLEANUP(key_freep) struct key *other = NULL;

	(void)state;
	l.fd = -1;
	up(&none);
	lines(1);
	release_log_done(&l);
	assert_int_equal(key_new_random(32, &other), 0);
	assert_int_equal(release_log_open(&l, fcntl(disk, F_DUPFD_CLOEXEC, 0), other, &none), 0);
	assert_true(l.damaged_now);
}

/* The format is frozen: a file made outside Niter from docs/wire/security-store.md. */
static void release_log__reads_the_golden_file(void **state)
{
	static char b[2048];
	uint8_t bytes[32];
	size_t i;
	ssize_t n;
	int fd;

	(void)state;
	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(0x20 + i);
	key_freep(&mac_key);
	assert_int_equal(key_new_from(bytes, sizeof(bytes), &mac_key), 0);
	fd = open(golden_path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	n = read(fd, b, sizeof(b));
	close(fd);
	assert_true(n > 0);
	assert_int_equal(fd_pwrite_full(disk, b, (size_t)n, 0), 0);
	l.fd = -1;
	up(&none);
	assert_int_equal(l.cnt, 3);
	assert_int_equal(l.damage_cnt, 0);
	assert_int_equal(size(), n);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(release_log__goes_on_after_a_restart, setup,
						teardown),
		cmocka_unit_test_setup_teardown(release_log__cuts_off_a_torn_line_at_every_byte,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			release_log__notices_every_changed_byte_and_says_so_once, setup, teardown),
		cmocka_unit_test_setup_teardown(release_log__notices_a_line_taken_out, setup,
						teardown),
		cmocka_unit_test_setup_teardown(release_log__notices_that_it_was_cut, setup,
						teardown),
		cmocka_unit_test_setup_teardown(release_log__takes_no_line_made_with_another_key,
						setup, teardown),
		cmocka_unit_test_setup_teardown(release_log__reads_the_golden_file, setup,
						teardown),
	};

	if (argc != 2 || crypto_init() < 0)
		return 1;
	golden_path = argv[1];
	return cmocka_run_group_tests_name("security/release_log", tests, NULL, NULL);
}
