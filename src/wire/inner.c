/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/inner.h"

#include <string.h>

#include "base/bytes.h"

enum {
	ETHERTYPE_IPV4 = 0x0800,
	ETHERTYPE_ARP = 0x0806,
	ETHERTYPE_IPV6 = 0x86dd,
	IPV4_MIN = 20,
	IPV6_HEADER = 40,
};

#define MAC_GROUP ((uint64_t)1 << 40)

uint64_t inner_mac(const uint8_t mac[6])
{
	return (uint64_t)mac[0] << 40 | (uint64_t)mac[1] << 32 | (uint64_t)mac[2] << 24 |
	       (uint64_t)mac[3] << 16 | (uint64_t)mac[4] << 8 | mac[5];
}

/* @left: bytes behind the Ethernet header. */
static enum inner_verdict ipv4_parse(struct rd *in, size_t left, struct inner *ret)
{
	unsigned head, total;
	uint8_t first;

	first = rd_u8(in);
	rd_skip(in, 1); /* DSCP, ECN */
	total = rd_be16(in);
	rd_skip(in, 8); /* id, fragment, TTL, protocol, checksum */
	rd_bytes(in, ret->src_ip, 4);
	rd_bytes(in, ret->dst_ip, 4);
	head = (first & 15U) * 4;
	if (in->bad || first >> 4 != 4 || head < IPV4_MIN || total < head || total > left)
		return INNER_RUNT;
	ret->family = 4;
	return INNER_OK;
}

static enum inner_verdict ipv6_parse(struct rd *in, size_t left, struct inner *ret)
{
	unsigned payload;
	uint8_t first;

	first = rd_u8(in);
	rd_skip(in, 3);
	payload = rd_be16(in);
	rd_skip(in, 2); /* next header, hop limit */
	rd_bytes(in, ret->src_ip, 16);
	rd_bytes(in, ret->dst_ip, 16);
	if (in->bad || first >> 4 != 6 || left < IPV6_HEADER || payload > left - IPV6_HEADER)
		return INNER_RUNT;
	ret->family = 6;
	return INNER_OK;
}

enum inner_verdict inner_parse(const uint8_t *copy, size_t len, struct inner *ret)
{
	struct rd in = rd_init(copy, len < INNER_COPY ? len : INNER_COPY);
	struct inner i = { .family = 0 };
	enum inner_verdict v;
	uint8_t mac[6];
	unsigned type;

	rd_bytes(&in, mac, 6);
	i.dst = inner_mac(mac);
	rd_bytes(&in, mac, 6);
	i.src = inner_mac(mac);
	type = rd_be16(&in);
	if (in.bad)
		return INNER_RUNT;
	if (type == ETHERTYPE_ARP)
		return INNER_ARP;
	if ((i.dst | i.src) & MAC_GROUP)
		return INNER_GROUP;
	if (type == ETHERTYPE_IPV4)
		v = ipv4_parse(&in, len - INNER_ETH, &i);
	else if (type == ETHERTYPE_IPV6)
		v = ipv6_parse(&in, len - INNER_ETH, &i);
	else
		v = INNER_ETHERTYPE;
	if (v == INNER_OK)
		*ret = i;
	return v;
}

bool inner_in_block(const uint8_t ip[4], const uint8_t addr[4], unsigned prefix)
{
	uint32_t mask = prefix == 0 ? 0 : prefix >= 32 ? UINT32_MAX : ~(UINT32_MAX >> prefix);
	struct rd a = rd_init(ip, 4), b = rd_init(addr, 4);

	return ((rd_be32(&a) ^ rd_be32(&b)) & mask) == 0;
}
