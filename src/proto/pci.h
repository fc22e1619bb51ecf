/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * PCI configuration space and the MSI-X table of one function: bytes, write masks and their rules, without any
 * idea of what the function does. The card serves its region 7 from a struct pci_config; the hypervisor builds
 * one of its own for every function that the guest sees, out of what a card says and after checking it.
 *
 * A configuration access is 1, 2 or 4 bytes (longer ones are taken too) and never leaves the space; bytes beyond
 * it read as ones. Writes change only the bits a mask allows; afterwards the caller learns what else to do
 * (enum pci_event). No SR-IOV, no ROM, no MSI, no INTx: what is not there cannot be wrong.
 *
 * Not thread-safe: the owner locks.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum {
	PCI_CFG_BYTES = 4096, /* extended space included */
	PCI_CFG_LEGACY_BYTES = 256,
	PCI_BARS_MAX = 6,

	/* type 0 header. spec: pci-3.0 §6.1 */
	PCI_CFG_VENDOR = 0x00,
	PCI_CFG_DEVICE = 0x02,
	PCI_CFG_COMMAND = 0x04,
	PCI_CFG_STATUS = 0x06,
	PCI_CFG_REVISION = 0x08,
	PCI_CFG_CLASS = 0x09, /* prog-if, subclass, class */
	PCI_CFG_HEADER_TYPE = 0x0e,
	PCI_CFG_BAR0 = 0x10,
	PCI_CFG_SUBVENDOR = 0x2c,
	PCI_CFG_SUBDEVICE = 0x2e,
	PCI_CFG_ROM = 0x30,
	PCI_CFG_CAP_PTR = 0x34,
	PCI_CFG_INT_LINE = 0x3c,
	PCI_CFG_INT_PIN = 0x3d,

	PCI_COMMAND_IO = 1 << 0,
	PCI_COMMAND_MEMORY = 1 << 1,
	PCI_COMMAND_MASTER = 1 << 2,
	PCI_COMMAND_INTX_OFF = 1 << 10,
	PCI_STATUS_CAPS = 1 << 4,

	PCI_CAP_PM = 0x01,
	PCI_CAP_MSIX = 0x11,
	PCI_CAP_EXPRESS = 0x10,

	PCI_BAR_MIN_BYTES = 4096,

	MSIX_ENTRY_BYTES = 16,
	MSIX_VECTORS_MAX = 64, /* of one function: our limit; the format allows 2048 */
};

/* One base address register as a device describes it. */
struct pci_bar {
	uint64_t size; /* bytes; power of two, at least PCI_BAR_MIN_BYTES; 0: not there */
	bool is_64;    /* takes the next register too */
	bool prefetchable;
};

/* Where table and pending bits of MSI-X lie. */
struct pci_msix_conf {
	uint16_t vector_cnt; /* 0: no MSI-X; at most MSIX_VECTORS_MAX */
	uint8_t table_bar, pba_bar;
	uint32_t table_off, pba_off; /* multiples of 8, inside their BARs, not overlapping */
};

struct pci_config_conf {
	uint16_t vendor, device, subvendor, subdevice;
	uint8_t revision;
	uint32_t class_code; /* 24 bits: 0x010802 is NVMe */
	struct pci_bar bar[PCI_BARS_MAX];
	struct pci_msix_conf msix;
	bool express; /* PCI Express capability (root complex integrated endpoint) */
	bool flr;     /* with function-level reset; needs @express */
	bool pm;      /* power management capability, D0 and D3hot */
};

/* What a write did; a set of bits. */
enum pci_event {
	PCI_EV_COMMAND = 1 << 0, /* command register changed */
	PCI_EV_BAR = 1 << 1,     /* a BAR changed (or is being sized) */
	PCI_EV_MSIX = 1 << 2,    /* MSI-X enable or function mask changed */
	PCI_EV_FLR =
		1
		<< 3, /* function-level reset was asked for: caller resets, then pci_config_reset() */
	PCI_EV_PM = 1 << 4, /* power state changed */
};

struct pci_config {
	uint8_t data[PCI_CFG_BYTES];
	uint8_t wmask[PCI_CFG_BYTES]; /* bits that a write may change */
	uint8_t w1c[PCI_CFG_BYTES];   /* bits that a written 1 clears */
	uint8_t init[PCI_CFG_BYTES];  /* data after reset */
	struct pci_config_conf conf;
	uint16_t cap_next;                      /* where the next capability goes */
	uint16_t cap_last;                      /* offset of the latest one; 0: none */
	uint16_t msix_cap, express_cap, pm_cap; /* offsets; 0: none */
};

/**
 * pci_config_init() - configuration space of a type 0 function
 * @conf: may come from a card that lies: every number is checked
 *
 * Return: 0, or -EINVAL.
 */
MUST_USE int pci_config_init(struct pci_config *c, const struct pci_config_conf *conf);

/* pci_config_conf_check(): the check alone. Return: 0, -EINVAL. */
MUST_USE int pci_config_conf_check(const struct pci_config_conf *conf);

/* pci_config_reset(): as after power-on (BARs are cleared too). */
void pci_config_reset(struct pci_config *c);

/* pci_config_read(): @off and @len are the guest's or the peer's; bytes outside read as 0xff. */
void pci_config_read(const struct pci_config *c, uint64_t off, void *buf, size_t len);

/* pci_config_write(): bytes outside are dropped. Return: set of enum pci_event. */
MUST_USE unsigned pci_config_write(struct pci_config *c, uint64_t off, const void *buf, size_t len);

/* pci_config_bar(): the address a BAR holds now. Return: false when it is absent. Decoding is COMMAND's matter. */
MUST_USE bool pci_config_bar(const struct pci_config *c, unsigned bar, uint64_t *ret_at);
/* pci_config_bar_set(): as firmware would; @at must be a multiple of the size. Our own calls only. */
void pci_config_bar_set(struct pci_config *c, unsigned bar, uint64_t at);

uint16_t pci_config_command(const struct pci_config *c);
MUST_USE bool pci_config_msix_enabled(const struct pci_config *c);
MUST_USE bool pci_config_msix_masked(const struct pci_config *c); /* the function mask */

/**
 * pci_caps_find() - walk a capability list somebody else wrote
 * @data: PCI_CFG_LEGACY_BYTES of configuration space, from a card, unchecked
 * @min:  bytes the capability must have inside the 256
 *
 * At most 48 links; each must lie in 0x40 … 0xfc.
 * Return: offset, -ENOENT, -EPROTO for a list that loops or points outside.
 */
MUST_USE int pci_caps_find(const uint8_t data[PCI_CFG_LEGACY_BYTES], uint8_t id, size_t min);

/* One vector, decoded. */
struct msix_vector {
	uint64_t addr;
	uint32_t data;
	bool masked;
};

/* MSI-X table and pending bits. spec: pci-3.0 §6.8.2 */
struct msix_table {
	uint16_t vector_cnt;
	uint8_t entry[MSIX_VECTORS_MAX * MSIX_ENTRY_BYTES];
	uint64_t pending[(MSIX_VECTORS_MAX + 63) / 64];
};

/* msix_table_init(): all vectors masked. @vector_cnt 0 … MSIX_VECTORS_MAX, checked. Return: 0, -EINVAL. */
MUST_USE int msix_table_init(struct msix_table *t, unsigned vector_cnt);
void msix_table_reset(struct msix_table *t);

/**
 * msix_table_read() / msix_table_write() - the guest's access to the table
 * @off: from the guest: offset from the table's start
 * @len: 4 or 8, aligned; everything else reads as zero and is dropped
 *
 * Return of the write: the vector whose entry changed, or -1 for none.
 */
void msix_table_read(const struct msix_table *t, uint64_t off, void *buf, size_t len);
MUST_USE int msix_table_write(struct msix_table *t, uint64_t off, const void *buf, size_t len);
/* msix_pba_read(): pending bits; they cannot be written. */
void msix_pba_read(const struct msix_table *t, uint64_t off, void *buf, size_t len);

/* msix_vector_get(): @vector < vector_cnt is our own invariant. */
void msix_vector_get(const struct msix_table *t, unsigned vector, struct msix_vector *ret);
void msix_pending_set(struct msix_table *t, unsigned vector, bool pending);
/* Bytes that table and pending bits of @vector_cnt vectors take. */
uint32_t msix_table_bytes(unsigned vector_cnt);
uint32_t msix_pba_bytes(unsigned vector_cnt);
