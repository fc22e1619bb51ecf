/* SPDX-License-Identifier: Apache-2.0 */

/* What keys are for. Everything here is done by the security process; niterd carries it there and back. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "controller/base64.h"
#include "controller/kms/kms_priv.h"

#define ALGORITHM "SYMMETRIC_DEFAULT"

enum { PLAIN_MAX = 4096, RANDOM_MAX = 1024, AES_256 = 32, AES_128 = 16 };

/* Up to 6 KiB, and secret: one, wiped. */
static struct ctl_kms_crypt crypt_buf;

static json_t *blob(const struct ctl_bytes_kms *b)
{
	char *text = base64_encode(b->b, b->len);
	json_t *o = text ? json_string(text) : NULL;

	if (text)
		mem_wipe(text, strlen(text));
	free(text);
	return o;
}

static json_t *arn(struct kms_call *c)
{
	char text[CORE_KMS_ARN_MAX];

	core_kms_arn(c->core, &c->key, text);
	return json_string(text);
}

/* Members that every cryptographic call has, and few offer anything. */
static void common(struct kms_call *c, uint8_t context[CTL_KMS_DIGEST_BYTES])
{
	kms_context(&c->q, "EncryptionContext", context);
	kms_absent(&c->q, "GrantTokens", "there are no grants");
}

static void recipient(struct kms_call *c)
{
	kms_absent(&c->q, "Recipient", "there are no enclaves yet");
}

static int dry(struct kms_call *c, bool dry_run)
{
	return dry_run ? kms_fault(
				 c, "DryRunOperationException",
				 "The request would have succeeded, but the DryRun option is set.")
		       : 0;
}

static int encrypted(struct kms_call *c, const struct ctl_kms_answer *a)
{
	return kms_answer(c, json_pack("{s:o,s:o,s:s}", "CiphertextBlob", blob(&a->blob), "KeyId",
				       arn(c), "EncryptionAlgorithm", ALGORITHM));
}

/* Sends what is in crypt_buf, and wipes it. */
static int crypt_ask(struct kms_call *c, enum ctl_type type,
		     int (*finish)(struct kms_call *c, const struct ctl_kms_answer *a))
{
	int r;

	snprintf(crypt_buf.account_id, sizeof(crypt_buf.account_id), "%s", c->x->account);
	snprintf(crypt_buf.key_id, sizeof(crypt_buf.key_id), "%s", c->key.id);
	r = kms_ask(c, type, &crypt_buf, finish);
	mem_wipe(&crypt_buf, sizeof(crypt_buf));
	return r;
}

int kms_encrypt(struct kms_call *c)
{
	bool dry_run;
	int r;

	c->secret = true; /* what was sent */
	memset(&crypt_buf, 0, sizeof(crypt_buf));
	crypt_buf.data.len =
		(uint16_t)kms_need_blob(&c->q, "Plaintext", crypt_buf.data.b, PLAIN_MAX);
	common(c, crypt_buf.context);
	kms_is(&c->q, "EncryptionAlgorithm", ALGORITHM, "InvalidKeyUsageException");
	dry_run = kms_bool(&c->q, "DryRun");
	r = kms_key_read(c, true);
	if (r == 0)
		r = core_kms_usable(c->core, &c->key, &c->fault);
	if (r == 0)
		r = dry(c, dry_run);
	if (r < 0) {
		mem_wipe(&crypt_buf, sizeof(crypt_buf));
		return r;
	}
	return crypt_ask(c, CTL_KMS_ENCRYPT, encrypted);
}

/* Which key it was follows from the blob; its row is looked at for the ARN. */
static int decrypted(struct kms_call *c, const struct ctl_kms_answer *a)
{
	int r = core_kms_find(c->core, c->x->account, a->key_id, false, &c->key, &c->fault);

	if (r == 0)
		r = core_kms_usable(c->core, &c->key, &c->fault);
	if (r < 0)
		return r;
	c->secret = true;
	return kms_answer(c, json_pack("{s:o,s:o,s:s}", "KeyId", arn(c), "Plaintext",
				       blob(&a->plain), "EncryptionAlgorithm", ALGORITHM));
}

int kms_decrypt(struct kms_call *c)
{
	const char *ref;
	bool dry_run;
	int r;

	memset(&crypt_buf, 0, sizeof(crypt_buf));
	crypt_buf.data.len = (uint16_t)kms_need_blob(&c->q, "CiphertextBlob", crypt_buf.data.b,
						     sizeof(crypt_buf.data.b));
	common(c, crypt_buf.context);
	recipient(c);
	kms_is(&c->q, "EncryptionAlgorithm", ALGORITHM, "InvalidKeyUsageException");
	dry_run = kms_bool(&c->q, "DryRun");
	ref = kms_str(&c->q, "KeyId", 2048);
	r = kms_end(&c->q);
	if (r == 0 && ref)
		r = core_kms_find(c->core, c->x->account, ref, true, &c->key, &c->fault);
	if (r == 0 && ref)
		r = core_kms_usable(c->core, &c->key, &c->fault);
	if (r == 0)
		r = dry(c, dry_run);
	if (r < 0) {
		mem_wipe(&crypt_buf, sizeof(crypt_buf));
		return r;
	}
	return crypt_ask(c, CTL_KMS_DECRYPT, decrypted);
}

static int data_key_made(struct kms_call *c, const struct ctl_kms_answer *a)
{
	json_t *o = json_pack("{s:o,s:o}", "CiphertextBlob", blob(&a->blob), "KeyId", arn(c));

	if (o && c->with_plaintext && json_object_set_new(o, "Plaintext", blob(&a->plain)) < 0) {
		json_decref(o);
		o = NULL;
	}
	c->secret = c->with_plaintext;
	return kms_answer(c, o);
}

/* Exactly one of KeySpec and NumberOfBytes. Return: bytes; 0: the fault is set. */
static uint16_t data_key_len(struct kms_call *c)
{
	const char *spec = kms_str(&c->q, "KeySpec", 64);
	uint16_t len = (uint16_t)kms_u64(&c->q, "NumberOfBytes", 1, RANDOM_MAX);

	if (!spec == !len) {
		kms_refuse(&c->q, "ValidationException",
			   "Please specify either number of bytes or key spec.");
		return 0;
	}
	if (len)
		return len;
	if (strcmp(spec, "AES_256") == 0)
		return AES_256;
	if (strcmp(spec, "AES_128") == 0)
		return AES_128;
	kms_refuse(&c->q, "ValidationException",
		   "1 validation error detected: Value at 'keySpec' failed to satisfy constraint: "
		   "Member must satisfy enum value set: [AES_256, AES_128]");
	return 0;
}

static int data_key(struct kms_call *c, bool with_plaintext)
{
	struct ctl_kms_data_key m = { .with_plaintext = with_plaintext };
	bool dry_run;
	int r;

	c->with_plaintext = with_plaintext;
	m.len = data_key_len(c);
	common(c, m.context);
	if (with_plaintext)
		recipient(c);
	dry_run = kms_bool(&c->q, "DryRun");
	r = kms_key_read(c, true);
	if (r == 0)
		r = core_kms_usable(c->core, &c->key, &c->fault);
	if (r == 0)
		r = dry(c, dry_run);
	if (r < 0)
		return r;
	snprintf(m.account_id, sizeof(m.account_id), "%s", c->x->account);
	snprintf(m.key_id, sizeof(m.key_id), "%s", c->key.id);
	return kms_ask(c, CTL_KMS_DATA_KEY, &m, data_key_made);
}

int kms_generate_data_key(struct kms_call *c)
{
	return data_key(c, true);
}

int kms_generate_data_key_without(struct kms_call *c)
{
	return data_key(c, false);
}

static int random_made(struct kms_call *c, const struct ctl_kms_answer *a)
{
	c->secret = true;
	return kms_answer(c, json_pack("{s:o}", "Plaintext", blob(&a->plain)));
}

int kms_generate_random(struct kms_call *c)
{
	struct ctl_kms_random m = { .len = (uint16_t)kms_u64(&c->q, "NumberOfBytes", 1,
							     RANDOM_MAX) };
	int r;

	if (!m.len)
		kms_refuse(&c->q, "ValidationException", "NumberOfBytes is required.");
	kms_absent(&c->q, "CustomKeyStoreId", "there are no custom key stores");
	recipient(c);
	r = kms_end(&c->q);
	return r < 0 ? r : kms_ask(c, CTL_KMS_RANDOM, &m, random_made);
}
