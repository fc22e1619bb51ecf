/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Seals frames as the wire does and writes what a capture between two hosts would hold, for a judge that has no code
 * of ours (overlay_tshark.py).
 *   overlay-pcap FILE
 * prints one line per SA:     sa SOURCE DESTINATION SPI KEY-AND-SALT
 * and one line per packet:    packet SPI SEQUENCE VNI PORT FRAME-LENGTH good|bad
 */

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "crypto/crypto.h"
#include "crypto/packet_gcm.h"
#include "vpc/esp.h"

enum {
	OUTER_BYTES = 14 + 20 + 8,
	INNER_BYTES = 14 + 20 + 8,
	PCAP_ETHERNET = 1,
	FLIP_NONE = 1 << 20,
};

struct host_pair {
	uint32_t src, dst; /* outer addresses */
};

struct sa {
	struct host_pair hosts;
	uint32_t spi, vni, seq;
	struct esp_tx *tx;
};

static uint16_t ip_sum(const uint8_t *p)
{
	uint32_t sum = 0;
	int i;

	for (i = 0; i < 20; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Ethernet, IPv4 and UDP without checksum. */
static void headers_put(uint8_t *p, uint8_t mac, struct host_pair h, uint16_t port, size_t payload)
{
	struct wr w = wr_init(p, OUTER_BYTES);

	wr_be32(&w, 0x02000000);
	wr_be16(&w, (uint16_t)(mac + 1));
	wr_be32(&w, 0x02000000);
	wr_be16(&w, mac);
	wr_be16(&w, 0x0800);
	wr_u8(&w, 0x45);
	wr_u8(&w, 0);
	wr_be16(&w, (uint16_t)(20 + 8 + payload));
	wr_be32(&w, 0);
	wr_u8(&w, 64);
	wr_u8(&w, 17);
	wr_be16(&w, 0);
	wr_be32(&w, h.src);
	wr_be32(&w, h.dst);
	wr_be16(&w, port);
	wr_be16(&w, port);
	wr_be16(&w, (uint16_t)(8 + payload));
	wr_be16(&w, 0);
	must(!w.bad);
	w = wr_init(p + 14 + 10, 2);
	wr_be16(&w, ip_sum(p + 14));
}

static void pcap_put(FILE *f, const uint8_t *p, size_t len)
{
	static uint32_t second;
	uint32_t h[4] = { 1700000000 + second++, 0, (uint32_t)len, (uint32_t)len };

	must(fwrite(h, sizeof(h), 1, f) == 1 && fwrite(p, len, 1, f) == 1);
}

static void sa_start(struct sa *s, uint8_t seed)
{
	char src[INET_ADDRSTRLEN], dst[INET_ADDRSTRLEN];
	struct in_addr a = { htonl(s->hosts.src) }, b = { htonl(s->hosts.dst) };
	CLEANUP(key_freep) struct key *k = NULL;
	struct esp_sa sa = { .spi = s->spi, .vni = s->vni, .seq = s->seq };
	uint8_t bytes[36];
	size_t i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(seed + i * 37);
	memcpy(sa.salt, bytes + 32, 4);
	must(key_new_from(bytes, 32, &k) == 0);
	sa.key = k;
	must(esp_tx_new(&sa, &s->tx) == 0);
	printf("sa %s %s 0x%08x 0x", inet_ntop(AF_INET, &a, src, sizeof(src)),
	       inet_ntop(AF_INET, &b, dst, sizeof(dst)), s->spi);
	for (i = 0; i < sizeof(bytes); i++)
		printf("%02x", bytes[i]);
	printf("\n");
}

/* @flip: byte of the ESP packet in which a bad wire turns a bit; negative: from the end; FLIP_NONE */
static void packet_put(FILE *f, struct sa *s, uint16_t port, size_t payload, int flip)
{
	static uint8_t frame[ESP_FRAME_MAX], out[OUTER_BYTES + ESP_PACKET_MAX];
	struct host_pair inner = { 0x0a000001, 0x0a000002 };
	struct esp_seal j = { .sa = s->tx,
			      .head = frame,
			      .head_len = INNER_BYTES,
			      .tail = frame + INNER_BYTES,
			      .tail_len = (uint32_t)payload,
			      .out = out + OUTER_BYTES };
	size_t i;

	headers_put(frame, 0x50, inner, port, payload);
	for (i = 0; i < payload; i++)
		frame[INNER_BYTES + i] = (uint8_t)i;
	esp_seal(&j, 1);
	must(j.ret > 0);
	headers_put(out, 0x10, s->hosts, ESP_UDP_PORT, (size_t)j.ret);
	if (flip != FLIP_NONE)
		out[OUTER_BYTES + (flip < 0 ? j.ret + flip : flip)] ^= 1;
	pcap_put(f, out, OUTER_BYTES + (size_t)j.ret);
	printf("packet 0x%08x %u %u %u %zu %s\n", s->spi, esp_tx_seq(s->tx), s->vni, port,
	       INNER_BYTES + payload, flip == FLIP_NONE ? "good" : "bad");
}

int main(int argc, char **argv)
{
	static const uint32_t pcap_header[6] = {
		0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, PCAP_ETHERNET
	};
	static const size_t payloads[] = { 0, 1, 2, 3, 18, 64, 512, 1408, 1458, 8959 };
	const struct host_pair there = { 0x0a4d0001, 0x0a4d0002 },
			       back = { 0x0a4d0002, 0x0a4d0001 };
	struct sa sas[] = {
		{ there, 0x1001, 0x1001, 0, NULL },
		{ back, 0x7f001234, 0x1001, 0, NULL },
		{ there, 0x1002, 0xabcdef, 0, NULL }, /* another network of the same hosts */
		{ there, 0x1003, 0x1001, 0, NULL },   /* the first one's next epoch */
		{ back, 0xffffffff, 1, ESP_SEQ_MAX - 10, NULL }, /* the last numbers */
	};
	FILE *f = argc == 2 ? fopen(argv[1], "wb") : NULL;
	size_t i, k;

	if (!f || crypto_init() < 0 || packet_gcm_init() < 0)
		return 2;
	must(fwrite(pcap_header, sizeof(pcap_header), 1, f) == 1);
	for (i = 0; i < ARRAY_SIZE(sas); i++)
		sa_start(&sas[i], (uint8_t)(i * 50 + 1));
	for (k = 0; k < ARRAY_SIZE(payloads); k++)
		for (i = 0; i < ARRAY_SIZE(sas); i++)
			packet_put(f, &sas[i], (uint16_t)(10000 + k), payloads[k], FLIP_NONE);
	/* A bit of the number (associated data), of the IV, of the ciphertext, of the ICV. */
	packet_put(f, &sas[0], 20000, 100, 5);
	packet_put(f, &sas[0], 20001, 100, 12);
	packet_put(f, &sas[0], 20002, 100, 40);
	packet_put(f, &sas[0], 20003, 100, -1);
	packet_put(f, &sas[0], 20004, 100, FLIP_NONE); /* and the next one is fine */
	for (i = 0; i < ARRAY_SIZE(sas); i++)
		esp_tx_free(sas[i].tx);
	return fclose(f) == 0 ? 0 : 1;
}
