/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Guest memory as a card sees it: the only place where a guest address becomes a pointer.
 *
 * The client (hypervisor) gives ranges of RAM as memory descriptors; the table below holds them. A card copies
 * control structures in and out (gmem_read(), gmem_write()) and takes spans for payload (gmem_map()), which may be
 * shorter than asked, so callers loop. A span pins its range: an unmap waits until every span of the range was put
 * back. An address without memory behind it is the guest's fault: -EPROTO. There is no way from here into any
 * BAR, so a card can never do DMA into its own registers.
 *
 * Threads: the table is changed by one thread (the one that runs the vfio-user server); every other function may
 * be called from any thread at any time.
 *
 * The bytes themselves are moved by gmem_copy.c. Tests link another file in its place: gmem_copy_count.c reports
 * control memory that one request read twice, gmem_copy_fuzz.c makes every read return fresh bytes (gmem_test.h).
 */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* An address in the guest's physical memory. */
typedef struct {
	uint64_t v;
} gpa_t;

enum {
	GMEM_REGIONS_MAX = 64,
	GMEM_ADDR_BITS = 48, /* the guest's drivers never hand out more; beyond is -EPROTO */
	GMEM_PAGE_BYTES = 4096,
};

enum gmem_prot {
	GMEM_READ = 1,  /* the card may read it */
	GMEM_WRITE = 2, /* the card may write it */
};

struct gmem;

/* A piece of guest memory, contiguous here, pinned until gmem_put(). Payload only: never decide on its bytes. */
struct gmem_span {
	void *p;    /* NULL: nothing is held */
	size_t len; /* bytes */
	unsigned region_idx;
};

MUST_USE int gmem_new(struct gmem **ret);
/* gmem_free(): unmaps everything; no span may be held. NULL is fine. */
void gmem_free(struct gmem *m);
void gmem_freep(struct gmem **m);

/**
 * gmem_region_add() - make a range of guest memory known
 * @at, @len: from the client, unchecked: whole pages, inside 48 bits, no overlap with another region
 * @prot:     GMEM_READ | GMEM_WRITE
 * @fd:       sealed memfd (fd_memfd_check()), borrowed; -1: a range known by name only, every access is -EPROTO
 * @fd_off:   from the client, unchecked: offset of @at in it, whole pages
 *
 * Return: 0, -EPROTO descriptor is not sealed shared memory of that size, -EINVAL bad numbers, -EEXIST overlap,
 * -ENOSPC table full, or -errno of mmap.
 */
MUST_USE int gmem_region_add(struct gmem *m, gpa_t at, uint64_t len, unsigned prot, int fd,
			     uint64_t fd_off);

/**
 * gmem_region_del() - forget a range; both numbers must be those it was added with
 *
 * From the first call on no new access to the range succeeds; while spans are held the answer is -EBUSY and the
 * caller asks again after they were put back.
 * Return: 0 gone, -EBUSY, -ENOENT no such range.
 */
MUST_USE int gmem_region_del(struct gmem *m, gpa_t at, uint64_t len);

/* gmem_region_del_all(): as gmem_region_del() for every range. Return: 0 all gone, -EBUSY. */
MUST_USE int gmem_region_del_all(struct gmem *m);

/* gmem_region_cnt(): ranges in the table; gmem_pins(): spans held in all of them. */
unsigned gmem_region_cnt(struct gmem *m);
unsigned gmem_pins(struct gmem *m);

/**
 * gmem_read() / gmem_write() - copy between guest memory and a private buffer
 * @at:  from the guest, unchecked
 * @len: bytes; the range may cross regions that touch each other
 *
 * Copy once, check the copy, use the copy.
 * Return: 0, or -EPROTO when any byte of the range is not the guest's memory (a write may then have been done in
 * part; a read's buffer is zeroed).
 */
MUST_USE int gmem_read(struct gmem *m, gpa_t at, void *buf, size_t len);
MUST_USE int gmem_write(struct gmem *m, gpa_t at, const void *buf, size_t len);

/* gmem_zero(): gmem_write() of @len zeroes. */
MUST_USE int gmem_zero(struct gmem *m, gpa_t at, size_t len);

/**
 * gmem_map() - pin payload memory in place
 * @need: GMEM_READ when the card will read the guest's bytes, GMEM_WRITE when it will write
 * @ret:  1 … @len bytes beginning at @at: loop until all of @len is mapped
 *
 * Return: 0, or -EPROTO (also for @len 0).
 */
MUST_USE int gmem_map(struct gmem *m, gpa_t at, size_t len, unsigned need, struct gmem_span *ret);

/* gmem_put(): unpins; @s becomes empty. Nothing happens for an empty span. */
void gmem_put(struct gmem *m, struct gmem_span *s);

/**
 * gmem_load32() / gmem_store32() - one shared 32-bit word: a single atomic access
 * @at: multiple of 4
 *
 * The load is an acquire, the store a release. Return: 0, -EPROTO.
 */
MUST_USE int gmem_load32(struct gmem *m, gpa_t at, uint32_t *ret);
MUST_USE int gmem_store32(struct gmem *m, gpa_t at, uint32_t v);

/* The same on a pinned span (shadow doorbells); @off is a multiple of 4 and inside the span: our own invariant. */
uint32_t gmem_span_load32(const struct gmem_span *s, size_t off);
void gmem_span_store32(const struct gmem_span *s, size_t off, uint32_t v);
