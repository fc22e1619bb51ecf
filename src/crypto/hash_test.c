/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "crypto/crypto.h"
#include "crypto/hex_test.h"

/* spec: fips-180-4 (the two examples every implementation quotes) */
static void hash_sha256__gives_the_published_digests(void **state)
{
	static const struct {
		const char *msg, *digest;
	} cases[] = {
		{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	};
	uint8_t want[HASH_SHA256_BYTES], got[HASH_SHA256_BYTES];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		hex(cases[i].digest, want, sizeof(want));
		assert_int_equal(hash_sha256(cases[i].msg, strlen(cases[i].msg), got), 0);
		assert_memory_equal(got, want, sizeof(want));
	}
}

static void hash_sha384__gives_the_published_digests(void **state)
{
	static const struct {
		const char *msg, *digest;
	} cases[] = {
		{ "", "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da"
		      "274edebfe76f65fbd51ad2f14898b95b" },
		{ "abc", "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
			 "8086072ba1e7cc2358baeca134c825a7" },
	};
	uint8_t want[HASH_SHA384_BYTES], got[HASH_SHA384_BYTES];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		hex(cases[i].digest, want, sizeof(want));
		assert_int_equal(hash_sha384(cases[i].msg, strlen(cases[i].msg), got), 0);
		assert_memory_equal(got, want, sizeof(want));
	}
}

/* spec: rfc-4231 §4.2, §4.3, §4.4 */
static void hash_hmac_sha256__gives_the_published_tags(void **state)
{
	static const struct {
		const char *key, *msg, *tag;
	} cases[] = {
		{ "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
		  "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
		{ "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
		  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		  "dddddddddddddddddddddddddddddddddddddddddddddddddd"
		  "dddddddddddddddddddddddddddddddddddddddddddddddddd",
		  "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
	};
	uint8_t key[KEY_BYTES_MAX], msg[64], want[HASH_SHA256_BYTES], got[HASH_SHA256_BYTES];
	size_t i, key_len, msg_len;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(key_freep) struct key *k = NULL;

		key_len = hex(cases[i].key, key, sizeof(key));
		msg_len = hex(cases[i].msg, msg, sizeof(msg));
		hex(cases[i].tag, want, sizeof(want));
		assert_int_equal(key_new_from(key, key_len, &k), 0);
		assert_int_equal(hash_hmac_sha256(k, msg, msg_len, got), 0);
		assert_memory_equal(got, want, sizeof(want));

		msg[0] ^= 1;
		assert_int_equal(hash_hmac_sha256(k, msg, msg_len, got), 0);
		assert_false(mem_equal_ct(got, want, sizeof(want)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hash_sha256__gives_the_published_digests),
		cmocka_unit_test(hash_sha384__gives_the_published_digests),
		cmocka_unit_test(hash_hmac_sha256__gives_the_published_tags),
	};

	if (crypto_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("crypto/hash", tests, NULL, NULL);
}
