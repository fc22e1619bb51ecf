/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Who this host is, to other hosts and to people: a P-384 key that signs handshakes (tunnel.h) and an RSA-2048 key
 * with a self-signed certificate that signs instance identity documents (sign.h). Made once, kept in identity.sealed
 * below the store directory, sealed under a key of the tree; never given out. docs/wire/security-store.md has the table.
 *
 *   identity.sealed absent   made and written: a new host, or one whose identity was given up on purpose
 *   identity.sealed there    opened; whatever fails, no other identity takes its place
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "crypto/key.h"
#include "crypto/rsa.h"
#include "security/tunnel_keys.h"

#define IDENTITY_FILE "identity.sealed"

enum {
	IDENTITY_VERSION = 1,
	IDENTITY_FILE_MAX = 2048,
	IDENTITY_KEYS = 3, /* alive while the identity is */
};

struct identity {
	struct key *host; /* P-384 scalar */
	struct rsa rsa;
	uint8_t cert[RSA_CERTIFICATE_MAX]; /* of the RSA key, DER */
	size_t cert_len;
	struct tunnel_identity tunnel; /* borrows @host */
};

/**
 * identity_open() - read it, or make it
 * @dir: the store directory
 * @key: of the tree; the caller's
 * @ret: owned: identity_done(); on success only
 * @ret_new: was it made now?
 * Return: 0, -EBADMSG damaged or of another root key, -ENOTSUP a newer version, -ENOMEM, -EIO, -errno of the files.
 */
MUST_USE int identity_open(int dir, const struct key *key, struct identity *ret, bool *ret_new);
void identity_done(struct identity *id);

/* identity_encode(): the file, with a fresh salt. Return: bytes, -EMSGSIZE, -EIO. */
MUST_USE int identity_encode(const struct identity *id, const struct key *key,
			     uint8_t ret[IDENTITY_FILE_MAX]);
/* identity_decode(): any bytes. As identity_open(). */
MUST_USE int identity_decode(const uint8_t *b, size_t len, const struct key *key,
			     struct identity *ret);
