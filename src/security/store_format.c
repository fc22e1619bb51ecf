/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/random.h"
#include "crypto/gcm.h"
#include "crypto/hash.h"
#include "crypto/kdf.h"
#include "security/store_priv.h"

/* spec: docs/wire/security-store.md */
enum {
	MAGIC_BYTES = 8,
	RECORD_MAGIC = 0x3152564e, /* "NVR1" */
	RECORD_HEAD_BYTES = 56,    /* magic, version, flags, volume, account */
	SALT_BYTES = 32,
	HEADER_MAC_OFF = STORE_HEADER_BYTES - HASH_SHA256_BYTES,
	RECORD_USED_BYTES = RECORD_HEAD_BYTES + SALT_BYTES + STORE_SECRET_BYTES + GCM_TAG_BYTES,
};

static const uint8_t magic[MAGIC_BYTES] = { 'N', 'I', 'T', 'E', 'R', 'V', 'S', '\n' };

int store_header_encode(const struct store_header *h, const struct key *mac_key,
			uint8_t ret[STORE_HEADER_BYTES])
{
	struct wr out = wr_init(ret, STORE_HEADER_BYTES);
	uint8_t mac[HASH_SHA256_BYTES];
	int r;

	wr_bytes(&out, magic, sizeof(magic));
	wr_le16(&out, STORE_VERSION);
	wr_le16(&out, 0);
	wr_bytes(&out, h->id, sizeof(h->id));
	wr_le64(&out, h->generation);
	wr_le32(&out, h->op);
	wr_le32(&out, h->slot);
	wr_le64(&out, h->log.cnt);
	wr_bytes(&out, h->log.head, sizeof(h->log.head));
	wr_zero(&out, HEADER_MAC_OFF - out.len);
	r = hash_hmac_sha256(mac_key, ret, HEADER_MAC_OFF, mac);
	if (r < 0)
		return r;
	wr_bytes(&out, mac, sizeof(mac));
	return out.bad ? -EIO : 0;
}

int store_header_decode(const uint8_t b[STORE_HEADER_BYTES], const struct key *mac_key,
			struct store_header *ret)
{
	struct rd in = rd_init(b, STORE_HEADER_BYTES);
	uint8_t m[MAGIC_BYTES], mac[HASH_SHA256_BYTES];
	struct store_header h;
	uint16_t version, flags;
	int r;

	rd_bytes(&in, m, sizeof(m));
	version = rd_le16(&in);
	flags = rd_le16(&in);
	rd_bytes(&in, h.id, sizeof(h.id));
	h.generation = rd_le64(&in);
	h.op = rd_le32(&in);
	h.slot = rd_le32(&in);
	h.log.cnt = rd_le64(&in);
	rd_bytes(&in, h.log.head, sizeof(h.log.head));
	if (memcmp(m, magic, sizeof(m)) != 0)
		return -EBADMSG;
	if (version != STORE_VERSION)
		return -ENOTSUP;
	r = hash_hmac_sha256(mac_key, b, HEADER_MAC_OFF, mac);
	if (r < 0)
		return r;
	if (!mem_equal_ct(mac, b + HEADER_MAC_OFF, sizeof(mac)))
		return -EBADMSG;
	if (flags || h.op > STORE_OP_REMOVE || h.slot >= STORE_SLOTS_MAX)
		return -EBADMSG;
	*ret = h;
	return 0;
}

/* The key of one record: derived with its salt, seals once. */
static int record_key(const struct key *store_key, const uint8_t salt[SALT_BYTES], struct key **ret)
{
	static const char info[] = "niter/store-record/v1";

	return kdf_hkdf_sha384(store_key, salt, SALT_BYTES, info, sizeof(info) - 1, GCM_KEY_BYTES,
			       ret);
}

enum { AAD_BYTES = RECORD_HEAD_BYTES + STORE_ID_BYTES + 4 };

static void record_aad(const uint8_t head[RECORD_HEAD_BYTES], const uint8_t id[STORE_ID_BYTES],
		       uint32_t slot, uint8_t ret[AAD_BYTES])
{
	struct wr out = wr_init(ret, AAD_BYTES);

	wr_bytes(&out, head, RECORD_HEAD_BYTES);
	wr_bytes(&out, id, STORE_ID_BYTES);
	wr_le32(&out, slot);
}

static void id_write(struct wr *out, const char id[TREE_ID_MAX])
{
	size_t len = strnlen(id, TREE_ID_MAX);

	wr_bytes(out, id, len);
	wr_zero(out, TREE_ID_MAX - len);
}

int store_record_encode(const struct store_record *rec, const struct key *secret,
			const struct key *store_key, const uint8_t id[STORE_ID_BYTES],
			uint32_t slot, uint8_t ret[STORE_RECORD_BYTES])
{
	struct wr out = wr_init(ret, STORE_RECORD_BYTES);
	uint8_t salt[SALT_BYTES], sealed[STORE_SECRET_BYTES], tag[GCM_TAG_BYTES], aad[AAD_BYTES];
	CLEANUP(key_freep) struct key *k = NULL;
	int r;

	wr_le32(&out, RECORD_MAGIC);
	wr_le16(&out, STORE_VERSION);
	wr_le16(&out, 0);
	id_write(&out, rec->volume);
	id_write(&out, rec->account);

	if (random_bytes(salt, sizeof(salt)) < 0)
		return -EIO;
	r = record_key(store_key, salt, &k);
	if (r < 0)
		return r;
	record_aad(ret, id, slot, aad);
	r = gcm_seal_once(k, aad, sizeof(aad), key_bytes(secret), STORE_SECRET_BYTES, sealed, tag);
	if (r < 0)
		return r;
	wr_bytes(&out, salt, sizeof(salt));
	wr_bytes(&out, sealed, sizeof(sealed));
	wr_bytes(&out, tag, sizeof(tag));
	wr_zero(&out, STORE_RECORD_BYTES - out.len);
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

static void id_read(struct rd *in, char ret[TREE_ID_MAX])
{
	rd_bytes(in, ret, TREE_ID_MAX);
	ret[TREE_ID_MAX - 1] = 0;
	if (!tree_id_ok(ret))
		memset(ret, 0, TREE_ID_MAX);
}

int store_record_decode(const uint8_t b[STORE_RECORD_BYTES], const struct key *store_key,
			const uint8_t id[STORE_ID_BYTES], uint32_t slot, struct store_record *ret,
			struct key **ret_secret)
{
	struct rd in = rd_init(b, STORE_RECORD_BYTES);
	uint8_t salt[SALT_BYTES], sealed[STORE_SECRET_BYTES], tag[GCM_TAG_BYTES], aad[AAD_BYTES];
	CLEANUP(key_freep) struct key *k = NULL, *secret = NULL;
	uint32_t m;
	uint16_t version, flags;
	int r;

	memset(ret, 0, sizeof(*ret));
	if (bytes_zero(b, STORE_RECORD_BYTES))
		return 0;
	m = rd_le32(&in);
	version = rd_le16(&in);
	flags = rd_le16(&in);
	id_read(&in, ret->volume);
	id_read(&in, ret->account);
	rd_bytes(&in, salt, sizeof(salt));
	rd_bytes(&in, sealed, sizeof(sealed));
	rd_bytes(&in, tag, sizeof(tag));
	if (m != RECORD_MAGIC || version != STORE_VERSION || flags || !ret->volume[0] ||
	    !ret->account[0] ||
	    !bytes_zero(b + RECORD_USED_BYTES, STORE_RECORD_BYTES - RECORD_USED_BYTES))
		return -EBADMSG;
	r = record_key(store_key, salt, &k);
	if (r < 0)
		return r;
	r = key_new_zero(STORE_SECRET_BYTES, &secret);
	if (r < 0)
		return r;
	record_aad(b, id, slot, aad);
	r = gcm_open_once(k, aad, sizeof(aad), sealed, sizeof(sealed), tag, key_bytes_mut(secret));
	if (r < 0)
		return r;
	*ret_secret = TAKE_PTR(secret);
	return 1;
}
