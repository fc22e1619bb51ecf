/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A backing for tests: memory that records every operation, completes them late and in any order, fails on demand,
 * and can say what a disk might hold after the power went at any moment. Not linked into programs.
 *
 * Time is a count: each submission and each completion of an operation takes the next number.
 */

#include "volume/backing.h"

struct record_fault {
	unsigned
		at; /* fails the operation with this index since record_start(), 0 first; UINT_MAX: none */
	bool sticky;        /* and every later one */
	bool only_sync;     /* count and fail syncs only */
	bool no_punch;      /* the backing cannot make holes */
	int err;            /* -errno */
	unsigned short_one; /* if not 0: every so manieth read or write does half */
};

/* record_new() - @size zero bytes. @seed 0: completions in order, all at each poll; else at random. */
MUST_USE int record_new(uint64_t size, uint64_t seed, struct vol_backing **ret);
/* record_image(): borrowed, now; valid until the size changes. */
uint8_t *record_image(struct vol_backing *b);
/* record_start(): what is there now is stable; forget the log, count from 0. Nothing may be in flight. */
void record_start(struct vol_backing *b);
void record_fault_set(struct vol_backing *b, const struct record_fault *f);
/* record_seed(): as record_new()'s @seed, from now on. */
void record_seed(struct vol_backing *b, uint64_t seed);
/* record_ops(): operations since record_start(). */
unsigned record_ops(struct vol_backing *b);
uint64_t record_now(struct vol_backing *b);
/* record_unstable() - writes and punches submitted before @time that a crash at @time may lose */
unsigned record_unstable(struct vol_backing *b, uint64_t time);

/**
 * record_crash() - what the disk may hold when the power goes at @time
 * @keep: bit i: the i-th unstable operation reached the disk
 * @torn: index of the unstable operation of which only the sectors in @torn_mask (bit per 512 bytes, modulo 64) did;
 *        UINT_MAX: none
 * Return: 0 and *ret, a backing of its own.
 */
MUST_USE int record_crash(struct vol_backing *b, uint64_t time, uint64_t keep, unsigned torn,
			  uint64_t torn_mask, struct vol_backing **ret);
