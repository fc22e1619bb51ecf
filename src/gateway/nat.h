/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One-to-one translation between a network's addresses and those a host routes to its gateway. No state but the table:
 * which connections exist is the kernel's business on the one side and the security groups' on the other.
 *
 * Frame in, verdict out. A frame lies in private memory, whole; it is changed in place. What is not plain IPv4 with a
 * table entry is dropped and counted by reason. Checksums are adjusted, never made anew, so that a packet that was
 * damaged before stays recognisably so (spec: rfc-1624 §3).
 */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bucket.h"

enum {
	NAT_MAX = 256,
	NAT_FRAME_MAX =
		9216,   /* bytes of a frame, Ethernet header included; a buffer has this size */
	NAT_MTU = 1500, /* of the way out */
};

enum nat_verdict {
	NAT_DROP,
	NAT_PASS, /* the frame goes to the other side */
	NAT_BACK, /* the buffer now holds an answer to whoever sent it */
};

enum nat_count {
	NAT_OUT, /* passed, from the network to the outside */
	NAT_OUT_BYTES,
	NAT_IN,
	NAT_IN_BYTES,
	NAT_ARP,       /* answered, on the outside */
	NAT_TOO_BIG,   /* told the sender of the MTU */
	NAT_TTL,       /* told the sender that its packet's time was over */
	NAT_DROP_KIND, /* not IPv4 */
	NAT_DROP_MALFORMED,
	NAT_DROP_MAC,     /* not for us */
	NAT_DROP_UNKNOWN, /* no entry for the address */
	NAT_DROP_ADDRESS, /* never routed: multicast, loopback, ... */
	NAT_DROP_ICMP,    /* a kind that does not pass, or an error about something else */
	NAT_DROP_SILENT,  /* an error was due, but not to this, or not so many */
	NAT_COUNTS,
};

struct nat_entry {
	uint32_t vpc, outside; /* host order; outside 0: free */
	uint8_t mac[6];        /* of vpc */
};

struct nat {
	uint8_t mac[6];                  /* of the port in the network */
	struct nat_entry entry[NAT_MAX]; /* by the last byte of outside */
	uint16_t sorted[NAT_MAX];        /* numbers of entries by rising vpc; cnt of them */
	unsigned cnt;
	struct bucket errors; /* ICMP errors we may send */
	uint64_t count[NAT_COUNTS];
};

/* Both ends of the device to the host; each such link has these two and nobody else. */
extern const uint8_t nat_host_mac[6];    /* 02:00:64:40:00:01, set by the launcher */
extern const uint8_t nat_outside_mac[6]; /* 02:00:64:40:00:02, ours */

void nat_init(struct nat *n, const uint8_t mac[6], uint64_t now_ns);
/**
 * nat_add() - a pair of addresses, host order
 * An entry with the same @vpc or the same @outside is replaced.
 * Return: 0, -EINVAL when an address can be no host's.
 */
MUST_USE int nat_add(struct nat *n, uint32_t vpc, const uint8_t mac[6], uint32_t outside);
/* nat_del(): Return: 0, -ENOENT. */
MUST_USE int nat_del(struct nat *n, uint32_t vpc, uint32_t outside);

/**
 * nat_out() - a frame from the network
 * @f:   NAT_FRAME_MAX bytes, of which *@len hold the frame
 * nat_in(): a frame from the host's device, with ARP
 */
MUST_USE enum nat_verdict nat_out(struct nat *n, uint8_t *f, size_t *len, uint64_t now_ns);
MUST_USE enum nat_verdict nat_in(struct nat *n, uint8_t *f, size_t *len, uint64_t now_ns);

/* nat_count_name(): "drop_unknown" */
const char *nat_count_name(enum nat_count c);
