/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>

#include "controller/kms/kms_rig_test.h"

/*
 * A tenant who signs whatever he likes: u8 which action, then the body. The model: exactly one answer, JSON, 200 or one of the
 * documented statuses with a code; what is accepted is accepted again in another spelling (sorted names, no blanks), and
 * refused with a member nobody knows; nothing but changing actions changes rows; what Encrypt made Decrypt opens.
 */

static const char *const actions[] = {
	"DescribeKey",     "ListKeys",
	"Encrypt",         "Decrypt",
	"GenerateDataKey", "CreateKey",
	"GenerateRandom",  "EnableKey",
	"DisableKey",      "ScheduleKeyDeletion",
	"ReEncrypt",       "CancelKeyDeletion",
	"NoSuchThing",     "GenerateDataKeyWithoutPlaintext",
};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	must(setenv("NITER_LOG", "err", 1) == 0); /* NOLINT(concurrency-mt-unsafe): one thread */
	log_init("kms-json-fuzz");
	must(crypto_init() == 0);
	json_object_seed(1);
	rig_begin();
	return 0;
}

/* No key, and nobody remembers one. */
static void reset(void)
{
	const struct kms_key *k;
	struct store_iter it;
	char id[MODEL_UUID_MAX];

	for (;;) {
		store_each(rig.core.st, &tbl_kms_keys, &it);
		k = store_next(&it);
		if (!k)
			break;
		snprintf(id, sizeof(id), "%s", k->id);
		must(store_delete_id(rig.core.st, &tbl_kms_keys, id) == 0);
	}
	rig_null.vault.known_cnt = 0;
	rig_seed = 1; /* the first key always has the same id: seeds name it */
	must(!rig.kms.changing && !rig.security.asked && !rig.security.queue);
}

static unsigned call(const char *action, const char *body, size_t len)
{
	unsigned status = rig_call_bytes(action, body, len);

	must(json_is_object(rig_got.body));
	must(status == 200 || status == 400 || status == 412);
	must((status == 200) == (rig_str("__type")[0] == '\0'));
	must((status == 200) == (rig_got.code[0] == '\0'));
	must(strcmp(rig_got.code, "KMSInternalException") != 0);
	return status;
}

static unsigned call_json(const char *action, json_t *o, size_t flags)
{
	char *text = json_dumps(o, flags);
	unsigned status;

	must(text);
	status = call(action, text, strlen(text));
	free(text);
	return status;
}

/* The rows, so that it can be seen whether they changed. */
static uint64_t rows_sum(void)
{
	const struct kms_key *k;
	struct store_iter it;
	uint64_t sum = 0;

	store_each(rig.core.st, &tbl_kms_keys, &it);
	while ((k = store_next(&it)))
		if (!k->by_service) /* a first use may make it */
			sum = sum * 31 + (uint64_t)k->state + k->deletion_ms + k->created_ms;
	return sum;
}

/* Encrypt's answer is in rig_got; @q: its request. */
static void decrypt_again(const json_t *q)
{
	json_t *d = json_object(), *plain = json_object_get(q, "Plaintext");
	json_t *context = json_object_get(q, "EncryptionContext");

	json_object_set(d, "CiphertextBlob", json_object_get(rig_got.body, "CiphertextBlob"));
	if (context)
		json_object_set(d, "EncryptionContext", context);
	must(call_json("Decrypt", d, JSON_COMPACT) == 200);
	must(json_equal(json_object_get(rig_got.body, "Plaintext"), plain));
	/* and under another context it does not */
	json_object_set_new(d, "EncryptionContext", json_pack("{s:s}", "no such", "context"));
	must(call_json("Decrypt", d, JSON_COMPACT) == 400);
	must(strcmp(rig_got.code, "InvalidCiphertextException") == 0);
	json_decref(d);
}

static void accepted(const char *action, json_t *q)
{
	bool stable = !rig_got.changes;
	char code[MODEL_CODE_MAX];

	if (strcmp(action, "Encrypt") == 0)
		decrypt_again(q);
	if (stable)
		must(call_json(action, q, JSON_SORT_KEYS | JSON_INDENT(3)) == 200);
	if (json_object_get(q, "Zz"))
		return;
	json_object_set_new(q, "Zz", json_integer(1));
	must(call_json(action, q, JSON_COMPACT) == 400);
	memcpy(code, rig_got.code, sizeof(code));
	must(strcmp(code, "ValidationException") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char key[MODEL_UUID_MAX];
	const char *action;
	json_t *q = NULL;
	uint64_t before;
	unsigned status;

	if (size == 0)
		return 0;
	action = actions[data[0] % ARRAY_SIZE(actions)];
	reset();
	must(rig_call("CreateKey", "{}") == 200);
	snprintf(key, sizeof(key), "%s",
		 json_string_value(
			 json_object_get(json_object_get(rig_got.body, "KeyMetadata"), "KeyId")));
	before = rows_sum();
	status = call(action, (const char *)data + 1, size - 1);
	if (status != 200 || !rig_got.changes)
		must(rows_sum() == before);
	if (status == 200) {
		q = size > 1 ? json_loadb((const char *)data + 1, size - 1, 0, NULL)
			     : json_object();
		must(q); /* what was accepted is JSON */
		accepted(action, q);
		json_decref(q);
	}
	return 0;
}
