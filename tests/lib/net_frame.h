/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Frames for tests, made field by field and not by the code under test. Checksums of IPv4 headers are right unless the
 * caller spoils them; those of TCP, UDP and ICMP are not made: the datapath does not look at them.
 */

#include <stddef.h>
#include <stdint.h>

enum { NET_FRAME_MAX = 9216 };

struct net_frame {
	uint8_t b[NET_FRAME_MAX];
	size_t len;
};

#define NET_IP(a, b, c, d)                                                                         \
	((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

void net_eth(struct net_frame *f, const uint8_t dst[6], const uint8_t src[6], uint16_t type);
/* net_ipv4(): after net_eth(); @l4_len zero bytes follow. */
void net_ipv4(struct net_frame *f, uint32_t src, uint32_t dst, uint8_t proto, size_t l4_len);
/* After net_ipv4(); they fill the beginning of its payload. */
void net_udp(struct net_frame *f, uint16_t sport, uint16_t dport);
void net_tcp(struct net_frame *f, uint16_t sport, uint16_t dport, uint8_t flags);
void net_icmp(struct net_frame *f, uint8_t type, uint8_t code, uint16_t id);
/* net_quote(): the IPv4 header and 8 bytes of @of as the payload of an ICMP message. */
void net_quote(struct net_frame *f, const struct net_frame *of);
/* net_frag(): sets identification, offset in bytes and "more"; repairs the checksum. */
void net_frag(struct net_frame *f, uint16_t id, unsigned off, int more);
/* net_ip_fix(): the header's checksum after the caller changed it; honours IHL. */
void net_ip_fix(struct net_frame *f);
void net_arp(struct net_frame *f, const uint8_t dst[6], const uint8_t src[6], uint16_t op,
	     const uint8_t sha[6], uint32_t spa, uint32_t tpa);
void net_put16(uint8_t *p, uint16_t v);
void net_put32(uint8_t *p, uint32_t v);
