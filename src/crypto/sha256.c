/* SPDX-License-Identifier: Apache-2.0 */
#define OPENSSL_SUPPRESS_DEPRECATED /* SHA256_*(): see sha256.h */
#include "crypto/sha256.h"

#include <assert.h>
#include <openssl/sha.h>
#include <string.h>

#include "base/mem.h"

enum { BLOCK_BYTES = 64, INNER = 0x36, OUTER = 0x5c };

static_assert(sizeof(SHA256_CTX) <= sizeof(struct sha256), "room for libcrypto's state");
static_assert(_Alignof(SHA256_CTX) <= _Alignof(struct sha256), "and its alignment");

static SHA256_CTX *ctx(struct sha256 *h)
{
	return (SHA256_CTX *)(void *)h->state;
}

void sha256_init(struct sha256 *h)
{
	must(SHA256_Init(ctx(h)) == 1);
}

void sha256_add(struct sha256 *h, const void *p, size_t len)
{
	if (len > 0)
		must(SHA256_Update(ctx(h), p, len) == 1);
}

void sha256_final(struct sha256 *h, uint8_t ret[HASH_SHA256_BYTES])
{
	must(SHA256_Final(ret, ctx(h)) == 1);
	mem_wipe(h, sizeof(*h));
}

/* The key, filled up to a block, XOR a constant. */
static void pad_add(struct sha256 *h, const struct key *k, uint8_t with)
{
	uint8_t pad[BLOCK_BYTES];
	const uint8_t *p = key_bytes(k);
	size_t len = key_len(k);

	must(len <= sizeof(pad));
	memset(pad, with, sizeof(pad));
	for (size_t i = 0; i < len; i++)
		pad[i] ^= p[i];
	sha256_add(h, pad, sizeof(pad));
	mem_wipe(pad, sizeof(pad));
}

void hmac_sha256_init(struct hmac_sha256 *h, const struct key *k)
{
	h->k = k;
	sha256_init(&h->inner);
	pad_add(&h->inner, k, INNER);
}

void hmac_sha256_add(struct hmac_sha256 *h, const void *p, size_t len)
{
	sha256_add(&h->inner, p, len);
}

void hmac_sha256_final(struct hmac_sha256 *h, uint8_t ret[HASH_SHA256_BYTES])
{
	struct sha256 outer;

	sha256_final(&h->inner, ret);
	sha256_init(&outer);
	pad_add(&outer, h->k, OUTER);
	sha256_add(&outer, ret, HASH_SHA256_BYTES);
	sha256_final(&outer, ret);
}
