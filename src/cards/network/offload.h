/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Checksums and TCP segmentation, on private copies of headers; payload only passes by.
 *
 * The guest's descriptors claim where headers lie. offload_plan() holds the claims against the bytes once and makes a
 * plan; from then on only the plan's offsets are used. What comes out is byte for byte what Linux makes in software of
 * the same packet (tests/native/offload_oracle_test.c asks a kernel).
 *
 * And for frames that go to the guest: what they are, and whether their checksums are right.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum {
	OFFLOAD_HDR_MAX = 256, /* of a packet to be segmented: Ethernet, IP, TCP */
	OFFLOAD_MSS_MIN = 32,  /* below what any TCP sends */
};

/* What the guest asks for; unchecked. */
struct offload_req {
	bool tso, l3_csum, l4_csum;
	bool l4_partial;                  /* the checksum field holds the pseudo header's sum */
	bool ipv6, tcp;                   /* else IPv4, UDP */
	uint8_t l3_off, l3_len, l4_words; /* bytes, bytes, 32-bit words (segmentation only) */
	uint16_t mss;
};

/* What will be done. All offsets lie inside the header copy. */
struct offload_plan {
	bool tso, l3_csum, l4_csum, l4_partial, ipv6;
	uint8_t proto;           /* IP protocol for the pseudo header */
	uint16_t l3_off, l4_off; /* in the frame */
	uint16_t check_off;      /* of the L4 checksum field; valid with l4_csum */
	uint16_t hdr_len;        /* segmentation: headers of each frame */
	uint16_t mss;
	uint32_t payload_len; /* segmentation: bytes behind the headers */
	uint32_t seg_cnt;     /* frames; 1 without segmentation */
};

/* offload_hdr_need(): bytes of the packet that offload_plan() must see: headers to be repeated, or (0) "as you like". */
size_t offload_hdr_need(const struct offload_req *q);

/**
 * offload_plan() - check the claims
 * @hdr:       private copy of the first @hdr_len bytes
 * @len:       bytes of the whole packet
 * @frame_max: longest frame there may be, Ethernet header included
 *
 * Return: 0, -EPROTO the claims do not fit the packet: drop it.
 */
MUST_USE int offload_plan(const struct offload_req *q, const uint8_t *hdr, size_t hdr_len,
			  size_t len, size_t frame_max, struct offload_plan *ret);

/**
 * offload_headers() - headers of one frame, but for the L4 checksum
 * @orig: the packet's headers, plan->hdr_len bytes
 * @idx:  below plan->seg_cnt
 * @hdr:  plan->hdr_len bytes, written
 * Return: bytes of payload that follow. For segmentation only.
 */
size_t offload_headers(const struct offload_plan *p, const uint8_t *orig, uint32_t idx,
		       uint8_t *hdr);

/* offload_prepare(): what is to be done in the headers of a packet that is not segmented, but for the L4 checksum. */
void offload_prepare(const struct offload_plan *p, uint8_t *hdr);

/**
 * offload_l4() - the L4 checksum of a complete frame
 * @hdr:   private headers, through the L4 header
 * @frame: @len bytes as they will be sent; read once from the end of the headers on, written in the checksum field
 * @hdr_len: bytes of the frame that @hdr holds
 */
void offload_l4(const struct offload_plan *p, const uint8_t *hdr, size_t hdr_len, uint8_t *frame,
		size_t len);

/* What a frame is. */
struct offload_class {
	bool ipv4, ipv6, frag; /* frag: any fragment */
	bool tcp, udp;         /* with a whole L4 header in view; not for fragments */
	bool l3_bad;           /* IPv4 header checksum is wrong */
	uint16_t l3_off, l4_off;
	uint16_t
		l4_len; /* bytes of L4 header and payload by the IP header's word; fits the frame */
};

/**
 * offload_classify() - what a frame is, from a private copy of its headers
 * @len: of the whole frame
 */
void offload_classify(const uint8_t *hdr, size_t hdr_len, size_t len, struct offload_class *ret);

/**
 * offload_verify() - is the L4 checksum right? For a frame that was classified as TCP or UDP.
 * @rest: the frame from @hdr_len on
 */
MUST_USE bool offload_verify(const struct offload_class *c, const uint8_t *hdr, size_t hdr_len,
			     const uint8_t *rest);
