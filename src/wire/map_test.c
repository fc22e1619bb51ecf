/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wire/map.h"

static struct map m;

static int setup(void **state)
{
	(void)state;
	return map_init(&m, 12345);
}

static int teardown(void **state)
{
	(void)state;
	map_done(&m);
	return 0;
}

static void map_find__tells_networks_and_families_apart(void **state)
{
	uint8_t addr[16] = { 172, 31, 0, 5 };
	struct map_key a = map_key_mac(1, 0x0600000000aa), b = map_key_mac(2, 0x0600000000aa),
		       v4 = map_key_ip(1, 4, addr), v6 = map_key_ip(1, 6, addr);

	(void)state;
	assert_null(map_find(&m, &a));
	assert_non_null(map_get(&m, &a));
	assert_non_null(map_get(&m, &v4));
	assert_ptr_equal(map_find(&m, &a), map_get(&m, &a));
	assert_null(map_find(&m, &b));
	assert_null(map_find(&m, &v6));
	assert_ptr_not_equal(map_find(&m, &v4), map_find(&m, &a));
}

/* Against a set model: a dense range of keys, so that runs of occupied slots form, split and close. */
static void map_del__leaves_every_other_key_findable(void **state)
{
	enum { KEYS = 4096, STEPS = 200000 };
	static uint8_t there[KEYS];
	uint32_t x = 1, cnt = 0, i;

	(void)state;
	memset(there, 0, sizeof(there));
	for (i = 0; i < STEPS; i++) {
		struct map_key k;
		struct map_entry *e;
		uint32_t n;

		x = x * 1664525 + 1013904223;
		n = (x >> 8) % KEYS;
		k = map_key_mac(n & 3, n >> 2);
		e = map_find(&m, &k);
		assert_int_equal(e != NULL, there[n]);
		if (e) {
			assert_int_equal(e->mac, n);
			map_del(&m, e);
		} else {
			e = map_get(&m, &k);
			assert_non_null(e);
			assert_int_equal(e->mac, 0);
			e->mac = n;
		}
		there[n] = !there[n];
		cnt += there[n] ? 1 : -1U;
		assert_int_equal(m.cnt, cnt);
	}
	for (i = 0; i < KEYS; i++) {
		struct map_key k = map_key_mac(i & 3, i >> 2);

		assert_int_equal(map_find(&m, &k) != NULL, there[i]);
	}
}

static void map_get__is_full_at_its_limit_and_not_before(void **state)
{
	struct map_key k;
	uint32_t i;

	(void)state;
	for (i = 0; i < MAP_MAX; i++) {
		k = map_key_mac(7, i + 1);
		assert_non_null(map_get(&m, &k));
	}
	k = map_key_mac(7, MAP_MAX + 1);
	assert_null(map_get(&m, &k));
	assert_null(map_find(&m, &k));
	k = map_key_mac(7, 1);
	assert_non_null(map_get(&m, &k)); /* twin: one that is there */
	map_del(&m, map_find(&m, &k));
	k = map_key_mac(7, MAP_MAX + 1);
	assert_non_null(map_get(&m, &k));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(map_find__tells_networks_and_families_apart, setup,
						teardown),
		cmocka_unit_test_setup_teardown(map_del__leaves_every_other_key_findable, setup,
						teardown),
		cmocka_unit_test_setup_teardown(map_get__is_full_at_its_limit_and_not_before, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
