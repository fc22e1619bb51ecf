/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Key derivation: HKDF with SHA-384 (RFC 5869). */

#include <stddef.h>

#include "base/attr.h"
#include "crypto/key.h"

/**
 * kdf_hkdf_sha384() - derive one key from another (extract, then expand)
 * @ikm:      the key to derive from
 * @salt:     not secret; NULL with @salt_len 0 for none
 * @info:     says what the key is for: a domain name first, then the context
 * @len:      bytes wanted, 1..KEY_BYTES_MAX
 * Return: 0 and *ret (owned), -EINVAL, -ENOMEM, -EIO when libcrypto fails.
 */
MUST_USE int kdf_hkdf_sha384(const struct key *ikm, const void *salt, size_t salt_len,
			     const void *info, size_t info_len, size_t len, struct key **ret);
