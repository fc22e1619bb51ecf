/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Slots of one size in locked memory, for secrets that come and go: chunks are made by secret_new() and never given
 * back, slots are wiped when they are. A slot begins with a pointer that belongs to the pool while the slot is free.
 * Any thread.
 */

#include <pthread.h>
#include <stddef.h>

#include "base/attr.h"

struct secret_pool {
	pthread_mutex_t lock; /* guards free, slot_cnt, taken */
	void *free;
	unsigned slot_cnt; /* free and taken */
	unsigned taken;
	/* fixed */
	size_t slot_bytes;  /* a multiple of the slot's alignment */
	size_t chunk_bytes; /* whole pages */
	unsigned slot_max;
};

#define SECRET_POOL(slot, chunk, max)                                                      \
	{ .lock = PTHREAD_MUTEX_INITIALIZER, .slot_bytes = (slot), .chunk_bytes = (chunk), \
	  .slot_max = (max) }

/* secret_pool_reserve(): so that @cnt slots exist, before the jail. Return: 0, -E2BIG, -ENOMEM, -errno of secret_new(). */
MUST_USE int secret_pool_reserve(struct secret_pool *p, unsigned cnt);
/* secret_pool_take(): a zeroed slot. Return: 0 and *ret, -ENOMEM, -errno of secret_new(). */
MUST_USE int secret_pool_take(struct secret_pool *p, void **ret);
/* secret_pool_give(): wipes it. */
void secret_pool_give(struct secret_pool *p, void *slot);
