/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One Ethernet frame in one ESP packet: sealing and opening. docs/wire/overlay.md shows every byte.
 *
 *   UDP 4500 payload:  SPI, sequence number | IV | UDP 6081, Geneve, Ethernet frame, pad, pad length, 17 | ICV
 *                      associated data             encrypted
 *
 * An SA is one direction of one network (VNI) between two hosts in one epoch. The sending SA's sequence number is
 * its GCM counter: it begins at 1, never wraps and is refused after ESP_SEQ_MAX, by the object that holds the key.
 *
 * Buffers are private memory. Frames may lie in shared memory: they are copied once, then sealed in the copy.
 * Received packets are opened in place or into another private buffer, and hand over nothing before the ICV is
 * verified. One SA is used by one thread at a time.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "crypto/key.h"
#include "vpc/geneve.h"

enum {
	ESP_UDP_PORT = 4500,
	ESP_SPI_MIN = 256, /* below: reserved; 0 is the marker of what is not ESP */
	ESP_HDR_BYTES = 8, /* SPI, sequence number */
	ESP_IV_BYTES = 8,
	ESP_ICV_BYTES = 16,
	/* 32: where the frame lies in the packet. */
	ESP_FRAME_OFF = ESP_HDR_BYTES + ESP_IV_BYTES + GENEVE_BYTES,
	ESP_TRAILER_MAX = 3 + 2 + ESP_ICV_BYTES,
	/* 53 bytes around a frame, outer IP and UDP not counted. */
	ESP_OVERHEAD_MAX = ESP_FRAME_OFF + ESP_TRAILER_MAX,
	ESP_FRAME_MAX = 9216,
	ESP_PACKET_MIN = ESP_FRAME_OFF + GENEVE_FRAME_MIN + 2 + ESP_ICV_BYTES, /* 64 */
	/* UDP payload; a received one may be longer by options. */
	ESP_PACKET_MAX = ESP_FRAME_MAX + ESP_OVERHEAD_MAX,
	ESP_BATCH_MAX = 64,
};
#define ESP_SEQ_MAX 0xffffffffu /* hard limit of packets under one key */

/* Soft limits: reaching any of them, esp_tx_wants_rekey() says so. */
#define ESP_SOFT_PACKETS ((uint64_t)1 << 28)
#define ESP_SOFT_BLOCKS ((uint64_t)1 << 34) /* 16-byte AES blocks: 256 GiB */
#define ESP_SOFT_AGE_NS ((uint64_t)15 * 60 * 1000000000)

struct esp_tx; /* opaque: sending SA */
struct esp_rx; /* opaque: receiving SA */

/* What an SA is made of. */
struct esp_sa {
	uint32_t spi;          /* at least ESP_SPI_MIN; the receiver's choice */
	uint32_t vni;          /* 1..GENEVE_VNI_MAX */
	const struct key *key; /* 32 bytes; copied, may be freed after */
	uint8_t salt[4];
	uint64_t now_ns; /* the caller's monotonic clock: start of its life */
	/* 0: fresh. Else, for tests of the limits: last number used or seen, AES blocks used. */
	uint32_t seq;
	uint64_t blocks;
};

/* esp_tx_new(), esp_rx_new(): Return: 0 and *ret (owned), -EINVAL (spi, vni, key length), -ENOMEM. */
MUST_USE int esp_tx_new(const struct esp_sa *sa, struct esp_tx **ret);
MUST_USE int esp_rx_new(const struct esp_sa *sa, struct esp_rx **ret);
void esp_tx_free(struct esp_tx *t); /* wipes the key; NULL is fine */
void esp_rx_free(struct esp_rx *x);
void esp_tx_freep(struct esp_tx **t);
void esp_rx_freep(struct esp_rx **x);

/* Last number used, AES blocks used; highest number seen. */
uint32_t esp_tx_seq(const struct esp_tx *t);
uint64_t esp_tx_blocks(const struct esp_tx *t);
uint32_t esp_rx_seq(const struct esp_rx *x);

/* esp_tx_wants_rekey(): has a soft limit been reached? Packets are still sealed until the hard one. */
MUST_USE bool esp_tx_wants_rekey(const struct esp_tx *t, uint64_t now_ns);

/* One frame to seal: head, then tail. */
struct esp_seal {
	struct esp_tx *sa;
	const uint8_t *head; /* private copy of the headers that were judged */
	uint32_t head_len;
	const uint8_t *tail; /* the rest, may be shared memory; NULL when tail_len is 0 */
	uint32_t tail_len;   /* head_len + tail_len: GENEVE_FRAME_MIN..ESP_FRAME_MAX */
	uint8_t *out; /* private; head_len + tail_len + ESP_OVERHEAD_MAX bytes; overlaps neither */
	int ret; /* result: bytes of the packet; -EKEYEXPIRED at the hard limit; -EINVAL; -EIO */
};

/**
 * esp_seal() - seal frames, in this order of sequence numbers
 * @cnt: 1..ESP_BATCH_MAX
 *
 * Each has its own result. Where it is negative, nothing of the frame is left in @out.
 */
void esp_seal(struct esp_seal *jobs, unsigned cnt);

/**
 * esp_peek() - whose packet is this?
 * Return: 0 and the header's fields, not authenticated yet; -EPROTO when it cannot be one of ours (too short, too long,
 * SPI below ESP_SPI_MIN).
 */
MUST_USE int esp_peek(const uint8_t *packet, size_t len, uint32_t *ret_spi, uint32_t *ret_seq);

/* One packet to open. */
struct esp_open {
	struct esp_rx *sa;
	const uint8_t *packet; /* UDP payload, private memory */
	uint32_t len;          /* bytes */
	uint8_t *out; /* private, @len bytes: @packet itself, or memory that does not overlap it */
	const uint8_t *frame; /* result: the inner frame, inside @out */
	uint32_t frame_len;   /* GENEVE_FRAME_MIN..ESP_FRAME_MAX */
	int ret;              /* result: 0, or see esp_open() */
};

/**
 * esp_open() - check the number, decrypt, verify, mark the number, look inside; each packet in its turn
 * @cnt: 1..ESP_BATCH_MAX
 *
 * Results: 0; -EPROTO not a packet of this SA, or authentic but not what we send (another VNI, bad padding, not
 * Geneve); -EALREADY seen before or too old; -EBADMSG not authentic; -EIO.
 * After -EBADMSG the window is as it was and @out is wiped.
 */
void esp_open(struct esp_open *jobs, unsigned cnt);
