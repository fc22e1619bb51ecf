/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/crypto.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdbool.h>

#include "crypto/crypto_priv.h"

static struct crypto_algs algs;
static bool algs_good;

static void algs_fetch(void)
{
	if (!OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL))
		return;
	algs.aes_256_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	algs.aes_256_xts = EVP_CIPHER_fetch(NULL, "AES-256-XTS", NULL);
	algs.sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
	algs.sha384 = EVP_MD_fetch(NULL, "SHA2-384", NULL);
	algs.hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	algs.hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	algs_good = algs.aes_256_gcm && algs.aes_256_xts && algs.sha256 && algs.sha384 &&
		    algs.hkdf && algs.hmac;
}

const struct crypto_algs *crypto_algs(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, algs_fetch);
	return algs_good ? &algs : NULL;
}

int crypto_init(void)
{
	return crypto_algs() ? 0 : -ENOSYS;
}
