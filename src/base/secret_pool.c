/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret_pool.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"

static void push(struct secret_pool *p, void *slot)
{
	memcpy(slot, &p->free, sizeof(p->free));
	p->free = slot;
}

/* Called with the lock held. */
static int grow(struct secret_pool *p)
{
	void *chunk = NULL;
	size_t at;
	int r;

	if (p->slot_cnt >= p->slot_max)
		return -ENOMEM;
	r = secret_new(p->chunk_bytes, &chunk);
	if (r < 0)
		return r;
	for (at = 0; p->chunk_bytes - at >= p->slot_bytes; at += p->slot_bytes) {
		push(p, (uint8_t *)chunk + at);
		p->slot_cnt++;
	}
	return 0;
}

int secret_pool_reserve(struct secret_pool *p, unsigned cnt)
{
	int r = 0;

	if (cnt > p->slot_max)
		return -E2BIG;
	pthread_mutex_lock(&p->lock);
	while (p->slot_cnt < cnt && r == 0)
		r = grow(p);
	pthread_mutex_unlock(&p->lock);
	return r;
}

int secret_pool_take(struct secret_pool *p, void **ret)
{
	void *slot = NULL;
	int r = 0;

	pthread_mutex_lock(&p->lock);
	if (!p->free)
		r = grow(p);
	slot = p->free;
	if (slot) {
		memcpy(&p->free, slot, sizeof(p->free));
		p->taken++;
	}
	pthread_mutex_unlock(&p->lock);
	if (!slot)
		return r < 0 ? r : -ENOMEM;
	memset(slot, 0, sizeof(p->free));
	*ret = slot;
	return 0;
}

void secret_pool_give(struct secret_pool *p, void *slot)
{
	mem_wipe(slot, p->slot_bytes);
	pthread_mutex_lock(&p->lock);
	push(p, slot);
	p->taken--;
	pthread_mutex_unlock(&p->lock);
}
