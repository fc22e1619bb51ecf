/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The Geneve header between two hosts, and the UDP header before it. Both lie inside ESP: whoever reads them has
 * verified them. docs/wire/overlay.md shows the whole frame.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum {
	GENEVE_UDP_BYTES = 8,
	GENEVE_HDR_BYTES = 8,                               /* without options: we send none */
	GENEVE_BYTES = GENEVE_UDP_BYTES + GENEVE_HDR_BYTES, /* before the inner Ethernet frame */
	GENEVE_OPTIONS_MAX = 63 * 4,
	GENEVE_PORT = 6081,
	GENEVE_PROTO_ETHERNET = 0x6558, /* Transparent Ethernet Bridging */
	GENEVE_VNI_MAX = (1 << 24) - 1,
	GENEVE_FRAME_MIN = 14, /* an Ethernet header */
};

struct geneve {
	uint32_t vni;
	const uint8_t *frame; /* borrowed: inside the parsed bytes */
	uint32_t frame_len;
};

/* geneve_put(): both headers, GENEVE_BYTES, for a frame of @frame_len bytes; @vni is at most GENEVE_VNI_MAX. */
void geneve_put(uint8_t out[GENEVE_BYTES], uint32_t vni, uint32_t frame_len);

/* geneve_put_len(): only the length, into headers that geneve_put() wrote. */
static inline void geneve_put_len(uint8_t out[GENEVE_BYTES], uint32_t frame_len)
{
	out[4] = (uint8_t)((GENEVE_BYTES + frame_len) >> 8);
	out[5] = (uint8_t)(GENEVE_BYTES + frame_len);
}

/**
 * geneve_parse() - UDP header, Geneve header, inner frame
 * @p:    @len bytes, exactly the UDP datagram
 *
 * Options without the critical bit are passed over, as RFC 8926 allows; the critical bit, the control bit, another
 * version or protocol, another destination port, or lengths that contradict each other are refused.
 * spec: rfc-8926 §3.4, §3.5; rfc-768
 * Return: 0, -EPROTO.
 */
MUST_USE int geneve_parse(const uint8_t *p, size_t len, struct geneve *ret);
