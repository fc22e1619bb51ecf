/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "init.h"

#define SEED "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff"

static void cmdline__takes_our_words_and_passes_over_others(void **state)
{
	struct init_conf c;

	(void)state;
	assert_int_equal(
		init_cmdline_parse(
			"console=ttyS0 niter.mode=simulated quiet niter.state=/dev/vda niter.lab=1 "
			"niter.tpm-kind=swtpm niter.wait-go=1\n",
			&c),
		0);
	assert_string_equal(c.mode, "simulated");
	assert_string_equal(c.state, "/dev/vda");
	assert_string_equal(c.tpm_kind, "swtpm");
	assert_true(c.lab);
	assert_true(c.wait_go);
}

static void cmdline__defaults_to_a_measured_server(void **state)
{
	struct init_conf c;

	(void)state;
	assert_int_equal(init_cmdline_parse("quiet", &c), 0);
	assert_string_equal(c.mode, "server");
	assert_string_equal(c.tpm_kind, "hardware");
	assert_false(c.lab);
	assert_false(c.wait_go);
}

static void cmdline__refuses_unknown_and_wrong_words(void **state)
{
	static const char *const wrong[] = {
		"niter.moed=server", "niter.mode=hosted", "niter.mode=", "niter.lab=2",
		"niter.lab=",        "niter.lab",         "niter.",      "niter.wait-go=yes",
	};
	struct init_conf c;

	(void)state;
	for (size_t n = 0; n < ARRAY_SIZE(wrong); n++)
		assert_int_equal(init_cmdline_parse(wrong[n], &c), -EPROTO);
}

static void go__reads_seed_and_time(void **state)
{
	uint8_t seed[INIT_SEED_BYTES];
	int64_t seconds;

	(void)state;
	assert_int_equal(init_go_parse("go " SEED " 1795368977\n", seed, &seconds), 0);
	assert_int_equal(seconds, 1795368977);
	assert_int_equal(seed[1], 1);
	assert_int_equal(seed[31], 0xff);
}

static void go__refuses_what_is_not_exact(void **state)
{
	static const char *const wrong[] = {
		"go\n",
		"go " SEED "\n",
		"go " SEED " \n",
		"go " SEED " x\n",
		"go " SEED " 0\n",
		"go " SEED " -5\n",
		"go " SEED " 1 1\n",
		"gone " SEED " 1\n",
		"go 0" SEED " 1\n",
		"GO " SEED " 1\n",
		"go " SEED "1795368977\n",
	};
	uint8_t seed[INIT_SEED_BYTES];
	int64_t seconds;

	(void)state;
	for (size_t n = 0; n < ARRAY_SIZE(wrong); n++)
		assert_int_equal(init_go_parse(wrong[n], seed, &seconds), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cmdline__takes_our_words_and_passes_over_others),
		cmocka_unit_test(cmdline__defaults_to_a_measured_server),
		cmocka_unit_test(cmdline__refuses_unknown_and_wrong_words),
		cmocka_unit_test(go__reads_seed_and_time),
		cmocka_unit_test(go__refuses_what_is_not_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
