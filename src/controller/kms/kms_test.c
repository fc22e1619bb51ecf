/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "controller/kms/context.h"
#include "controller/kms/kms_rig_test.h"
#include "crypto/hash.h"

static char key[MODEL_UUID_MAX];
static char blob[8192];
static char body[16384];

static const char *fmt(const char *f, ...) PRINTF_LIKE(1, 2);
static const char *fmt(const char *f, ...)
{
	va_list ap;

	va_start(ap, f);
	vsnprintf(body, sizeof(body), f, ap);
	va_end(ap);
	return body;
}

static void key_make(void)
{
	assert_int_equal(rig_call("CreateKey", "{}"), 200);
	snprintf(key, sizeof(key), "%s",
		 json_string_value(
			 json_object_get(json_object_get(rig_got.body, "KeyMetadata"), "KeyId")));
}

static int setup(void **state)
{
	(void)state;
	rig_begin();
	key_make();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_end();
	return 0;
}

static void refused(const char *action, const char *text, const char *code)
{
	unsigned status = rig_call(action, text);

	if (status == 200 || strcmp(rig_str("__type"), code) != 0)
		fail_msg("%s %s: %u %s, not %s", action, text, status, rig_str("__type"), code);
	assert_string_equal(rig_got.code, code);
	assert_int_equal(status, strcmp(code, "DependencyTimeoutException") == 0 ? 503
				 : strcmp(code, "DryRunOperationException") == 0 ? 412
										 : 400);
}

static void encrypt(const char *context)
{
	assert_int_equal(rig_call("Encrypt", fmt("{\"KeyId\":\"%s\",\"Plaintext\":\"aGVsbG8=\"%s}",
						 key, context)),
			 200);
	assert_true(rig_got.secret);
	snprintf(blob, sizeof(blob), "%s", rig_str("CiphertextBlob"));
}

static const char *metadata(const char *member)
{
	const char *s;

	assert_int_equal(rig_call("DescribeKey", fmt("{\"KeyId\":\"%s\"}", key)), 200);
	s = json_string_value(
		json_object_get(json_object_get(rig_got.body, "KeyMetadata"), member));
	return s ? s : "";
}

static void kms__says_what_a_key_is(void **state)
{
	json_t *m;

	(void)state;
	assert_int_equal(rig_call("CreateKey", "{\"Description\":\"f\\u00fcr \\\"alles\\\"\","
					       "\"KeyUsage\":\"ENCRYPT_DECRYPT\",\"KeySpec\":"
					       "\"SYMMETRIC_DEFAULT\",\"Origin\":\"AWS_KMS\","
					       "\"MultiRegion\":false,\"Tags\":[]}"),
			 200);
	assert_true(rig_got.changes);
	m = json_object_get(rig_got.body, "KeyMetadata");
	assert_string_equal(json_string_value(json_object_get(m, "AWSAccountId")), RIG_ACCOUNT);
	assert_string_equal(json_string_value(json_object_get(m, "Description")), "für \"alles\"");
	assert_string_equal(json_string_value(json_object_get(m, "KeyState")), "Enabled");
	assert_string_equal(json_string_value(json_object_get(m, "KeyManager")), "CUSTOMER");
	assert_true(json_real_value(json_object_get(m, "CreationDate")) == 1795340716.0);
	assert_true(json_is_true(json_object_get(m, "Enabled")));
	assert_null(json_object_get(m, "DeletionDate"));
	snprintf(key, sizeof(key), "%s", json_string_value(json_object_get(m, "KeyId")));
	assert_string_equal(json_string_value(json_object_get(m, "Arn")),
			    fmt("arn:aws:kms:us-east-1:%s:key/%s", RIG_ACCOUNT, key));
	/* the same by its ARN */
	assert_int_equal(
		rig_call("DescribeKey",
			 fmt("{\"KeyId\":\"arn:aws:kms:us-east-1:%s:key/%s\"}", RIG_ACCOUNT, key)),
		200);
	assert_false(rig_got.changes);
}

static void kms__gives_back_what_it_was_given(void **state)
{
	(void)state;
	encrypt(",\"EncryptionContext\":{\"b\":\"2\",\"a\":\"1\"}");
	assert_int_equal(rig_call("Decrypt", fmt("{\"CiphertextBlob\":\"%s\",\"EncryptionContext\":"
						 "{\"a\":\"1\",\"b\":\"2\"}}",
						 blob)),
			 200);
	assert_string_equal(rig_str("Plaintext"), "aGVsbG8=");
	assert_true(rig_got.secret);
	refused("Decrypt", fmt("{\"CiphertextBlob\":\"%s\"}", blob), "InvalidCiphertextException");
	assert_string_equal(rig_str("message"), "");
	refused("Decrypt",
		fmt("{\"CiphertextBlob\":\"%s\",\"EncryptionContext\":{\"a\":\"12\",\"b\":\"\"}}",
		    blob),
		"InvalidCiphertextException");
	/* an empty context is none */
	encrypt(",\"EncryptionContext\":{}");
	assert_int_equal(
		rig_call("Decrypt", fmt("{\"CiphertextBlob\":\"%s\",\"KeyId\":\"%s\"}", blob, key)),
		200);
	blob[100] = blob[100] == 'A' ? 'B' : 'A';
	refused("Decrypt", fmt("{\"CiphertextBlob\":\"%s\"}", blob), "InvalidCiphertextException");
}

static void kms__data_keys(void **state)
{
	char plain[128];

	(void)state;
	assert_int_equal(
		rig_call("GenerateDataKey", fmt("{\"KeyId\":\"%s\",\"KeySpec\":\"AES_256\"}", key)),
		200);
	assert_true(rig_got.secret);
	assert_int_equal(strlen(rig_str("Plaintext")), 44);
	snprintf(plain, sizeof(plain), "%s", rig_str("Plaintext"));
	snprintf(blob, sizeof(blob), "%s", rig_str("CiphertextBlob"));
	assert_int_equal(rig_call("Decrypt", fmt("{\"CiphertextBlob\":\"%s\"}", blob)), 200);
	assert_string_equal(rig_str("Plaintext"), plain);
	assert_int_equal(rig_call("GenerateDataKeyWithoutPlaintext",
				  fmt("{\"KeyId\":\"%s\",\"NumberOfBytes\":1024}", key)),
			 200);
	assert_null(json_object_get(rig_got.body, "Plaintext"));
	assert_false(rig_got.secret);
	refused("GenerateDataKey", fmt("{\"KeyId\":\"%s\"}", key), "ValidationException");
	refused("GenerateDataKey",
		fmt("{\"KeyId\":\"%s\",\"KeySpec\":\"AES_256\",\"NumberOfBytes\":32}", key),
		"ValidationException");
	refused("GenerateDataKey", fmt("{\"KeyId\":\"%s\",\"KeySpec\":\"AES_512\"}", key),
		"ValidationException");
	refused("GenerateDataKey", fmt("{\"KeyId\":\"%s\",\"NumberOfBytes\":1025}", key),
		"ValidationException");
	refused("GenerateDataKeyWithoutPlaintext",
		fmt("{\"KeyId\":\"%s\",\"NumberOfBytes\":16,\"Recipient\":{"
		    "\"KeyEncryptionAlgorithm\":"
		    "\"RSAES_OAEP_SHA_256\"}}",
		    key),
		"ValidationException"); /* it has no such member at all */
	refused("GenerateDataKey",
		fmt("{\"KeyId\":\"%s\",\"NumberOfBytes\":16,\"Recipient\":{"
		    "\"KeyEncryptionAlgorithm\":"
		    "\"RSAES_OAEP_SHA_256\"}}",
		    key),
		"UnsupportedOperationException");
}

static void kms__random_bytes(void **state)
{
	char first[64];

	(void)state;
	assert_int_equal(rig_call("GenerateRandom", "{\"NumberOfBytes\":32}"), 200);
	snprintf(first, sizeof(first), "%s", rig_str("Plaintext"));
	assert_int_equal(rig_call("GenerateRandom", "{\"NumberOfBytes\":32}"), 200);
	assert_int_equal(strlen(rig_str("Plaintext")), 44);
	assert_string_not_equal(rig_str("Plaintext"), first);
	refused("GenerateRandom", "{}", "ValidationException");
	refused("GenerateRandom", "{\"NumberOfBytes\":0}", "ValidationException");
	refused("GenerateRandom", "{\"NumberOfBytes\":1025}", "ValidationException");
	refused("GenerateRandom", "{\"NumberOfBytes\":-1}", "ValidationException");
	refused("GenerateRandom", "{\"NumberOfBytes\":\"32\"}", "SerializationException");
	refused("GenerateRandom", "{\"NumberOfBytes\":32.5}", "SerializationException");
}

static void kms__keys_are_switched_and_end(void **state)
{
	(void)state;
	encrypt("");
	assert_int_equal(rig_call("DisableKey", fmt("{\"KeyId\":\"%s\"}", key)), 200);
	assert_string_equal(metadata("KeyState"), "Disabled");
	refused("Encrypt", fmt("{\"KeyId\":\"%s\",\"Plaintext\":\"aGVsbG8=\"}", key),
		"DisabledException");
	refused("Decrypt", fmt("{\"CiphertextBlob\":\"%s\"}", blob), "DisabledException");
	refused("GenerateDataKey", fmt("{\"KeyId\":\"%s\",\"KeySpec\":\"AES_128\"}", key),
		"DisabledException");
	refused("CancelKeyDeletion", fmt("{\"KeyId\":\"%s\"}", key), "KMSInvalidStateException");
	assert_int_equal(rig_call("EnableKey", fmt("{\"KeyId\":\"%s\"}", key)), 200);
	assert_int_equal(rig_call("EnableKey", fmt("{\"KeyId\":\"%s\"}", key)), 200);
	assert_int_equal(rig_call("Decrypt", fmt("{\"CiphertextBlob\":\"%s\"}", blob)), 200);

	refused("ScheduleKeyDeletion", fmt("{\"KeyId\":\"%s\",\"PendingWindowInDays\":6}", key),
		"ValidationException");
	refused("ScheduleKeyDeletion", fmt("{\"KeyId\":\"%s\",\"PendingWindowInDays\":31}", key),
		"ValidationException");
	assert_int_equal(rig_call("ScheduleKeyDeletion", fmt("{\"KeyId\":\"%s\"}", key)), 200);
	assert_int_equal(json_integer_value(json_object_get(rig_got.body, "PendingWindowInDays")),
			 30);
	assert_true(json_real_value(json_object_get(rig_got.body, "DeletionDate")) ==
		    1795340716.0 + 30 * 86400);
	assert_string_equal(rig_str("KeyState"), "PendingDeletion");
	refused("Decrypt", fmt("{\"CiphertextBlob\":\"%s\"}", blob), "KMSInvalidStateException");
	refused("EnableKey", fmt("{\"KeyId\":\"%s\"}", key), "KMSInvalidStateException");
	refused("DisableKey", fmt("{\"KeyId\":\"%s\"}", key), "KMSInvalidStateException");
	refused("ScheduleKeyDeletion", fmt("{\"KeyId\":\"%s\"}", key), "KMSInvalidStateException");
	assert_int_equal(rig_call("CancelKeyDeletion", fmt("{\"KeyId\":\"%s\"}", key)), 200);
	assert_string_equal(metadata("KeyState"), "Disabled");
	assert_int_equal(rig_call("EnableKey", fmt("{\"KeyId\":\"%s\"}", key)), 200);
	assert_int_equal(rig_call("Decrypt", fmt("{\"CiphertextBlob\":\"%s\"}", blob)), 200);
}

static void timers(void)
{
	uint64_t next = UINT64_MAX;

	rig.kms.sweep_ns = 0;
	kms_timers(&rig, clock_ns(), &next);
	rig_turn();
}

static void kms__keys_are_destroyed_when_their_time_has_come(void **state)
{
	uint64_t began = rig_ms;
	uint8_t id[KMS_ID_BYTES];

	(void)state;
	encrypt("");
	assert_int_equal(rig_call("ScheduleKeyDeletion",
				  fmt("{\"KeyId\":\"%s\",\"PendingWindowInDays\":7}", key)),
			 200);
	rig_ms = began + 7 * RIG_DAY_MS - 1;
	timers();
	assert_string_equal(metadata("KeyState"), "PendingDeletion");
	rig_ms++;
	refused("CancelKeyDeletion", fmt("{\"KeyId\":\"%s\"}", key), "KMSInvalidStateException");
	/* A crash after the material is gone and before the row is: it is asked again. */
	assert_int_equal(kms_id_parse(key, id), 0);
	assert_int_equal(rig_null.vault.vault.destroy(&rig_null.vault, RIG_ACCOUNT, id), 0);
	timers();
	refused("DescribeKey", fmt("{\"KeyId\":\"%s\"}", key), "NotFoundException");
	refused("Decrypt", fmt("{\"CiphertextBlob\":\"%s\"}", blob), "InvalidCiphertextException");
	rig_ms = began;
}

static void kms__tells_the_states_again_after_a_start(void **state)
{
	(void)state;
	encrypt("");
	assert_int_equal(rig_call("DisableKey", fmt("{\"KeyId\":\"%s\"}", key)), 200);
	/* The security process forgot (a crash between it and the row): the row counts. */
	rig_null.vault.known_cnt = 0;
	kms_start(&rig);
	rig_turn();
	assert_false(rig.kms.syncing);
	assert_int_equal(rig_null.vault.known_cnt, 1);
	assert_int_equal(rig_null.vault.known[0].state, CTL_KMS_DISABLED);
}

static void kms__another_account_sees_nothing(void **state)
{
	char never[MODEL_TEXT_MAX], mine[MODEL_TEXT_MAX];

	(void)state;
	encrypt("");
	rig_account = RIG_OTHER;
	refused("DescribeKey", "{\"KeyId\":\"00000000-0000-4000-8000-000000000000\"}",
		"NotFoundException");
	snprintf(never, sizeof(never), "%s", rig_str("message"));
	refused("DescribeKey", fmt("{\"KeyId\":\"%s\"}", key), "NotFoundException");
	snprintf(mine, sizeof(mine), "%s", rig_str("message"));
	/* the same words but for the id */
	assert_int_equal(strlen(never), strlen(mine));
	memcpy(strstr(mine, key), "00000000-0000-4000-8000-000000000000", 36);
	assert_string_equal(never, mine);
	refused("Decrypt", fmt("{\"CiphertextBlob\":\"%s\"}", blob), "InvalidCiphertextException");
	refused("Encrypt", fmt("{\"KeyId\":\"%s\",\"Plaintext\":\"aA==\"}", key),
		"NotFoundException");
	refused("Encrypt",
		fmt("{\"KeyId\":\"arn:aws:kms:us-east-1:" RIG_ACCOUNT
		    ":key/%s\",\"Plaintext\":\"aA==\"}",
		    key),
		"NotFoundException");
	refused("DisableKey", fmt("{\"KeyId\":\"%s\"}", key), "NotFoundException");
	refused("ScheduleKeyDeletion", fmt("{\"KeyId\":\"%s\"}", key), "NotFoundException");
	assert_int_equal(rig_call("ListKeys", "{}"), 200);
	assert_int_equal(json_array_size(json_object_get(rig_got.body, "Keys")), 0);
}

static void kms__names_of_keys(void **state)
{
	(void)state;
	refused("DescribeKey", "{}", "ValidationException");
	refused("DescribeKey", "{\"KeyId\":\"\"}", "ValidationException");
	refused("DescribeKey", "{\"KeyId\":null}", "ValidationException");
	refused("DescribeKey", "{\"KeyId\":7}", "SerializationException");
	refused("DescribeKey", "{\"KeyId\":\"x\"}", "NotFoundException");
	refused("DescribeKey", "{\"KeyId\":\"alias/x\"}", "NotFoundException");
	refused("DescribeKey",
		fmt("{\"KeyId\":\"arn:aws:kms:eu-west-1:%s:key/%s\"}", RIG_ACCOUNT, key),
		"InvalidArnException");
	refused("DescribeKey", "{\"KeyId\":\"arn:aws:s3:::x\"}", "InvalidArnException");
	refused("DescribeKey", "{\"KeyId\":\"arn:aws:kms:us-east-1:" RIG_ACCOUNT "\"}",
		"InvalidArnException");
	refused("DescribeKey", "{\"KeyId\":\"arn:aws:kms:us-east-1:" RIG_ACCOUNT ":x/y\"}",
		"NotFoundException");
	assert_int_equal(rig_call("DescribeKey", "{\"KeyId\":\"alias/aws/ebs\"}"), 200);
	assert_int_equal(rig_call("DescribeKey", "{\"KeyId\":\"arn:aws:kms:us-east-1:" RIG_ACCOUNT
						 ":alias/aws/ebs\"}"),
			 200);
	assert_int_equal(store_cnt(rig.core.st, &tbl_kms_keys), 2); /* made once */
	refused("Encrypt", "{\"KeyId\":\"alias/aws/ebs\",\"Plaintext\":\"aA==\"}",
		"AccessDeniedException");
	/* what changes a key takes no alias */
	refused("DisableKey", "{\"KeyId\":\"alias/aws/ebs\"}", "NotFoundException");
	snprintf(key, sizeof(key), "%s", "");
}

static void kms__lists_in_pages(void **state)
{
	char marker[128] = "", seen[12][MODEL_UUID_MAX];
	size_t cnt = 0;

	(void)state;
	for (unsigned k = 0; k < 9; k++) {
		rig_ms += k % 2; /* some in the same millisecond */
		key_make();
	}
	do {
		json_t *keys, *v;
		size_t k;

		assert_int_equal(rig_call("ListKeys",
					  marker[0] ? fmt("{\"Limit\":4,\"Marker\":\"%s\"}", marker)
						    : "{\"Limit\":4}"),
				 200);
		keys = json_object_get(rig_got.body, "Keys");
		assert_in_range(json_array_size(keys), 1, 4);
		json_array_foreach(keys, k, v)
			snprintf(seen[cnt++], MODEL_UUID_MAX, "%s",
				 json_string_value(json_object_get(v, "KeyId")));
		snprintf(marker, sizeof(marker), "%s", rig_str("NextMarker"));
		assert_int_equal(json_is_true(json_object_get(rig_got.body, "Truncated")),
				 marker[0] != 0);
	} while (marker[0]);
	assert_int_equal(cnt, 10);
	for (size_t i = 0; i < cnt; i++)
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(seen[i], seen[j]);
	refused("ListKeys", "{\"Limit\":0}", "ValidationException");
	refused("ListKeys", "{\"Limit\":1001}", "ValidationException");
	refused("ListKeys", "{\"Marker\":\"x\"}", "InvalidMarkerException");
}

static void kms__has_a_quota(void **state)
{
	(void)state;
	for (int k = 1; k < CORE_KMS_KEYS_MAX; k++)
		key_make();
	refused("CreateKey", "{}", "LimitExceededException");
	rig_account = RIG_OTHER;
	assert_int_equal(rig_call("CreateKey", "{}"), 200);
}

static void kms__has_a_quota_for_calls_that_wait_together(void **state)
{
	enum { TOGETHER = 3 };

	(void)state;
	for (int k = 1; k < CORE_KMS_KEYS_MAX - 1; k++)
		key_make();
	rig_got.replies = 0;
	for (int k = 0; k < TOGETHER; k++)
		rig_send("TrentService.CreateKey", "{}", 2);
	rig_turn();
	assert_int_equal(rig_got.replies, TOGETHER);
	assert_string_equal(rig_got.code, "LimitExceededException");
	assert_int_equal(store_cnt(rig.core.st, &tbl_kms_keys), CORE_KMS_KEYS_MAX);
}

static void kms__makes_no_key_of_an_account_that_went_meanwhile(void **state)
{
	struct account a = { .id = RIG_OTHER };
	size_t before = store_cnt(rig.core.st, &tbl_kms_keys);

	(void)state;
	rig_account = RIG_OTHER;
	rig_got.replies = 0;
	rig_send("TrentService.CreateKey", "{}", 2);
	assert_int_equal(store_delete(rig.core.st, &tbl_accounts, &a), 0);
	rig_turn();
	assert_int_equal(rig_got.replies, 1);
	assert_int_equal(rig_got.status, 400);
	assert_int_equal(store_cnt(rig.core.st, &tbl_kms_keys), before);
}

static void kms__refuses_by_name_what_it_has_not(void **state)
{
	static const char *const members[] = {
		"\"Policy\":\"{}\"",          "\"Tags\":[{\"TagKey\":\"a\",\"TagValue\":\"b\"}]",
		"\"MultiRegion\":true",       "\"KeySpec\":\"RSA_2048\"",
		"\"Origin\":\"EXTERNAL\"",    "\"KeyUsage\":\"SIGN_VERIFY\"",
		"\"CustomKeyStoreId\":\"x\"",
	};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(members); k++) {
		char name[32];

		refused("CreateKey", fmt("{%s}", members[k]), "UnsupportedOperationException");
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(members[k] + 1, "\""),
			 members[k] + 1);
		assert_non_null(strstr(rig_str("message"), name));
	}
	refused("CreateKey", "{\"Descripton\":\"x\"}", "ValidationException");
	assert_non_null(strstr(rig_str("message"), "Descripton"));
	refused("ReEncrypt", "{}", "UnsupportedOperationException");
	assert_string_equal(rig_got.action, "ReEncrypt");
	refused("CreateKye", "{}", "UnknownOperationException");
	refused("", "{}", "UnknownOperationException");
	refused("Encrypt",
		fmt("{\"KeyId\":\"%s\",\"Plaintext\":\"aA==\",\"EncryptionAlgorithm\":"
		    "\"RSAES_OAEP_SHA_256\"}",
		    key),
		"InvalidKeyUsageException");
	refused("Encrypt",
		fmt("{\"KeyId\":\"%s\",\"Plaintext\":\"aA==\",\"GrantTokens\":[\"x\"]}", key),
		"UnsupportedOperationException");
	refused("Encrypt", fmt("{\"KeyId\":\"%s\",\"Plaintext\":\"aA==\",\"DryRun\":true}", key),
		"DryRunOperationException");
}

static void kms__plaintexts_have_a_size(void **state)
{
	static char big[8192];
	size_t n;

	(void)state;
	memset(big, 'A', sizeof(big));
	n = 4096 / 3 * 4; /* 4095 bytes */
	snprintf(big + n, 8, "AA==");
	assert_int_equal(
		rig_call("Encrypt", fmt("{\"KeyId\":\"%s\",\"Plaintext\":\"%s\"}", key, big)), 200);
	snprintf(big + n, 8, "AAA=");
	refused("Encrypt", fmt("{\"KeyId\":\"%s\",\"Plaintext\":\"%s\"}", key, big),
		"ValidationException");
	refused("Encrypt", fmt("{\"KeyId\":\"%s\",\"Plaintext\":\"\"}", key),
		"ValidationException");
	refused("Encrypt", fmt("{\"KeyId\":\"%s\"}", key), "ValidationException");
	refused("Encrypt", fmt("{\"KeyId\":\"%s\",\"Plaintext\":\"a\"}", key),
		"SerializationException");
	refused("Encrypt", fmt("{\"KeyId\":\"%s\",\"Plaintext\":1}", key),
		"SerializationException");
}

static void kms__takes_one_json_object(void **state)
{
	static char deep[4096];

	(void)state;
	refused("ListKeys", "[]", "SerializationException");
	refused("ListKeys", "{", "SerializationException");
	refused("ListKeys", "{}x", "SerializationException");
	refused("ListKeys", "{\"Limit\":1,\"Limit\":1}", "SerializationException");
	refused("ListKeys", "{\"Limit\":\"\xff\"}", "SerializationException");
	refused("ListKeys", "{\"Marker\":\"a\\u0000b\"}", "SerializationException");
	memset(deep, '[', 2000);
	memset(deep + 2000, ']', 2000);
	refused("ListKeys", deep, "SerializationException");
	assert_int_equal(rig_call("ListKeys", ""), 200); /* no body is {} */
	assert_int_equal(rig_call("ListKeys", "{\"Limit\":null}"), 200);
	refused("Decrypt", "{\"CiphertextBlob\":\"AAAA\",\"EncryptionContext\":{\"a\":1}}",
		"SerializationException");
	refused("Decrypt", "{\"CiphertextBlob\":\"AAAA\",\"EncryptionContext\":[\"a\"]}",
		"SerializationException");
}

static void kms__answers_when_nobody_is_there_to_ask(void **state)
{
	(void)state;
	security_link_close(&rig.security);
	refused("Encrypt", fmt("{\"KeyId\":\"%s\",\"Plaintext\":\"aA==\"}", key),
		"DependencyTimeoutException");
	refused("DisableKey", fmt("{\"KeyId\":\"%s\"}", key), "DependencyTimeoutException");
	assert_null(rig.kms.changing);
	assert_int_equal(rig_call("DescribeKey", fmt("{\"KeyId\":\"%s\"}", key)), 200);
	/* or goes away meanwhile */
	rig_connect();
	rig_got.replies = 0;
	rig_send("TrentService.DisableKey", fmt("{\"KeyId\":\"%s\"}", key), strlen(body));
	assert_int_equal(rig_got.replies, 0);
	security_link_close(&rig.security);
	assert_int_equal(rig_got.replies, 1);
	assert_int_equal(rig_got.status, 503);
	assert_null(rig.kms.changing);
	security_null_done(&rig_null);
}

static void kms__changes_one_key_once_at_a_time(void **state)
{
	static char other[sizeof(body)];

	(void)state;
	rig_got.replies = 0;
	rig_send("TrentService.DisableKey", fmt("{\"KeyId\":\"%s\"}", key), strlen(body));
	snprintf(other, sizeof(other), "{\"KeyId\":\"%s\"}", key);
	rig_send("TrentService.ScheduleKeyDeletion", other, strlen(other));
	assert_int_equal(rig_got.replies, 1);
	assert_string_equal(rig_got.code, "ThrottlingException");
	rig_turn();
	assert_int_equal(rig_got.replies, 2);
	assert_string_equal(metadata("KeyState"), "Disabled");
	assert_null(rig.kms.changing);
	rig_replayed = true;
	refused("EnableKey", fmt("{\"KeyId\":\"%s\"}", key), "ThrottlingException");
	assert_int_equal(rig_call("ListKeys", "{}"), 200);
}

static void started(const char *id, int err, const char *code)
{
	CLEANUP(core_acts_done) struct core_acts acts = { .v = NULL };
	struct ctl_l_instance_started m = { .err = err };
	struct instance i = { .state = INSTANCE_PENDING, .cores = 1, .threads = 1, .ram_bytes = 1 };
	struct volume v = { .state = VOLUME_IN_USE, .size = 4096 };

	snprintf(i.id, sizeof(i.id), "%s", id);
	snprintf(i.account, sizeof(i.account), "%s", RIG_ACCOUNT);
	snprintf(m.instance_id, sizeof(m.instance_id), "%s", id);
	snprintf(v.id, sizeof(v.id), "vol%s", id + 1);
	snprintf(v.account, sizeof(v.account), "%s", RIG_ACCOUNT);
	snprintf(v.instance_id, sizeof(v.instance_id), "%s", id);
	assert_int_equal(store_put(rig.core.st, &tbl_instances, &i), 0);
	assert_int_equal(store_put(rig.core.st, &tbl_volumes, &v), 0);
	assert_true(core_started(&rig.core, &m, &acts) >= 0);
	assert_int_equal(store_get_id(rig.core.st, &tbl_instances, id, &i), 0);
	assert_string_equal(i.reason_code, code);
}

/* The error came from the security process, by card and launcher. */
static void kms__a_start_without_its_key_says_so(void **state)
{
	(void)state;
	started("i-00000000000000001", -EKEYREVOKED, "Client.InvalidKmsKey.InvalidState");
	started("i-00000000000000002", -EKEYEXPIRED, "Client.InvalidKmsKey.InvalidState");
	started("i-00000000000000003", -EKEYREJECTED, "Server.InternalError");
}

/* A volume that could not be made, likewise. */
static void kms__a_volume_without_its_key_says_so(void **state)
{
	struct instance i = { .id = "i-00000000000000004", .account = RIG_ACCOUNT };
	struct volume v = { .id = "vol-00000000000000004",
			    .account = RIG_ACCOUNT,
			    .instance_id = "i-00000000000000004",
			    .size = 4096,
			    .state = VOLUME_CREATING };
	struct ctl_l_volume_create m;

	(void)state;
	i.cores = i.threads = 1;
	i.ram_bytes = 1;
	snprintf(v.kms_key_id, sizeof(v.kms_key_id), "%s", key);
	for (int k = 0; k < 2; k++) {
		CLEANUP(core_acts_done) struct core_acts acts = { .v = NULL };

		assert_int_equal(store_put(rig.core.st, &tbl_instances, &i), 0);
		assert_int_equal(store_put(rig.core.st, &tbl_volumes, &v), 0);
		assert_int_equal(core_create_message(&rig.core, v.id, &m), 0);
		assert_string_equal(m.kms_key_id, key);
		assert_int_equal(core_volume_made(&rig.core, v.id, -EIO, "no", 1, &acts), 0);
		assert_int_equal(store_get_id(rig.core.st, &tbl_instances, i.id, &i), 0);
		assert_string_equal(i.reason_code, k ? "Client.InvalidKmsKey.InvalidState"
						     : "Server.InternalError");
		assert_int_equal(rig_call("DisableKey", fmt("{\"KeyId\":\"%s\"}", key)), 200);
		i.state = INSTANCE_PENDING;
		i.reason_code[0] = '\0';
	}
}

/* The form is frozen: docs/wire/kms-blob.md. Made with Python's hashlib. */
static void kms_context__has_its_golden_digest(void **state)
{
	static const uint8_t none[] = "niter/kms-context/v1\0\0\0",
			     two[] = "niter/kms-context/v1\2\0\0\0"
				     "\1\0\0\0a\1\0\0\0x"
				     "\2\0\0\0a!\0\0\0\0";
	uint8_t got[32], want[32];
	json_t *o = json_pack("{s:s,s:s}", "a!", "", "a", "x");

	(void)state;
	assert_int_equal(kms_context_digest(NULL, got), 0);
	assert_int_equal(hash_sha256(none, sizeof(none), want), 0); /* with its last zero */
	assert_memory_equal(got, want, sizeof(got));
	assert_int_equal(kms_context_digest(o, got), 0);
	assert_int_equal(hash_sha256(two, sizeof(two) - 1, want), 0);
	assert_memory_equal(got, want, sizeof(got));
	json_decref(o);
}

static void kms_context__has_a_size(void **state)
{
	static char big[KMS_CONTEXT_BYTES_MAX + 1];
	uint8_t got[32];
	json_t *o = json_object();
	char name[16];

	(void)state;
	for (int k = 0; k < KMS_CONTEXT_PAIRS_MAX; k++) {
		snprintf(name, sizeof(name), "n%d", k);
		json_object_set_new(o, name, json_string("v"));
	}
	assert_int_equal(kms_context_digest(o, got), 0);
	json_object_set_new(o, "one more", json_string("v"));
	assert_int_equal(kms_context_digest(o, got), -E2BIG);
	json_object_clear(o);
	memset(big, 'x', sizeof(big) - 1);
	json_object_set_new(o, "", json_string(big));
	assert_int_equal(kms_context_digest(o, got), 0);
	json_object_set_new(o, "y", json_string(""));
	assert_int_equal(kms_context_digest(o, got), -E2BIG);
	json_decref(o);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(kms__says_what_a_key_is),
		TEST(kms__gives_back_what_it_was_given),
		TEST(kms__data_keys),
		TEST(kms__random_bytes),
		TEST(kms__keys_are_switched_and_end),
		TEST(kms__keys_are_destroyed_when_their_time_has_come),
		TEST(kms__tells_the_states_again_after_a_start),
		TEST(kms__another_account_sees_nothing),
		TEST(kms__names_of_keys),
		TEST(kms__lists_in_pages),
		TEST(kms__has_a_quota),
		TEST(kms__has_a_quota_for_calls_that_wait_together),
		TEST(kms__makes_no_key_of_an_account_that_went_meanwhile),
		TEST(kms__refuses_by_name_what_it_has_not),
		TEST(kms__plaintexts_have_a_size),
		TEST(kms__takes_one_json_object),
		TEST(kms__answers_when_nobody_is_there_to_ask),
		TEST(kms__changes_one_key_once_at_a_time),
		TEST(kms__a_start_without_its_key_says_so),
		TEST(kms__a_volume_without_its_key_says_so),
		TEST(kms_context__has_its_golden_digest),
		TEST(kms_context__has_a_size),
	};

	kms_init();
	log_init("kms-test");
	if (crypto_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("controller/kms", tests, NULL, NULL);
}
