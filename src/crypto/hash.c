/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/hash.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/params.h>

#include "crypto/crypto_priv.h"

int hash_sha256(const void *msg, size_t len, uint8_t ret[HASH_SHA256_BYTES])
{
	const struct crypto_algs *a = crypto_algs();

	if (!a || EVP_Digest(msg, len, ret, NULL, a->sha256, NULL) != 1)
		return -EIO;
	return 0;
}

int hash_sha384(const void *msg, size_t len, uint8_t ret[HASH_SHA384_BYTES])
{
	const struct crypto_algs *a = crypto_algs();

	if (!a || EVP_Digest(msg, len, ret, NULL, a->sha384, NULL) != 1)
		return -EIO;
	return 0;
}

static void mac_ctx_freep(EVP_MAC_CTX **c)
{
	EVP_MAC_CTX_free(*c);
}

int hash_hmac_sha256(const struct key *k, const void *msg, size_t len,
		     uint8_t ret[HASH_SHA256_BYTES])
{
	const struct crypto_algs *a = crypto_algs();
	CLEANUP(mac_ctx_freep) EVP_MAC_CTX *c = NULL;
	char digest[] = "SHA2-256";
	OSSL_PARAM params[2] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	size_t out_len = 0;

	if (!a)
		return -EIO;
	c = EVP_MAC_CTX_new(a->hmac);
	if (!c || EVP_MAC_init(c, key_bytes(k), key_len(k), params) != 1 ||
	    EVP_MAC_update(c, msg, len) != 1 ||
	    EVP_MAC_final(c, ret, &out_len, HASH_SHA256_BYTES) != 1 || out_len != HASH_SHA256_BYTES)
		return -EIO;
	return 0;
}
