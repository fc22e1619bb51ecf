/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The bytes of the handshake between hosts: one struct, one encoder, one decoder. A message has one encoding.
 *
 * spec: docs/wire/tunnel.md
 */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "crypto/ecdh.h"
#include "crypto/ecdsa.h"
#include "crypto/hash.h"

enum {
	TUNNEL_VERSION = 1,
	TUNNEL_SID_BYTES = 8,
	TUNNEL_COOKIE_BYTES = 16,
	TUNNEL_MAC_BYTES = HASH_SHA256_BYTES,
	TUNNEL_FINGERPRINT_BYTES = HASH_SHA256_BYTES,

	TUNNEL_INIT_BYTES = 400,
	TUNNEL_REPLY_BYTES = 376,
	TUNNEL_FINISH_BYTES = 248,
	TUNNEL_DONE_BYTES = 56,
	TUNNEL_COOKIE_MSG_BYTES = 32,
	TUNNEL_REFUSED_BYTES = 48,
	TUNNEL_MSG_MAX = TUNNEL_INIT_BYTES,
	/* INIT counts in transcripts and cookies up to here. */
	TUNNEL_INIT_FIXED_BYTES = TUNNEL_INIT_BYTES - TUNNEL_COOKIE_BYTES,
	/* Behind the signature of REPLY and FINISH; behind the rest of DONE. */
	TUNNEL_TAIL_MAC = TUNNEL_MAC_BYTES,
	TUNNEL_TAIL_SIGNATURE = TUNNEL_MAC_BYTES + ECDSA_P384_SIGNATURE_BYTES,
};

enum tunnel_type {
	TUNNEL_INIT = 1,
	TUNNEL_REPLY,
	TUNNEL_FINISH,
	TUNNEL_DONE,
	TUNNEL_COOKIE,
	TUNNEL_REFUSED,
};

enum tunnel_refusal { TUNNEL_ANOTHER_HOST = 1, TUNNEL_NOT_KNOWN = 2 };

/* Fields that a type does not have are zero. */
struct tunnel_msg {
	enum tunnel_type type;
	uint32_t number; /* an epoch; of REFUSED: enum tunnel_refusal */
	uint8_t sid_i[TUNNEL_SID_BYTES], sid_r[TUNNEL_SID_BYTES];
	uint8_t fp_i[TUNNEL_FINGERPRINT_BYTES], fp_r[TUNNEL_FINGERPRINT_BYTES];
	uint8_t x25519[X25519_BYTES], p384[P384_PUBLIC_BYTES]; /* ephemeral */
	uint8_t identity[P384_PUBLIC_BYTES];
	uint8_t signature[ECDSA_P384_SIGNATURE_BYTES];
	uint8_t mac[TUNNEL_MAC_BYTES];
	uint8_t cookie[TUNNEL_COOKIE_BYTES];
};

/* tunnel_msg_encode(): Return: bytes written. */
size_t tunnel_msg_encode(const struct tunnel_msg *m, uint8_t ret[TUNNEL_MSG_MAX]);

/**
 * tunnel_msg_decode() - any bytes from the network
 * Return: 0, -EPROTO not such a message, -ENOTSUP another version of the protocol.
 */
MUST_USE int tunnel_msg_decode(const void *buf, size_t len, struct tunnel_msg *ret);
