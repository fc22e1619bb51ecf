/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/peer.h"

#define T0 (1000 * PEER_S)

static void peer_clock__asks_at_once_and_again_every_second(void **state)
{
	struct peer_clock p;
	unsigned asked = 0;
	uint64_t now = T0;

	(void)state;
	peer_clock_init(&p);
	assert_int_equal(p.due_ns, PEER_NEVER);
	assert_int_equal(peer_clock_move(&p, PEER_EV_WANT, now, 0), 0);
	assert_int_equal(p.due_ns, now);
	while (now < T0 + 60 * PEER_S) {
		now = p.due_ns;
		assert_int_equal(peer_clock_move(&p, PEER_EV_DUE, now, 0), 1);
		asked++;
		assert_int_equal(p.due_ns - now,
				 asked < PEER_TRIES_FAST ? PEER_RETRY_NS : PEER_RETRY_SLOW_NS);
	}
	assert_int_equal(p.state, PEER_STARTED);
}

static void peer_clock__jitter_is_a_quarter_at_most(void **state)
{
	struct peer_clock p;
	uint32_t c;

	(void)state;
	for (c = 0; c < 2048; c++) {
		peer_clock_init(&p);
		assert_int_equal(peer_clock_move(&p, PEER_EV_WANT, T0, c), 0);
		assert_int_equal(peer_clock_move(&p, PEER_EV_DUE, T0, c), 1);
		assert_in_range(p.due_ns - T0, PEER_RETRY_NS, PEER_RETRY_NS + PEER_RETRY_NS / 4);
		assert_int_equal(peer_clock_move(&p, PEER_EV_READY, T0, c), 0);
		assert_in_range(p.due_ns - T0, PEER_RENEW_NS - PEER_RENEW_NS / 16, PEER_RENEW_NS);
	}
}

static void peer_clock__renews_before_the_age_limit(void **state)
{
	struct peer_clock p;

	(void)state;
	peer_clock_init(&p);
	assert_int_equal(peer_clock_move(&p, PEER_EV_READY, T0, 0), 0); /* the other side asked */
	assert_int_equal(p.state, PEER_READY);
	assert_int_equal(p.due_ns, T0 + PEER_RENEW_NS);
	assert_int_equal(peer_clock_move(&p, PEER_EV_DUE, p.due_ns, 0), 1);
	assert_int_equal(p.state, PEER_STARTED);
}

static void peer_clock__renewing_waits_a_second_after_the_last_request(void **state)
{
	struct peer_clock p;

	(void)state;
	peer_clock_init(&p);
	assert_int_equal(peer_clock_move(&p, PEER_EV_WANT, T0, 0), 0);
	assert_int_equal(peer_clock_move(&p, PEER_EV_DUE, T0, 0), 1);
	assert_int_equal(peer_clock_move(&p, PEER_EV_READY, T0 + 1000, 0), 0);
	assert_int_equal(peer_clock_move(&p, PEER_EV_RENEW, T0 + 2000, 0), 0);
	assert_int_equal(p.state, PEER_WAITING);
	assert_int_equal(p.due_ns, T0 + PEER_RETRY_NS);
	/* ... and is at once when that is long ago */
	assert_int_equal(peer_clock_move(&p, PEER_EV_READY, T0 + 9 * PEER_S, 0), 0);
	assert_int_equal(peer_clock_move(&p, PEER_EV_RENEW, T0 + 10 * PEER_S, 0), 0);
	assert_int_equal(p.due_ns, T0 + 10 * PEER_S);
}

static void peer_clock__strange_packets_ask_ever_more_rarely(void **state)
{
	struct peer_clock p;
	uint64_t now = T0, last = 0, gap = 0;
	unsigned asked = 0;

	(void)state;
	peer_clock_init(&p);
	assert_int_equal(peer_clock_move(&p, PEER_EV_READY, now, 0), 0);
	/* A packet every 100 ms for an hour; every handshake succeeds, and the packets stay strange. */
	for (; now < T0 + 3600 * PEER_S; now += PEER_S / 10) {
		assert_int_equal(peer_clock_move(&p, PEER_EV_STRANGE, now, 0), 0);
		if (p.state != PEER_WAITING)
			continue;
		assert_true(p.due_ns <= now);
		assert_int_equal(peer_clock_move(&p, PEER_EV_DUE, now, 0), 1);
		assert_int_equal(peer_clock_move(&p, PEER_EV_READY, now, 0), 0);
		if (asked++) {
			assert_true(now - last >= PEER_STRANGE_NS);
			assert_true(now - last + PEER_S >= gap ||
				    now - last >= PEER_STRANGE_MAX_NS);
			gap = now - last;
		}
		last = now;
	}
	assert_in_range(asked, 5, 30);
}

static void peer_clock__strange_packets_right_after_an_agreement_mean_nothing(void **state)
{
	struct peer_clock p;

	(void)state;
	peer_clock_init(&p);
	assert_int_equal(peer_clock_move(&p, PEER_EV_READY, T0, 0), 0);
	assert_int_equal(peer_clock_move(&p, PEER_EV_STRANGE, T0 + PEER_S, 0), 0);
	assert_int_equal(p.state, PEER_READY);
	assert_int_equal(peer_clock_move(&p, PEER_EV_STRANGE, T0 + PEER_STRANGE_NS, 0), 0);
	assert_int_equal(p.state, PEER_WAITING);
}

static void peer_clock__idle_asks_nothing(void **state)
{
	struct peer_clock p;
	unsigned ev;

	(void)state;
	for (ev = 0; ev < PEER_EVENTS; ev++) {
		peer_clock_init(&p);
		assert_int_equal(peer_clock_move(&p, (enum peer_event)ev, T0, 0), 0);
		if (ev != PEER_EV_WANT && ev != PEER_EV_READY)
			assert_int_equal(p.due_ns, PEER_NEVER);
	}
}

static void peer_clock__unwanted_is_idle_from_every_state(void **state)
{
	static const enum peer_event way[][2] = { { PEER_EV_WANT, PEER_EV_WANT },
						  { PEER_EV_WANT, PEER_EV_DUE },
						  { PEER_EV_READY, PEER_EV_READY } };
	struct peer_clock p;
	unsigned i;

	(void)state;
	for (i = 0; i < 3; i++) {
		peer_clock_init(&p);
		(void)!peer_clock_move(&p, way[i][0], T0, 0);
		(void)!peer_clock_move(&p, way[i][1], T0, 0);
		assert_int_equal(peer_clock_move(&p, PEER_EV_UNWANT, T0, 0), 0);
		assert_int_equal(p.state, PEER_IDLE);
		assert_int_equal(p.due_ns, PEER_NEVER);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(peer_clock__asks_at_once_and_again_every_second),
		cmocka_unit_test(peer_clock__jitter_is_a_quarter_at_most),
		cmocka_unit_test(peer_clock__renews_before_the_age_limit),
		cmocka_unit_test(peer_clock__renewing_waits_a_second_after_the_last_request),
		cmocka_unit_test(peer_clock__strange_packets_ask_ever_more_rarely),
		cmocka_unit_test(peer_clock__strange_packets_right_after_an_agreement_mean_nothing),
		cmocka_unit_test(peer_clock__idle_asks_nothing),
		cmocka_unit_test(peer_clock__unwanted_is_idle_from_every_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
