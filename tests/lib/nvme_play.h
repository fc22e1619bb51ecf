/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Plays a byte string as a guest: register writes, doorbells, resets, and an engine that finishes, fails and stops as
 * the bytes say. Guest memory reads as the bytes of a feed, fresh at every read, so that entries, lists and range
 * tables are the fuzzer's too, and different when looked at twice.
 *
 * After every step the controller's books must balance (play_check()).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cards/storage/controller.h"
#include "vol_fake.h"

enum { PLAY_RAM_BYTES = 1 << 20, PLAY_QUEUES = 4, PLAY_STEPS_MAX = 400 };

struct play {
	struct gmem *mem;
	struct vol *vol;
	struct nvme_ctrl *ctrl;
	uint64_t now_ns;
	bool low_mapped;
	unsigned irqs;
};

/* play_start(): controller in NVME_DISABLED. play_end(): stops it, and everything must have come home. */
void play_start(struct play *p);
void play_end(struct play *p);
/* play_enable(): a good CC.EN = 1. play_queues(): pairs 1 … PLAY_QUEUES of @entries, by admin commands. */
void play_enable(struct play *p);
void play_queues(struct play *p, unsigned entries);
/* play_run(): @data is steps; what they do not use up is the feed. Layout: 2 bytes length of the steps, steps, feed. */
void play_run(struct play *p, const uint8_t *data, size_t size);
void play_check(struct play *p);
