/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * ECDSA with P-384 and SHA-384 over whole messages. Keys as in ecdh.h; a key signs or agrees, never both.
 * A signature is r || s, big-endian. Whoever has a good one can make a second one of it (s becomes order - s):
 * a signature proves who signed, it does not name a message.
 *
 * spec: fips-186-5 §6.4
 */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "crypto/ecdh.h"

enum {
	ECDSA_P384_SIGNATURE_BYTES = 96,
	ECDSA_P384_SPKI_BYTES = 120, /* DER SubjectPublicKeyInfo of a public key */
};

/* ecdsa_p384_sign(): Return: 0, -EINVAL not a scalar, -EIO when libcrypto fails. */
MUST_USE int ecdsa_p384_sign(const struct key *k, const void *msg, size_t len,
			     uint8_t ret[ECDSA_P384_SIGNATURE_BYTES]);

/**
 * ecdsa_p384_verify() - did the owner of @pub sign @msg?
 * @pub: any 96 bytes
 * Return: 0, -EBADMSG no, or no public key, -EIO.
 */
MUST_USE int ecdsa_p384_verify(const uint8_t pub[P384_PUBLIC_BYTES], const void *msg, size_t len,
			       const uint8_t sig[ECDSA_P384_SIGNATURE_BYTES]);

/* ecdsa_p384_spki(): as other programs name the key. spec: rfc-5480 §2 */
void ecdsa_p384_spki(const uint8_t pub[P384_PUBLIC_BYTES], uint8_t ret[ECDSA_P384_SPKI_BYTES]);
