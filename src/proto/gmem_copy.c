/* SPDX-License-Identifier: Apache-2.0 */
#include <stdatomic.h>
#include <string.h>

#include "base/attr.h"
#include "proto/gmem_priv.h"

/*
 * The bytes as they are. A plain memcpy() into private memory: the compiler may not read the source again through
 * @dst, and nobody else has the pointer.
 */

void gmem_copy_in(void *dst, const void *src, size_t len, uint64_t at UNUSED)
{
	memcpy(dst, src, len);
	atomic_signal_fence(
		memory_order_seq_cst); /* the copy is made here, not later and in pieces */
}

void gmem_copy_out(void *dst, const void *src, size_t len)
{
	memcpy(dst, src, len);
}

void gmem_copy_zero(void *dst, size_t len)
{
	memset(dst, 0, len);
}

uint32_t gmem_copy_load32(const void *src, uint64_t at UNUSED)
{
	return atomic_load_explicit((const _Atomic uint32_t *)src, memory_order_acquire);
}

void gmem_copy_store32(void *dst, uint32_t v)
{
	atomic_store_explicit((_Atomic uint32_t *)dst, v, memory_order_release);
}
