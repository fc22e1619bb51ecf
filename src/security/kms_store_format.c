/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/random.h"
#include "crypto/gcm.h"
#include "crypto/hash.h"
#include "crypto/kdf.h"
#include "security/kms_store_priv.h"
#include "security/tree.h"

/* spec: docs/wire/security-store.md */
enum {
	MAGIC_BYTES = 8,
	HALF_MAGIC = 0x31524b4e, /* "NKR1" */
	HALF_HEAD_BYTES = 64, /* magic, version, flags, key id, account, state, zero, generation */
	SALT_BYTES = 32,
	HEADER_MAC_OFF = KMS_STORE_HEADER_BYTES - HASH_SHA256_BYTES,
	HALF_USED_BYTES = HALF_HEAD_BYTES + SALT_BYTES + KMS_MATERIAL_BYTES + GCM_TAG_BYTES,
	AAD_BYTES = HALF_HEAD_BYTES + KMS_STORE_ID_BYTES + 4 + 1,
};

_Static_assert((int)KMS_STORE_ACCOUNT_MAX == (int)TREE_ID_MAX, "account ids");

static const uint8_t magic[MAGIC_BYTES] = { 'N', 'I', 'T', 'E', 'R', 'K', 'M', '\n' };

int kms_header_encode(const uint8_t id[KMS_STORE_ID_BYTES], const struct key *mac_key,
		      uint8_t ret[KMS_STORE_HEADER_BYTES])
{
	struct wr out = wr_init(ret, KMS_STORE_HEADER_BYTES);
	uint8_t mac[HASH_SHA256_BYTES];
	int r;

	wr_bytes(&out, magic, sizeof(magic));
	wr_le16(&out, KMS_STORE_VERSION);
	wr_le16(&out, 0);
	wr_bytes(&out, id, KMS_STORE_ID_BYTES);
	wr_zero(&out, HEADER_MAC_OFF - out.len);
	r = hash_hmac_sha256(mac_key, ret, HEADER_MAC_OFF, mac);
	if (r < 0)
		return r;
	wr_bytes(&out, mac, sizeof(mac));
	return out.bad ? -EIO : 0;
}

int kms_header_decode(const uint8_t b[KMS_STORE_HEADER_BYTES], const struct key *mac_key,
		      uint8_t ret_id[KMS_STORE_ID_BYTES])
{
	struct rd in = rd_init(b, KMS_STORE_HEADER_BYTES);
	uint8_t m[MAGIC_BYTES], id[KMS_STORE_ID_BYTES], mac[HASH_SHA256_BYTES];
	uint16_t version, flags;
	int r;

	rd_bytes(&in, m, sizeof(m));
	version = rd_le16(&in);
	flags = rd_le16(&in);
	rd_bytes(&in, id, sizeof(id));
	if (memcmp(m, magic, sizeof(m)) != 0)
		return -EKEYREJECTED;
	if (version != KMS_STORE_VERSION)
		return -ENOTSUP;
	r = hash_hmac_sha256(mac_key, b, HEADER_MAC_OFF, mac);
	if (r < 0)
		return r;
	if (!mem_equal_ct(mac, b + HEADER_MAC_OFF, sizeof(mac)) || flags)
		return -EKEYREJECTED;
	memcpy(ret_id, id, sizeof(id));
	return 0;
}

/* The key of one half: derived with its salt, seals once. */
static int half_key(const struct key *store_key, const uint8_t salt[SALT_BYTES], struct key **ret)
{
	static const char info[] = "niter/kms-record/v1";

	return kdf_hkdf_sha384(store_key, salt, SALT_BYTES, info, sizeof(info) - 1, GCM_KEY_BYTES,
			       ret);
}

static void half_aad(const uint8_t head[HALF_HEAD_BYTES], const struct kms_place *place,
		     uint8_t ret[AAD_BYTES])
{
	struct wr out = wr_init(ret, AAD_BYTES);

	wr_bytes(&out, head, HALF_HEAD_BYTES);
	wr_bytes(&out, place->store_id, KMS_STORE_ID_BYTES);
	wr_le32(&out, place->slot);
	wr_u8(&out, place->half);
}

int kms_half_encode(const struct kms_record *rec, const struct key *material,
		    const struct key *store_key, const struct kms_place *place,
		    uint8_t ret[KMS_STORE_HALF_BYTES])
{
	struct wr out = wr_init(ret, KMS_STORE_HALF_BYTES);
	uint8_t salt[SALT_BYTES], sealed[KMS_MATERIAL_BYTES], tag[GCM_TAG_BYTES], aad[AAD_BYTES];
	CLEANUP(key_freep) struct key *k = NULL;
	int r;

	wr_le32(&out, HALF_MAGIC);
	wr_le16(&out, KMS_STORE_VERSION);
	wr_le16(&out, 0);
	wr_bytes(&out, rec->id, KMS_ID_BYTES);
	wr_bytes(&out, rec->account, KMS_STORE_ACCOUNT_MAX); /* padded with zeroes */
	wr_le32(&out, (uint32_t)rec->state);
	wr_le32(&out, 0);
	wr_le64(&out, rec->generation);

	if (random_bytes(salt, sizeof(salt)) < 0)
		return -EIO;
	r = half_key(store_key, salt, &k);
	if (r < 0)
		return r;
	half_aad(ret, place, aad);
	r = gcm_seal_once(k, aad, sizeof(aad), key_bytes(material), KMS_MATERIAL_BYTES, sealed,
			  tag);
	if (r < 0)
		return r;
	wr_bytes(&out, salt, sizeof(salt));
	wr_bytes(&out, sealed, sizeof(sealed));
	wr_bytes(&out, tag, sizeof(tag));
	wr_zero(&out, KMS_STORE_HALF_BYTES - out.len);
	return out.bad ? -EIO : 0;
}

static bool bytes_zero(const uint8_t *b, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (b[i])
			return false;
	return true;
}

static bool head_ok(struct rd *in, struct kms_record *ret)
{
	uint32_t m, state, zero;
	uint16_t version, flags;

	m = rd_le32(in);
	version = rd_le16(in);
	flags = rd_le16(in);
	rd_bytes(in, ret->id, sizeof(ret->id));
	rd_bytes(in, ret->account, sizeof(ret->account));
	state = rd_le32(in);
	zero = rd_le32(in);
	ret->generation = rd_le64(in);
	if (m != HALF_MAGIC || version != KMS_STORE_VERSION || flags || zero ||
	    state < CTL_KMS_ENABLED || state > CTL_KMS_PENDING_DELETION || !ret->generation)
		return false;
	ret->state = (enum ctl_kms_state)state;
	return tree_id_ok(ret->account);
}

int kms_half_decode(const uint8_t b[KMS_STORE_HALF_BYTES], const struct key *store_key,
		    const struct kms_place *place, struct kms_record *ret,
		    struct key **ret_material)
{
	struct rd in = rd_init(b, KMS_STORE_HALF_BYTES);
	uint8_t salt[SALT_BYTES], sealed[KMS_MATERIAL_BYTES], tag[GCM_TAG_BYTES], aad[AAD_BYTES];
	CLEANUP(key_freep) struct key *k = NULL, *material = NULL;
	int r;

	memset(ret, 0, sizeof(*ret));
	if (bytes_zero(b, KMS_STORE_HALF_BYTES))
		return 0;
	if (!head_ok(&in, ret))
		return -EBADMSG;
	rd_bytes(&in, salt, sizeof(salt));
	rd_bytes(&in, sealed, sizeof(sealed));
	rd_bytes(&in, tag, sizeof(tag));
	if (!bytes_zero(b + HALF_USED_BYTES, KMS_STORE_HALF_BYTES - HALF_USED_BYTES))
		return -EBADMSG;
	r = half_key(store_key, salt, &k);
	if (r < 0)
		return r;
	r = key_new_zero(KMS_MATERIAL_BYTES, &material);
	if (r < 0)
		return r;
	half_aad(b, place, aad);
	r = gcm_open_once(k, aad, sizeof(aad), sealed, sizeof(sealed), tag,
			  key_bytes_mut(material));
	if (r < 0)
		return r;
	*ret_material = TAKE_PTR(material);
	return 1;
}
