/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * SHA-256 in pieces and HMAC-SHA-256 in pieces, without a single allocation: the state is a plain struct, so nothing
 * of a key is left on the heap. libcrypto's new interface cannot do that; its old one, used here, is kept by it.
 *
 * spec: fips-180-4 §6.2
 * spec: rfc-4231 (test cases; the algorithm: RFC 2104)
 */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "crypto/hash.h"
#include "crypto/key.h"

struct sha256 {
	uint64_t state[16]; /* libcrypto's SHA256_CTX */
};

void sha256_init(struct sha256 *h);
void sha256_add(struct sha256 *h, const void *p, size_t len);
/* sha256_final(): @h is wiped. */
void sha256_final(struct sha256 *h, uint8_t ret[HASH_SHA256_BYTES]);

/* @k, of at most 64 bytes, is borrowed until hmac_sha256_final(), which wipes @h. */
struct hmac_sha256 {
	struct sha256 inner;
	const struct key *k;
};
void hmac_sha256_init(struct hmac_sha256 *h, const struct key *k);
void hmac_sha256_add(struct hmac_sha256 *h, const void *p, size_t len);
void hmac_sha256_final(struct hmac_sha256 *h, uint8_t ret[HASH_SHA256_BYTES]);
