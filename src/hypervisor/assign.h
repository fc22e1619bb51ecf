/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * An assigned PCI function: the only kind of device an instance has. Whoever provides it (a software card over
 * vfio-user today; a hardware function through the kernel's VFIO later) fills in struct assign; pci.c puts it on the
 * bus, emulates its configuration space and MSI-X table, places its BARs and dispatches accesses.
 *
 * What a provider owes, whatever stands behind it:
 *  - everything in struct assign_info was checked: BAR sizes are powers of two, counts are bounded, areas lie inside
 *    their BARs. pci.c builds what the guest sees from it and passes nothing else through.
 *  - no call blocks for ever. When the device is gone every read is all ones, every write is dropped, and @lost_fd
 *    became readable once.
 *  - all calls come from any vCPU thread, several at once; the provider locks.
 *
 * A kernel VFIO provider maps onto this: regions and irqs by VFIO_DEVICE_GET_{INFO,REGION_INFO,IRQ_INFO}, @read and
 * @write by pread/pwrite on the device descriptor, @irqs_set by VFIO_DEVICE_SET_IRQS, @dma_map by VFIO_IOMMU_MAP_DMA (or
 * iommufd), @reset by VFIO_DEVICE_RESET; areas that can be mapped become ASSIGN_AREA_MAP. It needs nothing new here but
 * that area kind's memory slot in vm.c.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "proto/pci.h"

enum {
	ASSIGN_AREAS_MAX = 16,
};

enum assign_area_kind {
	ASSIGN_AREA_SHADOW =
		1, /* a guest's 32-bit write is stored at @mem, then @event_fd is signalled */
	ASSIGN_AREA_EVENT, /* a guest's write only signals @event_fd; the value does not matter */
	ASSIGN_AREA_MAP,   /* the guest may have the memory itself (not used yet) */
};

/* A part of a BAR that has a shorter way than a message. */
struct assign_area {
	enum assign_area_kind kind;
	unsigned bar;
	uint64_t off, size; /* inside the BAR; multiples of 4 */
	int event_fd;       /* owned by the provider */
	void *mem;          /* @size bytes shared with the device, owned by the provider */
};

/* What pci.c shows the guest. */
struct assign_info {
	struct pci_config_conf conf; /* identity, BARs, MSI-X; checked by pci_config_conf_check() */
	struct assign_area area[ASSIGN_AREAS_MAX];
	unsigned area_cnt;
};

struct assign_ops {
	const char *provider; /* "vfio-user" */

	/*
	 * BAR access that no area takes. @len is 1, 2, 4 or 8, the range lies inside the BAR. A read fills @buf always: all
	 * ones when the device is gone.
	 */
	void (*read)(void *p, unsigned bar, uint64_t off, void *buf, size_t len);
	void (*write)(void *p, unsigned bar, uint64_t off, const void *buf, size_t len);

	/* The guest changed COMMAND (memory decoding, bus mastering): the device is told. */
	void (*command)(void *p, uint16_t command);

	/* Vectors 0 … cnt-1 signal these eventfds (borrowed) from now on; once, at attach. */
	int (*irqs_set)(void *p, const int *fds, unsigned cnt);

	/* Function-level reset, reboot of the guest: returns when no DMA of before is in flight. */
	int (*reset)(void *p);

	/* Guest RAM. @fd is borrowed: a sealed memfd. */
	int (*dma_map)(void *p, uint64_t gpa, uint64_t len, int fd, uint64_t fd_off);
	int (*dma_unmap)(void *p, uint64_t gpa, uint64_t len);

	/* Descriptor to watch for a hang-up (EPOLLRDHUP | EPOLLHUP), -1: none; then hangup() tells the provider. */
	int (*watch_fd)(void *p);
	void (*hangup)(void *p);
	bool (*lost)(void *p);

	void (*free)(void *p);
};

struct assign {
	const struct assign_ops *ops;
	void *p; /* the provider's own */
	struct assign_info info;
};

/* assign_free(): NULL is fine. */
void assign_free(struct assign *a);
void assign_freep(struct assign **a);

/* A range of guest RAM inside one memfd. */
struct assign_ram {
	uint64_t gpa, len;
	int fd; /* borrowed */
	uint64_t fd_off;
};

/**
 * assign_vfio_user_new() - attach to a card
 * @sock: connected stream socket; taken, also on failure
 * @ram:  every range of the guest's RAM; mapped for DMA before this returns
 *
 * Return: 0, -EPROTO the card lies, -ETIMEDOUT it is silent, -ENOTCONN it hung up, -errno.
 */
MUST_USE int assign_vfio_user_new(int sock, const struct assign_ram *ram, unsigned ram_cnt,
				  struct assign **ret);
