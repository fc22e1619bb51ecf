/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Token bucket in virtual time: the caller passes the clock.
 */

#include <stdint.h>

#include "base/attr.h"

struct bucket {
	uint64_t rate;    /* tokens per second; 0 = no limit */
	uint64_t burst;   /* tokens it holds at most */
	uint64_t tokens;  /* now, in 1/1e9 tokens are kept in frac */
	uint64_t frac_ns; /* nanoseconds not yet turned into tokens, scaled by rate */
	uint64_t last_ns;
};

void bucket_init(struct bucket *b, uint64_t rate, uint64_t burst, uint64_t now_ns);
/* bucket_take(): Return: 0 taken, else nanoseconds until @tokens are there. Nothing is taken then. */
uint64_t bucket_take(struct bucket *b, uint64_t tokens, uint64_t now_ns);
