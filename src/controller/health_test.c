/* SPDX-License-Identifier: Apache-2.0 */

/* Status checks with a clock of our own: the test is the hypervisor and the network card of one instance. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/log.h"
#include "controller/ec2/instances.h"
#include "controller/niterd.h"

#define ID "i-0123456789abcdef0"
#define ENI "eni-0123456789abcdef0"
#define SECOND 1000000000ULL

static struct daemon d;
static int hypervisor, card;
static uint64_t now_ns, frames;
static struct ctl_msg msg;

static uint64_t fake_now(void *ptr)
{
	(void)ptr;
	return 1795340715000 + now_ns / 1000000;
}

static int fake_random(void *ptr, void *buf, size_t len)
{
	(void)ptr;
	memset(buf, 7, len);
	return 0;
}

static int start(void **state)
{
	struct interface ni = { .id = ENI, .instance_id = ID, .account = MODEL_ACCOUNT_DEFAULT };
	struct instance i = { .id = ID, .account = MODEL_ACCOUNT_DEFAULT };
	struct subnet s = { .id = "subnet-1", .vpc_id = "vpc-1" };
	struct vpc v = { .id = "vpc-1", .account = MODEL_ACCOUNT_DEFAULT, .vni = 5 };
	struct image img = { .id = "ami-1", .account = MODEL_ACCOUNT_DEFAULT, .name = "x" };
	int a[2], b[2], meta[2];

	(void)state;
	memset(&d, 0, sizeof(d));
	d.core.env = (struct core_env){ fake_now, fake_random, NULL };
	now_ns = SECOND;
	frames = 0;
	assert_int_equal(store_open(":memory:", &d.core.st), 0);
	snprintf(i.image_id, sizeof(i.image_id), "ami-1");
	snprintf(ni.subnet_id, sizeof(ni.subnet_id), "subnet-1");
	assert_int_equal(store_put(d.core.st, &tbl_images, &img), 0);
	assert_int_equal(store_put(d.core.st, &tbl_instances, &i), 0);
	assert_int_equal(store_put(d.core.st, &tbl_vpcs, &v), 0);
	assert_int_equal(store_put(d.core.st, &tbl_subnets, &s), 0);
	assert_int_equal(store_put(d.core.st, &tbl_interfaces, &ni), 0);
	assert_int_equal(loop_init(&d.loop), 0);
	assert_int_equal(fd_socketpair(SOCK_SEQPACKET, &a[0], &a[1]), 0);
	assert_int_equal(fd_socketpair(SOCK_SEQPACKET, &b[0], &b[1]), 0);
	assert_int_equal(fd_socketpair(SOCK_SEQPACKET, &meta[0], &meta[1]), 0);
	assert_int_equal(live_add(&d, ID, 1, a[0]), 0);
	assert_int_equal(live_network(&d, ID, b[0], meta[0]), 0);
	hypervisor = a[1];
	card = b[1];
	close(meta[1]);
	health_init();
	return 0;
}

static int stop(void **state)
{
	(void)state;
	live_free_all(&d);
	close(hypervisor);
	close(card);
	loop_done(&d.loop);
	store_free(d.core.st);
	return 0;
}

/* Answers what was asked. @guest: it has answered its card */
static void answer(bool hv, bool guest)
{
	struct ctl_svc_stats stats = { .exits = 1 };
	struct ctl_vpc_probed probed = { .interface_id = ENI, .asked = 1 };

	if (hv && recv(hypervisor, &msg, 0, MSG_PEEK | MSG_DONTWAIT) >= 0) {
		assert_int_equal(ctl_recv(hypervisor, &msg), 1);
		assert_int_equal(msg.type, CTL_SVC_STATS_READ);
		assert_int_equal(ctl_send(hypervisor, CTL_SVC_STATS, msg.seq, &stats, NULL, 0), 0);
		live_event(live_find(&d, ID));
	}
	if (recv(card, &msg, 0, MSG_PEEK | MSG_DONTWAIT) < 0)
		return;
	assert_int_equal(ctl_recv(card, &msg), 1);
	assert_int_equal(msg.type, CTL_VPC_PROBE);
	assert_string_equal(msg.u.vpc_probe.interface_id, ENI);
	frames += guest;
	probed.frames = frames;
	assert_int_equal(ctl_send(card, CTL_VPC_PROBED, msg.seq, &probed, NULL, 0), 0);
	svc_event(&live_find(&d, ID)->card, EPOLLIN);
}

/* The next poll, and its answers. */
static void poll_next(bool hv, bool guest)
{
	uint64_t next = UINT64_MAX;

	health_timers(&d, now_ns, &next);
	assert_true(next > now_ns && next <= now_ns + 10 * SECOND);
	answer(hv, guest);
	now_ns = next;
}

static struct ec2_health health(void)
{
	struct ec2_health h = { CHECK_NO_DATA, CHECK_NO_DATA, 0 };

	ec2_live()->health(&d, ID, &h);
	return h;
}

static void checks__are_initializing_until_the_first_answer(void **state)
{
	(void)state;
	assert_int_equal(health().system, CHECK_INITIALIZING);
	assert_int_equal(health().instance, CHECK_INITIALIZING);
	poll_next(true, false);
	assert_int_equal(health().system, CHECK_OK);
	assert_int_equal(health().instance, CHECK_INITIALIZING);
	/* A guest that boots may take its time. */
	for (int k = 0; k < 100; k++)
		poll_next(true, false);
	assert_int_equal(health().instance, CHECK_INITIALIZING);
	poll_next(true, true);
	assert_int_equal(health().instance, CHECK_OK);
}

static void instance_check__is_impaired_after_three_misses(void **state)
{
	(void)state;
	poll_next(true, false);
	poll_next(true, true);
	assert_int_equal(health().instance, CHECK_OK);
	poll_next(true, false);
	poll_next(true, false);
	poll_next(true, false);
	assert_int_equal(health().instance, CHECK_OK);
	assert_int_equal(health().impaired_ms, 0);
	poll_next(true, false);
	assert_int_equal(health().instance, CHECK_IMPAIRED);
	assert_int_equal(health().system, CHECK_OK);
	assert_int_not_equal(health().impaired_ms, 0);
	poll_next(true, true);
	assert_int_equal(health().instance, CHECK_OK);
	assert_int_equal(health().impaired_ms, 0);
}

static void system_check__is_impaired_when_the_hypervisor_is_silent(void **state)
{
	(void)state;
	poll_next(true, false);
	poll_next(true, true);
	for (int k = 0; k < 3; k++) {
		poll_next(false, true);
		assert_int_equal(health().system, CHECK_OK);
	}
	poll_next(false, true);
	assert_int_equal(health().system, CHECK_IMPAIRED);
	assert_int_equal(health().instance, CHECK_OK);
}

static void instance_check__is_impaired_of_a_guest_that_never_came_up(void **state)
{
	(void)state;
	for (int k = 0; k < 598; k++)
		poll_next(true, false);
	assert_int_equal(health().instance, CHECK_INITIALIZING);
	for (int k = 0; k < 10; k++)
		poll_next(true, false);
	assert_int_equal(health().instance, CHECK_IMPAIRED);
}

/* An answer that nobody asked for says nothing. */
static void checks__do_not_believe_strange_answers(void **state)
{
	struct ctl_svc_stats stats = { .exits = 1 };

	(void)state;
	assert_int_equal(ctl_send(hypervisor, CTL_SVC_STATS, 12345, &stats, NULL, 0), 0);
	live_event(live_find(&d, ID));
	poll_next(false, false);
	assert_int_equal(health().system, CHECK_INITIALIZING);
}

static void health__is_unknown_of_what_does_not_live(void **state)
{
	struct ec2_health h = { CHECK_OK, CHECK_OK, 1 };

	(void)state;
	ec2_live()->health(&d, "i-0fedcba9876543210", &h);
	assert_int_equal(h.system, CHECK_NO_DATA);
	assert_int_equal(h.instance, CHECK_NO_DATA);
}

/* ---- GetConsoleOutput ---- */

static char answered[1024];
static unsigned answers;

static void reply(struct exchange *x, unsigned status, const char *type, char *body, size_t len)
{
	assert_null(x);
	assert_int_equal(status, 200);
	assert_string_equal(type, EC2_CONTENT_TYPE);
	assert_true(len < sizeof(answered));
	memcpy(answered, body, len);
	answered[len] = '\0';
	answers++;
	free(body);
}

static int console_ask(void)
{
	static const struct ec2_sink sink = { .reply = reply };
	static const char body[] =
		"Action=GetConsoleOutput&Latest=true&InstanceId=" ID "&Version=2016-11-15";
	unsigned status;
	char *out;
	size_t len;
	int r;

	answers = 0;
	ec2_sink_set(&sink);
	r = ec2_handle(&d, &d.core, MODEL_ACCOUNT_DEFAULT, body, strlen(body), NULL, &status, &out,
		       &len);
	free(out);
	return r;
}

static void console_says(const char *text, uint64_t end)
{
	static struct ctl_svc_console_data data;

	assert_int_equal(ctl_recv(hypervisor, &msg), 1);
	assert_int_equal(msg.type, CTL_SVC_CONSOLE_READ);
	data.off = msg.u.svc_console_read.off;
	data.end = end;
	data.data.len = (uint16_t)strlen(text);
	memcpy(data.data.b, text, strlen(text));
	assert_int_equal(ctl_send(hypervisor, CTL_SVC_CONSOLE_DATA, msg.seq, &data, NULL, 0), 0);
	live_event(live_find(&d, ID));
}

static void console__is_read_from_the_hypervisor_to_its_end(void **state)
{
	(void)state;
	assert_int_equal(console_ask(), -EINPROGRESS);
	console_says("hel", 5);
	assert_int_equal(answers, 0);
	console_says("lo", 5);
	assert_int_equal(answers, 1);
	assert_non_null(strstr(answered, "<output>aGVsbG8=</output>"));
	/* Again: what was kept, and what is new. */
	assert_int_equal(console_ask(), -EINPROGRESS);
	console_says("!", 6);
	assert_int_equal(answers, 1);
	assert_non_null(strstr(answered, "<output>aGVsbG8h</output>"));
}

static void console__of_a_deaf_hypervisor_is_what_was_kept(void **state)
{
	uint64_t next = UINT64_MAX;

	(void)state;
	assert_int_equal(console_ask(), -EINPROGRESS);
	health_timers(&d, clock_ns(), &next);
	assert_int_equal(answers, 0);
	health_timers(&d, clock_ns() + 6 * SECOND, &next);
	assert_int_equal(answers, 1);
	assert_null(strstr(answered, "<output>"));
}

static void console__of_an_instance_that_ends_is_its_last_words(void **state)
{
	struct ctl_svc_console_data *data = calloc(1, sizeof(*data));

	(void)state;
	assert_non_null(data);
	assert_int_equal(console_ask(), -EINPROGRESS);
	data->data.len = 3;
	data->end = 3;
	memcpy(data->data.b, "bye", 3);
	assert_int_equal(ctl_send(hypervisor, CTL_SVC_CONSOLE_DATA, 0, data, NULL, 0), 0);
	free(data);
	live_drop(&d, ID);
	assert_int_equal(answers, 1);
	assert_non_null(strstr(answered, "<output>Ynll</output>"));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)
	const struct CMUnitTest tests[] = {
		TEST(checks__are_initializing_until_the_first_answer),
		TEST(instance_check__is_impaired_after_three_misses),
		TEST(system_check__is_impaired_when_the_hypervisor_is_silent),
		TEST(instance_check__is_impaired_of_a_guest_that_never_came_up),
		TEST(checks__do_not_believe_strange_answers),
		TEST(health__is_unknown_of_what_does_not_live),
		TEST(console__is_read_from_the_hypervisor_to_its_end),
		TEST(console__of_a_deaf_hypervisor_is_what_was_kept),
		TEST(console__of_an_instance_that_ends_is_its_last_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
