/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/keys.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/fd.h"
#include "crypto/crypto.h"
#include "crypto/hex_test.h"
#include "keys/api_key.h"
#include "keys/vault_null.h"

static const char acct_a[] = "111122223333", acct_b[] = "444455556666";
static const char ak[] = "AKIAIOSFODNN7EXAMPLE";
static const char key_a[] = "01234567-89ab-cdef-0123-456789abcdef",
		  key_b[] = "11234567-89ab-cdef-0123-456789abcdef";

static struct vault_null vault;
static struct keys keys;
static struct keys_answer a;
static struct ctl_msg q;

static int setup(void **state)
{
	CLEANUP(key_freep) struct key *root = NULL;

	(void)state;
	assert_int_equal(key_new_random(32, &root), 0);
	assert_int_equal(vault_null_init(&vault, root), 0);
	keys_init(&keys, vault.api, &vault.vault);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	vault_null_done(&vault);
	return 0;
}

static struct ctl_msg *question(enum ctl_type type)
{
	memset(&q, 0, sizeof(q));
	q.type = type;
	return &q;
}

static int ask(void)
{
	assert_int_equal(keys_answer(&keys, &q, &a), 0);
	return a.u.kms.err;
}

static int key_change(enum ctl_type type, const char *account, const char *id, uint8_t state)
{
	struct ctl_kms_key *k = &question(type)->u.kms_key;

	(void)snprintf(k->account_id, sizeof(k->account_id), "%s", account);
	(void)snprintf(k->key_id, sizeof(k->key_id), "%s", id);
	k->state = state;
	return ask();
}

static int crypt_ask(enum ctl_type type, const char *account, const char *id, uint8_t context,
		     const void *data, size_t len)
{
	struct ctl_kms_crypt *k = &question(type)->u.kms_crypt;

	(void)snprintf(k->account_id, sizeof(k->account_id), "%s", account);
	(void)snprintf(k->key_id, sizeof(k->key_id), "%s", id);
	memset(k->context, context, sizeof(k->context));
	memcpy(k->data.b, data, len);
	k->data.len = (uint16_t)len;
	return ask();
}

static int data_key(uint16_t len, bool with_plaintext)
{
	struct ctl_kms_data_key *k = &question(CTL_KMS_DATA_KEY)->u.kms_data_key;

	(void)snprintf(k->account_id, sizeof(k->account_id), "%s", acct_a);
	(void)snprintf(k->key_id, sizeof(k->key_id), "%s", key_a);
	k->len = len;
	k->with_plaintext = with_plaintext;
	return ask();
}

static void assert_no_secret(void)
{
	static const struct ctl_kms_answer zero;

	a.u.kms.err = 0;
	assert_memory_equal(&a.u.kms, &zero, sizeof(zero));
}

static void api_key__is_drawn_sealed_and_good_for_its_owner_only(void **state)
{
	uint8_t secret[API_SECRET_BYTES], sealed[API_SEALED_BYTES], other[API_SEALED_BYTES];
	uint8_t k1[API_SIGNING_BYTES], k2[API_SIGNING_BYTES];
	size_t i;

	(void)state;
	assert_int_equal(api_key_new(vault.api, acct_a, ak, secret, sealed), 0);
	for (i = 0; i < sizeof(secret); i++)
		assert_non_null(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				       "0123456789+/",
				       secret[i]));
	assert_int_equal(api_key_derive(vault.api, acct_a, ak, sealed, sizeof(sealed), "20261123",
					"us-east-1", "ec2", k1),
			 0);
	assert_int_equal(api_key_derive(vault.api, acct_a, ak, sealed, sizeof(sealed), "20261123",
					"us-east-1", "kms", k2),
			 0);
	assert_memory_not_equal(k1, k2, sizeof(k1));
	assert_int_equal(api_key_derive(vault.api, acct_b, ak, sealed, sizeof(sealed), "20261123",
					"us-east-1", "ec2", k1),
			 -EACCES);
	assert_int_equal(api_key_derive(vault.api, acct_a, "AKIAIOSFODNN7EXAMPLF", sealed,
					sizeof(sealed), "20261123", "us-east-1", "ec2", k1),
			 -EACCES);
	assert_int_equal(api_key_derive(vault.root, acct_a, ak, sealed, sizeof(sealed), "20261123",
					"us-east-1", "ec2", k1),
			 -EACCES);
	assert_int_equal(api_key_new(vault.api, acct_a, ak, secret, other), 0);
	assert_memory_not_equal(sealed, other, sizeof(sealed));
}

static void api_key__refuses_every_changed_byte_and_length(void **state)
{
	uint8_t secret[API_SECRET_BYTES], sealed[API_SEALED_BYTES + 1] = { 0 };
	uint8_t k[API_SIGNING_BYTES];
	size_t i;

	(void)state;
	assert_int_equal(api_key_new(vault.api, acct_a, ak, secret, sealed), 0);
	for (i = 0; i < API_SEALED_BYTES; i++) {
		sealed[i] ^= 1;
		assert_int_equal(api_key_derive(vault.api, acct_a, ak, sealed, API_SEALED_BYTES,
						"20261123", "us-east-1", "ec2", k),
				 -EACCES);
		sealed[i] ^= 1;
	}
	for (i = 0; i <= API_SEALED_BYTES + 1; i++)
		assert_int_equal(api_key_derive(vault.api, acct_a, ak, sealed, i, "20261123",
						"us-east-1", "ec2", k),
				 i == API_SEALED_BYTES ? 0 : -EACCES);
}

static void api_key__refuses_owners_that_are_none(void **state)
{
	static const char *const accounts[] = { "", "11112222333", "1111222233334",
						"11112222333a" };
	static const char *const ids[] = { "", "AKIA", "akiaIOSFODNN7EXAMPLE",
					   "AKIAIOSFODNN7 XAMPLE", "AKIAIOSFODNN7EXAMPLE1234" };
	uint8_t secret[API_SECRET_BYTES], sealed[API_SEALED_BYTES];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(accounts); i++)
		assert_int_equal(api_key_new(vault.api, accounts[i], ak, secret, sealed), -EINVAL);
	for (i = 0; i < ARRAY_SIZE(ids); i++)
		assert_int_equal(api_key_new(vault.api, acct_a, ids[i], secret, sealed), -EINVAL);
}

/* The formats are frozen: made by a second implementation (Python's hmac and cryptography), they open for ever. */
static void api_key__opens_the_golden_secret(void **state)
{
	static const char golden[] =
		"4e414b0a01000100808182838485868788898a8b8c8d8e8f9091929394959697"
		"98999a9b9c9d9e9f785721769697f390513f0f8186739053c73901581d59ea19"
		"a9ff0a2357bf22519e44efbb528e9ee43dfe844d06ad4ca9f7badd0c3a6b0267"
		"0e36e632d695c8746743d9048c84db2029aee0e776b023a342c2bb8b5ff12e28";
	static const char signing[] =
		"2c94c0cf5378ada6887f09bb697df8fc0affdb34ba1cdd5bda32b664bd55b73c";
	CLEANUP(key_freep) struct key *k = NULL;
	uint8_t b[API_SEALED_BYTES], n[32], want[32], got[32];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(n); i++)
		n[i] = (uint8_t)i;
	assert_int_equal(key_new_from(n, sizeof(n), &k), 0);
	assert_int_equal(hex(golden, b, sizeof(b)), sizeof(b));
	assert_int_equal(hex(signing, want, sizeof(want)), sizeof(want));
	assert_int_equal(
		api_key_derive(k, acct_a, ak, b, sizeof(b), "20150830", "us-east-1", "iam", got),
		0);
	assert_memory_equal(got, want, sizeof(want));
}

static void kms_blob__opens_the_golden_blob(void **state)
{
	static const char golden[] =
		"4e4b420a010001000123456789abcdef0123456789abcdef8081828384858687"
		"88898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fdf403afee389dfe3"
		"81ef575d11574dd8776dec2e71750a29e3375d98bdeaff3a56066d9f96a7cae5"
		"ae1a98b11c158f06217feb643d39be324e788315e4df";
	static const char context[] =
		"0230c6b1d833c51cc426492022677b74c60d82891931221a42db9e7bb06205e9";
	CLEANUP(key_freep) struct key *k = NULL;
	uint8_t b[256], n[32], ctx[32], id[KMS_ID_BYTES], plain[64];
	struct kms_use use = { .account = acct_a, .id = id, .context = ctx };
	size_t i, len;

	(void)state;
	for (i = 0; i < sizeof(n); i++)
		n[i] = (uint8_t)i;
	assert_int_equal(key_new_from(n, sizeof(n), &k), 0);
	len = hex(golden, b, sizeof(b));
	assert_int_equal(hex(context, ctx, sizeof(ctx)), sizeof(ctx));
	assert_int_equal(kms_id_parse(key_a, id), 0);
	assert_int_equal(kms_blob_open(k, &use, b, len, plain), 0);
	assert_int_equal(len - KMS_BLOB_OVERHEAD, strlen("attack at dawn"));
	assert_memory_equal(plain, "attack at dawn", strlen("attack at dawn"));
}

static void kms_id_parse__takes_lower_case_uuids_only(void **state)
{
	static const char *const bad[] = { "",
					   "01234567-89ab-cdef-0123-456789abcde",
					   "01234567-89ab-cdef-0123-456789abcdef0",
					   "01234567-89AB-cdef-0123-456789abcdef",
					   "0123456789ab-cdef-0123-456789abcdef-",
					   "01234567-89ab-cdef-0123_456789abcdef",
					   "g1234567-89ab-cdef-0123-456789abcdef" };
	uint8_t id[KMS_ID_BYTES];
	char text[KMS_ID_TEXT];
	size_t i;

	(void)state;
	assert_int_equal(kms_id_parse(key_a, id), 0);
	kms_id_text(id, text);
	assert_string_equal(text, key_a);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(kms_id_parse(bad[i], id), -EINVAL);
}

static void kms__what_was_encrypted_comes_back(void **state)
{
	static const size_t lens[] = { 1, 2, 15, 16, 17, 4095, 4096 };
	static uint8_t plain[KMS_PLAIN_MAX + 1];
	static struct ctl_bytes_kms blob;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(plain); i++)
		plain[i] = (uint8_t)(i * 7);
	assert_int_equal(key_change(CTL_KMS_KEY_CREATE, acct_a, key_a, 0), 0);
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		assert_int_equal(crypt_ask(CTL_KMS_ENCRYPT, acct_a, key_a, 1, plain, lens[i]), 0);
		assert_int_equal(a.type, CTL_KMS_ANSWER);
		assert_int_equal(a.u.kms.plain.len, 0);
		assert_string_equal(a.u.kms.key_id, key_a);
		blob = a.u.kms.blob;
		/* with the key named, and without */
		assert_int_equal(crypt_ask(CTL_KMS_DECRYPT, acct_a, key_a, 1, blob.b, blob.len), 0);
		assert_int_equal(crypt_ask(CTL_KMS_DECRYPT, acct_a, "", 1, blob.b, blob.len), 0);
		assert_int_equal(a.u.kms.plain.len, lens[i]);
		assert_memory_equal(a.u.kms.plain.b, plain, lens[i]);
		assert_int_equal(a.u.kms.blob.len, 0);
		assert_string_equal(a.u.kms.key_id, key_a);
	}
	assert_int_equal(crypt_ask(CTL_KMS_ENCRYPT, acct_a, key_a, 1, plain, 0), -EINVAL);
	assert_int_equal(crypt_ask(CTL_KMS_ENCRYPT, acct_a, key_a, 1, plain, sizeof(plain)),
			 -EINVAL);
	assert_no_secret();
}

static void kms__decrypt_says_only_that_it_is_wrong(void **state)
{
	static struct ctl_bytes_kms blob;
	size_t i;

	(void)state;
	assert_int_equal(crypt_ask(CTL_KMS_ENCRYPT, acct_a, key_a, 1, "secret", 6), 0);
	blob = a.u.kms.blob;
	/* another account, context, key */
	assert_int_equal(crypt_ask(CTL_KMS_DECRYPT, acct_b, "", 1, blob.b, blob.len), -EBADMSG);
	assert_no_secret();
	assert_int_equal(crypt_ask(CTL_KMS_DECRYPT, acct_a, "", 2, blob.b, blob.len), -EBADMSG);
	assert_no_secret();
	assert_int_equal(crypt_ask(CTL_KMS_DECRYPT, acct_a, key_b, 1, blob.b, blob.len),
			 -EKEYREJECTED);
	/* any other byte, any other length */
	for (i = 0; i < blob.len; i++) {
		blob.b[i] ^= 0x40;
		assert_int_equal(crypt_ask(CTL_KMS_DECRYPT, acct_a, "", 1, blob.b, blob.len),
				 -EBADMSG);
		blob.b[i] ^= 0x40;
		assert_int_equal(crypt_ask(CTL_KMS_DECRYPT, acct_a, "", 1, blob.b, i), -EBADMSG);
	}
	assert_int_equal(crypt_ask(CTL_KMS_DECRYPT, acct_a, "", 1, blob.b, blob.len + 1U),
			 -EBADMSG);
	assert_no_secret();
	assert_int_equal(crypt_ask(CTL_KMS_DECRYPT, acct_a, "", 1, blob.b, blob.len), 0);
}

static void kms__keys_that_are_off_refuse(void **state)
{
	static struct ctl_bytes_kms blob;
	CLEANUP(key_freep) struct key *k = NULL;
	uint8_t id[KMS_ID_BYTES];

	(void)state;
	assert_int_equal(kms_id_parse(key_a, id), 0);
	assert_int_equal(crypt_ask(CTL_KMS_ENCRYPT, acct_a, key_a, 1, "secret", 6), 0);
	blob = a.u.kms.blob;
	assert_int_equal(key_change(CTL_KMS_KEY_STATE_SET, acct_a, key_a, CTL_KMS_DISABLED), 0);
	assert_int_equal(crypt_ask(CTL_KMS_ENCRYPT, acct_a, key_a, 1, "secret", 6), -EKEYREVOKED);
	assert_int_equal(crypt_ask(CTL_KMS_DECRYPT, acct_a, "", 1, blob.b, blob.len), -EKEYREVOKED);
	assert_int_equal(data_key(32, true), -EKEYREVOKED);
	assert_no_secret();
	assert_int_equal(keys_volume_key(&keys, acct_a, id, &k), -EKEYREVOKED);
	assert_int_equal(key_change(CTL_KMS_KEY_STATE_SET, acct_a, key_a, CTL_KMS_PENDING_DELETION),
			 0);
	assert_int_equal(crypt_ask(CTL_KMS_DECRYPT, acct_a, "", 1, blob.b, blob.len), -EKEYEXPIRED);
	assert_int_equal(keys_volume_key(&keys, acct_a, id, &k), -EKEYEXPIRED);
	assert_int_equal(key_change(CTL_KMS_KEY_STATE_SET, acct_a, key_a, CTL_KMS_ENABLED), 0);
	assert_int_equal(crypt_ask(CTL_KMS_DECRYPT, acct_a, "", 1, blob.b, blob.len), 0);
	assert_int_equal(keys_volume_key(&keys, acct_a, id, &k), 0);
	assert_int_equal(key_change(CTL_KMS_KEY_DESTROY, acct_a, key_a, 0), 0);
	assert_int_equal(key_change(CTL_KMS_KEY_DESTROY, acct_a, key_a, 0), 0); /* again */
	assert_int_equal(crypt_ask(CTL_KMS_DECRYPT, acct_a, "", 1, blob.b, blob.len), -EBADMSG);
	assert_int_equal(crypt_ask(CTL_KMS_ENCRYPT, acct_a, key_a, 1, "secret", 6), -ENOKEY);
	assert_int_equal(key_change(CTL_KMS_KEY_STATE_SET, acct_a, key_a, CTL_KMS_ENABLED),
			 -ENOKEY);
	assert_int_equal(key_change(CTL_KMS_KEY_STATE_SET, acct_a, key_a, 4), -EINVAL);
	assert_int_equal(key_change(CTL_KMS_KEY_STATE_SET, acct_a, key_a, 0), -EINVAL);
	assert_int_equal(key_change(CTL_KMS_KEY_CREATE, acct_a, key_a, 1), -EINVAL);
	assert_int_equal(key_change(CTL_KMS_KEY_CREATE, acct_a, "alias/x", 0), -EINVAL);
	assert_int_equal(key_change(CTL_KMS_KEY_CREATE, "A", key_a, 0), -EINVAL);
}

static void kms__data_keys_open_and_are_seen_only_when_asked_for(void **state)
{
	static struct ctl_bytes_kms blob, plain;

	(void)state;
	assert_int_equal(data_key(32, true), 0);
	blob = a.u.kms.blob;
	plain = a.u.kms.plain;
	assert_int_equal(plain.len, 32);
	assert_int_equal(blob.len, 32 + KMS_BLOB_OVERHEAD);
	assert_int_equal(crypt_ask(CTL_KMS_DECRYPT, acct_a, "", 0, blob.b, blob.len), 0);
	assert_memory_equal(a.u.kms.plain.b, plain.b, 32);
	assert_int_equal(data_key(1024, false), 0);
	assert_int_equal(a.u.kms.plain.len, 0);
	blob = a.u.kms.blob;
	assert_int_equal(crypt_ask(CTL_KMS_DECRYPT, acct_a, "", 0, blob.b, blob.len), 0);
	assert_int_equal(a.u.kms.plain.len, 1024);
	assert_int_equal(data_key(0, true), -EINVAL);
	assert_int_equal(data_key(1025, true), -EINVAL);
	assert_no_secret();
}

static void kms__random_is_as_long_as_asked(void **state)
{
	(void)state;
	question(CTL_KMS_RANDOM)->u.kms_random.len = 1024;
	assert_int_equal(ask(), 0);
	assert_int_equal(a.u.kms.plain.len, 1024);
	question(CTL_KMS_RANDOM)->u.kms_random.len = 1025;
	assert_int_equal(ask(), -EINVAL);
	question(CTL_KMS_RANDOM)->u.kms_random.len = 0;
	assert_int_equal(ask(), -EINVAL);
}

static void keys_serve__answers_and_closes_on_what_is_no_request(void **state)
{
	struct ctl_api_key_create c = { .account_id = "111122223333",
					.access_key_id = "AKIAIOSFODNN7EXAMPLE" };
	static struct ctl_msg m;
	int ours = -1, theirs = -1;

	(void)state;
	assert_int_equal(fd_socketpair(SOCK_SEQPACKET, &ours, &theirs), 0);
	assert_int_equal(ctl_send(ours, CTL_API_KEY_CREATE, 77, &c, NULL, 0), 0);
	assert_int_equal(keys_serve(&keys, theirs), 1);
	assert_int_equal(ctl_recv(ours, &m), 1);
	assert_int_equal(m.type, CTL_API_KEY);
	assert_int_equal(m.seq, 77);
	assert_int_equal(m.u.api_key.err, 0);
	assert_int_equal(m.u.api_key.secret.len, API_SECRET_BYTES);
	ctl_msg_done(&m);
	assert_int_equal(ctl_send(ours, CTL_HV_KILL, 0, NULL, NULL, 0), 0);
	assert_int_equal(keys_serve(&keys, theirs), -EPROTO);
	fd_closep(&ours);
	assert_int_equal(keys_serve(&keys, theirs), 0);
	fd_closep(&theirs);
}

static void vault_null__finds_keys_again_under_the_same_root_only(void **state)
{
	CLEANUP(key_freep)
	struct key *root = NULL, *other = NULL, *k1 = NULL, *k2 = NULL, *k3 = NULL, *k4 = NULL;
	static struct vault_null v, w;
	enum ctl_kms_state s;
	uint8_t id[KMS_ID_BYTES];

	(void)state;
	assert_int_equal(kms_id_parse(key_a, id), 0);
	assert_int_equal(key_new_random(32, &root), 0);
	assert_int_equal(key_new_random(32, &other), 0);
	assert_int_equal(vault_null_init(&v, root), 0);
	assert_int_equal(vault_null_init(&w, root), 0);
	assert_int_equal(v.vault.read(&v, acct_a, id, &s, &k1), 0);
	assert_int_equal(w.vault.read(&w, acct_a, id, &s, &k2), 0);
	assert_int_equal(w.vault.read(&w, acct_b, id, &s, &k3), 0);
	assert_true(key_equal(k1, k2));
	assert_false(key_equal(k1, k3));
	vault_null_done(&w);
	assert_int_equal(vault_null_init(&w, other), 0);
	assert_int_equal(w.vault.read(&w, acct_a, id, &s, &k4), 0);
	assert_false(key_equal(k1, k4));
	vault_null_done(&v);
	vault_null_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(api_key__is_drawn_sealed_and_good_for_its_owner_only),
		cmocka_unit_test(api_key__refuses_every_changed_byte_and_length),
		cmocka_unit_test(api_key__refuses_owners_that_are_none),
		cmocka_unit_test(api_key__opens_the_golden_secret),
		cmocka_unit_test(kms_blob__opens_the_golden_blob),
		cmocka_unit_test(kms_id_parse__takes_lower_case_uuids_only),
		cmocka_unit_test(kms__what_was_encrypted_comes_back),
		cmocka_unit_test(kms__decrypt_says_only_that_it_is_wrong),
		cmocka_unit_test(kms__data_keys_open_and_are_seen_only_when_asked_for),
		cmocka_unit_test(kms__random_is_as_long_as_asked),
		cmocka_unit_test(kms__keys_that_are_off_refuse),
		cmocka_unit_test(keys_serve__answers_and_closes_on_what_is_no_request),
		cmocka_unit_test(vault_null__finds_keys_again_under_the_same_root_only),
	};

	if (crypto_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("keys", tests, setup, teardown);
}
