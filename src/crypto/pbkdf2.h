/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * PBKDF2 with HMAC-SHA-256, for the one place that demands it: the digest by which a LUKS2 header recognizes its
 * volume key. It does not stretch a password here; the key has full entropy.
 *
 * spec: rfc-8018 §5.2
 */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "crypto/key.h"

/**
 * pbkdf2_sha256() - @len bytes derived from @k; not secret enough to be a key
 * @iterations: 1 …; the caller bounds it, the time is proportional to it
 * Return: 0, -EINVAL, -EIO when libcrypto fails.
 */
MUST_USE int pbkdf2_sha256(const struct key *k, const void *salt, size_t salt_len,
			   uint32_t iterations, uint8_t *ret, size_t len);
