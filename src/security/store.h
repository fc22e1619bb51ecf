/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * volumes.store: one secret per living volume, and nowhere else. Without it the wrapped key in the volume's header
 * is noise, so overwriting one record destroys a volume for good. docs/wire/security-store.md has the tables.
 *
 * Records are of fixed size, in slots, each sealed under an own key derived from the store key with a fresh salt,
 * and bound to its slot and its store. Before a slot is changed, a header that says so is made durable; after a
 * crash that slot is wiped, or kept if it is whole and was being written. There are two copies of the header, written in
 * turn. So at any moment a volume is either there or not, and a torn write is told from damage.
 * Secrets stay on disk until they are asked for; memory holds ids only.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "crypto/key.h"
#include "security/tree.h"

enum {
	STORE_VERSION = 1,
	STORE_SLOTS_MAX = 65536,
	STORE_RECORD_BYTES = 512,
	STORE_HEADER_BYTES = 512,       /* of one copy */
	STORE_HEADER_AREA_BYTES = 8192, /* copies at 0 and 4096; slots begin here */
	STORE_SECRET_BYTES = 32,
	STORE_LOG_HEAD_BYTES = 32,
};

struct store; /* opaque */

/* How far the release log had come when the header was last written: a log that is shorter has been cut. */
struct store_log_mark {
	uint64_t cnt; /* lines */
	uint8_t head[STORE_LOG_HEAD_BYTES];
};

/* store_image_new(): the bytes of an empty store. Return: 0, -EIO. */
MUST_USE int store_image_new(const struct key *store_key, uint8_t ret[STORE_HEADER_AREA_BYTES]);

/**
 * store_open() - read and check everything, finish what a crash interrupted
 * @fd: taken: the store's, also on failure
 * Return: 0 and *ret (owned), -EKEYREJECTED made under another root key, or both headers damaged, -ENOTSUP newer version,
 * -ENOMEM, -errno.
 */
MUST_USE int store_open(int fd, const struct key *store_key, struct store **ret);
void store_free(struct store *s);
void store_freep(struct store **s);

/* Volumes that are there; slots that are neither empty nor whole: damage, reported once at start. */
unsigned store_volume_cnt(const struct store *s);
unsigned store_damaged_cnt(const struct store *s);
/* store_has(): Return: 1, 0. */
int store_has(const struct store *s, const char *volume);

/**
 * store_add() - make a secret for a new volume; it is durable when this returns 0
 * Return: 0 and *ret (owned), -EEXIST the volume has one, -ENOSPC no slot left or disk full, -EINVAL an id, -errno.
 */
MUST_USE int store_add(struct store *s, const char *volume, const char *account, struct key **ret);

/**
 * store_read() - a volume's secret
 * @account: must be the one it was made for
 * Return: 0 and *ret (owned), -ENOENT never there or destroyed, -EACCES another account's, -EBADMSG damaged, -errno.
 */
MUST_USE int store_read(struct store *s, const char *volume, const char *account, struct key **ret);

/**
 * store_remove() - overwrite a volume's secret; durable when this returns 0
 * Return: 0, -ENOENT it has none, -errno: not known to be gone, call again.
 */
MUST_USE int store_remove(struct store *s, const char *volume);

/* The log's state: what the header said at start; what the next header will say. */
void store_log_mark_read(const struct store *s, struct store_log_mark *ret);
void store_log_mark_set(struct store *s, const struct store_log_mark *m);
