/* SPDX-License-Identifier: Apache-2.0 */

#include "xts_ref.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

static EVP_CIPHER_CTX *ecb(const uint8_t *key, int encrypt)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();

	if (!c || EVP_CipherInit_ex(c, EVP_aes_256_ecb(), NULL, key, NULL, encrypt) != 1)
		abort();
	EVP_CIPHER_CTX_set_padding(c, 0);
	return c;
}

static void block(EVP_CIPHER_CTX *c, const uint8_t in[16], uint8_t out[16])
{
	int n = 0;

	if (EVP_CipherUpdate(c, out, &n, in, 16) != 1 || n != 16)
		abort();
}

/* Multiplication by x in GF(2^128), little-endian. */
static void twice(uint8_t t[16])
{
	unsigned carry = 0;

	for (int i = 0; i < 16; i++) {
		unsigned v = (unsigned)t[i] << 1 | carry;

		t[i] = (uint8_t)v;
		carry = v >> 8;
	}
	if (carry)
		t[0] ^= 0x87;
}

static void xts(const uint8_t key[64], uint64_t tweak, const uint8_t *in, uint8_t *out, size_t len,
		int encrypt)
{
	EVP_CIPHER_CTX *data = ecb(key, encrypt), *tw = ecb(key + 32, 1);
	uint8_t t[16] = { 0 }, b[16];

	for (int i = 0; i < 8; i++)
		t[i] = (uint8_t)(tweak >> (8 * i));
	block(tw, t, t);
	for (size_t at = 0; at + 16 <= len; at += 16) {
		for (size_t i = 0; i < 16; i++)
			b[i] = in[at + i] ^ t[i];
		block(data, b, b);
		for (size_t i = 0; i < 16; i++)
			out[at + i] = b[i] ^ t[i];
		twice(t);
	}
	EVP_CIPHER_CTX_free(data);
	EVP_CIPHER_CTX_free(tw);
}

void xts_ref_encrypt(const uint8_t key[64], uint64_t tweak, const uint8_t *in, uint8_t *out,
		     size_t len)
{
	xts(key, tweak, in, out, len, 1);
}

void xts_ref_decrypt(const uint8_t key[64], uint64_t tweak, const uint8_t *in, uint8_t *out,
		     size_t len)
{
	xts(key, tweak, in, out, len, 0);
}
