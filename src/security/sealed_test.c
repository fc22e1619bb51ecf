/* SPDX-License-Identifier: Apache-2.0 */
#include "security/sealed.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/crypto.h"
#include "crypto/hash.h"
#include "crypto/hex_test.h"

static void blob_set(struct sealed_blob *b, uint16_t len, uint8_t with)
{
	b->len = len;
	memset(b->b, with, len);
}

/* The file that version 1 writes for this is frozen below. */
static struct sealed sample(void)
{
	struct sealed s;
	size_t i;

	memset(&s, 0, sizeof(s));
	s.lab = true;
	for (i = 0; i < SEALED_PCR_CNT; i++)
		memset(s.pcr[i], (int)(0xa0 + i), SEALED_PCR_BYTES);
	s.srk_name_len = 34;
	memset(s.srk_name, 0x0b, s.srk_name_len);
	blob_set(&s.pub, 5, 0x01);
	blob_set(&s.priv, 6, 0x02);
	blob_set(&s.creation, 7, 0x03);
	blob_set(&s.ticket, 8, 0x04);
	return s;
}

static const char golden[] = "4e49544552524b0a01000100040004a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0"
			     "a0a0a0a0a0a0a0a0a0a0a0a0a0a0a007a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
			     "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a10ba2a2a2a2a2a2a2a2a2a2a2a2a2a2a2"
			     "a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a20ca3a3a3a3a3a3a3a3a3a3a3a3a3a3"
			     "a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a322000b0b0b0b0b0b0b0b0b0b0b0b"
			     "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b05000101010101060002"
			     "02020202020700030303030303030800040404040404040453196bdce7386d60"
			     "99446a07a4a9b2f8862f67f17dd4dc31eb77ce031a3acbef";

static void sealed__reads_and_writes_the_golden_file(void **state)
{
	uint8_t want[SEALED_FILE_MAX], got[SEALED_FILE_MAX];
	struct sealed s = sample(), back;
	size_t len = hex(golden, want, sizeof(want));

	(void)state;
	assert_int_equal(sealed_encode(&s, got, sizeof(got)), len);
	assert_memory_equal(got, want, len);
	assert_int_equal(sealed_decode(want, len, &back), 0);
	assert_memory_equal(&back, &s, sizeof(s));
}

static void sealed_decode__refuses_every_changed_byte_and_length(void **state)
{
	uint8_t b[SEALED_FILE_MAX] = { 0 };
	size_t len = hex(golden, b, sizeof(b)), i;
	struct sealed s;
	int r;

	(void)state;
	for (i = 0; i < len; i++) {
		b[i] ^= 0x04;
		r = sealed_decode(b, len, &s);
		assert_int_equal(r, i == 8 || i == 9 ? -ENOTSUP : -EPROTO);
		b[i] ^= 0x04;
		assert_int_equal(sealed_decode(b, i, &s), -EPROTO);
	}
	assert_int_equal(sealed_decode(b, len, &s), 0);
	assert_int_equal(sealed_decode(b, len + 1, &s), -EPROTO);
}

/* A file whose checksum is right and whose fields are not. */
static void sealed_decode__checks_fields_and_not_only_the_sum(void **state)
{
	static const struct {
		size_t off;
		uint8_t value;
	} cases[] = {
		{ 10, 3 },    /* a flag nobody knows */
		{ 12, 3 },    /* PCR count */
		{ 14, 5 },    /* PCR index */
		{ 146, 0 },   /* no name */
		{ 146, 69 },  /* a name too long */
		{ 182, 200 }, /* a blob past the end */
	};
	uint8_t b[SEALED_FILE_MAX];
	size_t len, i;
	struct sealed s;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		len = hex(golden, b, sizeof(b));
		assert_int_not_equal(b[cases[i].off], cases[i].value);
		b[cases[i].off] = cases[i].value;
		assert_int_equal(hash_sha256(b, len - 32, b + len - 32), 0);
		assert_int_equal(sealed_decode(b, len, &s), -EPROTO);
	}
}

static void sealed__holds_the_largest_and_no_more(void **state)
{
	uint8_t b[SEALED_FILE_MAX];
	struct sealed s = sample(), back;
	int len;

	(void)state;
	blob_set(&s.pub, SEALED_BLOB_MAX, 1);
	blob_set(&s.priv, SEALED_BLOB_MAX, 2);
	blob_set(&s.creation, SEALED_BLOB_MAX, 3);
	blob_set(&s.ticket, SEALED_BLOB_MAX, 4);
	len = sealed_encode(&s, b, sizeof(b));
	assert_true(len > 0);
	assert_int_equal(sealed_decode(b, (size_t)len, &back), 0);
	assert_memory_equal(&back, &s, sizeof(s));
	assert_int_equal(sealed_encode(&s, b, (size_t)len - 1), -EMSGSIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sealed__reads_and_writes_the_golden_file),
		cmocka_unit_test(sealed_decode__refuses_every_changed_byte_and_length),
		cmocka_unit_test(sealed_decode__checks_fields_and_not_only_the_sum),
		cmocka_unit_test(sealed__holds_the_largest_and_no_more),
	};

	if (crypto_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("security/sealed", tests, NULL, NULL);
}
