/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Memory that holds secrets, and memory that is shared.
 */

#include <stddef.h>

#include "base/attr.h"

/**
 * secret_new() - pages for one secret: memfd_secret where the kernel has it, else mlock();
 * DONTDUMP, DONTFORK, zeroed
 * Return: 0 and *ret (owned: secret_free()), or -errno.
 */
MUST_USE int secret_new(size_t len, void **ret);
/* secret_free(): wipes, unlocks, unmaps. NULL is fine. */
void secret_free(void *p, size_t len);

/* mem_wipe(): memset(0) that the compiler keeps. */
void mem_wipe(void *p, size_t len);
/* mem_equal_ct(): constant time. Return: 1 equal, 0 not. */
MUST_USE int mem_equal_ct(const void *a, const void *b, size_t len);

/* mem_zalloc_pages(): page-aligned zeroed anonymous memory; mem_free_pages() gives it back. */
MUST_USE int mem_zalloc_pages(size_t len, void **ret);
void mem_free_pages(void *p, size_t len);
