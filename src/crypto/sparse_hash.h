/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Digest of a sparse file that costs nothing for its holes: a chain of SHA-256 over its blocks of 4096 bytes that
 * are not all zero, in rising order, and its size at the end.
 *
 *	h0 = 32 zero bytes;  h = SHA-256(h || le64 block number || block, zero-padded to 4096)
 *	digest = SHA-256(h || le64 0xffffffffffffffff || le64 size)
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum {
	SPARSE_HASH_BYTES = 32,
	SPARSE_HASH_BLOCK = 4096,
};

struct sparse_hash {
	uint8_t h[SPARSE_HASH_BYTES];
	uint64_t next; /* the lowest block number that may come */
};

void sparse_hash_init(struct sparse_hash *s);
/* sparse_hash_is_zero(): nothing but zero bytes? */
bool sparse_hash_is_zero(const void *p, size_t len);
/**
 * sparse_hash_add() - the next block; one of zeroes changes nothing
 * @block: its number; higher than every one before
 * @len:   1..SPARSE_HASH_BLOCK; shorter only at the end of the file
 * Return: 0, -EINVAL, -EIO when libcrypto fails.
 */
MUST_USE int sparse_hash_add(struct sparse_hash *s, uint64_t block, const void *p, size_t len);
MUST_USE int sparse_hash_final(const struct sparse_hash *s, uint64_t size,
			       uint8_t ret[SPARSE_HASH_BYTES]);
