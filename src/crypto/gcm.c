/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/gcm.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/crypto_priv.h"

static const uint8_t nonce_zero[GCM_NONCE_BYTES];

static void cipher_ctx_freep(EVP_CIPHER_CTX **c)
{
	EVP_CIPHER_CTX_free(*c);
}

static bool args_ok(const struct key *k, size_t aad_len, size_t len)
{
	return key_len(k) == GCM_KEY_BYTES && aad_len <= GCM_MSG_MAX && len <= GCM_MSG_MAX;
}

/* A context with key, nonce and associated data in it. Return: NULL when libcrypto fails. */
static EVP_CIPHER_CTX *gcm_start(const struct key *k, const uint8_t *nonce, const void *aad,
				 size_t aad_len, int enc)
{
	const struct crypto_algs *a = crypto_algs();
	CLEANUP(cipher_ctx_freep) EVP_CIPHER_CTX *c = NULL;
	int n = 0;

	if (!a)
		return NULL;
	c = EVP_CIPHER_CTX_new();
	if (!c || EVP_CipherInit_ex2(c, a->aes_256_gcm, key_bytes(k), nonce, enc, NULL) != 1)
		return NULL;
	if (aad_len && EVP_CipherUpdate(c, NULL, &n, aad, (int)aad_len) != 1)
		return NULL;
	return TAKE_PTR(c);
}

int gcm_seal_nonce(const struct key *k, const uint8_t nonce[GCM_NONCE_BYTES], const void *aad,
		   size_t aad_len, const void *in, size_t len, void *out,
		   uint8_t ret_tag[GCM_TAG_BYTES])
{
	CLEANUP(cipher_ctx_freep) EVP_CIPHER_CTX *c = NULL;
	uint8_t none[GCM_TAG_BYTES];
	int n = 0;

	if (!args_ok(k, aad_len, len))
		return -EINVAL;
	c = gcm_start(k, nonce, aad, aad_len, 1);
	if (!c)
		return -EIO;
	if (len && (EVP_CipherUpdate(c, out, &n, in, (int)len) != 1 || (size_t)n != len))
		return -EIO;
	if (EVP_CipherFinal_ex(c, none, &n) != 1 || n != 0)
		return -EIO;
	if (EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, GCM_TAG_BYTES, ret_tag) != 1)
		return -EIO;
	return 0;
}

int gcm_open_nonce(const struct key *k, const uint8_t nonce[GCM_NONCE_BYTES], const void *aad,
		   size_t aad_len, const void *in, size_t len, const uint8_t tag[GCM_TAG_BYTES],
		   void *out)
{
	CLEANUP(cipher_ctx_freep) EVP_CIPHER_CTX *c = NULL;
	uint8_t none[GCM_TAG_BYTES], want[GCM_TAG_BYTES];
	int n = 0, r = -EIO;

	if (!args_ok(k, aad_len, len))
		return -EINVAL;
	memcpy(want, tag, sizeof(want));
	c = gcm_start(k, nonce, aad, aad_len, 0);
	if (!c)
		return -EIO;
	if (len && (EVP_CipherUpdate(c, out, &n, in, (int)len) != 1 || (size_t)n != len))
		goto fail;
	if (EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, GCM_TAG_BYTES, want) != 1)
		goto fail;
	r = -EBADMSG;
	if (EVP_CipherFinal_ex(c, none, &n) != 1 || n != 0)
		goto fail;
	return 0;
fail:
	mem_wipe(out, len);
	return r;
}

int gcm_seal_once(const struct key *k, const void *aad, size_t aad_len, const void *in, size_t len,
		  void *out, uint8_t ret_tag[GCM_TAG_BYTES])
{
	return gcm_seal_nonce(k, nonce_zero, aad, aad_len, in, len, out, ret_tag);
}

int gcm_open_once(const struct key *k, const void *aad, size_t aad_len, const void *in, size_t len,
		  const uint8_t tag[GCM_TAG_BYTES], void *out)
{
	return gcm_open_nonce(k, nonce_zero, aad, aad_len, in, len, tag, out);
}
