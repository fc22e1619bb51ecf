/* SPDX-License-Identifier: Apache-2.0 */
#include "metadata/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "base/num.h"
#include "metadata/base64.h"

#define S 1000000000ull

static struct tokens tokens;

static int setup(void **state)
{
	(void)state;
	assert_int_equal(tokens_init(&tokens), 0);
	tokens_bind(&tokens, "i-0123456789abcdef0");
	return 0;
}

static void siphash__gives_the_published_vectors(void **state)
{
	/* spec: siphash (vectors.h, vectors_sip128): key 00 … 0f, message 00 01 … */
	static const uint8_t want[2][SIPHASH_BYTES] = {
		{ 0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7,
		  0x55, 0x02, 0x93 },
		{ 0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44, 0x34, 0x76, 0x59, 0x11, 0x9b,
		  0x22, 0xfc, 0x45 },
	};
	uint8_t key[SIPHASH_KEY_BYTES], out[SIPHASH_BYTES], zero = 0;

	(void)state;
	for (unsigned i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	siphash128(key, &zero, 0, out);
	assert_memory_equal(out, want[0], sizeof(out));
	siphash128(key, &zero, 1, out);
	assert_memory_equal(out, want[1], sizeof(out));
}

/* libcrypto's, as a second opinion. */
static void siphash_openssl(const uint8_t *key, const void *msg, size_t len, uint8_t *ret)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
	size_t size = SIPHASH_BYTES, n = 0;
	OSSL_PARAM params[] = { OSSL_PARAM_construct_size_t("size", &size), OSSL_PARAM_END };

	assert_int_equal(EVP_MAC_init(ctx, key, SIPHASH_KEY_BYTES, params), 1);
	assert_int_equal(EVP_MAC_update(ctx, msg, len), 1);
	assert_int_equal(EVP_MAC_final(ctx, ret, &n, SIPHASH_BYTES), 1);
	assert_int_equal(n, SIPHASH_BYTES);
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
}

static void siphash__agrees_with_libcrypto(void **state)
{
	uint8_t key[SIPHASH_KEY_BYTES], msg[100], a[SIPHASH_BYTES], b[SIPHASH_BYTES];
	uint64_t x = 88172645463325252;

	(void)state;
	for (size_t len = 0; len <= sizeof(msg); len++) {
		for (size_t i = 0; i < sizeof(key) + sizeof(msg); i++) {
			x = x * 6364136223846793005 + 1;
			if (i < sizeof(key))
				key[i] = (uint8_t)(x >> 56);
			else
				msg[i - sizeof(key)] = (uint8_t)(x >> 56);
		}
		siphash128(key, msg, len, a);
		siphash_openssl(key, msg, len, b);
		assert_memory_equal(a, b, sizeof(a));
	}
}

static void base64__writes_lines_of_76(void **state)
{
	uint8_t data[120];
	char text[BASE64_LINES_BYTES(sizeof(data))];

	(void)state;
	memset(data, 0, sizeof(data));
	assert_int_equal(base64_write((const uint8_t *)"f", 1, 0, text), 4);
	assert_memory_equal(text, "Zg==", 4);
	assert_int_equal(base64_write((const uint8_t *)"foobar", 6, 4, text), 9);
	assert_memory_equal(text, "Zm9v\nYmFy", 9);
	for (size_t len = 0; len <= sizeof(data); len++) {
		size_t chars = (len + 2) / 3 * 4, n = base64_write(data, len, 76, text);

		assert_true(n <= sizeof(text));
		assert_int_equal(n, chars + (chars ? (chars - 1) / 76 : 0));
		for (size_t i = 0; i < n; i++)
			assert_int_equal(text[i] == '\n', i % 77 == 76);
	}
}

static void token_check__accepts_a_token_until_it_expires(void **state)
{
	char t[TOKEN_CHARS], u[TOKEN_CHARS];

	(void)state;
	token_make(&tokens, 60, 5 * S, t);
	token_make(&tokens, 60, 5 * S, u);
	assert_memory_not_equal(t, u, sizeof(t));
	assert_true(token_check(&tokens, t, sizeof(t), 5 * S));
	assert_true(token_check(&tokens, t, sizeof(t), 65 * S - 1));
	assert_false(token_check(&tokens, t, sizeof(t), 65 * S));
	assert_false(token_check(&tokens, t, sizeof(t), UINT64_MAX));
	token_make(&tokens, TOKEN_TTL_MAX_S, 0, t);
	assert_true(token_check(&tokens, t, sizeof(t), TOKEN_TTL_MAX_S * S - 1));
	assert_false(token_check(&tokens, t, sizeof(t), TOKEN_TTL_MAX_S * S));
}

static void token_check__refuses_another_length(void **state)
{
	char t[TOKEN_CHARS + 1];

	(void)state;
	token_make(&tokens, 60, 0, t);
	t[TOKEN_CHARS] = '=';
	for (size_t len = 0; len <= sizeof(t); len++)
		assert_int_equal(token_check(&tokens, t, len, 0), len == TOKEN_CHARS);
}

/* Also those that decode to the same bytes: spare bits, other padding. */
static void token_check__refuses_every_single_changed_character(void **state)
{
	char t[TOKEN_CHARS];

	(void)state;
	token_make(&tokens, 60, 0, t);
	for (size_t i = 0; i < sizeof(t); i++) {
		char was = t[i];

		for (int c = 0; c < 256; c++) {
			t[i] = (char)c;
			assert_int_equal(token_check(&tokens, t, sizeof(t), 0), t[i] == was);
		}
		t[i] = was;
	}
}

static void token_check__refuses_other_instances_and_other_boots(void **state)
{
	struct tokens other = tokens, boot;
	char t[TOKEN_CHARS];

	(void)state;
	token_make(&tokens, 60, 0, t);
	tokens_bind(&other, "i-0123456789abcdef1");
	assert_false(token_check(&other, t, sizeof(t), 0));
	tokens_bind(&other, "i-0123456789abcdef0");
	assert_true(token_check(&other, t, sizeof(t), 0));
	assert_int_equal(tokens_init(&boot), 0);
	tokens_bind(&boot, "i-0123456789abcdef0");
	assert_false(token_check(&boot, t, sizeof(t), 0));
}

/*
 * One million forgeries, by somebody who knows how a token is made and has seen real ones: everything but the key. A third has
 * random authenticators, a third a real one under another claim, a third some changed bits.
 */
static void token_check__accepts_none_of_a_million_forgeries(void **state)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint64_t x = 0x9e3779b97f4a7c15;
	unsigned accepted = 0, real_cnt = 0;
	char real[TOKEN_CHARS], t[TOKEN_CHARS];

	(void)state;
	for (unsigned i = 0; i < 1000000; i++) {
		size_t from = i % 3 == 0 ? 32 : 10, to = i % 3 == 1 ? 32 : 53;

		if (i % 1000 == 0) {
			token_make(&tokens, TOKEN_TTL_MAX_S, 0, real);
			real_cnt += token_check(&tokens, real, sizeof(real), 0);
		}
		memcpy(t, real, sizeof(t));
		for (size_t k = from; k < to; k++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			if (i % 3 != 2 || x >> 60 == 0)
				t[k] = digits[x & 63];
		}
		if (memcmp(t, real, sizeof(t)) == 0) /* nothing was changed */
			t[40] = t[40] == 'A' ? 'B' : 'A';
		accepted += token_check(&tokens, t, sizeof(t), 0);
	}
	assert_int_equal(accepted, 0);
	assert_int_equal(real_cnt, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siphash__gives_the_published_vectors),
		cmocka_unit_test(siphash__agrees_with_libcrypto),
		cmocka_unit_test(base64__writes_lines_of_76),
		cmocka_unit_test_setup(token_check__accepts_a_token_until_it_expires, setup),
		cmocka_unit_test_setup(token_check__refuses_another_length, setup),
		cmocka_unit_test_setup(token_check__refuses_every_single_changed_character, setup),
		cmocka_unit_test_setup(token_check__refuses_other_instances_and_other_boots, setup),
		cmocka_unit_test_setup(token_check__accepts_none_of_a_million_forgeries, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
