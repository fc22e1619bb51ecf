/* SPDX-License-Identifier: Apache-2.0 */
#include "nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"

/*
 * The rules, in nft's own words (G is nitergw*, U the uplink; "ours" is established or related):
 *
 *   prerouting  nat     U to this host, tcp dport P                 dnat to an outside address
 *   output      nat     to this host, tcp dport P                   the same, for the host's own programs
 *   postrouting nat     oif U, saddr 100.64/16, daddr not           masquerade
 *                       oif G, saddr 127/8                          masquerade
 *   forward     filter  iif G, oif not U                            drop     no other network, no other device
 *                       iif G, not IPv4, or saddr not in 100.64/16  drop
 *                       iif G, ours                                 accept
 *                       iif G, daddr special or in U's own network  drop     no metadata, management, neighbours
 *                       iif G                                       accept
 *                       oif G, ours; oif G, iif U, dnat'ed          accept
 *                       oif G                                       drop
 *                       iif U (when only_guests)                    drop
 *   input       filter  iif G, ours                                 accept   answers to what the host began
 *                       iif G                                       drop     nothing else reaches the host itself
 */

static const char table_name[] = "niter";
static const char tap_prefix[] = "nitergw";

enum { REG1 = NFT_REG_1, REG2 = NFT_REG_2 };
enum { CT_OURS = 2 | 4 /* established, related: NF_CT_STATE_BIT() */, CT_DNAT = IPS_DST_NAT };

/* ---- messages and attributes: headers in host order, values as nf_tables wants them (big-endian numbers) ---- */

struct batch {
	struct wr w;
	uint32_t seq;
	size_t msg;  /* offset of the open message */
	size_t rule; /* offset of the open rule's list of expressions */
};

static void put_host32(struct wr *w, uint32_t v)
{
	wr_bytes(w, &v, sizeof(v));
}

static void put_host16(struct wr *w, uint16_t v)
{
	wr_bytes(w, &v, sizeof(v));
}

static void len_patch(struct batch *b, size_t at, size_t bytes)
{
	uint16_t short_len = (uint16_t)(b->w.len - at);
	uint32_t len = (uint32_t)(b->w.len - at);

	if (b->w.bad)
		return;
	if (bytes == sizeof(short_len))
		memcpy(b->w.p + at, &short_len, sizeof(short_len));
	else
		memcpy(b->w.p + at, &len, sizeof(len));
}

static void pad(struct batch *b)
{
	wr_zero(&b->w, NLMSG_ALIGN(b->w.len) - b->w.len);
}

static void msg_open(struct batch *b, unsigned type, unsigned flags, uint8_t family,
		     uint16_t res_id)
{
	b->msg = b->w.len;
	put_host32(&b->w, 0);
	put_host16(&b->w, (uint16_t)type);
	put_host16(&b->w, (uint16_t)(NLM_F_REQUEST | flags));
	put_host32(&b->w, b->seq++);
	put_host32(&b->w, 0);
	wr_u8(&b->w, family);
	wr_u8(&b->w, NFNETLINK_V0);
	wr_be16(&b->w, res_id);
}

static void msg_close(struct batch *b)
{
	pad(b);
	len_patch(b, b->msg, sizeof(uint32_t));
}

static void nft_msg(struct batch *b, unsigned type, unsigned flags)
{
	msg_open(b, (NFNL_SUBSYS_NFTABLES << 8) | type, flags | NLM_F_ACK, NFPROTO_INET, 0);
}

static size_t nest_open(struct batch *b, uint16_t type)
{
	size_t at = b->w.len;

	put_host16(&b->w, 0);
	put_host16(&b->w, type | NLA_F_NESTED);
	return at;
}

static void nest_close(struct batch *b, size_t at)
{
	len_patch(b, at, sizeof(uint16_t));
}

static void attr_bytes(struct batch *b, uint16_t type, const void *p, size_t len)
{
	put_host16(&b->w, (uint16_t)(sizeof(struct nlattr) + len));
	put_host16(&b->w, type);
	wr_bytes(&b->w, p, len);
	pad(b);
}

static void attr_text(struct batch *b, uint16_t type, const char *s)
{
	attr_bytes(b, type, s, strlen(s) + 1);
}

static void attr_be32(struct batch *b, uint16_t type, uint32_t v)
{
	uint32_t be = htonl(v);

	attr_bytes(b, type, &be, sizeof(be));
}

/* ---- table, chains, rules ---- */

static void table(struct batch *b, unsigned type, unsigned flags)
{
	nft_msg(b, type, flags);
	attr_text(b, NFTA_TABLE_NAME, table_name);
	if (type == NFT_MSG_NEWTABLE)
		attr_be32(b, NFTA_TABLE_FLAGS, NFT_TABLE_F_OWNER);
	msg_close(b);
}

static void chain(struct batch *b, const char *name, const char *type, unsigned hook, int prio)
{
	size_t nest;

	nft_msg(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	attr_text(b, NFTA_CHAIN_TABLE, table_name);
	attr_text(b, NFTA_CHAIN_NAME, name);
	nest = nest_open(b, NFTA_CHAIN_HOOK);
	attr_be32(b, NFTA_HOOK_HOOKNUM, hook);
	attr_be32(b, NFTA_HOOK_PRIORITY, (uint32_t)prio);
	nest_close(b, nest);
	attr_be32(b, NFTA_CHAIN_POLICY, NF_ACCEPT);
	attr_text(b, NFTA_CHAIN_TYPE, type);
	msg_close(b);
}

static void rule_open(struct batch *b, const char *chain_name)
{
	nft_msg(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
	attr_text(b, NFTA_RULE_TABLE, table_name);
	attr_text(b, NFTA_RULE_CHAIN, chain_name);
	b->rule = nest_open(b, NFTA_RULE_EXPRESSIONS);
}

static void rule_close(struct batch *b)
{
	nest_close(b, b->rule);
	msg_close(b);
}

/* An expression: its element is left open at @ret[0], its data at @ret[1]. */
static void expr_open(struct batch *b, const char *name, size_t ret[2])
{
	ret[0] = nest_open(b, NFTA_LIST_ELEM);
	attr_text(b, NFTA_EXPR_NAME, name);
	ret[1] = nest_open(b, NFTA_EXPR_DATA);
}

static void expr_close(struct batch *b, const size_t at[2])
{
	nest_close(b, at[1]);
	nest_close(b, at[0]);
}

static void data(struct batch *b, uint16_t type, const void *p, size_t len)
{
	size_t nest = nest_open(b, type);

	attr_bytes(b, NFTA_DATA_VALUE, p, len);
	nest_close(b, nest);
}

static void meta(struct batch *b, enum nft_meta_keys key)
{
	size_t e[2];

	expr_open(b, "meta", e);
	attr_be32(b, NFTA_META_DREG, REG1);
	attr_be32(b, NFTA_META_KEY, key);
	expr_close(b, e);
}

static void cmp(struct batch *b, bool equal, const void *p, size_t len)
{
	size_t e[2];

	expr_open(b, "cmp", e);
	attr_be32(b, NFTA_CMP_SREG, REG1);
	attr_be32(b, NFTA_CMP_OP, equal ? NFT_CMP_EQ : NFT_CMP_NEQ);
	data(b, NFTA_CMP_DATA, p, len);
	expr_close(b, e);
}

static void mask(struct batch *b, const void *bits, uint32_t len)
{
	static const uint8_t zero[4];
	size_t e[2];

	expr_open(b, "bitwise", e);
	attr_be32(b, NFTA_BITWISE_SREG, REG1);
	attr_be32(b, NFTA_BITWISE_DREG, REG1);
	attr_be32(b, NFTA_BITWISE_LEN, len);
	data(b, NFTA_BITWISE_MASK, bits, len);
	data(b, NFTA_BITWISE_XOR, zero, len);
	expr_close(b, e);
}

static void payload(struct batch *b, enum nft_payload_bases base, uint32_t off, uint32_t len)
{
	size_t e[2];

	expr_open(b, "payload", e);
	attr_be32(b, NFTA_PAYLOAD_DREG, REG1);
	attr_be32(b, NFTA_PAYLOAD_BASE, base);
	attr_be32(b, NFTA_PAYLOAD_OFFSET, off);
	attr_be32(b, NFTA_PAYLOAD_LEN, len);
	expr_close(b, e);
}

static void verdict(struct batch *b, uint32_t code)
{
	size_t e[2], d, v;

	expr_open(b, "immediate", e);
	attr_be32(b, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	d = nest_open(b, NFTA_IMMEDIATE_DATA);
	v = nest_open(b, NFTA_DATA_VERDICT);
	attr_be32(b, NFTA_VERDICT_CODE, code);
	nest_close(b, v);
	nest_close(b, d);
	expr_close(b, e);
}

static void immediate(struct batch *b, uint32_t reg, const void *p, size_t len)
{
	size_t e[2];

	expr_open(b, "immediate", e);
	attr_be32(b, NFTA_IMMEDIATE_DREG, reg);
	data(b, NFTA_IMMEDIATE_DATA, p, len);
	expr_close(b, e);
}

static void masquerade(struct batch *b)
{
	size_t e[2];

	expr_open(b, "masq", e);
	expr_close(b, e);
}

/* ---- what rules are made of ---- */

static void from_guests(struct batch *b)
{
	meta(b, NFT_META_IIFNAME);
	cmp(b, true, tap_prefix, sizeof(tap_prefix) - 1);
}

static void to_guests(struct batch *b)
{
	meta(b, NFT_META_OIFNAME);
	cmp(b, true, tap_prefix, sizeof(tap_prefix) - 1);
}

static void device(struct batch *b, enum nft_meta_keys key, bool equal,
		   const char name[NFT_NAME_MAX])
{
	char full[NFT_NAME_MAX] = "";

	memcpy(full, name, strnlen(name, NFT_NAME_MAX - 1));
	meta(b, key);
	cmp(b, equal, full, sizeof(full));
}

static void ipv4(struct batch *b, bool equal)
{
	const uint8_t family = NFPROTO_IPV4;

	meta(b, NFT_META_NFPROTO);
	cmp(b, equal, &family, sizeof(family));
}

enum { SADDR = 12, DADDR = 16 };

static void address(struct batch *b, uint32_t off, bool equal, uint32_t block, unsigned prefix)
{
	uint32_t bits = htonl((uint32_t)(UINT64_MAX << (32 - prefix))), want = htonl(block) & bits;

	payload(b, NFT_PAYLOAD_NETWORK_HEADER, off, sizeof(bits));
	mask(b, &bits, sizeof(bits));
	cmp(b, equal, &want, sizeof(want));
}

static void ct(struct batch *b, enum nft_ct_keys key, uint32_t bits)
{
	const uint32_t zero = 0;
	size_t e[2];

	expr_open(b, "ct", e);
	attr_be32(b, NFTA_CT_DREG, REG1);
	attr_be32(b, NFTA_CT_KEY, key);
	expr_close(b, e);
	mask(b, &bits, sizeof(bits));
	cmp(b, false, &zero, sizeof(zero));
}

static void to_this_host(struct batch *b)
{
	const uint32_t local = RTN_LOCAL;
	size_t e[2];

	expr_open(b, "fib", e);
	attr_be32(b, NFTA_FIB_DREG, REG1);
	attr_be32(b, NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
	attr_be32(b, NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR);
	expr_close(b, e);
	cmp(b, true, &local, sizeof(local));
}

#define OUTSIDE_BLOCK 0x64400000u /* 100.64.0.0/16 */
enum { OUTSIDE_PREFIX = 16 };

static void forward_rule(struct batch *b, const char *chain_name, const char *uplink,
			 const struct nft_forward *f)
{
	const uint8_t tcp = IPPROTO_TCP;
	uint16_t host_port = htons(f->host_port), port = htons(f->port);
	size_t e[2];

	rule_open(b, chain_name);
	if (uplink)
		device(b, NFT_META_IIFNAME, true, uplink);
	ipv4(b, true);
	meta(b, NFT_META_L4PROTO);
	cmp(b, true, &tcp, sizeof(tcp));
	payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, 2, sizeof(host_port));
	cmp(b, true, &host_port, sizeof(host_port));
	to_this_host(b);
	immediate(b, REG1, f->addr, sizeof(f->addr));
	immediate(b, REG2, &port, sizeof(port));
	expr_open(b, "nat", e);
	attr_be32(b, NFTA_NAT_TYPE, NFT_NAT_DNAT);
	attr_be32(b, NFTA_NAT_FAMILY, NFPROTO_IPV4);
	attr_be32(b, NFTA_NAT_REG_ADDR_MIN, REG1);
	attr_be32(b, NFTA_NAT_REG_PROTO_MIN, REG2);
	expr_close(b, e);
	rule_close(b);
}

static void nat_chains(struct batch *b, const struct nft_rules *r)
{
	unsigned i;

	chain(b, "prerouting", "nat", NF_INET_PRE_ROUTING, -100);
	chain(b, "output", "nat", NF_INET_LOCAL_OUT, -100);
	for (i = 0; i < r->forward_cnt; i++) {
		forward_rule(b, "prerouting", r->uplink, &r->forward[i]);
		forward_rule(b, "output", NULL, &r->forward[i]);
	}
	chain(b, "postrouting", "nat", NF_INET_POST_ROUTING, 100);
	rule_open(b, "postrouting");
	device(b, NFT_META_OIFNAME, true, r->uplink);
	ipv4(b, true);
	address(b, SADDR, true, OUTSIDE_BLOCK, OUTSIDE_PREFIX);
	address(b, DADDR, false, OUTSIDE_BLOCK, OUTSIDE_PREFIX);
	masquerade(b);
	rule_close(b);
	rule_open(b, "postrouting");
	to_guests(b);
	ipv4(b, true);
	address(b, SADDR, true, 0x7f000000u, 8);
	masquerade(b);
	rule_close(b);
}

/* Where no guest may go, whatever routes the host has. */
static const struct {
	uint32_t block;
	unsigned prefix;
} forbidden[] = {
	{ 0x00000000u, 8 },  /* this network */
	{ 0x7f000000u, 8 },  /* loopback */
	{ 0x64400000u, 10 }, /* 100.64.0.0/10: other gateways, carriers' own */
	{ 0xa9fe0000u,
	  16 },             /* link-local: metadata services of whatever this host itself runs on */
	{ 0xe0000000u, 3 }, /* multicast and above */
};

static void guests_drop(struct batch *b, uint32_t block, unsigned prefix)
{
	rule_open(b, "forward");
	from_guests(b);
	address(b, DADDR, true, block, prefix);
	verdict(b, NF_DROP);
	rule_close(b);
}

static void guests_out(struct batch *b, const struct nft_rules *r)
{
	uint32_t addr, bits;
	size_t i;

	rule_open(b, "forward");
	from_guests(b);
	device(b, NFT_META_OIFNAME, false, r->uplink);
	verdict(b, NF_DROP);
	rule_close(b);
	rule_open(b, "forward");
	from_guests(b);
	ipv4(b, false);
	verdict(b, NF_DROP);
	rule_close(b);
	rule_open(b, "forward");
	from_guests(b);
	address(b, SADDR, false, OUTSIDE_BLOCK, OUTSIDE_PREFIX);
	verdict(b, NF_DROP);
	rule_close(b);
	rule_open(b, "forward");
	from_guests(b);
	ct(b, NFT_CT_STATE, CT_OURS);
	verdict(b, NF_ACCEPT);
	rule_close(b);
	for (i = 0; i < ARRAY_SIZE(forbidden); i++)
		guests_drop(b, forbidden[i].block, forbidden[i].prefix);
	memcpy(&addr, r->uplink_addr, sizeof(addr));
	memcpy(&bits, r->uplink_mask, sizeof(bits));
	if (bits)
		guests_drop(b, ntohl(addr), (unsigned)__builtin_popcount(bits));
	rule_open(b, "forward");
	from_guests(b);
	verdict(b, NF_ACCEPT);
	rule_close(b);
}

static void guests_in(struct batch *b, const struct nft_rules *r)
{
	rule_open(b, "forward");
	to_guests(b);
	ct(b, NFT_CT_STATE, CT_OURS);
	verdict(b, NF_ACCEPT);
	rule_close(b);
	rule_open(b, "forward");
	to_guests(b);
	device(b, NFT_META_IIFNAME, true, r->uplink);
	ct(b, NFT_CT_STATUS, CT_DNAT);
	verdict(b, NF_ACCEPT);
	rule_close(b);
	rule_open(b, "forward");
	to_guests(b);
	verdict(b, NF_DROP);
	rule_close(b);
	if (!r->only_guests)
		return;
	rule_open(b, "forward");
	device(b, NFT_META_IIFNAME, true, r->uplink);
	verdict(b, NF_DROP);
	rule_close(b);
}

static void host_closed(struct batch *b)
{
	chain(b, "input", "filter", NF_INET_LOCAL_IN, 0);
	rule_open(b, "input");
	from_guests(b);
	ct(b, NFT_CT_STATE, CT_OURS);
	verdict(b, NF_ACCEPT);
	rule_close(b);
	rule_open(b, "input");
	from_guests(b);
	verdict(b, NF_DROP);
	rule_close(b);
}

static int batch_build(const struct nft_rules *rules, uint8_t *buf, size_t cap)
{
	struct batch b = { .w = wr_init(buf, cap), .seq = 1 };

	msg_open(&b, NFNL_MSG_BATCH_BEGIN, 0, 0, NFNL_SUBSYS_NFTABLES);
	msg_close(&b);
	/* Made first so that the removal finds it in any case. */
	table(&b, NFT_MSG_NEWTABLE, NLM_F_CREATE);
	table(&b, NFT_MSG_DELTABLE, 0);
	if (rules) {
		table(&b, NFT_MSG_NEWTABLE, NLM_F_CREATE);
		nat_chains(&b, rules);
		chain(&b, "forward", "filter", NF_INET_FORWARD, 0);
		guests_out(&b, rules);
		guests_in(&b, rules);
		host_closed(&b);
	}
	msg_open(&b, NFNL_MSG_BATCH_END, 0, 0, NFNL_SUBSYS_NFTABLES);
	msg_close(&b);
	return b.w.bad ? -EMSGSIZE : (int)b.w.len;
}

int nft_build(const struct nft_rules *rules, uint8_t *buf, size_t cap)
{
	return batch_build(rules, buf, cap);
}

/* ---- the kernel ---- */

int nft_open(void)
{
	const int size = 1 << 20;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return fd;
}

/* First error among the answers, which are all there when the transaction was taken. */
static int answers_read(int sock)
{
	static uint8_t buf[64 * 1024];
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	int err = 0;
	ssize_t n;

	while ((n = recvmsg(sock, &mh, MSG_DONTWAIT)) > 0) {
		size_t at = 0;

		while (at + sizeof(struct nlmsghdr) + sizeof(int32_t) <= (size_t)n) {
			struct nlmsghdr h;
			int32_t code;

			memcpy(&h, buf + at, sizeof(h));
			memcpy(&code, buf + at + sizeof(h), sizeof(code));
			if (h.nlmsg_len < sizeof(h))
				break;
			if (h.nlmsg_type == NLMSG_ERROR && code < 0 && !err)
				err = code;
			at += NLMSG_ALIGN(h.nlmsg_len);
		}
	}
	return err;
}

/* #syscalls:launcher sendmsg recvmsg */
static int transact(int sock, const struct nft_rules *rules)
{
	static uint8_t buf[NFT_BATCH_MAX];
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct iovec iov = { .iov_base = buf };
	struct msghdr mh = {
		.msg_name = &kernel, .msg_namelen = sizeof(kernel), .msg_iov = &iov, .msg_iovlen = 1
	};
	int len = batch_build(rules, buf, sizeof(buf));

	if (sock < 0)
		return -EOPNOTSUPP;
	if (len < 0)
		return len;
	iov.iov_len = (size_t)len;
	if (sendmsg(sock, &mh, 0) < 0)
		return -errno;
	return answers_read(sock);
}

int nft_apply(int sock, const struct nft_rules *rules)
{
	return transact(sock, rules);
}

int nft_remove(int sock)
{
	return transact(sock, NULL);
}
