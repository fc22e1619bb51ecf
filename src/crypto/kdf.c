/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/kdf.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/params.h>

#include "crypto/crypto_priv.h"

static void kdf_ctx_freep(EVP_KDF_CTX **c)
{
	EVP_KDF_CTX_free(*c);
}

/* An input parameter; libcrypto only reads it, its constructor just cannot say so. */
static OSSL_PARAM param_in(const char *name, const void *p, size_t len)
{
	union {
		const void *in;
		void *arg;
	} u = { .in = p };

	return OSSL_PARAM_construct_octet_string(name, u.arg, len);
}

int kdf_hkdf_sha384(const struct key *ikm, const void *salt, size_t salt_len, const void *info,
		    size_t info_len, size_t len, struct key **ret)
{
	const struct crypto_algs *a = crypto_algs();
	CLEANUP(kdf_ctx_freep) EVP_KDF_CTX *c = NULL;
	CLEANUP(key_freep) struct key *k = NULL;
	char digest[] = "SHA2-384";
	OSSL_PARAM params[5];
	size_t n = 0;
	int r;

	if (!a)
		return -EIO;
	r = key_new_zero(len, &k);
	if (r < 0)
		return r;
	params[n++] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
	params[n++] = param_in(OSSL_KDF_PARAM_KEY, key_bytes(ikm), key_len(ikm));
	if (salt_len)
		params[n++] = param_in(OSSL_KDF_PARAM_SALT, salt, salt_len);
	if (info_len)
		params[n++] = param_in(OSSL_KDF_PARAM_INFO, info, info_len);
	params[n] = OSSL_PARAM_construct_end();

	c = EVP_KDF_CTX_new(a->hkdf);
	if (!c || EVP_KDF_derive(c, key_bytes_mut(k), len, params) != 1)
		return -EIO;
	*ret = TAKE_PTR(k);
	return 0;
}
