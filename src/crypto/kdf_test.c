/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/kdf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "crypto/crypto.h"
#include "crypto/hex_test.h"

/*
 * RFC 5869 publishes vectors for SHA-256 and SHA-1 only. These are its inputs (A.1, A.3, and A.2 shortened to a
 * key of 64 bytes) under SHA-384, computed by a second implementation: HMAC by HMAC in Python.
 * spec: rfc-5869 §2.2, §2.3
 */
static void kdf_hkdf_sha384__agrees_with_a_second_implementation(void **state)
{
	static const struct {
		const char *ikm, *salt, *info, *okm;
	} cases[] = {
		{ "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c",
		  "f0f1f2f3f4f5f6f7f8f9",
		  "9b5097a86038b805309076a44b3a9f38063e25b516dcbf369f394cfab43685f748b6457763e4f020"
		  "4fc5" },
		{ "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
		  "c8c96e710f89b0d7990bca68bcdec8cf854062e54c73a7abc743fade9b242daacc1cea5670415b52"
		  "849c" },
		{ "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
		  "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f",
		  "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f"
		  "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"
		  "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
		  "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecf"
		  "d0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeef"
		  "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
		  "aead3569efd129c32af9d84a5e047c59d936aedcaab2369c8020d68231f25165"
		  "99a886ba7ae209a4889a1a7b38a43846c72e735b27c7813c6760015648767113" },
	};
	uint8_t ikm[64], salt[80], info[80], okm[64];
	size_t i, ikm_len, salt_len, info_len, len;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(key_freep) struct key *k = NULL, *out = NULL, *other = NULL;

		ikm_len = hex(cases[i].ikm, ikm, sizeof(ikm));
		salt_len = hex(cases[i].salt, salt, sizeof(salt));
		info_len = hex(cases[i].info, info, sizeof(info));
		len = hex(cases[i].okm, okm, sizeof(okm));
		assert_int_equal(key_new_from(ikm, ikm_len, &k), 0);
		assert_int_equal(kdf_hkdf_sha384(k, salt, salt_len, info, info_len, len, &out), 0);
		assert_int_equal(key_len(out), len);
		assert_memory_equal(key_bytes(out), okm, len);

		assert_int_equal(kdf_hkdf_sha384(k, salt, salt_len, "other", 5, len, &other), 0);
		assert_false(key_equal(out, other));
	}
}

static void kdf_hkdf_sha384__refuses_more_than_a_key(void **state)
{
	CLEANUP(key_freep) struct key *k = NULL, *out = NULL;

	(void)state;
	assert_int_equal(key_new_random(32, &k), 0);
	assert_int_equal(kdf_hkdf_sha384(k, NULL, 0, "x", 1, KEY_BYTES_MAX + 1, &out), -EINVAL);
	assert_int_equal(kdf_hkdf_sha384(k, NULL, 0, "x", 1, 0, &out), -EINVAL);
	assert_null(out);
	assert_int_equal(kdf_hkdf_sha384(k, NULL, 0, "x", 1, KEY_BYTES_MAX, &out), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kdf_hkdf_sha384__agrees_with_a_second_implementation),
		cmocka_unit_test(kdf_hkdf_sha384__refuses_more_than_a_key),
	};

	if (crypto_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("crypto/kdf", tests, NULL, NULL);
}
