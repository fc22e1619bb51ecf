/* SPDX-License-Identifier: Apache-2.0 */

#include "crypto/sparse_hash.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/hash.h"

void sparse_hash_init(struct sparse_hash *s)
{
	memset(s, 0, sizeof(*s));
}

bool sparse_hash_is_zero(const void *p, size_t len)
{
	const uint8_t *b = p;

	/* The first bytes by hand, then everything against itself shifted by that much. */
	for (size_t i = 0; i < 16; i++) {
		if (i == len)
			return true;
		if (b[i])
			return false;
	}
	return memcmp(b, b + 16, len - 16) == 0;
}

int sparse_hash_add(struct sparse_hash *s, uint64_t block, const void *p, size_t len)
{
	uint8_t msg[SPARSE_HASH_BYTES + 8 + SPARSE_HASH_BLOCK];

	if (len == 0 || len > SPARSE_HASH_BLOCK || block < s->next)
		return -EINVAL;
	s->next = block + 1;
	if (sparse_hash_is_zero(p, len))
		return 0;
	memcpy(msg, s->h, SPARSE_HASH_BYTES);
	le64_store(msg + SPARSE_HASH_BYTES, block);
	memcpy(msg + SPARSE_HASH_BYTES + 8, p, len);
	memset(msg + SPARSE_HASH_BYTES + 8 + len, 0, SPARSE_HASH_BLOCK - len);
	return hash_sha256(msg, sizeof(msg), s->h);
}

int sparse_hash_final(const struct sparse_hash *s, uint64_t size, uint8_t ret[SPARSE_HASH_BYTES])
{
	uint8_t msg[SPARSE_HASH_BYTES + 16];

	memcpy(msg, s->h, SPARSE_HASH_BYTES);
	le64_store(msg + SPARSE_HASH_BYTES, UINT64_MAX);
	le64_store(msg + SPARSE_HASH_BYTES + 8, size);
	return hash_sha256(msg, sizeof(msg), ret);
}
