/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the probes of a hostile guest against niter-storage-card share. "Serves on" is checked after every probe
 * (probe_teardown): with the controller as it is, or, when the probe was worth CSTS.CFS, after the reset that a driver
 * would do.
 */

#include "card_world.h"

#define G (&world.guest)
/* Nothing is there: between the halves of memory. */
#define HOLE ((uint64_t)1 << 30)
#define RAM_END (WORLD_RAM_BYTES / 2)

/* probe_fatal(): is the controller in its failed state? */
bool probe_fatal(void);
int probe_teardown(void **state);
#define PROBE(f) cmocka_unit_test_setup_teardown(f, world_setup, probe_teardown)

/* An I/O command on queue 1; namespace 1 unless it names one. Return: status. */
uint16_t io(struct nvme_sqe sqe);
uint16_t read8(uint64_t prp1, uint64_t prp2);
uint16_t read_pages(uint64_t prp1, uint64_t prp2, unsigned pages);
uint16_t admin(uint8_t opc, uint32_t cdw10, uint32_t cdw11, uint64_t prp1);
/* expect_fatal(): the controller goes to its failed state. */
void expect_fatal(void);
