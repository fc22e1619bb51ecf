/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/api_key.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/random.h"
#include "crypto/sigv4.h"
#include "keys/box.h"

/* spec: docs/wire/api-key.md */
enum {
	MAGIC_BYTES = 4,
	HEAD_BYTES = 8, /* magic, version, version of the sealing key: authenticated, not secret */
	VERSION = 1,
	KEY_VERSION = 1,
	ACCOUNT_LEN = 12,
	ID_LEN_MIN = 16,
	ID_LEN_MAX = 23,
	RANDOM_BYTES = API_SECRET_BYTES / 4 * 3,
	USE_MAX = 96,
};

_Static_assert(HEAD_BYTES + BOX_OVERHEAD + API_SECRET_BYTES == API_SEALED_BYTES, "");
_Static_assert((int)API_SIGNING_BYTES == (int)SIGV4_KEY_BYTES, "");

static const uint8_t magic[MAGIC_BYTES] = { 'N', 'A', 'K', '\n' };

static bool owner_ok(const char *account, const char *id)
{
	size_t len = strnlen(id, ID_LEN_MAX + 1);

	return strnlen(account, ACCOUNT_LEN + 1) == ACCOUNT_LEN &&
	       strspn(account, "0123456789") == ACCOUNT_LEN && len >= ID_LEN_MIN &&
	       len <= ID_LEN_MAX && strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == len;
}

/* Strings carry their length, so that no two lists of fields look alike. */
static void field_write(struct wr *out, const char *s)
{
	size_t len = strlen(s);

	wr_u8(out, (uint8_t)len);
	wr_bytes(out, s, len);
}

static void owner_write(struct wr *out, const char *name, const char *account, const char *id)
{
	wr_bytes(out, name, strlen(name));
	field_write(out, account);
	field_write(out, id);
}

/* What a sealed secret is bound to; the buffers are the caller's. */
static int use_write(const char *account, const char *id, const uint8_t head[HEAD_BYTES],
		     uint8_t info_buf[USE_MAX], uint8_t aad_buf[USE_MAX], struct box_use *ret)
{
	struct wr info = wr_init(info_buf, USE_MAX), aad = wr_init(aad_buf, USE_MAX);

	owner_write(&info, "niter/api-key/v1", account, id);
	owner_write(&aad, "niter/api-key-use/v1", account, id);
	wr_bytes(&aad, head, HEAD_BYTES);
	if (info.bad || aad.bad)
		return -EINVAL;
	ret->info = info_buf;
	ret->info_len = info.len;
	ret->aad = aad_buf;
	ret->aad_len = aad.len;
	return 0;
}

static void head_write(uint8_t ret[HEAD_BYTES])
{
	struct wr out = wr_init(ret, HEAD_BYTES);

	wr_bytes(&out, magic, sizeof(magic));
	wr_le16(&out, VERSION);
	wr_le16(&out, KEY_VERSION);
}

/* Base64's alphabet: six bits a character, and what AWS's own secrets are made of. */
static int secret_draw(uint8_t ret[API_SECRET_BYTES])
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t b[RANDOM_BYTES];
	size_t i;
	int r;

	r = random_bytes(b, sizeof(b));
	for (i = 0; r == 0 && i < sizeof(b) / 3; i++) {
		uint32_t v = (uint32_t)b[3 * i] << 16 | (uint32_t)b[3 * i + 1] << 8 | b[3 * i + 2];

		ret[4 * i] = (uint8_t)alphabet[v >> 18];
		ret[4 * i + 1] = (uint8_t)alphabet[v >> 12 & 63];
		ret[4 * i + 2] = (uint8_t)alphabet[v >> 6 & 63];
		ret[4 * i + 3] = (uint8_t)alphabet[v & 63];
	}
	mem_wipe(b, sizeof(b));
	return r < 0 ? -EIO : 0;
}

int api_key_seal(const struct key *k, const char *account, const char *id,
		 const uint8_t secret[API_SECRET_BYTES], uint8_t ret_sealed[API_SEALED_BYTES])
{
	uint8_t info[USE_MAX], aad[USE_MAX];
	struct box_use use;
	int r;

	if (!owner_ok(account, id))
		return -EINVAL;
	head_write(ret_sealed);
	r = use_write(account, id, ret_sealed, info, aad, &use);
	return r < 0 ? r : box_seal(k, &use, secret, API_SECRET_BYTES, ret_sealed + HEAD_BYTES);
}

int api_key_new(const struct key *k, const char *account, const char *id,
		uint8_t ret[API_SECRET_BYTES], uint8_t ret_sealed[API_SEALED_BYTES])
{
	int r;

	if (!owner_ok(account, id))
		return -EINVAL;
	r = secret_draw(ret);
	if (r == 0)
		r = api_key_seal(k, account, id, ret, ret_sealed);
	if (r < 0)
		mem_wipe(ret, API_SECRET_BYTES);
	return r;
}

/* Another key, another owner, another version or damage: all the same to the asker. */
static int secret_open(const struct key *k, const char *account, const char *id,
		       const uint8_t *sealed, size_t len, struct key **ret)
{
	CLEANUP(key_freep) struct key *secret = NULL;
	uint8_t head[HEAD_BYTES], info[USE_MAX], aad[USE_MAX];
	struct box_use use;
	int r;

	head_write(head);
	if (len != API_SEALED_BYTES || memcmp(sealed, head, sizeof(head)) != 0)
		return -EACCES;
	r = use_write(account, id, head, info, aad, &use);
	if (r == 0)
		r = key_new_zero(API_SECRET_BYTES, &secret);
	if (r == 0)
		r = box_open(k, &use, sealed + HEAD_BYTES, len - HEAD_BYTES, key_bytes_mut(secret));
	if (r == -EKEYREJECTED || r == -EBADMSG)
		return -EACCES;
	if (r < 0)
		return r;
	*ret = TAKE_PTR(secret);
	return 0;
}

int api_key_derive(const struct key *k, const char *account, const char *id, const void *sealed,
		   size_t len, const char *date, const char *region, const char *service,
		   uint8_t ret[API_SIGNING_BYTES])
{
	CLEANUP(key_freep) struct key *secret = NULL, *signing = NULL;
	int r;

	if (!owner_ok(account, id))
		return -EINVAL;
	r = secret_open(k, account, id, sealed, len, &secret);
	if (r == 0)
		r = sigv4_derive(secret, date, region, service, &signing);
	if (r == 0)
		memcpy(ret, key_bytes(signing), API_SIGNING_BYTES);
	return r;
}
