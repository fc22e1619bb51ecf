/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Guest RAM: one memfd from the launcher, mapped once, in one or two KVM slots (below and above the hole).
 * The hypervisor writes to it while it loads a kernel and its tables, and looks at it at no other time.
 */

#include <stdint.h>

#include "base/attr.h"

struct memory {
	int fd;              /* owned */
	uint8_t *host;       /* mapping of the whole memfd */
	uint64_t bytes;      /* all RAM, a multiple of 2 MiB */
	uint64_t low_bytes;  /* at gpa 0 = file offset 0 */
	uint64_t high_bytes; /* at gpa MAP_HIGH_RAM_BASE = file offset low_bytes */
};

enum {
	MEM_REGIONS_MAX = 12,
	/* spec: acpi-6.4 §15, address range types */
	E820_RAM = 1,
	E820_RESERVED = 2,
};

struct mem_region {
	uint64_t gpa, bytes;
	uint32_t type;
};

/* mem_layout(): splits @bytes around the hole. Return: 0, -EINVAL (less than 16 MiB or not 2 MiB aligned). */
MUST_USE int mem_layout(uint64_t bytes, struct memory *ret);

/**
 * mem_init() - map guest RAM and give it to KVM
 * @fd:    memfd, sealed against shrinking; owned from now on, also on failure
 * @bytes: RAM of the guest
 *
 * Return: 0, -EPROTO (not that kind of memfd), -EINVAL, -errno.
 */
MUST_USE int mem_init(struct memory *m, int vm_fd, int fd, uint64_t bytes);

/* mem_zero(): every byte of RAM is zero and takes no host memory. The vCPUs are stopped. Return: 0, -errno. */
MUST_USE int mem_zero(const struct memory *m);

/* mem_at(): the host's view of [gpa, gpa+len), or NULL if that is not all RAM in one piece. */
void *mem_at(const struct memory *m, uint64_t gpa, uint64_t len);

/* mem_end(): first address above all RAM. */
uint64_t mem_end(const struct memory *m);

/* mem_regions(): what e820 says. Return: number of entries. */
unsigned mem_regions(const struct memory *m, struct mem_region ret[MEM_REGIONS_MAX]);
