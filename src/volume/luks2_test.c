/* SPDX-License-Identifier: Apache-2.0 */

#include "volume/luks2.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/hash.h"
#include "volume/base64.h"

static const uint64_t backing = (16 << 20) + (8 << 20);
static const uint8_t salt[64] = { 1, 2, 3 };

static struct vol_params good(void)
{
	struct vol_params p = {
		.volume_id = "vol-0123456789abcdef0",
		.key_id = "vol-0123456789abcdef0.1",
		.cipher = "aes-xts-plain64",
		.sector_bytes = 4096,
		.payload_off = 16 << 20,
		.size = 8 << 20,
		.wrapped_len = 100,
		.digest_iterations = 1000,
		.salt_len = 32,
		.digest_len = 32,
		.uuid = "01234567-89ab-4cde-8f01-23456789abcd",
		.seqid = 1,
	};

	memset(p.wrapped, 0x5a, p.wrapped_len);
	memset(p.salt, 0x11, p.salt_len);
	memset(p.digest, 0x22, p.digest_len);
	return p;
}

static uint8_t *copy_new(enum luks2_copy which)
{
	struct vol_params p = good();
	uint8_t *c = malloc(LUKS2_COPY_BYTES);

	assert_non_null(c);
	assert_int_equal(luks2_build(&p, which, salt, c), 0);
	return c;
}

/* After a change on purpose: make the checksum right again, so that only the change itself can be refused. */
static void reseal(uint8_t *c)
{
	memset(c + 448, 0, 64);
	assert_int_equal(hash_sha256(c, LUKS2_COPY_BYTES, c + 448), 0);
}

/* parse_edited() - replace @from by @to once in the JSON area, reseal, parse */
static int parse_edited(const char *from, const char *to)
{
	uint8_t *c = copy_new(LUKS2_PRIMARY);
	char *json = (char *)c + LUKS2_BIN_BYTES, *text = strdup(json), *at;
	struct vol_params p;
	int r;

	assert_non_null(text);
	at = strstr(text, from);
	assert_non_null(at);
	memset(json, 0, LUKS2_JSON_BYTES);
	*at = '\0';
	r = snprintf(json, LUKS2_JSON_BYTES, "%s%s%s", text, to, at + strlen(from));
	assert_true(r > 0 && r < LUKS2_JSON_BYTES);
	reseal(c);
	r = luks2_parse(c, LUKS2_PRIMARY, backing, &p);
	free(text);
	free(c);
	return r;
}

static int parse_bytes(size_t off, const void *bytes, size_t len)
{
	uint8_t *c = copy_new(LUKS2_PRIMARY);
	struct vol_params p;
	int r;

	memcpy(c + off, bytes, len);
	reseal(c);
	r = luks2_parse(c, LUKS2_PRIMARY, backing, &p);
	free(c);
	return r;
}

static void luks2_build__is_read_back_by_parse(void **state)
{
	struct vol_params want = good(), got;

	(void)state;
	for (int which = LUKS2_PRIMARY; which <= LUKS2_SECONDARY; which++) {
		uint8_t *c = copy_new((enum luks2_copy)which);

		memset(&got, 0xff, sizeof(got));
		assert_int_equal(luks2_parse(c, (enum luks2_copy)which, backing, &got), 0);
		assert_memory_equal(&got, &want, sizeof(got));
		/* and its rejected twin: the right bytes in the other place */
		assert_int_equal(luks2_parse(c, (enum luks2_copy) !which, backing, &got), -EBADMSG);
		free(c);
	}
}

static void luks2_parse__detects_every_flipped_bit(void **state)
{
	uint8_t *c = copy_new(LUKS2_PRIMARY);
	struct vol_params p;

	(void)state;
	/* Every bit of the fields and the JSON text; one bit of each byte of the padding. */
	for (size_t i = 0; i < LUKS2_COPY_BYTES; i++) {
		bool dense = i < 512 || (i >= LUKS2_BIN_BYTES && i < LUKS2_BIN_BYTES + 1024);

		for (unsigned bit = 0; bit < (dense ? 8U : 1U); bit++) {
			c[i] ^= (uint8_t)(1U << (dense ? bit : i % 8));
			assert_true(luks2_parse(c, LUKS2_PRIMARY, backing, &p) < 0);
			c[i] ^= (uint8_t)(1U << (dense ? bit : i % 8));
		}
	}
	assert_int_equal(luks2_parse(c, LUKS2_PRIMARY, backing, &p), 0);
	free(c);
}

static void luks2_parse__rejects_each_bad_binary_field(void **state)
{
	static const uint8_t v1[2] = { 0, 1 }, size32k[8] = { 0, 0, 0, 0, 0, 0, 0x80, 0 };
	static const uint8_t zero[8] = { 0 }, one[8] = { 0, 0, 0, 0, 0, 0, 0, 1 }, junk[1] = { 1 };

	(void)state;
	assert_int_equal(parse_bytes(16, one, 8), 0); /* accepted twin: sequence number 1 */
	assert_int_equal(parse_bytes(0, "LUKX", 4), -EBADMSG);
	assert_int_equal(parse_bytes(6, v1, 2), -ENOTSUP);
	assert_int_equal(parse_bytes(8, size32k, 8), -ENOTSUP);
	assert_int_equal(parse_bytes(16, zero, 8), -EBADMSG);
	assert_int_equal(parse_bytes(72, "sha512", 7), -ENOTSUP);
	assert_int_equal(parse_bytes(256, one, 8), -EBADMSG);  /* this copy is elsewhere */
	assert_int_equal(parse_bytes(264, junk, 1), -EBADMSG); /* padding */
	assert_int_equal(parse_bytes(512, junk, 1), -EBADMSG);
	assert_int_equal(parse_bytes(4095, junk, 1), -EBADMSG);
	/* A uuid without end. */
	assert_int_equal(parse_bytes(168, "0000000000000000000000000000000000000000", 40),
			 -EBADMSG);
}

static void luks2_parse__rejects_each_bad_json_member(void **state)
{
	/* from, to, result; the accepted twin of each is the unedited text. */
	static const struct {
		const char *from, *to;
		int want;
	} t[] = {
		{ "\"keyslots\":{}", "\"keyslots\":{ }", 0 },
		{ "\"keyslots\":{}", "\"keyslots\":[]", -EBADMSG },
		{ "\"keyslots\":{}", "\"keyslots\":{},\"keyslots\":{}", -EBADMSG },
		{ "{\"keyslots\"", "[{\"keyslots\"", -EBADMSG },
		{ "\"type\":\"niter\"", "\"type\":\"other\"", -ENOTSUP },
		{ "\"tokens\":{", "\"tokens\":{\"1\":{\"type\":\"systemd-tpm2\",\"keyslots\":[]},",
		  0 },
		{ "\"tokens\":{", "\"tokens\":{\"1\":{\"type\":\"niter\",\"keyslots\":[]},",
		  -EBADMSG },
		{ "\"tokens\":{", "\"tokens\":{\"1\":7,", 0 },
		{ "\"version\":1", "\"version\":2", -ENOTSUP },
		{ "\"version\":1", "\"version\":\"1\"", -EBADMSG },
		{ "\"volume_id\":\"vol-0123456789abcdef0\"", "\"volume_id\":\"vol-1\"", 0 },
		{ "\"volume_id\":\"vol-0123456789abcdef0\"", "\"volume_id\":\"\"", -EBADMSG },
		{ "\"volume_id\":\"vol-0123456789abcdef0\"",
		  "\"volume_id\":\"vol-0123456789abcdef0123\"", -EBADMSG },
		{ "\"volume_id\":\"vol-0123456789abcdef0\"", "\"volume_id\":\"vol-\\u0000\"",
		  -EBADMSG },
		{ "\"volume_id\":\"vol-0123456789abcdef0\"", "\"volume_id\":\"../x\"", -EBADMSG },
		{ "\"key_id\":\"", "\"key_id\":\"\\n", -EBADMSG },
		{ "\"key_id\"", "\"key_ix\"", -EBADMSG },
		{ "\"wrapped_key\":\"WlpaW", "\"wrapped_key\":\"WlpaX", 0 },
		{ "\"wrapped_key\":\"WlpaW", "\"wrapped_key\":\"WlpaWlpa", -EBADMSG },
		{ "\"wrapped_key\":\"WlpaW", "\"wrapped_key\":\"Wl!aW", -EBADMSG },
		{ "\"wrapped_key\":\"", "\"wrapped_key\":\"\",\"old\":\"", -EBADMSG },
		{ "\"segments\":{\"0\"", "\"segments\":{\"1\"", -ENOTSUP },
		{ "\"segments\":{", "\"segments\":{\"1\":{\"type\":\"linear\"},", -ENOTSUP },
		{ "\"type\":\"crypt\"", "\"type\":\"linear\"", -ENOTSUP },
		{ "\"type\":\"crypt\"", "\"type\":\"crypt\",\"integrity\":{}", -ENOTSUP },
		{ "\"type\":\"crypt\"", "\"type\":\"crypt\",\"flags\":[\"backup-final\"]",
		  -ENOTSUP },
		{ "\"offset\":\"16777216\"", "\"offset\":\"16781312\"",
		  -EBADMSG }, /* ends beyond the backing */
		{ "\"offset\":\"16777216\"", "\"offset\":\"16777728\"", -EBADMSG },
		{ "\"offset\":\"16777216\"", "\"offset\":\"4096\"",
		  -EBADMSG }, /* over the headers */
		{ "\"offset\":\"16777216\"", "\"offset\":\"016777216\"", -EBADMSG },
		{ "\"offset\":\"16777216\"", "\"offset\":\"+16777216\"", -EBADMSG },
		{ "\"offset\":\"16777216\"", "\"offset\":16777216", -EBADMSG },
		{ "\"offset\":\"16777216\"", "\"offset\":\"18446744073709551616\"", -EBADMSG },
		{ "\"offset\":\"16777216\"", "\"offset\":\"18446744073709547520\"", -EBADMSG },
		{ "\"size\":\"8388608\"", "\"size\":\"4096\"", 0 },
		{ "\"size\":\"8388608\"", "\"size\":\"8392704\"", -EBADMSG },
		{ "\"size\":\"8388608\"", "\"size\":\"8388096\"", -EBADMSG },
		{ "\"size\":\"8388608\"", "\"size\":\"0\"", -EBADMSG },
		{ "\"size\":\"8388608\"", "\"size\":\"dynamic\"", -ENOTSUP },
		{ "\"size\":\"8388608\"", "\"size\":\"18446744073709547520\"", -EBADMSG },
		{ "\"iv_tweak\":\"0\"", "\"iv_tweak\":\"8\"", -ENOTSUP },
		{ "aes-xts-plain64", "aes-cbc-essiv:sha256", -ENOTSUP },
		{ "aes-xts-plain64", "cipher_null-ecb", -ENOTSUP },
		{ "\"sector_size\":4096", "\"sector_size\":512", -ENOTSUP },
		{ "\"sector_size\":4096", "\"sector_size\":-4096", -EBADMSG },
		{ "\"segments\":[\"0\"]", "\"segments\":[\"1\"]", -EBADMSG },
		{ "\"segments\":[\"0\"]", "\"segments\":[]", -EBADMSG },
		{ "\"digests\":{\"0\"", "\"digests\":{\"1\"", -ENOTSUP },
		{ "\"type\":\"pbkdf2\"", "\"type\":\"argon2id\"", -ENOTSUP },
		{ "\"hash\":\"sha256\"", "\"hash\":\"sha1\"", -ENOTSUP },
		{ "\"iterations\":1000", "\"iterations\":1000000", 0 },
		{ "\"iterations\":1000", "\"iterations\":1000001", -EBADMSG },
		{ "\"iterations\":1000", "\"iterations\":999", -EBADMSG },
		{ "\"iterations\":1000", "\"iterations\":1e3", -EBADMSG },
		{ "\"salt\":\"ERER", "\"salt\":\"ERER====", -EBADMSG },
		{ "\"digest\":\"IiIi", "\"digest\":\"", -EBADMSG },
		{ "\"json_size\":\"12288\"", "\"json_size\":\"16384\"", -EBADMSG },
		{ "\"keyslots_size\":\"16744448\"", "\"keyslots_size\":\"4096\"", 0 },
		{ "\"keyslots_size\":\"16744448\"", "\"keyslots_size\":\"16748544\"", -EBADMSG },
		{ "\"config\":{", "\"config\":{\"requirements\":{},", 0 },
		{ "\"config\":{",
		  "\"config\":{\"requirements\":{\"mandatory\":[\"online-reencrypt\"]},",
		  -ENOTSUP },
		{ "\"config\":{", "\"config\":{\"x\":[[[[[[[[]]]]]]]],", -EBADMSG }, /* too deep */
		{ "\"config\":{", "\"config\":{\"x\":[[[[[]]]]],", 0 },
		{ "\"config\":{", "\"conf\":{", -EBADMSG },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		int r = parse_edited(t[i].from, t[i].to);

		if (r != t[i].want)
			fail_msg("%s -> %s gave %d, not %d", t[i].from, t[i].to, r, t[i].want);
	}
}

static void luks2_parse__rejects_bytes_behind_the_text(void **state)
{
	(void)state;
	assert_int_equal(parse_bytes(LUKS2_COPY_BYTES - 1, "", 1), 0);
	assert_int_equal(parse_bytes(LUKS2_COPY_BYTES - 1, "x", 1), -EBADMSG);
}

static void luks2_build__rejects_what_parse_would(void **state)
{
	struct vol_params p = good();
	uint8_t *c = malloc(LUKS2_COPY_BYTES);

	(void)state;
	assert_int_equal(luks2_build(&p, LUKS2_PRIMARY, salt, c), 0);
	p.size = 4097;
	assert_int_equal(luks2_build(&p, LUKS2_PRIMARY, salt, c), -EINVAL);
	p = good();
	(void)snprintf(p.key_id, sizeof(p.key_id), "a\"b");
	assert_int_equal(luks2_build(&p, LUKS2_PRIMARY, salt, c), -EINVAL);
	p = good();
	p.wrapped_len = 0;
	assert_int_equal(luks2_build(&p, LUKS2_PRIMARY, salt, c), -EINVAL);
	p = good();
	p.seqid = 0;
	assert_int_equal(luks2_build(&p, LUKS2_PRIMARY, salt, c), -EINVAL);
	free(c);
}

static void base64__is_strict(void **state)
{
	static const struct {
		const char *text;
		int want;
		size_t len;
	} t[] = {
		{ "", 0, 0 },
		{ "AA==", 0, 1 },
		{ "AAA=", 0, 2 },
		{ "AAAA", 0, 3 },
		{ "AB==", -EBADMSG, 0 },
		{ "AAB=", -EBADMSG, 0 },
		{ "A===", -EBADMSG, 0 },
		{ "AAA", -EBADMSG, 0 },
		{ "AA=A", -EBADMSG, 0 },
		{ "A A=", -EBADMSG, 0 },
		{ "AA==AAAA", -EBADMSG, 0 },
		{ "====", -EBADMSG, 0 },
		{ "AAAAAAAAAAAA", -EMSGSIZE, 0 },
	};
	uint8_t out[8];
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		assert_int_equal(base64_decode(t[i].text, out, sizeof(out), &len), t[i].want);
		if (t[i].want == 0)
			assert_int_equal(len, t[i].len);
	}
	for (size_t n = 0; n < 70; n++) {
		uint8_t in[70], back[70];
		char text[BASE64_CHARS(70)];

		for (size_t i = 0; i < n; i++)
			in[i] = (uint8_t)(i * 37 + n);
		base64_encode(in, n, text);
		assert_int_equal(base64_decode(text, back, sizeof(back), &len), 0);
		assert_int_equal(len, n);
		assert_memory_equal(in, back, n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(luks2_build__is_read_back_by_parse),
		cmocka_unit_test(luks2_parse__detects_every_flipped_bit),
		cmocka_unit_test(luks2_parse__rejects_each_bad_binary_field),
		cmocka_unit_test(luks2_parse__rejects_each_bad_json_member),
		cmocka_unit_test(luks2_parse__rejects_bytes_behind_the_text),
		cmocka_unit_test(luks2_build__rejects_what_parse_would),
		cmocka_unit_test(base64__is_strict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
