/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One copy of a LUKS2 header as bytes: parse and build. docs/wire/volume.md is the wire page.
 *
 * A header is written twice, each copy 16 KiB: a binary header of 4 KiB with a SHA-256 over the copy, then a JSON
 * area of 12 KiB. Ours describes one segment (aes-xts-plain64, 4096-byte sectors), one PBKDF2 digest of the volume
 * key, no keyslot, and one token of type "niter" with the key's id and the wrapped key. Keyslots and tokens that
 * cryptsetup adds later are carried by others and ignored here.
 *
 * spec: luks2-1.1.2 §2 (on-disk format), §3 (JSON)
 */

#include <stdint.h>

#include "base/attr.h"
#include "volume/volume.h"

enum {
	LUKS2_BIN_BYTES = 4096,
	LUKS2_JSON_BYTES = 12288,
	LUKS2_COPY_BYTES = LUKS2_BIN_BYTES + LUKS2_JSON_BYTES,
	LUKS2_BOTH_BYTES = 2 * LUKS2_COPY_BYTES,
	LUKS2_DEPTH_MAX = 8,                /* of JSON nesting */
	LUKS2_DIGEST_ITERATIONS = 1000,     /* cryptsetup's least: the key needs no stretching */
	LUKS2_ITERATIONS_MAX = 1000 * 1000, /* more would be somebody wasting our time */
};

enum luks2_copy { LUKS2_PRIMARY, LUKS2_SECONDARY };

/**
 * luks2_parse() - check one copy and take out what it says
 * @copy:         private memory; every byte of it is somebody else's
 * @backing_size: bytes of the container; the payload must lie inside
 * @ret:          written on success; copy_damaged is false
 * Return: 0, -EBADMSG damaged or contradictory, -ENOTSUP a sound LUKS2 header but not one of ours, -ENOMEM, -EIO.
 */
MUST_USE int luks2_parse(const uint8_t copy[LUKS2_COPY_BYTES], enum luks2_copy which,
			 uint64_t backing_size, struct vol_params *ret);

/**
 * luks2_build() - the opposite
 * @p:    all fields; what luks2_parse() would refuse is -EINVAL
 * @salt: random, only to make equal headers look different
 * Return: 0, -EINVAL, -ENOMEM, -EIO.
 */
MUST_USE int luks2_build(const struct vol_params *p, enum luks2_copy which, const uint8_t salt[64],
			 uint8_t ret[LUKS2_COPY_BYTES]);

/**
 * luks2_params_check() - what any container of ours fulfils, whoever wrote it
 * Return: 0, -EBADMSG, -ENOTSUP.
 */
MUST_USE int luks2_params_check(const struct vol_params *p);
