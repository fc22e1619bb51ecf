/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A ones' complement sum does not care about byte order until it is folded (rfc-1071 §2B): words are added up as the
 * machine reads them and the 16-bit result is turned around once.
 */

#include "vpc/checksum.h"

#include <endian.h>
#include <string.h>

static uint64_t add_carry(uint64_t a, uint64_t b)
{
	uint64_t r;

	return __builtin_add_overflow(a, b, &r) ? r + 1 : r;
}

static uint64_t load(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint16_t fold(uint64_t v)
{
	v = (v & 0xffffffff) + (v >> 32);
	v = (v & 0xffff) + (v >> 16);
	v = (v & 0xffff) + (v >> 16);
	v = (v & 0xffff) + (v >> 16);
	return (uint16_t)v;
}

uint64_t checksum_add(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t a = 0, b = 0;

	/* Two chains of carries, so that the additions overlap. */
	for (; len >= 32; p += 32, len -= 32) {
		a = add_carry(a, load(p));
		b = add_carry(b, load(p + 8));
		a = add_carry(a, load(p + 16));
		b = add_carry(b, load(p + 24));
	}
	for (; len >= 8; p += 8, len -= 8)
		a = add_carry(a, load(p));
	/* No loop for the rest: an IPv4 header of 20 bytes comes by with every frame. */
	if (len & 4) {
		uint32_t v;

		memcpy(&v, p, sizeof(v));
		b = add_carry(b, v);
		p += 4;
	}
	if (len & 2) {
		uint16_t v;

		memcpy(&v, p, sizeof(v));
		b = add_carry(b, v);
		p += 2;
	}
	if (len & 1)
		a = add_carry(a, htole16(*p));
	return sum + be16toh(fold(add_carry(a, b)));
}

uint16_t checksum_fold(uint64_t sum)
{
	return (uint16_t)~fold(sum);
}

uint64_t checksum_pseudo4(uint32_t src, uint32_t dst, uint8_t proto, uint16_t l4_len)
{
	return (uint64_t)(src >> 16) + (src & 0xffff) + (dst >> 16) + (dst & 0xffff) + proto +
	       l4_len;
}

uint16_t checksum_update16(uint16_t check, uint16_t from, uint16_t to)
{
	/* spec: rfc-1624 §3: HC' = ~(~HC + ~m + m') */
	return checksum_fold((uint64_t)(uint16_t)~check + (uint16_t)~from + to);
}

uint16_t checksum_update32(uint16_t check, uint32_t from, uint32_t to)
{
	check = checksum_update16(check, (uint16_t)(from >> 16), (uint16_t)(to >> 16));
	return checksum_update16(check, (uint16_t)from, (uint16_t)to);
}
