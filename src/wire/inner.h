/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The headers of a frame that the wire decides by: Ethernet, and the addresses of IPv4 or IPv6. Nothing deeper is
 * looked at here; what a packet may do is the card's business, who may say it is ours.
 *
 * INNER_COPY bytes are copied out of a ring once. Every decision is made on that copy, and the same copy is what
 * travels on, so that a card that rewrites its ring meanwhile gains nothing.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum {
	INNER_COPY = 64,     /* Ethernet and a whole IPv6 header, rounded up */
	INNER_MIN = 14 + 20, /* bytes of the shortest frame that can pass */
	INNER_ETH = 14,
};

/* Why a frame does not travel. The order is that of wire_drop_names in stats.c. */
enum inner_verdict {
	INNER_OK,
	INNER_RUNT,      /* too short for its headers, or its lengths contradict each other */
	INNER_ARP,       /* cards answer ARP themselves: it never leaves one */
	INNER_ETHERTYPE, /* neither IPv4 nor IPv6; VLAN tags too */
	INNER_GROUP,     /* to or from a group address: nothing is ever flooded */
};

struct inner {
	uint64_t dst, src;  /* MAC addresses, first byte in bits 47 to 40 */
	uint8_t family;     /* 4 or 6 */
	uint8_t src_ip[16]; /* IPv4: the first four bytes, the rest zero */
	uint8_t dst_ip[16];
};

/* inner_mac(): six bytes as a number. */
uint64_t inner_mac(const uint8_t mac[6]);

/**
 * inner_parse() - read the headers of one frame
 * @copy: its first min(@len, INNER_COPY) bytes, private
 * @len:  bytes of the whole frame; the sender's claim
 * @ret:  filled when INNER_OK
 */
MUST_USE enum inner_verdict inner_parse(const uint8_t *copy, size_t len, struct inner *ret);

/* inner_in_block(): is the IPv4 address @ip in the block @addr/@prefix? */
bool inner_in_block(const uint8_t ip[4], const uint8_t addr[4], unsigned prefix);
