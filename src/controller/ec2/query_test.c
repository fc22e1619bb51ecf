/* SPDX-License-Identifier: Apache-2.0 */

#include "controller/ec2/query.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct fault fault;
static struct query q;
static struct query_at root;

static void parse(const char *body)
{
	fault = (struct fault){ .code = "" };
	assert_int_equal(query_parse(body, strlen(body), &q, &fault), 0);
	root = query_root(&q);
}

static void parse_refused(const char *body, size_t len)
{
	fault = (struct fault){ .code = "" };
	assert_int_equal(query_parse(body, len, &q, &fault), -EPROTO);
	assert_string_equal(fault.code, "MalformedQueryString");
}

static void refused(const char *body)
{
	parse_refused(body, strlen(body));
}

static void fault_is(const char *code, const char *part_of_text)
{
	assert_string_equal(fault.code, code);
	assert_non_null(strstr(fault.text, part_of_text));
}

static void query_parse__decodes_percent_and_plus(void **state)
{
	(void)state;
	parse("A=a+b&B=%C3%BC%2B%2f%26%3D&C&D=&&E==");
	assert_string_equal(query_str(&root, "A"), "a b");
	assert_string_equal(query_str(&root, "B"), "\xc3\xbc+/&=");
	assert_null(query_str(&root, "C"));
	assert_null(query_str(&root, "D"));
	assert_string_equal(query_str(&root, "E"), "=");
	assert_int_equal(query_leftovers(&q), 0);
	query_done(&q);
}

static void query_parse__refuses_what_is_not_well_formed(void **state)
{
	(void)state;
	refused("A=%");
	refused("A=%4");
	refused("A=%4g");
	refused("A=%00");
	refused("A=%01");
	refused("A=\x1f");
	refused("A=%C3");
	refused("A=%C0%80");
	refused("A=%ED%A0%80");
	refused("A=%EF%BF%BF");
	refused("A=%F5%80%80%80");
	refused("=x");
	refused("A.=x");
	refused(".A=x");
	refused("A..B=x");
	refused("A B=x");
	refused("A.0=x");
	refused("A.01=x");
	refused("A.1001=x");
	refused("A.10000=x");
	refused("A.1x=x");
	refused("A=1&A=1");
	refused("B=1&A=1&B=2");
	refused("A.B.C.D.E.F.G.H.I=x");
	parse("A.B.C.D.E.F.G.H=x&T=%09%0a%0D&L.1000=x");
	assert_string_equal(query_str(&root, "T"), "\t\n\r");
	query_done(&q);
}

static void query_parse__has_limits(void **state)
{
	size_t cap = QUERY_BYTES_MAX + 16, len = 0;
	char *body = malloc(cap);

	(void)state;
	assert_non_null(body);
	memset(body, 'a', cap);
	body[1] = '=';
	parse_refused(body, QUERY_BYTES_MAX + 1);
	fault = (struct fault){ .code = "" };
	assert_int_equal(query_parse(body, QUERY_BYTES_MAX, &q, &fault), 0);
	query_done(&q);
	for (int i = 0; i < QUERY_PARAMS_MAX; i++)
		len += (size_t)snprintf(body + len, cap - len, "%sA%d=", i ? "&" : "", i);
	assert_int_equal(query_parse(body, len, &q, &fault), 0);
	assert_int_equal(q.cnt, QUERY_PARAMS_MAX);
	query_done(&q);
	len += (size_t)snprintf(body + len, cap - len, "&B=");
	parse_refused(body, len);
	memset(body, 'n', QUERY_NAME_MAX);
	body[QUERY_NAME_MAX - 1] = '=';
	assert_int_equal(query_parse(body, QUERY_NAME_MAX, &q, &fault), -EPROTO + EPROTO);
	query_done(&q);
	body[QUERY_NAME_MAX - 1] = 'n';
	body[QUERY_NAME_MAX] = '=';
	parse_refused(body, QUERY_NAME_MAX + 1);
	free(body);
}

static void query_next__walks_numbers_in_order_with_gaps(void **state)
{
	struct query_at m, tag;
	unsigned i = 0, k = 0;

	(void)state;
	parse("T.10.Tag.2.Key=d&T.2.R=b&T.10.Tag.1.Key=c&T.1.R=a&TT=x&T.x=y&Action=A");
	assert_true(query_next(&root, "T", &i, &m));
	assert_int_equal(i, 1);
	assert_string_equal(query_str(&m, "R"), "a");
	assert_true(query_next(&root, "T", &i, &m));
	assert_int_equal(i, 2);
	assert_string_equal(query_str(&m, "R"), "b");
	assert_true(query_next(&root, "T", &i, &m));
	assert_int_equal(i, 10);
	assert_true(query_next(&m, "Tag", &k, &tag));
	assert_string_equal(query_str(&tag, "Key"), "c");
	assert_true(query_next(&m, "Tag", &k, &tag));
	assert_string_equal(query_need_str(&tag, "Key"), "d");
	assert_false(query_next(&m, "Tag", &k, &tag));
	assert_false(query_next(&root, "T", &i, &m));
	assert_int_equal(query_leftovers(&q), -EINVAL);
	fault_is("UnknownParameter", "Action");
	query_done(&q);
}

static void query_next_str__skips_empty_values_and_structures(void **state)
{
	unsigned i = 0;

	(void)state;
	parse("I.1=&I.3=b&I.2.X=c&I.4=d");
	assert_string_equal(query_next_str(&root, "I", &i), "b");
	assert_string_equal(query_next_str(&root, "I", &i), "d");
	assert_null(query_next_str(&root, "I", &i));
	i = 0;
	assert_string_equal(query_next_any(&root, "I", &i), "");
	assert_int_equal(query_leftovers(&q), -EINVAL);
	fault_is("UnknownParameter", "I.2.X");
	query_done(&q);
}

static void query_u64__refuses_what_is_no_number_in_range(void **state)
{
	static const char *const bad[] = { "N=4",   "N=11", "N=-5",  "N=5x",
					   "N=0x5", "N=+5", "N=5.0", "N=99999999999999999999999" };

	(void)state;
	parse("N=5&M=10");
	assert_int_equal(query_u64(&root, "N", 5, 10, 7), 5);
	assert_int_equal(query_need_u64(&root, "M", 5, 10), 10);
	assert_int_equal(query_u64(&root, "O", 5, 10, 7), 7);
	assert_false(query_failed(&q));
	assert_int_equal(query_need_u64(&root, "O", 5, 10), 5);
	fault_is("MissingParameter", "parameter O");
	query_done(&q);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		parse(bad[i]);
		assert_int_equal(query_u64(&root, "N", 5, 10, 7), 7);
		fault_is("InvalidParameterValue", "parameter N is invalid");
		query_done(&q);
	}
}

static void query_i64__takes_a_sign(void **state)
{
	(void)state;
	parse("A=-1&B=7&C=--1");
	assert_int_equal(query_i64(&root, "A", -1, 255, 0), -1);
	assert_int_equal(query_i64(&root, "B", -1, 255, 0), 7);
	assert_int_equal(query_i64(&root, "D", -1, 255, 3), 3);
	assert_int_equal(query_i64(&root, "C", -1, 255, 0), 0);
	fault_is("InvalidParameterValue", "--1");
	query_done(&q);
}

static void query_bool__refuses_other_words(void **state)
{
	(void)state;
	parse("A=true&B=false&C=yes");
	assert_true(query_bool(&root, "A", false));
	assert_false(query_bool(&root, "B", true));
	assert_true(query_bool(&root, "D", true));
	assert_false(query_bool(&root, "C", false));
	fault_is("InvalidParameterValue", "yes");
	query_done(&q);
}

static void query__reads_nothing_after_the_first_fault(void **state)
{
	struct query_at m;
	unsigned i = 0;

	(void)state;
	parse("A=x&L.1=a&S.1.X=b");
	query_refuse(&root, "First", "%s", "one");
	query_refuse(&root, "Second", "%s", "two");
	fault_is("First", "one");
	assert_null(query_str(&root, "A"));
	assert_null(query_next_str(&root, "L", &i));
	assert_false(query_next(&root, "S", &i, &m));
	assert_string_equal(query_need_str(&root, "A"), "");
	fault_is("First", "one");
	query_done(&q);
}

static void query_unsupported__names_the_parameter(void **state)
{
	(void)state;
	parse("P.Group=&Q.Name=x");
	query_unsupported(&root, "P", NULL);
	assert_false(query_failed(&q));
	query_unsupported(&root, "Q", "there are none");
	fault_is("UnsupportedOperation", "parameter Q is not supported here: there are none");
	query_done(&q);
}

static void query_ignore__marks_all_below(void **state)
{
	(void)state;
	parse("Monitoring.Enabled=true&Monitoring.X.1=1&MonitoringX=1");
	query_ignore(&root, "Monitoring");
	assert_int_equal(query_leftovers(&q), -EINVAL);
	fault_is("UnknownParameter", "MonitoringX");
	query_done(&q);
}

static void query_given__sees_an_empty_value(void **state)
{
	(void)state;
	parse("Value=&Key=k");
	assert_true(query_given(&root, "Value"));
	assert_true(query_given(&root, "Key"));
	assert_false(query_given(&root, "Other"));
	assert_int_equal(query_leftovers(&q), 0);
	query_done(&q);
}

static void query_in__too_long_a_name_finds_nothing(void **state)
{
	char body[600], name[QUERY_NAME_MAX + 1];
	struct query_at in;

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[QUERY_NAME_MAX - 2] = '\0';
	snprintf(body, sizeof(body), "%s.a=x", name);
	name[QUERY_NAME_MAX - 2] = 'n';
	name[QUERY_NAME_MAX] = '\0';
	parse_refused(body, strlen(body));
	parse("A=b");
	in = query_in(&root, name);
	assert_null(query_str(&in, "A"));
	assert_false(query_any(&in, "A"));
	query_ignore(&in, "");
	assert_int_equal(query_leftovers(&q), -EINVAL);
	query_done(&q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(query_parse__decodes_percent_and_plus),
		cmocka_unit_test(query_parse__refuses_what_is_not_well_formed),
		cmocka_unit_test(query_parse__has_limits),
		cmocka_unit_test(query_next__walks_numbers_in_order_with_gaps),
		cmocka_unit_test(query_next_str__skips_empty_values_and_structures),
		cmocka_unit_test(query_u64__refuses_what_is_no_number_in_range),
		cmocka_unit_test(query_i64__takes_a_sign),
		cmocka_unit_test(query_bool__refuses_other_words),
		cmocka_unit_test(query__reads_nothing_after_the_first_fault),
		cmocka_unit_test(query_unsupported__names_the_parameter),
		cmocka_unit_test(query_ignore__marks_all_below),
		cmocka_unit_test(query_given__sees_an_empty_value),
		cmocka_unit_test(query_in__too_long_a_name_finds_nothing),
	};

	return cmocka_run_group_tests_name("controller/ec2/query", tests, NULL, NULL);
}
