/* SPDX-License-Identifier: Apache-2.0 */

#include "vpc/fragment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct fragments t;
static uint32_t now_s;

static int setup(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	now_s = 100;
	return 0;
}

/* @len payload bytes at @off of datagram @id. */
static bool piece(uint16_t id, unsigned off, unsigned len, bool more)
{
	struct frame f = { .kind = FRAME_IPV4, .proto = IP_UDP, .src = 1, .dst = 2, .frag_id = id };

	f.frag_off = (uint16_t)off;
	f.frag_more = more;
	f.l3_len = (uint16_t)(IPV4_BYTES + len);
	return off ? fragment_later(&t, &f, now_s) : fragment_first(&t, &f, now_s);
}

static void fragment__passes_a_datagram_in_any_order_behind_its_first(void **state)
{
	(void)state;
	assert_true(piece(1, 0, 1480, true));
	assert_true(piece(1, 2960, 40, false));
	assert_true(piece(1, 1480, 1480, true));
	/* Complete: the identification is free again, and the old datagram gets nothing more. */
	assert_false(piece(1, 1480, 1480, true));
	assert_true(piece(1, 0, 1480, true));
}

static void fragment__drops_what_comes_before_the_first(void **state)
{
	(void)state;
	assert_false(piece(1, 1480, 1480, true));
	assert_true(piece(1, 0, 1480, true));
	assert_false(piece(2, 1480, 1480, true)); /* of another datagram */
	assert_true(piece(1, 1480, 1480, true));
}

static void fragment__an_overlap_spoils_the_datagram(void **state)
{
	(void)state;
	assert_true(piece(1, 0, 1480, true));
	assert_false(piece(1, 1472, 1480, true));
	assert_false(piece(1, 1480, 1480, true)); /* would have been good */
	assert_false(piece(1, 0, 1480, true));
	/* The same bytes twice are an overlap, too. */
	assert_true(piece(2, 0, 1480, true));
	assert_true(piece(2, 1480, 1480, true));
	assert_false(piece(2, 1480, 1480, true));
	assert_false(piece(2, 2960, 8, false));
}

static void fragment__a_second_first_one_spoils_the_datagram(void **state)
{
	(void)state;
	assert_true(piece(1, 0, 24, true));
	assert_false(piece(1, 0, 24, true));
	assert_false(piece(1, 24, 24, false));
}

static void fragment__nothing_lies_behind_the_end(void **state)
{
	(void)state;
	assert_true(piece(1, 0, 1480, true));
	assert_true(piece(1, 2960, 40, false));
	assert_false(piece(1, 3000, 8, true));
	/* An end before what was there already. */
	assert_true(piece(2, 0, 1480, true));
	assert_true(piece(2, 2960, 1480, true));
	assert_false(piece(2, 1480, 8, false));
	/* Two ends. */
	assert_true(piece(3, 0, 1480, true));
	assert_true(piece(3, 2960, 40, false));
	assert_false(piece(3, 1480, 8, false));
}

static void fragment__takes_the_longest_datagram(void **state)
{
	unsigned off;

	(void)state;
	assert_true(piece(1, 0, 8, true));
	for (off = 8; off < 65512; off += 8)
		assert_true(piece(1, off, 8, true));
	assert_true(piece(1, 65512, 3, false));
	assert_true(piece(1, 0, 8, true)); /* it was complete */
}

static void fragment__is_forgotten_in_time(void **state)
{
	(void)state;
	assert_true(piece(1, 0, 1480, true));
	now_s += FRAGMENT_S - 1;
	assert_true(piece(1, 1480, 1480, true));
	now_s++;
	assert_false(piece(1, 2960, 1480, true));
	assert_true(piece(1, 0, 1480, true));
}

static void fragment__the_oldest_makes_room(void **state)
{
	uint16_t i;

	(void)state;
	for (i = 0; i < FRAGMENT_DATAGRAMS; i++) {
		now_s = 100 + i / 8;
		assert_true(piece(i, 0, 1480, true));
	}
	assert_true(piece(1000, 0, 1480, true));
	assert_false(piece(0, 1480, 1480, true));
	assert_true(piece(FRAGMENT_DATAGRAMS - 1, 1480, 1480, true));
	assert_true(piece(1000, 1480, 1480, true));
}

#define T(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(fragment__passes_a_datagram_in_any_order_behind_its_first),
		T(fragment__drops_what_comes_before_the_first),
		T(fragment__an_overlap_spoils_the_datagram),
		T(fragment__a_second_first_one_spoils_the_datagram),
		T(fragment__nothing_lies_behind_the_end),
		T(fragment__takes_the_longest_datagram),
		T(fragment__is_forgotten_in_time),
		T(fragment__the_oldest_makes_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
