/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A port: what lies between one ENA function, the VPC engine, the ring to the wire and the metadata TAP.
 *
 *   guest -> network   the ENA device offers a frame (ena_port_ops), the engine judges its header copy, and the frame is
 *                      put where it goes: ring, TAP, or here when the engine answers it
 *   network -> guest   frames wait in the ring while the guest's contract says so; the engine judges each; the ENA
 *                      device puts it into the guest's memory
 *
 * Answers of the engine (ARP, DHCP) wait in a short queue until the device's turn is over: nothing calls back into it.
 * A port belongs to its card's thread. Its configuration is the controller's; no reset of the guest touches it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/packet_ring.h"
#include "cards/network/ena.h"
#include "cards/runtime/card.h"
#include "proto/control.h"
#include "vpc/vpc.h"

enum {
	PORT_RX_BATCH = 64, /* frames of one turn */
	PORT_REPLIES = 16,
	PORT_HOLD_NS = 2 * 1000 * 1000, /* a frame waits so long for a guest without buffers */
	PORT_TICK_NS = 1000 * 1000 * 1000,
	PORT_LINE_BYTES = 128, /* of statistics */
};

struct port_counters {
	uint64_t rx_no_buffer, rx_down,
		rx_refused; /* frames for the guest that did not get there */
	uint64_t replies_lost, metadata_lost;
	uint64_t ring_full; /* times the guest had to wait for the wire */
};

struct port {
	char id[CTL_ID_MAX];
	uint8_t mac[6];
	uint16_t mtu;
	struct vpc_port *vpc;     /* owned */
	struct packet_ring *ring; /* owned */
	int kick_fd, wait_fd;     /* owned eventfds: to the wire, from it */
	int tap_fd;               /* borrowed, -1: none */
	struct ena *ena;          /* owned */

	uint64_t now_ns;                          /* of this turn */
	uint64_t tick_ns, tx_wake_ns, rx_wake_ns; /* UINT64_MAX: nothing to wait for */
	bool ring_lost;
	bool rx_first; /* in this turn */

	/* The frame that was offered last, until it is committed. */
	enum vpc_verdict verdict;
	struct frame frame;
	uint8_t scratch[VPC_FRAME_MAX]; /* whole frames that do not go to the wire */

	/* The frame for the guest that waits for a buffer: peeked, judged, not consumed. */
	bool held;
	bool starved; /* the frame before was dropped for want of a buffer */
	uint64_t held_until_ns;
	struct frame rx;
	struct packet packet;

	unsigned reply_cnt;
	struct vpc_reply reply[PORT_REPLIES];
	struct port_counters counters;
};

struct port_conf {
	const struct ctl_netcard_interface_add *add; /* borrowed for the call */
	const struct vpc_map *map;                   /* borrowed for the port's life */
	const uint8_t *seed;                         /* 16 random bytes */
	int ring_fd;                                 /* borrowed for the call */
	int kick_fd, wait_fd;                        /* taken, also on failure */
	int tap_fd;                                  /* borrowed for the port's life; -1: none */
};

/* port_init(): everything but the device; @p->ena is set by the caller. Return: 0, -EPROTO (ring), -EINVAL, -ENOMEM. */
MUST_USE int port_init(struct port *p, const struct port_conf *conf);
/* port_done(): also frees the device. */
void port_done(struct port *p);

/* What the device calls; its port is a struct port. */
extern const struct ena_port_ops port_ops;

/* struct card_model, as far as it is the port's. */
bool port_service(struct port *p, uint64_t now_ns);
bool port_arm(struct port *p);
uint64_t port_wake_ns(const struct port *p);

/* port_metadata_rx(): a frame from the metadata TAP that the engine gave this port. */
void port_metadata_rx(struct port *p, const struct frame *f, const uint8_t *frame, size_t len);

/* port_probe(): the guest is asked for its own address. *ret_frames: that it sent so far. Return: was it asked? */
bool port_probe(struct port *p, uint64_t *ret_frames);

/* port_stats(): "id name value" lines. Return: bytes written, at most @cap; whole lines only. */
size_t port_stats(struct port *p, char *buf, size_t cap);
