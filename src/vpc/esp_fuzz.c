/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "crypto/crypto.h"
#include "crypto/packet_gcm.h"
#include "vpc/esp.h"
#include "vpc/replay.h"

/*
 * First byte: what to do with the rest.
 * 0: it is what came from the network: nobody has the key, so none of it may be accepted.
 * 1: it is a frame: sealed and opened it comes out again; with one bit turned (chosen by the first four bytes) it does not.
 * 2: it is the inside of a packet whose sender has the key and sends anything: no crash, what is accepted is inside.
 * 3: it is an order of arrival of 64 packets: each is accepted once and never when it is too old.
 */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SPI = 0x4321, NETWORK = 0x1001, PACKET_BUF = ESP_PACKET_MAX + 1024, ORDER = 64 };

static struct key *key;
static struct esp_sa sa = { .spi = SPI, .vni = NETWORK, .salt = { 9, 9, 9, 9 } };

int LLVMFuzzerInitialize(int *argc UNUSED, char ***argv UNUSED)
{
	must(crypto_init() == 0 && packet_gcm_init() == 0);
	must(key_new_from("0123456789abcdef0123456789ABCDEF", 32, &key) == 0);
	sa.key = key;
	return 0;
}

static int seal(struct esp_tx *tx, const uint8_t *frame, size_t len, uint8_t *out)
{
	uint32_t head = (uint32_t)(len / 2);
	struct esp_seal j = { .sa = tx,
			      .head = frame,
			      .head_len = head,
			      .tail = frame + head,
			      .tail_len = (uint32_t)len - head,
			      .out = out };

	esp_seal(&j, 1);
	return j.ret;
}

static struct esp_open opened(struct esp_rx *rx, uint8_t *packet, size_t len)
{
	struct esp_open j = { .sa = rx, .packet = packet, .len = (uint32_t)len, .out = packet };

	esp_open(&j, 1);
	must(j.ret == 0 ? j.frame >= packet && j.frame + j.frame_len <= packet + len &&
				  j.frame_len >= GENEVE_FRAME_MIN && j.frame_len <= ESP_FRAME_MAX
			: !j.frame && !j.frame_len);
	return j;
}

static void from_network(struct esp_rx *rx, uint8_t *b, size_t len)
{
	must(opened(rx, b, len).ret < 0);
	if (len < 4)
		return;
	memcpy(b, "\x00\x00\x43\x21", 4); /* and with the right SPI */
	must(opened(rx, b, len).ret < 0);
	must(esp_rx_seq(rx) == 0);
}

static void round_trip(struct esp_tx *tx, struct esp_rx *rx, const uint8_t *data, size_t size,
		       uint8_t *b)
{
	struct esp_open j;
	uint32_t bit;
	int len;

	if (size < 4)
		return;
	bit = le32_load(data);
	data += 4;
	size -= 4;
	len = seal(tx, data, size, b);
	must(len == -EINVAL ? size < GENEVE_FRAME_MIN || size > ESP_FRAME_MAX : len > 0);
	if (len < 0)
		return;
	bit %= (uint32_t)len * 8;
	b[bit / 8] ^= (uint8_t)(1 << bit % 8);
	must(opened(rx, b, (size_t)len).ret < 0 && esp_rx_seq(rx) == 0);
	len = seal(tx, data, size, b);
	j = opened(rx, b, (size_t)len);
	must(j.ret == 0 && j.frame_len == size && memcmp(j.frame, data, size) == 0);
	must(esp_rx_seq(rx) == 2);
}

static void from_inside(struct esp_rx *rx, const uint8_t *data, size_t size, uint8_t *b)
{
	CLEANUP(packet_seal_freep) struct packet_seal *s = NULL;

	size &= ~(size_t)3;
	must(packet_seal_new(key, sa.salt, 1, 1, &s) == 0);
	memcpy(b, "\x00\x00\x43\x21\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01", 16);
	memcpy(b + 16, data, size);
	must(packet_seal_run(s, b, 8, b + 16, size, b + 16 + size) == 0);
	if (size + 32 >= ESP_PACKET_MIN)
		must(opened(rx, b, size + 32).ret != -EBADMSG && esp_rx_seq(rx) == 1);
}

static void in_order(struct esp_tx *tx, struct esp_rx *rx, const uint8_t *data, size_t size,
		     uint8_t *b)
{
	static const uint8_t frame[64] = { 1 };
	static uint8_t packets[ORDER][128];
	bool seen[ORDER] = { false };
	uint32_t top = 0;
	size_t i;
	int len = 0, r;

	for (i = 0; i < ORDER; i++)
		len = seal(tx, frame, sizeof(frame), packets[i]);
	must(len > 0 && (size_t)len <= sizeof(packets[0]));
	for (i = 0; i < size; i++) {
		uint32_t n = data[i] % ORDER;

		memcpy(b, packets[n], (size_t)len);
		if (data[i] & 128) /* forged: must not mark the number */
			b[len - 1] ^= 1;
		r = opened(rx, b, (size_t)len).ret;
		if (seen[n])
			must(r == -EALREADY);
		else
			must(r == (data[i] & 128 ? -EBADMSG : 0));
		seen[n] |= r == 0;
		top = r == 0 && n + 1 > top ? n + 1 : top;
		must(esp_rx_seq(rx) == top);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(esp_tx_freep) struct esp_tx *tx = NULL;
	CLEANUP(esp_rx_freep) struct esp_rx *rx = NULL;
	CLEANUP(free_p) uint8_t *b = NULL;

	if (size < 1 || size > ESP_PACKET_MAX)
		return 0;
	b = malloc(PACKET_BUF);
	must(b && esp_tx_new(&sa, &tx) == 0 && esp_rx_new(&sa, &rx) == 0);
	switch (data[0] % 4) {
	case 0:
		free(b);
		b = malloc(size); /* exact, for the sanitizer */
		must(b);
		memcpy(b, data + 1, size - 1);
		from_network(rx, b, size - 1);
		break;
	case 1:
		round_trip(tx, rx, data + 1, size - 1, b);
		break;
	case 2:
		from_inside(rx, data + 1, size - 1, b);
		break;
	default:
		in_order(tx, rx, data + 1, size - 1, b);
	}
	return 0;
}
