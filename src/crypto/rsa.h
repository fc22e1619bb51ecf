/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * RSA-2048 signatures (PKCS #1 v1.5, SHA-256) and what goes with them: a self-signed certificate, and PKCS #7
 * SignedData. For instance identity documents, whose readers expect nothing newer; use ECDSA for all else.
 * The private key is its two primes, in key objects; libcrypto gets the rest, computed, for one operation.
 *
 * spec: rfc-8017 §8.2 (RSASSA-PKCS1-v1_5)
 * spec: rfc-5280 §4.1 (certificate)
 * spec: rfc-2315 §9 (SignedData)
 */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "crypto/key.h"

enum {
	RSA_BITS = 2048,
	RSA_PRIME_BYTES = RSA_BITS / 16,
	RSA_SIGNATURE_BYTES = RSA_BITS / 8,
	RSA_CERTIFICATE_MAX = 1024,
};

struct rsa {
	struct key *p, *q; /* primes, big-endian */
};

/* rsa_new(): may take a second. Return: 0 and *ret (owned: rsa_done()), -ENOMEM, -EIO when libcrypto fails. */
MUST_USE int rsa_new(struct rsa *ret);
void rsa_done(struct rsa *k);

/* rsa_sign(): Return: 0, -EINVAL not such a key, -EIO. */
MUST_USE int rsa_sign(const struct rsa *k, const void *msg, size_t len,
		      uint8_t ret[RSA_SIGNATURE_BYTES]);

/**
 * rsa_certificate() - version 3, signed by its own key, valid from 2020 for ever, for signatures only
 * @name: common name
 * Return: bytes of DER, -EINVAL, -EMSGSIZE, -EIO.
 */
MUST_USE int rsa_certificate(const struct rsa *k, const char *name,
			     uint8_t ret[RSA_CERTIFICATE_MAX]);

/**
 * rsa_pkcs7() - SignedData with @msg inside, without signed attributes and without the certificate
 * @cert: DER of the certificate of @k: the signer is named by it
 * Return: bytes of DER, -EINVAL (a key or certificate that do not belong together), -EMSGSIZE, -EIO.
 */
MUST_USE int rsa_pkcs7(const struct rsa *k, const uint8_t *cert, size_t cert_len, const void *msg,
		       size_t len, uint8_t *ret, size_t cap);
