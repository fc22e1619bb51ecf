/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Plays niter-security for one niter-wire: the same messages on the channel (spec: docs/wire/tunnel.md "Between wire and security"), a
 * handshake of two messages without any security in it, and keys derived from what both ends put into it. As with the
 * real one each key is given out once, only the initiator's repeated CTL_TUN_START sends anything again, and two
 * handshakes never give the same keys.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "proto/control.h"

enum { TUNNEL_FAKE_PEERS = 4, TUNNEL_FAKE_GIVEN = 256 };

struct tunnel_fake_peer {
	uint32_t id; /* 0: free */
	uint8_t fingerprint[CTL_FINGERPRINT_BYTES];
	uint32_t last;             /* epoch */
	uint64_t asking;           /* our nonce of a handshake under way; 0: none */
	uint64_t answered, answer; /* the last nonce of theirs that was answered, and with what */
	uint32_t answer_epoch;
	struct {
		uint32_t epoch;
		uint64_t i, r; /* nonces */
		bool initiator;
	} epoch[2]; /* newest first */
};

struct tunnel_fake {
	int fd; /* owned: security's end of the channel */
	uint8_t fingerprint[CTL_FINGERPRINT_BYTES];
	struct tunnel_fake_peer peer[TUNNEL_FAKE_PEERS];
	uint64_t nonce; /* the last one used */
	unsigned given_cnt;
	struct ctl_tun_key_read given[TUNNEL_FAKE_GIVEN];
	struct ctl_tun_key
		key[TUNNEL_FAKE_GIVEN]; /* every key given out: for whoever reads the capture */
	unsigned starts, twice;
	bool silent; /* answers no handshake */
	struct ctl_msg msg;
};

/* tunnel_fake_init(): @fd is owned; @fingerprint: all its bytes; @seed: makes its nonces its own. */
void tunnel_fake_init(struct tunnel_fake *f, int fd, uint8_t fingerprint, uint64_t seed);
/* tunnel_fake_done(): closes. The keys stay readable. */
void tunnel_fake_done(struct tunnel_fake *f);
/* tunnel_fake_renew(): a handshake that the wire did not ask for. */
void tunnel_fake_renew(struct tunnel_fake *f, uint32_t peer);
/* tunnel_fake_step(): one message, if there is one. Return: 1, 0 none, -errno: the channel ended. */
MUST_USE int tunnel_fake_step(struct tunnel_fake *f);
