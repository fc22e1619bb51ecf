/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The two functions of the chipset that software looks for: the Q35's host bridge and the ICH9's LPC bridge.
 * Configuration space only, and of it only what firmware and kernels use: where ECAM lies, where the power
 * management block lies, and scratch bits for the memory attributes firmware likes to set.
 *
 * Not thread-safe: pci.c locks.
 */

#include <stdint.h>

#include "proto/pci.h"

/* Their state after power-on is what firmware would leave behind, since usually there is none. */
void chipset_host_init(struct pci_config *c);
void chipset_lpc_init(struct pci_config *c);

/* chipset_ecam(): Return: bytes of ECAM, 0 when switched off; @ret_base then untouched. */
MUST_USE uint64_t chipset_ecam(const struct pci_config *host, uint64_t *ret_base);
/* chipset_pm_base(): Return: I/O port, 0 when switched off. */
uint16_t chipset_pm_base(const struct pci_config *lpc);
