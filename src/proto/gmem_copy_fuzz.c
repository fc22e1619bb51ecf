/* SPDX-License-Identifier: Apache-2.0 */
#include <stdatomic.h>
#include <string.h>

#include "base/attr.h"
#include "proto/gmem_priv.h"
#include "proto/gmem_test.h"

/* For fuzzing: a guest that rewrites its memory between any two reads. One thread. */

static const uint8_t *feed;
static size_t feed_left;
static uint64_t noise = 0x9e3779b97f4a7c15;

void gmem_fuzz_feed(const void *p, size_t len)
{
	feed = p;
	feed_left = len;
	noise = 0x9e3779b97f4a7c15; /* the same input gives the same run */
}

size_t gmem_fuzz_left(void)
{
	return feed_left;
}

static uint8_t next(void)
{
	if (feed_left) {
		feed_left--;
		return *feed++;
	}
	noise ^= noise << 13;
	noise ^= noise >> 7;
	noise ^= noise << 17;
	return (uint8_t)noise;
}

void gmem_copy_in(void *dst, const void *src UNUSED, size_t len, uint64_t at UNUSED)
{
	uint8_t *d = dst;
	size_t i;

	for (i = 0; i < len; i++)
		d[i] = next();
}

void gmem_copy_out(void *dst, const void *src, size_t len)
{
	memcpy(dst, src, len);
}

void gmem_copy_zero(void *dst, size_t len)
{
	memset(dst, 0, len);
}

uint32_t gmem_copy_load32(const void *src UNUSED, uint64_t at UNUSED)
{
	uint8_t b[4];

	gmem_copy_in(b, NULL, sizeof(b), 0);
	return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

void gmem_copy_store32(void *dst, uint32_t v)
{
	atomic_store_explicit((_Atomic uint32_t *)dst, v, memory_order_release);
}
