/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * AES-256-XTS a second time, for tests only: written from the standard on top of single-block AES (ECB), sharing no
 * code with crypto/xts.c, so that one can check the other.
 *
 * spec: ieee-1619-2018 §5
 */

#include <stddef.h>
#include <stdint.h>

/* @tweak is the data unit number as dm-crypt's plain64 would give it; @len a multiple of 16. Aborts on error. */
void xts_ref_encrypt(const uint8_t key[64], uint64_t tweak, const uint8_t *in, uint8_t *out,
		     size_t len);
void xts_ref_decrypt(const uint8_t key[64], uint64_t tweak, const uint8_t *in, uint8_t *out,
		     size_t len);
