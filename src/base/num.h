/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Checked arithmetic for numbers that somebody else chose.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

/** range_ok() - does [off, off+len) lie inside [0, cap)? Never overflows; len 0 at off == cap is inside. */
static inline MUST_USE bool range_ok(uint64_t off, uint64_t len, uint64_t cap)
{
	return off <= cap && len <= cap - off;
}

/** add_u64() - *ret = a + b. Return: false on overflow, *ret untouched. */
static inline MUST_USE bool add_u64(uint64_t a, uint64_t b, uint64_t *ret)
{
	uint64_t r;

	if (__builtin_add_overflow(a, b, &r))
		return false;
	*ret = r;
	return true;
}

/** mul_u64() - *ret = a * b. Return: false on overflow, *ret untouched. */
static inline MUST_USE bool mul_u64(uint64_t a, uint64_t b, uint64_t *ret)
{
	uint64_t r;

	if (__builtin_mul_overflow(a, b, &r))
		return false;
	*ret = r;
	return true;
}

/** is_pow2() - exactly one bit set. */
static inline bool is_pow2(uint64_t v)
{
	return v && !(v & (v - 1));
}

/** align_down() / align_up() - to a power of two; align_up() must not overflow: check first. */
static inline uint64_t align_down(uint64_t v, uint64_t to)
{
	return v & ~(to - 1);
}

static inline uint64_t align_up(uint64_t v, uint64_t to)
{
	return (v + to - 1) & ~(to - 1);
}

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}
