/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/ecdh.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "crypto/crypto.h"
#include "crypto/hex_test.h"

/* spec: rfc-7748 §6.1 */
static void x25519_shared__agrees_with_the_rfc(void **state)
{
	static const struct {
		const char *own, *peer;
	} cases[] = {
		{ "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
		  "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f" },
		{ "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
		  "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a" },
	};
	uint8_t own[32], peer[32], want[32];
	size_t i;

	(void)state;
	hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742", want, sizeof(want));
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(key_freep) struct key *k = NULL, *s = NULL;

		hex(cases[i].own, own, sizeof(own));
		hex(cases[i].peer, peer, sizeof(peer));
		assert_int_equal(key_new_from(own, sizeof(own), &k), 0);
		assert_int_equal(x25519_shared(k, peer, &s), 0);
		assert_int_equal(key_len(s), sizeof(want));
		assert_memory_equal(key_bytes(s), want, sizeof(want));
	}
}

/* Every point of small order, and their forms beyond the field's prime. spec: rfc-7748 §6.1 */
static void x25519_shared__refuses_points_of_small_order(void **state)
{
	static const char *const points[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	};
	CLEANUP(key_freep) struct key *k = NULL, *s = NULL;
	uint8_t b[32];
	size_t i;

	(void)state;
	assert_int_equal(x25519_new(&k, b), 0);
	for (i = 0; i < ARRAY_SIZE(points); i++) {
		hex(points[i], b, sizeof(b));
		assert_int_equal(x25519_shared(k, b, &s), -EBADMSG);
		assert_null(s);
	}
}

static void x25519_new__makes_pairs_that_agree(void **state)
{
	CLEANUP(key_freep)
	struct key *a = NULL,
		   *b = NULL, *ab = NULL, *ba = NULL, *short_key = NULL;
	uint8_t pa[32], pb[32];

	(void)state;
	assert_int_equal(x25519_new(&a, pa), 0);
	assert_int_equal(x25519_new(&b, pb), 0);
	assert_memory_not_equal(pa, pb, sizeof(pa));
	assert_int_equal(x25519_shared(a, pb, &ab), 0);
	assert_int_equal(x25519_shared(b, pa, &ba), 0);
	assert_true(key_equal(ab, ba));
	assert_int_equal(key_new_random(31, &short_key), 0);
	key_freep(&ab);
	assert_int_equal(x25519_shared(short_key, pb, &ab), -EINVAL);
}

/* spec: rfc-5903 §8.2 */
static const char i_private[] = "099f3c7034d4a2c699884d73a375a67f7624ef7c6b3c0f160647b67414dce655"
				"e35b538041e649ee3faef896783ab194";
static const char i_public[] = "667842d7d180ac2cde6f74f37551f55755c7645c20ef73e31634fe72b4c55ee6"
			       "de3ac808acb4bdb4c88732aee95f41aa"
			       "9482ed1fc0eeb9cafc4984625ccfc23f65032149e0e144ada024181535a0f38e"
			       "eb9fcff3c2c947dae69b4c634573a81c";
static const char r_private[] = "41cb0779b4bdb85d47846725fbec3c9430fab46cc8dc5060855cc9bda0aa2942"
				"e0308312916b8ed2960e4bd55a7448fc";
static const char r_public[] = "e558dbef53eecde3d3fccfc1aea08a89a987475d12fd950d83cfa41732bc509d"
			       "0d1ac43a0336def96fda41d0774a3571"
			       "dcfbec7aacf3196472169e838430367f66eebe3c6e70c416dd5f0c68759dd1ff"
			       "f83fa40142209dff5eaad96db9e6386c";
static const char ir_shared[] = "11187331c279962d93d604243fd592cb9d0a926f422e47187521287e7156c5c4"
				"d603135569b9e9d09cf5d4a270f59746";

static void p384_shared__agrees_with_the_rfc(void **state)
{
	static const struct {
		const char *own, *own_public, *peer;
	} cases[] = { { i_private, i_public, r_public }, { r_private, r_public, i_public } };
	uint8_t own[48], own_public[96], peer[96], want[48], pub[96];
	size_t i;

	(void)state;
	hex(ir_shared, want, sizeof(want));
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(key_freep) struct key *k = NULL, *s = NULL;

		hex(cases[i].own, own, sizeof(own));
		hex(cases[i].own_public, own_public, sizeof(own_public));
		hex(cases[i].peer, peer, sizeof(peer));
		assert_int_equal(key_new_from(own, sizeof(own), &k), 0);
		assert_int_equal(p384_public(k, pub), 0);
		assert_memory_equal(pub, own_public, sizeof(pub));
		assert_int_equal(p384_shared(k, peer, &s), 0);
		assert_int_equal(key_len(s), sizeof(want));
		assert_memory_equal(key_bytes(s), want, sizeof(want));
	}
}

static void p384_shared__refuses_what_is_no_point(void **state)
{
	CLEANUP(key_freep) struct key *k = NULL, *s = NULL;
	uint8_t good[96], b[96];
	size_t bit;

	(void)state;
	assert_int_equal(p384_new(&k, b), 0);
	memset(b, 0, sizeof(b));
	assert_int_equal(p384_shared(k, b, &s), -EBADMSG);
	memset(b, 0xff, sizeof(b));
	assert_int_equal(p384_shared(k, b, &s), -EBADMSG);
	hex(r_public, good, sizeof(good));
	assert_int_equal(p384_shared(k, good, &s), 0);
	key_freep(&s);
	/* One changed bit of a point is never a point: Y has two values for an X, and they differ in more. */
	for (bit = 0; bit < sizeof(b) * 8; bit += 7) {
		memcpy(b, good, sizeof(b));
		b[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_int_equal(p384_shared(k, b, &s), -EBADMSG);
	}
	assert_null(s);
}

static void p384_public__knows_the_order(void **state)
{
	static const char order[] = "ffffffffffffffffffffffffffffffffffffffffffffffff"
				    "c7634d81f4372ddf581a0db248b0a77aecec196accc52973";
	uint8_t n[48], pub[96];
	static const int delta[] = { -1, 0, 1 };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(delta); i++) {
		CLEANUP(key_freep) struct key *k = NULL;

		hex(order, n, sizeof(n));
		n[47] = (uint8_t)(n[47] + delta[i]);
		assert_int_equal(key_new_from(n, sizeof(n), &k), 0);
		assert_int_equal(p384_public(k, pub), delta[i] < 0 ? 0 : -EINVAL);
	}
	memset(n, 0, sizeof(n));
	for (i = 0; i < 2; i++) {
		CLEANUP(key_freep) struct key *k = NULL;

		n[47] = (uint8_t)i;
		assert_int_equal(key_new_from(n, sizeof(n), &k), 0);
		assert_int_equal(p384_public(k, pub), i ? 0 : -EINVAL);
	}
}

static void p384_new__makes_pairs_that_agree(void **state)
{
	CLEANUP(key_freep) struct key *a = NULL, *b = NULL, *ab = NULL, *ba = NULL, *x = NULL;
	uint8_t pa[96], pb[96];

	(void)state;
	assert_int_equal(p384_new(&a, pa), 0);
	assert_int_equal(p384_new(&b, pb), 0);
	assert_false(key_equal(a, b));
	assert_int_equal(p384_shared(a, pb, &ab), 0);
	assert_int_equal(p384_shared(b, pa, &ba), 0);
	assert_true(key_equal(ab, ba));
	assert_int_equal(key_new_random(47, &x), 0);
	key_freep(&ab);
	assert_int_equal(p384_shared(x, pb, &ab), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(x25519_shared__agrees_with_the_rfc),
		cmocka_unit_test(x25519_shared__refuses_points_of_small_order),
		cmocka_unit_test(x25519_new__makes_pairs_that_agree),
		cmocka_unit_test(p384_shared__agrees_with_the_rfc),
		cmocka_unit_test(p384_shared__refuses_what_is_no_point),
		cmocka_unit_test(p384_public__knows_the_order),
		cmocka_unit_test(p384_new__makes_pairs_that_agree),
	};

	if (crypto_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("crypto/ecdh", tests, NULL, NULL);
}
