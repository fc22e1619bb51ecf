/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * PRP: how a command names its data in guest memory. Two entries in the command, and lists of more.
 *
 * The walk is bounded: a command of at most PRP_DATA_MAX bytes touches at most PRP_PAGES_MAX pages and
 * PRP_LISTS_MAX list pages, whatever the guest writes into them; every list is read once, as a whole, into
 * private memory.
 *
 * spec: nvme-1.4 §4.3
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/attr.h"
#include "cards/storage/nvme.h"
#include "proto/gmem.h"

enum {
	PRP_DATA_MAX = 256 * 1024, /* bytes: MDTS 6 */
	PRP_PAGES_MAX =
		PRP_DATA_MAX / NVME_PAGE_BYTES + 1, /* one more when the first begins in mid-page */
	PRP_LIST_ENTRIES = NVME_PAGE_BYTES / 8,
	PRP_LISTS_MAX = 2, /* only the first list may begin in mid-page */
};

/* The pages of one transfer, in order. */
struct prp_pages {
	unsigned cnt;
	struct {
		gpa_t at;
		uint32_t len; /* bytes, > 0 */
	} page[PRP_PAGES_MAX];
};

/**
 * prp_walk() - find the pages of a transfer
 * @prp1, @prp2: the guest's, unchecked
 * @len:         bytes, 1 … PRP_DATA_MAX: our own invariant
 *
 * Addresses are only collected, not yet known to be memory; lists are read.
 * Return: 0; -EPROTO a list is not in guest memory; -EINVAL an offset where there must be none, or one that is
 * not a multiple of 4 (of 8 for a list).
 */
MUST_USE int prp_walk(struct gmem *mem, uint64_t prp1, uint64_t prp2, size_t len,
		      struct prp_pages *ret);

/* A transfer pinned in place. Each piece is one span; neighbours in our address space are one piece. */
struct prp_spans {
	unsigned cnt;
	struct gmem_span span[PRP_PAGES_MAX];
	struct iovec iov[PRP_PAGES_MAX];
};

/**
 * prp_map() - walk and pin
 * @need: GMEM_READ for data the guest sends, GMEM_WRITE for data it receives
 * @ret:  put back with prp_put(); empty on failure
 *
 * Return: as prp_walk(); -EPROTO also when a page is not memory.
 */
MUST_USE int prp_map(struct gmem *mem, uint64_t prp1, uint64_t prp2, size_t len, unsigned need,
		     struct prp_spans *ret);
void prp_put(struct gmem *mem, struct prp_spans *s);

/**
 * prp_copy_out() / prp_copy_in() - a private buffer to and from the guest, for admin data and range lists
 * @total: bytes the command speaks of, 1 … PRP_DATA_MAX: how the entries are laid out depends on it
 * @len:   bytes to copy, at most @total; pages beyond them are not touched
 *
 * Return: as prp_map().
 */
MUST_USE int prp_copy_out(struct gmem *mem, uint64_t prp1, uint64_t prp2, size_t total,
			  const void *buf, size_t len);
MUST_USE int prp_copy_in(struct gmem *mem, uint64_t prp1, uint64_t prp2, size_t total, void *buf,
			 size_t len);
