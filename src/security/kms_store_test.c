/* SPDX-License-Identifier: Apache-2.0 */
#include "security/kms_store.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "crypto/crypto.h"
#include "security/kms_store_priv.h"

/* A file in memory, and every write to it counted: the test lets the power go after any of them, or in its middle. */
int __wrap_fd_pwrite_full(int fd, const void *buf, size_t len, uint64_t off);
int __real_fd_pwrite_full(int fd, const void *buf, size_t len, uint64_t off);

static const char owner[] = "111122223333";
static struct key *key;
static int writes_left = -1; /* -1: all succeed */
static size_t torn_bytes;    /* of the write that fails */
static int file;

int __wrap_fd_pwrite_full(int fd, const void *buf, size_t len, uint64_t off)
{
	if (writes_left < 0)
		return __real_fd_pwrite_full(fd, buf, len, off);
	if (writes_left == 0) {
		if (torn_bytes)
			assert_int_equal(__real_fd_pwrite_full(
						 fd, buf, torn_bytes < len ? torn_bytes : len, off),
					 0);
		torn_bytes = 0;
		return -EIO;
	}
	writes_left--;
	return __real_fd_pwrite_full(fd, buf, len, off);
}

static struct kms_store *open_store(void)
{
	struct kms_store *s = NULL;
	int fd = dup(file);

	assert_true(fd >= 0);
	writes_left = -1;
	assert_int_equal(kms_store_open(fd, key, &s), 0);
	return s;
}

static int setup(void **state)
{
	static uint8_t image[KMS_STORE_HEADER_BYTES];

	(void)state;
	writes_left = -1;
	torn_bytes = 0;
	assert_int_equal(key_new_random(32, &key), 0);
	file = memfd_create("kms.store", MFD_CLOEXEC);
	assert_true(file >= 0);
	assert_int_equal(kms_store_image_new(key, image), 0);
	assert_int_equal(fd_pwrite_full(file, image, sizeof(image), 0), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	key_freep(&key);
	fd_closep(&file);
	return 0;
}

static void id_of(unsigned n, uint8_t ret[KMS_ID_BYTES])
{
	memset(ret, 0, KMS_ID_BYTES);
	memcpy(ret, &n, sizeof(n));
	ret[15] = 1;
}

static int create(struct kms_store *s, unsigned n)
{
	const struct keys_vault *v = kms_store_vault(s);
	uint8_t id[KMS_ID_BYTES];

	id_of(n, id);
	return v->create(v->ptr, owner, id);
}

static int destroy(struct kms_store *s, unsigned n)
{
	const struct keys_vault *v = kms_store_vault(s);
	uint8_t id[KMS_ID_BYTES];

	id_of(n, id);
	return v->destroy(v->ptr, owner, id);
}

static int set_state(struct kms_store *s, unsigned n, enum ctl_kms_state state)
{
	const struct keys_vault *v = kms_store_vault(s);
	uint8_t id[KMS_ID_BYTES];

	id_of(n, id);
	return v->set_state(v->ptr, owner, id, state);
}

/* Return: its state, or the error; *ret (owned) when it is there. */
static int look(struct kms_store *s, unsigned n, struct key **ret)
{
	CLEANUP(key_freep) struct key *k = NULL;
	const struct keys_vault *v = kms_store_vault(s);
	enum ctl_kms_state state = CTL_KMS_DISABLED;
	uint8_t id[KMS_ID_BYTES];
	int r;

	id_of(n, id);
	r = v->read(v->ptr, owner, id, &state, &k);
	if (r < 0)
		return r;
	if (ret)
		*ret = TAKE_PTR(k);
	return (int)state;
}

static void kms_store__keeps_keys_and_states(void **state)
{
	CLEANUP(key_freep) struct key *a = NULL, *a2 = NULL, *b = NULL;
	struct kms_store *s = open_store();
	const struct keys_vault *v = kms_store_vault(s);
	uint8_t id[KMS_ID_BYTES];
	enum ctl_kms_state st;
	unsigned i;

	(void)state;
	for (i = 0; i < 100; i++)
		assert_int_equal(create(s, i), 0);
	assert_int_equal(create(s, 7), -EEXIST);
	assert_int_equal(look(s, 7, &a), CTL_KMS_ENABLED);
	assert_int_equal(set_state(s, 7, CTL_KMS_DISABLED), 0);
	assert_int_equal(set_state(s, 7, CTL_KMS_DISABLED), 0);
	assert_int_equal(set_state(s, 8, CTL_KMS_PENDING_DELETION), 0);
	assert_int_equal(destroy(s, 9), 0);
	assert_int_equal(destroy(s, 9), -ENOENT);
	assert_int_equal(set_state(s, 9, CTL_KMS_ENABLED), -ENOENT);
	id_of(7, id);
	assert_int_equal(v->read(v->ptr, "444455556666", id, &st, &b), -EACCES);
	assert_int_equal(v->destroy(v->ptr, "444455556666", id), -EACCES);
	kms_store_free(s);

	s = open_store();
	assert_int_equal(kms_store_key_cnt(s), 99);
	assert_int_equal(kms_store_damaged_cnt(s), 0);
	assert_int_equal(look(s, 7, &a2), CTL_KMS_DISABLED);
	assert_true(key_equal(a, a2));
	assert_int_equal(look(s, 8, &b), CTL_KMS_PENDING_DELETION);
	assert_false(key_equal(a, b));
	assert_int_equal(look(s, 9, NULL), -ENOENT);
	kms_store_free(s);
}

static void kms_store__is_bound_to_its_root(void **state)
{
	CLEANUP(key_freep) struct key *other = NULL;
	struct kms_store *s = NULL;
	int fd = dup(file);

	(void)state;
	assert_int_equal(key_new_random(32, &other), 0);
	assert_int_equal(kms_store_open(fd, other, &s), -EKEYREJECTED);
	assert_int_equal(ftruncate(file, 100), 0);
	assert_int_equal(kms_store_open(dup(file), key, &s), -EKEYREJECTED);
}

/* Any write may be the last, whole or torn: after the restart a key is as before, or as it was to be. */
static void kms_store__survives_a_crash_at_every_write(void **state)
{
	static const size_t tears[] = { 0, 1, 60, 100, 511 };
	int step, left, before, after;
	size_t t;

	(void)state;
	for (step = 0; step < 4; step++)
		for (left = 0; left < 2; left++)
			for (t = 0; t < ARRAY_SIZE(tears); t++) {
				CLEANUP(key_freep) struct key *a = NULL, *b = NULL;
				struct kms_store *s = open_store();
				int r;

				(void)destroy(s, 1);
				if (step > 0)
					assert_int_equal(create(s, 1), 0);
				if (step == 3)
					assert_int_equal(set_state(s, 1, CTL_KMS_PENDING_DELETION),
							 0);
				before = look(s, 1, &a);
				writes_left = left;
				torn_bytes = tears[t];
				if (step == 0)
					r = create(s, 1);
				else if (step == 1)
					r = set_state(s, 1, CTL_KMS_DISABLED);
				else
					r = destroy(s, 1);
				/* A change of state is one write: it may have gone well. */
				assert_true(r == -EIO || (step == 1 && left == 1 && r == 0));
				kms_store_free(s);

				s = open_store();
				after = look(s, 1, &b);
				assert_int_equal(kms_store_damaged_cnt(s), 0);
				if (step == 0)
					assert_true(after == -ENOENT || after == CTL_KMS_ENABLED);
				else if (step == 1) /* a tear in the zeroes at its end is none */
					assert_true(after == CTL_KMS_DISABLED ||
						    (r < 0 && after == before));
				else /* never another state than the one it had: its end goes on, or has come */
					assert_true(after == before || after == -ENOENT);
				if (a && b)
					assert_true(key_equal(a, b));
				/* and it can be ended for good */
				r = destroy(s, 1);
				assert_true(r == 0 || r == -ENOENT);
				assert_int_equal(look(s, 1, NULL), -ENOENT);
				kms_store_free(s);
			}
}

static void flip(uint64_t off, uint8_t bit)
{
	uint8_t b;

	assert_int_equal(fd_pread_full(file, &b, 1, off), 0);
	b ^= bit;
	assert_int_equal(__real_fd_pwrite_full(file, &b, 1, off), 0);
}

static void kms_store__lives_with_one_damaged_half_and_reports_two(void **state)
{
	CLEANUP(key_freep) struct key *a = NULL, *b = NULL;
	struct kms_store *s = open_store();
	size_t i;

	(void)state;
	assert_int_equal(create(s, 1), 0);
	assert_int_equal(look(s, 1, &a), CTL_KMS_ENABLED);
	kms_store_free(s);
	for (i = 0; i < KMS_STORE_HALF_BYTES; i += 7) {
		flip(KMS_STORE_HEADER_BYTES + i, 1);
		s = open_store();
		key_freep(&b);
		assert_int_equal(look(s, 1, &b), CTL_KMS_ENABLED);
		assert_true(key_equal(a, b));
		kms_store_free(s);
		flip(KMS_STORE_HEADER_BYTES + KMS_STORE_HALF_BYTES + i, 1);
		s = open_store();
		assert_int_equal(look(s, 1, NULL), -ENOENT);
		assert_int_equal(kms_store_damaged_cnt(s), 1);
		kms_store_free(s);
		flip(KMS_STORE_HEADER_BYTES + KMS_STORE_HALF_BYTES + i, 1);
		flip(KMS_STORE_HEADER_BYTES + i, 1);
	}
}

/* An old slot put back elsewhere is bound to its place; put back where it was beside a new one, neither is believed. */
static void kms_store__refuses_slots_that_were_moved(void **state)
{
	uint8_t slot[KMS_STORE_SLOT_BYTES];
	struct kms_store *s = open_store();

	(void)state;
	assert_int_equal(create(s, 1), 0);
	assert_int_equal(fd_pread_full(file, slot, sizeof(slot), KMS_STORE_HEADER_BYTES), 0);
	kms_store_free(s);
	assert_int_equal(__real_fd_pwrite_full(file, slot, sizeof(slot),
					       KMS_STORE_HEADER_BYTES + KMS_STORE_SLOT_BYTES),
			 0);
	s = open_store();
	assert_int_equal(kms_store_key_cnt(s), 1);
	assert_int_equal(kms_store_damaged_cnt(s), 1);
	kms_store_free(s);
}

static void kms_store__destroyed_material_is_gone_from_the_file(void **state)
{
	static const uint8_t zero[KMS_STORE_SLOT_BYTES];
	uint8_t slot[KMS_STORE_SLOT_BYTES];
	struct kms_store *s = open_store();

	(void)state;
	assert_int_equal(create(s, 1), 0);
	assert_int_equal(destroy(s, 1), 0);
	assert_int_equal(fd_pread_full(file, slot, sizeof(slot), KMS_STORE_HEADER_BYTES), 0);
	assert_memory_equal(slot, zero, sizeof(slot));
	kms_store_free(s);
}

static void kms_store__is_full_some_day(void **state)
{
	struct kms_store *s = open_store();
	unsigned i;

	(void)state;
	for (i = 0; i < KMS_STORE_SLOTS_MAX; i++)
		assert_int_equal(create(s, i), 0);
	assert_int_equal(create(s, i), -ENOSPC);
	assert_int_equal(destroy(s, 5), 0);
	assert_int_equal(create(s, i), 0);
	kms_store_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(kms_store__keeps_keys_and_states, setup, teardown),
		cmocka_unit_test_setup_teardown(kms_store__is_bound_to_its_root, setup, teardown),
		cmocka_unit_test_setup_teardown(kms_store__survives_a_crash_at_every_write, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			kms_store__lives_with_one_damaged_half_and_reports_two, setup, teardown),
		cmocka_unit_test_setup_teardown(kms_store__refuses_slots_that_were_moved, setup,
						teardown),
		cmocka_unit_test_setup_teardown(kms_store__destroyed_material_is_gone_from_the_file,
						setup, teardown),
		cmocka_unit_test_setup_teardown(kms_store__is_full_some_day, setup, teardown),
	};

	if (crypto_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("security/kms_store", tests, NULL, NULL);
}
