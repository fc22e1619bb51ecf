/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wire/inner.h"

static const uint8_t ipv4_frame[INNER_MIN] = {
	0x06, 0, 0, 0,  0, 2, 0x06, 0, 0,  0,  0, 1, 0x08, 0x00, /* Ethernet */
	0x45, 0, 0, 20, 0, 0, 0,    0, 64, 17, 0, 0, 172,  31,   0, 5, 172, 31, 0, 6,
};

static enum inner_verdict parse(const uint8_t *p, size_t len)
{
	struct inner i;

	return inner_parse(p, len, &i);
}

static void inner_parse__reads_ipv4(void **state)
{
	struct inner i;

	(void)state;
	assert_int_equal(inner_parse(ipv4_frame, sizeof(ipv4_frame), &i), INNER_OK);
	assert_int_equal(i.dst, 0x060000000002);
	assert_int_equal(i.src, 0x060000000001);
	assert_int_equal(i.family, 4);
	assert_memory_equal(i.src_ip, "\xac\x1f\0\5\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	assert_memory_equal(i.dst_ip, "\xac\x1f\0\6\0\0\0\0\0\0\0\0\0\0\0\0", 16);
}

static void inner_parse__reads_ipv6(void **state)
{
	uint8_t f[INNER_ETH + 40];
	struct inner i;

	(void)state;
	memcpy(f, ipv4_frame, INNER_ETH);
	f[12] = 0x86;
	f[13] = 0xdd;
	memset(f + 14, 0, 40);
	f[14] = 0x60;
	memset(f + 22, 0xaa, 16);
	memset(f + 38, 0xbb, 16);
	assert_int_equal(inner_parse(f, sizeof(f), &i), INNER_OK);
	assert_int_equal(i.family, 6);
	assert_memory_equal(i.src_ip, f + 22, 16);
	assert_memory_equal(i.dst_ip, f + 38, 16);
	assert_int_equal(parse(f, sizeof(f) - 1), INNER_RUNT);
	f[19] = 1; /* a byte that is not there */
	assert_int_equal(parse(f, sizeof(f)), INNER_RUNT);
	f[19] = 0;
	f[14] = 0x40;
	assert_int_equal(parse(f, sizeof(f)), INNER_RUNT);
}

static void inner_parse__rejects_every_shorter_frame(void **state)
{
	size_t len;

	(void)state;
	for (len = 0; len < sizeof(ipv4_frame); len++)
		assert_int_equal(parse(ipv4_frame, len), INNER_RUNT);
}

static void inner_parse__rejects_lengths_that_contradict(void **state)
{
	static const struct {
		unsigned off;
		uint8_t v;
	} wrong[] = {
		{ 14, 0x55 }, /* version 5 */
		{ 14, 0x44 }, /* header of 16 bytes */
		{ 14, 0x46 }, /* header longer than the packet */
		{ 17, 19 },   /* packet shorter than its header */
		{ 17, 21 },   /* ... longer than the frame */
		{ 16, 1 },
	};
	uint8_t f[INNER_MIN];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		memcpy(f, ipv4_frame, sizeof(f));
		f[wrong[i].off] = wrong[i].v;
		assert_int_equal(parse(f, sizeof(f)), INNER_RUNT);
	}
}

static void inner_parse__passes_padding(void **state)
{
	uint8_t f[60] = { 0 };

	(void)state;
	memcpy(f, ipv4_frame, sizeof(ipv4_frame));
	assert_int_equal(parse(f, sizeof(f)), INNER_OK);
}

static void inner_parse__names_arp_groups_and_others(void **state)
{
	uint8_t f[INNER_MIN];

	(void)state;
	memcpy(f, ipv4_frame, sizeof(f));
	f[13] = 0x06;
	assert_int_equal(parse(f, sizeof(f)), INNER_ARP);
	f[12] = 0x81;
	f[13] = 0x00;
	assert_int_equal(parse(f, sizeof(f)), INNER_ETHERTYPE);
	memcpy(f, ipv4_frame, sizeof(f));
	memset(f, 0xff, 6);
	assert_int_equal(parse(f, sizeof(f)), INNER_GROUP);
	memcpy(f, ipv4_frame, sizeof(f));
	f[6] |= 1; /* a group as source */
	assert_int_equal(parse(f, sizeof(f)), INNER_GROUP);
}

static void inner_in_block__every_prefix(void **state)
{
	const uint8_t block[4] = { 172, 31, 128, 0 }, in[4] = { 172, 31, 128, 1 },
		      out[4] = { 172, 31, 127, 255 };

	(void)state;
	assert_true(inner_in_block(in, block, 16));
	assert_true(inner_in_block(in, block, 20));
	assert_false(inner_in_block(out, block, 20));
	assert_true(inner_in_block(out, block, 16));
	assert_true(inner_in_block(out, block, 0));
	assert_false(inner_in_block(in, block, 32));
	assert_true(inner_in_block(block, block, 32));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inner_parse__reads_ipv4),
		cmocka_unit_test(inner_parse__reads_ipv6),
		cmocka_unit_test(inner_parse__rejects_every_shorter_frame),
		cmocka_unit_test(inner_parse__rejects_lengths_that_contradict),
		cmocka_unit_test(inner_parse__passes_padding),
		cmocka_unit_test(inner_parse__names_arp_groups_and_others),
		cmocka_unit_test(inner_in_block__every_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
