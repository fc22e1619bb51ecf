/* SPDX-License-Identifier: Apache-2.0 */
#include "vpc/geneve.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"

enum { FRAME = 60, WHOLE = GENEVE_BYTES + FRAME };

/* Offsets of the fields. */
enum {
	UDP_DST = 2,
	UDP_LEN = 4,
	UDP_SUM = 6,
	VER_LEN = 8,
	FLAGS = 9,
	PROTO = 10,
	VNI = 12,
	RESERVED = 15
};

static void datagram(uint8_t b[WHOLE])
{
	memset(b, 0x5a, WHOLE);
	geneve_put(b, 0x123456, FRAME);
}

static void put__writes_the_headers_of_the_page(void **state UNUSED)
{
	static const uint8_t want[GENEVE_BYTES] = {
		0x17, 0xc1, 0x17, 0xc1, 0x00, 0x4c, 0x00, 0x00,
		0x00, 0x00, 0x65, 0x58, 0x12, 0x34, 0x56, 0x00
	};
	uint8_t b[WHOLE];

	datagram(b);
	assert_memory_equal(b, want, sizeof(want));
	assert_int_equal(b[GENEVE_BYTES], 0x5a);
}

static void parse__gives_back_what_put_wrote(void **state UNUSED)
{
	struct geneve g = { 0 };
	uint8_t b[WHOLE];

	datagram(b);
	assert_int_equal(geneve_parse(b, sizeof(b), &g), 0);
	assert_int_equal(g.vni, 0x123456);
	assert_ptr_equal(g.frame, b + GENEVE_BYTES);
	assert_int_equal(g.frame_len, FRAME);
	geneve_put(b, GENEVE_VNI_MAX, GENEVE_FRAME_MIN);
	assert_int_equal(geneve_parse(b, GENEVE_BYTES + GENEVE_FRAME_MIN, &g), 0);
	assert_int_equal(g.vni, GENEVE_VNI_MAX);
}

static void parse__refuses_every_shorter_length(void **state UNUSED)
{
	struct geneve g = { 0 };
	uint8_t b[WHOLE];
	size_t len;

	datagram(b);
	for (len = 0; len < WHOLE; len++)
		assert_int_equal(geneve_parse(b, len, &g), -EPROTO);
	geneve_put(b, 1, GENEVE_FRAME_MIN - 1);
	assert_int_equal(geneve_parse(b, GENEVE_BYTES + GENEVE_FRAME_MIN - 1, &g), -EPROTO);
}

static void parse__judges_each_field(void **state UNUSED)
{
	static const struct {
		unsigned at;
		uint8_t v;
		int want;
	} cases[] = {
		{ 0, 0xff, 0 },             /* source port */
		{ UDP_DST, 0x18, -EPROTO }, /* not Geneve's port */
		{ UDP_LEN + 1, WHOLE + 1, -EPROTO },
		{ UDP_LEN + 1, WHOLE - 1, -EPROTO },
		{ UDP_SUM, 1, 0 },
		{ VER_LEN, 0x40, -EPROTO }, /* version 1 */
		{ VER_LEN, 0xc0, -EPROTO },
		{ FLAGS, 0x80, -EPROTO }, /* control packet */
		{ FLAGS, 0x40, -EPROTO }, /* critical options */
		{ FLAGS, 0x3f, 0 },       /* reserved: ignored */
		{ PROTO, 0x08, -EPROTO },
		{ PROTO + 1, 0x59, -EPROTO },
		{ RESERVED, 0xff, 0 },
		{ VER_LEN, 0x01, 0 },     /* 4 bytes of options that need not be understood */
		{ VER_LEN, 11, 0 },       /* 44: 16 bytes of frame are left */
		{ VER_LEN, 12, -EPROTO }, /* 12 are no frame */
		{ VER_LEN, 0x3f, -EPROTO },
	};
	struct geneve g = { 0 };
	uint8_t b[WHOLE];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		datagram(b);
		b[cases[i].at] = cases[i].v;
		assert_int_equal(geneve_parse(b, sizeof(b), &g), cases[i].want);
		if (cases[i].want == 0) {
			unsigned skipped = cases[i].at == VER_LEN ? cases[i].v * 4U : 0;

			assert_int_equal(g.vni, 0x123456);
			assert_ptr_equal(g.frame, b + GENEVE_BYTES + skipped);
			assert_int_equal(g.frame_len, FRAME - skipped);
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(put__writes_the_headers_of_the_page),
		cmocka_unit_test(parse__gives_back_what_put_wrote),
		cmocka_unit_test(parse__refuses_every_shorter_length),
		cmocka_unit_test(parse__judges_each_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
