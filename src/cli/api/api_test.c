/* SPDX-License-Identifier: Apache-2.0 */

/* Answers and profiles are foreign bytes. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/api/ec2.h"
#include "cli/api/profile.h"
#include "cli/cli.h"

static json_t *parse(const char *text)
{
	return ec2_answer_parse(text, strlen(text));
}

static void answer__becomes_objects_and_arrays(void **state)
{
	json_t *a = parse("<?xml version=\"1.0\"?>\n<R xmlns=\"x\">\n <id>1</id>\n <set>\n  "
			  "<item><k>a&amp;b</k></item>\n"
			  "  <item><k/></item>\n </set>\n <empty/>\n</R>");
	json_t *set = json_object_get(a, "set");

	(void)state;
	assert_non_null(a);
	assert_string_equal(text_of(a, "id"), "1");
	assert_int_equal(json_array_size(set), 2);
	assert_string_equal(text_of(json_array_get(set, 0), "k"), "a&b");
	assert_string_equal(text_of(json_array_get(set, 1), "k"), "-");
	assert_int_equal(json_array_size(json_object_get(a, "empty")), 0);
	json_decref(a);
}

static void answer__that_is_none_is_refused(void **state)
{
	static const char *const bad[] = { "",
					   "text",
					   "<a>",
					   "<a></b>",
					   "<a><item/><b/></a>",
					   "<a/><b/>",
					   "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&z;</a>" };
	char deep[512] = "";

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(bad); k++)
		assert_null(parse(bad[k]));
	for (int k = 0; k < 40; k++)
		strcat(deep, "<a>");
	for (int k = 0; k < 40; k++)
		strcat(deep, "</a>");
	assert_null(parse(deep));
}

static void profile__is_found_in_its_section(void **state)
{
	static const char text[] = "# mine\n[default]\nregion = eu-west-1\n[profile x]\n "
				   "region=us-east-2 \r\n;region=no\nname = a = b\n";
	char v[16];

	(void)state;
	assert_int_equal(profile_ini_get(text, "default", "region", v, sizeof(v)), 0);
	assert_string_equal(v, "eu-west-1");
	assert_int_equal(profile_ini_get(text, "profile x", "region", v, sizeof(v)), 0);
	assert_string_equal(v, "us-east-2");
	assert_int_equal(profile_ini_get(text, "profile x", "name", v, sizeof(v)), 0);
	assert_string_equal(v, "a = b");
	assert_int_equal(profile_ini_get(text, "x", "region", v, sizeof(v)), -ENOENT);
	assert_int_equal(profile_ini_get(text, "default", "name", v, sizeof(v)), -ENOENT);
	assert_int_equal(profile_ini_get(text, "default", "region", v, 4), -ENAMETOOLONG);
}

static void parameters__are_encoded(void **state)
{
	struct ec2_params p = { .text = NULL };

	(void)state;
	ec2_add(&p, "Name", "a b+c/\xc3\xbc~");
	ec2_add(&p, "Absent", NULL);
	ec2_add_filter(&p, 2, "tag:x", "*");
	assert_string_equal(p.text,
			    "Name=a%20b%2Bc%2F%C3%BC~&Filter.2.Name=tag%3Ax&Filter.2.Value.1=%2A");
	free(p.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answer__becomes_objects_and_arrays),
		cmocka_unit_test(answer__that_is_none_is_refused),
		cmocka_unit_test(profile__is_found_in_its_section),
		cmocka_unit_test(parameters__are_encoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
