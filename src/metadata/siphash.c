/* SPDX-License-Identifier: Apache-2.0 */
#include "metadata/siphash.h"

#include "base/bytes.h"

struct state {
	uint64_t v0, v1, v2, v3;
};

static uint64_t rotl(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static void round_one(struct state *s)
{
	s->v0 += s->v1;
	s->v1 = rotl(s->v1, 13) ^ s->v0;
	s->v0 = rotl(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotl(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotl(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotl(s->v1, 17) ^ s->v2;
	s->v2 = rotl(s->v2, 32);
}

static void word_add(struct state *s, uint64_t m)
{
	s->v3 ^= m;
	round_one(s);
	round_one(s);
	s->v0 ^= m;
}

static uint64_t finish(struct state *s)
{
	unsigned i;

	for (i = 0; i < 4; i++)
		round_one(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

void siphash128(const uint8_t key[SIPHASH_KEY_BYTES], const void *msg, size_t len,
		uint8_t ret[SIPHASH_BYTES])
{
	const uint64_t k0 = le64_load(key), k1 = le64_load(key + 8);
	struct state s = { k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d ^ 0xee,
			   k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573 };
	const uint8_t *p = msg;
	uint64_t last = (uint64_t)len << 56;
	size_t i;

	for (i = 0; i + 8 <= len; i += 8)
		word_add(&s, le64_load(p + i));
	for (; i < len; i++)
		last |= (uint64_t)p[i] << 8 * (i & 7);
	word_add(&s, last);

	s.v2 ^= 0xee;
	le64_store(ret, finish(&s));
	s.v1 ^= 0xdd;
	le64_store(ret + 8, finish(&s));
}
