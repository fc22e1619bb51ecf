/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/ecdsa.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "crypto/crypto.h"
#include "crypto/hash.h"
#include "crypto/hex_test.h"

/* spec: rfc-6979 §A.2.6, SHA-384 */
static const char pub_hex[] = "ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64"
			      "def8f0ea9055866064a254515480bc13"
			      "8015d9b72d7d57244ea8ef9ac0c621896708a59367f9dfb9f54ca84b3f1c9db1"
			      "288b231c3ae0d4fe7344fd2533264720";
static const struct {
	const char *msg, *sig;
} rfc[] = {
	{ "sample", "94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c"
		    "81a648152e44acf96e36dd1e80fabe46"
		    "99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94f"
		    "a329c145786e679e7b82c71a38628ac8" },
	{ "test", "8203b63d3c853e8d77227fb377bcf7b7b772e97892a80f36ab775d509d7a5feb"
		  "0542a7f0812998da8f1dd3ca3cf023db"
		  "ddd0760448d42d8a43af45af836fce4de8be06b485e9b61b827c2f13173923e0"
		  "6a739f040649a667bf3b828246baa5a5" },
};

static void ecdsa_p384_verify__agrees_with_the_rfc(void **state)
{
	uint8_t pub[96], sig[96];
	size_t i;

	(void)state;
	hex(pub_hex, pub, sizeof(pub));
	for (i = 0; i < ARRAY_SIZE(rfc); i++) {
		hex(rfc[i].sig, sig, sizeof(sig));
		assert_int_equal(ecdsa_p384_verify(pub, rfc[i].msg, strlen(rfc[i].msg), sig), 0);
		assert_int_equal(ecdsa_p384_verify(pub, "tesu", 4, sig), -EBADMSG);
	}
}

static void ecdsa_p384_verify__refuses_changed_bits_and_strange_numbers(void **state)
{
	uint8_t pub[96], sig[96], b[96];
	size_t bit;

	(void)state;
	hex(pub_hex, pub, sizeof(pub));
	hex(rfc[0].sig, sig, sizeof(sig));
	for (bit = 0; bit < sizeof(sig) * 8; bit += 5) {
		memcpy(b, sig, sizeof(b));
		b[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_int_equal(ecdsa_p384_verify(pub, "sample", 6, b), -EBADMSG);
		memcpy(b, pub, sizeof(b));
		b[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_int_equal(ecdsa_p384_verify(b, "sample", 6, sig), -EBADMSG);
	}
	memset(b, 0, sizeof(b)); /* r = s = 0 */
	assert_int_equal(ecdsa_p384_verify(pub, "sample", 6, b), -EBADMSG);
	memset(b, 0xff, sizeof(b)); /* above the order */
	assert_int_equal(ecdsa_p384_verify(pub, "sample", 6, b), -EBADMSG);
	memset(b, 0, sizeof(b)); /* r = s = 1 */
	b[47] = b[95] = 1;
	assert_int_equal(ecdsa_p384_verify(pub, "sample", 6, b), -EBADMSG);
}

static void ecdsa_p384_sign__is_verified_by_its_own_key_only(void **state)
{
	CLEANUP(key_freep) struct key *k = NULL, *other = NULL, *bad = NULL;
	uint8_t pub[96], pub_other[96], sig[96], again[96];

	(void)state;
	assert_int_equal(p384_new(&k, pub), 0);
	assert_int_equal(p384_new(&other, pub_other), 0);
	assert_int_equal(ecdsa_p384_sign(k, "message", 7, sig), 0);
	assert_int_equal(ecdsa_p384_verify(pub, "message", 7, sig), 0);
	assert_int_equal(ecdsa_p384_verify(pub_other, "message", 7, sig), -EBADMSG);
	assert_int_equal(ecdsa_p384_verify(pub, "messag", 6, sig), -EBADMSG);
	assert_int_equal(ecdsa_p384_sign(k, "message", 7, again), 0);
	assert_memory_not_equal(sig, again, 48); /* no nonce is used twice */
	assert_int_equal(key_new_zero(48, &bad), 0);
	assert_int_equal(ecdsa_p384_sign(bad, "message", 7, sig), -EINVAL);
}

/* Made with: openssl pkey -pubin -outform DER | sha256sum */
static void ecdsa_p384_spki__is_what_openssl_writes(void **state)
{
	uint8_t pub[96], der[ECDSA_P384_SPKI_BYTES], sum[HASH_SHA256_BYTES],
		want[HASH_SHA256_BYTES];

	(void)state;
	hex(pub_hex, pub, sizeof(pub));
	ecdsa_p384_spki(pub, der);
	assert_int_equal(hash_sha256(der, sizeof(der), sum), 0);
	hex("2f95601fa82060b909bfc6b979dbd303d34d34e0afb27ea496beac362f242a4b", want, sizeof(want));
	assert_memory_equal(sum, want, sizeof(sum));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ecdsa_p384_verify__agrees_with_the_rfc),
		cmocka_unit_test(ecdsa_p384_verify__refuses_changed_bits_and_strange_numbers),
		cmocka_unit_test(ecdsa_p384_sign__is_verified_by_its_own_key_only),
		cmocka_unit_test(ecdsa_p384_spki__is_what_openssl_writes),
	};

	if (crypto_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("crypto/ecdsa", tests, NULL, NULL);
}
