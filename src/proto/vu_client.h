/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The hypervisor's half of vfio-user: one connection to one card's function.
 *
 * The card is not trusted. Whatever it says is checked here: sizes, counts, reply lengths, descriptors and their kind.
 * A card that breaks the protocol, hangs up or stays silent past the deadline is *lost*: its connection is shut down, every
 * later call returns -ENOTCONN at once, reads give all ones. Nothing here waits for ever and nothing aborts.
 *
 * Every function may be called from any thread; one request is on its way at a time.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "proto/pci.h"
#include "proto/vfio_user.h"

struct vu_client;

enum {
	VU_CLIENT_ACCESS_MS = 5000, /* a region access, a query */
	VU_CLIENT_DRAIN_MS = 30000, /* DMA_UNMAP and DEVICE_RESET wait for I/O in flight */
};

/* BAR sizes above this are refused: they would eat the guest's address space. */
#define VU_CLIENT_BAR_MAX_BYTES ((uint64_t)64 << 30)

struct vu_client_info {
	bool resets; /* DEVICE_RESET is there */
	uint64_t region_size
		[VU_REGIONS]; /* 0: absent. BARs: power of two, at most VU_CLIENT_BAR_MAX_BYTES */
	uint32_t region_flags[VU_REGIONS];
	unsigned msix_cnt;                    /* vectors, 0 … MSIX_VECTORS_MAX */
	uint8_t config[PCI_CFG_LEGACY_BYTES]; /* as read once at attach; still the card's word */
};

/* A part of a region whose writes go to shared memory and an eventfd. Both checked: memory sealed, eventfd an eventfd. */
struct vu_client_shadow {
	unsigned region;
	uint64_t off, size; /* inside the region, multiples of 4; do not overlap */
	int event_fd;       /* owned by the client object */
	void *mem; /* mapped here, @size bytes; NULL: a plain ioeventfd (value not wanted) */
};

/**
 * vu_client_new() - negotiate and learn what the card offers
 * @sock:      connected stream socket; taken, also on failure
 * @access_ms: deadline of one request, 0 = VU_CLIENT_ACCESS_MS
 *
 * Return: 0, -EPROTO the card lies, -ETIMEDOUT, -ENOTCONN it hung up, -errno.
 */
MUST_USE int vu_client_new(int sock, unsigned access_ms, struct vu_client **ret);
void vu_client_free(struct vu_client *c);
void vu_client_freep(struct vu_client **c);

const struct vu_client_info *vu_client_info(const struct vu_client *c);
/* vu_client_shadows(): those of all BARs, fetched by vu_client_new(). */
const struct vu_client_shadow *vu_client_shadows(const struct vu_client *c, unsigned *ret_cnt);

/* vu_client_dma_map(): @fd is borrowed. vu_client_dma_unmap(): waits for the card's I/O in flight. */
MUST_USE int vu_client_dma_map(struct vu_client *c, uint64_t gpa, uint64_t len, unsigned dma_flags,
			       int fd, uint64_t fd_off);
MUST_USE int vu_client_dma_unmap(struct vu_client *c, uint64_t gpa, uint64_t len);

/* vu_client_irqs_set(): MSI-X vectors 0 … @cnt-1 signal @fds (borrowed). @cnt 0 takes them all away. */
MUST_USE int vu_client_irqs_set(struct vu_client *c, const int *fds, unsigned cnt);

/**
 * vu_client_read() / vu_client_write() - access to a region
 * @len: 1 … 8 bytes, inside the region (-EINVAL otherwise)
 *
 * Return: 0, or -errno (a read's buffer is then all ones): the card's own error code, -ENOTCONN when it is lost.
 */
MUST_USE int vu_client_read(struct vu_client *c, unsigned region, uint64_t off, void *buf,
			    size_t len);
MUST_USE int vu_client_write(struct vu_client *c, unsigned region, uint64_t off, const void *buf,
			     size_t len);

/* vu_client_reset(): waits for the card's I/O in flight. */
MUST_USE int vu_client_reset(struct vu_client *c);

/* vu_client_fd(): for a loop that wants to see the hang-up (EPOLLRDHUP); the same for life, lost or not. */
int vu_client_fd(const struct vu_client *c);
MUST_USE bool vu_client_lost(struct vu_client *c);
/* vu_client_lose(): the caller knows better (hang-up seen). */
void vu_client_lose(struct vu_client *c);
