/* SPDX-License-Identifier: Apache-2.0 */
#include "security/wrap.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/crypto.h"
#include "crypto/hex_test.h"
#include "security/tree.h"

static const struct wrap_use use_good = {
	.account = "111122223333",
	.volume = "vol-0123456789abcdef0",
	.cipher = "aes-xts-plain64",
	.sector_bytes = 4096,
	.payload_off = 16 << 20,
	.size = 8ULL << 30,
};

struct fixture {
	struct key *account, *secret, *data;
	uint8_t blob[WRAP_BYTES_MAX];
};

static struct fixture f;

static int setup(void **state)
{
	(void)state;
	assert_int_equal(key_new_random(TREE_KEY_BYTES, &f.account), 0);
	assert_int_equal(key_new_random(WRAP_SECRET_BYTES, &f.secret), 0);
	assert_int_equal(wrap_data_key_new(&f.data), 0);
	assert_int_equal(wrap_seal(f.account, f.secret, &use_good, f.data, f.blob), WRAP_BYTES);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	key_freep(&f.account);
	key_freep(&f.secret);
	key_freep(&f.data);
	return 0;
}

/* Return: wrap_open()'s; on success the key must be the one. */
static int open_as(const struct wrap_use *use, const void *blob, size_t len)
{
	CLEANUP(key_freep) struct key *k = NULL;
	int r = wrap_open(f.account, f.secret, use, blob, len, &k);

	if (r == 0)
		assert_true(key_equal(k, f.data));
	else
		assert_null(k);
	return r;
}

static void wrap_open__gives_the_key_back(void **state)
{
	(void)state;
	assert_int_equal(open_as(&use_good, f.blob, WRAP_BYTES), 0);
}

static void wrap_open__refuses_every_changed_use(void **state)
{
	struct wrap_use u;

	(void)state;
	u = use_good;
	u.account = "111122223334";
	assert_int_equal(open_as(&u, f.blob, WRAP_BYTES), -EKEYREJECTED);
	u = use_good;
	u.volume = "vol-0123456789abcdef1";
	assert_int_equal(open_as(&u, f.blob, WRAP_BYTES), -EKEYREJECTED);
	u = use_good;
	u.cipher = "aes-cbc-plain64";
	assert_int_equal(open_as(&u, f.blob, WRAP_BYTES), -EBADMSG);
	u = use_good;
	u.sector_bytes = 512;
	assert_int_equal(open_as(&u, f.blob, WRAP_BYTES), -EBADMSG);
	u = use_good;
	u.payload_off += 4096;
	assert_int_equal(open_as(&u, f.blob, WRAP_BYTES), -EBADMSG);
	u = use_good;
	u.size -= 4096;
	assert_int_equal(open_as(&u, f.blob, WRAP_BYTES), -EBADMSG);
	u = use_good;
	u.cipher = "a cipher whose name is longer than any name of a cipher can possibly be";
	assert_int_equal(open_as(&u, f.blob, WRAP_BYTES), -EINVAL);
	u = use_good;
	u.volume = "../vol";
	assert_int_equal(open_as(&u, f.blob, WRAP_BYTES), -EINVAL);
}

static void wrap_open__refuses_every_changed_byte(void **state)
{
	uint8_t b[WRAP_BYTES];
	size_t i;
	int r;

	(void)state;
	for (i = 0; i < sizeof(b); i++) {
		memcpy(b, f.blob, sizeof(b));
		b[i] ^= 0x01;
		r = open_as(&use_good, b, sizeof(b));
		if (i < 4)
			assert_int_equal(r, -EPROTO); /* magic */
		else if (i < 8)
			assert_int_equal(r, -ENOTSUP); /* versions */
		else if (i < 24)
			assert_int_equal(r, -EBADMSG); /* key id */
		else if (i < 88)
			assert_int_equal(
				r,
				-EKEYREJECTED); /* salt, commitment: before anything is decrypted */
		else
			assert_int_equal(r, -EBADMSG);
	}
}

static void wrap_open__refuses_another_length(void **state)
{
	uint8_t b[WRAP_BYTES + 1] = { 0 };
	size_t i;

	(void)state;
	memcpy(b, f.blob, WRAP_BYTES);
	for (i = 0; i < WRAP_BYTES; i++)
		assert_int_equal(open_as(&use_good, b, i), -EPROTO);
	assert_int_equal(open_as(&use_good, b, WRAP_BYTES), 0);
	assert_int_equal(open_as(&use_good, b, WRAP_BYTES + 1), -EPROTO);
}

static void wrap_open__needs_both_the_account_and_the_secret(void **state)
{
	CLEANUP(key_freep) struct key *other = NULL, *k = NULL;

	(void)state;
	assert_int_equal(key_new_random(32, &other), 0);
	assert_int_equal(wrap_open(other, f.secret, &use_good, f.blob, WRAP_BYTES, &k),
			 -EKEYREJECTED);
	assert_int_equal(wrap_open(f.account, other, &use_good, f.blob, WRAP_BYTES, &k),
			 -EKEYREJECTED);
	assert_int_equal(wrap_open(f.secret, f.account, &use_good, f.blob, WRAP_BYTES, &k),
			 -EKEYREJECTED);
	assert_null(k);
}

static void wrap_seal__never_gives_the_same_blob_twice(void **state)
{
	uint8_t again[WRAP_BYTES_MAX];

	(void)state;
	assert_int_equal(wrap_seal(f.account, f.secret, &use_good, f.data, again), WRAP_BYTES);
	assert_memory_equal(again, f.blob, 24);
	assert_memory_not_equal(again + 24, f.blob + 24, 32);
	assert_memory_not_equal(again + 88, f.blob + 88, 64);
	assert_int_equal(open_as(&use_good, again, WRAP_BYTES), 0);
}

static void wrap_seal__refuses_equal_halves_and_wrong_lengths(void **state)
{
	CLEANUP(key_freep) struct key *twin = NULL, *half = NULL;
	uint8_t b[WRAP_BYTES_MAX];

	(void)state;
	assert_int_equal(key_new_zero(WRAP_KEY_BYTES, &twin), 0);
	assert_int_equal(wrap_seal(f.account, f.secret, &use_good, twin, b), -EINVAL);
	key_bytes_mut(twin)[0] = 1;
	assert_int_equal(wrap_seal(f.account, f.secret, &use_good, twin, b), WRAP_BYTES);
	assert_int_equal(key_new_random(32, &half), 0);
	assert_int_equal(wrap_seal(f.account, f.secret, &use_good, half, b), -EINVAL);
}

/*
 * The format is frozen: a blob made by the first version, checked by a second implementation (Python's hmac and
 * cryptography), must open for ever.
 */
static void wrap_open__opens_the_golden_blob(void **state)
{
	static const char golden[] =
		"4e574b0a01000100e8b4221618a5ea664312ca6eaaf1c7e88081828384858687"
		"88898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fd9e9141f9d98297a"
		"6dd1dcab526dcacf2a58e364dd2f3462aa3f98e9d6f7ff2c4011e0baf746b3b1"
		"bb95e1fc9c6242ef8a0c9a599439a2be0fd6bd7686c91ae0f948f20df41b91f9"
		"6c3b2d43061c6f59fc57385c906e1199d62daabd40fba33392c66451cbcbb22e"
		"e28c58973985ad66";
	CLEANUP(key_freep) struct key *account = NULL, *secret = NULL, *k = NULL;
	uint8_t b[WRAP_BYTES], n[WRAP_KEY_BYTES];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(n); i++)
		n[i] = (uint8_t)i;
	assert_int_equal(hex(golden, b, sizeof(b)), WRAP_BYTES);
	assert_int_equal(key_new_from(n, 32, &account), 0);
	assert_int_equal(key_new_from(n + 32, 32, &secret), 0);
	assert_int_equal(wrap_open(account, secret, &use_good, b, WRAP_BYTES, &k), 0);
	assert_memory_equal(key_bytes(k), n, sizeof(n));
}

/* Version 2: under a KMS key, too. */
static const uint8_t kms_id[WRAP_KMS_ID_BYTES] = { 1, 2, 3, 4, [15] = 16 };

static struct wrap_use use_kms(const struct key *k)
{
	struct wrap_use u = use_good;

	u.kms_id = kms_id;
	u.kms_key = k;
	return u;
}

static void wrap_kms__needs_that_key(void **state)
{
	CLEANUP(key_freep) struct key *kms = NULL, *other = NULL;
	uint8_t b[WRAP_BYTES_MAX], id[WRAP_KMS_ID_BYTES];
	static const uint8_t other_id[WRAP_KMS_ID_BYTES] = { 9 };
	struct wrap_use u;

	(void)state;
	assert_int_equal(key_new_random(32, &kms), 0);
	assert_int_equal(key_new_random(32, &other), 0);
	u = use_kms(kms);
	assert_int_equal(wrap_seal(f.account, f.secret, &u, f.data, b), WRAP_BYTES_MAX);
	assert_int_equal(wrap_kms_id(b, sizeof(b), id), 1);
	assert_memory_equal(id, kms_id, sizeof(id));
	assert_int_equal(wrap_kms_id(f.blob, WRAP_BYTES, id), 0);
	assert_int_equal(open_as(&u, b, sizeof(b)), 0);
	u = use_kms(other);
	assert_int_equal(open_as(&u, b, sizeof(b)), -EKEYREJECTED);
	u = use_kms(kms);
	u.kms_id = other_id;
	assert_int_equal(open_as(&u, b, sizeof(b)), -EINVAL);
	/* without it; or with it where none is wanted */
	assert_int_equal(open_as(&use_good, b, sizeof(b)), -EINVAL);
	u = use_kms(kms);
	assert_int_equal(open_as(&u, f.blob, WRAP_BYTES), -EINVAL);
	u.kms_key = NULL;
	assert_int_equal(open_as(&u, b, sizeof(b)), -EINVAL);
	assert_int_equal(wrap_seal(f.account, f.secret, &u, f.data, b), -EINVAL);
}

static void wrap_kms__refuses_every_changed_byte_and_length(void **state)
{
	CLEANUP(key_freep) struct key *kms = NULL;
	uint8_t b[WRAP_BYTES_MAX + 1] = { 0 }, id[WRAP_KMS_ID_BYTES];
	struct wrap_use u;
	size_t i;

	(void)state;
	assert_int_equal(key_new_random(32, &kms), 0);
	u = use_kms(kms);
	assert_int_equal(wrap_seal(f.account, f.secret, &u, f.data, b), WRAP_BYTES_MAX);
	for (i = 0; i < WRAP_BYTES_MAX; i++) {
		b[i] ^= 0x04;
		assert_true(open_as(&u, b, WRAP_BYTES_MAX) < 0);
		b[i] ^= 0x04;
	}
	for (i = 0; i < WRAP_BYTES_MAX; i++) {
		assert_int_equal(open_as(&u, b, i), -EPROTO);
		assert_int_equal(wrap_kms_id(b, i, id), -EPROTO);
	}
	assert_int_equal(open_as(&u, b, WRAP_BYTES_MAX + 1), -EPROTO);
	assert_int_equal(open_as(&u, b, WRAP_BYTES_MAX), 0);
	/* A version 2 that calls itself 1 is too long for it, and the other way round. */
	b[4] = 1;
	assert_int_equal(open_as(&use_good, b, WRAP_BYTES_MAX), -EPROTO);
	f.blob[4] = 2;
	assert_int_equal(open_as(&u, f.blob, WRAP_BYTES), -EPROTO);
}

static void wrap_kms__opens_the_golden_blob(void **state)
{
	static const char golden[] =
		"4e574b0a02000100e8b4221618a5ea664312ca6eaaf1c7e80102030400000000"
		"0000000000000010808182838485868788898a8b8c8d8e8f9091929394959697"
		"98999a9b9c9d9e9f6c8907e4b8f1939a49a2f54fb003b29d27a2754b12472a5e"
		"929a3a7933f3163ea71fe0e2572e248774913da7765dfe022d6eae30cf7b044e"
		"bb33005147a519716951b806a6f3cc819a3fd9209d229c759c8bc27bcf9756a7"
		"c04bff9fcf158004d49508b598c3c2c3e0dad3689bc59d0f";
	CLEANUP(key_freep) struct key *account = NULL, *secret = NULL, *kms = NULL, *k = NULL;
	uint8_t b[WRAP_BYTES_MAX], n[96];
	struct wrap_use u;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(n); i++)
		n[i] = (uint8_t)i;
	assert_int_equal(hex(golden, b, sizeof(b)), WRAP_BYTES_MAX);
	assert_int_equal(key_new_from(n, 32, &account), 0);
	assert_int_equal(key_new_from(n + 32, 32, &secret), 0);
	assert_int_equal(key_new_from(n + 64, 32, &kms), 0);
	u = use_kms(kms);
	assert_int_equal(wrap_open(account, secret, &u, b, sizeof(b), &k), 0);
	assert_memory_equal(key_bytes(k), n, WRAP_KEY_BYTES);
}

static void tree__gives_every_account_and_host_its_own_keys(void **state)
{
	CLEANUP(key_freep)
	struct key *root = NULL, *other = NULL, *a = NULL, *b = NULL, *c = NULL, *a2 = NULL;
	struct tree t = { 0 }, u = { 0 };

	(void)state;
	assert_int_equal(key_new_random(32, &root), 0);
	assert_int_equal(key_new_random(32, &other), 0);
	assert_int_equal(tree_init(&t, root), 0);
	assert_int_equal(tree_init(&u, other), 0);
	assert_int_equal(tree_account_key(&t, "111122223333", &a), 0);
	assert_int_equal(tree_account_key(&t, "111122223333", &a2), 0);
	assert_int_equal(tree_account_key(&t, "11112222333", &b), 0);
	assert_int_equal(tree_account_key(&u, "111122223333", &c), 0);
	assert_true(key_equal(a, a2));
	assert_false(key_equal(a, b));
	assert_false(key_equal(a, c));
	assert_false(key_equal(t.store, t.log));
	assert_false(key_equal(t.store, t.accounts));
	assert_false(key_equal(t.store, u.store));
	tree_done(&t);
	tree_done(&u);
}

static void tree_id_ok__takes_ids_only(void **state)
{
	(void)state;
	assert_true(tree_id_ok("vol-0123456789abcdef0"));
	assert_true(tree_id_ok("a"));
	assert_true(tree_id_ok("12345678901234567890123"));
	assert_false(tree_id_ok(""));
	assert_false(tree_id_ok("123456789012345678901234"));
	assert_false(tree_id_ok("Vol"));
	assert_false(tree_id_ok("a b"));
	assert_false(tree_id_ok("a/b"));
	assert_false(tree_id_ok("a\nb"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(wrap_open__gives_the_key_back, setup, teardown),
		cmocka_unit_test_setup_teardown(wrap_open__refuses_every_changed_use, setup,
						teardown),
		cmocka_unit_test_setup_teardown(wrap_open__refuses_every_changed_byte, setup,
						teardown),
		cmocka_unit_test_setup_teardown(wrap_open__refuses_another_length, setup, teardown),
		cmocka_unit_test_setup_teardown(wrap_open__needs_both_the_account_and_the_secret,
						setup, teardown),
		cmocka_unit_test_setup_teardown(wrap_seal__never_gives_the_same_blob_twice, setup,
						teardown),
		cmocka_unit_test_setup_teardown(wrap_seal__refuses_equal_halves_and_wrong_lengths,
						setup, teardown),
		cmocka_unit_test(wrap_open__opens_the_golden_blob),
		cmocka_unit_test_setup_teardown(wrap_kms__needs_that_key, setup, teardown),
		cmocka_unit_test_setup_teardown(wrap_kms__refuses_every_changed_byte_and_length,
						setup, teardown),
		cmocka_unit_test(wrap_kms__opens_the_golden_blob),
		cmocka_unit_test(tree__gives_every_account_and_host_its_own_keys),
		cmocka_unit_test(tree_id_ok__takes_ids_only),
	};

	if (crypto_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("security/wrap", tests, NULL, NULL);
}
