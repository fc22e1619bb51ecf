/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The names of one network: a DNS query in, the answer out. No I/O, no allocation, no memory of earlier queries.
 * It knows the names that follow from addresses (ip-172-31-0-5.ec2.internal) and a few more; for everything outside
 * the answer is REFUSED. docs/wire/metadata.md has the table.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum {
	DNS_HEADER_BYTES = 12,
	DNS_NAME_MAX = 255, /* bytes on the wire, root label included */
	DNS_LABEL_MAX = 63,
	DNS_UDP_MIN = 512,    /* what a client without EDNS(0) takes */
	DNS_UDP_MAX = 1232,   /* what we send at most */
	DNS_QUERY_MAX = 1232, /* bytes of a query */
};

enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
	DNS_BADVERS = 16, /* needs EDNS(0) to be said */
};

enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_SOA = 6,
	DNS_PTR = 12,
	DNS_AAAA = 28,
	DNS_OPT = 41,
	DNS_IXFR = 251,
	DNS_AXFR = 252,
	DNS_ANY = 255,
};

/* A name as on the wire, never compressed: labels with their length before them, a zero at the end. */
struct dns_name {
	uint8_t len; /* 1 … 255 bytes of b */
	uint8_t b[DNS_NAME_MAX];
};

/**
 * dns_name_parse() - a name inside a message, compressed or not
 * @off:  where it begins; moved behind it, on success only
 *
 * A pointer may only lead to before the place where the labels it replaces began, so no chain of them goes on for ever.
 * spec: rfc-1035 §3.1, §4.1.4
 * Return: 0, -EPROTO.
 */
MUST_USE int dns_name_parse(const uint8_t *msg, size_t len, size_t *off, struct dns_name *ret);

/* dns_name_from_text(): "ec2.internal", letters, digits, '-' and '_' only. Return: 0, -EINVAL. */
MUST_USE int dns_name_from_text(const char *text, struct dns_name *ret);

/* dns_name_equal(): letters in any case. */
bool dns_name_equal(const struct dns_name *a, const struct dns_name *b);

struct dns_zone {
	bool set;
	bool refuses; /* every query: the network wants no names */
	struct dns_name domain;
	uint32_t block; /* the network's addresses, in host order */
	uint8_t prefix; /* 8 … 32 */
	bool own_set;
	struct dns_name own; /* the instance's name, and its address */
	uint32_t own_addr;
};

/**
 * dns_zone_set() - the domain and the block of addresses
 *
 * Return: 0, -EINVAL: the domain is no name, or too long to put names before it; the prefix is out of range.
 */
MUST_USE int dns_zone_set(struct dns_zone *z, const char *domain, uint32_t block, uint8_t prefix);

/* dns_zone_set_own(): "" for none. Return: 0; -EINVAL: not a name in the domain; there is none then. */
MUST_USE int dns_zone_set_own(struct dns_zone *z, const char *name, uint32_t addr);

/**
 * dns_answer() - answer one message
 * @udp:  the answer keeps to what a datagram may be; else it may be @cap bytes
 * @out:  at least DNS_UDP_MAX bytes
 *
 * spec: rfc-1035 §4.1; spec: rfc-6891 §6; spec: rfc-2308 §2 (no data, no name); spec: rfc-8482 (ANY)
 * Return: bytes of the answer, 0: none is due.
 */
size_t dns_answer(const struct dns_zone *z, const void *query, size_t len, bool udp, void *out,
		  size_t cap);
