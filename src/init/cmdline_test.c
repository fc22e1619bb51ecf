/* SPDX-License-Identifier: Apache-2.0 */
#include "cmdline.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void cmdline__reads_our_words_among_the_kernels(void **state)
{
	struct cmdline c;
	char bad[WORD_MAX];

	(void)state;
	assert_int_equal(
		cmdline_parse("console=ttyS0 panic=-1 niter.mode=simulated niter.state=/dev/vda "
			      "niter.lab=1 "
			      "niter.tpm-kind=swtpm niter.wait-go=1 niter.placement=whole quiet\n",
			      &c, bad, sizeof(bad)),
		0);
	assert_string_equal(c.mode, "simulated");
	assert_string_equal(c.state, "/dev/vda");
	assert_string_equal(c.tpm_kind, "swtpm");
	assert_string_equal(c.placement, "whole");
	assert_true(c.lab && c.wait_go);
}

static void cmdline__defaults_are_the_safe_ones(void **state)
{
	struct cmdline c;
	char bad[WORD_MAX];

	(void)state;
	assert_int_equal(cmdline_parse("", &c, bad, sizeof(bad)), 0);
	assert_string_equal(c.mode, "server");
	assert_string_equal(c.tpm_kind, "hardware");
	assert_string_equal(c.placement, "auto");
	assert_string_equal(c.state, "");
	assert_false(c.lab || c.wait_go);
}

static void cmdline__reads_the_hosts_network_devices(void **state)
{
	struct cmdline c;
	char bad[WORD_MAX];

	(void)state;
	assert_int_equal(cmdline_parse("niter.uplink=eth0,10.0.2.15/24,10.0.2.2 niter.link=eth1,10.77.0.1/8\n", &c, bad,
				       sizeof(bad)),
			 0);
	assert_string_equal(c.uplink.name, "eth0");
	assert_memory_equal(c.uplink.addr, "\x0a\x00\x02\x0f", 4);
	assert_memory_equal(c.uplink.gateway, "\x0a\x00\x02\x02", 4);
	assert_int_equal(c.uplink.prefix, 24);
	assert_string_equal(c.link.name, "eth1");
	assert_int_equal(c.link.prefix, 8);
	assert_int_equal(c.link.gateway[0], 0);
}

static void cmdline__rejects_words_of_ours_that_are_wrong(void **state)
{
	static const char *const text[] = {
		"niter.mode=hosted",
		"niter.mode",
		"niter.unknown=1",
		"niter.lab=yes",
		"niter.lab=",
		"niter.state=/etc/passwd",
		"niter.state=/dev/",
		"niter.state=/dev/../etc/x",
		"niter.state=/dev/.x",
		"niter.tpm-kind=none",
		"niter.wait-go=11",
		"niter.uplink=eth0",
		"niter.uplink=eth0,10.0.2.15/24",
		"niter.uplink=eth0,10.0.2.15/24,",
		"niter.uplink=eth0,10.0.2.15/24,10.0.2.2,1",
		"niter.uplink=eth0,10.0.2.15/0,10.0.2.2",
		"niter.uplink=eth0,10.0.2.15/32,10.0.2.2",
		"niter.uplink=eth0,10.0.2.15/024,10.0.2.2",
		"niter.uplink=eth0,10.0.2/24,10.0.2.2",
		"niter.uplink=../eth0,10.0.2.15/24,10.0.2.2",
		"niter.uplink=abcdefghijklmnop,10.0.2.15/24,10.0.2.2",
		"niter.link=eth1,10.77.0.1/24,10.77.0.2",
		"niter.link=,10.77.0.1/24",
		"niter.link=eth1,0.0.0.0/24",
		"niter.placement=any",
		"niter.mode="
		"simulatedsimulatedsimulatedsimulatedsimulatedsimulatedsimulatedsimulated",
		"niter."
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		"xxxxxxxxxxxx"
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx=1",
	};
	struct cmdline c;
	char bad[WORD_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(text); i++) {
		assert_int_equal(cmdline_parse(text[i], &c, bad, sizeof(bad)), -EINVAL);
		assert_memory_equal(bad, text[i], strlen(bad));
	}
}

static void modules__come_in_order_with_their_parameters(void **state)
{
	const char *p = "# first\nirqbypass\n\n  kvm-amd nested=0 npt=1  \nlast";
	struct module m;

	(void)state;
	assert_int_equal(module_next(&p, &m), 1);
	assert_string_equal(m.name, "irqbypass");
	assert_string_equal(m.params, "");
	assert_int_equal(module_next(&p, &m), 1);
	assert_string_equal(m.name, "kvm-amd");
	assert_string_equal(m.params, "nested=0 npt=1");
	assert_int_equal(module_next(&p, &m), 1);
	assert_string_equal(m.name, "last");
	assert_int_equal(module_next(&p, &m), 0);
	assert_int_equal(module_next(&p, &m), 0);
}

static void modules__that_are_paths_are_rejected_alone(void **state)
{
	const char *p = "../../etc/x\nkvm.ko\nKVM\n-\x01\ngood\n";
	struct module m;
	int i;

	(void)state;
	for (i = 0; i < 4; i++)
		assert_int_equal(module_next(&p, &m), -EINVAL);
	assert_int_equal(module_next(&p, &m), 1);
	assert_string_equal(m.name, "good");
	assert_int_equal(module_next(&p, &m), 0);
}

#define SEED "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff"

static void go__gives_seed_and_time(void **state)
{
	uint8_t seed[SEED_BYTES];
	int64_t s;

	(void)state;
	assert_int_equal(go_parse("go " SEED " 1700000000\n", seed, &s), 0);
	assert_int_equal(s, 1700000000);
	assert_int_equal(seed[1], 1);
	assert_int_equal(seed[31], 0xff);
}

static void go__rejects_anything_else(void **state)
{
	static const char *const text[] = {
		"",
		"go",
		"go " SEED,
		"go " SEED " 17",
		"go " SEED "17\n",
		"go " SEED " -1\n",
		"go " SEED " 17 \n",
		"go " SEED "00 17\n",
		"no " SEED " 17\n",
		"go X" SEED " 17\n",
		"go " SEED " 9999999999999\n",
		"go " SEED " 0\n",
		"go 00\n",
	};
	uint8_t seed[SEED_BYTES];
	int64_t s;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(text); i++)
		assert_int_equal(go_parse(text[i], seed, &s), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cmdline__reads_our_words_among_the_kernels),
		cmocka_unit_test(cmdline__defaults_are_the_safe_ones),
		cmocka_unit_test(cmdline__reads_the_hosts_network_devices),
		cmocka_unit_test(cmdline__rejects_words_of_ours_that_are_wrong),
		cmocka_unit_test(modules__come_in_order_with_their_parameters),
		cmocka_unit_test(modules__that_are_paths_are_rejected_alone),
		cmocka_unit_test(go__gives_seed_and_time),
		cmocka_unit_test(go__rejects_anything_else),
	};

	return cmocka_run_group_tests_name("init", tests, NULL, NULL);
}
