/* SPDX-License-Identifier: Apache-2.0 */
#include "vpc/esp.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/crypto.h"
#include "crypto/packet_gcm.h"
#include "vpc/replay.h"

enum { SPI = 0x1001, NETWORK = 0x123456, PACKET_BUF = ESP_PACKET_MAX + 600 };

struct ends {
	struct esp_tx *tx;
	struct esp_rx *rx;
	struct esp_sa sa;
	struct key *key;
	uint8_t frame[ESP_FRAME_MAX + 1], packet[PACKET_BUF], out[PACKET_BUF];
	int len; /* of packet */
};

static struct ends e;

static void ends_new(uint32_t seq, uint64_t blocks)
{
	uint8_t bytes[32];
	size_t i;

	memset(&e, 0, sizeof(e));
	for (i = 0; i < sizeof(e.frame); i++)
		e.frame[i] = (uint8_t)(i * 13 + 1);
	memset(bytes, 0x42, sizeof(bytes));
	assert_int_equal(key_new_from(bytes, sizeof(bytes), &e.key), 0);
	e.sa = (struct esp_sa){ .spi = SPI,
				.vni = NETWORK,
				.key = e.key,
				.salt = { 1, 2, 3, 4 },
				.now_ns = 1000,
				.seq = seq,
				.blocks = blocks };
	assert_int_equal(esp_tx_new(&e.sa, &e.tx), 0);
	e.sa.seq = 0;
	assert_int_equal(esp_rx_new(&e.sa, &e.rx), 0);
}

static int ends_done(void **state UNUSED)
{
	esp_tx_freep(&e.tx);
	esp_rx_freep(&e.rx);
	key_freep(&e.key);
	return 0;
}

static int seal(uint32_t head, uint32_t tail)
{
	struct esp_seal j = { .sa = e.tx,
			      .head = e.frame,
			      .head_len = head,
			      .tail = tail ? e.frame + head % 256 : NULL,
			      .tail_len = tail,
			      .out = e.packet };

	esp_seal(&j, 1);
	e.len = j.ret;
	return j.ret;
}

static int open_at(const uint8_t *packet, int len, uint8_t *out)
{
	struct esp_open j = { .sa = e.rx, .packet = packet, .len = (uint32_t)len, .out = out };

	esp_open(&j, 1);
	if (j.ret < 0) {
		assert_null(j.frame);
		assert_int_equal(j.frame_len, 0);
	}
	return j.ret;
}

static void frames__of_every_length_go_through(void **state UNUSED)
{
	uint32_t len;

	ends_new(0, 0);
	for (len = GENEVE_FRAME_MIN; len <= ESP_FRAME_MAX; len += len < 400 ? 1 : 97) {
		struct esp_open j = { .sa = e.rx, .packet = e.packet, .out = e.out };
		uint32_t head = len > 200 ? len % 150 : len;

		assert_true(seal(head, len - head) > 0);
		assert_int_equal(e.len % 4, 0);
		assert_true(e.len - (int)len <= ESP_OVERHEAD_MAX &&
			    e.len - (int)len >= ESP_OVERHEAD_MAX - 3);
		j.len = (uint32_t)e.len;
		j.out = len % 2 ? e.packet : e.out; /* in place as well */
		esp_open(&j, 1);
		assert_int_equal(j.ret, 0);
		assert_int_equal(j.frame_len, len);
		assert_ptr_equal(j.frame, j.out + ESP_FRAME_OFF);
		assert_memory_equal(j.frame, e.frame, len);
	}
}

static void seal__refuses_lengths_out_of_range(void **state UNUSED)
{
	ends_new(0, 0);
	assert_int_equal(seal(GENEVE_FRAME_MIN - 1, 0), -EINVAL);
	assert_int_equal(seal(0, 0), -EINVAL);
	assert_int_equal(seal(100, ESP_FRAME_MAX - 99), -EINVAL);
	assert_int_equal(seal(UINT32_MAX, 15), -EINVAL); /* the sum is 14 */
	assert_int_equal(seal(15, UINT32_MAX), -EINVAL);
	assert_int_equal(esp_tx_seq(e.tx), 0); /* no number was spent */
	assert_int_equal(seal(GENEVE_FRAME_MIN, 0), ESP_PACKET_MIN);
	assert_true(seal(100, ESP_FRAME_MAX - 100) > 0);
	assert_true(e.len <= ESP_PACKET_MAX);
}

/* docs/wire/overlay.md, byte for byte, opened with the GCM of crypto/ alone. */
static void packet__has_the_bytes_of_the_page(void **state UNUSED)
{
	static const uint8_t head[] = { 0, 0, 0x10, 1, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 8 };
	static const uint8_t inner[] = { 0x17, 0xc1, 0x17, 0xc1, 0,    16 + 61, 0,    0,
					 0,    0,    0x65, 0x58, 0x12, 0x34,    0x56, 0 };
	static const uint8_t tail[] = { 1, 1, 17 }; /* 16 + 61 + 1 + 2 = 80 */
	CLEANUP(packet_open_freep) struct packet_open *o = NULL;
	uint8_t plain[80];

	ends_new(7, 0);
	assert_int_equal(seal(14, 47), 16 + 80 + 16);
	assert_memory_equal(e.packet, head, sizeof(head));
	assert_int_equal(packet_open_new(e.key, e.sa.salt, &o), 0);
	assert_int_equal(packet_open_run(o, e.packet + 8, e.packet, 8, e.packet + 16, 80,
					 e.packet + 96, plain),
			 0);
	assert_memory_equal(plain, inner, sizeof(inner));
	assert_memory_equal(plain + 16, e.frame, 61);
	assert_memory_equal(plain + 77, tail, sizeof(tail));
}

static void open__refuses_every_flipped_bit(void **state UNUSED)
{
	static uint8_t b[PACKET_BUF];
	int bit, i, r;

	ends_new(0, 0);
	assert_true(seal(14, 50) > 0);
	for (bit = 0; bit < e.len * 8; bit++) {
		memcpy(b, e.packet, (size_t)e.len);
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		memset(e.out, 0xee, sizeof(e.out));
		r = open_at(b, e.len, e.out);
		/* SPI: not this SA's. Number 0: none has it. All else: forged. */
		assert_int_equal(r, bit < 32 ? -EPROTO : bit == 56 ? -EALREADY : -EBADMSG);
		for (i = ESP_HDR_BYTES + ESP_IV_BYTES; r == -EBADMSG && i < e.len - ESP_ICV_BYTES;
		     i++)
			assert_int_equal(e.out[i], 0);
		assert_int_equal(esp_rx_seq(e.rx), 0); /* the window did not move */
	}
	assert_int_equal(open_at(e.packet, e.len, e.out), 0);
}

static void open__refuses_every_shorter_and_longer_length(void **state UNUSED)
{
	int len;

	ends_new(0, 0);
	assert_true(seal(14, 50) > 0);
	for (len = 0; len < e.len + 8; len++) {
		memset(e.out, 0, sizeof(e.out));
		if (len != e.len)
			assert_true(open_at(e.packet, len, e.out) < 0);
	}
	assert_int_equal(open_at(e.packet, e.len, e.out), 0);
}

static void open__refuses_replays_and_what_is_too_old(void **state UNUSED)
{
	static uint8_t old[3][PACKET_BUF];
	int len[3], i;

	ends_new(0, 0);
	for (i = 0; i < 3; i++) {
		len[i] = seal(14, 50);
		memcpy(old[i], e.packet, (size_t)len[i]);
	}
	assert_int_equal(open_at(old[1], len[1], e.out), 0);
	assert_int_equal(open_at(old[1], len[1], e.out), -EALREADY);
	assert_int_equal(open_at(old[0], len[0], e.out), 0); /* late, but within the window */
	assert_int_equal(open_at(old[0], len[0], e.out), -EALREADY);
	for (i = 3; i < 3 + REPLAY_WINDOW; i++)
		assert_true(seal(14, 50) > 0);
	assert_int_equal(open_at(e.packet, e.len, e.out), 0);        /* 4099 */
	assert_int_equal(open_at(old[2], len[2], e.out), -EALREADY); /* 3: never seen, too old */
}

static void open__of_a_copy_in_the_same_batch_refuses_the_second(void **state UNUSED)
{
	static uint8_t a[PACKET_BUF], b[PACKET_BUF];
	struct esp_open j[2];

	ends_new(0, 0);
	assert_true(seal(14, 50) > 0);
	memcpy(a, e.packet, (size_t)e.len);
	memcpy(b, e.packet, (size_t)e.len);
	j[0] = (struct esp_open){ .sa = e.rx, .packet = a, .len = (uint32_t)e.len, .out = a };
	j[1] = (struct esp_open){ .sa = e.rx, .packet = b, .len = (uint32_t)e.len, .out = b };
	esp_open(j, 2);
	assert_int_equal(j[0].ret, 0);
	assert_int_equal(j[1].ret, -EALREADY);
	assert_null(j[1].frame);
}

static void seal__refuses_after_the_last_number(void **state UNUSED)
{
	static uint8_t last[PACKET_BUF];
	size_t i;

	ends_new(ESP_SEQ_MAX - 2, 0);
	assert_true(seal(14, 50) > 0);
	assert_int_equal(open_at(e.packet, e.len, e.out), 0);
	assert_true(seal(14, 50) > 0);
	assert_int_equal(esp_tx_seq(e.tx), ESP_SEQ_MAX);
	assert_int_equal(open_at(e.packet, e.len, e.out), 0);
	memcpy(last, e.packet, sizeof(last));
	memset(e.packet, 0, sizeof(e.packet));
	assert_int_equal(seal(14, 50), -EKEYEXPIRED);
	assert_int_equal(seal(14, 50), -EKEYEXPIRED);
	for (i = 0; i < sizeof(e.packet); i++)
		assert_int_equal(e.packet[i],
				 0); /* nothing that could be sent, above all no frame in clear */
	assert_int_equal(esp_tx_seq(e.tx), ESP_SEQ_MAX);
	assert_int_equal(open_at(last, (int)ESP_PACKET_MIN + 52, e.out), -EALREADY);
}

static void rekey__is_wanted_at_each_soft_limit(void **state UNUSED)
{
	ends_new((uint32_t)ESP_SOFT_PACKETS - 2, 0);
	assert_true(seal(14, 50) > 0);
	assert_false(esp_tx_wants_rekey(e.tx, 1000));
	assert_true(seal(14, 50) > 0);
	assert_true(esp_tx_wants_rekey(e.tx, 1000));
	assert_true(seal(14, 50) > 0); /* soft: still sealed */
	ends_done(NULL);

	ends_new(0, ESP_SOFT_BLOCKS - 7);
	assert_true(seal(14, 50) > 0); /* 84 bytes: 6 blocks, and one for the tag */
	assert_int_equal(esp_tx_blocks(e.tx), ESP_SOFT_BLOCKS);
	assert_true(esp_tx_wants_rekey(e.tx, 1000));
	ends_done(NULL);
	ends_new(0, ESP_SOFT_BLOCKS - 8);
	assert_true(seal(14, 50) > 0);
	assert_false(esp_tx_wants_rekey(e.tx, 1000));

	assert_false(esp_tx_wants_rekey(e.tx, 0)); /* a clock before its birth */
	assert_false(esp_tx_wants_rekey(e.tx, 1000 + ESP_SOFT_AGE_NS - 1));
	assert_true(esp_tx_wants_rekey(e.tx, 1000 + ESP_SOFT_AGE_NS));
}

static void new__refuses_what_cannot_be(void **state UNUSED)
{
	struct esp_tx *t = NULL;
	struct esp_rx *x = NULL;
	struct esp_sa bad;
	CLEANUP(key_freep) struct key *small = NULL;
	int i;

	ends_new(0, 0);
	assert_int_equal(key_new_from("0123456789abcdef", 16, &small), 0);
	for (i = 0; i < 5; i++) {
		bad = e.sa;
		bad.spi = i == 0 ? ESP_SPI_MIN - 1 : bad.spi;
		bad.vni = i == 1 ? 0 : i == 2 ? GENEVE_VNI_MAX + 1 : bad.vni;
		bad.key = i == 3 ? small : i == 4 ? NULL : bad.key;
		assert_int_equal(esp_tx_new(&bad, &t), -EINVAL);
		assert_int_equal(esp_rx_new(&bad, &x), -EINVAL);
	}
	bad = e.sa;
	bad.seq = ESP_SEQ_MAX;
	assert_int_equal(esp_tx_new(&bad, &t), -EINVAL); /* nothing left to send */
	assert_null(t);
	assert_null(x);
}

/* ---- authentic, but not what we send: made with the key, outside esp_seal() ---- */

static int forge_from_inside(const uint8_t *plain, size_t len)
{
	CLEANUP(packet_seal_freep) struct packet_seal *s = NULL;
	static uint64_t number;
	uint64_t be;

	number = esp_rx_seq(e.rx) + 1;
	be = __builtin_bswap64(number);
	memcpy(e.packet, "\x00\x00\x10\x01", 4);
	memcpy(e.packet + 4, (uint8_t *)&be + 4, 4);
	memcpy(e.packet + 8, &be, 8);
	memcpy(e.packet + 16, plain, len);
	assert_int_equal(packet_seal_new(e.key, e.sa.salt, number, number, &s), 0);
	assert_int_equal(packet_seal_run(s, e.packet, 8, e.packet + 16, len, e.packet + 16 + len),
			 0);
	e.len = (int)(16 + len + 16);
	return open_at(e.packet, e.len, e.out);
}

static void open__refuses_what_is_authentic_but_not_ours(void **state UNUSED)
{
	uint8_t plain[256], good[256];
	const size_t len = 84; /* 16 + 64 + 2 pad + 2 */
	uint32_t before;

	ends_new(0, 0);
	memset(good, 0x33, sizeof(good));
	geneve_put(good, NETWORK, 64);
	memcpy(good + 80, "\x01\x02\x02\x11", 4);
	assert_int_equal(forge_from_inside(good, len), 0);

	memcpy(plain, good, sizeof(plain));
	geneve_put(plain, NETWORK + 1, 64); /* another network's */
	before = esp_rx_seq(e.rx);
	assert_int_equal(forge_from_inside(plain, len), -EPROTO);
	assert_int_equal(esp_rx_seq(e.rx), before + 1); /* it was authentic: its number is used */
	memcpy(plain, good, sizeof(plain));
	plain[83] = 4; /* IP in IP: tunnel mode */
	assert_int_equal(forge_from_inside(plain, len), -EPROTO);
	plain[83] = 59; /* dummy packet */
	assert_int_equal(forge_from_inside(plain, len), -EPROTO);
	memcpy(plain, good, sizeof(plain));
	plain[82] = 83; /* more padding than there is packet */
	assert_int_equal(forge_from_inside(plain, len), -EPROTO);
	plain[82] = 82;
	assert_int_equal(forge_from_inside(plain, len), -EPROTO);
	memcpy(plain, good, sizeof(plain));
	plain[81] = 3; /* padding counts 1, 2, … */
	assert_int_equal(forge_from_inside(plain, len), -EPROTO);
	memcpy(plain, good, sizeof(plain));
	plain[9] = 0x40; /* critical option */
	assert_int_equal(forge_from_inside(plain, len), -EPROTO);
	assert_int_equal(forge_from_inside(good, len), 0);
}

static void peek__tells_spi_and_number_of_what_can_be_ours(void **state UNUSED)
{
	static uint8_t b[ESP_PACKET_MAX + 1000];
	uint32_t spi = 0, seq = 0;

	memcpy(b, "\x00\x00\x01\x00\x00\x00\x00\x05", 8);
	assert_int_equal(esp_peek(b, ESP_PACKET_MIN, &spi, &seq), 0);
	assert_int_equal(spi, ESP_SPI_MIN);
	assert_int_equal(seq, 5);
	assert_int_equal(esp_peek(b, ESP_PACKET_MIN - 4, &spi, &seq), -EPROTO);
	assert_int_equal(esp_peek(b, ESP_PACKET_MIN + 1, &spi, &seq), -EPROTO);
	assert_int_equal(esp_peek(b, sizeof(b) / 4 * 4, &spi, &seq), -EPROTO);
	memcpy(b, "\x00\x00\x00\xff", 4);
	assert_int_equal(esp_peek(b, ESP_PACKET_MIN, &spi, &seq), -EPROTO);
	memcpy(b, "\x00\x00\x00\x00", 4); /* the marker of a handshake */
	assert_int_equal(esp_peek(b, ESP_PACKET_MIN, &spi, &seq), -EPROTO);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(frames__of_every_length_go_through, ends_done),
		cmocka_unit_test_teardown(seal__refuses_lengths_out_of_range, ends_done),
		cmocka_unit_test_teardown(packet__has_the_bytes_of_the_page, ends_done),
		cmocka_unit_test_teardown(open__refuses_every_flipped_bit, ends_done),
		cmocka_unit_test_teardown(open__refuses_every_shorter_and_longer_length, ends_done),
		cmocka_unit_test_teardown(open__refuses_replays_and_what_is_too_old, ends_done),
		cmocka_unit_test_teardown(open__of_a_copy_in_the_same_batch_refuses_the_second,
					  ends_done),
		cmocka_unit_test_teardown(seal__refuses_after_the_last_number, ends_done),
		cmocka_unit_test_teardown(rekey__is_wanted_at_each_soft_limit, ends_done),
		cmocka_unit_test_teardown(new__refuses_what_cannot_be, ends_done),
		cmocka_unit_test_teardown(open__refuses_what_is_authentic_but_not_ours, ends_done),
		cmocka_unit_test(peek__tells_spi_and_number_of_what_can_be_ours),
	};

	if (crypto_init() < 0 || packet_gcm_init() < 0)
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
