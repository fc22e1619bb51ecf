/* SPDX-License-Identifier: Apache-2.0 */
#include "vpc/dns.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

enum {
	CLASS_IN = 1,
	TTL_S = 60,
	METADATA_ADDR = (int)0xa9fea9fe, /* 169.254.169.254 */
	DNS_ADDR = (int)0xa9fea9fd,      /* 169.254.169.253 */
	FLAG_QR = 0x8000,
	FLAG_AA = 0x0400,
	FLAG_TC = 0x0200,
	FLAG_RD = 0x0100,
	EDNS_DO = 0x8000,
	OWNER_QUESTION = 0xc000 | DNS_HEADER_BYTES, /* a pointer to the name that was asked for */
	/* The longest name put before the domain: "ip-255-255-255-255". */
	DOMAIN_MAX = DNS_NAME_MAX - 19,
};

struct query {
	uint16_t id, flags, type, class;
	struct dns_name name;
	bool edns;
	uint8_t edns_version;
	uint16_t edns_flags;
	size_t udp_max; /* bytes the client takes */
};

/* What is said: a record, or none and which SOA. */
struct reply {
	unsigned rcode; /* enum dns_rcode */
	bool aa;
	enum dns_type type; /* of the record: A, PTR, SOA, NS; 0: none */
	uint32_t addr;
	struct dns_name target; /* PTR, NS */
	bool soa;               /* in the authority section */
	struct dns_name zone;   /* of the SOA */
};

/* ---- zone ---- */

int dns_zone_set(struct dns_zone *z, const char *domain, uint32_t block, uint8_t prefix)
{
	struct dns_name name;
	uint32_t mask;

	if (prefix < 8 || prefix > 32 || dns_name_from_text(domain, &name) < 0 ||
	    name.len > DOMAIN_MAX)
		return -EINVAL;
	mask = ~(uint32_t)0 << (32 - prefix);
	memset(z, 0, sizeof(*z));
	z->domain = name;
	z->block = block & mask;
	z->prefix = prefix;
	z->set = true;
	return 0;
}

static bool in_block(const struct dns_zone *z, uint32_t addr)
{
	return ((addr ^ z->block) >> (32 - z->prefix)) == 0;
}

/* The labels of @name before the domain, as bytes; 0: it is the domain itself; -1: outside. */
static int labels_before(const struct dns_zone *z, const struct dns_name *name)
{
	unsigned at = 0;

	while (name->b[at]) {
		struct dns_name rest;

		rest.len = (uint8_t)(name->len - at);
		memcpy(rest.b, name->b + at, rest.len);
		if (dns_name_equal(&rest, &z->domain))
			return (int)at;
		at += name->b[at] + 1u;
	}
	return -1;
}

int dns_zone_set_own(struct dns_zone *z, const char *name, uint32_t addr)
{
	z->own_set = false;
	if (!*name)
		return 0;
	if (dns_name_from_text(name, &z->own) < 0 || labels_before(z, &z->own) <= 0)
		return -EINVAL;
	z->own_addr = addr;
	z->own_set = true;
	return 0;
}

/* @label (one, without dots) before the domain. */
static void name_under(const struct dns_zone *z, const char *label, struct dns_name *ret)
{
	size_t len = strlen(label);

	must(len <= DNS_LABEL_MAX && len + 1 + z->domain.len <= DNS_NAME_MAX);
	ret->b[0] = (uint8_t)len;
	memcpy(ret->b + 1, label, len);
	memcpy(ret->b + 1 + len, z->domain.b, z->domain.len);
	ret->len = (uint8_t)(len + 1 + z->domain.len);
}

static void name_of_addr(const struct dns_zone *z, uint32_t addr, struct dns_name *ret)
{
	char label[20];

	(void)snprintf(label, sizeof(label), "ip-%u-%u-%u-%u", addr >> 24, addr >> 16 & 255,
		       addr >> 8 & 255, addr & 255);
	name_under(z, label, ret);
}

/* A number 0 … 255 as written without zeros before it. *p moves behind it. Return: -1: none. */
static int octet_parse(const uint8_t **p, const uint8_t *end)
{
	const uint8_t *start = *p;
	int v = 0;

	while (*p < end && **p >= '0' && **p <= '9' && *p - start < 3)
		v = v * 10 + (*(*p)++ - '0');
	if (*p == start || v > 255 || (*start == '0' && *p - start > 1))
		return -1;
	return v;
}

/* "ip-A-B-C-D" */
static bool label_to_addr(const uint8_t *label, size_t len, uint32_t *ret)
{
	const uint8_t *p = label + 2, *end = label + len;
	uint32_t addr = 0;
	unsigned i;

	if (len < 2 || (label[0] | 32) != 'i' || (label[1] | 32) != 'p')
		return false;
	for (i = 0; i < 4; i++) {
		int v;

		if (p >= end || *p++ != '-')
			return false;
		v = octet_parse(&p, end);
		if (v < 0)
			return false;
		addr = addr << 8 | (uint32_t)v;
	}
	*ret = addr;
	return p == end;
}

/* Does the name @q stand for an address of the domain? */
static bool forward_find(const struct dns_zone *z, const struct dns_name *q, int before,
			 uint32_t *ret)
{
	struct dns_name name;

	if (z->own_set && dns_name_equal(q, &z->own)) {
		*ret = z->own_addr;
		return true;
	}
	name_under(z, "instance-data", &name);
	if (dns_name_equal(q, &name)) {
		*ret = (uint32_t)METADATA_ADDR;
		return true;
	}
	name_under(z, "ns", &name);
	if (dns_name_equal(q, &name)) {
		*ret = (uint32_t)DNS_ADDR;
		return true;
	}
	return q->b[0] + 1 == before && label_to_addr(q->b + 1, q->b[0], ret) && in_block(z, *ret);
}

/* The own name may have labels between it and the domain: these exist, without data. */
static bool is_above_own(const struct dns_zone *z, const struct dns_name *q)
{
	unsigned at = 0;

	if (!z->own_set)
		return false;
	while (z->own.b[at]) {
		struct dns_name rest;

		at += z->own.b[at] + 1u;
		rest.len = (uint8_t)(z->own.len - at);
		memcpy(rest.b, z->own.b + at, rest.len);
		if (dns_name_equal(q, &rest))
			return true;
	}
	return false;
}

static bool wants(const struct query *q, enum dns_type type)
{
	return q->type == type || q->type == DNS_ANY;
}

static void reply_negative(struct reply *r, unsigned rcode)
{
	r->rcode = rcode;
	r->soa = true;
}

static void forward_answer(const struct dns_zone *z, const struct query *q, int before,
			   struct reply *r)
{
	r->aa = true;
	r->zone = z->domain;
	if (before == 0) {
		if (wants(q, DNS_SOA)) {
			r->type = DNS_SOA;
		} else if (q->type == DNS_NS) {
			r->type = DNS_NS;
			name_under(z, "ns", &r->target);
		} else {
			reply_negative(r, DNS_NOERROR);
		}
		return;
	}
	if (!forward_find(z, &q->name, before, &r->addr))
		reply_negative(r, is_above_own(z, &q->name) ? DNS_NOERROR : DNS_NXDOMAIN);
	else if (wants(q, DNS_A))
		r->type = DNS_A;
	else
		reply_negative(r, DNS_NOERROR);
}

/* ---- reverse names: D.C.B.A.in-addr.arpa ---- */

static const struct dns_name arpa = { 14, "\7in-addr\4arpa" };

struct reverse {
	unsigned octets; /* 1 … 4 of them */
	uint32_t addr;   /* zeros behind the last one */
	unsigned at
		[4 +
		 1]; /* where in the name the label of octet k (0 is the first one of an address) begins */
	bool more; /* labels before them, or one that is no number: no such name */
};

/* Return: false: not below in-addr.arpa, or not with a number right below it. */
static bool reverse_parse(const struct dns_name *name, struct reverse *ret)
{
	unsigned at = 0, cnt = 0, start[DNS_NAME_MAX / 2 + 1];

	memset(ret, 0, sizeof(*ret));
	for (;;) {
		struct dns_name rest;

		rest.len = (uint8_t)(name->len - at);
		memcpy(rest.b, name->b + at, rest.len);
		if (dns_name_equal(&rest, &arpa))
			break;
		if (!name->b[at])
			return false;
		start[cnt++] = at;
		at += name->b[at] + 1u;
	}
	while (cnt) {
		const uint8_t *label = name->b + start[cnt - 1], *p = label + 1, *end = p + *label;
		int v = ret->octets < 4 ? octet_parse(&p, end) : -1;

		if (v < 0 || p != end) {
			ret->more = true;
			break;
		}
		ret->addr |= (uint32_t)v << (24 - 8 * ret->octets);
		ret->at[ret->octets++] = start[--cnt];
	}
	return ret->octets > 0;
}

/* The zone is as large as whole octets allow inside the block. */
static void reverse_answer(const struct dns_zone *z, const struct query *q, struct reply *r)
{
	unsigned zone_octets = (z->prefix + 7u) / 8, from;
	struct reverse rev;

	r->rcode = DNS_REFUSED;
	if (!reverse_parse(&q->name, &rev) || rev.octets < zone_octets || !in_block(z, rev.addr))
		return;

	r->rcode = DNS_NOERROR;
	r->aa = true;
	from = rev.at[zone_octets - 1];
	r->zone.len = (uint8_t)(q->name.len - from);
	memcpy(r->zone.b, q->name.b + from, r->zone.len);
	if (rev.more) {
		reply_negative(r, DNS_NXDOMAIN);
	} else if (rev.octets == 4 && wants(q, DNS_PTR)) {
		r->type = DNS_PTR;
		if (z->own_set && rev.addr == z->own_addr)
			r->target = z->own;
		else
			name_of_addr(z, rev.addr, &r->target);
	} else if (rev.octets == zone_octets && wants(q, DNS_SOA)) {
		r->type = DNS_SOA;
	} else {
		reply_negative(r, DNS_NOERROR);
	}
}

static void decide(const struct dns_zone *z, const struct query *q, struct reply *r)
{
	int before;

	memset(r, 0, sizeof(*r));
	if (q->edns && q->edns_version != 0) {
		r->rcode = DNS_BADVERS;
	} else if (!z->set) {
		r->rcode = DNS_SERVFAIL;
	} else if (z->refuses || q->class != CLASS_IN || q->type == DNS_AXFR || q->type == DNS_IXFR) {
		r->rcode = DNS_REFUSED;
	} else {
		before = labels_before(z, &q->name);
		if (before >= 0)
			forward_answer(z, q, before, r);
		else
			reverse_answer(z, q, r);
	}
}

/* ---- messages ---- */

/* The one additional record we know. Return: 0, -EPROTO. */
static int additional_parse(const uint8_t *msg, size_t len, size_t *off, struct query *q)
{
	struct dns_name name;
	struct rd in;
	uint16_t type, size, data;
	uint32_t ttl;

	if (dns_name_parse(msg, len, off, &name) < 0)
		return -EPROTO;
	in = rd_init(msg + *off, len - *off);
	type = rd_be16(&in);
	size = rd_be16(&in);
	ttl = rd_be32(&in);
	data = rd_be16(&in);
	rd_skip(&in, data);
	if (in.bad)
		return -EPROTO;
	*off = len - in.left;
	if (type != DNS_OPT)
		return 0;
	if (q->edns || name.len != 1)
		return -EPROTO;
	q->edns = true;
	q->edns_version = (uint8_t)(ttl >> 16);
	q->edns_flags = (uint16_t)ttl;
	q->udp_max = size < DNS_UDP_MIN ? DNS_UDP_MIN : size > DNS_UDP_MAX ? DNS_UDP_MAX : size;
	return 0;
}

/* Everything behind the header. Return: 0, -EPROTO. */
static int sections_parse(const uint8_t *msg, size_t len, struct query *q)
{
	struct rd in = rd_init(msg + 4, 8);
	uint16_t questions = rd_be16(&in), answers = rd_be16(&in), authorities = rd_be16(&in);
	uint16_t additionals = rd_be16(&in);
	size_t off = DNS_HEADER_BYTES;

	if (questions != 1 || answers || authorities)
		return -EPROTO;
	if (dns_name_parse(msg, len, &off, &q->name) < 0 || len - off < 4)
		return -EPROTO;
	q->type = be16_load(msg + off);
	q->class = be16_load(msg + off + 2);
	for (off += 4; additionals; additionals--)
		if (additional_parse(msg, len, &off, q) < 0)
			return -EPROTO;
	return off == len ? 0 : -EPROTO;
}

static void name_write(struct wr *w, const struct dns_name *name)
{
	wr_bytes(w, name->b, name->len);
}

static void soa_data(struct wr *w, const struct dns_zone *z)
{
	struct dns_name name;

	name_under(z, "ns", &name);
	name_write(w, &name);
	name_under(z, "hostmaster", &name);
	name_write(w, &name);
	wr_be32(w, 1);     /* serial */
	wr_be32(w, 3600);  /* refresh */
	wr_be32(w, 600);   /* retry */
	wr_be32(w, 86400); /* expire */
	wr_be32(w, TTL_S); /* for how long a "no" is good */
}

/* Type, class, TTL, length and data; the owner is written already. */
static void record_body(struct wr *w, const struct dns_zone *z, enum dns_type type,
			const struct reply *r)
{
	size_t len_at;

	wr_be16(w, (uint16_t)type);
	wr_be16(w, CLASS_IN);
	wr_be32(w, TTL_S);
	len_at = w->len;
	wr_be16(w, 0);
	if (type == DNS_A)
		wr_be32(w, r->addr);
	else if (type == DNS_SOA)
		soa_data(w, z);
	else
		name_write(w, &r->target);
	if (!w->bad)
		be16_store(w->p + len_at, (uint16_t)(w->len - len_at - 2));
}

static void edns_write(struct wr *w, const struct query *q, unsigned rcode)
{
	wr_u8(w, 0);
	wr_be16(w, DNS_OPT);
	wr_be16(w, DNS_UDP_MAX);
	wr_be32(w, (uint32_t)(rcode >> 4) << 24 | (q->edns_flags & EDNS_DO));
	wr_be16(w, 0);
}

static void header_write(struct wr *w, const struct query *q, unsigned flags, const uint16_t cnt[4])
{
	unsigned i;

	wr_be16(w, q->id);
	wr_be16(w, (uint16_t)(FLAG_QR | (q->flags & (0x7800 | FLAG_RD)) | flags));
	for (i = 0; i < 4; i++)
		wr_be16(w, cnt[i]);
}

static void question_write(struct wr *w, const struct query *q)
{
	name_write(w, &q->name);
	wr_be16(w, q->type);
	wr_be16(w, q->class);
}

/* @truncated: the question alone. Return: bytes, 0: does not fit. */
static size_t message_write(const struct dns_zone *z, const struct query *q, const struct reply *r,
			    bool truncated, void *out, size_t cap)
{
	const bool record = r->type && !truncated, soa = r->soa && !truncated;
	const uint16_t cnt[4] = { 1, record, soa, q->edns };
	unsigned flags = (r->rcode & 15) | (r->aa ? FLAG_AA : 0) | (truncated ? FLAG_TC : 0);
	struct wr w = wr_init(out, cap);

	header_write(&w, q, flags, cnt);
	question_write(&w, q);
	if (record) {
		wr_be16(&w, OWNER_QUESTION);
		record_body(&w, z, r->type, r);
	}
	if (soa) {
		name_write(&w, &r->zone);
		record_body(&w, z, DNS_SOA, r);
	}
	if (q->edns)
		edns_write(&w, q, r->rcode);
	return w.bad ? 0 : w.len;
}

/* Only a header: the question cannot be repeated. */
static size_t header_only(const struct query *q, enum dns_rcode rcode, void *out, size_t cap)
{
	static const uint16_t none[4];
	struct wr w = wr_init(out, cap);

	header_write(&w, q, rcode, none);
	return w.len;
}

size_t dns_answer(const struct dns_zone *z, const void *query, size_t len, bool udp, void *out,
		  size_t cap)
{
	struct query q = { .udp_max = DNS_UDP_MIN };
	struct reply r;
	size_t n;

	must(cap >= DNS_UDP_MAX);
	if (len < DNS_HEADER_BYTES)
		return 0;
	q.id = be16_load(query);
	q.flags = be16_load((const uint8_t *)query + 2);
	if (q.flags & FLAG_QR)
		return 0;
	if (q.flags & 0x7800)
		return header_only(&q, DNS_NOTIMP, out, cap);
	if (sections_parse(query, len, &q) < 0)
		return header_only(&q, DNS_FORMERR, out, cap);

	decide(z, &q, &r);
	if (udp && cap > q.udp_max)
		cap = q.udp_max;
	n = message_write(z, &q, &r, false, out, cap);
	return n ? n : message_write(z, &q, &r, true, out, cap);
}
