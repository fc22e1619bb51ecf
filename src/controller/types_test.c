/* SPDX-License-Identifier: Apache-2.0 */

#include "controller/types.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* spec: ec2-types */
static void type_find__knows_ec2s_figures(void **state)
{
	static const struct {
		const char *name;
		uint16_t vcpus;
		uint32_t ram_mib;
	} cases[] = {
		{ "t3.nano", 2, 512 },       { "t3.micro", 2, 1024 },
		{ "t3.small", 2, 2048 },     { "t3.medium", 2, 4096 },
		{ "t3.large", 2, 8192 },     { "t3.xlarge", 4, 16384 },
		{ "t3.2xlarge", 8, 32768 },  { "t3a.nano", 2, 512 },
		{ "c5.large", 2, 4096 },     { "c5.xlarge", 4, 8192 },
		{ "c5.9xlarge", 36, 73728 }, { "m5.large", 2, 8192 },
		{ "r5.large", 2, 16384 },    { "m6i.32xlarge", 128, 524288 },
	};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(cases); k++) {
		const struct instance_type *t = type_find(cases[k].name);

		assert_non_null(t);
		assert_int_equal(t->vcpus, cases[k].vcpus);
		assert_int_equal(t->ram_mib, cases[k].ram_mib);
	}
}

/* spec: ec2-types: network columns */
static void type_network__is_ec2s_baseline_and_burst(void **state)
{
	static const struct {
		const char *name;
		uint64_t baseline_mbit, burst_mbit;
	} cases[] = {
		{ "t3.nano", 32, 5000 },      { "t3.micro", 64, 5000 },
		{ "t3.2xlarge", 2048, 5000 }, { "c5.large", 750, 10000 },
		{ "c5.xlarge", 1250, 10000 }, { "m5.24xlarge", 25000, 25000 },
		{ "m6i.large", 781, 12500 },  { "r6i.32xlarge", 50000, 50000 },
	};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(cases); k++) {
		struct type_network n = type_network(type_find(cases[k].name));

		assert_int_equal(n.bps_baseline, cases[k].baseline_mbit * 1000000);
		assert_int_equal(n.bps_burst, cases[k].burst_mbit * 1000000);
		assert_int_equal(n.burst_seconds > 0, cases[k].baseline_mbit < cases[k].burst_mbit);
	}
	for (size_t k = 0; k < instance_type_cnt; k++) {
		struct type_network n = type_network(&instance_types[k]);

		assert_true(n.bps_baseline > 0 && n.bps_baseline <= n.bps_burst && n.pps > 0);
		assert_in_range(n.conntrack_max, 16384, 1 << 18); /* VPC_CONNTRACK_MAX */
	}
}

static void type_find__rejects_others(void **state)
{
	static const char *const bad[] = { "",        "t3",      "t3.",     "t3.nano ",
					   "T3.nano", "t9.huge", "t3.nanoo" };

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(bad); k++)
		assert_null(type_find(bad[k]));
}

static void types__are_listed_once_and_have_whole_cores(void **state)
{
	(void)state;
	for (size_t k = 0; k < instance_type_cnt; k++) {
		assert_ptr_equal(type_find(instance_types[k].name), &instance_types[k]);
		assert_int_equal(instance_types[k].vcpus % 2, 0);
		assert_int_equal(type_default_cpus(&instance_types[k]).cores * 2,
				 instance_types[k].vcpus);
	}
}

static void cpus_parse__takes_what_the_type_has(void **state)
{
	const struct instance_type *t = type_find("t3.xlarge");
	struct cpu_options o;

	(void)state;
	assert_int_equal(cpus_parse(t, "1x1", &o), 0);
	assert_int_equal(o.cores, 1);
	assert_int_equal(o.threads, 1);
	assert_int_equal(cpus_parse(t, "2x2", &o), 0);
	assert_int_equal(o.cores, 2);
	assert_int_equal(o.threads, 2);
}

static void cpus_parse__rejects_the_rest(void **state)
{
	static const char *const shape[] = { "",     "x",   "2",   "2x",   "x2",  "2x2x2", "2 x2",
					     "02x1", "0x1", "1x0", "+1x1", "1X1", "1000x1" };
	static const char *const range[] = { "3x1", "1x3", "2x4", "999x1" };
	const struct instance_type *t = type_find("t3.xlarge");
	struct cpu_options o = { 7, 7 };

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(shape); k++)
		assert_int_equal(cpus_parse(t, shape[k], &o), -EINVAL);
	for (size_t k = 0; k < ARRAY_SIZE(range); k++)
		assert_int_equal(cpus_parse(t, range[k], &o), -ERANGE);
	assert_int_equal(o.cores, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(type_find__knows_ec2s_figures),
		cmocka_unit_test(type_find__rejects_others),
		cmocka_unit_test(type_network__is_ec2s_baseline_and_burst),
		cmocka_unit_test(types__are_listed_once_and_have_whole_cores),
		cmocka_unit_test(cpus_parse__takes_what_the_type_has),
		cmocka_unit_test(cpus_parse__rejects_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
