/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The volume engine's interface (volume/volume.h) as plain memory, for unit tests and fuzzing of what stands on it.
 * Nothing completes by itself: the test says when, in which order and with which result. Every rule of the interface
 * that a caller can break is a must() here.
 */

#include <stdbool.h>
#include <stdint.h>

#include "volume/volume.h"

enum { VOL_FAKE_REQS_MAX = 1024 };

/* vol_fake_new(): @size bytes of zeroes, freed with vol_free(). @data: keep bytes; without it reads give zeroes. */
struct vol *vol_fake_new(uint64_t size, bool data);
uint8_t *vol_fake_bytes(struct vol *v);

/* vol_fake_finish(): let up to @cnt requests end, oldest first (or newest first); vol_poll() then returns them. */
unsigned vol_fake_finish(struct vol *v, unsigned cnt, bool newest_first);
/* vol_fake_fail_next(): the next finished request ends with @err instead of being carried out. */
void vol_fake_fail_next(struct vol *v, int err);
/* vol_fake_fail_sync(): from now on vol_failed() is true and changes end with -EIO. */
void vol_fake_fail_sync(struct vol *v);
/* vol_fake_submitted(): requests ever submitted; vol_fake_last(): the one submitted last (a copy). */
unsigned vol_fake_submitted(const struct vol *v);
const struct vol_req *vol_fake_last(const struct vol *v);
