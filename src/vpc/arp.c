/* SPDX-License-Identifier: Apache-2.0 */

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "vpc/vpc_priv.h"

enum { ARP_ETHERNET = 1, ARP_REQUEST = 1, ARP_REPLY = 2, ARP_FRAME_BYTES = 42, ARP_FRAME_MIN = 60 };

int arp_parse(const struct frame *f, struct arp_request *ret)
{
	struct rd in = rd_init(f->h + ETH_BYTES, f->h_len - (size_t)ETH_BYTES);
	struct arp_request r;
	uint8_t target_mac[6];
	uint64_t head;

	head = rd_be64(&in); /* hardware, protocol, their lengths, operation */
	rd_bytes(&in, r.sender_mac, sizeof(r.sender_mac));
	r.sender = rd_be32(&in);
	rd_bytes(&in, target_mac, sizeof(target_mac));
	r.target = rd_be32(&in);
	if (in.bad || head != ((uint64_t)ARP_ETHERNET << 48 | (uint64_t)ETH_TYPE_IPV4 << 32 |
			       6 << 24 | 4 << 16 | ARP_REQUEST))
		return -EPROTO;
	/* It speaks for the one who sent it. */
	if (memcmp(r.sender_mac, frame_src_mac(f), 6) != 0)
		return -EPROTO;
	*ret = r;
	return 0;
}

/* The packet after its Ethernet header, and the padding. */
static void arp_body(struct wr *out, uint16_t op, const struct arp_request *from,
		     const uint8_t to_mac[6])
{
	wr_be16(out, ARP_ETHERNET);
	wr_be16(out, ETH_TYPE_IPV4);
	wr_u8(out, 6);
	wr_u8(out, 4);
	wr_be16(out, op);
	wr_bytes(out, from->sender_mac, 6);
	wr_be32(out, from->sender);
	wr_bytes(out, to_mac, 6);
	wr_be32(out, from->target);
	wr_zero(out, ARP_FRAME_MIN - ARP_FRAME_BYTES);
}

void arp_reply_build(const struct arp_request *req, const uint8_t mac[6], struct vpc_reply *ret)
{
	struct wr out = wr_init(ret->b, sizeof(ret->b));
	struct arp_request from = { .sender = req->target, .target = req->sender };

	memcpy(from.sender_mac, mac, 6);
	wr_bytes(&out, req->sender_mac, 6);
	wr_bytes(&out, mac, 6);
	wr_be16(&out, ETH_TYPE_ARP);
	arp_body(&out, ARP_REPLY, &from, req->sender_mac);
	ret->len = out.len;
}

int vpc_probe(const struct vpc_port *p, struct vpc_reply *ret)
{
	static const uint8_t nobody[6];
	struct wr out = wr_init(ret->b, sizeof(ret->b));
	struct arp_request from;

	if (!vpc_port_interface(p) || p->conf.addr_cnt == 0 || p->conf.addr[0].family != VPC_IPV4)
		return -ENOENT;
	from.sender = p->router4;
	from.target = be32_load(p->conf.addr[0].b);
	memcpy(from.sender_mac, p->router_mac, 6);
	wr_bytes(&out, p->conf.mac, 6);
	wr_bytes(&out, p->router_mac, 6);
	wr_be16(&out, ETH_TYPE_ARP);
	arp_body(&out, ARP_REQUEST, &from, nobody);
	ret->len = out.len;
	return 0;
}
