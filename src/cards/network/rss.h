/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Receive side scaling: which RX queue a frame goes to. Toeplitz hash over the fields the driver selected, then a table
 * of 128 entries.
 *
 * The key is kept as the driver writes it: the device's last byte is the algorithm's first (FreeBSD's and DPDK's drivers
 * turn the key around before they hand it over; Linux hands over random bytes). The hash starts at zero whatever initial
 * value the driver names: with that, the published test vectors come out.
 */

#include <stdbool.h>
#include <stdint.h>

#include "cards/network/ena_abi.h"
#include "cards/network/offload.h"

enum {
	RSS_TABLE_LOG2 = 7,
	RSS_TABLE_SIZE = 1 << RSS_TABLE_LOG2,
	RSS_INPUT_MAX = 36, /* bytes: two IPv6 addresses, two ports */
};

struct rss {
	uint8_t key[ENA_RSS_KEY_BYTES]; /* as the driver wrote it */
	bool key_set;                   /* else no hash: 0 */
	uint16_t fields[ENA_RSS_PROTOS_USED];
	uint16_t table[RSS_TABLE_SIZE]; /* RX submission queue indices */
	uint32_t init_val;              /* told back, not used */
	bool words_default;             /* word[] is of the default key */
	/* word[i][b]: what byte b at offset i of the input adds to the hash */
	uint32_t word[RSS_INPUT_MAX][256];
};

/* rss_reset(): no key, default fields, every entry @sq_idx. */
void rss_reset(struct rss *r, uint16_t sq_idx);
void rss_key_set(struct rss *r, const uint8_t key[ENA_RSS_KEY_BYTES]);
/* rss_supported(): the fields that can be selected for @proto. */
uint16_t rss_supported(enum ena_rss_proto proto);
/* rss_hash(): @hdr is the private copy that was classified. */
uint32_t rss_hash(const struct rss *r, const struct offload_class *c, const uint8_t *hdr);
/* rss_queue(): RX submission queue for a hash. */
uint16_t rss_queue(const struct rss *r, uint32_t hash);
