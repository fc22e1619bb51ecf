/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * AES-256-GCM for keys that seal exactly one message: the nonce is fixed at zero, so there is none to repeat.
 * Derive such a key with kdf_hkdf_sha384() and a fresh random salt, use it once, free it.
 * The packet path has its own implementation with a counter; do not use this one for streams.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "crypto/key.h"

enum {
	GCM_KEY_BYTES = 32,
	GCM_TAG_BYTES = 16,
	GCM_MSG_MAX = 1 << 20, /* bytes of message or of associated data */
};

/**
 * gcm_seal_once() - encrypt @len bytes and authenticate them with @aad
 * @k:    GCM_KEY_BYTES, never used to seal before and never again
 * @out:  @len bytes; may be @in
 * Return: 0, -EINVAL, -EIO when libcrypto fails.
 */
MUST_USE int gcm_seal_once(const struct key *k, const void *aad, size_t aad_len, const void *in,
			   size_t len, void *out, uint8_t ret_tag[GCM_TAG_BYTES]);

/**
 * gcm_open_once() - the opposite
 * @out:  @len bytes; wiped when the tag is wrong, so that nothing unverified is ever seen
 * Return: 0, -EBADMSG when key, data, associated data or tag do not belong together, -EINVAL, -EIO.
 */
MUST_USE int gcm_open_once(const struct key *k, const void *aad, size_t aad_len, const void *in,
			   size_t len, const uint8_t tag[GCM_TAG_BYTES], void *out);
