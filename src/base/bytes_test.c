/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t seq[15] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };

static void rd__reads_little_endian_in_order(void **state)
{
	struct rd r = rd_init(seq, sizeof(seq));

	(void)state;
	assert_int_equal(rd_u8(&r), 1);
	assert_int_equal(rd_le16(&r), 0x0302);
	assert_int_equal(rd_le32(&r), 0x07060504);
	assert_true(rd_le64(&r) == 0x0f0e0d0c0b0a0908);
	assert_false(r.bad);
	assert_int_equal(r.left, 0);
}

static void rd__reads_big_endian_in_order(void **state)
{
	struct rd r = rd_init(seq, sizeof(seq));

	(void)state;
	assert_int_equal(rd_be16(&r), 0x0102);
	assert_int_equal(rd_be32(&r), 0x03040506);
	assert_true(rd_be64(&r) == 0x0708090a0b0c0d0e);
	assert_false(r.bad);
	assert_int_equal(r.left, 1);
}

static void rd__remembers_the_first_overrun(void **state)
{
	struct rd r = rd_init(seq, 3);

	(void)state;
	assert_int_equal(rd_le32(&r), 0);
	assert_true(r.bad);
	assert_int_equal(rd_u8(&r), 0); /* although a byte was there */
	assert_int_equal(r.left, 0);
}

static void rd__zeroes_the_target_on_overrun(void **state)
{
	uint8_t to[4] = { 9, 9, 9, 9 };
	struct rd r = rd_init(seq, 3);

	(void)state;
	rd_bytes(&r, to, 4);
	assert_true(r.bad);
	assert_memory_equal(to, "\0\0\0\0", 4);
}

static void rd__takes_the_very_last_byte(void **state)
{
	uint8_t to[3];
	struct rd r = rd_init(seq, 4);

	(void)state;
	rd_skip(&r, 1);
	rd_bytes(&r, to, 3);
	assert_false(r.bad);
	assert_memory_equal(to, seq + 1, 3);
	rd_skip(&r, 1);
	assert_true(r.bad);
}

static void rd__is_not_fooled_by_a_huge_length(void **state)
{
	struct rd r = rd_init(seq, sizeof(seq));

	(void)state;
	rd_skip(&r, SIZE_MAX);
	assert_true(r.bad);
}

static void wr__writes_what_rd_reads(void **state)
{
	uint8_t buf[32];
	struct wr w = wr_init(buf, sizeof(buf));
	struct rd r;

	(void)state;
	wr_u8(&w, 0xa1);
	wr_le16(&w, 0xb1b2);
	wr_be16(&w, 0xc1c2);
	wr_le32(&w, 0xd1d2d3d4);
	wr_be32(&w, 0xe1e2e3e4);
	wr_le64(&w, 0x1122334455667788);
	wr_bytes(&w, "xy", 2);
	wr_zero(&w, 1);
	wr_be64(&w, 0x99aabbccddeeff00);
	assert_false(w.bad);
	assert_int_equal(w.len, 32);
	r = rd_init(buf, w.len);
	assert_int_equal(rd_u8(&r), 0xa1);
	assert_int_equal(rd_le16(&r), 0xb1b2);
	assert_int_equal(rd_be16(&r), 0xc1c2);
	assert_int_equal(rd_le32(&r), 0xd1d2d3d4);
	assert_int_equal(rd_be32(&r), 0xe1e2e3e4);
	assert_true(rd_le64(&r) == 0x1122334455667788);
	assert_int_equal(rd_u8(&r), 'x');
	assert_int_equal(rd_u8(&r), 'y');
	assert_int_equal(rd_u8(&r), 0);
	assert_true(rd_be64(&r) == 0x99aabbccddeeff00);
}

static void wr__writes_nothing_that_does_not_fit_whole(void **state)
{
	uint8_t buf[4] = { 7, 7, 7, 7 };
	struct wr w = wr_init(buf, 3);

	(void)state;
	wr_le32(&w, 0);
	assert_true(w.bad);
	assert_int_equal(w.len, 0);
	wr_u8(&w, 1); /* would fit, but the writer is bad for good */
	assert_memory_equal(buf, "\7\7\7\7", 4);
}

static void bytes_be__stores_most_significant_first_at_any_alignment(void **state)
{
	uint8_t b[8] = { 0 };

	(void)state;
	be16_store(b + 1, 0x0102);
	be32_store(b + 3, 0x03040506);
	assert_memory_equal(b, ((uint8_t[]){ 0, 1, 2, 3, 4, 5, 6, 0 }), 8);
	assert_int_equal(be16_load(b + 1), 0x0102);
	assert_int_equal(be32_load(b + 3), 0x03040506);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rd__reads_little_endian_in_order),
		cmocka_unit_test(rd__reads_big_endian_in_order),
		cmocka_unit_test(rd__remembers_the_first_overrun),
		cmocka_unit_test(rd__zeroes_the_target_on_overrun),
		cmocka_unit_test(rd__takes_the_very_last_byte),
		cmocka_unit_test(rd__is_not_fooled_by_a_huge_length),
		cmocka_unit_test(wr__writes_what_rd_reads),
		cmocka_unit_test(wr__writes_nothing_that_does_not_fit_whole),
		cmocka_unit_test(bytes_be__stores_most_significant_first_at_any_alignment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
