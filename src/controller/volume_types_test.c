/* SPDX-License-Identifier: Apache-2.0 */

#include "controller/volume_types.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/num.h"

/* spec: ebs-volume-types */
static void volume_type_check__knows_what_each_type_has(void **state)
{
	static const struct {
		struct volume_wish w;
		const char *type;
		uint32_t iops, throughput;
	} cases[] = {
		{ { NULL, 8 * GIB, 0, 0, false }, "gp3", 3000, 125 },
		{ { "", 8 * GIB, 0, 0, false }, "gp3", 3000, 125 },
		{ { "gp3", 32 * GIB, 16000, 1000, false }, "gp3", 16000, 1000 },
		{ { "gp3", 1 * GIB, 3000, 750, false }, "gp3", 3000, 750 },
		{ { "gp2", 1 * GIB, 0, 0, false }, "gp2", 100, 0 },
		{ { "gp2", 1000 * GIB, 0, 0, false }, "gp2", 3000, 0 },
		{ { "gp2", 16384 * GIB, 0, 0, false }, "gp2", 16000, 0 },
		{ { "io1", 4 * GIB, 200, 0, false }, "io1", 200, 0 },
		{ { "io2", 65536 * GIB, 64000, 0, false }, "io2", 64000, 0 },
		{ { "st1", 125 * GIB, 0, 0, false }, "st1", 0, 0 },
		{ { "sc1", 3 * MIB, 0, 0, true }, "sc1", 0, 0 },
		{ { "standard", 1024 * GIB, 0, 0, false }, "standard", 0, 0 },
	};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(cases); k++) {
		struct volume v = { .id = "untouched" };
		struct fault f = { .code = "" };

		assert_int_equal(volume_type_check(&cases[k].w, &v, &f), 0);
		assert_string_equal(v.type, cases[k].type);
		assert_int_equal(v.iops, cases[k].iops);
		assert_int_equal(v.throughput, cases[k].throughput);
		assert_int_equal(v.size, cases[k].w.bytes);
		assert_string_equal(v.id, "untouched");
	}
}

static void volume_type_check__refuses_what_ebs_refuses(void **state)
{
	static const struct {
		struct volume_wish w;
		const char *code;
	} cases[] = {
		{ { "gp4", 8 * GIB, 0, 0, false }, "UnknownVolumeType" },
		{ { "GP3", 8 * GIB, 0, 0, false }, "UnknownVolumeType" },
		{ { "gp3", 16384 * GIB + 1, 0, 0, false }, "InvalidParameterValue" },
		{ { "st1", 124 * GIB, 0, 0, false }, "InvalidParameterValue" },
		{ { "io1", 3 * GIB, 100, 0, false }, "InvalidParameterValue" },
		{ { "io1", 4 * GIB, 0, 0, false }, "MissingParameter" },
		{ { "io2", 8 * GIB, 99, 0, false }, "InvalidParameterValue" },
		{ { "io1", 100 * GIB, 5001, 0, false }, "InvalidParameterValue" },
		{ { "gp2", 8 * GIB, 3000, 0, false }, "InvalidParameterCombination" },
		{ { "standard", 8 * GIB, 100, 0, false }, "InvalidParameterCombination" },
		{ { "gp2", 8 * GIB, 0, 125, false }, "InvalidParameterCombination" },
		{ { "io2", 8 * GIB, 100, 125, false }, "InvalidParameterCombination" },
		{ { "gp3", 8 * GIB, 2999, 0, false }, "InvalidParameterValue" },
		{ { "gp3", 8 * GIB, 4001, 0, false }, "InvalidParameterValue" },
		{ { "gp3", 8 * GIB, 0, 124, false }, "InvalidParameterValue" },
		{ { "gp3", 8 * GIB, 0, 1001, false }, "InvalidParameterValue" },
		{ { "gp3", 8 * GIB, 0, 751, false }, "InvalidParameterValue" },
	};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(cases); k++) {
		struct volume v = { .id = "" };
		struct fault f = { .code = "" };

		assert_int_equal(volume_type_check(&cases[k].w, &v, &f), -EINVAL);
		assert_string_equal(f.code, cases[k].code);
		assert_string_equal(v.type, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(volume_type_check__knows_what_each_type_has),
		cmocka_unit_test(volume_type_check__refuses_what_ebs_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
