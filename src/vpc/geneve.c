/* SPDX-License-Identifier: Apache-2.0 */
#include "vpc/geneve.h"

#include <errno.h>

#include "base/bytes.h"

enum {
	FLAG_CONTROL = 1 << 7,
	FLAG_CRITICAL = 1 << 6,
	OPT_LEN_MASK = 0x3f, /* in words of 4 bytes */
	VERSION_SHIFT = 6,
};

/* spec: rfc-768; rfc-8926 §3.4 */
void geneve_put(uint8_t out[GENEVE_BYTES], uint32_t vni, uint32_t frame_len)
{
	struct wr w = wr_init(out, GENEVE_BYTES);

	must(vni <= GENEVE_VNI_MAX && frame_len <= UINT16_MAX - GENEVE_BYTES);
	wr_be16(&w, GENEVE_PORT);
	wr_be16(&w, GENEVE_PORT);
	wr_be16(&w, (uint16_t)(GENEVE_BYTES + frame_len));
	wr_be16(&w, 0); /* no checksum: the ICV covers more */
	wr_u8(&w, 0);   /* version 0, no options */
	wr_u8(&w, 0);   /* data, nothing critical */
	wr_be16(&w, GENEVE_PROTO_ETHERNET);
	wr_be32(&w, vni << 8);
}

/* The UDP header. Return: 0 when it is Geneve's and says the length that is there. */
static int udp_parse(struct rd *r, size_t len)
{
	uint16_t dst, udp_len;

	rd_skip(r, 2); /* source port: for spreading, means nothing here */
	dst = rd_be16(r);
	udp_len = rd_be16(r);
	rd_skip(r, 2); /* checksum: not looked at, the ICV has been */
	return !r->bad && dst == GENEVE_PORT && udp_len == len ? 0 : -EPROTO;
}

int geneve_parse(const uint8_t *p, size_t len, struct geneve *ret)
{
	struct rd r = rd_init(p, len);
	uint8_t ver_len, flags;
	uint16_t proto;
	uint32_t vni;

	if (udp_parse(&r, len) < 0)
		return -EPROTO;
	ver_len = rd_u8(&r);
	flags = rd_u8(&r);
	proto = rd_be16(&r);
	vni = rd_be32(&r) >> 8; /* the low byte is reserved: ignored */
	rd_skip(&r, (size_t)(ver_len & OPT_LEN_MASK) * 4);
	if (r.bad || ver_len >> VERSION_SHIFT != 0 || proto != GENEVE_PROTO_ETHERNET)
		return -EPROTO;
	if (flags & (FLAG_CONTROL | FLAG_CRITICAL))
		return -EPROTO;
	if (r.left < GENEVE_FRAME_MIN)
		return -EPROTO;
	ret->vni = vni;
	ret->frame = r.p;
	ret->frame_len = (uint32_t)r.left;
	return 0;
}
