/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Guest memory is promised once and never twice: no overcommit, no ballooning, no swapping.
 */

#include <stdint.h>

#include "base/attr.h"

struct memory {
	uint64_t total;    /* bytes: the machine's memory */
	uint64_t for_sets; /* bytes: what was available at start, less the host's reserve */
	uint64_t used;     /* bytes promised to sets, their overhead included */
};

/* memory_parse(): a value of /proc/meminfo ("MemTotal:") in bytes. -ENODATA if it is not there. */
MUST_USE int memory_parse(const char *meminfo, const char *key, uint64_t *ret);
/* memory_read(): from /proc/meminfo. @reserve: bytes the host keeps for itself beyond what it uses now. */
MUST_USE int memory_read(struct memory *m, uint64_t reserve);

/* What a set needs besides its guest memory: two processes and KVM's tables, which grow with @ram. */
uint64_t memory_overhead(uint64_t ram);
uint64_t memory_free(const struct memory *m);
/* memory_take(): for a guest with @ram bytes. -ENOSPC: does not fit. memory_give() is its inverse. */
MUST_USE int memory_take(struct memory *m, uint64_t ram);
void memory_give(struct memory *m, uint64_t ram);
