/* SPDX-License-Identifier: Apache-2.0 */

/* Sizes, ages, base64, and a table compared with a golden file. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/base64.h"
#include "cli/cli.h"

static const char *golden; /* tests/golden/table.txt */

static void size_parse__reads_what_people_write(void **state)
{
	static const struct {
		const char *s;
		uint64_t want;
	} cases[] = {
		{ "0", 0 },
		{ "4096", 4096 },
		{ "1K", 1024 },
		{ "512M", UINT64_C(512) << 20 },
		{ "8G", UINT64_C(8) << 30 },
		{ "8GiB", UINT64_C(8) << 30 },
		{ "8GB", UINT64_C(8) << 30 },
		{ "16T", UINT64_C(16) << 40 },
		{ "9223372036854775807", INT64_MAX },
	};
	uint64_t v;

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(cases); k++) {
		assert_int_equal(size_parse(cases[k].s, &v), 0);
		assert_int_equal(v, cases[k].want);
	}
}

static void size_parse__rejects_the_rest(void **state)
{
	static const char *const shape[] = { "",    " ",  "G",   "-1",  "+1",   "1.5G",
					     "1 G", "1g", "1GG", "1Gi", "0x10", "1P" };
	static const char *const range[] = { "9223372036854775808", "99999999999999999999",
					     "16777216T" };
	uint64_t v = 7;

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(shape); k++)
		assert_int_equal(size_parse(shape[k], &v), -EINVAL);
	for (size_t k = 0; k < ARRAY_SIZE(range); k++)
		assert_int_equal(size_parse(range[k], &v), -ERANGE);
	assert_int_equal(v, 7);
}

static void size_text__is_short_and_true(void **state)
{
	char buf[32];

	(void)state;
	assert_string_equal(size_text(buf, sizeof(buf), 0), "0 B");
	assert_string_equal(size_text(buf, sizeof(buf), 1023), "1023 B");
	assert_string_equal(size_text(buf, sizeof(buf), 1536), "1.5 KiB");
	assert_string_equal(size_text(buf, sizeof(buf), UINT64_C(8) << 30), "8 GiB");
	assert_string_equal(size_text(buf, sizeof(buf), UINT64_MAX), "16777215 TiB");
}

static void age_text__counts_in_the_unit_that_fits(void **state)
{
	static const char t[] = "2026-11-22T09:45:15.000Z";
	const uint64_t at = UINT64_C(1795340715000);
	char buf[32];

	(void)state;
	assert_string_equal(age_text(buf, sizeof(buf), t, at), "0s");
	assert_string_equal(age_text(buf, sizeof(buf), t, at - 5000),
			    "0s"); /* another clock than the host's */
	assert_string_equal(age_text(buf, sizeof(buf), t, at + 119000), "119s");
	assert_string_equal(age_text(buf, sizeof(buf), t, at + 120000), "2m");
	assert_string_equal(age_text(buf, sizeof(buf), t, at + 7200000), "2h");
	assert_string_equal(age_text(buf, sizeof(buf), t, at + 172800000), "2d");
	assert_string_equal(age_text(buf, sizeof(buf), "-", at), "-");
}

static void base64_decode__reads_the_vectors_of_the_rfc(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = { { "", "" },
		      { "Zg==", "f" },
		      { "Zm8=", "fo" },
		      { "Zm9v", "foo" },
		      { "Zm9vYg==", "foob" },
		      { "Zm9vYmE=", "fooba" },
		      { "Zm9vYmFy", "foobar" } };
	uint8_t *p;
	size_t len;

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(cases); k++) {
		assert_int_equal(base64_decode(cases[k].text, &p, &len), 0);
		assert_int_equal(len, strlen(cases[k].want));
		if (len)
			assert_memory_equal(p, cases[k].want, len);
		free(p);
	}
}

static void base64_decode__rejects_the_rest(void **state)
{
	static const char *const bad[] = { "Z",      "Zg",   "Zg=",  "Z===", "====",
					   "Zm9v\n", "Zm 9", "Zm-v", "=Zm9", "Zg==Zg==" };
	uint8_t *p;
	size_t len;

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(bad); k++)
		assert_int_equal(base64_decode(bad[k], &p, &len), -EINVAL);
}

/* What print() writes to standard output. */
static void captured(const struct table *t, char *buf, size_t cap)
{
	int saved = dup(STDOUT_FILENO);
	FILE *f = tmpfile();
	size_t n;

	assert_non_null(f);
	(void)fflush(stdout);
	assert_true(dup2(fileno(f), STDOUT_FILENO) >= 0);
	table_print(t);
	(void)fflush(stdout);
	assert_true(dup2(saved, STDOUT_FILENO) >= 0);
	close(saved);
	rewind(f);
	n = fread(buf, 1, cap - 1, f);
	buf[n] = '\0';
	(void)fclose(f);
}

static void table_print__is_as_in_the_golden_file(void **state)
{
	static const char *const cells[] = { "ID",
					     "NAME",
					     "STATE",
					     "i-0123456789abcdef0",
					     "web",
					     "running",
					     "i-0fedcba987654321",
					     "a-much-longer-name",
					     "stopped",
					     "i-1",
					     "esc\x1b[31m\n",
					     "-" };
	struct table t = { .col_cnt = 3 };
	char got[1024], want[1024];
	FILE *f = fopen(golden, "r");
	size_t n;

	(void)state;
	assert_non_null(f);
	n = fread(want, 1, sizeof(want) - 1, f);
	want[n] = '\0';
	(void)fclose(f);
	for (size_t k = 0; k < ARRAY_SIZE(cells); k++)
		table_add(&t, cells[k]);
	captured(&t, got, sizeof(got));
	table_done(&t);
	assert_string_equal(got, want);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(size_parse__reads_what_people_write),
		cmocka_unit_test(size_parse__rejects_the_rest),
		cmocka_unit_test(size_text__is_short_and_true),
		cmocka_unit_test(age_text__counts_in_the_unit_that_fits),
		cmocka_unit_test(base64_decode__reads_the_vectors_of_the_rfc),
		cmocka_unit_test(base64_decode__rejects_the_rest),
		cmocka_unit_test(table_print__is_as_in_the_golden_file),
	};

	if (argc != 2)
		return 1;
	golden = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
