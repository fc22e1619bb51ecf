/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "crypto/crypto.h"
#include "keys/keys.h"
#include "keys/vault_null.h"

/*
 * A niterd that asks what it likes: u8 what, then a recipe. The model: only the blob and the sealed secret that were
 * made for the same account, key and context open, and they give what went in; everything else is an error without
 * a byte of anything.
 */

enum { CONTEXTS = 3 };

static const char *const accounts[] = { "111122223333", "444455556666", "" };
static const char *const ids[] = { "01234567-89ab-cdef-0123-456789abcdef",
				   "01234567-89ab-cdef-0123-456789abcdee", "" };
static struct vault_null vault;
static struct keys keys;
static struct ctl_msg q;
static struct keys_answer a, made;
static struct ctl_kms_answer good;
static uint8_t packet[CTL_MSG_MAX];

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void text(char *to, const char *from)
{
	memcpy(to, from, strlen(from) + 1);
}

static void ask_crypt(enum ctl_type type, unsigned account, unsigned id, unsigned context,
		      const void *b, size_t len)
{
	struct ctl_kms_crypt *k = &q.u.kms_crypt;

	memset(&q, 0, sizeof(q));
	q.type = type;
	text(k->account_id, accounts[account]);
	text(k->key_id, ids[id]);
	memset(k->context, (int)context, sizeof(k->context));
	memcpy(k->data.b, b, len);
	k->data.len = (uint16_t)len;
	must(keys_answer(&keys, &q, &a) == 0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	CLEANUP(key_freep) struct key *root = NULL;
	struct ctl_api_key_create *c = &q.u.api_key_create;

	(void)argc;
	(void)argv;
	must(setenv("NITER_LOG", "err", 1) == 0); /* NOLINT(concurrency-mt-unsafe): one thread */
	log_init("keys-fuzz");
	must(crypto_init() == 0 && key_new_random(32, &root) == 0);
	must(vault_null_init(&vault, root) == 0);
	keys_init(&keys, vault.api, &vault.vault);
	q.type = CTL_API_KEY_CREATE;
	text(c->account_id, accounts[0]);
	text(c->access_key_id, "AKIAIOSFODNN7EXAMPLE");
	must(keys_answer(&keys, &q, &made) == 0 && made.u.api_key.err == 0);
	ask_crypt(CTL_KMS_ENCRYPT, 0, 0, 0, "hello", 5);
	must(a.u.kms.err == 0);
	good = a.u.kms;
	return 0;
}

/* The good blob, changed here or there or not at all, opened by somebody. */
static void step_decrypt(struct rd *in)
{
	unsigned account = rd_u8(in) % ARRAY_SIZE(accounts), id = rd_u8(in) % ARRAY_SIZE(ids);
	unsigned context = rd_u8(in) % CONTEXTS;
	uint16_t at = rd_le16(in), len = rd_le16(in);
	uint8_t delta = rd_u8(in);
	uint8_t b[CTL_KMS_BYTES_MAX];
	bool same;

	memset(b, 0, sizeof(b));
	memcpy(b, good.blob.b, good.blob.len);
	b[at % sizeof(b)] ^= delta;
	len = len == 0 ? good.blob.len : len % sizeof(b);
	same = len == good.blob.len && memcmp(b, good.blob.b, len) == 0;
	ask_crypt(CTL_KMS_DECRYPT, account, id, context, b, len);
	must((a.u.kms.err == 0) == (same && account == 0 && id != 1 && context == 0));
	must(a.u.kms.err || (a.u.kms.plain.len == 5 && memcmp(a.u.kms.plain.b, "hello", 5) == 0));
	must(!a.u.kms.err || a.u.kms.plain.len == 0);
}

static void step_derive(struct rd *in)
{
	static const uint8_t zero[CTL_SIGNING_KEY_BYTES];
	struct ctl_api_key_derive *d = &q.u.api_key_derive;
	unsigned account = rd_u8(in) % ARRAY_SIZE(accounts);
	uint8_t at = rd_u8(in), delta = rd_u8(in);

	memset(&q, 0, sizeof(q));
	q.type = CTL_API_KEY_DERIVE;
	text(d->account_id, accounts[account]);
	text(d->access_key_id, "AKIAIOSFODNN7EXAMPLE");
	text(d->date, "20261123");
	text(d->region, "us-east-1");
	text(d->service, "kms");
	d->sealed = made.u.api_key.sealed;
	d->sealed.b[at % d->sealed.len] ^= delta;
	must(keys_answer(&keys, &q, &a) == 0);
	must((a.u.api_key_derived.err == 0) == (account == 0 && delta == 0));
	must((a.u.api_key_derived.err != 0) ==
	     (memcmp(a.u.api_key_derived.key, zero, sizeof(zero)) == 0));
}

/* Any packet that is one: no request gives more than its kind may. */
static void step_raw(struct rd *in)
{
	size_t len = in->left;

	if (ctl_decode(in->p, len, 0, &q) < 0 || keys_answer(&keys, &q, &a) < 0)
		return;
	must(a.type == CTL_API_KEY || a.type == CTL_API_KEY_DERIVED || a.type == CTL_KMS_ANSWER);
	must(ctl_encode(a.type, 1, &a.u, 0, packet, CTL_MSG_MAX) > 0);
	if (a.type == CTL_KMS_ANSWER && a.u.kms.err)
		must(a.u.kms.plain.len == 0 && a.u.kms.blob.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd in = rd_init(data, size);
	uint8_t what = rd_u8(&in);

	if (what % 3 == 0)
		step_decrypt(&in);
	else if (what % 3 == 1)
		step_derive(&in);
	else
		step_raw(&in);
	/* What a raw packet may have switched off is on again. */
	vault.known_cnt = 0;
	return 0;
}
