/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Secret access keys. One is drawn, told once, and sealed; whoever keeps the sealed form (niterd, in its database) can
 * have signing keys made of it, each good for a day, a region and a service. docs/wire/api-key.md has the table.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "crypto/key.h"

enum {
	API_SECRET_BYTES = 40,
	API_SEALED_BYTES = 128,
	API_SIGNING_BYTES = 32,
};

/**
 * api_key_new() - draw a secret
 * @k:             seals it
 * @account, @id:  of the access key: 12 digits; 16 … 23 capital letters and digits
 * @ret:           the secret, as people get it: no NUL
 * Return: 0, -EINVAL, -ENOMEM, -EIO.
 */
MUST_USE int api_key_new(const struct key *k, const char *account, const char *id,
			 uint8_t ret[API_SECRET_BYTES], uint8_t ret_sealed[API_SEALED_BYTES]);

/* api_key_seal(): the same with a secret that exists already; for niterd without a host, whose tests bring their own. */
MUST_USE int api_key_seal(const struct key *k, const char *account, const char *id,
			  const uint8_t secret[API_SECRET_BYTES],
			  uint8_t ret_sealed[API_SEALED_BYTES]);

/**
 * api_key_derive() - a signing key
 * @sealed: bytes nobody vouches for
 * Return: 0, -EACCES not what api_key_new() made under this key for this account and id, -EINVAL, -ENOMEM, -EIO.
 */
MUST_USE int api_key_derive(const struct key *k, const char *account, const char *id,
			    const void *sealed, size_t len, const char *date, const char *region,
			    const char *service, uint8_t ret[API_SIGNING_BYTES]);
