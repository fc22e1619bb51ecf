/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The contract of an interface, in virtual time.
 */

#include "vpc/limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { FRAME = 1500 };
static const uint64_t S = 1000000000, MS = 1000000;

static struct limit l;
static uint64_t now;

static void contract(uint64_t base, uint64_t burst, uint64_t seconds, uint64_t pps)
{
	struct vpc_interface c = {
		.bps_baseline = base, .bps_burst = burst, .burst_seconds = seconds, .pps = pps
	};

	now = S;
	memset(&l, 0, sizeof(l));
	limit_set(&l, &c, true, now);
}

/* As much as goes in @ns, offered without end. Return: bytes. */
static uint64_t flood(enum vpc_direction dir, uint64_t ns, uint64_t bytes)
{
	uint64_t end = now + ns, sum = 0, wait;
	enum limit_cause cause;

	for (;;) {
		wait = limit_wait_ns(&l, dir, now, &cause);
		assert_int_equal(cause == LIMIT_NONE, wait == 0);
		if (wait) {
			if (now + wait > end)
				break;
			now += wait;
			assert_true(limit_wait_ns(&l, dir, now, &cause) ==
				    0); /* the promise is kept */
		}
		limit_charge(&l, dir, bytes, now);
		sum += bytes;
		if (!l.peak[dir].rate && !l.packets.rate)
			break;
	}
	now = end;
	return sum;
}

static void assert_about(uint64_t v, uint64_t want, uint64_t permille)
{
	assert_in_range(v, want - want * permille / 1000, want + want * permille / 1000);
}

static void limit__none_is_none(void **state)
{
	enum limit_cause cause;
	unsigned i;

	(void)state;
	contract(0, 0, 0, 0);
	for (i = 0; i < 1000; i++) {
		assert_true(limit_wait_ns(&l, VPC_TX, now, &cause) == 0);
		limit_charge(&l, VPC_TX, 1 << 30, now);
	}
}

static void limit__holds_the_baseline(void **state)
{
	(void)state;
	contract(80000000, 0, 0, 0); /* 10 MB/s */
	(void)flood(VPC_TX, S, FRAME);
	assert_about(flood(VPC_TX, S, FRAME), 10000000, 2);
	assert_about(flood(VPC_TX, 10 * S, FRAME), 100000000, 2);
	/* Any 100 ms, too. */
	assert_about(flood(VPC_TX, 100 * MS, FRAME), 1000000, 20);
}

static void limit__bursts_while_credit_lasts_and_earns_it_again(void **state)
{
	uint64_t i, sec[20];

	(void)state;
	contract(80000000, 800000000, 5, 0); /* 10 MB/s, 100 MB/s for 5 s */
	for (i = 0; i < 20; i++)
		sec[i] = flood(VPC_TX, S, FRAME);
	for (i = 0; i < 5; i++)
		assert_about(sec[i], 100000000, 10);
	for (i = 6; i < 20; i++)
		assert_about(sec[i], 10000000, 10);
	/* Ten quiet seconds are worth 100 MB. */
	now += 10 * S;
	assert_about(flood(VPC_TX, S, FRAME), 100000000, 20);
	now += 3600 * S;
	for (i = 0; i < 7; i++)
		sec[i] = flood(VPC_TX, S, FRAME);
	assert_about(sec[4], 100000000, 10); /* never more than a full credit */
	assert_about(sec[6], 10000000, 10);
}

static void limit__each_direction_has_its_own(void **state)
{
	(void)state;
	contract(80000000, 0, 0, 0);
	(void)flood(VPC_TX, S, FRAME);
	now -= S; /* the same second */
	assert_true(flood(VPC_RX, S, FRAME) > 10000000);
}

static void limit__counts_packets_of_both_together(void **state)
{
	enum limit_cause cause;

	(void)state;
	contract(0, 0, 0, 10000);
	(void)flood(VPC_TX, S, 64);
	assert_about(flood(VPC_TX, S, 64) / 64, 10000, 2);
	assert_true(limit_wait_ns(&l, VPC_RX, now - 1, &cause) > 0 || flood(VPC_RX, 0, 64) <= 64);
	assert_about((flood(VPC_TX, S / 2, 64) + flood(VPC_RX, S / 2, 64)) / 64, 10000, 2);
}

static void limit__no_frame_is_too_long(void **state)
{
	enum limit_cause cause;

	(void)state;
	contract(8000, 0, 0, 0); /* 1000 bytes a second */
	(void)flood(VPC_TX, 100 * S, FRAME);
	assert_about(flood(VPC_TX, 1000 * S, 9014), 1000000, 20);
	assert_true(limit_wait_ns(&l, VPC_TX, now, &cause) > 0);
	assert_int_equal(cause, LIMIT_BANDWIDTH);
}

static void limit__extremes_do_not_overflow(void **state)
{
	enum limit_cause cause;
	unsigned i;

	(void)state;
	contract(UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX);
	for (i = 0; i < 100; i++) {
		limit_charge(&l, VPC_TX, UINT64_MAX, now);
		now += UINT64_MAX / 200;
		(void)!limit_wait_ns(&l, VPC_TX, now, &cause);
	}
	contract(1, 1, 1, 1);
	(void)flood(VPC_TX, S, FRAME);
	assert_true(limit_wait_ns(&l, VPC_TX, now, &cause) > 0);
	/* A clock that steps back gives nothing. */
	contract(80000000, 0, 0, 0);
	(void)flood(VPC_TX, S, FRAME);
	(void)!limit_wait_ns(&l, VPC_TX, 0, &cause);
	assert_true(limit_wait_ns(&l, VPC_TX, 0, &cause) > 0);
}

static void limit_set__a_new_contract_gives_no_fresh_credit(void **state)
{
	struct vpc_interface c = { .bps_baseline = 80000000,
				   .bps_burst = 800000000,
				   .burst_seconds = 5 };
	unsigned i;

	(void)state;
	contract(80000000, 800000000, 5, 0);
	for (i = 0; i < 10; i++)
		(void)flood(VPC_TX, S, FRAME);
	limit_set(&l, &c, false, now);
	assert_about(flood(VPC_TX, S, FRAME), 10000000, 10);
	c.bps_baseline = c.bps_burst = 160000000;
	limit_set(&l, &c, false, now);
	(void)flood(VPC_TX, S, FRAME);
	assert_about(flood(VPC_TX, S, FRAME), 20000000, 10);
}

static void limit_service__as_on_ec2(void **state)
{
	unsigned i, passed = 0;

	(void)state;
	contract(0, 0, 0, 0);
	for (i = 0; i < 10 * 10000; i++) {
		now += S / 10000;
		passed += limit_service(&l, LIMIT_LINK_LOCAL, now);
	}
	assert_in_range(passed, 10 * LIMIT_SERVICE_PPS, 11 * LIMIT_SERVICE_PPS + 1);
}

/* One interface floods all it can; the other, on the same card and the same clock, gets what it was promised. */
static void limit__a_flood_next_door_changes_nothing(void **state)
{
	struct vpc_interface c = { .bps_baseline = 80000000, .pps = 50000 };
	struct limit flooder = { 0 }, victim = { 0 };
	uint64_t sent = 0, sent_flooder = 0, t, late = 0, due;
	enum limit_cause cause;

	(void)state;
	limit_set(&flooder, &c, true, 0);
	limit_set(&victim, &c, true, 0);
	/* The victim sends 95 % of its contract, a frame every 157.9 us; the flooder tries 200 times in between. */
	for (t = 0, due = 0; t < 10 * S; t += 790) {
		if (limit_wait_ns(&flooder, VPC_TX, t, &cause) == 0) {
			limit_charge(&flooder, VPC_TX, FRAME, t);
			sent_flooder += FRAME;
		}
		if (t < due)
			continue;
		if (limit_wait_ns(&victim, VPC_TX, t, &cause)) {
			late++;
			continue;
		}
		limit_charge(&victim, VPC_TX, FRAME, t);
		sent += FRAME;
		due += 157900;
	}
	assert_int_equal(late, 0);
	assert_about(sent, 95000000, 2);
	assert_about(sent_flooder, 100000000, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limit__none_is_none),
		cmocka_unit_test(limit__holds_the_baseline),
		cmocka_unit_test(limit__bursts_while_credit_lasts_and_earns_it_again),
		cmocka_unit_test(limit__each_direction_has_its_own),
		cmocka_unit_test(limit__counts_packets_of_both_together),
		cmocka_unit_test(limit__no_frame_is_too_long),
		cmocka_unit_test(limit__extremes_do_not_overflow),
		cmocka_unit_test(limit_set__a_new_contract_gives_no_fresh_credit),
		cmocka_unit_test(limit_service__as_on_ec2),
		cmocka_unit_test(limit__a_flood_next_door_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
