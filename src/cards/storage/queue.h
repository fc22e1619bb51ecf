/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Submission and completion queues: rings in guest memory, and the doorbells that move them.
 *
 * A doorbell is a shared 32-bit word that the guest's side stores: in the page that hypervisor and card share
 * (the hypervisor stores what a guest write carried), or, after Doorbell Buffer Config, in the guest's own
 * memory. Either way it is hostile: loaded once, range-checked, used.
 *
 * A queue's geometry is fixed from its creation to its end. A command is fetched only when its completion queue
 * has room for the answer of everything fetched so far, so a completion never waits for the guest.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "cards/storage/nvme.h"
#include "proto/gmem.h"

enum {
	NVME_QUEUE_ENTRIES_MAX = 1024, /* CAP.MQES + 1 */
	NVME_QUEUE_ENTRIES_MIN = 2,
	NVME_IO_QUEUES_MAX = 32,
	NVME_QUEUES_MAX = NVME_IO_QUEUES_MAX + 1, /* with the admin queue */
	NVME_DB_PAGE_BYTES = 4096, /* doorbells, and both pages of Doorbell Buffer Config */
};

/* Where the doorbells of a controller are now. */
struct nvme_db {
	_Atomic uint32_t *page; /* shared with the hypervisor; NVME_DB_PAGE_BYTES; borrowed */
	bool shadow_on; /* Doorbell Buffer Config was accepted: I/O queues use the two spans */
	gpa_t shadow_at, event_at; /* page-aligned; valid while shadow_on */
	struct gmem_span shadow;   /* guest memory, pinned while shadow_on and not quiesced */
	struct gmem_span event;
};

struct nvme_cq {
	gpa_t base; /* page-aligned, contiguous */
	uint16_t qid;
	uint16_t size; /* entries, 2 …; 0: this queue does not exist */
	uint16_t vector;
	uint16_t tail;     /* next entry to write */
	uint16_t head;     /* the guest's, as last seen and checked */
	uint16_t reserved; /* commands fetched whose completion will go here */
	uint16_t sq_cnt;   /* submission queues that use it */
	bool phase;        /* of the entries written in this round */
	bool irq_on;
	bool irq_due; /* something was posted since the last interrupt */
	bool starved; /* a submission queue waits for room here */
};

struct nvme_sq {
	gpa_t base;
	uint16_t qid;
	uint16_t size; /* entries, 2 …; 0: this queue does not exist */
	uint16_t cqid;
	uint16_t head;    /* next entry to fetch */
	uint16_t tail;    /* the guest's, as last seen and checked */
	uint16_t running; /* commands fetched and not completed */
};

/* nvme_db_sq_slot() / nvme_db_cq_slot(): byte offset of a queue's word in all three pages. spec: nvme-1.4 §3.1.24 */
static inline size_t nvme_db_sq_slot(unsigned qid)
{
	return (size_t)qid * 8;
}
static inline size_t nvme_db_cq_slot(unsigned qid)
{
	return (size_t)qid * 8 + 4;
}

/**
 * nvme_db_shadow_map() - pin the two pages of Doorbell Buffer Config
 * @db: ->shadow_at and ->event_at are the guest's, checked for alignment
 *
 * Return: 0, -EPROTO not one page of guest memory each (nothing is held then).
 */
MUST_USE int nvme_db_shadow_map(struct nvme_db *db, struct gmem *mem);
/* nvme_db_shadow_put(): unpins; shadow_on stays as it is. */
void nvme_db_shadow_put(struct nvme_db *db, struct gmem *mem);

/**
 * nvme_sq_tail_look() - where the guest says the submission queue ends
 *
 * Updates sq->tail. Return: entries ready, or -EPROTO for a tail outside the queue.
 */
MUST_USE int nvme_sq_tail_look(struct nvme_sq *sq, const struct nvme_db *db);

/**
 * nvme_sq_tail_arm() - ask to be told when the guest adds to what we have seen
 *
 * After it the caller looks at the tail again before it sleeps. Does nothing unless the shadow page is on.
 */
void nvme_sq_tail_arm(const struct nvme_sq *sq, const struct nvme_db *db);
/* nvme_sq_tail_hush(): the opposite: we look by ourselves, no need to ring. */
void nvme_sq_tail_hush(const struct nvme_sq *sq, const struct nvme_db *db);

/**
 * nvme_sq_fetch() - copy the next command out of guest memory
 * @sq:  between head and tail there is at least one entry: our own invariant
 * @ret: private copy; the only one that is ever parsed
 *
 * spec: nvme-1.4 §4.1 (queues), §4.2 (64-byte command)
 * Return: 0, -EPROTO the queue is not in guest memory.
 */
MUST_USE int nvme_sq_fetch(struct nvme_sq *sq, struct gmem *mem, struct nvme_sqe *ret);

/* nvme_cq_room(): completions that may still be promised. */
unsigned nvme_cq_room(const struct nvme_cq *cq);

/**
 * nvme_cq_head_look() - how far the guest has read the completion queue
 *
 * Return: 0, -EPROTO for a head outside the queue or ahead of what was posted.
 */
MUST_USE int nvme_cq_head_look(struct nvme_cq *cq, const struct nvme_db *db);
/* nvme_cq_head_arm(): as nvme_sq_tail_arm(), for the next move of the head. */
void nvme_cq_head_arm(const struct nvme_cq *cq, const struct nvme_db *db);

/**
 * nvme_cq_post() - write one completion; the phase bit last
 * @cqe: without the phase bit. There is room for it: our own invariant
 *
 * Return: 0, -EPROTO the queue is not in guest memory.
 */
MUST_USE int nvme_cq_post(struct nvme_cq *cq, struct gmem *mem, struct nvme_cqe cqe);
