/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * releases.log: one line for every data key that left this process, written and synced before the key leaves.
 * Each line carries the hash of the one before it and a MAC under the log key, so a line cannot be changed, taken
 * out or made up; the store's header remembers how far the log had come, so it cannot be cut unnoticed either.
 * No secrets in it. docs/wire/security-store.md has the format.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "crypto/hash.h"
#include "crypto/key.h"
#include "security/store.h"

struct release_log {
	int fd;                          /* owned */
	const struct key *key;           /* borrowed */
	uint64_t cnt;                    /* sequence number of the last line */
	uint64_t end;                    /* bytes */
	uint8_t head[HASH_SHA256_BYTES]; /* hash of the last line */
	unsigned damage_cnt;             /* places where the chain is broken, ever */
	bool damaged_now;                /* found at this start */
};

struct release {
	const char *op;                          /* literal: "create", "release", "destroy" */
	const char *volume, *account, *instance; /* ids; account and instance may be empty */
};

/**
 * release_log_open() - check the whole file, cut off a line that a crash tore, note damage as a line of its own
 * @fd:   taken, also on failure
 * @key:  borrowed until release_log_done()
 * @mark: how far it must reach at least
 * Return: 0, -errno of the file, -EIO.
 */
MUST_USE int release_log_open(struct release_log *l, int fd, const struct key *key,
			      const struct store_log_mark *mark);
void release_log_done(struct release_log *l);

/* release_log_add(): durable when this returns 0. Return: -errno: nothing may be released then. */
MUST_USE int release_log_add(struct release_log *l, const struct release *r);
