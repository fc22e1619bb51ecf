/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One look at the headers of a frame, from Ethernet to transport: they are copied once, checked, and from then on only
 * the copy and its offsets are used. Part of vpc.h.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum vpc_family { VPC_IPV4 = 4, VPC_IPV6 = 6 };

/* An address in network byte order; IPv4: the first 4 bytes, the rest zero. */
struct vpc_addr {
	uint8_t family; /* enum vpc_family; 0: none */
	uint8_t b[16];
};

enum {
	ETH_BYTES = 14,
	IPV4_BYTES = 20,
	UDP_BYTES = 8,
	TCP_BYTES = 20,
	ICMP_BYTES = 8,
	FRAME_HEADERS_MAX = 128, /* bytes of a frame that may take part in a decision */

	ETH_TYPE_IPV4 = 0x0800,
	ETH_TYPE_ARP = 0x0806,
	ETH_TYPE_VLAN = 0x8100,
	ETH_TYPE_QINQ = 0x88a8,
	ETH_TYPE_IPV6 = 0x86dd,

	IP_ICMP = 1,
	IP_TCP = 6,
	IP_UDP = 17,
	IP_ESP = 50,

	TCP_FIN = 1,
	TCP_SYN = 2,
	TCP_RST = 4,
	TCP_PSH = 8,
	TCP_ACK = 16,
};

enum frame_kind {
	FRAME_ARP = 1,
	FRAME_IPV4 = 2,
};

/* Why frame_parse() refused. */
enum frame_error {
	FRAME_OK,
	FRAME_MALFORMED,
	FRAME_VLAN,
	FRAME_IPV6,
	FRAME_ETHERTYPE,
	FRAME_OPTIONS,
	FRAME_TINY, /* a first fragment without its whole transport header */
};

struct frame {
	uint8_t h[FRAME_HEADERS_MAX]; /* copy: h_len bytes */
	uint16_t h_len;
	uint32_t len; /* of the whole frame as it came; may carry padding */
	uint8_t kind; /* enum frame_kind */
	/* IPv4; addresses in host order */
	uint8_t proto;
	uint8_t l3, l4; /* offsets; l4 == 0: no transport header here (a later fragment) */
	uint16_t
		l3_len; /* of the IP packet, header included: what counts of the frame is l3 + l3_len bytes */
	uint32_t src, dst;
	uint16_t frag_id, frag_off; /* frag_off in bytes */
	bool frag_more;
	/* Transport: TCP and UDP ports; ICMP type and code in icmp_type, icmp_code and the echo identifier in sport and dport */
	uint16_t sport, dport;
	uint8_t tcp_flags;
	uint8_t icmp_type, icmp_code;
	uint8_t l4_hdr; /* bytes of the transport header; 0 for protocols not looked into */
};

/**
 * frame_parse() - copy and check the headers of a frame
 * @p:    the frame's first @have bytes, which may change meanwhile; read once
 * @have: bytes at @p: at least min(@len, FRAME_HEADERS_MAX), or all headers up to and including TCP
 * @len:  bytes of the whole frame
 * @ret:  complete on success; on failure only h, h_len and len are valid
 *
 * Strict: a frame whose lengths contradict each other is malformed. Padding behind the IP packet is allowed.
 * Return: 0, or -EPROTO and *ret_error says why.
 */
MUST_USE int frame_parse(const void *p, size_t have, size_t len, struct frame *ret,
			 enum frame_error *ret_error);

/* frame_is_fragment(): any fragment, the first one included. */
static inline bool frame_is_fragment(const struct frame *f)
{
	return f->frag_off || f->frag_more;
}

static inline const uint8_t *frame_dst_mac(const struct frame *f)
{
	return f->h;
}

static inline const uint8_t *frame_src_mac(const struct frame *f)
{
	return f->h + 6;
}

/* The frame's addresses as vpc_addr. */
struct vpc_addr frame_src(const struct frame *f);
struct vpc_addr frame_dst(const struct frame *f);

struct vpc_addr vpc_ipv4(uint32_t host_order);
/* vpc_addr_ipv4(): host order; 0 if it is no IPv4 address. */
uint32_t vpc_addr_ipv4(const struct vpc_addr *a);
bool vpc_addr_equal(const struct vpc_addr *a, const struct vpc_addr *b);
/* vpc_addr_in(): is @a inside @block/@prefix? Never across families. */
bool vpc_addr_in(const struct vpc_addr *a, const struct vpc_addr *block, unsigned prefix);
