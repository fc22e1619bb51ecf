/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/key.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/crypto.h"

static void key_new__refuses_no_bytes_and_too_many(void **state)
{
	uint8_t b[KEY_BYTES_MAX + 1] = { 1 };
	struct key *k = NULL;

	(void)state;
	assert_int_equal(key_new_random(0, &k), -EINVAL);
	assert_int_equal(key_new_random(KEY_BYTES_MAX + 1, &k), -EINVAL);
	assert_int_equal(key_new_from(b, KEY_BYTES_MAX + 1, &k), -EINVAL);
	assert_null(k);
	assert_int_equal(key_new_from(b, KEY_BYTES_MAX, &k), 0);
	key_free(k);
}

static void key_new_random__never_repeats(void **state)
{
	CLEANUP(key_freep) struct key *a = NULL, *b = NULL;

	(void)state;
	assert_int_equal(key_new_random(32, &a), 0);
	assert_int_equal(key_new_random(32, &b), 0);
	assert_int_equal(key_len(a), 32);
	assert_false(key_equal(a, b));
	assert_true(key_equal(a, a));
}

static void key_equal__needs_equal_length(void **state)
{
	static const uint8_t zero[2];
	CLEANUP(key_freep) struct key *a = NULL, *b = NULL;

	(void)state;
	assert_int_equal(key_new_from(zero, 1, &a), 0);
	assert_int_equal(key_new_from(zero, 2, &b), 0);
	assert_false(key_equal(a, b));
}

static void key_new_take__wipes_its_source(void **state)
{
	CLEANUP(key_freep) struct key *k = NULL;
	uint8_t b[4] = { 1, 2, 3, 4 };

	(void)state;
	assert_int_equal(key_new_take(b, sizeof(b), &k), 0);
	assert_memory_equal(key_bytes(k), "\1\2\3\4", 4);
	assert_memory_equal(b, "\0\0\0\0", 4);

	b[0] = 9;
	assert_int_equal(key_new_take(b, 0, &k), -EINVAL);
	assert_int_equal(b[0], 9);
}

static void key_free__wipes_and_the_slot_comes_back_empty(void **state)
{
	static const uint8_t ones[32] = { [0 ... 31] = 0xff };
	static const uint8_t zero[32];
	struct key *k = NULL;
	const uint8_t *at;

	(void)state;
	assert_int_equal(key_new_from(ones, sizeof(ones), &k), 0);
	at = key_bytes(k);
	key_free(k);
	assert_memory_equal(at, zero, sizeof(zero)); /* the page is the pool's: still mapped */
	key_free(NULL);
	assert_int_equal(key_new_zero(32, &k), 0);
	assert_memory_equal(key_bytes(k), zero, sizeof(zero));
	key_free(k);
}

static void key_new__works_for_many_and_stops_at_the_limit(void **state)
{
	static struct key *k[KEY_ALIVE_MAX + 256];
	size_t n = 0;

	(void)state;
	assert_int_equal(key_reserve(200), 0);
	assert_int_equal(key_reserve(KEY_ALIVE_MAX + 1), -E2BIG);
	while (n < ARRAY_SIZE(k) && key_new_random(16, &k[n]) == 0)
		n++;
	/* A small RLIMIT_MEMLOCK may end it sooner; nothing else may. */
	assert_true(n >= 200 && n < ARRAY_SIZE(k));
	while (n)
		key_free(k[--n]);
	assert_int_equal(key_new_random(16, &k[0]), 0);
	key_free(k[0]);
}

static void key_pages__are_locked_and_not_dumped(void **state)
{
	CLEANUP(key_freep) struct key *k = NULL;
	char line[512];
	unsigned long from, to, at;
	int inside = 0, seen = 0;
	FILE *f;

	(void)state;
	assert_int_equal(key_new_random(32, &k), 0);
	at = (unsigned long)key_bytes(k);
	f = fopen("/proc/self/smaps", "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2) /* NOLINT(cert-err34-c) */
			inside = from <= at && at < to;
		if (inside && !strncmp(line, "VmFlags:", 8)) {
			seen = 1;
			assert_non_null(strstr(line, " dd")); /* not in a core file */
			assert_non_null(strstr(line, " dc")); /* not in a child */
			assert_non_null(strstr(line, " lo")); /* locked */
		}
	}
	(void)fclose(f);
	assert_true(seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(key_new__refuses_no_bytes_and_too_many),
		cmocka_unit_test(key_new_random__never_repeats),
		cmocka_unit_test(key_equal__needs_equal_length),
		cmocka_unit_test(key_new_take__wipes_its_source),
		cmocka_unit_test(key_free__wipes_and_the_slot_comes_back_empty),
		cmocka_unit_test(key_new__works_for_many_and_stops_at_the_limit),
		cmocka_unit_test(key_pages__are_locked_and_not_dumped),
	};

	if (crypto_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("crypto/key", tests, NULL, NULL);
}
