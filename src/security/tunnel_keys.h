/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the handshake computes: the transcript, the secrets, proofs over both, and packet keys. No state machine here.
 *
 * spec: docs/wire/tunnel.md "Transcript", "Packet keys"
 */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "crypto/key.h"
#include "proto/control.h"
#include "security/tunnel_format.h"

enum {
	TRANSCRIPT_BYTES = TUNNEL_INIT_FIXED_BYTES + TUNNEL_REPLY_BYTES + TUNNEL_FINISH_BYTES +
			   TUNNEL_DONE_BYTES,
	TUNNEL_SECRET_BYTES = 48,
};

/* Messages as sent, one behind the other; INIT without its cookie. */
struct transcript {
	uint8_t b[TRANSCRIPT_BYTES];
	size_t len;
};

void transcript_add(struct transcript *t, const uint8_t *b, size_t len);
/* transcript_hash(): of all but the last @but bytes. Return: 0, -EIO. */
MUST_USE int transcript_hash(const struct transcript *t, size_t but,
			     uint8_t ret[HASH_SHA384_BYTES]);

/* A host's identity key. */
struct tunnel_identity {
	const struct key *key; /* borrowed: P-384 scalar */
	uint8_t pub[P384_PUBLIC_BYTES];
	uint8_t fingerprint[TUNNEL_FINGERPRINT_BYTES];
};

/* tunnel_identity_init(): public key and fingerprint of @key. Return: 0, -EINVAL, -EIO. */
MUST_USE int tunnel_identity_init(struct tunnel_identity *id, const struct key *key);
/* tunnel_fingerprint(): SHA-256 of the DER SubjectPublicKeyInfo. Return: 0, -EIO. */
MUST_USE int tunnel_fingerprint(const uint8_t pub[P384_PUBLIC_BYTES],
				uint8_t ret[TUNNEL_FINGERPRINT_BYTES]);

/**
 * tunnel_master() - from both ephemeral keys and the transcript as far as REPLY's signature
 * @peer: the other side's ephemeral keys
 * @t2:   hash of the transcript
 * Return: 0 and *ret (owned), -EBADMSG a key that is no point, -ENOMEM, -EIO.
 */
MUST_USE int tunnel_master(const struct key *x25519, const struct key *p384,
			   const struct tunnel_msg *peer, const uint8_t t2[HASH_SHA384_BYTES],
			   struct key **ret);

/*
 * Proofs in the last message of @t, which is of @type. make: fills in the transcript's own bytes, to be sent from
 * there. check: -EKEYREJECTED when mac or signature are wrong; the mac is looked at first.
 */
MUST_USE int tunnel_proof_make(struct transcript *t, enum tunnel_type type,
			       const struct key *master, const struct tunnel_identity *id);
MUST_USE int tunnel_proof_check(const struct transcript *t, enum tunnel_type type,
				const struct key *master, const uint8_t pub[P384_PUBLIC_BYTES]);

/* tunnel_secret(): of the epoch; @t ends with FINISH. Return: 0 and *ret (owned), -errno. */
MUST_USE int tunnel_secret(const struct transcript *t, const struct key *master, struct key **ret);

/* tunnel_sa(): packet key of one direction (0: from the initiator). Return: 0, -ENOMEM, -EIO. */
MUST_USE int tunnel_sa(const struct key *secret, unsigned direction, uint32_t epoch, uint32_t vni,
		       struct ctl_tun_sa *ret);

/* tunnel_random(): from getrandom(2). Return: 0, -EIO. */
MUST_USE int tunnel_random(void *ret, size_t len);
