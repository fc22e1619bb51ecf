/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static int saved_stderr = -1, capture = -1;
static char seen[8192];

static int capture_setup(void **state)
{
	(void)state;
	capture = memfd_create("log", MFD_CLOEXEC);
	saved_stderr = dup(2);
	return dup2(capture, 2) == 2 ? 0 : -1;
}

static const char *captured(void)
{
	ssize_t n = pread(capture, seen, sizeof(seen) - 1, 0);

	seen[n > 0 ? n : 0] = '\0';
	return seen;
}

static int capture_teardown(void **state)
{
	(void)state;
	dup2(saved_stderr, 2);
	close(saved_stderr);
	close(capture);
	log_context("%s", "");
	return 0;
}

static void log_event__writes_one_logfmt_line(void **state)
{
	const char *s;

	(void)state;
	log_init("niter-test");
	log_context("inst=%s", "i-0a1b");
	log_warn("nvme.sq.bad_doorbell", "qid=%u tail=%u", 2U, 900U);
	s = captured();
	assert_memory_equal(s, "t=", 2);
	assert_non_null(strstr(s, " lvl=warn prog=niter-test ev=nvme.sq.bad_doorbell inst=i-0a1b qid=2 tail=900\n"));
}

static void log_event__stays_one_line_whatever_a_string_holds(void **state)
{
	const char *s, *nl;

	(void)state;
	log_warn("x", "text=%s", "a\nlvl=err ev=forged\x1b[2J");
	s = captured();
	nl = strchr(s, '\n');
	assert_non_null(nl);
	assert_int_equal(nl[1], '\0');
	assert_null(strchr(s, '\x1b'));
}

static void log_event__cuts_a_line_that_is_too_long(void **state)
{
	char big[3000];

	(void)state;
	memset(big, 'a', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	log_warn("x", "text=%s", big);
	assert_in_range(strlen(captured()), 900, 1024);
	assert_int_equal(seen[strlen(seen) - 1], '\n');
}

static void log_event__hides_debug_unless_asked(void **state)
{
	(void)state;
	unsetenv("NITER_LOG");
	log_init("niter-test");
	log_debug("quiet", NULL);
	assert_string_equal(captured(), "");
	setenv("NITER_LOG", "debug", 1);
	log_init("niter-test");
	log_debug("loud", NULL);
	assert_non_null(strstr(captured(), "ev=loud\n"));
	unsetenv("NITER_LOG");
	log_init("niter-test");
}

static void log_warn_limited__stops_a_flood(void **state)
{
	int i, lines = 0;
	const char *p;

	(void)state;
	for (i = 0; i < 1000; i++)
		log_warn_limited("flood", "n=%d", i);
	for (p = captured(); (p = strstr(p, "ev=flood")); p++)
		lines++;
	assert_in_range(lines, 1, 10);
}

static void log_escape__escapes_and_never_cuts_inside_an_escape(void **state)
{
	char buf[8];

	(void)state;
	assert_string_equal(log_escape(buf, sizeof(buf), "a\"b", 3), "a\\x22b");
	assert_string_equal(log_escape(buf, sizeof(buf), "abcd\n", 5), "abcd");
	assert_string_equal(log_escape(buf, sizeof(buf), "\xff\\", 2), "\\xff");
	assert_string_equal(log_escape(buf, sizeof(buf), "", 0), "");
}

#define CAPTURED(f) cmocka_unit_test_setup_teardown(f, capture_setup, capture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CAPTURED(log_event__writes_one_logfmt_line),
		CAPTURED(log_event__stays_one_line_whatever_a_string_holds),
		CAPTURED(log_event__cuts_a_line_that_is_too_long),
		CAPTURED(log_event__hides_debug_unless_asked),
		CAPTURED(log_warn_limited__stops_a_flood),
		cmocka_unit_test(log_escape__escapes_and_never_cuts_inside_an_escape),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
