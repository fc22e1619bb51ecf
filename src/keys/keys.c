/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/keys.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "crypto/kdf.h"
#include "keys/api_key.h"

enum { RANDOM_MAX = 1024, VOLUME_KEY_BYTES = 32 };

_Static_assert((int)KMS_PLAIN_MAX + (int)KMS_BLOB_OVERHEAD <= (int)CTL_KMS_BYTES_MAX, "fits");
_Static_assert((int)API_SECRET_BYTES == (int)CTL_API_SECRET_BYTES, "");
_Static_assert((int)API_SEALED_BYTES <= (int)CTL_API_SEALED_MAX, "fits");
_Static_assert((int)API_SIGNING_BYTES == (int)CTL_SIGNING_KEY_BYTES, "");
_Static_assert((int)KMS_CONTEXT_BYTES == (int)CTL_KMS_DIGEST_BYTES, "");

void keys_init(struct keys *k, const struct key *api, const struct keys_vault *vault)
{
	memset(k, 0, sizeof(*k));
	k->api = api;
	k->vault = vault;
}

static int account_ok(const char *account)
{
	size_t len = strnlen(account, CTL_ID_MAX);

	return len && len < CTL_ID_MAX &&
	       strspn(account, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

static int state_check(enum ctl_kms_state state)
{
	if (state == CTL_KMS_ENABLED)
		return 0;
	return state == CTL_KMS_PENDING_DELETION ? -EKEYEXPIRED : -EKEYREVOKED;
}

/* Material that may be used now. Another account's key is none. */
static int material_read(const struct keys *k, const char *account, const uint8_t id[KMS_ID_BYTES],
			 struct key **ret)
{
	CLEANUP(key_freep) struct key *material = NULL;
	enum ctl_kms_state state = CTL_KMS_DISABLED;
	int r;

	r = k->vault->read(k->vault->ptr, account, id, &state, &material);
	if (r == -ENOENT || r == -EACCES)
		return -ENOKEY;
	if (r == -EBADMSG) {
		log_warn_limited("keys.kms.damaged", "account=%s", account);
		return -EIO;
	}
	if (r < 0)
		return r;
	r = state_check(state);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(material);
	return 0;
}

int keys_volume_key(const struct keys *k, const char *account, const uint8_t id[KMS_ID_BYTES],
		    struct key **ret)
{
	static const char info[] = "niter/kms-volume/v1";
	CLEANUP(key_freep) struct key *material = NULL;
	int r;

	r = material_read(k, account, id, &material);
	if (r < 0)
		return r;
	return kdf_hkdf_sha384(material, NULL, 0, info, sizeof(info) - 1, VOLUME_KEY_BYTES, ret);
}

static int api_key_create(const struct keys *k, const struct ctl_api_key_create *q,
			  struct ctl_api_key *a)
{
	int r;

	r = api_key_new(k->api, q->account_id, q->access_key_id, a->secret.b, a->sealed.b);
	if (r < 0)
		return r;
	a->secret.len = API_SECRET_BYTES;
	a->sealed.len = API_SEALED_BYTES;
	return 0;
}

static int api_key_derived(const struct keys *k, const struct ctl_api_key_derive *q,
			   struct ctl_api_key_derived *a)
{
	return api_key_derive(k->api, q->account_id, q->access_key_id, q->sealed.b, q->sealed.len,
			      q->date, q->region, q->service, a->key);
}

static int seal(const struct keys *k, const char *account, const char *key_id,
		const uint8_t *context, const struct ctl_bytes_kms *plain, struct ctl_kms_answer *a)
{
	CLEANUP(key_freep) struct key *material = NULL;
	uint8_t id[KMS_ID_BYTES];
	struct kms_use use = { .account = account, .id = id, .context = context };
	int r;

	r = kms_id_parse(key_id, id);
	if (r == 0)
		r = material_read(k, account, id, &material);
	if (r == 0)
		r = kms_blob_seal(material, &use, plain->b, plain->len, a->blob.b);
	if (r < 0)
		return r;
	a->blob.len = (uint16_t)(plain->len + KMS_BLOB_OVERHEAD);
	kms_id_text(id, a->key_id);
	return 0;
}

static int plain_seal(const struct keys *k, const struct ctl_kms_crypt *q, struct ctl_kms_answer *a)
{
	if (q->data.len == 0 || q->data.len > KMS_PLAIN_MAX)
		return -EINVAL;
	return seal(k, q->account_id, q->key_id, q->context, &q->data, a);
}

/* A blob of another account's key is like one of no key at all. */
static int blob_open(const struct keys *k, const struct ctl_kms_crypt *q, struct ctl_kms_answer *a)
{
	CLEANUP(key_freep) struct key *material = NULL;
	uint8_t id[KMS_ID_BYTES], wanted[KMS_ID_BYTES];
	struct kms_use use = { .account = q->account_id, .id = id, .context = q->context };
	int r;

	if (q->key_id[0] && kms_id_parse(q->key_id, wanted) < 0)
		return -EINVAL;
	r = kms_blob_id(q->data.b, q->data.len, id);
	if (r < 0)
		return r;
	if (q->key_id[0] && memcmp(id, wanted, sizeof(id)) != 0)
		return -EKEYREJECTED;
	r = material_read(k, q->account_id, id, &material);
	if (r == -ENOKEY)
		return -EBADMSG;
	if (r == 0)
		r = kms_blob_open(material, &use, q->data.b, q->data.len, a->plain.b);
	if (r < 0)
		return r;
	a->plain.len = (uint16_t)(q->data.len - KMS_BLOB_OVERHEAD);
	kms_id_text(id, a->key_id);
	return 0;
}

static int random_draw(uint16_t len, struct ctl_bytes_kms *ret)
{
	if (len == 0 || len > RANDOM_MAX)
		return -EINVAL;
	if (random_bytes(ret->b, len) < 0)
		return -EIO;
	ret->len = len;
	return 0;
}

static int data_key(const struct keys *k, const struct ctl_kms_data_key *q,
		    struct ctl_kms_answer *a)
{
	int r;

	r = random_draw(q->len, &a->plain);
	if (r == 0)
		r = seal(k, q->account_id, q->key_id, q->context, &a->plain, a);
	if (r == 0 && !q->with_plaintext)
		mem_wipe(&a->plain, sizeof(a->plain));
	return r;
}

/* Creation, state, end. A key that is not there is as good as destroyed: the asker may repeat itself. */
static int key_change(const struct keys *k, enum ctl_type type, const struct ctl_kms_key *q)
{
	const struct keys_vault *v = k->vault;
	uint8_t id[KMS_ID_BYTES];
	int r;

	r = kms_id_parse(q->key_id, id);
	if (r < 0)
		return r;
	if (type == CTL_KMS_KEY_STATE_SET) {
		if (q->state < CTL_KMS_ENABLED || q->state > CTL_KMS_PENDING_DELETION)
			return -EINVAL;
		r = v->set_state(v->ptr, q->account_id, id, (enum ctl_kms_state)q->state);
	} else if (q->state != 0) {
		return -EINVAL;
	} else if (type == CTL_KMS_KEY_CREATE) {
		r = v->create(v->ptr, q->account_id, id);
	} else {
		r = v->destroy(v->ptr, q->account_id, id);
		if (r == -ENOENT)
			return 0;
	}
	if (r == 0)
		log_info("keys.kms.change", "what=%#x key=%s account=%s state=%u", (unsigned)type,
			 q->key_id, q->account_id, (unsigned)q->state);
	return r == -ENOENT || r == -EACCES ? -ENOKEY : r;
}

static int kms_answer(const struct keys *k, const struct ctl_msg *m, struct ctl_kms_answer *a)
{
	const union ctl_any *u = &m->u;

	if (m->type == CTL_KMS_RANDOM)
		return random_draw(u->kms_random.len, &a->plain);
	/* All others begin with the account. */
	if (!account_ok(u->kms_key.account_id))
		return -EINVAL;
	if (m->type == CTL_KMS_ENCRYPT)
		return plain_seal(k, &u->kms_crypt, a);
	if (m->type == CTL_KMS_DECRYPT)
		return blob_open(k, &u->kms_crypt, a);
	if (m->type == CTL_KMS_DATA_KEY)
		return data_key(k, &u->kms_data_key, a);
	return key_change(k, m->type, &u->kms_key);
}

static bool is_kms(enum ctl_type t)
{
	return t == CTL_KMS_KEY_CREATE || t == CTL_KMS_KEY_DESTROY || t == CTL_KMS_KEY_STATE_SET ||
	       t == CTL_KMS_ENCRYPT || t == CTL_KMS_DECRYPT || t == CTL_KMS_DATA_KEY ||
	       t == CTL_KMS_RANDOM;
}

int keys_answer(const struct keys *k, const struct ctl_msg *m, struct keys_answer *ret)
{
	int r;

	memset(ret, 0, sizeof(*ret));
	if (m->type == CTL_API_KEY_CREATE) {
		ret->type = CTL_API_KEY;
		r = api_key_create(k, &m->u.api_key_create, &ret->u.api_key);
	} else if (m->type == CTL_API_KEY_DERIVE) {
		ret->type = CTL_API_KEY_DERIVED;
		r = api_key_derived(k, &m->u.api_key_derive, &ret->u.api_key_derived);
	} else if (is_kms(m->type)) {
		ret->type = CTL_KMS_ANSWER;
		r = kms_answer(k, m, &ret->u.kms);
	} else {
		return -EPROTO;
	}
	if (r < 0) /* nothing half-made */
		mem_wipe(&ret->u, sizeof(ret->u));
	/* err is the first member of all three. */
	ret->u.kms.err = r;
	return 0;
}

int keys_serve(struct keys *k, int fd)
{
	int r;

	r = ctl_recv(fd, &k->msg);
	if (r <= 0)
		return r;
	r = keys_answer(k, &k->msg, &k->answer);
	if (r == 0)
		r = ctl_send(fd, k->answer.type, k->msg.seq, &k->answer.u, NULL, 0);
	ctl_msg_done(&k->msg);
	mem_wipe(&k->answer, sizeof(k->answer));
	return r < 0 ? r : 1;
}
