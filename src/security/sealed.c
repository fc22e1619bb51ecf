/* SPDX-License-Identifier: Apache-2.0 */
#include "security/sealed.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "crypto/hash.h"

enum { MAGIC_BYTES = 8, FLAG_LAB = 1 };

static const uint8_t magic[MAGIC_BYTES] = { 'N', 'I', 'T', 'E', 'R', 'R', 'K', '\n' };

const uint8_t sealed_pcr_idx[SEALED_PCR_CNT] = { 4, 7, 11, 12 };

static void blob_write(struct wr *out, const struct sealed_blob *b)
{
	wr_le16(out, b->len);
	wr_bytes(out, b->b, b->len);
}

int sealed_encode(const struct sealed *s, void *buf, size_t cap)
{
	struct wr out = wr_init(buf, cap);
	uint8_t sum[HASH_SHA256_BYTES];
	size_t i;
	int r;

	wr_bytes(&out, magic, sizeof(magic));
	wr_le16(&out, SEALED_VERSION);
	wr_le16(&out, s->lab ? FLAG_LAB : 0);
	wr_le16(&out, SEALED_PCR_CNT);
	for (i = 0; i < SEALED_PCR_CNT; i++) {
		wr_u8(&out, sealed_pcr_idx[i]);
		wr_bytes(&out, s->pcr[i], SEALED_PCR_BYTES);
	}
	wr_le16(&out, s->srk_name_len);
	wr_bytes(&out, s->srk_name, s->srk_name_len);
	blob_write(&out, &s->pub);
	blob_write(&out, &s->priv);
	blob_write(&out, &s->creation);
	blob_write(&out, &s->ticket);
	if (out.bad)
		return -EMSGSIZE;
	r = hash_sha256(buf, out.len, sum);
	if (r < 0)
		return r;
	wr_bytes(&out, sum, sizeof(sum));
	return out.bad ? -EMSGSIZE : (int)out.len;
}

static void blob_read(struct rd *in, struct sealed_blob *ret)
{
	ret->len = rd_le16(in);
	if (ret->len > sizeof(ret->b))
		in->bad = true;
	if (!in->bad)
		rd_bytes(in, ret->b, ret->len);
}

/* Everything after the version. */
static void body_read(struct rd *in, struct sealed *ret)
{
	uint16_t flags, cnt;
	size_t i;

	flags = rd_le16(in);
	cnt = rd_le16(in);
	if ((flags & ~FLAG_LAB) || cnt != SEALED_PCR_CNT)
		in->bad = true;
	ret->lab = flags & FLAG_LAB;
	for (i = 0; i < SEALED_PCR_CNT; i++) {
		if (rd_u8(in) != sealed_pcr_idx[i])
			in->bad = true;
		rd_bytes(in, ret->pcr[i], SEALED_PCR_BYTES);
	}
	ret->srk_name_len = rd_le16(in);
	if (!ret->srk_name_len || ret->srk_name_len > sizeof(ret->srk_name))
		in->bad = true;
	if (in->bad)
		return;
	rd_bytes(in, ret->srk_name, ret->srk_name_len);
	blob_read(in, &ret->pub);
	blob_read(in, &ret->priv);
	blob_read(in, &ret->creation);
	blob_read(in, &ret->ticket);
}

int sealed_decode(const void *buf, size_t len, struct sealed *ret)
{
	struct rd in = rd_init(buf, len);
	uint8_t m[MAGIC_BYTES], sum[HASH_SHA256_BYTES], want[HASH_SHA256_BYTES];
	struct sealed s;
	uint16_t version;
	int r;

	memset(&s, 0, sizeof(s));
	rd_bytes(&in, m, sizeof(m));
	version = rd_le16(&in);
	if (in.bad || memcmp(m, magic, sizeof(m)) != 0)
		return -EPROTO;
	if (version != SEALED_VERSION)
		return -ENOTSUP;
	body_read(&in, &s);
	rd_bytes(&in, want, sizeof(want));
	if (in.bad || in.left)
		return -EPROTO;
	r = hash_sha256(buf, len - sizeof(sum), sum);
	if (r < 0)
		return r;
	if (!mem_equal_ct(sum, want, sizeof(sum)))
		return -EPROTO;
	*ret = s;
	return 0;
}
