/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/ecdsa.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <string.h>

#include "crypto/crypto_pkey.h"

enum { HALF_BYTES = ECDSA_P384_SIGNATURE_BYTES / 2, DER_MAX = 128 };

static void md_ctx_freep(EVP_MD_CTX **c)
{
	EVP_MD_CTX_free(*c);
}

static void sig_freep(ECDSA_SIG **s)
{
	ECDSA_SIG_free(*s);
}

static int fail(int err)
{
	ERR_clear_error();
	return err;
}

/*
 * libcrypto makes the nonce of the key, the message and fresh random bytes together: a weak generator alone does
 * not give the key away.
 */
int ecdsa_p384_sign(const struct key *k, const void *msg, size_t len,
		    uint8_t ret[ECDSA_P384_SIGNATURE_BYTES])
{
	CLEANUP(md_ctx_freep) EVP_MD_CTX *c = EVP_MD_CTX_new();
	CLEANUP(pkey_freep) EVP_PKEY *p = NULL;
	CLEANUP(sig_freep) ECDSA_SIG *s = NULL;
	uint8_t der[DER_MAX];
	const uint8_t *at = der;
	size_t n = sizeof(der);
	int r;

	r = p384_pkey_private(k, &p);
	if (r < 0)
		return r;
	if (!c || EVP_DigestSignInit_ex(c, NULL, "SHA2-384", NULL, NULL, p, NULL) != 1 ||
	    EVP_DigestSign(c, der, &n, msg, len) != 1)
		return fail(-EIO);
	s = d2i_ECDSA_SIG(NULL, &at, (long)n);
	if (!s || BN_bn2binpad(ECDSA_SIG_get0_r(s), ret, HALF_BYTES) != HALF_BYTES ||
	    BN_bn2binpad(ECDSA_SIG_get0_s(s), ret + HALF_BYTES, HALF_BYTES) != HALF_BYTES)
		return fail(-EIO);
	return 0;
}

/* The signature as libcrypto wants it. Return: bytes, -EIO. */
static int der_encode(const uint8_t sig[ECDSA_P384_SIGNATURE_BYTES], uint8_t ret[DER_MAX])
{
	CLEANUP(sig_freep) ECDSA_SIG *s = ECDSA_SIG_new();
	BIGNUM *x = BN_bin2bn(sig, HALF_BYTES, NULL);
	BIGNUM *y = BN_bin2bn(sig + HALF_BYTES, HALF_BYTES, NULL);
	uint8_t *at = ret;

	if (!s || !x || !y || ECDSA_SIG_set0(s, x, y) != 1) {
		BN_free(x);
		BN_free(y);
		return fail(-EIO);
	}
	if (i2d_ECDSA_SIG(s, NULL) > DER_MAX)
		return fail(-EIO);
	return i2d_ECDSA_SIG(s, &at);
}

int ecdsa_p384_verify(const uint8_t pub[P384_PUBLIC_BYTES], const void *msg, size_t len,
		      const uint8_t sig[ECDSA_P384_SIGNATURE_BYTES])
{
	CLEANUP(md_ctx_freep) EVP_MD_CTX *c = EVP_MD_CTX_new();
	CLEANUP(pkey_freep) EVP_PKEY *p = NULL;
	uint8_t der[DER_MAX];
	int n, r;

	n = der_encode(sig, der);
	if (n < 0)
		return n;
	r = p384_pkey_public(pub, &p);
	if (r < 0)
		return r;
	if (!c || EVP_DigestVerifyInit_ex(c, NULL, "SHA2-384", NULL, NULL, p, NULL) != 1)
		return fail(-EIO);
	if (EVP_DigestVerify(c, der, (size_t)n, msg, len) != 1)
		return fail(-EBADMSG);
	return 0;
}

void ecdsa_p384_spki(const uint8_t pub[P384_PUBLIC_BYTES], uint8_t ret[ECDSA_P384_SPKI_BYTES])
{
	/* SEQUENCE { SEQUENCE { ecPublicKey, secp384r1 }, BIT STRING { 04 || X || Y } } */
	static const uint8_t head[ECDSA_P384_SPKI_BYTES - P384_PUBLIC_BYTES] = {
		0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02,
		0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00, 0x04,
	};

	memcpy(ret, head, sizeof(head));
	memcpy(ret + sizeof(head), pub, P384_PUBLIC_BYTES);
}
