/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bucket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const uint64_t s_ns = 1000000000;

static void bucket__starts_full_and_names_the_wait(void **state)
{
	struct bucket b;

	(void)state;
	bucket_init(&b, 1000, 10, 5 * s_ns);
	assert_true(bucket_take(&b, 10, 5 * s_ns) == 0);
	assert_true(bucket_take(&b, 1, 5 * s_ns) == 1000000);
	assert_true(bucket_take(&b, 1, 5 * s_ns + 999999) == 1);
	assert_true(bucket_take(&b, 1, 5 * s_ns + 1000000) == 0);
}

static void bucket__never_holds_more_than_its_burst(void **state)
{
	struct bucket b;

	(void)state;
	bucket_init(&b, 1000, 10, 0);
	assert_true(bucket_take(&b, 10, 100 * s_ns) == 0);
	assert_true(bucket_take(&b, 1, 100 * s_ns) != 0);
}

static void bucket__without_a_rate_limits_nothing(void **state)
{
	struct bucket b;

	(void)state;
	bucket_init(&b, 0, 0, 0);
	assert_true(bucket_take(&b, UINT64_MAX, 0) == 0);
}

/* A rate that does not divide a second: after an hour asked at odd moments not one token more or less. */
static void bucket__loses_no_fraction(void **state)
{
	uint64_t now = 0, taken = 0;
	struct bucket b;

	(void)state;
	bucket_init(&b, 333, 1, 0);
	while (now < 3600 * s_ns) {
		uint64_t wait = bucket_take(&b, 1, now);

		if (wait)
			now += wait;
		else
			taken++;
	}
	assert_in_range(taken, 333 * 3600, 333 * 3600 + 1);
}

static void bucket__lets_a_bigger_request_pass_and_makes_the_next_pay(void **state)
{
	struct bucket b;

	(void)state;
	bucket_init(&b, 1000, 10, 0);
	assert_true(bucket_take(&b, 1010, 0) == 0); /* 1000 tokens of debt: a second */
	assert_true(bucket_take(&b, 1, 0) == s_ns + 1000000);
	assert_true(bucket_take(&b, 1, s_ns) == 1000000);
	assert_true(bucket_take(&b, 1, s_ns + 1000000) == 0);
}

static void bucket__survives_extreme_numbers(void **state)
{
	struct bucket b;

	(void)state;
	bucket_init(&b, UINT64_MAX, UINT64_MAX, 0);
	assert_true(bucket_take(&b, UINT64_MAX, UINT64_MAX) == 0);
	bucket_init(&b, 1, 1, UINT64_MAX);
	assert_true(bucket_take(&b, UINT64_MAX, UINT64_MAX) == 0);
	assert_true(bucket_take(&b, 1, UINT64_MAX) != 0);
	assert_true(bucket_take(&b, 1, 0) == UINT64_MAX); /* a clock that jumps back */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bucket__starts_full_and_names_the_wait),
		cmocka_unit_test(bucket__never_holds_more_than_its_burst),
		cmocka_unit_test(bucket__without_a_rate_limits_nothing),
		cmocka_unit_test(bucket__loses_no_fraction),
		cmocka_unit_test(bucket__lets_a_bigger_request_pass_and_makes_the_next_pay),
		cmocka_unit_test(bucket__survives_extreme_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
