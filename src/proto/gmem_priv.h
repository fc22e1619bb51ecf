/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The seam between gmem.c and the file that touches the shared bytes.
 */

#include <stddef.h>
#include <stdint.h>

/* @src is shared with a guest that may write it at any time; @at is its guest address, for bookkeeping only. */
void gmem_copy_in(void *dst, const void *src, size_t len, uint64_t at);
void gmem_copy_out(void *dst, const void *src, size_t len);
void gmem_copy_zero(void *dst, size_t len);
uint32_t gmem_copy_load32(const void *src, uint64_t at); /* acquire */
void gmem_copy_store32(void *dst, uint32_t v);           /* release */
