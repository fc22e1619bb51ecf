/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <openssl/evp.h>

#include "crypto/ecdh.h"

/*
 * libcrypto's objects for P-384, for ecdh.c and ecdsa.c. They hold copies of the scalar on the heap: made for one
 * operation and freed (wiped) after it.
 */

/* p384_pkey_private(): Return: 0 and *ret (owned), -EINVAL not a scalar of 1 .. order - 1, -EIO. */
MUST_USE int p384_pkey_private(const struct key *k, EVP_PKEY **ret);
/* p384_pkey_public(): Return: 0 and *ret (owned), -EBADMSG not a point of the curve, -EIO. */
MUST_USE int p384_pkey_public(const uint8_t pub[P384_PUBLIC_BYTES], EVP_PKEY **ret);

void pkey_freep(EVP_PKEY **p);
