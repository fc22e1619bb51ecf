/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/ecdh.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <stdbool.h>
#include <string.h>

#include "crypto/crypto_pkey.h"

enum {
	POINT_BYTES = 1 + P384_PUBLIC_BYTES,
	POINT_UNCOMPRESSED = 4,
	DRAWS_MAX = 8, /* a draw misses with probability 2^-190 */
};

void pkey_freep(EVP_PKEY **p)
{
	EVP_PKEY_free(*p);
	*p = NULL;
}

static void pkey_ctx_freep(EVP_PKEY_CTX **c)
{
	EVP_PKEY_CTX_free(*c);
}

static void bn_freep(BIGNUM **b)
{
	BN_clear_free(*b);
}

static void group_freep(EC_GROUP **g)
{
	EC_GROUP_free(*g);
}

static void point_freep(EC_POINT **p)
{
	EC_POINT_clear_free(*p);
}

static void bld_freep(OSSL_PARAM_BLD **b)
{
	OSSL_PARAM_BLD_free(*b);
}

static void params_freep(OSSL_PARAM **p)
{
	OSSL_PARAM_free(*p);
}

/* What libcrypto has to say about a failure is said by our return value. */
static int fail(int err)
{
	ERR_clear_error();
	return err;
}

/* The secret of two keys of one kind. */
static int derive(EVP_PKEY *ours, EVP_PKEY *peer, size_t len, struct key **ret)
{
	CLEANUP(pkey_ctx_freep) EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(ours, NULL);
	CLEANUP(key_freep) struct key *k = NULL;
	size_t n = len;
	int r;

	r = key_new_zero(len, &k);
	if (r < 0)
		return r;
	if (!c || EVP_PKEY_derive_init(c) != 1)
		return fail(-EIO);
	if (EVP_PKEY_derive_set_peer(c, peer) != 1 ||
	    EVP_PKEY_derive(c, key_bytes_mut(k), &n) != 1 || n != len)
		return fail(-EBADMSG);
	*ret = TAKE_PTR(k);
	return 0;
}

static EVP_PKEY *x25519_pkey(const struct key *k)
{
	return EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", NULL, key_bytes(k), key_len(k));
}

int x25519_new(struct key **ret, uint8_t ret_public[X25519_BYTES])
{
	CLEANUP(key_freep) struct key *k = NULL;
	CLEANUP(pkey_freep) EVP_PKEY *p = NULL;
	size_t n = X25519_BYTES;
	int r;

	r = key_new_random(X25519_BYTES, &k);
	if (r < 0)
		return r;
	p = x25519_pkey(k);
	if (!p || EVP_PKEY_get_raw_public_key(p, ret_public, &n) != 1 || n != X25519_BYTES)
		return fail(-EIO);
	*ret = TAKE_PTR(k);
	return 0;
}

int x25519_shared(const struct key *k, const uint8_t peer[X25519_BYTES], struct key **ret)
{
	CLEANUP(pkey_freep) EVP_PKEY *ours = NULL, *theirs = NULL;

	if (key_len(k) != X25519_BYTES)
		return -EINVAL;
	ours = x25519_pkey(k);
	theirs = EVP_PKEY_new_raw_public_key_ex(NULL, "X25519", NULL, peer, X25519_BYTES);
	if (!ours || !theirs)
		return fail(-EIO);
	return derive(ours, theirs, X25519_BYTES, ret);
}

/* The scalar as a number. Return: NULL when it is none of 1 .. order - 1, or no memory. */
static BIGNUM *scalar(const struct key *k, const EC_GROUP *g)
{
	CLEANUP(bn_freep) BIGNUM *d = BN_secure_new();

	if (!d || key_len(k) != P384_SCALAR_BYTES)
		return NULL;
	BN_set_flags(d, BN_FLG_CONSTTIME);
	if (!BN_bin2bn(key_bytes(k), P384_SCALAR_BYTES, d) || BN_is_zero(d) ||
	    BN_cmp(d, EC_GROUP_get0_order(g)) >= 0)
		return NULL;
	return TAKE_PTR(d);
}

int p384_public(const struct key *k, uint8_t ret[P384_PUBLIC_BYTES])
{
	CLEANUP(group_freep) EC_GROUP *g = EC_GROUP_new_by_curve_name(NID_secp384r1);
	CLEANUP(point_freep) EC_POINT *q = NULL;
	CLEANUP(bn_freep) BIGNUM *d = NULL;
	uint8_t b[POINT_BYTES];

	if (!g)
		return fail(-EIO);
	d = scalar(k, g);
	if (!d)
		return fail(-EINVAL);
	q = EC_POINT_new(g);
	if (!q || EC_POINT_mul(g, q, d, NULL, NULL, NULL) != 1 ||
	    EC_POINT_point2oct(g, q, POINT_CONVERSION_UNCOMPRESSED, b, sizeof(b), NULL) !=
		    sizeof(b))
		return fail(-EIO);
	memcpy(ret, b + 1, P384_PUBLIC_BYTES);
	return 0;
}

int p384_new(struct key **ret, uint8_t ret_public[P384_PUBLIC_BYTES])
{
	unsigned i;
	int r = -EIO;

	for (i = 0; i < DRAWS_MAX; i++) {
		CLEANUP(key_freep) struct key *k = NULL;

		r = key_new_random(P384_SCALAR_BYTES, &k);
		if (r == 0)
			r = p384_public(k, ret_public);
		if (r == 0)
			*ret = TAKE_PTR(k);
		if (r != -EINVAL)
			return r;
	}
	return -EIO;
}

/* A key object of a point and, if given, its scalar. */
static int p384_pkey(const uint8_t pub[P384_PUBLIC_BYTES], const BIGNUM *d, EVP_PKEY **ret)
{
	CLEANUP(pkey_ctx_freep) EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	CLEANUP(bld_freep) OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	CLEANUP(params_freep) OSSL_PARAM *params = NULL;
	uint8_t point[POINT_BYTES] = { POINT_UNCOMPRESSED };
	EVP_PKEY *p = NULL;

	memcpy(point + 1, pub, P384_PUBLIC_BYTES);
	if (!c || !b || EVP_PKEY_fromdata_init(c) != 1 ||
	    OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, SN_secp384r1, 0) != 1 ||
	    OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)) !=
		    1 ||
	    (d &&
	     OSSL_PARAM_BLD_push_BN_pad(b, OSSL_PKEY_PARAM_PRIV_KEY, d, P384_SCALAR_BYTES) != 1))
		return fail(-EIO);
	params = OSSL_PARAM_BLD_to_param(b);
	if (!params)
		return fail(-EIO);
	if (EVP_PKEY_fromdata(c, &p, d ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, params) != 1)
		return fail(-EBADMSG); /* not on the curve */
	*ret = p;
	return 0;
}

int p384_pkey_private(const struct key *k, EVP_PKEY **ret)
{
	CLEANUP(group_freep) EC_GROUP *g = EC_GROUP_new_by_curve_name(NID_secp384r1);
	CLEANUP(bn_freep) BIGNUM *d = NULL;
	uint8_t pub[P384_PUBLIC_BYTES];
	int r;

	r = p384_public(k, pub);
	if (r < 0)
		return r;
	d = g ? scalar(k, g) : NULL;
	if (!d)
		return fail(-EIO);
	return p384_pkey(pub, d, ret);
}

int p384_pkey_public(const uint8_t pub[P384_PUBLIC_BYTES], EVP_PKEY **ret)
{
	return p384_pkey(pub, NULL, ret);
}

int p384_shared(const struct key *k, const uint8_t peer[P384_PUBLIC_BYTES], struct key **ret)
{
	CLEANUP(pkey_freep) EVP_PKEY *ours = NULL, *theirs = NULL;
	int r;

	r = p384_pkey_public(peer, &theirs);
	if (r == 0)
		r = p384_pkey_private(k, &ours);
	if (r < 0)
		return r;
	return derive(ours, theirs, P384_SHARED_BYTES, ret);
}
