/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * SipHash-1-3 over whole words: tables whose keys somebody else chooses are hashed with a secret, so that nobody can fill
 * one chain. spec: siphash
 */

#include <stddef.h>
#include <stdint.h>

struct vpc_hash_key {
	uint64_t k[2];
};

static inline uint64_t vpc_hash_rotl(uint64_t v, unsigned by)
{
	return v << by | v >> (64 - by);
}

static inline void vpc_hash_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = vpc_hash_rotl(v[1], 13) ^ v[0];
	v[3] = vpc_hash_rotl(v[3], 16) ^ v[2];
	v[0] = vpc_hash_rotl(v[0], 32) + v[3];
	v[2] += v[1];
	v[3] = vpc_hash_rotl(v[3], 21) ^ v[0];
	v[1] = vpc_hash_rotl(v[1], 17) ^ v[2];
	v[2] = vpc_hash_rotl(v[2], 32);
}

static inline uint64_t vpc_hash(const struct vpc_hash_key *key, const uint64_t *word, size_t cnt)
{
	uint64_t v[4] = {
		key->k[0] ^ 0x736f6d6570736575,
		key->k[1] ^ 0x646f72616e646f6d,
		key->k[0] ^ 0x6c7967656e657261,
		key->k[1] ^ 0x7465646279746573,
	};
	uint64_t end = (uint64_t)cnt << 59; /* bytes modulo 256 in the top byte */
	size_t i;

	for (i = 0; i < cnt; i++) {
		v[3] ^= word[i];
		vpc_hash_round(v);
		v[0] ^= word[i];
	}
	v[3] ^= end;
	vpc_hash_round(v);
	v[0] ^= end;
	v[2] ^= 0xff;
	vpc_hash_round(v);
	vpc_hash_round(v);
	vpc_hash_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
