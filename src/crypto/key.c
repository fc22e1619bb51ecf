/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/key.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/mem.h"
#include "base/random.h"

/*
 * Slots are cut from locked pages that are never given back, so that freeing a key is a wipe and a list
 * operation. The list runs through the slots themselves: it says where keys are, not what they are.
 */

enum { CHUNK_BYTES = 4096 };

struct key {
	size_t len;       /* bytes; 0: free */
	struct key *next; /* next free slot */
	uint8_t b[KEY_BYTES_MAX];
};

enum { CHUNK_SLOTS = CHUNK_BYTES / sizeof(struct key) };

static struct {
	pthread_mutex_t lock; /* guards all below */
	struct key *free;
	unsigned free_cnt, slot_cnt;
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Called with the lock held. */
static int pool_grow(void)
{
	void *p = NULL;
	struct key *slots;
	unsigned i;
	int r;

	if (pool.slot_cnt >= KEY_ALIVE_MAX)
		return -ENOMEM;
	r = secret_new(CHUNK_BYTES, &p);
	if (r < 0)
		return r;
	slots = p;
	for (i = 0; i < CHUNK_SLOTS; i++) {
		slots[i].next = pool.free;
		pool.free = &slots[i];
	}
	pool.slot_cnt += CHUNK_SLOTS;
	pool.free_cnt += CHUNK_SLOTS;
	return 0;
}

int key_reserve(unsigned cnt)
{
	int r = 0;

	if (cnt > KEY_ALIVE_MAX)
		return -E2BIG;
	pthread_mutex_lock(&pool.lock);
	while (pool.slot_cnt < cnt && r == 0)
		r = pool_grow();
	pthread_mutex_unlock(&pool.lock);
	return r;
}

int key_new_zero(size_t len, struct key **ret)
{
	struct key *k = NULL;
	int r = 0;

	if (!len || len > KEY_BYTES_MAX)
		return -EINVAL;
	pthread_mutex_lock(&pool.lock);
	if (!pool.free)
		r = pool_grow();
	if (r == 0) {
		k = pool.free;
		pool.free = k->next;
		pool.free_cnt--;
	}
	pthread_mutex_unlock(&pool.lock);
	if (!k)
		return r < 0 ? r : -ENOMEM;
	k->next = NULL;
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
	mem_wipe(k->b, sizeof(k->b));
	pthread_mutex_lock(&pool.lock);
	k->len = 0;
	k->next = pool.free;
	pool.free = k;
	pool.free_cnt++;
	pthread_mutex_unlock(&pool.lock);
}

void key_freep(struct key **k)
{
	key_free(*k);
	*k = NULL;
}
