/* SPDX-License-Identifier: Apache-2.0 */

#include "controller/ec2/xml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static struct xml x;

static void is(const char *expected)
{
	assert_false(xml_failed(&x));
	assert_int_equal(x.len, strlen(expected));
	assert_memory_equal(x.buf, expected, x.len);
	xml_done(&x);
}

static void xml__writes_elements(void **state)
{
	(void)state;
	xml_open(&x, "a");
	xml_str(&x, "b", "t");
	xml_str(&x, "c", "");
	xml_opt(&x, "d", "");
	xml_opt(&x, "d", NULL);
	xml_opt(&x, "e", "v");
	xml_bool(&x, "f", true);
	xml_bool(&x, "g", false);
	xml_empty(&x, "h");
	xml_value(&x, "i", "w");
	xml_close(&x, "a");
	is("<a><b>t</b><c/><e>v</e><f>true</f><g>false</g><h/><i><value>w</value></i></a>");
}

static void xml__writes_numbers(void **state)
{
	(void)state;
	xml_u64(&x, "a", 0);
	xml_u64(&x, "b", UINT64_MAX);
	xml_i64(&x, "c", INT64_MIN);
	xml_i64(&x, "d", INT64_MAX);
	xml_i64(&x, "e", -1);
	xml_i64(&x, "f", 0);
	is("<a>0</a><b>18446744073709551615</b><c>-9223372036854775808</c>"
	   "<d>9223372036854775807</d><e>-1</e><f>0</f>");
}

static void xml_str__escapes_text(void **state)
{
	(void)state;
	xml_str(&x, "a", "<&>\"'\t\n\r");
	xml_str(&x, "b", "\xc3\xbc\xef\xbb\xbf");
	is("<a>&lt;&amp;&gt;&quot;'\t\n&#13;</a><b>\xc3\xbc\xef\xbb\xbf</b>");
}

static void xml_strn__replaces_what_no_document_can_carry(void **state)
{
	(void)state;
	xml_strn(&x, "a", "\0\x01\x1f", 3);
	xml_str(&x, "b",
		"a\xef\xbf\xbe"
		"b\xef\xbf\xbf");
	xml_strn(&x, "c", "\xef\xbf\xbf", 2);
	is("<a>\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd</a><b>a\xef\xbf\xbd"
	   "b\xef\xbf\xbd</b><c>\xef\xbf</c>");
}

static void xml_time__agrees_with_the_c_library(void **state)
{
	uint64_t ms = 1;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		time_t t = (time_t)(ms / 1000);
		char expected[64], got[XML_TIME_MAX];
		struct tm tm;
		size_t n;

		assert_non_null(gmtime_r(&t, &tm));
		n = strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S", &tm);
		snprintf(expected + n, sizeof(expected) - n, ".%03uZ", (unsigned)(ms % 1000));
		xml_time_text(ms, got);
		assert_string_equal(got, expected);
		ms = (ms * 6364136223846793005U + 1442695040888963407U) % 253402300800000U;
	}
	xml_time(&x, "t", 1795340715000);
	is("<t>2026-11-22T09:45:15.000Z</t>");
}

static void xml_base64__writes_rfc_4648(void **state)
{
	(void)state;
	xml_base64(&x, "a", "f", 1);
	xml_base64(&x, "b", "fo", 2);
	xml_base64(&x, "c", "foo", 3);
	xml_base64(&x, "d", "foob", 4);
	xml_base64(&x, "e", "\xff\xfe\xfd", 3);
	xml_base64(&x, "f", "", 0);
	is("<a>Zg==</a><b>Zm8=</b><c>Zm9v</c><d>Zm9vYg==</d><e>//79</e><f/>");
}

static void xml__grows(void **state)
{
	enum { CNT = 20000 };

	(void)state;
	for (int i = 0; i < CNT; i++)
		xml_str(&x, "item", "0123456789");
	assert_false(xml_failed(&x));
	assert_int_equal(x.len, CNT * strlen("<item>0123456789</item>"));
	xml_done(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(xml__writes_elements),
		cmocka_unit_test(xml__writes_numbers),
		cmocka_unit_test(xml_str__escapes_text),
		cmocka_unit_test(xml_strn__replaces_what_no_document_can_carry),
		cmocka_unit_test(xml_time__agrees_with_the_c_library),
		cmocka_unit_test(xml_base64__writes_rfc_4648),
		cmocka_unit_test(xml__grows),
	};

	return cmocka_run_group_tests_name("controller/ec2/xml", tests, NULL, NULL);
}
