/* SPDX-License-Identifier: Apache-2.0 */
#include "security/wrap.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/random.h"
#include "crypto/gcm.h"
#include "crypto/hash.h"
#include "crypto/kdf.h"
#include "security/tree.h"

/* spec: docs/wire/wrapped-key.md */
enum {
	VERSION = 1,     /* without a KMS key */
	VERSION_KMS = 2, /* with one: its id ends the head */
	MAGIC_BYTES = 4,
	SALT_BYTES = 32,
	COMMIT_BYTES = HASH_SHA256_BYTES,
	ID_BYTES = 16,
	HEAD_BYTES = 24, /* magic, version, key version, key id: authenticated, not secret */
	HEAD_KMS_BYTES = HEAD_BYTES + WRAP_KMS_ID_BYTES,
	KMS_KEY_BYTES = 32,
	KEY_VERSION = 1, /* of the account key; one so far */
	INFO_MAX = 112,
	AAD_MAX = 240,
};

_Static_assert(HEAD_BYTES + SALT_BYTES + COMMIT_BYTES + WRAP_KEY_BYTES + GCM_TAG_BYTES ==
		       WRAP_BYTES,
	       "");
_Static_assert((int)WRAP_BYTES + (int)WRAP_KMS_ID_BYTES == (int)WRAP_BYTES_MAX, "");

static const uint8_t magic[MAGIC_BYTES] = { 'N', 'W', 'K', '\n' };

struct blob {
	uint8_t head[HEAD_KMS_BYTES];
	size_t head_len;
	uint8_t salt[SALT_BYTES];
	uint8_t commit[COMMIT_BYTES];
	uint8_t sealed[WRAP_KEY_BYTES];
	uint8_t tag[GCM_TAG_BYTES];
};

/* Strings carry their length, so that no two lists of fields look alike. */
static void field_write(struct wr *out, const char *s)
{
	size_t len = strlen(s);

	wr_u8(out, (uint8_t)(len > UINT8_MAX ? 0 : len));
	wr_bytes(out, s, len);
	if (len > UINT8_MAX)
		out->bad = true;
}

static void name_write(struct wr *out, const char *name)
{
	wr_bytes(out, name, strlen(name));
}

/* Sixteen bytes that name the account's key and say nothing about it. */
static int key_id(const struct key *account_key, uint8_t ret[ID_BYTES])
{
	static const char what[] = "niter/key-id/v1";
	uint8_t mac[HASH_SHA256_BYTES];
	int r;

	r = hash_hmac_sha256(account_key, what, sizeof(what) - 1, mac);
	if (r == 0)
		memcpy(ret, mac, ID_BYTES);
	return r;
}

static int wrapping_key(const struct key *account_key, const struct key *secret,
			const struct wrap_use *use, const uint8_t salt[SALT_BYTES],
			struct key **ret)
{
	CLEANUP(key_freep) struct key *ikm = NULL;
	uint8_t b[INFO_MAX];
	struct wr info = wr_init(b, sizeof(b));
	int r;

	if (key_len(account_key) != TREE_KEY_BYTES || key_len(secret) != WRAP_SECRET_BYTES)
		return -EINVAL;
	name_write(&info, use->kms_id ? "niter/wrap/v2" : "niter/wrap/v1");
	field_write(&info, use->account);
	field_write(&info, use->volume);
	wr_le16(&info, KEY_VERSION);
	if (use->kms_id)
		wr_bytes(&info, use->kms_id, WRAP_KMS_ID_BYTES);
	if (info.bad)
		return -EINVAL;
	r = key_new_zero((size_t)TREE_KEY_BYTES + WRAP_SECRET_BYTES +
				 (use->kms_id ? KMS_KEY_BYTES : 0),
			 &ikm);
	if (r < 0)
		return r;
	memcpy(key_bytes_mut(ikm), key_bytes(account_key), TREE_KEY_BYTES);
	memcpy(key_bytes_mut(ikm) + TREE_KEY_BYTES, key_bytes(secret), WRAP_SECRET_BYTES);
	if (use->kms_id)
		memcpy(key_bytes_mut(ikm) + TREE_KEY_BYTES + WRAP_SECRET_BYTES,
		       key_bytes(use->kms_key), KMS_KEY_BYTES);
	return kdf_hkdf_sha384(ikm, salt, SALT_BYTES, b, info.len, GCM_KEY_BYTES, ret);
}

static int aad_write(const struct wrap_use *use, const struct blob *blob, uint8_t b[AAD_MAX])
{
	struct wr out = wr_init(b, AAD_MAX);

	name_write(&out, "niter/wrap-use/v1");
	wr_bytes(&out, blob->head, blob->head_len);
	field_write(&out, use->volume);
	field_write(&out, use->cipher);
	wr_le32(&out, use->sector_bytes);
	wr_le64(&out, use->payload_off);
	wr_le64(&out, use->size);
	return out.bad ? -EINVAL : (int)out.len;
}

static int commitment(const struct key *wk, uint8_t ret[COMMIT_BYTES])
{
	return hash_hmac_sha256(wk, "commit", strlen("commit"), ret);
}

static int halves_equal(const struct key *k)
{
	return mem_equal_ct(key_bytes(k), key_bytes(k) + WRAP_KEY_BYTES / 2, WRAP_KEY_BYTES / 2);
}

/* spec: ieee-1619-2018 §5.1 and fips-140-3 IG C.I: the two keys of XTS must differ */
int wrap_data_key_new(struct key **ret)
{
	CLEANUP(key_freep) struct key *data_half = NULL, *tweak_half = NULL, *k = NULL;
	int r;

	r = key_new_random(WRAP_KEY_BYTES / 2, &data_half);
	if (r < 0)
		return r;
	r = key_new_random(WRAP_KEY_BYTES / 2, &tweak_half);
	if (r < 0)
		return r;
	if (key_equal(data_half, tweak_half))
		return -EIO; /* a generator that repeats itself */
	r = key_new_zero(WRAP_KEY_BYTES, &k);
	if (r < 0)
		return r;
	memcpy(key_bytes_mut(k), key_bytes(data_half), WRAP_KEY_BYTES / 2);
	memcpy(key_bytes_mut(k) + WRAP_KEY_BYTES / 2, key_bytes(tweak_half), WRAP_KEY_BYTES / 2);
	*ret = TAKE_PTR(k);
	return 0;
}

static int salt_draw(uint8_t ret[SALT_BYTES])
{
	return random_bytes(ret, SALT_BYTES);
}

static int head_write(const struct key *account_key, const struct wrap_use *use, struct blob *ret)
{
	struct wr out = wr_init(ret->head, sizeof(ret->head));
	uint8_t id[ID_BYTES];
	int r;

	r = key_id(account_key, id);
	if (r < 0)
		return r;
	wr_bytes(&out, magic, sizeof(magic));
	wr_le16(&out, use->kms_id ? VERSION_KMS : VERSION);
	wr_le16(&out, KEY_VERSION);
	wr_bytes(&out, id, sizeof(id));
	if (use->kms_id)
		wr_bytes(&out, use->kms_id, WRAP_KMS_ID_BYTES);
	ret->head_len = out.len;
	return 0;
}

static int use_ok(const struct wrap_use *use)
{
	return tree_id_ok(use->account) && tree_id_ok(use->volume) &&
	       strnlen(use->cipher, WRAP_CIPHER_MAX) < WRAP_CIPHER_MAX &&
	       !use->kms_id == !use->kms_key &&
	       (!use->kms_key || key_len(use->kms_key) == KMS_KEY_BYTES);
}

int wrap_seal(const struct key *account_key, const struct key *secret, const struct wrap_use *use,
	      const struct key *data_key, uint8_t ret[WRAP_BYTES_MAX])
{
	CLEANUP(key_freep) struct key *wk = NULL;
	struct wr out = wr_init(ret, WRAP_BYTES_MAX);
	uint8_t aad[AAD_MAX];
	struct blob b;
	int r, aad_len;

	if (key_len(data_key) != WRAP_KEY_BYTES || halves_equal(data_key) || !use_ok(use))
		return -EINVAL;
	r = salt_draw(b.salt);
	if (r < 0)
		return r;
	r = head_write(account_key, use, &b);
	if (r < 0)
		return r;
	r = wrapping_key(account_key, secret, use, b.salt, &wk);
	if (r < 0)
		return r;
	r = commitment(wk, b.commit);
	if (r < 0)
		return r;
	aad_len = aad_write(use, &b, aad);
	if (aad_len < 0)
		return aad_len;
	r = gcm_seal_once(wk, aad, (size_t)aad_len, key_bytes(data_key), WRAP_KEY_BYTES, b.sealed,
			  b.tag);
	if (r < 0)
		return r;
	wr_bytes(&out, b.head, b.head_len);
	wr_bytes(&out, b.salt, sizeof(b.salt));
	wr_bytes(&out, b.commit, sizeof(b.commit));
	wr_bytes(&out, b.sealed, sizeof(b.sealed));
	wr_bytes(&out, b.tag, sizeof(b.tag));
	return out.bad ? -EIO : (int)out.len;
}

/* Return: 1 with a KMS key, 0 without, -EPROTO, -ENOTSUP. */
static int blob_version(const void *buf, size_t len)
{
	struct rd in = rd_init(buf, len);
	uint8_t m[MAGIC_BYTES];
	uint16_t version, key_version;

	rd_bytes(&in, m, sizeof(m));
	version = rd_le16(&in);
	key_version = rd_le16(&in);
	if (in.bad || memcmp(m, magic, sizeof(m)) != 0)
		return -EPROTO;
	if ((version != VERSION && version != VERSION_KMS) || key_version != KEY_VERSION)
		return len == WRAP_BYTES || len == WRAP_BYTES_MAX ? -ENOTSUP : -EPROTO;
	return version == VERSION_KMS;
}

static int blob_parse(const void *buf, size_t len, struct blob *ret)
{
	struct rd in = rd_init(buf, len);
	int kms = blob_version(buf, len);

	if (kms < 0)
		return kms;
	ret->head_len = kms ? HEAD_KMS_BYTES : HEAD_BYTES;
	rd_bytes(&in, ret->head, ret->head_len);
	rd_bytes(&in, ret->salt, sizeof(ret->salt));
	rd_bytes(&in, ret->commit, sizeof(ret->commit));
	rd_bytes(&in, ret->sealed, sizeof(ret->sealed));
	rd_bytes(&in, ret->tag, sizeof(ret->tag));
	return in.bad || in.left ? -EPROTO : kms;
}

int wrap_kms_id(const void *blob, size_t len, uint8_t ret[WRAP_KMS_ID_BYTES])
{
	struct blob b;
	int r;

	r = blob_parse(blob, len, &b);
	if (r == 1)
		memcpy(ret, b.head + HEAD_BYTES, WRAP_KMS_ID_BYTES);
	return r;
}

int wrap_open(const struct key *account_key, const struct key *secret, const struct wrap_use *use,
	      const void *blob, size_t len, struct key **ret)
{
	CLEANUP(key_freep) struct key *wk = NULL, *k = NULL;
	uint8_t aad[AAD_MAX], commit[COMMIT_BYTES];
	struct blob b;
	int r, aad_len;

	if (!use_ok(use))
		return -EINVAL;
	r = blob_parse(blob, len, &b);
	if (r < 0)
		return r;
	if (!use->kms_id != !r ||
	    (r && memcmp(use->kms_id, b.head + HEAD_BYTES, WRAP_KMS_ID_BYTES) != 0))
		return -EINVAL;
	r = wrapping_key(account_key, secret, use, b.salt, &wk);
	if (r < 0)
		return r;
	r = commitment(wk, commit);
	if (r < 0)
		return r;
	if (!mem_equal_ct(commit, b.commit, sizeof(commit)))
		return -EKEYREJECTED;
	aad_len = aad_write(use, &b, aad);
	if (aad_len < 0)
		return aad_len;
	r = key_new_zero(WRAP_KEY_BYTES, &k);
	if (r < 0)
		return r;
	r = gcm_open_once(wk, aad, (size_t)aad_len, b.sealed, sizeof(b.sealed), b.tag,
			  key_bytes_mut(k));
	if (r < 0)
		return r;
	if (halves_equal(k))
		return -EBADMSG;
	*ret = TAKE_PTR(k);
	return 0;
}
