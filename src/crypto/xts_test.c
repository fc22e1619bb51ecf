/* SPDX-License-Identifier: Apache-2.0 */

#include "crypto/xts.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "xts_ref.h"

/* IEEE 1619-2018, vector 10: the keys are digits of e and pi. */
static const uint8_t ieee_key[64] = {
	0x27, 0x18, 0x28, 0x18, 0x28, 0x45, 0x90, 0x45, 0x23, 0x53, 0x60, 0x28, 0x74,
	0x71, 0x35, 0x26, 0x62, 0x49, 0x77, 0x57, 0x24, 0x70, 0x93, 0x69, 0x99, 0x59,
	0x57, 0x49, 0x66, 0x96, 0x76, 0x27, 0x31, 0x41, 0x59, 0x26, 0x53, 0x58, 0x97,
	0x93, 0x23, 0x84, 0x62, 0x64, 0x33, 0x83, 0x27, 0x95, 0x02, 0x88, 0x41, 0x97,
	0x16, 0x93, 0x99, 0x37, 0x51, 0x05, 0x82, 0x09, 0x74, 0x94, 0x45, 0x92,
};

static struct key *test_key(void)
{
	struct key *k;

	assert_int_equal(key_new_from(ieee_key, sizeof(ieee_key), &k), 0);
	return k;
}

static void fill(uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(i * 7 + i / 256);
}

static void xts_ref__matches_the_published_vector(void **state)
{
	static const uint8_t want[32] = {
		0x1c, 0x3b, 0x3a, 0x10, 0x2f, 0x77, 0x03, 0x86, 0xe4, 0x83, 0x6c,
		0x99, 0xe3, 0x70, 0xcf, 0x9b, 0xea, 0x00, 0x80, 0x3f, 0x5e, 0x48,
		0x23, 0x57, 0xa4, 0xae, 0x12, 0xd4, 0x14, 0xa3, 0xe6, 0x3b,
	};
	uint8_t in[512], out[512], back[512];

	(void)state;
	for (unsigned i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)i;
	xts_ref_encrypt(ieee_key, 0xff, in, out, sizeof(in));
	assert_memory_equal(out, want, sizeof(want));
	xts_ref_decrypt(ieee_key, 0xff, out, back, sizeof(out));
	assert_memory_equal(back, in, sizeof(in));
}

static void xts_encrypt__unit_n_has_tweak_8n(void **state)
{
	static const uint64_t units[] = {
		0, 1, 2, 255, 0x20000000, (uint64_t)1 << 40, UINT64_MAX / 8 - 1
	};
	struct key *k = test_key();
	static uint8_t in[4096], out[4096], want[4096];
	struct xts *x;

	(void)state;
	fill(in, sizeof(in));
	assert_int_equal(xts_new(k, &x), 0);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		xts_ref_encrypt(ieee_key, units[i] * 8, in, want, sizeof(in));
		assert_int_equal(xts_encrypt(x, units[i], in, out, 1), 0);
		assert_memory_equal(out, want, sizeof(want));
		assert_int_equal(xts_decrypt(x, units[i], out, out, 1), 0);
		assert_memory_equal(out, in, sizeof(in));
	}
	xts_free(x);
	key_free(k);
}

static void xts_encrypt__run_equals_single_units(void **state)
{
	enum { CNT = 5 };
	struct key *k = test_key();
	uint8_t *in = malloc(CNT * 4096), *out = malloc(CNT * 4096), want[4096];
	struct xts *x;

	(void)state;
	fill(in, CNT * 4096);
	assert_int_equal(xts_new(k, &x), 0);
	assert_int_equal(xts_encrypt(x, 77, in, out, CNT), 0);
	for (size_t i = 0; i < CNT; i++) {
		assert_int_equal(xts_encrypt(x, 77 + i, in + i * 4096, want, 1), 0);
		assert_memory_equal(out + i * 4096, want, 4096);
	}
	assert_int_equal(xts_decrypt(x, 77, out, out, CNT), 0);
	assert_memory_equal(out, in, CNT * 4096);
	xts_free(x);
	key_free(k);
	free(in);
	free(out);
}

static void xts_encrypt__rejects_units_whose_tweak_wraps(void **state)
{
	struct key *k = test_key();
	uint8_t b[4096] = { 0 };
	struct xts *x;

	(void)state;
	assert_int_equal(xts_new(k, &x), 0);
	assert_int_equal(xts_encrypt(x, UINT64_MAX / 8 + 1, b, b, 1), -EINVAL);
	assert_int_equal(xts_encrypt(x, UINT64_MAX / 8, b, b, 2), -EINVAL);
	assert_int_equal(xts_decrypt(x, UINT64_MAX, b, b, 1), -EINVAL);
	xts_free(x);
	key_free(k);
}

static void xts_new__rejects_equal_halves(void **state)
{
	uint8_t bytes[64];
	struct xts *x = NULL;
	struct key *k;

	(void)state;
	memcpy(bytes, ieee_key, 32);
	memcpy(bytes + 32, ieee_key, 32);
	assert_int_equal(key_new_from(bytes, sizeof(bytes), &k), 0);
	assert_int_equal(xts_new(k, &x), -EINVAL);
	assert_null(x);
	key_free(k);

	bytes[63] ^= 1;
	assert_int_equal(key_new_from(bytes, sizeof(bytes), &k), 0);
	assert_int_equal(xts_new(k, &x), 0);
	xts_free(x);
	key_free(k);
}

static void xts_new__rejects_a_key_of_256_bits(void **state)
{
	struct xts *x = NULL;
	struct key *k;

	(void)state;
	assert_int_equal(key_new_from(ieee_key, 32, &k), 0);
	assert_int_equal(xts_new(k, &x), -EINVAL);
	key_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(xts_ref__matches_the_published_vector),
		cmocka_unit_test(xts_encrypt__unit_n_has_tweak_8n),
		cmocka_unit_test(xts_encrypt__run_equals_single_units),
		cmocka_unit_test(xts_encrypt__rejects_units_whose_tweak_wraps),
		cmocka_unit_test(xts_new__rejects_equal_halves),
		cmocka_unit_test(xts_new__rejects_a_key_of_256_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
