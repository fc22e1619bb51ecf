/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * An NVMe controller on a volume of plain memory that completes when the test says so, with the guest in the same
 * thread: for unit tests of the controller's files. Link with dep_proto_server_count: every turn is checked for control
 * memory that was read twice.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cards/storage/controller.h"
#include "vol_fake.h"

enum { RIG_RAM_BYTES = 4 << 20, RIG_QUEUES = 4, RIG_ADMIN_ENTRIES = 32, RIG_IO_ENTRIES = 16 };

struct rig {
	struct gmem *mem;
	uint8_t *ram; /* guest address 0 … RIG_RAM_BYTES */
	struct vol *vol;
	struct nvme_ctrl *c;
	uint64_t now_ns;
	unsigned irqs[RIG_QUEUES + 1];
	uint16_t tail[RIG_QUEUES + 1], head[RIG_QUEUES + 1];
	bool phase[RIG_QUEUES + 1];
	uint16_t entries[RIG_QUEUES + 1];
};

/* Where things lie in the guest. */
#define RIG_SQ(qid) ((uint64_t)0x10000 + (uint64_t)(qid)*0x10000)
#define RIG_CQ(qid) ((uint64_t)0x18000 + (uint64_t)(qid)*0x10000)
#define RIG_DATA ((uint64_t)0x200000)
#define RIG_LIST ((uint64_t)0x1000)
#define RIG_NOWHERE ((uint64_t)0x40000000)

extern struct rig rig;

int rig_setup(void **state);     /* enabled, RIG_QUEUES pairs */
int rig_setup_off(void **state); /* disabled */
int rig_teardown(void **state);
#define IN_RIG(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
#define IN_RIG_OFF(f) cmocka_unit_test_setup_teardown(f, rig_setup_off, rig_teardown)

void rig_reg_write(unsigned off, uint32_t v);
uint32_t rig_reg(unsigned off);
void rig_enable(void);
void rig_queues(void);
void rig_doorbell(unsigned slot, uint32_t v);

/* rig_put(): entry with a fresh cid, rung at once. Return: the cid. */
uint16_t rig_put(unsigned qid, struct nvme_sqe sqe);
/* rig_turn(): turns until nothing happens any more. */
void rig_turn(void);
/* rig_finish(): the volume finishes everything, turn. */
void rig_finish(void);
/* rig_reap(): the next completion, if any; the head is told. */
bool rig_reap(unsigned qid, struct nvme_cqe *ret);
/* rig_reap_status(): there is exactly one completion more, for @cid. Return: its status. */
uint16_t rig_reap_status(unsigned qid, uint16_t cid);
/* rig_do(): put, turn, finish, reap. Return: status. */
uint16_t rig_do(unsigned qid, struct nvme_sqe sqe);
uint16_t rig_do_dw0(unsigned qid, struct nvme_sqe sqe, uint32_t *ret_dw0);
