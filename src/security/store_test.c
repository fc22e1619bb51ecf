/* SPDX-License-Identifier: Apache-2.0 */
#include "security/store.h"

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

enum { WRITE_ANY = -1, OP_BYTES = STORE_HEADER_BYTES + STORE_RECORD_BYTES };

/* Bytes that still reach the disk; then the power is off. Linked with --wrap. */
static long power_left = WRITE_ANY;

int __real_fd_pwrite_full(int fd, const void *buf, size_t len, uint64_t off);
int __wrap_fd_pwrite_full(int fd, const void *buf, size_t len, uint64_t off);

int __wrap_fd_pwrite_full(int fd, const void *buf, size_t len, uint64_t off)
{
	size_t n = len;

	if (power_left == WRITE_ANY)
		return __real_fd_pwrite_full(fd, buf, len, off);
	if (n > (size_t)power_left)
		n = (size_t)power_left;
	power_left -= (long)n;
	assert_int_equal(__real_fd_pwrite_full(fd, buf, n, off), 0);
	return n == len ? 0 : -EIO;
}

static struct key *root;
static const char *golden_path;
static int disk = -1; /* memfd: what is on disk */

static const char vol_a[] = "vol-a", vol_b[] = "vol-b", vol_c[] = "vol-c",
		  account[] = "111122223333";

static void disk_write(const void *b, size_t len)
{
	assert_int_equal(ftruncate(disk, 0), 0);
	assert_int_equal(__real_fd_pwrite_full(disk, b, len, 0), 0);
}

static size_t disk_read(uint8_t *b, size_t cap)
{
	struct stat st;

	assert_int_equal(fstat(disk, &st), 0);
	assert_true((size_t)st.st_size <= cap);
	assert_int_equal(fd_pread_full(disk, b, (size_t)st.st_size, 0), 0);
	return (size_t)st.st_size;
}

static struct store *store_up(void)
{
	struct store *s = NULL;

	power_left = WRITE_ANY;
	assert_int_equal(store_open(fcntl(disk, F_DUPFD_CLOEXEC, 0), root, &s), 0);
	return s;
}

static int setup(void **state)
{
	static uint8_t image[STORE_HEADER_AREA_BYTES];

	(void)state;
	power_left = WRITE_ANY;
	assert_int_equal(key_new_random(32, &root), 0);
	disk = memfd_create("store", MFD_CLOEXEC);
	assert_true(disk >= 0);
	assert_int_equal(store_image_new(root, image), 0);
	disk_write(image, sizeof(image));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fd_closep(&disk);
	key_freep(&root);
	return 0;
}

static void add(struct store *s, const char *volume)
{
	CLEANUP(key_freep) struct key *k = NULL;

	assert_int_equal(store_add(s, volume, account, &k), 0);
}

static int readable(struct store *s, const char *volume)
{
	CLEANUP(key_freep) struct key *k = NULL;

	return store_read(s, volume, account, &k);
}

static void store_add__survives_a_restart(void **state)
{
	CLEANUP(store_freep) struct store *s = store_up();
	CLEANUP(key_freep) struct key *made = NULL, *same = NULL, *k = NULL;

	(void)state;
	assert_int_equal(store_add(s, vol_a, account, &made), 0);
	add(s, vol_b);
	assert_int_equal(store_add(s, vol_a, account, &k), -EEXIST);
	store_freep(&s);
	s = store_up();
	assert_int_equal(store_volume_cnt(s), 2);
	assert_int_equal(store_read(s, vol_a, account, &same), 0);
	assert_true(key_equal(made, same));
	assert_int_equal(store_read(s, vol_a, "999988887777", &k), -EACCES);
	assert_int_equal(store_read(s, vol_c, account, &k), -ENOENT);
	assert_int_equal(store_add(s, "Vol A", account, &k), -EINVAL);
	assert_int_equal(store_add(s, vol_c, "", &k), -EINVAL);
	assert_null(k);
}

static void store_remove__leaves_nothing_of_the_record(void **state)
{
	static const uint8_t zero[STORE_RECORD_BYTES];
	CLEANUP(store_freep) struct store *s = store_up();
	uint8_t b[STORE_RECORD_BYTES];

	(void)state;
	add(s, vol_a);
	add(s, vol_b);
	assert_int_equal(store_remove(s, vol_a), 0);
	assert_int_equal(store_remove(s, vol_a), -ENOENT);
	assert_int_equal(readable(s, vol_a), -ENOENT);
	assert_int_equal(readable(s, vol_b), 0);
	assert_int_equal(fd_pread_full(disk, b, sizeof(b), STORE_HEADER_AREA_BYTES), 0);
	assert_memory_equal(b, zero, sizeof(zero));
	add(s, vol_c); /* takes the slot */
	store_freep(&s);
	s = store_up();
	assert_int_equal(store_volume_cnt(s), 2);
	assert_int_equal(readable(s, vol_c), 0);
	assert_int_equal(readable(s, vol_a), -ENOENT);
}

static void store_open__refuses_another_root_key(void **state)
{
	CLEANUP(key_freep) struct key *other = NULL;
	struct store *s = NULL;

	(void)state;
	assert_int_equal(key_new_random(32, &other), 0);
	assert_int_equal(store_open(fcntl(disk, F_DUPFD_CLOEXEC, 0), other, &s), -EKEYREJECTED);
	assert_null(s);
	s = store_up();
	store_free(s);
}

static void store_open__refuses_a_newer_version(void **state)
{
	static uint8_t b[STORE_HEADER_AREA_BYTES];
	struct store *s = NULL;

	(void)state;
	(void)disk_read(b, sizeof(b));
	b[8]++;
	disk_write(b, sizeof(b));
	assert_int_equal(store_open(fcntl(disk, F_DUPFD_CLOEXEC, 0), root, &s), -ENOTSUP);
	disk_write(b, 100);
	assert_int_equal(store_open(fcntl(disk, F_DUPFD_CLOEXEC, 0), root, &s), -EKEYREJECTED);
	assert_null(s);
}

/*
 * Power fails after every possible byte of every change; afterwards the volume is there or it is not, the others
 * are untouched, nothing counts as damaged, and the store goes on.
 */
static void store_add__torn_at_any_byte_leaves_all_or_nothing(void **state)
{
	static uint8_t before[STORE_HEADER_AREA_BYTES + 8 * STORE_RECORD_BYTES];
	struct store *s = store_up();
	struct key *k = NULL;
	size_t len;
	long at;
	int r, there;

	(void)state;
	add(s, vol_a);
	add(s, vol_b);
	store_freep(&s);
	len = disk_read(before, sizeof(before));
	for (at = 0; at <= OP_BYTES; at++) {
		disk_write(before, len);
		s = store_up();
		power_left = at;
		r = store_add(s, vol_c, account, &k);
		key_freep(&k);
		store_freep(&s);

		s = store_up();
		there = store_has(s, vol_c);
		assert_true(r == 0 ? there : r == -EIO);
		assert_int_equal(store_volume_cnt(s), 2 + there);
		assert_int_equal(store_damaged_cnt(s), 0);
		assert_int_equal(readable(s, vol_a), 0);
		assert_int_equal(readable(s, vol_b), 0);
		assert_int_equal(readable(s, vol_c), there ? 0 : -ENOENT);
		assert_int_equal(store_remove(s, vol_c), there ? 0 : -ENOENT);
		add(s, vol_c);
		store_freep(&s);
	}
	assert_int_equal(r, 0);
}

static void store_remove__torn_at_any_byte_never_brings_it_back(void **state)
{
	static uint8_t before[STORE_HEADER_AREA_BYTES + 8 * STORE_RECORD_BYTES];
	struct store *s = store_up();
	size_t len;
	long at;
	int r, there;

	(void)state;
	add(s, vol_a);
	add(s, vol_b);
	add(s, vol_c);
	store_freep(&s);
	len = disk_read(before, sizeof(before));
	for (at = 0; at <= OP_BYTES; at++) {
		disk_write(before, len);
		s = store_up();
		power_left = at;
		r = store_remove(s, vol_b);
		store_freep(&s);

		s = store_up();
		there = store_has(s, vol_b);
		/* Once the intention is durable it is carried out; before, nothing happened. */
		assert_int_equal(there, at < STORE_HEADER_BYTES);
		assert_int_equal(r, at < OP_BYTES ? -EIO : 0);
		assert_int_equal(store_volume_cnt(s), 2 + there);
		assert_int_equal(store_damaged_cnt(s), 0);
		assert_int_equal(readable(s, vol_b), there ? 0 : -ENOENT);
		assert_int_equal(readable(s, vol_a), 0);
		assert_int_equal(readable(s, vol_c), 0);
		store_freep(&s);
	}
}

/* The same without a restart: the next change first finishes what failed. */
static void store__goes_on_after_a_failed_write(void **state)
{
	CLEANUP(store_freep) struct store *s = store_up();
	CLEANUP(key_freep) struct key *k = NULL;

	(void)state;
	add(s, vol_a);
	power_left = STORE_HEADER_BYTES + 100;
	assert_int_equal(store_add(s, vol_b, account, &k), -EIO);
	assert_int_equal(readable(s, vol_b), -ENOENT);
	power_left = 0;
	assert_int_equal(store_add(s, vol_b, account, &k), -EIO); /* still no room */
	power_left = WRITE_ANY;
	add(s, vol_b);
	power_left = STORE_HEADER_BYTES + 10;
	assert_int_equal(store_remove(s, vol_a), -EIO);
	assert_int_equal(readable(s, vol_a), -ENOENT); /* its end has begun */
	power_left = WRITE_ANY;
	assert_int_equal(store_remove(s, vol_b), 0);
	store_freep(&s);
	s = store_up();
	assert_int_equal(store_volume_cnt(s), 0);
	assert_int_equal(store_damaged_cnt(s), 0);
}

static void store__tells_damage_from_a_torn_write(void **state)
{
	static uint8_t before[STORE_HEADER_AREA_BYTES + 8 * STORE_RECORD_BYTES];
	static uint8_t b[sizeof(before)];
	struct store *s = store_up();
	size_t len, at;

	(void)state;
	add(s, vol_a);
	add(s, vol_b);
	store_freep(&s);
	len = disk_read(before, sizeof(before));
	for (at = 0; at < STORE_RECORD_BYTES; at++) {
		memcpy(b, before, len);
		b[STORE_HEADER_AREA_BYTES + at] ^=
			0x20; /* vol-a: not the one of the last operation */
		disk_write(b, len);
		s = store_up();
		assert_int_equal(store_damaged_cnt(s), 1);
		assert_int_equal(store_volume_cnt(s), 1);
		assert_true(readable(s, vol_a) < 0);
		assert_int_equal(readable(s, vol_b), 0);
		store_freep(&s);
	}
	/* Its id can still be read: it can be destroyed, and is gone then. */
	s = store_up();
	assert_int_equal(readable(s, vol_a), -EBADMSG);
	assert_int_equal(store_remove(s, vol_a), 0);
	assert_int_equal(store_damaged_cnt(s), 0);
	store_freep(&s);
}

static void store__refuses_a_record_moved_or_brought_back(void **state)
{
	uint8_t rec[STORE_RECORD_BYTES];
	CLEANUP(store_freep) struct store *s = store_up();

	(void)state;
	add(s, vol_a);
	add(s, vol_b);
	assert_int_equal(fd_pread_full(disk, rec, sizeof(rec), STORE_HEADER_AREA_BYTES), 0);
	/* vol-a's record in a third slot */
	assert_int_equal(fd_pwrite_full(disk, rec, sizeof(rec),
					STORE_HEADER_AREA_BYTES + 2 * STORE_RECORD_BYTES),
			 0);
	store_freep(&s);
	s = store_up();
	assert_int_equal(store_volume_cnt(s), 2);
	assert_int_equal(store_damaged_cnt(s), 1);
	assert_int_equal(store_remove(s, vol_a), 0); /* all of it */
	assert_int_equal(store_damaged_cnt(s), 0);
	assert_int_equal(readable(s, vol_a), -ENOENT);

	/* Old bytes put back into the slot whose removal is the last thing the header knows. */
	add(s, vol_c); /* takes slot 0 */
	assert_int_equal(store_remove(s, vol_c), 0);
	assert_int_equal(fd_pwrite_full(disk, rec, sizeof(rec), STORE_HEADER_AREA_BYTES), 0);
	store_freep(&s);
	s = store_up();
	assert_int_equal(store_volume_cnt(s), 1);
	assert_int_equal(readable(s, vol_a), -ENOENT);
}

static void store__holds_thousands_and_reuses_slots(void **state)
{
	enum { MANY = 3000 };
	CLEANUP(store_freep) struct store *s = store_up();
	char id[TREE_ID_MAX];
	struct stat st;
	int i;

	(void)state;
	for (i = 0; i < MANY; i++) {
		(void)snprintf(id, sizeof(id), "vol-%017d", i);
		add(s, id);
	}
	for (i = 0; i < MANY; i += 2) {
		(void)snprintf(id, sizeof(id), "vol-%017d", i);
		assert_int_equal(store_remove(s, id), 0);
	}
	store_freep(&s);
	s = store_up();
	assert_int_equal(store_volume_cnt(s), MANY / 2);
	for (i = 0; i < MANY; i++) {
		(void)snprintf(id, sizeof(id), "vol-%017d", i);
		assert_int_equal(readable(s, id), i % 2 ? 0 : -ENOENT);
	}
	add(s, vol_a);
	assert_int_equal(fstat(disk, &st), 0);
	assert_int_equal(st.st_size, STORE_HEADER_AREA_BYTES + MANY * STORE_RECORD_BYTES);
}

static void store_log_mark__is_kept_by_the_next_change(void **state)
{
	struct store_log_mark m = { .cnt = 7, .head = { 1, 2, 3 } }, got;
	CLEANUP(store_freep) struct store *s = store_up();

	(void)state;
	store_log_mark_read(s, &got);
	assert_int_equal(got.cnt, 0);
	store_log_mark_set(s, &m);
	add(s, vol_a);
	store_freep(&s);
	s = store_up();
	store_log_mark_read(s, &got);
	assert_memory_equal(&got, &m, sizeof(m));
}

/* The format is frozen: a file made outside Niter from docs/wire/security-store.md. */
static void store_open__reads_the_golden_file(void **state)
{
	static const uint8_t want[2] = { 0x80, 0xa0 }; /* first bytes of the secrets, counting up */
	static const char *const accounts[2] = { "111122223333", "444455556666" };
	static uint8_t b[STORE_HEADER_AREA_BYTES + 2 * STORE_RECORD_BYTES];
	CLEANUP(store_freep) struct store *s = NULL;
	struct store_log_mark m;
	uint8_t bytes[32];
	char id[TREE_ID_MAX];
	size_t i, j;
	int fd;

	(void)state;
	fd = open(golden_path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fd_read_full(fd, b, sizeof(b)), 0);
	close(fd);
	disk_write(b, sizeof(b));
	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	key_freep(&root);
	assert_int_equal(key_new_from(bytes, sizeof(bytes), &root), 0);
	s = store_up();
	assert_int_equal(store_volume_cnt(s), 2);
	assert_int_equal(store_damaged_cnt(s), 0);
	store_log_mark_read(s, &m);
	assert_int_equal(m.cnt, 5);
	for (i = 0; i < 2; i++) {
		CLEANUP(key_freep) struct key *k = NULL;

		(void)snprintf(id, sizeof(id), "vol-0123456789abcdef%zu", i);
		assert_int_equal(store_read(s, id, accounts[i], &k), 0);
		for (j = 0; j < STORE_SECRET_BYTES; j++)
			assert_int_equal(key_bytes(k)[j], want[i] + j);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(store_add__survives_a_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(store_remove__leaves_nothing_of_the_record, setup,
						teardown),
		cmocka_unit_test_setup_teardown(store_open__refuses_another_root_key, setup,
						teardown),
		cmocka_unit_test_setup_teardown(store_open__refuses_a_newer_version, setup,
						teardown),
		cmocka_unit_test_setup_teardown(store_add__torn_at_any_byte_leaves_all_or_nothing,
						setup, teardown),
		cmocka_unit_test_setup_teardown(store_remove__torn_at_any_byte_never_brings_it_back,
						setup, teardown),
		cmocka_unit_test_setup_teardown(store__goes_on_after_a_failed_write, setup,
						teardown),
		cmocka_unit_test_setup_teardown(store__tells_damage_from_a_torn_write, setup,
						teardown),
		cmocka_unit_test_setup_teardown(store__refuses_a_record_moved_or_brought_back,
						setup, teardown),
		cmocka_unit_test_setup_teardown(store__holds_thousands_and_reuses_slots, setup,
						teardown),
		cmocka_unit_test_setup_teardown(store_log_mark__is_kept_by_the_next_change, setup,
						teardown),
		cmocka_unit_test_setup_teardown(store_open__reads_the_golden_file, setup, teardown),
	};

	if (argc != 2 || crypto_init() < 0)
		return 1;
	golden_path = argv[1];
	return cmocka_run_group_tests_name("security/store", tests, NULL, NULL);
}
