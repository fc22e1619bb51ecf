/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One secret sealed under a key that lives long: with a fresh salt a key is derived that seals this one message, and a
 * commitment to that key goes along, so that a box opens under one key and no other. What is sealed by it says
 * what it is for in @info (which key) and @aad (which use); docs/wire/api-key.md and docs/wire/kms-blob.md have the two kinds.
 *
 *	box = salt (32) | commitment (32) | ciphertext | tag (16)
 */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "crypto/key.h"

enum {
	BOX_SALT_BYTES = 32,
	BOX_COMMIT_BYTES = 32,
	BOX_OVERHEAD = BOX_SALT_BYTES + BOX_COMMIT_BYTES + 16,
};

/* What a box is bound to. Both begin with a name of their own. */
struct box_use {
	const void *info; /* of the key derivation */
	size_t info_len;
	const void *aad;
	size_t aad_len;
};

/* box_seal(): @ret: @len + BOX_OVERHEAD bytes. Return: 0, -EINVAL, -ENOMEM, -EIO. */
MUST_USE int box_seal(const struct key *k, const struct box_use *use, const void *in, size_t len,
		      uint8_t *ret);

/**
 * box_open() - the opposite
 * @box: bytes nobody vouches for
 * @ret: @len - BOX_OVERHEAD bytes; wiped when the tag is wrong
 * Return: 0, -EPROTO too short, -EKEYREJECTED sealed under another key, -EBADMSG changed, -EINVAL, -ENOMEM, -EIO.
 */
MUST_USE int box_open(const struct key *k, const struct box_use *use, const uint8_t *box,
		      size_t len, void *ret);
