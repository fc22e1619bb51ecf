/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core_kms.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

enum {
	UUID_LEN = 36,
	ID_TRIES = 8,
	SAFE_MAX = 200,
};

#define DAY_MS (24ULL * 3600 * 1000)

void core_kms_arn(const struct core *c, const struct kms_key *k, char ret[CORE_KMS_ARN_MAX])
{
	snprintf(ret, CORE_KMS_ARN_MAX, "arn:aws:kms:%s:%s:key/%s", c->place.region, k->account,
		 k->id);
}

static bool uuid_shaped(const char *s)
{
	if (strlen(s) != UUID_LEN || strspn(s, "0123456789abcdef-") != UUID_LEN)
		return false;
	for (size_t k = 0; k < UUID_LEN; k++)
		if ((s[k] == '-') != (k == 8 || k == 13 || k == 18 || k == 23))
			return false;
	return true;
}

static int not_found(const struct core *c, const char *account, const char *what, const char *ref,
		     struct fault *f)
{
	char safe[SAFE_MAX];

	log_escape(safe, sizeof(safe), ref, strlen(ref));
	if (strcmp(what, "key") == 0)
		return fault_set(f, ENOENT, "NotFoundException", NULL,
				 "Key 'arn:aws:kms:%s:%s:key/%s' does not exist", c->place.region,
				 account, safe);
	if (strcmp(what, "alias") == 0)
		return fault_set(f, ENOENT, "NotFoundException", NULL,
				 "Alias arn:aws:kms:%s:%s:%s is not found.", c->place.region,
				 account, safe);
	return fault_set(f, ENOENT, "NotFoundException", NULL, "Invalid keyId '%s'", safe);
}

/* spec: rfc-9562 §5.4 */
static int uuid_draw(struct core *c, char ret[MODEL_UUID_MAX])
{
	uint8_t b[16];
	int r;

	r = c->env.random(c->env.ptr, b, sizeof(b));
	if (r < 0)
		return r;
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	snprintf(ret, MODEL_UUID_MAX,
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
		 b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
		 b[15]);
	return 0;
}

static int id_draw(struct core *c, char ret[MODEL_UUID_MAX])
{
	for (int k = 0; k < ID_TRIES; k++) {
		int r = uuid_draw(c, ret);

		if (r < 0)
			return r;
		if (!store_find(c->st, &tbl_kms_keys, ret))
			return 0;
	}
	return -EEXIST;
}

int core_kms_service_key(struct core *c, const char *account, struct kms_key *ret)
{
	const struct kms_key *k;
	struct store_iter it;
	int r;

	store_each_of(c->st, &tbl_kms_keys, "account", account, &it);
	while ((k = store_next(&it))) {
		if (!k->by_service)
			continue;
		*ret = *k;
		return 0;
	}
	memset(ret, 0, sizeof(*ret));
	ret->by_service = true;
	ret->state = KMS_KEY_ENABLED;
	snprintf(ret->account, sizeof(ret->account), "%s", account);
	snprintf(ret->description, sizeof(ret->description),
		 "Default key that protects my EBS volumes when no other key is defined");
	ret->created_ms = c->env.now_ms(c->env.ptr);
	r = id_draw(c, ret->id);
	return r < 0 ? r : store_put(c->st, &tbl_kms_keys, ret);
}

/* What comes after "arn:aws:kms:REGION:ACCOUNT:"; NULL with the fault set. */
static const char *arn_rest(const struct core *c, const char *account, const char *ref,
			    struct fault *f)
{
	char head[CORE_KMS_ARN_MAX], safe[SAFE_MAX];
	size_t len;

	log_escape(safe, sizeof(safe), ref, strlen(ref));
	len = (size_t)snprintf(head, sizeof(head), "arn:aws:kms:%s:", c->place.region);
	if (strncmp(ref, head, len) != 0) {
		(void)!fault_set(f, EINVAL, "InvalidArnException", NULL, "Invalid arn %s", safe);
		return NULL;
	}
	ref += len;
	len = strcspn(ref, ":");
	if (!ref[len]) {
		(void)!fault_set(f, EINVAL, "InvalidArnException", NULL, "Invalid arn %s", safe);
		return NULL;
	}
	/* Another account's key is like one that never was. */
	if (len != strlen(account) || strncmp(ref, account, len) != 0) {
		(void)!fault_set(f, ENOENT, "NotFoundException", NULL, "Key '%s' does not exist",
				 safe);
		return NULL;
	}
	return ref + len + 1;
}

static int key_by_id(struct core *c, const char *account, const char *id, struct kms_key *ret,
		     struct fault *f)
{
	const struct kms_key *k;

	if (!uuid_shaped(id))
		return not_found(c, account, "id", id, f);
	k = store_find(c->st, &tbl_kms_keys, id);
	if (!k || strcmp(k->account, account) != 0)
		return not_found(c, account, "key", id, f);
	*ret = *k;
	return 0;
}

int core_kms_find(struct core *c, const char *account, const char *ref, bool alias,
		  struct kms_key *ret, struct fault *f)
{
	bool arn = strncmp(ref, "arn:", 4) == 0;
	const char *id = ref;
	int r;

	if (arn) {
		id = arn_rest(c, account, ref, f);
		if (!id)
			return -EINVAL;
	}
	if (strncmp(id, "alias/", 6) == 0 && alias) {
		if (strcmp(id, CORE_KMS_ALIAS_EBS) != 0)
			return not_found(c, account, "alias", id, f);
		r = core_kms_service_key(c, account, ret);
		return r < 0 ? fault_internal(f, r, "making the key of the account's volumes") : 0;
	}
	if (arn) {
		if (strncmp(id, "key/", 4) != 0)
			return not_found(c, account, "id", ref, f);
		id += 4;
	}
	return key_by_id(c, account, id, ret, f);
}

static int service_refuse(const struct core *c, const struct kms_key *k, struct fault *f)
{
	char arn[CORE_KMS_ARN_MAX];

	core_kms_arn(c, k, arn);
	return fault_set(f, EACCES, "AccessDeniedException", NULL,
			 "%s belongs to EBS volumes: it is used through them only", arn);
}

int core_kms_usable(const struct core *c, const struct kms_key *k, struct fault *f)
{
	char arn[CORE_KMS_ARN_MAX];

	if (k->by_service)
		return service_refuse(c, k, f);
	core_kms_arn(c, k, arn);
	switch (k->state) {
	case KMS_KEY_ENABLED:
		return 0;
	case KMS_KEY_DISABLED:
		return fault_set(f, EPERM, "DisabledException", NULL, "%s is disabled.", arn);
	case KMS_KEY_PENDING_DELETION:
		return fault_set(f, EPERM, "KMSInvalidStateException", NULL,
				 "%s is pending deletion.", arn);
	}
	return -EINVAL;
}

static int quota_check(struct core *c, const char *account, struct fault *f)
{
	const struct kms_key *k;
	struct store_iter it;
	size_t cnt = 0;

	store_each_of(c->st, &tbl_kms_keys, "account", account, &it);
	while ((k = store_next(&it)))
		cnt += !k->by_service;
	if (cnt >= CORE_KMS_KEYS_MAX)
		return fault_set(f, EDQUOT, "LimitExceededException", NULL,
				 "The account has %d KMS keys already", CORE_KMS_KEYS_MAX);
	return 0;
}

int core_kms_new(struct core *c, const char *account, const char *description, struct kms_key *ret,
		 struct fault *f)
{
	int r = quota_check(c, account, f);

	if (r < 0)
		return r;
	memset(ret, 0, sizeof(*ret));
	ret->state = KMS_KEY_ENABLED;
	snprintf(ret->account, sizeof(ret->account), "%s", account);
	snprintf(ret->description, sizeof(ret->description), "%s", description);
	ret->created_ms = c->env.now_ms(c->env.ptr);
	r = id_draw(c, ret->id);
	return r < 0 ? fault_internal(f, r, "drawing a key's id") : 0;
}

int core_kms_put(struct core *c, const struct kms_key *k, struct fault *f)
{
	int r = store_put(c->st, &tbl_kms_keys, k);

	return r < 0 ? fault_internal(f, r, "recording the key") : 0;
}

/* While its material was made others may have been faster, and the account may have gone. */
int core_kms_add(struct core *c, const struct kms_key *k, struct fault *f)
{
	int r;

	if (!store_find(c->st, &tbl_accounts, k->account))
		return fault_set(f, ENOENT, "NotFoundException", NULL,
				 "The account has been removed");
	r = quota_check(c, k->account, f);
	return r < 0 ? r : core_kms_put(c, k, f);
}

/* What every change of state asks first. */
static int change_begin(const struct core *c, const struct kms_key *k, bool pending_wanted,
			struct kms_key *ret, struct fault *f)
{
	bool pending = k->state == KMS_KEY_PENDING_DELETION;
	char arn[CORE_KMS_ARN_MAX];

	if (k->by_service)
		return service_refuse(c, k, f);
	core_kms_arn(c, k, arn);
	if (pending != pending_wanted)
		return fault_set(f, EPERM, "KMSInvalidStateException", NULL,
				 "%s is %spending deletion.", arn, pending ? "" : "not ");
	*ret = *k;
	return 0;
}

int core_kms_enable(struct core *c, const struct kms_key *k, struct kms_key *ret, struct fault *f)
{
	int r = change_begin(c, k, false, ret, f);

	ret->state = KMS_KEY_ENABLED;
	return r < 0 ? r : k->state != KMS_KEY_ENABLED;
}

int core_kms_disable(struct core *c, const struct kms_key *k, struct kms_key *ret, struct fault *f)
{
	int r = change_begin(c, k, false, ret, f);

	ret->state = KMS_KEY_DISABLED;
	return r < 0 ? r : k->state != KMS_KEY_DISABLED;
}

int core_kms_schedule(struct core *c, const struct kms_key *k, unsigned days, struct kms_key *ret,
		      struct fault *f)
{
	int r = change_begin(c, k, false, ret, f);

	if (r < 0)
		return r;
	ret->state = KMS_KEY_PENDING_DELETION;
	ret->deletion_ms = c->env.now_ms(c->env.ptr) + days * DAY_MS;
	return 1;
}

int core_kms_cancel(struct core *c, const struct kms_key *k, struct kms_key *ret, struct fault *f)
{
	int r = change_begin(c, k, true, ret, f);
	char arn[CORE_KMS_ARN_MAX];

	if (r < 0)
		return r;
	core_kms_arn(c, k, arn);
	/* Its end may be under way. */
	if (k->deletion_ms <= c->env.now_ms(c->env.ptr))
		return fault_set(f, EPERM, "KMSInvalidStateException", NULL, "%s is being deleted.",
				 arn);
	ret->state = KMS_KEY_DISABLED;
	ret->deletion_ms = 0;
	return 1;
}

int core_kms_due(struct core *c, struct kms_key *ret, uint64_t *ret_next_ms)
{
	uint64_t now = c->env.now_ms(c->env.ptr);
	const struct kms_key *k;
	struct store_iter it;

	*ret_next_ms = UINT64_MAX;
	store_each(c->st, &tbl_kms_keys, &it);
	while ((k = store_next(&it))) {
		if (k->state != KMS_KEY_PENDING_DELETION)
			continue;
		if (k->deletion_ms <= now) {
			*ret = *k;
			return 1;
		}
		if (k->deletion_ms < *ret_next_ms)
			*ret_next_ms = k->deletion_ms;
	}
	return 0;
}

int core_kms_gone(struct core *c, const char *id)
{
	int r = store_delete_id(c->st, &tbl_kms_keys, id);

	return r == -ENOENT ? 0 : r;
}
