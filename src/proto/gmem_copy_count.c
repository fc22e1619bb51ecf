/* SPDX-License-Identifier: Apache-2.0 */
#include <stdatomic.h>
#include <string.h>

#include "proto/gmem_priv.h"
#include "proto/gmem_test.h"

/* For tests: as gmem_copy.c, and remembers which bytes one request has fetched. One thread. */

enum { FETCHES_MAX = 1024 };

static struct {
	uint64_t at, len;
} fetch[FETCHES_MAX];
static unsigned fetch_cnt, doubles;

void gmem_count_begin(void)
{
	fetch_cnt = 0;
	doubles = 0;
}

unsigned gmem_count_doubles(void)
{
	return doubles;
}

static void count(uint64_t at, uint64_t len)
{
	unsigned i;

	if (at == UINT64_MAX)
		return;
	for (i = 0; i < fetch_cnt; i++) {
		uint64_t from = at > fetch[i].at ? at : fetch[i].at;
		uint64_t to = at + len < fetch[i].at + fetch[i].len ? at + len
								    : fetch[i].at + fetch[i].len;

		if (from < to)
			doubles += (unsigned)(to - from);
	}
	if (fetch_cnt == FETCHES_MAX)
		return;
	fetch[fetch_cnt].at = at;
	fetch[fetch_cnt].len = len;
	fetch_cnt++;
}

void gmem_copy_in(void *dst, const void *src, size_t len, uint64_t at)
{
	count(at, len);
	memcpy(dst, src, len);
}

void gmem_copy_out(void *dst, const void *src, size_t len)
{
	memcpy(dst, src, len);
}

void gmem_copy_zero(void *dst, size_t len)
{
	memset(dst, 0, len);
}

uint32_t gmem_copy_load32(const void *src, uint64_t at)
{
	count(at, sizeof(uint32_t));
	return atomic_load_explicit((const _Atomic uint32_t *)src, memory_order_acquire);
}

void gmem_copy_store32(void *dst, uint32_t v)
{
	atomic_store_explicit((_Atomic uint32_t *)dst, v, memory_order_release);
}
