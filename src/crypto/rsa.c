/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/rsa.h"

#include <errno.h>
#include <limits.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pkcs7.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <string.h>

#include "crypto/crypto_pkey.h"

enum { EXPONENT = 65537, SERIAL_BYTES = 16, PRIME_CLOSE_BYTES = 100 / 8 + 1 };

/* What libcrypto needs of a key. All but n and e are secret. */
struct numbers {
	BIGNUM *n, *e, *d, *p, *q, *dp, *dq, *qinv;
	BIGNUM *p1, *q1, *phi; /* on the way */
};

static void numbers_done(struct numbers *b)
{
	BIGNUM *const all[] = { b->n,  b->e,    b->d,  b->p,  b->q,  b->dp,
				b->dq, b->qinv, b->p1, b->q1, b->phi };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(all); i++)
		BN_clear_free(all[i]);
}

static void bn_freep(BIGNUM **b)
{
	BN_clear_free(*b);
}

static void bn_ctx_freep(BN_CTX **c)
{
	BN_CTX_free(*c);
}

static void bld_freep(OSSL_PARAM_BLD **b)
{
	OSSL_PARAM_BLD_free(*b);
}

static void params_freep(OSSL_PARAM **p)
{
	OSSL_PARAM_free(*p);
}

static void pkey_ctx_freep(EVP_PKEY_CTX **c)
{
	EVP_PKEY_CTX_free(*c);
}

static void md_ctx_freep(EVP_MD_CTX **c)
{
	EVP_MD_CTX_free(*c);
}

static void x509_freep(X509 **x)
{
	X509_free(*x);
}

static void pkcs7_freep(PKCS7 **p)
{
	PKCS7_free(*p);
}

static void bio_freep(BIO **b)
{
	BIO_free(*b);
}

static int fail(int err)
{
	ERR_clear_error();
	return err;
}

static BIGNUM *secret_bn(void)
{
	BIGNUM *b = BN_secure_new();

	if (b)
		BN_set_flags(b, BN_FLG_CONSTTIME);
	return b;
}

static bool numbers_alloc(struct numbers *b)
{
	BIGNUM **const secret[] = { &b->d,    &b->p,  &b->q,  &b->dp, &b->dq,
				    &b->qinv, &b->p1, &b->q1, &b->phi };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(secret); i++) {
		*secret[i] = secret_bn();
		if (!*secret[i])
			return false;
	}
	b->n = BN_new();
	b->e = BN_new();
	return b->n && b->e;
}

/* spec: rfc-8017 §3.2 */
static int numbers_make(const struct rsa *k, struct numbers *b)
{
	CLEANUP(bn_ctx_freep) BN_CTX *c = BN_CTX_secure_new();

	if (!k->p || !k->q || key_len(k->p) != RSA_PRIME_BYTES || key_len(k->q) != RSA_PRIME_BYTES)
		return -EINVAL;
	if (!c || !numbers_alloc(b))
		return fail(-EIO);
	if (!BN_bin2bn(key_bytes(k->p), RSA_PRIME_BYTES, b->p) ||
	    !BN_bin2bn(key_bytes(k->q), RSA_PRIME_BYTES, b->q) ||
	    BN_set_word(b->e, EXPONENT) != 1 || BN_mul(b->n, b->p, b->q, c) != 1)
		return fail(-EIO);
	if (BN_num_bits(b->n) != RSA_BITS || !BN_is_odd(b->n))
		return -EINVAL;
	if (BN_sub(b->p1, b->p, BN_value_one()) != 1 || BN_sub(b->q1, b->q, BN_value_one()) != 1 ||
	    BN_mul(b->phi, b->p1, b->q1, c) != 1)
		return fail(-EIO);
	if (!BN_mod_inverse(b->d, b->e, b->phi, c) || !BN_mod_inverse(b->qinv, b->q, b->p, c))
		return fail(-EINVAL);
	if (BN_mod(b->dp, b->d, b->p1, c) != 1 || BN_mod(b->dq, b->d, b->q1, c) != 1)
		return fail(-EIO);
	return 0;
}

static int numbers_push(const struct numbers *b, OSSL_PARAM_BLD *p)
{
	return OSSL_PARAM_BLD_push_BN(p, OSSL_PKEY_PARAM_RSA_N, b->n) == 1 &&
	       OSSL_PARAM_BLD_push_BN(p, OSSL_PKEY_PARAM_RSA_E, b->e) == 1 &&
	       OSSL_PARAM_BLD_push_BN(p, OSSL_PKEY_PARAM_RSA_D, b->d) == 1 &&
	       OSSL_PARAM_BLD_push_BN(p, OSSL_PKEY_PARAM_RSA_FACTOR1, b->p) == 1 &&
	       OSSL_PARAM_BLD_push_BN(p, OSSL_PKEY_PARAM_RSA_FACTOR2, b->q) == 1 &&
	       OSSL_PARAM_BLD_push_BN(p, OSSL_PKEY_PARAM_RSA_EXPONENT1, b->dp) == 1 &&
	       OSSL_PARAM_BLD_push_BN(p, OSSL_PKEY_PARAM_RSA_EXPONENT2, b->dq) == 1 &&
	       OSSL_PARAM_BLD_push_BN(p, OSSL_PKEY_PARAM_RSA_COEFFICIENT1, b->qinv) == 1;
}

static int pkey_make(const struct rsa *k, EVP_PKEY **ret)
{
	CLEANUP(numbers_done) struct numbers b = { .n = NULL };
	CLEANUP(bld_freep) OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	CLEANUP(params_freep) OSSL_PARAM *params = NULL;
	CLEANUP(pkey_ctx_freep) EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	EVP_PKEY *p = NULL;
	int r;

	r = numbers_make(k, &b);
	if (r < 0)
		return r;
	if (!bld || !c || !numbers_push(&b, bld))
		return fail(-EIO);
	params = OSSL_PARAM_BLD_to_param(bld);
	if (!params || EVP_PKEY_fromdata_init(c) != 1 ||
	    EVP_PKEY_fromdata(c, &p, EVP_PKEY_KEYPAIR, params) != 1)
		return fail(-EIO);
	*ret = p;
	return 0;
}

/*
 * A prime of half the bits, its two highest set (so that the product has all of them), and e invertible.
 * libcrypto's own key generation builds its primes of smaller ones as FIPS 186 describes for other sizes; that takes
 * five times as long, which a host without AES and wide multiplication spends seconds on.
 * spec: fips-186-5 §A.1.1, §A.1.3 (probable primes)
 */
static int prime_new(BN_CTX *c, struct key **ret)
{
	CLEANUP(bn_freep) BIGNUM *b = secret_bn();
	CLEANUP(key_freep) struct key *k = NULL;
	int r;

	r = key_new_zero(RSA_PRIME_BYTES, &k);
	if (r < 0)
		return r;
	if (!b)
		return fail(-EIO);
	do {
		if (BN_generate_prime_ex2(b, RSA_PRIME_BYTES * 8, 0, NULL, NULL, NULL, c) != 1)
			return fail(-EIO);
	} while (BN_mod_word(b, EXPONENT) == 1);
	if (BN_bn2binpad(b, key_bytes_mut(k), RSA_PRIME_BYTES) != RSA_PRIME_BYTES)
		return fail(-EIO);
	*ret = TAKE_PTR(k);
	return 0;
}

int rsa_new(struct rsa *ret)
{
	CLEANUP(bn_ctx_freep) BN_CTX *c = BN_CTX_secure_new();
	struct rsa k = { NULL, NULL };
	int r;

	if (!c)
		return fail(-EIO);
	r = prime_new(c, &k.p);
	/* Primes that are close to each other are easy to find; two that agree in 100 bits do not come by chance. */
	do {
		key_freep(&k.q);
		if (r == 0)
			r = prime_new(c, &k.q);
	} while (r == 0 && memcmp(key_bytes(k.p), key_bytes(k.q), PRIME_CLOSE_BYTES) == 0);
	if (r < 0) {
		rsa_done(&k);
		return r;
	}
	*ret = k;
	return 0;
}

void rsa_done(struct rsa *k)
{
	key_freep(&k->p);
	key_freep(&k->q);
}

int rsa_sign(const struct rsa *k, const void *msg, size_t len, uint8_t ret[RSA_SIGNATURE_BYTES])
{
	CLEANUP(md_ctx_freep) EVP_MD_CTX *c = EVP_MD_CTX_new();
	CLEANUP(pkey_freep) EVP_PKEY *p = NULL;
	size_t n = RSA_SIGNATURE_BYTES;
	int r;

	r = pkey_make(k, &p);
	if (r < 0)
		return r;
	if (!c || EVP_DigestSignInit_ex(c, NULL, "SHA2-256", NULL, NULL, p, NULL) != 1 ||
	    EVP_DigestSign(c, ret, &n, msg, len) != 1 || n != RSA_SIGNATURE_BYTES)
		return fail(-EIO);
	return 0;
}

static int extension_add(X509 *x, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;
	int r;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	if (!e)
		return 0;
	r = X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
	return r;
}

static int name_set(X509_NAME *n, const char *common)
{
	const unsigned char *cn = (const unsigned char *)common;

	return X509_NAME_add_entry_by_txt(n, "O", MBSTRING_ASC, (const unsigned char *)"Niter", -1,
					  -1, 0) == 1 &&
	       X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, cn, -1, -1, 0) == 1;
}

/* A random number that DER writes without a sign byte. */
static int serial_set(X509 *x)
{
	CLEANUP(key_freep) struct key *k = NULL;
	BIGNUM *b;
	int r;

	r = key_new_random(SERIAL_BYTES, &k);
	if (r < 0)
		return 0;
	key_bytes_mut(k)[0] = (key_bytes(k)[0] & 0x3f) | 0x40;
	b = BN_bin2bn(key_bytes(k), SERIAL_BYTES, NULL);
	r = b && BN_to_ASN1_INTEGER(b, X509_get_serialNumber(x)) != NULL;
	BN_free(b);
	return r;
}

int rsa_certificate(const struct rsa *k, const char *name, uint8_t ret[RSA_CERTIFICATE_MAX])
{
	CLEANUP(x509_freep) X509 *x = X509_new();
	CLEANUP(pkey_freep) EVP_PKEY *p = NULL;
	int r;

	r = pkey_make(k, &p);
	if (r < 0)
		return r;
	if (!x || X509_set_version(x, X509_VERSION_3) != 1 || !serial_set(x) ||
	    !name_set(X509_get_subject_name(x), name) ||
	    X509_set_issuer_name(x, X509_get_subject_name(x)) != 1 ||
	    ASN1_TIME_set_string_X509(X509_getm_notBefore(x), "20200101000000Z") != 1 ||
	    ASN1_TIME_set_string_X509(X509_getm_notAfter(x), "99991231235959Z") != 1 ||
	    X509_set_pubkey(x, p) != 1 ||
	    !extension_add(x, NID_basic_constraints, "critical,CA:FALSE") ||
	    !extension_add(x, NID_key_usage, "critical,digitalSignature") ||
	    !extension_add(x, NID_subject_key_identifier, "hash") ||
	    X509_sign(x, p, EVP_sha256()) == 0)
		return fail(-EIO);
	r = i2d_X509(x, NULL);
	if (r < 0 || r > RSA_CERTIFICATE_MAX)
		return fail(-EMSGSIZE);
	return i2d_X509(x, &ret);
}

int rsa_pkcs7(const struct rsa *k, const uint8_t *cert, size_t cert_len, const void *msg,
	      size_t len, uint8_t *ret, size_t cap)
{
	const int flags = PKCS7_BINARY | PKCS7_NOCERTS | PKCS7_NOATTR;
	CLEANUP(bio_freep) BIO *in = NULL;
	CLEANUP(x509_freep) X509 *x = NULL;
	CLEANUP(pkey_freep) EVP_PKEY *p = NULL;
	CLEANUP(pkcs7_freep) PKCS7 *out = NULL;
	int r;

	if (len > INT_MAX || cert_len > RSA_CERTIFICATE_MAX)
		return -EINVAL;
	x = d2i_X509(NULL, &cert, (long)cert_len);
	if (!x)
		return fail(-EINVAL);
	r = pkey_make(k, &p);
	if (r < 0)
		return r;
	if (X509_check_private_key(x, p) != 1)
		return fail(-EINVAL);
	in = BIO_new_mem_buf(msg, (int)len);
	if (in)
		out = PKCS7_sign(x, p, NULL, in, flags);
	if (!out)
		return fail(-EIO);
	r = i2d_PKCS7(out, NULL);
	if (r < 0 || (size_t)r > cap)
		return fail(-EMSGSIZE);
	return i2d_PKCS7(out, &ret);
}
