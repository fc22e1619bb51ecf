/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Datagrams in batches. Outgoing ones are written one behind the other into one buffer; neighbours to the same address
 * and of the same length (the last may be shorter) are one run, that the kernel cuts itself (UDP_SEGMENT): a run is one
 * pass through its stack. Incoming ones that it has joined (UDP_GRO) are cut here again.
 *
 * Nothing blocks. When the socket's buffer is full, what is left waits for udp_flush(); when our buffer is full,
 * udp_reserve() says so, and the caller drops and counts.
 */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/attr.h"

enum {
	UDP_DATAGRAM_MAX =
		9600, /* bytes of one of ours; a frame of 9216 and everything around it */
	UDP_TX_BYTES = 512 * 1024,
	UDP_RUNS_MAX = 256,
	UDP_RUN_DATAGRAMS_MAX = 64, /* Linux's UDP_MAX_SEGMENTS */
	UDP_RUN_BYTES_MAX = 65000,
	UDP_RX_MESSAGES = 16,
	UDP_RX_BYTES = 65536, /* each: the largest that UDP_GRO gives */
};

/* Where a datagram goes or came from: IPv4, or IPv6 when the socket is. */
struct udp_addr {
	union {
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} u;
	socklen_t len; /* 0: none */
};

struct udp_run {
	struct udp_addr *to; /* borrowed until it is sent; NULL: forgotten */
	uint32_t off, len;   /* of the buffer, bytes */
	uint16_t size, cnt;  /* of each datagram but the last; how many */
};

struct udp_counters {
	uint64_t tx_datagrams, tx_bytes, tx_calls, tx_runs, tx_errors, tx_fragmented;
	uint64_t rx_datagrams, rx_bytes, rx_calls;
};

struct udp {
	int fd; /* owned; -1: none */
	sa_family_t family;
	uint16_t mtu;             /* of the uplink */
	bool blocked;             /* the socket is full: wait for EPOLLOUT */
	uint64_t no_gso_until_ns; /* the kernel would not cut a run */
	uint8_t *tx;              /* UDP_TX_BYTES */
	uint32_t tx_len, run_cnt, run_sent;
	struct udp_run run[UDP_RUNS_MAX];
	uint8_t *rx;             /* UDP_RX_MESSAGES * UDP_RX_BYTES */
	unsigned rx_cnt, rx_idx; /* messages received, and looked at */
	uint32_t rx_off;
	struct udp_msg {
		uint32_t len, size; /* of the message; of each datagram in it */
		struct udp_addr from;
	} msg[UDP_RX_MESSAGES];
	struct udp_counters cnt;
};

/* udp_init(): buffers. Return: 0, -ENOMEM. */
MUST_USE int udp_init(struct udp *u);
void udp_done(struct udp *u);

/**
 * udp_open() - use a socket
 * @fd: bound UDP socket; owned from now on, also on error
 * @mtu: bytes of the largest IP packet the uplink carries
 */
MUST_USE int udp_open(struct udp *u, int fd, uint16_t mtu);

/* udp_addr_make(): @family 4 or 6, as the socket needs it. Return: 0, -EAFNOSUPPORT. */
MUST_USE int udp_addr_make(const struct udp *u, unsigned family, const uint8_t addr[16],
			   uint16_t port, struct udp_addr *ret);
bool udp_addr_equal(const struct udp_addr *a, const struct udp_addr *b);

/* udp_reserve(): room for one datagram of at most UDP_DATAGRAM_MAX bytes; NULL: full. */
MUST_USE uint8_t *udp_reserve(struct udp *u);
/* udp_commit(): the reserved datagram is complete. @to is borrowed until it is sent: until udp_pending() is false. */
void udp_commit(struct udp *u, struct udp_addr *to, size_t len);
/* udp_flush(): send what is there. */
void udp_flush(struct udp *u, uint64_t now_ns);
/* udp_forget(): datagrams to @to that were not sent yet are not sent. */
void udp_forget(struct udp *u, const struct udp_addr *to);
bool udp_pending(const struct udp *u);

/* udp_receive(): one call for as many as there are. Return: true when some came. */
MUST_USE bool udp_receive(struct udp *u);
/* udp_next(): the next datagram of what came; writable, private. NULL: no more. Valid until udp_receive(). */
uint8_t *udp_next(struct udp *u, size_t *ret_len, const struct udp_addr **ret_from);
