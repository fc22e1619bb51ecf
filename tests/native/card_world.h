/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One card, one volume, one guest: what each native test of the storage card starts with. cmocka assertions inside.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "card_host.h"
#include "nvme_client.h"

enum { WORLD_DEPTH = 64, WORLD_QUEUES = 4, WORLD_DATA_BYTES = 1 << 20 };
#define WORLD_VOLUME_BYTES ((uint64_t)64 << 20)
#define WORLD_LBAS (WORLD_VOLUME_BYTES / NVME_LBA_BYTES)
#define WORLD_RAM_BYTES ((uint64_t)32 << 20)

struct world {
	char dir[64];
	struct card_host host;
	struct card_volume volume;
	struct nvme_client guest;
	uint64_t data, list; /* 1 MiB, contiguous, and a page of guest memory */
	uint8_t *p;          /* the 1 MiB */
};

extern struct world world;
extern const char *world_program; /* from main() */

/* world_setup(): all of it, controller enabled, WORLD_QUEUES pairs. world_teardown(): fails if the card did not end well. */
int world_setup(void **state);
int world_teardown(void **state);
#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

/* The parts. */
void world_card_start(bool read_only);
void world_card_stop(void);
/* world_boot(): enable the controller (it is off) and make @queues pairs; memory starts anew. */
void world_boot(unsigned queues);
/* world_reboot(): off and on. */
void world_reboot(void);

/* A sector-sized or larger pattern that depends on @seed. @len: multiple of 8. */
void world_fill(void *p, size_t len, uint64_t seed);
/* Reads and writes from the 1 MiB, at @off in it. Return: status. */
uint16_t world_read(unsigned qid, uint64_t lba, uint32_t cnt, uint32_t off);
uint16_t world_write(unsigned qid, uint64_t lba, uint32_t cnt, uint32_t off);
/* world_alive(): the controller takes commands and data is what it was; a write and a read of one block. */
void world_alive(void);
/* An admin command without data. */
uint16_t world_admin(struct nvme_sqe sqe, uint32_t *ret_dw0);
