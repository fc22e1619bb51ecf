/* SPDX-License-Identifier: Apache-2.0 */

/* What clients that do not read their answers cost the others. Behind the front every request has one large answer. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "controller/front/front_priv.h"
#include "front_alone.h"

enum {
	ANSWER_BYTES = 4 << 20,
	GREEDY_CNT = OUT_TOTAL / ANSWER_BYTES + 1, /* more than may wait */
	GREEDY_KEY = 1,
	OTHER_KEY = 2,
};

static struct daemon *d;

void route(struct exchange *x)
{
	char *body = calloc(1, ANSWER_BYTES);

	assert_non_null(body);
	exchange_reply(x, 200, "text/plain", body, ANSWER_BYTES);
}

static int connect_as(uint32_t peer_key)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	assert_int_equal(front_conn_new(d, fd[0], "peer", peer_key), 0);
	return fd[1];
}

static void ask(int fd)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

	assert_int_equal(send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL), sizeof(text) - 1);
	for (int k = 0; k < 3; k++)
		assert_true(front_alone_step(d, 0) >= 0);
}

static void expect(int fd, const char *start)
{
	char buf[64] = "";

	assert_true(recv(fd, buf, strlen(start), 0) > 0);
	assert_string_equal(buf, start);
}

/* Whether the server has ended the connection; what was sent before is read. */
static bool ended(int fd)
{
	static char junk[1 << 20];

	while (recv(fd, junk, sizeof(junk), 0) > 0)
		;
	return recv(fd, junk, 1, 0) == 0;
}

static void front__lets_nobody_pay_for_who_does_not_read(void **state)
{
	int greedy[GREEDY_CNT], slow = connect_as(OTHER_KEY), other;

	(void)state;
	ask(slow); /* the oldest answer of all, of an address with few bytes */
	for (size_t k = 0; k < GREEDY_CNT; k++) {
		greedy[k] = connect_as(GREEDY_KEY);
		ask(greedy[k]);
	}
	assert_true(d->front->out_total > OUT_TOTAL);
	other = connect_as(OTHER_KEY);
	ask(other);
	expect(other, "HTTP/1.1 200 OK");
	assert_true(ended(greedy[0]));
	assert_false(ended(greedy[GREEDY_CNT - 1]));
	assert_false(ended(slow));
	for (size_t k = 0; k < GREEDY_CNT; k++)
		close(greedy[k]);
	close(slow);
	close(other);
	for (int k = 0; k < 10 * GREEDY_CNT && d->front->conn_cnt; k++)
		assert_true(front_alone_step(d, 1) >= 0);
	assert_int_equal(d->front->out_total, 0);
}

static int setup(void **state)
{
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)state;
	log_init("front-test");
	d = front_alone();
	if (listener < 0 || tls_init() < 0 || loop_init(&d->loop) < 0)
		return -1;
	if (front_new(d, listener, false) < 0)
		return -1;
	loop_del(&d->loop, d->front->listener);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	front_free(d);
	loop_done(&d->loop);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(front__lets_nobody_pay_for_who_does_not_read),
	};

	return cmocka_run_group_tests_name("controller/front", tests, setup, teardown);
}
