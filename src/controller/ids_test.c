/* SPDX-License-Identifier: Apache-2.0 */

#include "controller/ids.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/crypto.h"

static void id_make__gives_ids_that_are_valid(void **state)
{
	static const uint8_t zero[ID_RANDOM_BYTES],
		ones[ID_RANDOM_BYTES] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	char id[CTL_ID_MAX], long_id[MODEL_ID_MAX];

	(void)state;
	id_make(ID_INSTANCE, zero, id, sizeof(id));
	assert_string_equal(id, "i-00000000000000000");
	assert_true(id_valid(ID_INSTANCE, id));
	id_make(ID_VOLUME, ones, id, sizeof(id));
	assert_string_equal(id, "vol-0ffffffffffffffff");
	assert_true(id_valid(ID_VOLUME, id));
	id_make(ID_IMAGE, ones, id, sizeof(id));
	assert_true(id_valid(ID_IMAGE, id));
	id_make(ID_SUBNET, ones, long_id,
		sizeof(long_id)); /* the one that is longer than the others */
	assert_string_equal(long_id, "subnet-0ffffffffffffffff");
	assert_true(id_valid(ID_SUBNET, long_id));
	id_make(ID_INTERFACE, zero, id, sizeof(id));
	assert_true(id_valid(ID_INTERFACE, id));
	id_make(ID_GROUP_RULE, zero, id, sizeof(id));
	assert_true(id_valid(ID_GROUP_RULE, id));
	assert_false(id_valid(ID_GROUP, id));
}

static void id_valid__rejects_what_only_looks_like_one(void **state)
{
	static const char *const bad[] = { "",
					   "i-",
					   "i-0123456789abcdef",
					   "i-0123456789abcdef01",
					   "i-0123456789abcdeF0",
					   "vol-0123456789abcdef0",
					   "i-0123456789abcdefg",
					   " i-0123456789abcdef0",
					   "i-0123456789abcdef0 " };

	(void)state;
	assert_true(id_valid(ID_INSTANCE, "i-0123456789abcdef0"));
	for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++)
		assert_false(id_valid(ID_INSTANCE, bad[k]));
}

static void id_short_valid__takes_three_digits_and_no_fewer(void **state)
{
	(void)state;
	assert_true(id_short_valid(ID_INSTANCE, "i-012"));
	assert_true(id_short_valid(ID_INSTANCE, "i-0123456789abcdef0"));
	assert_false(id_short_valid(ID_INSTANCE, "i-01"));
	assert_false(id_short_valid(ID_INSTANCE, "ami-012"));
	assert_false(id_short_valid(ID_INSTANCE, "i-0123456789abcdef01"));
}

static void name_valid__takes_names_and_rejects_the_rest(void **state)
{
	static const char *const good[] = {
		"a",         "web-1",
		"debian.12", "A_b",
		"0",         "i-am-no-id",
		"ami-x",     "x23456789012345678901234567890123456789012345678901234567890123"
	};
	static const char *const bad[] = {
		"",
		"-a",
		".a",
		"a b",
		"a/b",
		"../x",
		"a\n",
		"\xc3\xbc",
		"i-0123456",
		"vol-abc",
		"x234567890123456789012345678901234567890123456789012345678901234"
	};

	(void)state;
	for (size_t k = 0; k < sizeof(good) / sizeof(good[0]); k++)
		assert_true(name_valid(good[k]));
	for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++)
		assert_false(name_valid(bad[k]));
}

/* cloud-init looks at the first three digits; what a guest once saw must never change. */
static void id_uuid__begins_with_ec2_and_is_the_same_for_ever(void **state)
{
	static const uint8_t golden[16] = { 0xec, 0x22, 0xe9, 0x25, 0x07, 0xaf, 0x48, 0x54,
					    0x93, 0x76, 0x86, 0x2b, 0xe5, 0xf9, 0x8a, 0x97 };
	uint8_t a[16], b[16];

	(void)state;
	assert_int_equal(id_uuid("i-0123456789abcdef0", a), 0);
	assert_memory_equal(a, golden, sizeof(a));
	assert_int_equal(a[0], 0xec);
	assert_int_equal(a[1] >> 4, 2);
	assert_int_equal(a[6] >> 4, 4);
	assert_int_equal(a[8] >> 6, 2);
	assert_int_equal(id_uuid("i-0123456789abcdef1", b), 0);
	assert_memory_not_equal(a, b, sizeof(a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(id_make__gives_ids_that_are_valid),
		cmocka_unit_test(id_valid__rejects_what_only_looks_like_one),
		cmocka_unit_test(id_short_valid__takes_three_digits_and_no_fewer),
		cmocka_unit_test(name_valid__takes_names_and_rejects_the_rest),
		cmocka_unit_test(id_uuid__begins_with_ec2_and_is_the_same_for_ever),
	};

	if (crypto_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
