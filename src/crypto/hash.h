/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* SHA-256, SHA-384 and HMAC-SHA-256, whole messages only. */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "crypto/key.h"

enum { HASH_SHA256_BYTES = 32, HASH_SHA384_BYTES = 48 };

/* hash_sha256(): Return: 0, -EIO when libcrypto fails. */
MUST_USE int hash_sha256(const void *msg, size_t len, uint8_t ret[HASH_SHA256_BYTES]);

/* hash_sha384(): Return: 0, -EIO when libcrypto fails. */
MUST_USE int hash_sha384(const void *msg, size_t len, uint8_t ret[HASH_SHA384_BYTES]);

/* hash_hmac_sha256(): Return: 0, -EIO. Compare with mem_equal_ct(). */
MUST_USE int hash_hmac_sha256(const struct key *k, const void *msg, size_t len,
			      uint8_t ret[HASH_SHA256_BYTES]);
