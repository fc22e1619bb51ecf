/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/gcm.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/crypto.h"
#include "crypto/crypto_priv.h"
#include "crypto/hex_test.h"

static const char zero_key[] = "0000000000000000000000000000000000000000000000000000000000000000";
static const char text_key[] = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";

/* spec: gcm-revised B (test cases 13 to 16: 256-bit keys, 96-bit nonces) */
static const struct vector {
	const char *key, *nonce, *aad, *plain, *cipher, *tag;
} vectors[] = {
	{ zero_key, "000000000000000000000000", "", "", "", "530f8afbc74536b9a963b4f1c4cb738b" },
	{ zero_key, "000000000000000000000000", "", "00000000000000000000000000000000",
	  "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919" },
	{ text_key, "cafebabefacedbaddecaf888", "",
	  "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
	  "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
	  "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
	  "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad",
	  "b094dac5d93471bdec1a502270e3cc6c" },
	{ text_key, "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
	  "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
	  "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
	  "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
	  "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
	  "76fc6ece0f4e1768cddf8853bb2d551b" },
};

static void gcm__gives_the_published_vectors_and_refuses_any_change(void **state)
{
	uint8_t b[64], nonce[12], aad[64], plain[64], cipher[64], tag[16], out[64], out_tag[16];
	size_t i, j, len, aad_len;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(vectors); i++) {
		CLEANUP(key_freep) struct key *k = NULL;
		const struct vector *v = &vectors[i];

		assert_int_equal(key_new_from(b, hex(v->key, b, sizeof(b)), &k), 0);
		hex(v->nonce, nonce, sizeof(nonce));
		aad_len = hex(v->aad, aad, sizeof(aad));
		len = hex(v->plain, plain, sizeof(plain));
		hex(v->cipher, cipher, sizeof(cipher));
		hex(v->tag, tag, sizeof(tag));

		assert_int_equal(gcm_seal_nonce(k, nonce, aad, aad_len, plain, len, out, out_tag),
				 0);
		assert_memory_equal(out, cipher, len);
		assert_memory_equal(out_tag, tag, sizeof(tag));
		assert_int_equal(gcm_open_nonce(k, nonce, aad, aad_len, cipher, len, tag, out), 0);
		assert_memory_equal(out, plain, len);

		for (j = 0; j < len; j++) {
			cipher[j] ^= 0x10;
			assert_int_equal(
				gcm_open_nonce(k, nonce, aad, aad_len, cipher, len, tag, out),
				-EBADMSG);
			cipher[j] ^= 0x10;
		}
		for (j = 0; j < aad_len; j++) {
			aad[j] ^= 0x80;
			assert_int_equal(
				gcm_open_nonce(k, nonce, aad, aad_len, cipher, len, tag, out),
				-EBADMSG);
			aad[j] ^= 0x80;
		}
		for (j = 0; j < sizeof(tag); j++) {
			tag[j] ^= 1;
			assert_int_equal(
				gcm_open_nonce(k, nonce, aad, aad_len, cipher, len, tag, out),
				-EBADMSG);
			tag[j] ^= 1;
		}
		if (len)
			assert_int_equal(
				gcm_open_nonce(k, nonce, aad, aad_len, cipher, len - 1, tag, out),
				-EBADMSG);
	}
}

static void gcm_once__has_nonce_zero(void **state)
{
	CLEANUP(key_freep) struct key *k = NULL;
	uint8_t b[32], plain[16] = { 0 }, want[16], out[16], tag[16];

	(void)state;
	assert_int_equal(key_new_from(b, hex(zero_key, b, sizeof(b)), &k), 0);
	hex(vectors[1].cipher, want, sizeof(want));
	assert_int_equal(gcm_seal_once(k, NULL, 0, plain, sizeof(plain), out, tag), 0);
	assert_memory_equal(out, want, sizeof(want));
	assert_int_equal(gcm_open_once(k, NULL, 0, out, sizeof(out), tag, out), 0); /* in place */
	assert_memory_equal(out, plain, sizeof(plain));
}

static void gcm_open_once__shows_nothing_of_a_forgery(void **state)
{
	static const uint8_t zero[32];
	CLEANUP(key_freep) struct key *k = NULL;
	uint8_t in[32] = "a message nobody may see forged", out[32], tag[16];

	(void)state;
	assert_int_equal(key_new_random(GCM_KEY_BYTES, &k), 0);
	assert_int_equal(gcm_seal_once(k, "aad", 3, in, sizeof(in), out, tag), 0);
	memset(in, 0xff, sizeof(in));
	assert_int_equal(gcm_open_once(k, "aae", 3, out, sizeof(out), tag, in), -EBADMSG);
	assert_memory_equal(in, zero, sizeof(in));
}

static void gcm__refuses_a_key_of_another_length(void **state)
{
	CLEANUP(key_freep) struct key *k = NULL;
	uint8_t out[4], tag[16];

	(void)state;
	assert_int_equal(key_new_random(16, &k), 0);
	assert_int_equal(gcm_seal_once(k, NULL, 0, "abc", 4, out, tag), -EINVAL);
	assert_int_equal(gcm_open_once(k, NULL, 0, "abc", 4, tag, out), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gcm__gives_the_published_vectors_and_refuses_any_change),
		cmocka_unit_test(gcm_once__has_nonce_zero),
		cmocka_unit_test(gcm_open_once__shows_nothing_of_a_forgery),
		cmocka_unit_test(gcm__refuses_a_key_of_another_length),
	};

	if (crypto_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("crypto/gcm", tests, NULL, NULL);
}
