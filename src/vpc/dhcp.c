/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The guest's DHCP server: one address, always the same, for one MAC. Nothing is remembered: what the client may have
 * is what the controller said, whatever it asks for, releases or declines.
 *
 * Options are those EC2 sends; like EC2 there are no classless routes (121): the default router leads everywhere.
 */

#include <string.h>

#include "base/bytes.h"
#include "vpc/vpc_priv.h"

enum {
	BOOTREQUEST = 1,
	BOOTREPLY = 2,
	HTYPE_ETHERNET = 1,
	FLAG_BROADCAST = 0x8000,
	BOOTP_BYTES_MIN = 300, /* spec: rfc-1542 §2.1 */
	SNAME_AND_FILE = 64 + 128,
	CHADDR_REST = 10,
	CLIENT_ID_MAX = 64,
	LEASE_S = 3600,
	SERVER_PORT = 67,
	CLIENT_PORT = 68,
	TTL = 64,
};

static const uint32_t MAGIC = 0x63825363;

enum message { DISCOVER = 1, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM };

/* spec: rfc-2132 */
enum option {
	OPT_PAD = 0,
	OPT_MASK = 1,
	OPT_ROUTER = 3,
	OPT_DNS = 6,
	OPT_HOSTNAME = 12,
	OPT_DOMAIN = 15,
	OPT_MTU = 26,
	OPT_BROADCAST = 28,
	OPT_REQUESTED = 50,
	OPT_LEASE = 51,
	OPT_TYPE = 53,
	OPT_SERVER = 54,
	OPT_RENEW = 58,
	OPT_REBIND = 59,
	OPT_CLIENT_ID = 61,
	OPT_END = 255,
};

struct dhcp_request {
	uint8_t type; /* enum message */
	uint32_t xid, ciaddr;
	uint16_t secs, flags;
	uint32_t requested, server; /* 0: not said */
	uint8_t chaddr[6];
	uint8_t client_id[CLIENT_ID_MAX];
	uint8_t client_id_len;
};

/* One option of @len bytes. Return: false: its length is wrong. */
static bool option(struct dhcp_request *r, uint8_t code, const uint8_t *p, uint8_t len)
{
	switch (code) {
	case OPT_TYPE:
		r->type = p[0];
		return len == 1;
	case OPT_REQUESTED:
		r->requested = be32_load(p);
		return len == 4;
	case OPT_SERVER:
		r->server = be32_load(p);
		return len == 4;
	case OPT_CLIENT_ID:
		if (len > CLIENT_ID_MAX)
			return false;
		memcpy(r->client_id, p, len);
		r->client_id_len = len;
		return true;
	default:
		return true;
	}
}

static bool options(struct rd *in, struct dhcp_request *r)
{
	while (in->left && !in->bad) {
		uint8_t value[UINT8_MAX] = { 0 }, code, len;

		code = rd_u8(in);
		if (code == OPT_END)
			break;
		if (code == OPT_PAD)
			continue;
		len = rd_u8(in);
		rd_bytes(in, value, len);
		if (in->bad || !option(r, code, value, len))
			return false;
	}
	return !in->bad && r->type;
}

/* spec: rfc-2131 §2 */
static bool parse(const uint8_t *p, size_t len, struct dhcp_request *ret)
{
	struct rd in = rd_init(p, len);
	struct dhcp_request r = { 0 };
	uint8_t op, htype, hlen;
	uint32_t giaddr;

	op = rd_u8(&in);
	htype = rd_u8(&in);
	hlen = rd_u8(&in);
	rd_skip(&in, 1); /* hops */
	r.xid = rd_be32(&in);
	r.secs = rd_be16(&in);
	r.flags = rd_be16(&in);
	r.ciaddr = rd_be32(&in);
	rd_skip(&in, 8); /* yiaddr, siaddr */
	giaddr = rd_be32(&in);
	rd_bytes(&in, r.chaddr, sizeof(r.chaddr));
	rd_skip(&in, CHADDR_REST + SNAME_AND_FILE);
	if (rd_be32(&in) != MAGIC || in.bad)
		return false;
	if (op != BOOTREQUEST || htype != HTYPE_ETHERNET || hlen != 6 || giaddr)
		return false;
	if (!options(&in, &r))
		return false;
	*ret = r;
	return true;
}

/* Return: the answer's type, 0: none. spec: rfc-2131 §4.3 */
static uint8_t decide(const struct vpc_port *p, const struct dhcp_request *r)
{
	uint32_t want;

	switch (r->type) {
	case DISCOVER:
		return OFFER;
	case INFORM:
		return r->ciaddr ? ACK : 0;
	case REQUEST:
		if (r->server && r->server != p->router4)
			return 0; /* it took another server's offer */
		want = r->ciaddr ? r->ciaddr : r->requested;
		return want == p->addr4[0] ? ACK : NAK;
	default:
		return 0;
	}
}

static void put_u32(struct wr *w, uint8_t code, uint32_t v)
{
	wr_u8(w, code);
	wr_u8(w, 4);
	wr_be32(w, v);
}

static void put_text(struct wr *w, uint8_t code, const char *s)
{
	size_t len = strnlen(s, VPC_NAME_MAX - 1);

	if (!len)
		return;
	wr_u8(w, code);
	wr_u8(w, (uint8_t)len);
	wr_bytes(w, s, len);
}

static void put_lease(struct wr *w)
{
	put_u32(w, OPT_LEASE, LEASE_S);
	put_u32(w, OPT_RENEW, LEASE_S / 2);
	put_u32(w, OPT_REBIND, LEASE_S / 8 * 7);
}

static void put_options(struct wr *w, const struct vpc_port *p, const struct dhcp_request *r,
			uint8_t type)
{
	const struct vpc_interface *c = &p->conf;

	wr_u8(w, OPT_TYPE);
	wr_u8(w, 1);
	wr_u8(w, type);
	put_u32(w, OPT_SERVER, p->router4);
	if (type != NAK) {
		if (r->type != INFORM)
			put_lease(w);
		put_u32(w, OPT_MASK, ~(UINT32_MAX >> c->subnet_prefix));
		put_u32(w, OPT_BROADCAST, p->broadcast4);
		put_u32(w, OPT_ROUTER, p->router4);
		put_u32(w, OPT_DNS, VPC_DNS_ADDR);
		wr_u8(w, OPT_MTU);
		wr_u8(w, 2);
		wr_be16(w, c->mtu);
		put_text(w, OPT_HOSTNAME, c->hostname);
		put_text(w, OPT_DOMAIN, c->domain);
	}
	if (r->client_id_len) { /* spec: rfc-6842 §3 */
		wr_u8(w, OPT_CLIENT_ID);
		wr_u8(w, r->client_id_len);
		wr_bytes(w, r->client_id, r->client_id_len);
	}
	wr_u8(w, OPT_END);
}

static void put_bootp(struct wr *w, const struct vpc_port *p, const struct dhcp_request *r,
		      uint8_t type)
{
	size_t begin = w->len;

	wr_u8(w, BOOTREPLY);
	wr_u8(w, HTYPE_ETHERNET);
	wr_u8(w, 6);
	wr_u8(w, 0);
	wr_be32(w, r->xid);
	wr_be16(w, 0);
	wr_be16(w, r->flags);
	wr_be32(w, type == NAK ? 0 : r->ciaddr);
	wr_be32(w, type == NAK || r->type == INFORM ? 0 : p->addr4[0]);
	wr_zero(w, 8); /* siaddr, giaddr */
	wr_bytes(w, r->chaddr, 6);
	wr_zero(w, CHADDR_REST + SNAME_AND_FILE);
	wr_be32(w, MAGIC);
	put_options(w, p, r, type);
	if (w->len - begin < BOOTP_BYTES_MIN)
		wr_zero(w, BOOTP_BYTES_MIN - (w->len - begin));
}

/* Ethernet, IP and UDP headers in front of a message of @len bytes. Checksums are put in afterwards. */
static void put_headers(struct wr *w, const struct vpc_port *p, const uint8_t dst_mac[6],
			uint32_t dst, size_t len)
{
	wr_bytes(w, dst_mac, 6);
	wr_bytes(w, p->router_mac, 6);
	wr_be16(w, ETH_TYPE_IPV4);
	wr_be16(w, 0x4500);
	wr_be16(w, (uint16_t)(IPV4_BYTES + UDP_BYTES + len));
	wr_be32(w, 0); /* identification, no fragment */
	wr_u8(w, TTL);
	wr_u8(w, IP_UDP);
	wr_be16(w, 0);
	wr_be32(w, p->router4);
	wr_be32(w, dst);
	wr_be16(w, SERVER_PORT);
	wr_be16(w, CLIENT_PORT);
	wr_be16(w, (uint16_t)(UDP_BYTES + len));
	wr_be16(w, 0);
}

static void put_checksums(struct vpc_reply *reply, uint32_t src, uint32_t dst)
{
	uint8_t *ip = reply->b + ETH_BYTES, *udp = ip + IPV4_BYTES;
	size_t udp_len = reply->len - ETH_BYTES - IPV4_BYTES;
	uint64_t sum = checksum_pseudo4(src, dst, IP_UDP, (uint16_t)udp_len);
	uint16_t check;

	be16_store(ip + 10, checksum_fold(checksum_add(0, ip, IPV4_BYTES)));
	check = checksum_fold(checksum_add(sum, udp, udp_len));
	be16_store(udp + 6, check ? check : 0xffff);
}

bool dhcp_answer(const struct vpc_port *p, const uint8_t *frame, size_t len,
		 struct vpc_reply *reply)
{
	const size_t head = ETH_BYTES + IPV4_BYTES + UDP_BYTES;
	static const uint8_t everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	struct wr out, msg;
	struct dhcp_request r;
	bool all;
	uint32_t dst;
	uint8_t type;

	if (len < head || !parse(frame + head, len - head, &r) ||
	    memcmp(r.chaddr, p->conf.mac, 6) != 0)
		return false;
	type = decide(p, &r);
	if (!type)
		return false;

	all = type == NAK || (!r.ciaddr && r.flags & FLAG_BROADCAST);
	dst = all ? UINT32_MAX : p->addr4[0];
	msg = wr_init(reply->b + head, sizeof(reply->b) - head);
	put_bootp(&msg, p, &r, type);
	out = wr_init(reply->b, head);
	put_headers(&out, p, all ? everybody : p->conf.mac, dst, msg.len);
	must(!msg.bad && !out.bad); /* VPC_REPLY_MAX has room for the longest names */
	reply->len = head + msg.len;
	put_checksums(reply, p->router4, dst);
	return true;
}
