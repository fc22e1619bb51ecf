/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/secret_pool.h"

enum { SLOT = 128, CHUNK = 4096, MAX = 64 };

static struct secret_pool pool = SECRET_POOL(SLOT, CHUNK, MAX);

static void secret_pool__gives_zeroed_slots_that_do_not_overlap(void **state)
{
	static const uint8_t zero[SLOT];
	uint8_t *slot[MAX];
	void *p;
	unsigned i;

	(void)state;
	for (i = 0; i < MAX; i++) {
		assert_int_equal(secret_pool_take(&pool, &p), 0);
		slot[i] = p;
		assert_memory_equal(slot[i], zero, SLOT);
		memset(slot[i], (int)(i + 1), SLOT);
	}
	for (i = 0; i < MAX; i++) {
		assert_int_equal(slot[i][0], i + 1);
		assert_int_equal(slot[i][SLOT - 1], i + 1);
		secret_pool_give(&pool, slot[i]);
	}
	assert_int_equal(pool.taken, 0);
}

static void secret_pool__refuses_more_than_its_most(void **state)
{
	void *slot[MAX], *p = NULL;
	unsigned i;

	(void)state;
	assert_int_equal(secret_pool_reserve(&pool, MAX), 0);
	assert_int_equal(secret_pool_reserve(&pool, MAX + 1), -E2BIG);
	for (i = 0; i < MAX; i++)
		assert_int_equal(secret_pool_take(&pool, &slot[i]), 0);
	assert_int_equal(secret_pool_take(&pool, &p), -ENOMEM);
	assert_null(p);
	secret_pool_give(&pool, slot[0]);
	assert_int_equal(secret_pool_take(&pool, &slot[0]), 0);
	for (i = 0; i < MAX; i++)
		secret_pool_give(&pool, slot[i]);
}

static void secret_pool__wipes_what_comes_back(void **state)
{
	static const uint8_t zero[SLOT];
	uint8_t *at;
	void *p;

	(void)state;
	assert_int_equal(secret_pool_take(&pool, &p), 0);
	at = p;
	memset(at, 0x5a, SLOT);
	secret_pool_give(&pool, p);
	/* The page is the pool's: still mapped. The link stands where the slot begins. */
	assert_memory_equal(at + sizeof(void *), zero, SLOT - sizeof(void *));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(secret_pool__gives_zeroed_slots_that_do_not_overlap),
		cmocka_unit_test(secret_pool__refuses_more_than_its_most),
		cmocka_unit_test(secret_pool__wipes_what_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
