/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <openssl/evp.h>
#include <openssl/kdf.h>

#include "crypto/gcm.h"

/* What crypto_init() fetched; alive until the process ends. */
struct crypto_algs {
	EVP_CIPHER *aes_256_gcm, *aes_256_xts;
	EVP_MD *sha256, *sha384;
	EVP_KDF *hkdf;
	EVP_MAC *hmac;
};

/* crypto_algs(): fetches on first use. Return: borrowed; NULL when libcrypto lacks one. */
const struct crypto_algs *crypto_algs(void);

enum { GCM_NONCE_BYTES = 12 };

/* GCM with any nonce: for gcm.c and for the published test vectors only. Arguments and results as gcm.h. */
MUST_USE int gcm_seal_nonce(const struct key *k, const uint8_t nonce[GCM_NONCE_BYTES],
			    const void *aad, size_t aad_len, const void *in, size_t len, void *out,
			    uint8_t ret_tag[GCM_TAG_BYTES]);
MUST_USE int gcm_open_nonce(const struct key *k, const uint8_t nonce[GCM_NONCE_BYTES],
			    const void *aad, size_t aad_len, const void *in, size_t len,
			    const uint8_t tag[GCM_TAG_BYTES], void *out);
