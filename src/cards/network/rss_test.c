/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "cards/network/rss.h"

static struct rss rss;

/* The published test suite of the algorithm (Microsoft, "Verifying the RSS Hash Calculation"): with and without ports. */
static const struct {
	uint8_t src[4], dst[4];
	uint16_t sport, dport;
	uint32_t addr, all;
} v4[] = {
	{ { 66, 9, 149, 187 }, { 161, 142, 100, 80 }, 2794, 1766, 0x323e8fc2, 0x51ccc178 },
	{ { 199, 92, 111, 2 }, { 65, 69, 140, 83 }, 14230, 4739, 0xd718262a, 0xc626b0ea },
	{ { 24, 19, 198, 95 }, { 12, 22, 207, 184 }, 12898, 38024, 0xd2d0a5de, 0x5c2b394a },
	{ { 38, 27, 205, 30 }, { 209, 142, 163, 6 }, 48228, 2217, 0x82989176, 0xafc7327f },
	{ { 153, 39, 163, 191 }, { 202, 188, 127, 2 }, 44251, 1303, 0x5d1809c5, 0x10e828a2 },
};

static uint8_t hdr[128];

static struct offload_class ipv4(const uint8_t *src, const uint8_t *dst, uint16_t sport,
				 uint16_t dport, bool tcp)
{
	memset(hdr, 0, sizeof(hdr));
	memcpy(hdr + 26, src, 4);
	memcpy(hdr + 30, dst, 4);
	be16_store(hdr + 34, sport);
	be16_store(hdr + 36, dport);
	return (struct offload_class){ .ipv4 = true, .tcp = tcp, .l3_off = 14, .l4_off = 34 };
}

static void hash__published_vectors_ipv4(void **state)
{
	unsigned i;

	(void)state;
	rss_reset(&rss, 8);
	for (i = 0; i < ARRAY_SIZE(v4); i++) {
		struct offload_class c = ipv4(v4[i].src, v4[i].dst, v4[i].sport, v4[i].dport, true);

		assert_int_equal(rss_hash(&rss, &c, hdr), v4[i].all);
		c.tcp = false;
		assert_int_equal(rss_hash(&rss, &c, hdr), v4[i].addr);
		c.frag = true;
		assert_int_equal(rss_hash(&rss, &c, hdr), v4[i].addr);
	}
}

static void hash__published_vector_ipv6(void **state)
{
	static const uint8_t dst[] = { 0x3f, 0xfe, 0x25, 0x01, 0x02, 0x00, 0x00, 0x03,
				       0,    0,    0,    0,    0,    0,    0,    1 };
	static const uint8_t src[] = { 0x3f, 0xfe, 0x25, 0x01, 0x02, 0x00, 0x1f, 0xff,
				       0,    0,    0,    0,    0,    0,    0,    7 };
	struct offload_class c = { .ipv6 = true, .tcp = true, .l3_off = 14, .l4_off = 54 };

	(void)state;
	rss_reset(&rss, 8);
	memcpy(hdr + 22, src, 16);
	memcpy(hdr + 38, dst, 16);
	be16_store(hdr + 54, 2794);
	be16_store(hdr + 56, 1766);
	assert_int_equal(rss_hash(&rss, &c, hdr), 0x40207d3d);
	c.tcp = false;
	assert_int_equal(rss_hash(&rss, &c, hdr), 0x2cc18cd5);
}

/* A driver hands the key over turned around; then the vectors come out. */
static void key__last_byte_is_first(void **state)
{
	static const uint8_t key[] = {
		0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
		0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
		0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
	};
	struct offload_class c = ipv4(v4[0].src, v4[0].dst, v4[0].sport, v4[0].dport, true);
	uint8_t turned[40];
	unsigned i;

	(void)state;
	for (i = 0; i < 40; i++)
		turned[i] = key[39 - i];
	rss_reset(&rss, 8);
	rss_key_set(&rss, key);
	assert_int_not_equal(rss_hash(&rss, &c, hdr), v4[0].all);
	rss_key_set(&rss, turned);
	assert_int_equal(rss_hash(&rss, &c, hdr), v4[0].all);
	assert_true(rss.key_set);
}

/* Against the definition, bit by bit. */
static void hash__equals_the_definition(void **state)
{
	uint8_t key[40], turned[40];
	uint32_t seed = 12345, want;
	unsigned n, i, bit;

	(void)state;
	for (n = 0; n < 200; n++) {
		struct offload_class c = { .ipv6 = true, .udp = true, .l3_off = 14, .l4_off = 54 };

		for (i = 0; i < 40; i++)
			key[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
		for (i = 0; i < sizeof(hdr); i++)
			hdr[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
		for (i = 0; i < 40; i++)
			turned[39 - i] = key[i];
		rss_key_set(&rss, turned);
		want = 0;
		for (bit = 0; bit < 36 * 8; bit++) {
			const uint8_t *in = hdr + 22;
			uint32_t w = 0;

			if (!(in[bit / 8] & 0x80 >> bit % 8))
				continue;
			for (i = 0; i < 32; i++)
				w = w << 1 | (key[(bit + i) / 8] >> (7 - (bit + i) % 8) & 1);
			want ^= w;
		}
		assert_int_equal(rss_hash(&rss, &c, hdr), want);
	}
}

static void fields__choose_the_input(void **state)
{
	struct offload_class c = ipv4(v4[1].src, v4[1].dst, v4[1].sport, v4[1].dport, true),
			     none = { .l3_off = 14 };
	uint32_t h;

	(void)state;
	rss_reset(&rss, 8);
	rss.fields[ENA_RSS_TCP4] = ENA_RSS_L3_DA | ENA_RSS_L3_SA;
	assert_int_equal(rss_hash(&rss, &c, hdr), v4[1].addr);
	rss.fields[ENA_RSS_TCP4] = 0;
	assert_int_equal(rss_hash(&rss, &c, hdr), 0);
	/* Not IP: by MAC addresses. */
	h = rss_hash(&rss, &none, hdr);
	hdr[5] ^= 1;
	assert_int_not_equal(rss_hash(&rss, &none, hdr), h);
}

static void table__by_the_lowest_bits(void **state)
{
	(void)state;
	rss_reset(&rss, 9);
	assert_int_equal(rss_queue(&rss, 0xffffffff), 9);
	rss.table[127] = 11;
	assert_int_equal(rss_queue(&rss, 0xffffffff), 11);
	assert_int_equal(rss_queue(&rss, 0xfffffffe), 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hash__published_vectors_ipv4),
		cmocka_unit_test(hash__published_vector_ipv6),
		cmocka_unit_test(key__last_byte_is_first),
		cmocka_unit_test(hash__equals_the_definition),
		cmocka_unit_test(fields__choose_the_input),
		cmocka_unit_test(table__by_the_lowest_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
