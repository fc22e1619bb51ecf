/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/box.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/random.h"
#include "crypto/gcm.h"
#include "crypto/hash.h"
#include "crypto/kdf.h"

_Static_assert(BOX_OVERHEAD == BOX_SALT_BYTES + BOX_COMMIT_BYTES + GCM_TAG_BYTES, "");
_Static_assert((int)BOX_COMMIT_BYTES == (int)HASH_SHA256_BYTES, "");

/* The key of one box, and what commits to it. */
static int message_key(const struct key *k, const struct box_use *use, const uint8_t *salt,
		       struct key **ret, uint8_t ret_commit[BOX_COMMIT_BYTES])
{
	CLEANUP(key_freep) struct key *mk = NULL;
	int r;

	r = kdf_hkdf_sha384(k, salt, BOX_SALT_BYTES, use->info, use->info_len, GCM_KEY_BYTES, &mk);
	if (r < 0)
		return r;
	r = hash_hmac_sha256(mk, "commit", strlen("commit"), ret_commit);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(mk);
	return 0;
}

int box_seal(const struct key *k, const struct box_use *use, const void *in, size_t len,
	     uint8_t *ret)
{
	CLEANUP(key_freep) struct key *mk = NULL;
	uint8_t *commit = ret + BOX_SALT_BYTES, *sealed = commit + BOX_COMMIT_BYTES;
	int r;

	r = random_bytes(ret, BOX_SALT_BYTES);
	if (r < 0)
		return -EIO;
	r = message_key(k, use, ret, &mk, commit);
	if (r < 0)
		return r;
	return gcm_seal_once(mk, use->aad, use->aad_len, in, len, sealed, sealed + len);
}

int box_open(const struct key *k, const struct box_use *use, const uint8_t *box, size_t len,
	     void *ret)
{
	CLEANUP(key_freep) struct key *mk = NULL;
	uint8_t commit[BOX_COMMIT_BYTES];
	const uint8_t *sealed = box + BOX_SALT_BYTES + BOX_COMMIT_BYTES;
	size_t plain;
	int r;

	if (len < BOX_OVERHEAD)
		return -EPROTO;
	plain = len - BOX_OVERHEAD;
	r = message_key(k, use, box, &mk, commit);
	if (r < 0)
		return r;
	if (!mem_equal_ct(commit, box + BOX_SALT_BYTES, sizeof(commit)))
		return -EKEYREJECTED;
	return gcm_open_once(mk, use->aad, use->aad_len, sealed, plain, sealed + plain, ret);
}
