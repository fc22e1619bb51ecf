/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/key.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/random.h"
#include "base/secret_pool.h"

enum { CHUNK_BYTES = 4096 };

struct key {
	void *pool; /* the pool's while it is free */
	size_t len; /* bytes; 0: free */
	uint8_t b[KEY_BYTES_MAX];
};

static struct secret_pool pool = SECRET_POOL(sizeof(struct key), CHUNK_BYTES, KEY_ALIVE_MAX);

int key_reserve(unsigned cnt)
{
	return secret_pool_reserve(&pool, cnt);
}

int key_new_zero(size_t len, struct key **ret)
{
	struct key *k;
	void *slot;
	int r;

	if (!len || len > KEY_BYTES_MAX)
		return -EINVAL;
	r = secret_pool_take(&pool, &slot);
	if (r < 0)
		return r;
	k = slot;
	k->len = len;
	*ret = k;
	return 0;
}

/* #syscalls:* getrandom */
int key_new_random(size_t len, struct key **ret)
{
	CLEANUP(key_freep) struct key *k = NULL;
	int r;

	r = key_new_zero(len, &k);
	if (r < 0)
		return r;
	r = random_bytes(k->b, len);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(k);
	return 0;
}

int key_new_from(const void *bytes, size_t len, struct key **ret)
{
	struct key *k = NULL;
	int r;

	r = key_new_zero(len, &k);
	if (r < 0)
		return r;
	memcpy(k->b, bytes, len);
	*ret = k;
	return 0;
}

int key_new_take(void *bytes, size_t len, struct key **ret)
{
	int r = key_new_from(bytes, len, ret);

	mem_wipe(bytes, len);
	return r;
}

const uint8_t *key_bytes(const struct key *k)
{
	return k->b;
}

uint8_t *key_bytes_mut(struct key *k)
{
	return k->b;
}

size_t key_len(const struct key *k)
{
	return k->len;
}

int key_equal(const struct key *a, const struct key *b)
{
	return a->len == b->len && mem_equal_ct(a->b, b->b, a->len);
}

void key_free(struct key *k)
{
	if (!k)
		return;
	must(k->len && k->len <= KEY_BYTES_MAX); /* freed twice? */
	secret_pool_give(&pool, k);
}

void key_freep(struct key **k)
{
	key_free(*k);
	*k = NULL;
}
