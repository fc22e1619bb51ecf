/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Inside of offload.c: where fields lie, and the guards. Each guard has a file of its own, so that a test can link another
 * one in its place and see that the guard is what denies a lie (tests/isolation/ena_probes_test.c).
 */

#include "cards/network/offload.h"

enum {
	IPV6_BYTES = 40,
	IP4_LEN = 2, /* offsets in the IPv4 header */
	IP4_ID = 4,
	IP4_FRAG = 6,
	IP4_PROTO = 9,
	IP4_CHECK = 10,
	IP4_SRC = 12,
	IP4_FRAG_MASK = 0x3fff, /* more fragments, or an offset */
	IP6_LEN = 4,
	IP6_NEXT = 6,
	IP6_SRC = 8,
	IP6_HOP_BY_HOP = 0,
	IP6_ROUTING = 43,
	IP6_FRAGMENT = 44,
	IP6_DESTINATION = 60,
	TCP_SEQ = 4,
	TCP_DOFF = 12,
	TCP_FLAGS = 13,
	TCP_CWR = 0x80,
	TCP_CHECK = 16,
	UDP_CHECK = 6,
};

/* offload_guard_l3(): the headers are where the guest says, and nowhere else. Return: true they are. */
MUST_USE bool offload_guard_l3(const struct offload_req *q, const uint8_t *hdr, size_t hdr_len);
/* offload_guard_l4(): the transport header is inside the copy. */
MUST_USE bool offload_guard_l4(const struct offload_req *q, size_t hdr_len);
/* offload_guard_tso(): there is something to segment, into frames that are possible. @hdr: checked by the others. */
MUST_USE bool offload_guard_tso(const struct offload_req *q, const uint8_t *hdr, size_t len,
				size_t frame_max);
