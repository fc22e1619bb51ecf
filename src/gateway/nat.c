/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/nat.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "vpc/vpc.h"

enum { ERRORS_PER_S = 100, ERRORS_BURST = 50 };

enum {
	IP_DF = 0x4000,
	IP_TTL_DEFAULT = 64,
	L3 = ETH_BYTES,
	L4 = ETH_BYTES + IPV4_BYTES,

	ICMP_ECHO_REPLY = 0,
	ICMP_UNREACHABLE = 3,
	ICMP_ECHO = 8,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETER = 12,
	ICMP_TIMESTAMP = 13,
	ICMP_TIMESTAMP_REPLY = 14,
	ICMP_FRAG_NEEDED = 4, /* code of ICMP_UNREACHABLE */

	TCP_CHECK = 16, /* offsets of the checksum */
	UDP_CHECK = 6,
	ICMP_CHECK = 2,
	ARP_FRAME_BYTES = 42,
};

const uint8_t nat_host_mac[6] = { 0x02, 0x00, 0x64, 0x40, 0x00, 0x01 };
const uint8_t nat_outside_mac[6] = { 0x02, 0x00, 0x64, 0x40, 0x00, 0x02 };

const char *nat_count_name(enum nat_count c)
{
	static const char *const name[NAT_COUNTS] = {
		[NAT_OUT] = "out",
		[NAT_OUT_BYTES] = "out_bytes",
		[NAT_IN] = "in",
		[NAT_IN_BYTES] = "in_bytes",
		[NAT_ARP] = "arp_answered",
		[NAT_TOO_BIG] = "too_big_told",
		[NAT_TTL] = "ttl_told",
		[NAT_DROP_KIND] = "drop_kind",
		[NAT_DROP_MALFORMED] = "drop_malformed",
		[NAT_DROP_MAC] = "drop_mac",
		[NAT_DROP_UNKNOWN] = "drop_unknown",
		[NAT_DROP_ADDRESS] = "drop_address",
		[NAT_DROP_ICMP] = "drop_icmp",
		[NAT_DROP_SILENT] = "drop_silent",
	};

	return name[c];
}

static enum nat_verdict drop(struct nat *n, enum nat_count why)
{
	n->count[why]++;
	return NAT_DROP;
}

/* ---- table ---- */

void nat_init(struct nat *n, const uint8_t mac[6], uint64_t now_ns)
{
	memset(n, 0, sizeof(*n));
	memcpy(n->mac, mac, sizeof(n->mac));
	bucket_init(&n->errors, ERRORS_PER_S, ERRORS_BURST, now_ns);
}

/* An address a host can have: not "this network", loopback, link-local, multicast or above. */
static bool is_host(uint32_t a)
{
	return a >> 24 != 0 && a >> 24 != 127 && a >> 16 != 0xa9fe && a < 0xe0000000u;
}

static const struct nat_entry *by_outside(const struct nat *n, uint32_t outside)
{
	const struct nat_entry *e = &n->entry[outside & 0xff];

	return e->outside == outside && outside ? e : NULL;
}

/* Place in sorted[] of the first entry whose vpc is not below @vpc. */
static unsigned lower(const struct nat *n, uint32_t vpc)
{
	unsigned from = 0, to = n->cnt;

	while (from < to) {
		unsigned mid = (from + to) / 2;

		if (n->entry[n->sorted[mid]].vpc < vpc)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

static const struct nat_entry *by_vpc(const struct nat *n, uint32_t vpc)
{
	unsigned at = lower(n, vpc);

	return at < n->cnt && n->entry[n->sorted[at]].vpc == vpc ? &n->entry[n->sorted[at]] : NULL;
}

static void entry_remove(struct nat *n, const struct nat_entry *e)
{
	unsigned at = lower(n, e->vpc);

	n->cnt--;
	memmove(&n->sorted[at], &n->sorted[at + 1], (n->cnt - at) * sizeof(n->sorted[0]));
	memset(&n->entry[e->outside & 0xff], 0, sizeof(*e));
}

int nat_add(struct nat *n, uint32_t vpc, const uint8_t mac[6], uint32_t outside)
{
	struct nat_entry *slot = &n->entry[outside & 0xff];
	const struct nat_entry *old = by_vpc(n, vpc);
	unsigned at;

	if (!is_host(vpc) || !is_host(outside) || (mac[0] & 1))
		return -EINVAL;
	if (old)
		entry_remove(n, old);
	if (slot->outside)
		entry_remove(n, slot);
	at = lower(n, vpc);
	memmove(&n->sorted[at + 1], &n->sorted[at], (n->cnt - at) * sizeof(n->sorted[0]));
	n->sorted[at] = (uint16_t)(outside & 0xff);
	n->cnt++;
	*slot = (struct nat_entry){ .vpc = vpc, .outside = outside };
	memcpy(slot->mac, mac, sizeof(slot->mac));
	return 0;
}

int nat_del(struct nat *n, uint32_t vpc, uint32_t outside)
{
	const struct nat_entry *e = by_outside(n, outside);

	if (!e || e->vpc != vpc)
		return -ENOENT;
	entry_remove(n, e);
	return 0;
}

/* ---- checksums ---- */

/* The sum at @at after an address under it changed. A UDP sum of zero means there is none (spec: rfc-768). */
static void l4_adjust(uint8_t *at, uint8_t proto, uint32_t from, uint32_t to)
{
	uint16_t sum = be16_load(at);

	if (proto == IP_UDP && !sum)
		return;
	sum = checksum_update32(sum, from, to);
	if (proto == IP_UDP && !sum)
		sum = 0xffff;
	be16_store(at, sum);
}

/* Offset of the checksum that covers the addresses; 0: the protocol has none. */
static unsigned check_offset(uint8_t proto)
{
	return proto == IP_TCP ? TCP_CHECK : proto == IP_UDP ? UDP_CHECK : 0;
}

/* A word of an ICMP message changes: so does the message's sum. */
static void icmp_put16(uint8_t *icmp, uint8_t *at, uint16_t to)
{
	be16_store(icmp + ICMP_CHECK,
		   checksum_update16(be16_load(icmp + ICMP_CHECK), be16_load(at), to));
	be16_store(at, to);
}

/**
 * inner_translate() - the packet that an ICMP error tells of
 * @icmp:  the message, @len bytes
 * @off:   of the address in the inner header that changes: 12 source, 16 destination
 *
 * The inner packet is cut off somewhere; what is there of it is adjusted. Lengths and the inner header's own sum are not
 * judged: whoever sent the packet compares it with what it sent.
 * Return: whether it was about that address.
 */
static bool inner_translate(uint8_t *icmp, size_t len, unsigned off, uint32_t from, uint32_t to)
{
	uint8_t *ip = icmp + ICMP_BYTES, *l4 = ip + IPV4_BYTES, old[2];
	unsigned check;
	size_t left;

	if (len < ICMP_BYTES + IPV4_BYTES || ip[0] != 0x45 || be32_load(ip + off) != from)
		return false;
	left = len - ICMP_BYTES - IPV4_BYTES;
	check = check_offset(ip[9]);
	icmp_put16(icmp, ip + off, (uint16_t)(to >> 16));
	icmp_put16(icmp, ip + off + 2, (uint16_t)to);
	icmp_put16(icmp, ip + 10, checksum_update32(be16_load(ip + 10), from, to));
	if (!check || left < check + 2 || (be16_load(ip + 6) & 0x1fff))
		return true;
	memcpy(old, l4 + check, sizeof(old));
	l4_adjust(l4 + check, ip[9], from, to);
	be16_store(icmp + ICMP_CHECK, checksum_update16(be16_load(icmp + ICMP_CHECK),
							be16_load(old), be16_load(l4 + check)));
	return true;
}

/* ---- IPv4 ---- */

/* Header fields that every packet gets; the header's sum was right. */
static void header_translate(uint8_t *ip, unsigned off, uint32_t to)
{
	be32_store(ip + off, to);
	ip[8]--;
	be16_store(ip + 10, 0);
	be16_store(ip + 10, checksum_fold(checksum_add(0, ip, IPV4_BYTES)));
}

/* Return: false: it does not pass. @off: of the address that changes; the inner packet's is the other one. */
static bool payload_translate(const struct frame *p, uint8_t *f, unsigned off, uint32_t from,
			      uint32_t to)
{
	unsigned check = check_offset(p->proto);

	if (!p->l4) /* a later fragment */
		return true;
	if (p->proto != IP_ICMP) {
		if (check)
			l4_adjust(f + p->l4 + check, p->proto, from, to);
		return true;
	}
	switch (p->icmp_type) {
	case ICMP_ECHO:
	case ICMP_ECHO_REPLY:
	case ICMP_TIMESTAMP:
	case ICMP_TIMESTAMP_REPLY:
		return true;
	case ICMP_UNREACHABLE:
	case ICMP_TIME_EXCEEDED:
	case ICMP_PARAMETER:
		return !frame_is_fragment(p) &&
		       inner_translate(f + p->l4, (size_t)p->l3_len - IPV4_BYTES,
				       off == 12 ? 16 : 12, from, to);
	default:
		return false;
	}
}

/*
 * Return: an ICMP error may be sent because of this packet. spec: rfc-1122 §3.2.2
 * Never about another error, a later fragment, or more often than the budget says.
 */
static bool error_allowed(struct nat *n, const struct frame *p, uint64_t now_ns)
{
	if (p->frag_off || (p->proto == IP_ICMP && p->icmp_type != ICMP_ECHO))
		return false;
	return bucket_take(&n->errors, 1, now_ns) == 0;
}

/* The buffer becomes an ICMP error to the network's @e, from the host's end of the way out. spec: rfc-1191 §4, rfc-792 */
static enum nat_verdict error_back(struct nat *n, const struct nat_entry *e, uint8_t *f,
				   size_t *len, uint8_t type, uint8_t code, uint16_t mtu)
{
	size_t quote = *len - L3 < IPV4_BYTES + 8 ? *len - L3 : IPV4_BYTES + 8;
	size_t icmp_len = ICMP_BYTES + quote;
	uint8_t *ip = f + L3, *icmp = f + L4;

	memmove(icmp + ICMP_BYTES, ip, quote);
	memset(icmp, 0, ICMP_BYTES);
	icmp[0] = type;
	icmp[1] = code;
	be16_store(icmp + 6, mtu);
	be16_store(icmp + ICMP_CHECK, checksum_fold(checksum_add(0, icmp, icmp_len)));
	memset(ip, 0, IPV4_BYTES);
	ip[0] = 0x45;
	be16_store(ip + 2, (uint16_t)(IPV4_BYTES + icmp_len));
	ip[8] = IP_TTL_DEFAULT;
	ip[9] = IP_ICMP;
	be32_store(ip + 12, (e->outside & 0xffffff00u) | 1);
	be32_store(ip + 16, e->vpc);
	be16_store(ip + 10, checksum_fold(checksum_add(0, ip, IPV4_BYTES)));
	memcpy(f, e->mac, 6);
	memcpy(f + 6, n->mac, 6);
	*len = L4 + icmp_len;
	return NAT_BACK;
}

/* Return: it is IPv4 for us; else it was counted. */
static bool parse(struct nat *n, const uint8_t *f, size_t len, const uint8_t mac[6],
		  struct frame *ret)
{
	enum frame_error error;

	if (frame_parse(f, len, len, ret, &error) < 0) {
		n->count[error == FRAME_IPV6 || error == FRAME_VLAN || error == FRAME_ETHERTYPE
				 ? NAT_DROP_KIND
				 : NAT_DROP_MALFORMED]++;
		return false;
	}
	if (ret->kind != FRAME_IPV4) {
		n->count[NAT_DROP_KIND]++;
		return false;
	}
	if (memcmp(f, mac, 6) != 0) {
		n->count[NAT_DROP_MAC]++;
		return false;
	}
	return true;
}

enum nat_verdict nat_out(struct nat *n, uint8_t *f, size_t *len, uint64_t now_ns)
{
	const struct nat_entry *e;
	struct frame p;

	if (!parse(n, f, *len, n->mac, &p))
		return NAT_DROP;
	e = by_vpc(n, p.src);
	if (!e)
		return drop(n, NAT_DROP_UNKNOWN);
	if (!is_host(p.dst))
		return drop(n, NAT_DROP_ADDRESS);
	*len = (size_t)L3 + p.l3_len; /* padding ends here */
	if (f[L3 + 8] <= 1) {
		if (!error_allowed(n, &p, now_ns))
			return drop(n, NAT_DROP_SILENT);
		n->count[NAT_TTL]++;
		return error_back(n, e, f, len, ICMP_TIME_EXCEEDED, 0, 0);
	}
	/* Without DF the kernel cuts it up. */
	if (p.l3_len > NAT_MTU && (be16_load(f + L3 + 6) & IP_DF)) {
		if (!error_allowed(n, &p, now_ns))
			return drop(n, NAT_DROP_SILENT);
		n->count[NAT_TOO_BIG]++;
		return error_back(n, e, f, len, ICMP_UNREACHABLE, ICMP_FRAG_NEEDED, NAT_MTU);
	}
	if (!payload_translate(&p, f, 12, e->vpc, e->outside))
		return drop(n, NAT_DROP_ICMP);
	header_translate(f + L3, 12, e->outside);
	memcpy(f, nat_host_mac, 6);
	memcpy(f + 6, nat_outside_mac, 6);
	n->count[NAT_OUT]++;
	n->count[NAT_OUT_BYTES] += *len;
	return NAT_PASS;
}

/* Who has one of our addresses? We. spec: rfc-826 */
static enum nat_verdict arp_answer(struct nat *n, uint8_t *f, size_t *len)
{
	static const uint8_t question[8] = { 0, 1, 8, 0, 6, 4, 0, 1 };
	uint8_t *arp = f + ETH_BYTES, target[4];

	if (memcmp(arp, question, sizeof(question)) != 0 || !by_outside(n, be32_load(arp + 24)))
		return drop(n, NAT_DROP_UNKNOWN);
	memcpy(target, arp + 24, 4);
	arp[7] = 2;
	memcpy(arp + 18, arp + 8, 10); /* the asker becomes the target */
	memcpy(arp + 8, nat_outside_mac, 6);
	memcpy(arp + 14, target, 4);
	memcpy(f, arp + 18, 6);
	memcpy(f + 6, nat_outside_mac, 6);
	*len = ARP_FRAME_BYTES;
	n->count[NAT_ARP]++;
	return NAT_BACK;
}

enum nat_verdict nat_in(struct nat *n, uint8_t *f, size_t *len, uint64_t now_ns)
{
	const struct nat_entry *e;
	struct frame p;

	(void)now_ns;
	if (*len >= ARP_FRAME_BYTES && be16_load(f + 12) == ETH_TYPE_ARP)
		return arp_answer(n, f, len);
	if (!parse(n, f, *len, nat_outside_mac, &p))
		return NAT_DROP;
	e = by_outside(n, p.dst);
	if (!e)
		return drop(n, NAT_DROP_UNKNOWN);
	if (!is_host(p.src))
		return drop(n, NAT_DROP_ADDRESS);
	if (f[L3 + 8] <= 1)
		return drop(n, NAT_DROP_SILENT);
	*len = (size_t)L3 + p.l3_len;
	if (!payload_translate(&p, f, 16, e->outside, e->vpc))
		return drop(n, NAT_DROP_ICMP);
	header_translate(f + L3, 16, e->vpc);
	memcpy(f, e->mac, 6);
	memcpy(f + 6, n->mac, 6);
	n->count[NAT_IN]++;
	n->count[NAT_IN_BYTES] += *len;
	return NAT_PASS;
}
