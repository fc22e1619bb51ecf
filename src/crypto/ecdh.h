/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Diffie-Hellman with X25519 and with NIST P-384. Private keys come from getrandom(2) and live in key objects.
 * P-384 points are X || Y, big-endian, without the byte 04.
 *
 * spec: rfc-7748 §5, §6.1
 * spec: sec1-2.0 §2.3.3 (points), §3.3.1 (ECDH)
 * spec: fips-186-5 §6
 */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "crypto/key.h"

enum {
	X25519_BYTES = 32, /* private key, public key and shared secret */
	P384_SCALAR_BYTES = 48,
	P384_PUBLIC_BYTES = 96,
	P384_SHARED_BYTES = 48, /* the X coordinate */
};

/* x25519_new(): Return: 0 and *ret (owned), -ENOMEM, -EIO when libcrypto fails. */
MUST_USE int x25519_new(struct key **ret, uint8_t ret_public[X25519_BYTES]);

/**
 * x25519_shared() - the secret with a peer
 * @peer: any 32 bytes
 * Return: 0 and *ret (owned), -EBADMSG when it is zero (a point of small order), -EINVAL, -ENOMEM, -EIO.
 */
MUST_USE int x25519_shared(const struct key *k, const uint8_t peer[X25519_BYTES], struct key **ret);

/* p384_new(): a scalar of 1 .. order - 1. Return: 0 and *ret (owned), -ENOMEM, -EIO. */
MUST_USE int p384_new(struct key **ret, uint8_t ret_public[P384_PUBLIC_BYTES]);

/* p384_public(): of a scalar. Return: 0, -EINVAL not one of 1 .. order - 1, -EIO. */
MUST_USE int p384_public(const struct key *k, uint8_t ret[P384_PUBLIC_BYTES]);

/**
 * p384_shared() - the secret with a peer
 * @peer: any 96 bytes
 * Return: 0 and *ret (owned), -EBADMSG when that is no point of the curve, -EINVAL, -ENOMEM, -EIO.
 */
MUST_USE int p384_shared(const struct key *k, const uint8_t peer[P384_PUBLIC_BYTES],
			 struct key **ret);
