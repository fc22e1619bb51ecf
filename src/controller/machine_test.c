/* SPDX-License-Identifier: Apache-2.0 */

#include "controller/machine.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const enum instance_state states[] = { INSTANCE_PENDING,       INSTANCE_RUNNING,
					      INSTANCE_STOPPING,      INSTANCE_STOPPED,
					      INSTANCE_SHUTTING_DOWN, INSTANCE_TERMINATED };

/* EC2's waiters fail at once when they see one of these on the way. */
static void machine_next__never_shows_what_ec2_never_shows(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(states); k++) {
		for (int ev = 0; ev < EV_CNT; ev++) {
			struct machine_step s = { INSTANCE_PENDING, 0 };

			if (machine_next(states[k], (enum machine_event)ev, &s) != 1)
				continue;
			if (states[k] == INSTANCE_TERMINATED)
				assert_int_equal(s.next, INSTANCE_TERMINATED);
			if (states[k] == INSTANCE_SHUTTING_DOWN)
				assert_true(s.next == INSTANCE_SHUTTING_DOWN ||
					    s.next == INSTANCE_TERMINATED);
			if (s.next == INSTANCE_TERMINATED)
				assert_true(states[k] == INSTANCE_SHUTTING_DOWN ||
					    states[k] == INSTANCE_TERMINATED);
			if (s.next == INSTANCE_PENDING)
				assert_true(states[k] == INSTANCE_PENDING ||
					    states[k] == INSTANCE_STOPPED);
			if (s.next == INSTANCE_STOPPING)
				assert_true(states[k] == INSTANCE_RUNNING ||
					    states[k] == INSTANCE_STOPPING);
		}
	}
}

/* Only wishes are refused; what happened has happened. */
static void machine_next__refuses_wishes_only(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(states); k++) {
		for (int ev = 0; ev < EV_CNT; ev++) {
			struct machine_step s;
			bool wish = ev == EV_WANT_START || ev == EV_WANT_STOP ||
				    ev == EV_WANT_STOP_FORCE || ev == EV_WANT_REBOOT;

			if (machine_next(states[k], (enum machine_event)ev, &s) == -EBUSY)
				assert_true(wish);
			assert_string_not_equal(machine_event_name((enum machine_event)ev),
						"unknown");
		}
	}
}

/* Whatever state it is in: rm leads to terminated, and nothing that lives outlives it. */
static void machine_next__terminate_works_from_everywhere(void **state)
{
	struct machine_step s;

	(void)state;
	assert_int_equal(machine_next(INSTANCE_PENDING, EV_WANT_TERMINATE, &s), 1);
	assert_int_equal(s.next, INSTANCE_SHUTTING_DOWN);
	assert_int_equal(s.actions, 0);
	assert_int_equal(machine_next(INSTANCE_SHUTTING_DOWN, EV_STARTED, &s), 1);
	assert_int_equal(s.actions, ACT_KILL);
	assert_int_equal(machine_next(INSTANCE_RUNNING, EV_WANT_TERMINATE, &s), 1);
	assert_int_equal(s.actions, ACT_KILL);
	assert_int_equal(machine_next(INSTANCE_SHUTTING_DOWN, EV_GONE, &s), 1);
	assert_true(s.actions & ACT_VOLUMES_DELETE);
	assert_int_equal(machine_next(INSTANCE_STOPPED, EV_WANT_TERMINATE, &s), 1);
	assert_int_equal(s.actions, ACT_VOLUMES_DELETE);
	assert_int_equal(machine_next(INSTANCE_SHUTTING_DOWN, EV_VOLUMES_DELETED, &s), 1);
	assert_int_equal(s.next, INSTANCE_TERMINATED);
	assert_int_equal(machine_next(INSTANCE_TERMINATED, EV_WANT_TERMINATE, &s), 0);
}

/* Who may not live is killed when he turns out to live. */
static void machine_next__kills_who_lives_without_leave(void **state)
{
	static const enum instance_state dead[] = { INSTANCE_STOPPED, INSTANCE_SHUTTING_DOWN,
						    INSTANCE_TERMINATED };
	struct machine_step s;

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(dead); k++) {
		assert_int_equal(machine_next(dead[k], EV_FOUND_LIVE, &s), 1);
		assert_int_equal(s.actions, ACT_KILL);
		assert_int_equal(machine_next(dead[k], EV_STARTED, &s), 1);
		assert_int_equal(s.actions, ACT_KILL);
	}
	assert_int_equal(machine_next(INSTANCE_RUNNING, EV_FOUND_LIVE, &s), 0);
}

static void machine_next__stop_ends_by_the_plug_at_last(void **state)
{
	struct machine_step s;

	(void)state;
	assert_int_equal(machine_next(INSTANCE_RUNNING, EV_WANT_STOP, &s), 1);
	assert_int_equal(s.actions, ACT_BUTTON);
	assert_int_equal(machine_next(INSTANCE_STOPPING, EV_STOP_TIMEOUT, &s), 1);
	assert_int_equal(s.actions, ACT_KILL);
	assert_int_equal(s.next, INSTANCE_STOPPING);
	assert_int_equal(machine_next(INSTANCE_STOPPING, EV_GONE, &s), 1);
	assert_int_equal(s.next, INSTANCE_STOPPED);
	assert_int_equal(machine_next(INSTANCE_PENDING, EV_WANT_STOP, &s), -EBUSY);
	assert_int_equal(machine_next(INSTANCE_STOPPING, EV_WANT_START, &s), -EBUSY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(machine_next__never_shows_what_ec2_never_shows),
		cmocka_unit_test(machine_next__refuses_wishes_only),
		cmocka_unit_test(machine_next__terminate_works_from_everywhere),
		cmocka_unit_test(machine_next__kills_who_lives_without_leave),
		cmocka_unit_test(machine_next__stop_ends_by_the_plug_at_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
