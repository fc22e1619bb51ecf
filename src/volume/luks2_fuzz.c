/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Hostile header bytes. The first byte says how they are taken:
 *   bit 0  which copy
 *   bit 1  the rest is JSON text: a good binary header is built around it, with a right checksum
 *   bit 2  the checksum of a raw copy is made right
 * so that the checks behind the checksum are reached. What is accepted must survive a round trip.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "crypto/hash.h"
#include "volume/luks2.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CSUM_OFF = 448, CSUM_BYTES = 64, BACKING_MIB = 32 };

static void good_params(struct vol_params *p)
{
	memset(p, 0, sizeof(*p));
	memcpy(p->volume_id, "vol-1", 5);
	memcpy(p->key_id, "vol-1.1", 7);
	memcpy(p->cipher, "aes-xts-plain64", 15);
	memcpy(p->uuid, "1", 1);
	p->sector_bytes = 4096;
	p->payload_off = VOL_PAYLOAD_OFF;
	p->size = 1 << 20;
	p->wrapped_len = 1;
	p->digest_iterations = 1000;
	p->salt_len = p->digest_len = 32;
	p->seqid = 1;
}

static void copy_make(uint8_t *copy, unsigned how, const uint8_t *data, size_t size)
{
	static const uint8_t salt[64];
	struct vol_params p;

	memset(copy, 0, LUKS2_COPY_BYTES);
	if (how & 2) {
		good_params(&p);
		must(luks2_build(&p, (enum luks2_copy)(how & 1), salt, copy) == 0);
		memset(copy + LUKS2_BIN_BYTES, 0, LUKS2_JSON_BYTES);
		memcpy(copy + LUKS2_BIN_BYTES, data,
		       size < LUKS2_JSON_BYTES ? size : LUKS2_JSON_BYTES);
	} else {
		memcpy(copy, data, size < LUKS2_COPY_BYTES ? size : LUKS2_COPY_BYTES);
	}
	if (how & 6) {
		memset(copy + CSUM_OFF, 0, CSUM_BYTES);
		must(hash_sha256(copy, LUKS2_COPY_BYTES, copy + CSUM_OFF) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t copy[LUKS2_COPY_BYTES];
	const uint64_t backing = (uint64_t)BACKING_MIB << 20;
	static const uint8_t salt[64];
	struct vol_params p, again;
	enum luks2_copy which;

	if (!size)
		return 0;
	which = (enum luks2_copy)(data[0] & 1);
	copy_make(copy, data[0], data + 1, size - 1);
	if (luks2_parse(copy, which, backing, &p) < 0)
		return 0;

	/* What the callers rely on. */
	must(p.payload_off >= LUKS2_BOTH_BYTES && p.payload_off % 4096 == 0);
	must(p.size && p.size % 4096 == 0 && p.size <= backing &&
	     p.payload_off <= backing - p.size);
	must(p.wrapped_len && p.wrapped_len <= VOL_WRAPPED_MAX);
	must(strnlen(p.volume_id, VOL_ID_MAX) < VOL_ID_MAX &&
	     strnlen(p.key_id, VOL_KEY_ID_MAX) < VOL_KEY_ID_MAX);
	must(p.digest_iterations <= LUKS2_ITERATIONS_MAX);

	must(luks2_build(&p, which, salt, copy) == 0);
	must(luks2_parse(copy, which, backing, &again) == 0);
	must(memcmp(&p, &again, sizeof(p)) == 0);
	return 0;
}
