/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The PCI root of an instance: one flat bus 0 with a Q35's host bridge at 00:00.0 and ICH9 LPC bridge at 00:1f.0, so that
 * stock firmware finds its bearings, and assigned functions in between. Configuration by CF8/CFC and by ECAM.
 *
 * Slots: 0 host bridge, 1-3 reserved, 4 … 27 functions (what is not taken at start is for hot-plug), 28-30 reserved,
 * 31 LPC. No INTx anywhere, no bridges, no I/O BARs.
 *
 * Threads: pci_root_pio() and pci_root_mmio() are called by all vCPU threads at once. pci_root_add() is called before the
 * first vCPU runs; functions live until pci_root_free().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "hypervisor/assign.h"
#include "hypervisor/irq.h"

enum {
	PCI_SLOTS = 32,
	PCI_SLOT_HOST = 0,
	PCI_SLOT_FIRST = 4,
	PCI_SLOT_LAST = 27,
	PCI_SLOT_LPC = 31,

	PCI_ECAM_BUS_BYTES = 1 << 20, /* one bus; MCFG says buses 0 … 0 */
	PCI_PM_BASE = 0x600, /* ICH9 power management block, when firmware did not move it */
};

/* The map of guest addresses vm.c and acpi.c use too. RAM below 4 GiB must end at or before PCI_MMIO32_BASE. */
#define PCI_MMIO32_BASE ((uint64_t)0xc0000000)
#define PCI_MMIO32_BYTES ((uint64_t)0x20000000) /* … 0xdfffffff */
#define PCI_ECAM_BASE ((uint64_t)0xe0000000)

struct pci_root;

struct pci_root_conf {
	struct irq_if irq;
	/* Windows for BARs, also in the ACPI _CRS of PCI0. The 64-bit one lies above RAM; @mmio64_bytes 0: none. */
	uint64_t mmio32_base, mmio32_bytes;
	uint64_t mmio64_base, mmio64_bytes;
};

MUST_USE int pci_root_new(const struct pci_root_conf *conf, struct pci_root **ret);
/* pci_root_free(): frees the functions too. NULL is fine. */
void pci_root_free(struct pci_root *r);
void pci_root_freep(struct pci_root **r);

/**
 * pci_root_add() - put a function on the bus
 * @slot: PCI_SLOT_FIRST … PCI_SLOT_LAST, free
 * @a:    taken on success
 *
 * Its BARs get addresses in the windows (32-bit first) as firmware would; decoding is off until the guest turns it on.
 * Return: 0, -EINVAL bad slot or description, -EBUSY taken, -ENOSPC windows or GSIs used up, -errno.
 */
MUST_USE int pci_root_add(struct pci_root *r, unsigned slot, struct assign *a);

/**
 * pci_root_pio() / pci_root_mmio() - an exit that may be PCI's
 * @data: @len bytes; written for a read
 * @len:  1, 2, 4 or 8
 *
 * Return: true when it was (@data is then filled for a read), false: not ours, nothing touched.
 */
MUST_USE bool pci_root_pio(struct pci_root *r, uint16_t port, void *data, size_t len, bool write);
MUST_USE bool pci_root_mmio(struct pci_root *r, uint64_t gpa, void *data, size_t len, bool write);

/* pci_root_pm_base(): I/O port of the power management block, 0 while firmware has it switched off. */
uint16_t pci_root_pm_base(struct pci_root *r);

/**
 * pci_root_reset() - the guest reboots: all vCPU threads stand still
 *
 * Every function is reset (no DMA is in flight afterwards), BARs go back to where pci_root_add() put them.
 * Return: 0, or the first error; a function that is lost stays lost and does not count.
 */
MUST_USE int pci_root_reset(struct pci_root *r);

/* pci_root_function(): what sits in a slot, borrowed; NULL for nothing. For the loop that watches hang-ups. */
struct assign *pci_root_function(struct pci_root *r, unsigned slot);

/* Counters for CTL_SVC_STATS. */
struct pci_root_stats {
	uint64_t doorbells; /* writes that went to a shadow page */
	uint64_t forwarded; /* accesses that became a message */
};
void pci_root_stats(struct pci_root *r, struct pci_root_stats *ret);
