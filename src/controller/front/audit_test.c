/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "controller/front/audit.h"
#include "controller/niterd.h"

static struct daemon d;

static uint64_t now_ms(void *ptr)
{
	(void)ptr;
	return 1795392000123; /* 2026-11-23T00:00:00.123Z */
}

static struct exchange call(const char *account, const char *action)
{
	struct exchange x = { .d = &d,
			      .peer = "192.0.2.1:4000",
			      .request_id = "0155637f-f7ac-4acf-a47e-bf311bb40146",
			      .service = "ec2",
			      .access_key_id = "AKIDEXAMPLE" };

	snprintf(x.account, sizeof(x.account), "%s", account);
	snprintf(x.action, sizeof(x.action), "%s", action);
	return x;
}

/* A directory of its own; every test leaves it behind empty. */
static int setup(void **state)
{
	static char dir[] = "/tmp/niter-audit.XXXXXX";

	(void)state;
	setenv("NITER_LOG", "err", 1);
	log_init("audit-test");
	d.core.env.now_ms = now_ms;
	return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int clean(void **state)
{
	(void)state;
	for (unsigned k = 0; k <= AUDIT_FILES; k++) {
		char name[16];

		snprintf(name, sizeof(name), k ? "log.%u" : "log", k);
		(void)unlink(name);
	}
	return 0;
}

static int teardown(void **state)
{
	char dir[256];

	(void)state;
	return getcwd(dir, sizeof(dir)) && chdir("/") == 0 ? rmdir(dir) : -1;
}

static unsigned lines_of(const char *text)
{
	unsigned cnt = 0;

	for (; (text = strchr(text, '\n')) != NULL; text++)
		cnt++;
	return cnt;
}

static void audit_call__writes_one_whole_line(void **state)
{
	struct exchange x = call("123456789012", "RunInstances");
	struct audit *a;
	char *text;

	(void)state;
	assert_int_equal(audit_open("log", &a), 0);
	snprintf(x.code, sizeof(x.code), "InvalidAMIID.NotFound");
	audit_call(a, &x, 400);
	assert_int_equal(audit_tail(a, 4096, &text), 0);
	assert_string_equal(
		text,
		"time=2026-11-23T00:00:00.123Z account=123456789012 key=AKIDEXAMPLE "
		"peer=192.0.2.1:4000 "
		"tls=0 service=ec2 action=\"RunInstances\" status=400 code=InvalidAMIID.NotFound "
		"request=0155637f-f7ac-4acf-a47e-bf311bb40146\n");
	free(text);
	audit_free(a);
}

static void audit_call__lets_nobody_write_a_second_line(void **state)
{
	struct exchange x = call("123456789012", "a\"\nb\taccount=1 \xff");
	struct audit *a;
	char *text;

	(void)state;
	assert_int_equal(audit_open("log", &a), 0);
	audit_call(a, &x, 200);
	assert_int_equal(audit_tail(a, 4096, &text), 0);
	assert_int_equal(lines_of(text), 1);
	assert_non_null(strstr(text, "action=\"a\\x22\\x0ab\\x09account=1 \\xff\""));
	free(text);
	audit_free(a);
}

static void audit_call__limits_strangers_and_nobody_else(void **state)
{
	struct exchange x = call("", ""), known = call("123456789012", "DescribeVpcs");
	struct audit *a;
	char *text;

	(void)state;
	assert_int_equal(audit_open("log", &a), 0);
	for (unsigned k = 0; k < 1000; k++)
		audit_call(a, &x, 403);
	for (unsigned k = 0; k < 500; k++)
		audit_call(a, &known, 200);
	assert_int_equal(audit_tail(a, 1 << 20, &text), 0);
	assert_in_range(lines_of(text), 520, 530);
	free(text);
	audit_free(a);
}

static void audit_flush__rotates_and_keeps_a_bounded_number(void **state)
{
	struct exchange x = call("123456789012", "DescribeVpcs");
	const unsigned cnt = 7U * AUDIT_FILE_BYTES / 200;
	struct audit *a;
	struct stat st;
	char name[16], last[16], *text;

	(void)state;
	assert_int_equal(audit_open("log", &a), 0);
	for (unsigned k = 0; k < cnt; k++) {
		snprintf(x.action, sizeof(x.action), "n%u", k);
		audit_call(a, &x, 200);
	}
	audit_flush(a);
	for (unsigned k = 0; k < AUDIT_FILES; k++) {
		snprintf(name, sizeof(name), k ? "log.%u" : "log", k);
		assert_int_equal(stat(name, &st), 0);
		assert_true(st.st_size <= AUDIT_FILE_BYTES + 64 * 1024);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
	assert_int_equal(stat("log.4", &st), -1);
	/* The tail goes over the edge between two files, in whole lines, the last one last. */
	assert_int_equal(audit_tail(a, AUDIT_FILE_BYTES + AUDIT_FILE_BYTES / 2, &text), 0);
	assert_int_equal(strncmp(text, "time=", 5), 0);
	snprintf(last, sizeof(last), "\"n%u\"", cnt - 1);
	assert_non_null(strstr(text + strlen(text) - 200, last));
	for (unsigned k = cnt - 1; k > cnt - lines_of(text); k -= 1000) {
		snprintf(last, sizeof(last), "\"n%u\"", k);
		assert_non_null(strstr(text, last));
	}
	free(text);
	audit_free(a);
}

static void audit_open__goes_on_with_the_file_there_is(void **state)
{
	struct exchange x = call("123456789012", "one");
	struct audit *a;
	char *text;

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		assert_int_equal(audit_open("log", &a), 0);
		audit_call(a, &x, 200);
		audit_free(a);
	}
	assert_int_equal(audit_open("log", &a), 0);
	assert_int_equal(audit_tail(a, 4096, &text), 0);
	assert_int_equal(lines_of(text), 2);
	free(text);
	assert_int_equal(audit_tail(a, 0, &text), 0);
	assert_string_equal(text, "");
	free(text);
	audit_free(a);
	assert_int_equal(audit_open("no/such/log", &a), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(audit_call__writes_one_whole_line, clean),
		cmocka_unit_test_teardown(audit_call__lets_nobody_write_a_second_line, clean),
		cmocka_unit_test_teardown(audit_call__limits_strangers_and_nobody_else, clean),
		cmocka_unit_test_teardown(audit_flush__rotates_and_keeps_a_bounded_number, clean),
		cmocka_unit_test_teardown(audit_open__goes_on_with_the_file_there_is, clean),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
