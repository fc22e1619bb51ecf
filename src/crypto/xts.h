/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * AES-256-XTS over the 4096-byte data units of a volume, with dm-crypt's tweak: dm-crypt counts in 512-byte
 * sectors whatever the sector size ("plain64" without iv_large_sectors), so data unit n has tweak 8n, as a
 * 64-bit little-endian number, zero-extended to 128 bits. No integrity: a changed block decrypts to noise.
 *
 * spec: ieee-1619-2018 §5 (XTS-AES), linux-6.12 dm-crypt (iv_offset, plain64, sector_size)
 */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "crypto/key.h"

enum {
	XTS_KEY_BYTES = 64,
	XTS_UNIT_BYTES = 4096,
	XTS_TWEAK_STEP = XTS_UNIT_BYTES / 512, /* tweak of unit n is n * this */
};

struct xts; /* opaque; used by one thread at a time */

/**
 * xts_new() - both key schedules
 * @k: XTS_KEY_BYTES, first half for the data, second for the tweak; borrowed for the call
 * Return: 0 and *ret (owned), -EINVAL wrong length or equal halves, -ENOMEM, -EIO when libcrypto fails.
 */
MUST_USE int xts_new(const struct key *k, struct xts **ret);
/* xts_free(): wipes. NULL is fine. xts_freep() for CLEANUP. */
void xts_free(struct xts *x);
void xts_freep(struct xts **x);

/**
 * xts_encrypt() / xts_decrypt() - @cnt consecutive units
 * @unit: number of the first one; @unit + @cnt must not exceed 2^61 (the tweak would wrap)
 * @in:   @cnt * XTS_UNIT_BYTES; for xts_encrypt() it may be memory that somebody changes meanwhile
 * @out:  as many bytes, private memory; may be @in, must not overlap it otherwise
 * Return: 0, -EINVAL tweak out of range, -EIO when libcrypto fails (@out is then undefined).
 */
MUST_USE int xts_encrypt(struct xts *x, uint64_t unit, const void *in, void *out, size_t cnt);
MUST_USE int xts_decrypt(struct xts *x, uint64_t unit, const void *in, void *out, size_t cnt);
