/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/packet_gcm.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/crypto.h"
#include "crypto/crypto_priv.h"
#include "crypto/hex_test.h"
#include "crypto/packet_gcm_priv.h"

/* Every test runs once with each implementation that this processor has. argv[1]: the published vectors. */

enum { LEN_MAX = 9300, VECTOR_MAX = 1024, DIFFERENTIAL_ROUNDS = 600 };

static const char *vectors_path;
static const uint8_t salt_ab[4] = { 0xa, 0xb, 0xc, 0xd };

static uint64_t rnd_state = 0x2545f4914f6cdd1d;

static uint32_t rnd(uint32_t below)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 7;
	rnd_state ^= rnd_state << 17;
	return (uint32_t)(rnd_state >> 16) % below;
}

static void rnd_fill(uint8_t *p, size_t len)
{
	while (len--)
		*p++ = (uint8_t)rnd(256);
}

static struct key *key_of(uint8_t seed)
{
	uint8_t b[PACKET_GCM_KEY_BYTES];
	struct key *k = NULL;

	memset(b, seed, sizeof(b));
	assert_int_equal(key_new_from(b, sizeof(b), &k), 0);
	return k;
}

/* ---- published vectors ---- */

/* spec: wycheproof aes_gcm_test.json */

struct vector {
	uint8_t nonce[12], tag[16];
	uint8_t aad[VECTOR_MAX], plain[VECTOR_MAX], cipher[VECTOR_MAX];
	size_t aad_len, len, cipher_len;
	bool valid;
	struct key *key;
};

static size_t field(char **line, uint8_t *ret, size_t cap)
{
	char *s = strsep(line, " \n");

	assert_non_null(s);
	return strcmp(s, "-") == 0 ? 0 : hex(s, ret, cap);
}

static bool vector_parse(char *line, struct vector *v)
{
	uint8_t key[32];

	if (line[0] == '#')
		return false;
	strsep(&line, " ");
	v->valid = strcmp(strsep(&line, " "), "valid") == 0;
	assert_int_equal(field(&line, key, sizeof(key)), 32);
	assert_int_equal(key_new_from(key, sizeof(key), &v->key), 0);
	assert_int_equal(field(&line, v->nonce, sizeof(v->nonce)), 12);
	v->aad_len = field(&line, v->aad, sizeof(v->aad));
	v->len = field(&line, v->plain, sizeof(v->plain));
	v->cipher_len = field(&line, v->cipher, sizeof(v->cipher));
	assert_int_equal(field(&line, v->tag, sizeof(v->tag)), 16);
	return true;
}

static void vector_run(const struct vector *v)
{
	CLEANUP(packet_seal_freep) struct packet_seal *s = NULL;
	CLEANUP(packet_open_freep) struct packet_open *o = NULL;
	uint8_t buf[VECTOR_MAX], tag[16];
	uint64_t iv;
	int want = v->valid ? 0 : -EBADMSG;

	assert_int_equal(packet_open_new(v->key, v->nonce, &o), 0);
	assert_int_equal(packet_open_run(o, v->nonce + 4, v->aad, v->aad_len, v->cipher,
					 v->cipher_len, v->tag, buf),
			 want);
	if (!v->valid)
		return;
	assert_memory_equal(buf, v->plain, v->len);
	memcpy(&iv, v->nonce + 4, sizeof(iv));
	iv = __builtin_bswap64(iv);
	if (!iv)
		return; /* our counters begin at 1 */
	assert_int_equal(packet_seal_new(v->key, v->nonce, iv, iv, &s), 0);
	assert_int_equal(packet_seal_run(s, v->aad, v->aad_len, buf, v->len, tag), 0);
	assert_memory_equal(buf, v->cipher, v->len);
	assert_memory_equal(tag, v->tag, 16);
	assert_int_equal(packet_seal_next(s), 0);
}

static void packets__give_the_published_vectors(void **state UNUSED)
{
	FILE *f = fopen(vectors_path, "r");
	unsigned valid = 0, invalid = 0;
	CLEANUP(free_p) char *line = NULL;
	static struct vector v;
	size_t cap = 0;

	assert_non_null(f);
	while (getline(&line, &cap, f) > 0) {
		if (!vector_parse(line, &v))
			continue;
		vector_run(&v);
		key_free(v.key);
		*(v.valid ? &valid : &invalid) += 1;
	}
	fclose(f);
	assert_int_equal(valid, 39);
	assert_int_equal(invalid, 27);
}

/* ---- against libcrypto ---- */

static void differ_once(const struct key *k, struct packet_seal *s, struct packet_open *o,
			size_t len)
{
	static uint8_t in[LEN_MAX], mine[LEN_MAX], theirs[LEN_MAX];
	uint8_t aad[64], nonce[12], tag[16], their_tag[16];
	size_t aad_len = rnd(sizeof(aad) + 1);
	uint64_t iv = __builtin_bswap64(packet_seal_next(s));

	rnd_fill(in, len);
	rnd_fill(aad, sizeof(aad));
	memcpy(mine, in, len);
	memcpy(nonce, salt_ab, 4);
	memcpy(nonce + 4, &iv, 8);
	assert_int_equal(packet_seal_run(s, aad, aad_len, mine, len, tag), 0);
	assert_int_equal(gcm_seal_nonce(k, nonce, aad, aad_len, in, len, theirs, their_tag), 0);
	assert_memory_equal(mine, theirs, len);
	assert_memory_equal(tag, their_tag, 16);
	memset(theirs, 0xee, len);
	assert_int_equal(packet_open_run(o, nonce + 4, aad, aad_len, mine, len, tag, theirs), 0);
	assert_memory_equal(theirs, in, len);
	assert_int_equal(packet_open_run(o, nonce + 4, aad, aad_len, mine, len, tag, mine),
			 0); /* in place */
	assert_memory_equal(mine, in, len);
}

static void packets__equal_libcrypto_at_every_length(void **state UNUSED)
{
	CLEANUP(packet_seal_freep) struct packet_seal *s = NULL;
	CLEANUP(packet_open_freep) struct packet_open *o = NULL;
	CLEANUP(key_freep) struct key *k = key_of(0x5a);
	size_t len;
	int i;

	assert_int_equal(packet_seal_new(k, salt_ab, 0xfffffff0, UINT64_MAX, &s), 0);
	assert_int_equal(packet_open_new(k, salt_ab, &o), 0);
	for (len = 0; len <= 800; len++) /* every way through every loop */
		differ_once(k, s, o, len);
	for (i = 0; i < DIFFERENTIAL_ROUNDS; i++)
		differ_once(k, s, o, rnd(LEN_MAX + 1));
	differ_once(k, s, o, LEN_MAX);
}

/* ---- what must not work ---- */

static void open__refuses_every_flipped_bit_and_wipes(void **state UNUSED)
{
	CLEANUP(packet_seal_freep) struct packet_seal *s = NULL;
	CLEANUP(packet_open_freep) struct packet_open *o = NULL;
	CLEANUP(key_freep) struct key *k = key_of(1);
	/* IV, associated data, ciphertext, tag */
	uint8_t b[8 + 8 + 50 + 16], out[50];
	unsigned bit, i;

	memset(b, 0x77, sizeof(b));
	memset(b, 0, 8);
	b[7] = 1;
	assert_int_equal(packet_seal_new(k, salt_ab, 1, 10, &s), 0);
	assert_int_equal(packet_open_new(k, salt_ab, &o), 0);
	assert_int_equal(packet_seal_run(s, b + 8, 8, b + 16, 50, b + 66), 0);
	for (bit = 0; bit < sizeof(b) * 8; bit++) {
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		memset(out, 0xee, sizeof(out));
		assert_int_equal(packet_open_run(o, b, b + 8, 8, b + 16, 50, b + 66, out),
				 -EBADMSG);
		for (i = 0; i < sizeof(out); i++)
			assert_int_equal(out[i], 0);
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(packet_open_run(o, b, b + 8, 8, b + 16, 50, b + 66, out), 0);
}

static void open__refuses_another_key_and_salt(void **state UNUSED)
{
	static const uint8_t salt_b[4] = { 0xa, 0xb, 0xc, 0xe }, iv[8] = { 0, 0, 0, 0, 0, 0, 0, 1 };
	CLEANUP(packet_seal_freep) struct packet_seal *s = NULL;
	CLEANUP(packet_open_freep) struct packet_open *good = NULL, *salt = NULL, *key = NULL;
	CLEANUP(key_freep) struct key *k = key_of(1), *k2 = key_of(2);
	uint8_t b[64] = "plain", tag[16];

	assert_int_equal(packet_seal_new(k, salt_ab, 1, 10, &s), 0);
	assert_int_equal(packet_open_new(k, salt_ab, &good), 0);
	assert_int_equal(packet_open_new(k, salt_b, &salt), 0);
	assert_int_equal(packet_open_new(k2, salt_ab, &key), 0);
	assert_int_equal(packet_seal_run(s, "x", 1, b, sizeof(b), tag), 0);
	assert_int_equal(packet_open_run(salt, iv, "x", 1, b, sizeof(b), tag, b + 0), -EBADMSG);
	memset(b, 0, sizeof(b));
	packet_seal_free(TAKE_PTR(s));
	assert_int_equal(packet_seal_new(k, salt_ab, 1, 10, &s), 0);
	assert_int_equal(packet_seal_run(s, "x", 1, b, sizeof(b), tag), 0);
	{
		uint8_t c[64];

		assert_int_equal(packet_open_run(key, iv, "x", 1, b, sizeof(b), tag, c), -EBADMSG);
		assert_int_equal(packet_open_run(good, iv, "y", 1, b, sizeof(b), tag, c), -EBADMSG);
		assert_int_equal(packet_open_run(good, iv, "x", 1, b, sizeof(b), tag, c), 0);
	}
}

static void seal__refuses_after_its_last_counter(void **state UNUSED)
{
	CLEANUP(packet_seal_freep) struct packet_seal *s = NULL;
	CLEANUP(key_freep) struct key *k = key_of(1);
	uint8_t b[16] = "unchanged", tag[16] = { 0 };

	assert_int_equal(packet_seal_new(k, salt_ab, UINT64_MAX - 1, UINT64_MAX, &s), 0);
	assert_int_equal(packet_seal_run(s, NULL, 0, b, sizeof(b), tag), 0);
	assert_int_equal(packet_seal_next(s), UINT64_MAX);
	assert_int_equal(packet_seal_run(s, NULL, 0, b, sizeof(b), tag), 0);
	assert_int_equal(packet_seal_next(s), 0);
	memset(tag, 0, sizeof(tag));
	memcpy(b, "unchanged", 10);
	assert_int_equal(packet_seal_run(s, NULL, 0, b, sizeof(b), tag), -EKEYEXPIRED);
	assert_int_equal(packet_seal_run(s, NULL, 0, b, sizeof(b), tag), -EKEYEXPIRED);
	assert_string_equal((char *)b, "unchanged");
	assert_int_equal(tag[0], 0);
}

static void seal__counts_up_by_one(void **state UNUSED)
{
	CLEANUP(packet_seal_freep) struct packet_seal *s = NULL;
	CLEANUP(key_freep) struct key *k = key_of(1);
	uint8_t b[16], tag[2][16];
	uint64_t i;

	assert_int_equal(packet_seal_new(k, salt_ab, 1, 1000, &s), 0);
	for (i = 1; i <= 100; i++) {
		memset(b, 0, sizeof(b));
		assert_int_equal(packet_seal_next(s), i);
		assert_int_equal(packet_seal_run(s, NULL, 0, b, sizeof(b), tag[i & 1]), 0);
		assert_memory_not_equal(tag[0], tag[1], 16);
	}
}

static void new__refuses_what_cannot_be(void **state UNUSED)
{
	CLEANUP(key_freep) struct key *good = key_of(1), *small = NULL;
	struct packet_seal *s = NULL;
	struct packet_open *o = NULL;

	assert_int_equal(key_new_from("0123456789abcdef", 16, &small), 0);
	assert_int_equal(packet_seal_new(small, salt_ab, 1, 2, &s), -EINVAL);
	assert_int_equal(packet_open_new(small, salt_ab, &o), -EINVAL);
	assert_int_equal(packet_seal_new(good, salt_ab, 0, 2, &s), -EINVAL);
	assert_int_equal(packet_seal_new(good, salt_ab, 3, 2, &s), -EINVAL);
	assert_null(s);
	assert_null(o);
	assert_int_equal(packet_gcm_reserve(PACKET_GCM_ALIVE_MAX + 1), -E2BIG);
	assert_int_equal(packet_seal_new(good, salt_ab, 2, 2, &s), 0); /* the twin */
	packet_seal_free(s);
}

static void run__refuses_lengths_out_of_range(void **state UNUSED)
{
	static uint8_t b[PACKET_GCM_MSG_MAX + 16];
	CLEANUP(packet_seal_freep) struct packet_seal *s = NULL;
	CLEANUP(packet_open_freep) struct packet_open *o = NULL;
	CLEANUP(key_freep) struct key *k = key_of(1);
	uint8_t tag[16];

	assert_int_equal(packet_seal_new(k, salt_ab, 1, 9, &s), 0);
	assert_int_equal(packet_open_new(k, salt_ab, &o), 0);
	assert_int_equal(packet_seal_run(s, b, 0, b, PACKET_GCM_MSG_MAX + 1, tag), -EINVAL);
	assert_int_equal(packet_seal_run(s, b, PACKET_GCM_AAD_MAX + 1, b, 1, tag), -EINVAL);
	assert_int_equal(packet_open_run(o, tag, b, 0, b, PACKET_GCM_MSG_MAX + 1, tag, b), -EINVAL);
	assert_int_equal(packet_open_run(o, tag, b, PACKET_GCM_AAD_MAX + 1, b, 1, tag, b), -EINVAL);
	assert_int_equal(packet_seal_next(s), 1); /* no counter was spent */
	assert_int_equal(packet_seal_run(s, b, 0, b, PACKET_GCM_MSG_MAX, tag), 0);
}

static void objects__are_independent_and_slots_come_back_clean(void **state UNUSED)
{
	enum { CNT = 500 };
	static struct packet_seal *s[CNT];
	CLEANUP(key_freep) struct key *k = NULL;
	int round, i;

	assert_int_equal(packet_gcm_reserve(CNT), 0);
	for (round = 0; round < 3; round++) {
		uint8_t b[2][32] = { { 0 } }, tag[2][16];

		for (i = 0; i < CNT; i++) {
			k = key_of((uint8_t)i);
			assert_int_equal(packet_seal_new(k, salt_ab, 1, 2, &s[i]), 0);
			key_free(TAKE_PTR(k));
		}
		assert_int_equal(packet_seal_run(s[3], NULL, 0, b[0], 32, tag[0]), 0);
		assert_int_equal(packet_seal_run(s[259], NULL, 0, b[1], 32, tag[1]),
				 0); /* same key */
		assert_memory_equal(tag[0], tag[1], 16);
		assert_int_equal(packet_seal_run(s[4], NULL, 0, b[0], 32, tag[0]), 0);
		assert_memory_not_equal(tag[0], tag[1], 16);
		for (i = 0; i < CNT; i++)
			packet_seal_free(TAKE_PTR(s[i]));
	}
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets__give_the_published_vectors),
		cmocka_unit_test(packets__equal_libcrypto_at_every_length),
		cmocka_unit_test(open__refuses_every_flipped_bit_and_wipes),
		cmocka_unit_test(open__refuses_another_key_and_salt),
		cmocka_unit_test(seal__refuses_after_its_last_counter),
		cmocka_unit_test(seal__counts_up_by_one),
		cmocka_unit_test(new__refuses_what_cannot_be),
		cmocka_unit_test(run__refuses_lengths_out_of_range),
		cmocka_unit_test(objects__are_independent_and_slots_come_back_clean),
	};
	static const enum packet_gcm_level levels[] = { PACKET_GCM_AUTO, PACKET_GCM_LIBCRYPTO,
							PACKET_GCM_SSE, PACKET_GCM_AVX2,
							PACKET_GCM_AVX512 };
	int failed = 0, r;
	size_t i;

	if (argc != 2 || crypto_init() < 0)
		return 2;
	vectors_path = argv[1];
	for (i = 0; i < ARRAY_SIZE(levels); i++) {
		r = packet_gcm_init_level(levels[i]);
		if (r == -ENOTSUP) {
			printf("level %zu: not on this processor\n", i);
			continue;
		}
		if (r < 0)
			return 1;
		printf("%s\n", packet_gcm_name());
		failed += cmocka_run_group_tests(tests, NULL, NULL);
	}
	return failed != 0;
}
