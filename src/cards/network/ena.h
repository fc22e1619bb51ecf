/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One ENA function: the network device that the stock `ena` driver drives.
 *
 * This is the device alone. What happens to a frame is the port's matter (struct ena_port_ops): the card's program puts
 * VPC datapath, packet ring and TAP behind it. Everything belongs to the card's one thread; nothing is allocated after
 * ena_new(); no guest memory is held between two calls.
 *
 *   registers, states, interrupts   ena.c
 *   admin queue                     ena_admin.c    features: ena_feature.c   events (AENQ): ena_aenq.c
 *   guest to network                ena_tx.c       offload.c (checksum, segmentation)
 *   network to guest                ena_rx.c       rss.c
 *
 * Life of a frame the guest sends: descriptors are copied once; headers are copied once into private memory;
 * segmentation makes a private header for each frame; the port looks at that copy, decides, may change it (same length)
 * and says where the frame goes; header copy and payload are put there, payload straight from guest memory; the L4
 * checksum is made over what was put; the port is told that the frame is complete.
 *
 * The guest may do anything in any order. A packet that makes no sense is dropped, counted and completed; a guest that
 * breaks the protocol (bad doorbell, ring outside its memory, ...) gets a failed device until it resets it.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "proto/gmem.h"
#include "proto/pci.h"

enum {
	ENA_QUEUES_MAX = 8, /* pairs of one function */
	ENA_MTU_MIN = 576,
	ENA_MTU_MAX = 9001,
	ENA_ETH_BYTES = 14,
	ENA_FRAME_MAX = ENA_MTU_MAX + ENA_ETH_BYTES,
	/* Bytes of a frame that are copied for decisions, at most: ARP and DHCP requests are wholly inside. */
	ENA_HDR_MAX = 640,
	ENA_DB_OFF = 0x1000, /* of the shared doorbell page in BAR 0 */
	ENA_DB_BYTES = 4096,
};

enum ena_frame_flags {
	ENA_FRAME_L4_OK =
		1
		<< 0, /* the L4 checksum was made or verified by a card (PACKET_L4_OK of the ring) */
};

/*
 * A frame on its way from the guest to the port: one Ethernet frame after segmentation, no FCS.
 * The checksum field of TCP and UDP in @hdr is not final while the port decides; everything else is.
 */
struct ena_frame {
	uint8_t *hdr; /* private; the port may change bytes in it until it returns from reserve */
	size_t hdr_len; /* the first min(len, ENA_HDR_MAX) bytes; of a segmented packet Ethernet, IP and TCP header */
	size_t len;     /* whole frame, 14 ... ENA_FRAME_MAX */
	unsigned flags; /* enum ena_frame_flags */
	/* Segmentation: all frames of one packet come one after the other, same flow. 0 of 1: not segmented. */
	unsigned seg_idx, seg_cnt;
	unsigned queue; /* 0 ... */
};

/* What the guest can ask for (`ethtool -S`); cumulative. */
struct ena_allowance {
	uint64_t bw_in_exceeded, bw_out_exceeded, pps_exceeded, conntrack_exceeded,
		linklocal_exceeded;
	uint64_t conntrack_available;
};

struct ena_port_ops {
	/*
	 * Decide about a frame, and find room for it.
	 * Return: 0 and *ret: f->len bytes to put it (ring space, or the port's own memory), valid until commit or the
	 * next reserve; it may be shared with another process, so decide on f->hdr only. A reservation that is not
	 * committed is void (the guest's memory went away): the next reserve takes its place.
	 * -EAGAIN: no room (or no allowance) now; f->hdr is as it was. The frame will be offered again, at every turn of
	 * the device: the port sees to it that there is one. After a tenth of a second of that, frames are dropped
	 * instead of waiting: a guest's memory is not held for longer.
	 * Any other -errno: the frame is dropped and counted as a TX drop.
	 */
	int (*reserve)(void *port, struct ena_frame *f, uint8_t **ret);
	/* f->len bytes are at @to, L4 checksum included (f->flags says so). */
	void (*commit)(void *port, const struct ena_frame *f, uint8_t *to);
	/* End of a turn in which frames were committed: publish, wake the consumer. */
	void (*flush)(void *port);
	/* May be NULL: zeroes are told. */
	void (*allowance)(void *port, struct ena_allowance *ret);
};

struct ena_conf {
	struct gmem *mem;          /* borrowed */
	_Atomic uint32_t *db_page; /* borrowed; ENA_DB_BYTES; the hypervisor writes it */
	const char *name;          /* interface id for the log; copied, at most 23 characters */
	uint8_t mac[6];
	uint16_t mtu;         /* the most the guest may set; ENA_MTU_MIN ... ENA_MTU_MAX */
	unsigned queue_pairs; /* to offer, 1 ... ENA_QUEUES_MAX */
	uint32_t link_mbps;   /* told to the guest; 0: 10000 */
	void (*irq)(void *ctx, unsigned vector); /* signal an MSI-X vector */
	void *irq_ctx;
	const struct ena_port_ops *ops; /* borrowed for ever */
	void *port;
};

/* Since the device was made (not since the guest's last reset). */
struct ena_stats {
	uint64_t tx_frames, tx_bytes; /* after segmentation */
	uint64_t tx_drops;            /* bad packets, and frames the port refused */
	uint64_t rx_frames, rx_bytes;
	uint64_t rx_drops; /* ena_rx_dropped() */
	uint64_t resets, fatals;
};

struct ena;

/**
 * ena_new() - a device after power-on, link up
 * @conf: copied
 * Return: 0 and *ret (owned: ena_free()), -ENOMEM. Wrong numbers in @conf are our own bug.
 */
MUST_USE int ena_new(const struct ena_conf *conf, struct ena **ret);
void ena_free(struct ena *e);
void ena_freep(struct ena **e);

/* ena_pci(): configuration space of a function with @queue_pairs, for card_function_serve() with db_off ENA_DB_OFF. */
void ena_pci(unsigned queue_pairs, struct pci_config_conf *ret);

/* ---- struct card_model: one to one ---- */

/* ena_access(): the guest reads or writes region @region; @off and @len are inside, else they are the guest's. */
void ena_access(struct ena *e, unsigned region, uint64_t off, void *buf, size_t len, bool write);
/* ena_quiesce() / ena_resume(): nothing of the guest's memory is held between calls, so it is quiet at once (0). */
MUST_USE int ena_quiesce(struct ena *e, bool reset);
void ena_resume(struct ena *e);
/* ena_service(): one bounded turn. Return: true when it did something. */
bool ena_service(struct ena *e, uint64_t now_ns);
/* ena_arm(): Return: true when there is work the next turn can do. Frames that wait for the port are none. */
bool ena_arm(struct ena *e);
/* ena_wake_ns(): monotonic time at which ena_service() has work without being told (keep-alive). UINT64_MAX: never. */
uint64_t ena_wake_ns(const struct ena *e);

/* ---- network to guest ---- */

struct ena_rx_frame {
	const uint8_t *
		hdr; /* private copy of the headers, Ethernet to TCP or UDP, as the guest shall see them */
	size_t hdr_len; /* the whole frame may be here */
	const uint8_t *
		payload; /* the rest: len - hdr_len bytes; may be shared memory; nothing is decided on it */
	size_t len; /* whole frame, at least ENA_ETH_BYTES */
	unsigned
		flags; /* ENA_FRAME_L4_OK: the guest is told so; else the checksum is verified here */
};

/**
 * ena_rx() - put a frame into the guest's memory
 *
 * The guest learns of it at ena_rx_flush() at the latest; call that once per batch.
 * Return: 0; -ENOBUFS no room: the guest has posted too few buffers (offer it again, or drop it);
 * -ENETDOWN the driver is not up; -EMSGSIZE longer than any packet the guest takes; -EPROTO the guest's rings are
 * broken (the device has failed).
 */
MUST_USE int ena_rx(struct ena *e, const struct ena_rx_frame *f);
void ena_rx_flush(struct ena *e);
/* ena_rx_dropped(): the caller dropped @cnt frames that were meant for the guest, for any reason. */
void ena_rx_dropped(struct ena *e, uint64_t cnt);

/* ena_link_set(): the guest is told by an event, now and after each of its resets. */
void ena_link_set(struct ena *e, bool up);

void ena_stats_get(const struct ena *e, struct ena_stats *ret);
/* ena_running(): the driver has initialised the device and it has not failed. */
MUST_USE bool ena_running(const struct ena *e);
