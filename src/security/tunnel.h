/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Tunnels to other hosts: the state of the handshakes and the secrets that come of them. No I/O and no clock: bytes
 * go in, at most one message and one event come out, and the caller says what time it is.
 *
 * Of one peer there is at most one handshake begun here and one begun there (enum handshake_state), and the secrets
 * of the two newest epochs. What a message may do before its sender has proved who it is: make an answer, fill the
 * peer's one place as responder when that is free or a cookie comes along, and use up tokens. Nothing else.
 *
 * spec: docs/wire/tunnel.md; why: docs/decisions/0082
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "proto/control.h"
#include "security/tunnel_keys.h"

enum {
	TUNNEL_PEERS_MAX = 256,
	TUNNEL_VNIS_MAX = 4096,   /* keys of one epoch */
	TUNNEL_KEYS_PER_PEER = 5, /* ephemeral 2, master of the answered one, secrets 2 */
	TUNNEL_KEYS_ALIVE = TUNNEL_PEERS_MAX * TUNNEL_KEYS_PER_PEER + 2, /* and two cookie keys */
};

struct tunnel; /* opaque */

/* What is to be sent to the wire, in this order. */
struct tunnel_out {
	bool has_ready, has_message;
	struct ctl_tun_ready ready;
	struct ctl_tun_message message;
};

/**
 * tunnel_new()
 * @id: copied; its key is borrowed until tunnel_free()
 * Return: 0 and *ret (owned), -ENOMEM, -EIO.
 */
MUST_USE int tunnel_new(const struct tunnel_identity *id, struct tunnel **ret);
/* tunnel_free(): wipes. NULL is fine. tunnel_freep() for CLEANUP. */
void tunnel_free(struct tunnel *t);
void tunnel_freep(struct tunnel **t);

/**
 * tunnel_peer_set() - @fingerprint of this peer; zero: it is gone
 * Return: 0, -EINVAL our own fingerprint or peer 0, -EUSERS too many, -ENOMEM. Then @out has an event that says so.
 */
MUST_USE int tunnel_peer_set(struct tunnel *t, const struct ctl_tun_peer *p, uint64_t now_ns,
			     struct tunnel_out *out);

/* tunnel_start(): begin a handshake, or say its last message again. Return: 0, -ENOENT (and an event), -ENOMEM, -EIO. */
MUST_USE int tunnel_start(struct tunnel *t, uint32_t peer, uint64_t now_ns, struct tunnel_out *out);

/**
 * tunnel_message() - what came from the peer's address
 *
 * Return: 0 it was good; else dropped, and @out may still hold an answer: -EPROTO not a message, -ENOTSUP another
 * version, -ENOENT no such peer, -EACCES not this host or not that peer, -ESTALE nobody waits for it,
 * -EINPROGRESS our own handshake goes first, -EAGAIN a cookie was asked for or too many came, -EBADMSG a key that is no
 * point, -EKEYREJECTED mac or signature, -ERANGE epoch, -ENOMEM, -EIO.
 */
MUST_USE int tunnel_message(struct tunnel *t, const struct ctl_tun_message *m, uint64_t now_ns,
			    struct tunnel_out *out);

/**
 * tunnel_key() - packet keys of one network in one epoch, once
 * @ret: ->err is the result too; the caller wipes it
 * Return: 0, -ENOENT, -EALREADY, -EINVAL, -E2BIG, -ENOMEM, -EIO.
 */
MUST_USE int tunnel_key(struct tunnel *t, const struct ctl_tun_key_read *q,
			struct ctl_tun_key *ret);

/* tunnel_expire(): wipe what is too old. Return: when to come again, UINT64_MAX: never. */
uint64_t tunnel_expire(struct tunnel *t, uint64_t now_ns);
