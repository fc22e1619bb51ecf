/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * An ENA device and its driver in one thread, with a port that keeps what it is given: for unit tests of the device's
 * files. Link with dep_proto_server_count: every turn is checked for control memory that was read twice.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cards/network/ena_priv.h"
#include "ena_driver.h"

enum {
	RIG_RAM_BYTES = 16 << 20, /* half at 0, half at RIG_HIGH */
	RIG_PAIRS = 4,
	RIG_DEPTH = 256,
	RIG_FRAMES_MAX = 4096,
};
#define RIG_HIGH ((uint64_t)4 << 30)
#define RIG_NOWHERE ((uint64_t)2 << 30)

struct rig_frame {
	size_t len;
	unsigned flags, seg_idx, seg_cnt, queue;
	uint8_t *b; /* owned */
};

struct rig {
	struct gmem *mem;
	uint8_t *ram;
	uint64_t next; /* byte in ram */
	struct ena *e;
	uint64_t now_ns;
	unsigned irqs[RIG_PAIRS + 1];
	struct ena_driver d;
	/* the port */
	struct rig_frame frame[RIG_FRAMES_MAX]; /* committed */
	unsigned frame_cnt, flushes, reserves;
	int refuse;       /* what reserve answers; 0: yes */
	unsigned room;    /* frames until -EAGAIN; UINT32_MAX: no end */
	bool same_memory; /* the test sends the same bytes again and again: reads are not counted */
	bool rewrite_mac; /* the port writes 02:02:02:02:02:02 over the destination */
	uint8_t scratch[ENA_FRAME_MAX];
	struct ena_allowance allowance;
};

extern struct rig rig;

int rig_setup(void **state);     /* probed, RIG_PAIRS pairs of RIG_DEPTH up, all events read */
int rig_setup_off(void **state); /* after power-on */
int rig_teardown(void **state);
#define IN_RIG(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
#define IN_RIG_OFF(f) cmocka_unit_test_setup_teardown(f, rig_setup_off, rig_teardown)

/* rig_turn(): turns until nothing happens any more. */
void rig_turn(void);
void rig_frames_clear(void);
uint64_t rig_alloc(size_t len);
void *rig_p(uint64_t at);
uint32_t rig_reg(unsigned off);
void rig_reg_write(unsigned off, uint32_t v);
/* rig_fatal(): the device has failed (and the driver's reset brings it back to life: everything up again). */
void rig_assert_fatal_and_recover(void);
/* rig_alive(): a small packet of each queue goes out and one comes in. */
void rig_alive(void);

/* rig_tx(): @len bytes at @p as one packet of queue @q, in pieces of at most @piece bytes; rung and turned. */
void rig_tx(unsigned q, const void *p, size_t len, size_t piece,
	    const struct ena_driver_offload *o);
/* rig_rx(): a frame for the guest, all of it private. Return: as ena_rx(). */
int rig_rx(const void *p, size_t len, unsigned flags);

/* A UDP or TCP packet over IPv4 or IPv6 with right checksums; payload depends on @seed. Return: bytes. */
size_t rig_packet(uint8_t *p, bool ipv6, bool tcp, size_t payload, uint32_t seed);
