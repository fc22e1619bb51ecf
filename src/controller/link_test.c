/* SPDX-License-Identifier: Apache-2.0 */

/* Requests to the launcher, which is the test: a socket that answers nothing. */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "controller/niterd.h"

static struct daemon d;
static int launcher;

static int start(void **state)
{
	int fd[2];

	(void)state;
	memset(&d, 0, sizeof(d));
	assert_int_equal(store_open(":memory:", &d.core.st), 0);
	assert_int_equal(loop_init(&d.loop), 0);
	assert_int_equal(fd_socketpair(SOCK_SEQPACKET, &fd[0], &fd[1]), 0);
	assert_int_equal(fcntl(fd[0], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(link_init(&d, fd[0]), 0);
	launcher = fd[1];
	return 0;
}

static int stop(void **state)
{
	(void)state;
	link_done(&d);
	close(d.link.fd);
	close(launcher);
	loop_done(&d.loop);
	store_free(d.core.st);
	return 0;
}

static int act(enum core_act_kind kind, const char *prefix, unsigned number)
{
	struct core_act a = { .kind = kind };
	struct core_acts acts = { .v = &a, .cnt = 1 };

	snprintf(a.id, sizeof(a.id), "%s-%017x", prefix, number);
	return link_acts(&d, &acts);
}

static void volumes_under_way__leave_room_to_kill_every_instance(void **state)
{
	unsigned cnt = 0;

	(void)state;
	while (cnt < LINK_REQ_MAX && act(CORE_VOLUME_DELETE, "vol", cnt) == 0)
		cnt++;
	assert_int_equal(cnt, LINK_VOLUMES_MAX);
	for (unsigned k = 0; k < LIVE_MAX; k++)
		assert_int_equal(act(CORE_KILL, "i", k), 0);
	assert_int_equal(link_ask_host(&d, NULL), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)
	const struct CMUnitTest tests[] = {
		TEST(volumes_under_way__leave_room_to_kill_every_instance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
