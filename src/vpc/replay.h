/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The replay window of one receiving SA: which of the last REPLAY_WINDOW sequence numbers have been seen.
 * Numbers are 32 bits, begin at 1 and never wrap: the sender refuses before.
 *
 * Order: replay_check() with the number as it came, then decrypt, and only when the tag is right replay_update().
 * A forged number therefore moves nothing.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

enum {
	REPLAY_WINDOW = 4096, /* numbers */
	/* Twice the window, so that whole words can be cleared when it moves. */
	REPLAY_WORDS = 2 * REPLAY_WINDOW / 64,
};

struct replay {
	uint32_t top; /* highest number seen; 0: none */
	uint64_t seen[REPLAY_WORDS];
};

/* replay_init(): nothing seen up to and including @top: 0 for a fresh SA; else as if all below had been seen. */
void replay_init(struct replay *w, uint32_t top);

/**
 * replay_check() - may a packet with this number still be new?
 * Return: true: decrypt it. false: 0, seen before, or REPLAY_WINDOW or more behind the highest.
 */
MUST_USE bool replay_check(const struct replay *w, uint32_t seq);

/**
 * replay_update() - a packet with this number was authentic
 *
 * Tests again and then marks, so that of two copies checked before either was marked one loses.
 * Return: true: it is the first. false: as replay_check().
 */
MUST_USE bool replay_update(struct replay *w, uint32_t seq);
