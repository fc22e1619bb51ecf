/* SPDX-License-Identifier: Apache-2.0 */

/* Keys: they are made, looked at, switched off and on, and their end is planned. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kms/kms_priv.h"

enum { LIST_DEFAULT = 100, LIST_MAX = 1000, MARKER_MAX = 1024 };

static const char *state_name(enum kms_key_state s)
{
	switch (s) {
	case KMS_KEY_ENABLED:
		return "Enabled";
	case KMS_KEY_DISABLED:
		return "Disabled";
	case KMS_KEY_PENDING_DELETION:
		return "PendingDeletion";
	}
	return "Unavailable";
}

static json_t *metadata(struct kms_call *c, const struct kms_key *k)
{
	char arn[CORE_KMS_ARN_MAX];
	json_t *o;

	core_kms_arn(c->core, k, arn);
	o = json_pack("{s:s,s:s,s:s,s:o,s:b,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:[s],s:b}", "AWSAccountId",
		      k->account, "KeyId", k->id, "Arn", arn, "CreationDate",
		      kms_time(k->created_ms), "Enabled", k->state == KMS_KEY_ENABLED,
		      "Description", k->description, "KeyUsage", "ENCRYPT_DECRYPT", "KeyState",
		      state_name(k->state), "Origin", "AWS_KMS", "KeyManager",
		      k->by_service ? "AWS" : "CUSTOMER", "KeySpec", "SYMMETRIC_DEFAULT",
		      "CustomerMasterKeySpec", "SYMMETRIC_DEFAULT", "EncryptionAlgorithms",
		      "SYMMETRIC_DEFAULT", "MultiRegion", 0);
	if (o && k->deletion_ms &&
	    json_object_set_new(o, "DeletionDate", kms_time(k->deletion_ms)) < 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}

static int described(struct kms_call *c)
{
	return kms_answer(c, json_pack("{s:o}", "KeyMetadata", metadata(c, &c->key)));
}

static int key_question(struct kms_call *c, enum ctl_type type, const struct kms_key *k,
			uint8_t state,
			int (*finish)(struct kms_call *, const struct ctl_kms_answer *))
{
	struct ctl_kms_key m = { .state = state };

	snprintf(m.account_id, sizeof(m.account_id), "%s", k->account);
	snprintf(m.key_id, sizeof(m.key_id), "%s", k->id);
	return kms_ask(c, type, &m, finish);
}

static void nobody(UNUSED void *ptr, UNUSED int err, UNUSED const struct ctl_msg *m) {}

/* Material without a row helps nobody: it is given up again. */
static void material_drop(struct kms_call *c)
{
	struct ctl_kms_key m = { .state = 0 };

	snprintf(m.account_id, sizeof(m.account_id), "%s", c->key.account);
	snprintf(m.key_id, sizeof(m.key_id), "%s", c->key.id);
	(void)!security_link_ask(&c->x->d->security, CTL_KMS_KEY_DESTROY, &m, nobody, NULL);
}

static int created(struct kms_call *c, UNUSED const struct ctl_kms_answer *a)
{
	int r = core_kms_add(c->core, &c->key, &c->fault);

	if (r < 0) {
		material_drop(c);
		return r;
	}
	return described(c);
}

int kms_create_key(struct kms_call *c)
{
	const char *description = kms_text(&c->q, "Description", 8192);
	int r;

	kms_is(&c->q, "KeyUsage", "ENCRYPT_DECRYPT", "UnsupportedOperationException");
	kms_is(&c->q, "KeySpec", "SYMMETRIC_DEFAULT", "UnsupportedOperationException");
	kms_is(&c->q, "CustomerMasterKeySpec", "SYMMETRIC_DEFAULT",
	       "UnsupportedOperationException");
	kms_is(&c->q, "Origin", "AWS_KMS", "UnsupportedOperationException");
	kms_absent(&c->q, "MultiRegion", "there is one region");
	kms_absent(&c->q, "Policy", "a key may be used by its whole account");
	kms_absent(&c->q, "BypassPolicyLockoutSafetyCheck", "there are no key policies");
	kms_absent(&c->q, "Tags", "KMS keys have no tags");
	kms_absent(&c->q, "CustomKeyStoreId", "there are no custom key stores");
	kms_absent(&c->q, "XksKeyId", "there are no external key stores");
	r = kms_end(&c->q);
	if (r == 0)
		r = core_kms_new(c->core, c->x->account, description, &c->key, &c->fault);
	return r < 0 ? r : key_question(c, CTL_KMS_KEY_CREATE, &c->key, 0, created);
}

int kms_describe_key(struct kms_call *c)
{
	int r;

	kms_absent(&c->q, "GrantTokens", "there are no grants");
	r = kms_key_read(c, true);
	return r < 0 ? r : described(c);
}

/* A marker is where the last page ended: created_ms in hex, then the id. */
static int marker_read(struct kms_call *c, const char *text, uint64_t *ret_ms,
		       char ret_id[MODEL_UUID_MAX])
{
	unsigned long long ms = 0;
	size_t len = strlen(text);

	if (len != 16 + 36 || strspn(text, "0123456789abcdef") < 16 ||
	    strspn(text + 16, "0123456789abcdef-") != 36)
		return kms_fault(c, "InvalidMarkerException", "The marker is none of ours");
	for (size_t k = 0; k < 16; k++)
		ms = ms << 4 | (unsigned)(text[k] <= '9' ? text[k] - '0' : text[k] - 'a' + 10);
	*ret_ms = ms;
	snprintf(ret_id, MODEL_UUID_MAX, "%s", text + 16);
	return 0;
}

static int list_add(struct kms_call *c, json_t *list, const struct kms_key *k)
{
	char arn[CORE_KMS_ARN_MAX];

	core_kms_arn(c->core, k, arn);
	return json_array_append_new(list, json_pack("{s:s,s:s}", "KeyId", k->id, "KeyArn", arn));
}

static int list(struct kms_call *c, uint64_t limit, uint64_t after_ms, const char *after_id)
{
	json_t *keys = json_array();
	const struct kms_key *k;
	struct store_iter it;
	char marker[80] = "";
	bool more = false;
	json_t *o;

	store_each_of(c->core->st, &tbl_kms_keys, "account", c->x->account, &it);
	while ((k = store_next(&it))) {
		if (k->created_ms < after_ms ||
		    (k->created_ms == after_ms && strcmp(k->id, after_id) <= 0))
			continue;
		more = json_array_size(keys) == limit;
		if (more || list_add(c, keys, k) < 0)
			break;
		snprintf(marker, sizeof(marker), "%016llx%s", (unsigned long long)k->created_ms,
			 k->id);
	}
	o = json_pack("{s:o,s:b}", "Keys", keys, "Truncated", more);
	if (o && more && json_object_set_new(o, "NextMarker", json_string(marker)) < 0) {
		json_decref(o);
		o = NULL;
	}
	return kms_answer(c, o);
}

int kms_list_keys(struct kms_call *c)
{
	const char *marker = kms_str(&c->q, "Marker", MARKER_MAX);
	uint64_t limit = kms_u64(&c->q, "Limit", 1, LIST_MAX), after_ms = 0;
	char after_id[MODEL_UUID_MAX] = "";
	int r = kms_end(&c->q);

	if (r == 0 && marker)
		r = marker_read(c, marker, &after_ms, after_id);
	return r < 0 ? r : list(c, limit ? limit : LIST_DEFAULT, after_ms, after_id);
}

/* Is another change of this key under way? Then neither knows what it would change. */
static int changing_begin(struct kms_call *c)
{
	struct kms *s = &c->x->d->kms;

	for (const struct kms_call *o = s->changing; o; o = o->next)
		if (strcmp(o->key.id, c->key.id) == 0)
			return kms_fault(c, "ThrottlingException",
					 "Another change of this key is under way");
	c->next = s->changing;
	s->changing = c;
	c->changing = true;
	return 0;
}

static int change_store(struct kms_call *c)
{
	return core_kms_put(c->core, &c->then, &c->fault);
}

/* The security process first, then the row: a crash in between is settled at the next start, by the row. */
static int change(struct kms_call *c, int wanted,
		  int (*finish)(struct kms_call *, const struct ctl_kms_answer *))
{
	static const struct ctl_kms_answer nothing;
	int r;

	if (wanted < 0)
		return wanted;
	if (wanted == 0)
		return finish(c, &nothing);
	r = changing_begin(c);
	if (r < 0)
		return r;
	r = key_question(c, CTL_KMS_KEY_STATE_SET, &c->key, (uint8_t)c->then.state, finish);
	if (r != -EINPROGRESS) {
		c->x->d->kms.changing = c->next;
		c->changing = false;
	}
	return r;
}

static int switched(struct kms_call *c, UNUSED const struct ctl_kms_answer *a)
{
	int r = change_store(c);

	return r < 0 ? r : kms_answer(c, json_object());
}

int kms_enable_key(struct kms_call *c)
{
	int r = kms_key_read(c, false);

	return r < 0 ? r
		     : change(c, core_kms_enable(c->core, &c->key, &c->then, &c->fault), switched);
}

int kms_disable_key(struct kms_call *c)
{
	int r = kms_key_read(c, false);

	return r < 0 ? r
		     : change(c, core_kms_disable(c->core, &c->key, &c->then, &c->fault), switched);
}

static int scheduled(struct kms_call *c, UNUSED const struct ctl_kms_answer *a)
{
	char arn[CORE_KMS_ARN_MAX];
	int r = change_store(c);

	if (r < 0)
		return r;
	core_kms_arn(c->core, &c->then, arn);
	return kms_answer(c, json_pack("{s:s,s:o,s:s,s:i}", "KeyId", arn, "DeletionDate",
				       kms_time(c->then.deletion_ms), "KeyState",
				       state_name(c->then.state), "PendingWindowInDays",
				       (int)c->days));
}

int kms_schedule_deletion(struct kms_call *c)
{
	uint64_t days =
		kms_u64(&c->q, "PendingWindowInDays", CORE_KMS_WINDOW_MIN, CORE_KMS_WINDOW_MAX);
	int r = kms_key_read(c, false);

	if (r < 0)
		return r;
	c->days = days ? (unsigned)days : CORE_KMS_WINDOW_MAX;
	return change(c, core_kms_schedule(c->core, &c->key, c->days, &c->then, &c->fault),
		      scheduled);
}

static int cancelled(struct kms_call *c, UNUSED const struct ctl_kms_answer *a)
{
	char arn[CORE_KMS_ARN_MAX];
	int r = change_store(c);

	if (r < 0)
		return r;
	core_kms_arn(c->core, &c->then, arn);
	return kms_answer(c, json_pack("{s:s}", "KeyId", arn));
}

int kms_cancel_deletion(struct kms_call *c)
{
	int r = kms_key_read(c, false);

	return r < 0 ? r
		     : change(c, core_kms_cancel(c->core, &c->key, &c->then, &c->fault), cancelled);
}
