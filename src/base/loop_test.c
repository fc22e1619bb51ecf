/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loop.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"

static void loop__gives_back_the_reference_that_is_ready(void **state)
{
	struct loop_event ev[LOOP_EVENTS_MAX];
	struct loop_ref one = { .type = 1 }, two = { .type = 2 };
	int a = fd_eventfd(), b = fd_eventfd();
	struct loop l;

	(void)state;
	assert_int_equal(loop_init(&l), 0);
	assert_int_equal(loop_add(&l, a, EPOLLIN, &one), 0);
	assert_int_equal(loop_add(&l, b, EPOLLIN, &two), 0);
	assert_int_equal(loop_add(&l, b, EPOLLIN, &two), -EEXIST);
	assert_int_equal(loop_wait(&l, ev, 0), 0);

	fd_event_signal(b);
	assert_int_equal(loop_wait(&l, ev, -1), 1);
	assert_ptr_equal(ev[0].ref, &two);
	assert_int_equal(ev[0].events, EPOLLIN);
	assert_int_equal(loop_wait(&l, ev, 0), 1); /* level-triggered: still there */

	assert_int_equal(loop_mod(&l, b, 0, &two), 0);
	assert_int_equal(loop_wait(&l, ev, 0), 0);
	loop_del(&l, b);
	loop_del(&l, b);
	assert_int_equal(loop_mod(&l, b, EPOLLIN, &two), -ENOENT);
	loop_done(&l);
	close(a);
	close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loop__gives_back_the_reference_that_is_ready),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
