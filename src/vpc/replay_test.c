/* SPDX-License-Identifier: Apache-2.0 */
#include "vpc/replay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/*
 * The model is a set of numbers and its highest member; a number is accepted when it is not 0, not in the set and
 * less than REPLAY_WINDOW behind the highest. Numbers of one test lie in [base, base + MODEL_SPAN).
 */
enum { MODEL_SPAN = 1 << 17 };

struct model {
	uint32_t base, top;
	bool in[MODEL_SPAN];
};

static struct model set;

static void model_start(struct replay *w, uint32_t base)
{
	memset(&set, 0, sizeof(set));
	set.base = base;
	replay_init(w, 0);
}

static bool model_accepts(uint32_t seq)
{
	if (!seq || set.in[seq - set.base])
		return false;
	return seq > set.top || (uint64_t)seq + REPLAY_WINDOW > set.top;
}

/* One arrival at both; they must agree before and after. */
static bool arrive(struct replay *w, uint32_t seq)
{
	bool want = model_accepts(seq), check = replay_check(w, seq),
	     update = replay_update(w, seq);

	if (check != want || update != want)
		fail_msg("number %u with top %u: check %d, update %d, set says %d", seq, set.top,
			 check, update, want);
	if (want) {
		set.in[seq - set.base] = true;
		if (seq > set.top)
			set.top = seq;
	}
	assert_int_equal(w->top, set.top);
	assert_false(replay_check(w, seq)); /* now seen, or never */
	return want;
}

static void window__takes_each_number_once(void **state UNUSED)
{
	struct replay w;
	uint32_t i;

	model_start(&w, 0);
	assert_false(arrive(&w, 0)); /* no packet has it */
	for (i = 1; i < 20000; i++) {
		assert_true(arrive(&w, i));
		assert_false(arrive(&w, i));
	}
}

static void window__check_alone_changes_nothing(void **state UNUSED)
{
	struct replay w, before;

	replay_init(&w, 0);
	assert_true(replay_update(&w, 5000));
	before = w;
	assert_true(replay_check(&w, 4999));
	assert_true(replay_check(&w, UINT32_MAX)); /* a forged number moves nothing */
	assert_false(replay_check(&w, 5000));
	assert_memory_equal(&w, &before, sizeof(w));
}

static void window__has_exact_edges(void **state UNUSED)
{
	static const uint32_t tops[] = {
		REPLAY_WINDOW, REPLAY_WINDOW + 1, REPLAY_WINDOW + 63, REPLAY_WINDOW + 64, 100000,
		100063
	};
	struct replay w;
	size_t i;
	int d;

	for (i = 0; i < sizeof(tops) / sizeof(tops[0]); i++) {
		for (d = -2; d <= 2; d++) {
			uint32_t seq = tops[i] - REPLAY_WINDOW + (uint32_t)d;

			if (!seq || seq > tops[i])
				continue;
			model_start(&w, 0);
			assert_true(arrive(&w, tops[i]));
			/* The oldest number inside is top - 4095. */
			assert_int_equal(arrive(&w, seq), d >= 1);
			assert_false(arrive(&w, seq));
		}
	}
}

static void window__is_whole_after_a_jump_of_any_size(void **state UNUSED)
{
	static const uint32_t jumps[] = { 1,    2,    63,   64,   65,    127,  128,
					  4031, 4032, 4033, 4095, 4096,  4097, 8127,
					  8128, 8191, 8192, 8193, 16384, 70000 };
	struct replay w;
	uint32_t start, i, seq;

	for (start = 1; start < 200; start += 31) {
		for (i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
			model_start(&w, 0);
			for (seq = 1; seq <= start; seq++)
				assert_true(arrive(&w, seq));
			assert_true(arrive(&w, start + jumps[i]));
			/* Everything that can still come does, and nothing that cannot. */
			for (seq = 0; seq <= start + jumps[i] + 1; seq++)
				(void)arrive(&w, seq);
		}
	}
}

static void window__ends_with_the_numbers(void **state UNUSED)
{
	const uint32_t base = UINT32_MAX - 70000;
	struct replay w;
	uint32_t i;

	model_start(&w, base);
	assert_true(arrive(&w, UINT32_MAX - 5000));
	assert_true(arrive(&w, UINT32_MAX - 1));
	assert_true(arrive(&w, UINT32_MAX));
	assert_false(arrive(&w, UINT32_MAX));
	for (i = 0; i < 3; i++) { /* what would come after the wrap is old */
		assert_false(replay_check(&w, i));
		assert_false(replay_update(&w, i));
	}
	assert_true(arrive(&w, UINT32_MAX - 4095));
	assert_false(arrive(&w, UINT32_MAX - 4096));
	for (i = 0; i < 6000; i++)
		(void)arrive(&w, UINT32_MAX - i);
}

static void window__started_high_knows_all_below(void **state UNUSED)
{
	static const uint32_t tops[] = { 1, 62, 63, 64, 65, 4096, 1000000, UINT32_MAX - 64 };
	struct replay w;
	size_t i;
	uint32_t d;

	for (i = 0; i < sizeof(tops) / sizeof(tops[0]); i++) {
		replay_init(&w, tops[i]);
		for (d = 0; d < 5000 && d <= tops[i]; d++)
			assert_false(replay_check(&w, tops[i] - d));
		for (d = 1; d < 65; d++)
			assert_true(replay_check(&w, tops[i] + d));
		assert_true(replay_update(&w, tops[i] + 64));
		for (d = 1; d < 64; d++)
			assert_true(replay_update(&w, tops[i] + d));
	}
}

/* The 16 numbers an exhaustive pattern is made of, relative to @top: both edges, both sides of words, next ones. */
static const int32_t places[16] = { -4097, -4096, -4095, -4094, -4033, -4032, -65,  -64,
				    -63,   -1,    0,     1,     2,     64,    4095, 8200 };

/* Every subset of the 16 arrives, in order; then all 16, in order: exactly those not yet seen and not too old pass. */
static void window__agrees_with_the_set_for_all_65536_subsets(void **state UNUSED)
{
	static const uint32_t tops[] = { 5000, 8192, UINT32_MAX - 9000 };
	struct replay w;
	uint32_t pattern, i;
	size_t t;

	for (t = 0; t < sizeof(tops) / sizeof(tops[0]); t++) {
		const uint32_t base = tops[t] - 5000;

		memset(&set, 0, sizeof(set));
		set.base = base;
		for (pattern = 0; pattern < 1 << 16; pattern++) {
			replay_init(&w, 0);
			set.top = 0;
			assert_true(arrive(&w, tops[t]));
			for (i = 0; i < 16; i++)
				if (pattern >> i & 1)
					(void)arrive(&w, tops[t] + (uint32_t)places[i]);
			for (i = 0; i < 16; i++)
				(void)arrive(&w, tops[t] + (uint32_t)places[i]);
			for (i = 0; i < 16; i++)
				set.in[tops[t] + (uint32_t)places[i] - base] = false;
		}
	}
}

/* Every sequence of 16 arrivals of "the next number" or "four back": order and repetition, all 65,536. */
static void window__agrees_with_the_set_for_all_65536_orders(void **state UNUSED)
{
	static const int32_t back[] = { 4, REPLAY_WINDOW - 8 };
	struct replay w;
	uint32_t pattern, i, b;

	memset(&set, 0, sizeof(set));
	for (b = 0; b < 2; b++) {
		for (pattern = 0; pattern < 1 << 16; pattern++) {
			uint32_t at = 10000;

			replay_init(&w, 0);
			set.top = 0;
			set.base = 0;
			for (i = 0; i < 16; i++) {
				at = pattern >> i & 1 ? at + 5 : at - (uint32_t)back[b] % at;
				if (at > MODEL_SPAN - 8)
					at = 1;
				(void)arrive(&w, at);
			}
			for (i = 0, at = 10000; i < 16; i++) { /* forget them again */
				at = pattern >> i & 1 ? at + 5 : at - (uint32_t)back[b] % at;
				if (at > MODEL_SPAN - 8)
					at = 1;
				set.in[at] = false;
			}
		}
	}
}

static void window__agrees_with_the_set_for_random_arrivals(void **state UNUSED)
{
	uint64_t rnd = 88172645463325252ULL;
	struct replay w;
	uint32_t i, at = 1, seq, accepted = 0;

	model_start(&w, 0);
	for (i = 0; i < 400000; i++) {
		rnd ^= rnd << 13;
		rnd ^= rnd >> 7;
		rnd ^= rnd << 17;
		if (at < MODEL_SPAN - 20000)
			at += rnd % 3 == 0;
		if (rnd % 20011 == 0 && at < MODEL_SPAN - 20000)
			at += (uint32_t)(rnd >> 20) % 9000;
		seq = at + (uint32_t)(rnd >> 40) % 200;
		if (rnd % 5 == 1)
			seq = seq > 4300 ? seq - (uint32_t)(rnd >> 30) % 4300 : 0;
		accepted += arrive(&w, seq);
	}
	assert_true(accepted > 50000);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(window__takes_each_number_once),
		cmocka_unit_test(window__check_alone_changes_nothing),
		cmocka_unit_test(window__has_exact_edges),
		cmocka_unit_test(window__is_whole_after_a_jump_of_any_size),
		cmocka_unit_test(window__ends_with_the_numbers),
		cmocka_unit_test(window__started_high_knows_all_below),
		cmocka_unit_test(window__agrees_with_the_set_for_all_65536_subsets),
		cmocka_unit_test(window__agrees_with_the_set_for_all_65536_orders),
		cmocka_unit_test(window__agrees_with_the_set_for_random_arrivals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
