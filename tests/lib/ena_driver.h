/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Plays the stock `ena` driver of Linux: the same sequence of registers, commands and ring entries, and its checks of what
 * the device writes. It does not know how it reaches the device: registers and memory come through struct
 * ena_driver_ops, so that it drives a device in the same thread (ena_rig.h) as well as one behind vfio-user
 * (tests/native/ena_client.h).
 *
 * It can do everything right, and lets the caller do everything wrong: commands are filled by the caller, descriptors can
 * be put one by one, any register can be written.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "cards/network/ena_abi.h"

enum {
	ENA_DRIVER_QUEUES_MAX = 8,
	ENA_DRIVER_DEPTH_MAX = 4096,
	ENA_DRIVER_ADMIN_DEPTH = 32,
	ENA_DRIVER_AENQ_DEPTH = 16,
	ENA_DRIVER_RX_BYTES = 3712, /* of a buffer: what Linux posts of a 4 KiB page */
	ENA_DRIVER_SG_MAX = 19,
	ENA_DRIVER_NO_ANSWER = 0xff, /* as a status: the time-out passed */
};

struct ena_driver_ops {
	uint32_t (*reg_read)(void *ctx, unsigned off);
	void (*reg_write)(void *ctx, unsigned off, uint32_t v);
	/* Zeroed memory, page-aligned. Return: guest address; 0: none left. */
	uint64_t (*alloc)(void *ctx, size_t len);
	void *(*mem)(void *ctx, uint64_t at);
	/* Let the device work; returns at an interrupt of @vector or after a while. Return: false: time is over. */
	bool (*wait)(void *ctx, unsigned vector);
};

struct ena_driver_ring {
	uint16_t idx, depth, tail, head;
	uint64_t at, cq_at;
	uint8_t *desc, *cdesc;
	unsigned db_off, unmask_off;
};

/* What the driver asks a TX packet to be. */
struct ena_driver_offload {
	bool tso, l3_csum, l4_csum, l4_partial, ipv6, tcp;
	uint8_t l3_off, l3_len, l4_words;
	uint16_t mss;
};

struct ena_driver_queue {
	struct ena_driver_ring tx, rx;
	struct ena_driver_offload meta; /* last one sent */
	bool tx_used[ENA_DRIVER_DEPTH_MAX];
	uint16_t tx_descs[ENA_DRIVER_DEPTH_MAX];
	uint16_t tx_next, tx_room;
	uint64_t rx_buf[ENA_DRIVER_DEPTH_MAX]; /* by request id */
	bool rx_posted[ENA_DRIVER_DEPTH_MAX];
	uint16_t rx_free[ENA_DRIVER_DEPTH_MAX],
		rx_free_cnt; /* request ids without a buffer in the ring */
};

struct ena_driver_rx {
	size_t len;
	uint32_t status, hash;
	unsigned descs;
};

struct ena_driver_sg {
	uint64_t at;
	uint16_t len;
};

struct ena_driver {
	const struct ena_driver_ops *ops;
	void *ctx;
	uint64_t aq_at, acq_at, aenq_at;
	struct ena_aq_entry *aq;
	struct ena_acq_entry *acq;
	struct ena_aenq_entry *aenq;
	uint16_t aq_tail, acq_head, aenq_head, next_id;
	uint64_t buf_at; /* a page for control buffers */
	uint8_t *buf;
	/* what the device said */
	struct ena_acq_entry attributes, queues_ext, offload, aenq_config;
	unsigned queue_cnt; /* up */
	struct ena_driver_queue q[ENA_DRIVER_QUEUES_MAX];
	unsigned max_rx_descs;
};

/* ena_driver_reset(): the handshake. Return: 0, -ETIME. */
MUST_USE int ena_driver_reset(struct ena_driver *d, unsigned reason);
/* ena_driver_admin(): rings of the admin queue, registers. */
void ena_driver_admin(struct ena_driver *d);
/* ena_driver_probe(): everything ena_probe() does up to the registered interface. Return: 0, -errno. */
MUST_USE int ena_driver_probe(struct ena_driver *d);
/* ena_driver_up(): ena_up() with @queues pairs of @depth. Return: 0, -errno. */
MUST_USE int ena_driver_up(struct ena_driver *d, unsigned queues, uint16_t depth);
/* ena_driver_down(): destroys all queues. Return: 0, -EIO. */
MUST_USE int ena_driver_down(struct ena_driver *d);

/* ena_driver_cmd(): put, ring, wait. Return: status. */
uint8_t ena_driver_cmd(struct ena_driver *d, struct ena_aq_entry c, struct ena_acq_entry *ret);
uint8_t ena_driver_get(struct ena_driver *d, uint8_t feature, size_t buf_len,
		       struct ena_acq_entry *ret);
uint8_t ena_driver_set(struct ena_driver *d, uint8_t feature, size_t buf_len, const uint32_t *w,
		       unsigned cnt);
/* ena_driver_event(): the next event, given back at once. Return: 1, 0 none. */
int ena_driver_event(struct ena_driver *d, struct ena_aenq_entry *ret);

/* One queue pair; used by ena_driver_up(). Return: status. */
uint8_t ena_driver_cq_make(struct ena_driver *d, struct ena_driver_ring *r, bool rx, uint16_t depth,
			   unsigned vector);
uint8_t ena_driver_sq_make(struct ena_driver *d, struct ena_driver_ring *r, bool rx,
			   uint16_t depth);

/* ena_driver_desc(): any 16 bytes as the next entry of a ring, phase bit as given. Nothing is rung. */
void ena_driver_desc(struct ena_driver_ring *r, const void *desc);
bool ena_driver_phase(const struct ena_driver_ring *r);
void ena_driver_ring_db(struct ena_driver *d, const struct ena_driver_ring *r);
/* ena_driver_unmask(): interrupts of pair @q may come again. */
void ena_driver_unmask(struct ena_driver *d, unsigned q);

/* ena_driver_tx(): put a packet; a meta descriptor only when it changed. Return: request id, -ENOSPC. */
int ena_driver_tx(struct ena_driver *d, unsigned q, const struct ena_driver_sg *sg, unsigned cnt,
		  const struct ena_driver_offload *o);
/* ena_driver_tx_reap(): Return: completions, -EIO a request id that is not in flight. */
int ena_driver_tx_reap(struct ena_driver *d, unsigned q);

/* ena_driver_rx_refill(): post all free buffers and ring. */
void ena_driver_rx_refill(struct ena_driver *d, unsigned q);
/* ena_driver_rx(): the next frame. Return: 1, 0 none, -EFAULT -EIO -ENOSPC what the driver would reset the device for. */
int ena_driver_rx(struct ena_driver *d, unsigned q, uint8_t *buf, size_t cap,
		  struct ena_driver_rx *ret);
