/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The contract of an interface: bandwidth in each direction with burst credits, packets in both together, and requests to
 * the services the card itself gives. Virtual time: callers pass the clock.
 *
 * Bandwidth is two buckets in each direction. "peak" fills at the burst rate and holds some milliseconds; "credit" fills
 * at the baseline rate and holds what burst_seconds above baseline take. A frame may go while both are above zero, and
 * takes its bytes from both: it may leave them below zero, so that no frame is too long, and the next one waits.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "vpc/vpc.h"

struct limit_bucket {
	uint64_t rate;  /* tokens per second; 0: no limit */
	uint64_t burst; /* tokens it holds at most */
	int64_t level;  /* tokens now, below zero: a debt */
	uint64_t frac;  /* tokens * 1e9 that are not whole yet */
	uint64_t last_ns;
};

struct limit {
	struct limit_bucket peak[VPC_DIRECTIONS], credit[VPC_DIRECTIONS]; /* bytes */
	struct limit_bucket packets;
	struct limit_bucket service[2]; /* enum limit_service */
};

enum {
	LIMIT_PEAK_MS = 5, /* of the burst rate may pass in one piece */
	LIMIT_PEAK_BYTES_MIN = 65536,
	LIMIT_PACKETS_MIN = 64,
	LIMIT_SERVICE_PPS = 1024, /* as EC2: packets per second to link-local services */
};

/* limit_set(): a new contract; full credit only if @fresh, else what is left of the old, cut to the new size. */
void limit_set(struct limit *l, const struct vpc_interface *c, bool fresh, uint64_t now_ns);

/* Metadata and DNS; ARP and DHCP: who floods the first still gets the second. */
enum limit_service { LIMIT_LINK_LOCAL, LIMIT_ANSWERS };

enum limit_cause { LIMIT_NONE, LIMIT_BANDWIDTH, LIMIT_PACKETS };

/* limit_wait_ns(): Return: 0 one more frame may pass, else nanoseconds until then and why. */
MUST_USE uint64_t limit_wait_ns(struct limit *l, enum vpc_direction dir, uint64_t now_ns,
				enum limit_cause *ret_cause);
/* limit_charge(): a frame of @bytes passed. */
void limit_charge(struct limit *l, enum vpc_direction dir, uint64_t bytes, uint64_t now_ns);
/* limit_service(): one request to services of this kind. Return: true if it may pass. */
MUST_USE bool limit_service(struct limit *l, enum limit_service which, uint64_t now_ns);
