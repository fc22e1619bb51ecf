/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/kms_blob.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

/* spec: docs/wire/kms-blob.md */
enum {
	MAGIC_BYTES = 4,
	VERSION = 1,
	MATERIAL_VERSION = 1, /* one so far: keys do not rotate yet */
	ACCOUNT_MAX = 23,
	USE_MAX = 128,
};

static const uint8_t magic[MAGIC_BYTES] = { 'N', 'K', 'B', '\n' };

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

int kms_id_parse(const char *text, uint8_t ret[KMS_ID_BYTES])
{
	uint8_t id[KMS_ID_BYTES];
	size_t i, at = 0;

	if (strnlen(text, KMS_ID_TEXT) != KMS_ID_TEXT - 1)
		return -EINVAL;
	for (i = 0; i < KMS_ID_BYTES; i++) {
		int hi, lo;

		if ((i == 4 || i == 6 || i == 8 || i == 10) && text[at++] != '-')
			return -EINVAL;
		hi = hex_value(text[at++]);
		lo = hex_value(text[at++]);
		if (hi < 0 || lo < 0)
			return -EINVAL;
		id[i] = (uint8_t)(hi << 4 | lo);
	}
	memcpy(ret, id, sizeof(id));
	return 0;
}

void kms_id_text(const uint8_t id[KMS_ID_BYTES], char ret[KMS_ID_TEXT])
{
	(void)snprintf(ret, KMS_ID_TEXT,
		       "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		       id[0], id[1], id[2], id[3], id[4], id[5], id[6], id[7], id[8], id[9], id[10],
		       id[11], id[12], id[13], id[14], id[15]);
}

static void account_write(struct wr *out, const char *account)
{
	size_t len = strnlen(account, ACCOUNT_MAX + 1);

	wr_u8(out, (uint8_t)len);
	wr_bytes(out, account, len);
	if (!len || len > ACCOUNT_MAX)
		out->bad = true;
}

static int use_write(const struct kms_use *use, const uint8_t head[KMS_BLOB_HEAD_BYTES],
		     uint8_t info_buf[USE_MAX], uint8_t aad_buf[USE_MAX], struct box_use *ret)
{
	static const char info_name[] = "niter/kms-blob/v1", aad_name[] = "niter/kms-use/v1";
	struct wr info = wr_init(info_buf, USE_MAX), aad = wr_init(aad_buf, USE_MAX);

	wr_bytes(&info, info_name, sizeof(info_name) - 1);
	account_write(&info, use->account);
	wr_bytes(&info, use->id, KMS_ID_BYTES);
	wr_le16(&info, MATERIAL_VERSION);

	wr_bytes(&aad, aad_name, sizeof(aad_name) - 1);
	wr_bytes(&aad, head, KMS_BLOB_HEAD_BYTES);
	account_write(&aad, use->account);
	wr_bytes(&aad, use->context, KMS_CONTEXT_BYTES);
	if (info.bad || aad.bad)
		return -EINVAL;
	ret->info = info_buf;
	ret->info_len = info.len;
	ret->aad = aad_buf;
	ret->aad_len = aad.len;
	return 0;
}

static void head_write(const uint8_t id[KMS_ID_BYTES], uint8_t ret[KMS_BLOB_HEAD_BYTES])
{
	struct wr out = wr_init(ret, KMS_BLOB_HEAD_BYTES);

	wr_bytes(&out, magic, sizeof(magic));
	wr_le16(&out, VERSION);
	wr_le16(&out, MATERIAL_VERSION);
	wr_bytes(&out, id, KMS_ID_BYTES);
}

int kms_blob_seal(const struct key *material, const struct kms_use *use, const void *plain,
		  size_t len, uint8_t *ret)
{
	uint8_t info[USE_MAX], aad[USE_MAX];
	struct box_use box;
	int r;

	if (key_len(material) != KMS_MATERIAL_BYTES || len > KMS_PLAIN_MAX)
		return -EINVAL;
	head_write(use->id, ret);
	r = use_write(use, ret, info, aad, &box);
	if (r < 0)
		return r;
	return box_seal(material, &box, plain, len, ret + KMS_BLOB_HEAD_BYTES);
}

int kms_blob_id(const void *blob, size_t len, uint8_t ret[KMS_ID_BYTES])
{
	struct rd in = rd_init(blob, len);
	uint8_t m[MAGIC_BYTES];
	uint16_t version, material_version;
	uint8_t id[KMS_ID_BYTES];

	rd_bytes(&in, m, sizeof(m));
	version = rd_le16(&in);
	material_version = rd_le16(&in);
	rd_bytes(&in, id, sizeof(id));
	if (in.bad || in.left < BOX_OVERHEAD || in.left > BOX_OVERHEAD + KMS_PLAIN_MAX ||
	    memcmp(m, magic, sizeof(m)) != 0 || version != VERSION ||
	    material_version != MATERIAL_VERSION)
		return -EBADMSG;
	memcpy(ret, id, sizeof(id));
	return 0;
}

int kms_blob_open(const struct key *material, const struct kms_use *use, const void *blob,
		  size_t len, void *ret)
{
	uint8_t info[USE_MAX], aad[USE_MAX], id[KMS_ID_BYTES];
	const uint8_t *b = blob;
	struct box_use box;
	int r;

	r = kms_blob_id(blob, len, id);
	if (r < 0)
		return r;
	if (key_len(material) != KMS_MATERIAL_BYTES)
		return -EINVAL;
	if (memcmp(id, use->id, sizeof(id)) != 0)
		return -EBADMSG;
	r = use_write(use, b, info, aad, &box);
	if (r < 0)
		return r;
	r = box_open(material, &box, b + KMS_BLOB_HEAD_BYTES, len - KMS_BLOB_HEAD_BYTES, ret);
	return r == -EKEYREJECTED || r == -EPROTO ? -EBADMSG : r;
}
