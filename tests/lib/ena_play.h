/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Plays a byte string as a guest of an ENA device: registers, doorbells, commands, descriptors, resets, and a port that
 * takes, refuses and has no room as the bytes say. Guest memory reads as the bytes of a feed, fresh at every read, so that
 * commands, descriptors, headers and payload are the fuzzer's too, and different when looked at twice.
 *
 * After every step the device's books must balance (ena_play_check()), and whatever it hands to the port must be a frame
 * that keeps its promises.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "cards/network/ena_priv.h"

enum { PLAY_RAM_BYTES = 1 << 20, PLAY_PAIRS = 3, PLAY_STEPS_MAX = 300 };

struct ena_play {
	struct gmem *mem;
	struct ena *e;
	uint64_t now_ns;
	bool low_mapped;
	uint8_t *to; /* what the port gave last: exactly as long as the frame */
	int refuse;
	unsigned room; /* frames until -EAGAIN */
	unsigned frames, irqs;
};

/* ena_play_start(): after power-on. ena_play_end(): frees it; nothing may be held. */
void ena_play_start(struct ena_play *p);
void ena_play_end(struct ena_play *p);
/* ena_play_admin(): a live admin queue. ena_play_queues(): all pairs, depth @depth. */
void ena_play_admin(struct ena_play *p);
void ena_play_queues(struct ena_play *p, uint16_t depth);
/* ena_play_command(): one command out of @in, phase bit as it must be; what it does not use is the control buffer. */
void ena_play_command(struct ena_play *p, struct rd *in);
/* ena_play_tx(): descriptors out of @in, phase bits as they must be, rung, a turn; then payload. */
void ena_play_tx(struct ena_play *p, struct rd *in);
/* ena_play_rx(): post buffers out of @in, then a frame. */
void ena_play_rx(struct ena_play *p, struct rd *in);
/* ena_play_step(): any step. */
void ena_play_step(struct ena_play *p, struct rd *in);
void ena_play_check(struct ena_play *p);
