/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Secret bytes as an object: locked (never swapped, never in a dump, not visible to the kernel's own mappings
 * where memfd_secret exists), wiped when freed, length known. Nothing prints, copies or compares them by accident.
 *
 * Keys live in slots of locked pages. key_reserve() before sandbox_enter() makes the pages; as long as no more
 * keys are alive at once than were reserved, making and freeing a key needs no system call but getrandom.
 * The bytes that key_bytes() lends stay where they are: hand the pointer to libcrypto, do not copy them to a
 * stack buffer. Thread-safe; one key is used by one thread at a time.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum {
	KEY_BYTES_MAX = 128,  /* a prime of RSA-2048 */
	KEY_ALIVE_MAX = 4096, /* keys alive at once in one process */
};

struct key; /* opaque */

/**
 * key_reserve() - room for @cnt keys alive at once, without system calls later
 *
 * System calls: those of secret_new(); none later.
 * Return: 0, -ENOMEM, -E2BIG above KEY_ALIVE_MAX.
 */
MUST_USE int key_reserve(unsigned cnt);

/**
 * key_new_random() - @len bytes from getrandom(2), which blocks until the kernel's generator is seeded
 * @len: 1..KEY_BYTES_MAX
 * Return: 0 and *ret (owned), -EINVAL, -ENOMEM.
 */
MUST_USE int key_new_random(size_t len, struct key **ret);

/**
 * key_new_from() - a copy of @len bytes that came from elsewhere
 * @bytes: the caller's; the caller wipes them
 * Return: 0 and *ret (owned), -EINVAL, -ENOMEM.
 */
MUST_USE int key_new_from(const void *bytes, size_t len, struct key **ret);

/* key_new_take(): as key_new_from(), and @bytes is wiped, also on error. */
MUST_USE int key_new_take(void *bytes, size_t len, struct key **ret);

/* key_bytes(): borrowed until key_free(). key_len(): bytes. */
const uint8_t *key_bytes(const struct key *k);
size_t key_len(const struct key *k);

/* key_bytes_mut(): for the functions of crypto/ that fill a key just made; nobody else. */
uint8_t *key_bytes_mut(struct key *k);

/* key_new_zero(): @len zero bytes, to be filled through key_bytes_mut(). */
MUST_USE int key_new_zero(size_t len, struct key **ret);

/* key_equal(): constant time in the bytes, not in the length. Return: 1 equal, 0 not. */
MUST_USE int key_equal(const struct key *a, const struct key *b);

/* key_free(): wipes. NULL is fine. key_freep() for CLEANUP. */
void key_free(struct key *k);
void key_freep(struct key **k);
