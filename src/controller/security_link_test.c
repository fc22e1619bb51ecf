/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/security_link.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/log.h"

/* The test is the security process: it sees the packets, and answers as it likes. */

enum { QUESTIONS = 64 };

static struct security_link link_;
static struct loop loop;
static struct loop_ref ref;
static int theirs;
static struct ctl_msg m;
static struct asker {
	int called, err;
	uint16_t len;
} asker[SECURITY_QUEUE_MAX + QUESTIONS];

static int setup(void **state)
{
	int ours = -1;

	(void)state;
	memset(asker, 0, sizeof(asker));
	assert_int_equal(loop_init(&loop), 0);
	assert_int_equal(fd_socketpair(SOCK_SEQPACKET | SOCK_NONBLOCK, &ours, &theirs), 0);
	security_link_init(&link_);
	assert_false(security_link_is_open(&link_));
	assert_int_equal(security_link_open(&link_, &loop, &ref, ours), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	security_link_close(&link_);
	loop_done(&loop);
	fd_closep(&theirs);
	return 0;
}

static void on_answer(void *ptr, int err, const struct ctl_msg *a)
{
	struct asker *k = ptr;

	k->called++;
	k->err = err;
	assert_int_equal(err == 0, a != NULL);
	if (a)
		k->len = a->u.kms_answer.plain.len;
}

static int ask(unsigned n)
{
	struct ctl_kms_random q = { .len = (uint16_t)(n + 1) };

	return security_link_ask(&link_, CTL_KMS_RANDOM, &q, on_answer, &asker[n]);
}

/* Takes one question. Return: its len, 0 when there is none. */
static unsigned take(uint32_t *ret_seq)
{
	int r = ctl_recv(theirs, &m);

	if (r == -EAGAIN)
		return 0;
	assert_int_equal(r, 1);
	assert_int_equal(m.type, CTL_KMS_RANDOM);
	*ret_seq = m.seq;
	return m.u.kms_random.len;
}

static void answer(uint32_t seq, unsigned len)
{
	static struct ctl_kms_answer a;

	a.plain.len = (uint16_t)len;
	assert_int_equal(ctl_send(theirs, CTL_KMS_ANSWER, seq, &a, NULL, 0), 0);
}

static void security_link__gives_each_answer_to_who_asked(void **state)
{
	uint32_t seq[3];
	unsigned k;

	(void)state;
	for (k = 0; k < 3; k++)
		assert_int_equal(ask(k), 0);
	for (k = 0; k < 3; k++)
		assert_int_equal(take(&seq[k]), k + 1);
	answer(seq[2], 3); /* in any order */
	answer(seq[0], 1);
	security_link_event(&link_, 0);
	assert_int_equal(asker[0].called, 1);
	assert_int_equal(asker[0].len, 1);
	assert_int_equal(asker[1].called, 0);
	assert_int_equal(asker[2].len, 3);
	answer(seq[1], 2);
	security_link_event(&link_, 0);
	assert_int_equal(asker[1].len, 2);
	assert_null(link_.asked);
	assert_true(security_link_is_open(&link_));
}

static void security_link__has_a_few_under_way_and_a_bounded_queue(void **state)
{
	uint32_t seq;
	unsigned k, n;

	(void)state;
	for (k = 0; k < SECURITY_ASKED_MAX + SECURITY_QUEUE_MAX; k++)
		assert_int_equal(ask(k), 0);
	assert_int_equal(ask(k), -EBUSY);
	for (n = 0; n < SECURITY_ASKED_MAX; n++)
		assert_int_equal(take(&seq), n + 1);
	assert_int_equal(take(&seq), 0);
	answer(seq, n); /* one answer, one more question */
	security_link_event(&link_, 0);
	assert_int_equal(take(&seq), n + 1);
	assert_int_equal(ask(k), 0);
	security_link_close(&link_);
	for (n = 0; n <= k; n++) {
		assert_int_equal(asker[n].called, 1);
		assert_int_equal(asker[n].err, n == SECURITY_ASKED_MAX - 1 ? 0 : -ENOTCONN);
	}
	assert_int_equal(ask(0), -ENOTCONN);
}

static void security_link__tells_who_waited_too_long(void **state)
{
	uint64_t now = clock_ns(), next = UINT64_MAX;
	uint32_t seq = 0, later = 0;
	unsigned k;

	(void)state;
	for (k = 0; k < SECURITY_ASKED_MAX + 2; k++)
		assert_int_equal(ask(k), 0);
	assert_int_equal(take(&seq), 1);
	security_link_timers(&link_, now, &next);
	assert_int_equal(asker[0].called, 0);
	assert_in_range(next, now, now + (SECURITY_PATIENCE_S + 1) * 1000000000ULL);
	security_link_timers(&link_, now + (SECURITY_PATIENCE_S + 5) * 1000000000ULL, &next);
	for (k = 0; k < SECURITY_ASKED_MAX + 2; k++) {
		assert_int_equal(asker[k].called, 1);
		assert_int_equal(asker[k].err, -ETIMEDOUT);
	}
	/* Those that were sent keep their places; a late answer makes room and reaches nobody. */
	assert_int_equal(ask(40), 0);
	for (k = 1; k < SECURITY_ASKED_MAX; k++)
		assert_int_equal(take(&later), k + 1);
	assert_int_equal(take(&later), 0);
	answer(seq, 9);
	security_link_event(&link_, 0);
	assert_int_equal(asker[0].called, 1);
	assert_int_equal(take(&later), 41);
	answer(later, 41);
	security_link_event(&link_, 0);
	assert_int_equal(asker[40].len, 41);
	security_link_close(&link_);
	assert_int_equal(asker[5].called, 1); /* once */
}

static void security_link__closes_on_another_protocol(void **state)
{
	struct ctl_ack ack = { .err = 0 };
	uint32_t seq = 0;

	(void)state;
	assert_int_equal(ask(0), 0);
	assert_int_equal(take(&seq), 1);
	assert_int_equal(ctl_send(theirs, CTL_ACK, seq, &ack, NULL, 0), 0);
	security_link_event(&link_, 0);
	assert_false(security_link_is_open(&link_));
	assert_int_equal(asker[0].called, 1);
	assert_int_equal(asker[0].err, -ENOTCONN);
}

static void security_link__closes_on_an_answer_to_nothing(void **state)
{
	(void)state;
	answer(77, 1);
	security_link_event(&link_, 0);
	assert_false(security_link_is_open(&link_));
}

static void security_link__tells_everybody_when_the_other_end_is_gone(void **state)
{
	(void)state;
	assert_int_equal(ask(0), 0);
	fd_closep(&theirs);
	security_link_event(&link_, 0);
	assert_false(security_link_is_open(&link_));
	assert_int_equal(asker[0].err, -ENOTCONN);
}

static void security_link__asks_questions_only(void **state)
{
	struct ctl_ack ack = { .err = 0 };
	struct ctl_kms_random q = { .len = 1 };

	(void)state;
	assert_int_equal(security_link_ask(&link_, CTL_ACK, &ack, on_answer, &asker[0]), -EINVAL);
	assert_int_equal(security_link_ask(&link_, CTL_KEY_UNWRAP, &ack, on_answer, &asker[0]),
			 -EINVAL);
	assert_int_equal(security_link_ask(&link_, CTL_KMS_RANDOM, &q, on_answer, &asker[0]), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(security_link__gives_each_answer_to_who_asked),
		TEST(security_link__has_a_few_under_way_and_a_bounded_queue),
		TEST(security_link__tells_who_waited_too_long),
		TEST(security_link__closes_on_another_protocol),
		TEST(security_link__closes_on_an_answer_to_nothing),
		TEST(security_link__tells_everybody_when_the_other_end_is_gone),
		TEST(security_link__asks_questions_only),
	};

	return cmocka_run_group_tests_name("controller/security_link", tests, NULL, NULL);
}
