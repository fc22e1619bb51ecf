/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A guest's NVMe driver in this process: memory of its own behind two DMA ranges, queues in it, doorbells as the
 * hypervisor would store them. For native tests and measurements of the storage card; no VM is needed.
 *
 * It can do everything right, and lets the caller do everything wrong: queue entries are filled by the caller, any
 * register can be written, any memory be changed at any time.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "cards/storage/nvme.h"
#include "proto/vu_client.h"

enum {
	NVME_CLIENT_QUEUES_MAX = 33,
	NVME_CLIENT_TIMEOUT_MS = 20000,
	NVME_CLIENT_NO_ANSWER = 0xffff, /* as a status: the time-out passed */
};
/* Guest memory: half at 0, half at 4 GiB, with nothing in between. */
#define NVME_CLIENT_HIGH ((uint64_t)4 << 30)

struct nvme_client_queue {
	uint16_t size; /* entries of both rings; 0: not made */
	uint64_t sq_at, cq_at;
	struct nvme_sqe *sqe;
	volatile struct nvme_cqe *cqe;
	uint16_t tail, head; /* ours */
	uint16_t rung;       /* tail last told */
	bool phase;
	uint16_t next_cid;
	int irq_fd;
};

struct nvme_client {
	struct vu_client *vu; /* owned */
	int ram_fd;
	uint8_t *ram;
	uint64_t ram_bytes; /* both halves */
	uint64_t next;      /* byte in ram of the next free page */
	const struct vu_client_shadow *doorbells;
	uint32_t *db_shadow, *db_event; /* Doorbell Buffer Config; NULL while off */
	struct nvme_client_queue q[NVME_CLIENT_QUEUES_MAX];
	unsigned vector_cnt;
	uint64_t rings; /* doorbells that a guest would have exited for */
};

/**
 * nvme_client_open() - connect, give memory and interrupts
 * @sock: taken, also on failure
 * @ram_bytes: multiple of 8 KiB
 * Return: 0, -errno.
 */
MUST_USE int nvme_client_open(struct nvme_client *c, int sock, uint64_t ram_bytes);
void nvme_client_close(struct nvme_client *c);

/* nvme_client_alloc(): zeroed pages, never freed but by nvme_client_forget(). Return: guest address; 0: none left. */
uint64_t nvme_client_alloc(struct nvme_client *c, size_t len);
/* nvme_client_forget(): all memory is free again. The controller must be off. */
void nvme_client_forget(struct nvme_client *c);
/* nvme_client_p(): guest address to pointer; NULL where there is no memory. */
void *nvme_client_p(struct nvme_client *c, uint64_t at);

/* Registers. */
uint32_t nvme_client_reg32(struct nvme_client *c, unsigned off);
uint64_t nvme_client_reg64(struct nvme_client *c, unsigned off);
void nvme_client_reg32_write(struct nvme_client *c, unsigned off, uint32_t v);
void nvme_client_reg64_write(struct nvme_client *c, unsigned off, uint64_t v);
/* nvme_client_csts_wait(): Return: 0 when (CSTS & @mask) == @want, -ETIMEDOUT. */
MUST_USE int nvme_client_csts_wait(struct nvme_client *c, uint32_t mask, uint32_t want);

/* nvme_client_enable(): as Linux does it. nvme_client_disable(): CC.EN = 0 and wait. Return: 0, -errno. */
MUST_USE int nvme_client_enable(struct nvme_client *c, uint16_t depth);
MUST_USE int nvme_client_disable(struct nvme_client *c);
/* nvme_client_queues(): set the number, then make pairs 1 … @cnt. Return: pairs made, -errno. */
MUST_USE int nvme_client_queues(struct nvme_client *c, unsigned cnt, uint16_t depth);
/* nvme_client_dbbuf(): Doorbell Buffer Config. Return: status. */
uint16_t nvme_client_dbbuf(struct nvme_client *c);

/* nvme_client_put(): copy an entry to the tail; ->cid is chosen here and returned. Nothing is rung. */
uint16_t nvme_client_put(struct nvme_client *c, unsigned qid, struct nvme_sqe sqe);
/* nvme_client_ring(): tell the tail, by register or shadow page. */
void nvme_client_ring(struct nvme_client *c, unsigned qid);
/* nvme_client_doorbell(): store any value as a doorbell register's and signal. */
void nvme_client_doorbell(struct nvme_client *c, unsigned slot, uint32_t v);
/* nvme_client_reap(): completions that are there; tells the head. Return: how many, at most @max. */
unsigned nvme_client_reap(struct nvme_client *c, unsigned qid, struct nvme_cqe *ret, unsigned max);
/* nvme_client_wait(): the next completion. Return: 0, -ETIMEDOUT. */
MUST_USE int nvme_client_wait(struct nvme_client *c, unsigned qid, struct nvme_cqe *ret,
			      int timeout_ms);
/* nvme_client_do(): put, ring, wait. Return: status without phase; *ret_dw0 may be NULL. */
uint16_t nvme_client_do(struct nvme_client *c, unsigned qid, struct nvme_sqe sqe,
			uint32_t *ret_dw0);

/* nvme_client_prps(): entries for @len contiguous bytes at @at; @list_at: a page for the list, 0 if it cannot need one. */
void nvme_client_prps(struct nvme_client *c, struct nvme_sqe *sqe, uint64_t at, size_t len,
		      uint64_t list_at);

/* Commands. Status is returned; data lies at @at, contiguous, and may begin in mid-page. */
uint16_t nvme_client_identify(struct nvme_client *c, uint8_t cns, uint32_t nsid, uint64_t at);
uint16_t nvme_client_rw(struct nvme_client *c, unsigned qid, bool write, uint64_t lba, uint32_t cnt,
			uint64_t at, uint64_t list_at, bool fua);
uint16_t nvme_client_flush(struct nvme_client *c, unsigned qid);

static inline uint16_t nvme_client_status(const struct nvme_cqe *cqe)
{
	return cqe->status_phase >> 1;
}
