/* SPDX-License-Identifier: Apache-2.0 */
#include "base/num.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void range_ok__accepts_what_lies_inside(void **state)
{
	(void)state;
	assert_true(range_ok(0, 10, 10));
	assert_true(range_ok(10, 0, 10));
	assert_true(range_ok(9, 1, 10));
	assert_true(range_ok(0, UINT64_MAX, UINT64_MAX));
}

static void range_ok__rejects_one_byte_beyond_and_wrapping_sums(void **state)
{
	(void)state;
	assert_false(range_ok(0, 11, 10));
	assert_false(range_ok(11, 0, 10));
	assert_false(range_ok(10, 1, 10));
	assert_false(range_ok(5, UINT64_MAX, 10));
	assert_false(range_ok(UINT64_MAX, 2, 10));
}

static void add_u64__and_mul_u64_say_no_on_overflow(void **state)
{
	uint64_t v = 42;

	(void)state;
	assert_false(add_u64(UINT64_MAX, 1, &v));
	assert_false(mul_u64(1ULL << 32, 1ULL << 32, &v));
	assert_true(v == 42);
	assert_true(add_u64(UINT64_MAX - 1, 1, &v));
	assert_true(v == UINT64_MAX);
	assert_true(mul_u64(1ULL << 32, 1ULL << 31, &v));
	assert_true(v == 1ULL << 63);
}

static void align__goes_to_the_power_of_two(void **state)
{
	(void)state;
	assert_true(align_down(4097, 4096) == 4096);
	assert_true(align_up(4097, 4096) == 8192);
	assert_true(align_up(4096, 4096) == 4096);
	assert_true(is_pow2(1) && is_pow2(1ULL << 63));
	assert_false(is_pow2(0) || is_pow2(3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(range_ok__accepts_what_lies_inside),
		cmocka_unit_test(range_ok__rejects_one_byte_beyond_and_wrapping_sums),
		cmocka_unit_test(add_u64__and_mul_u64_say_no_on_overflow),
		cmocka_unit_test(align__goes_to_the_power_of_two),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
