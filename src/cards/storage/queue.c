/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Rings and doorbells; see queue.h.
 *
 * Doorbell Buffer Config works like this. The driver stores a new tail in the shadow page, does a full barrier,
 * reads the event index and rings the register only when the event index lies in what it just added
 * (nvme_dbbuf_need_event() in Linux). So before sleeping we store "event index = tail", do a full barrier and
 * read the shadow tail again: whichever of the two sides is later sees the other.
 */

#include "cards/storage/queue.h"

#include <errno.h>
#include <string.h>

static int page_map(struct gmem *mem, gpa_t at, unsigned need, struct gmem_span *ret)
{
	struct gmem_span s = { 0 };
	int r;

	r = gmem_map(mem, at, NVME_DB_PAGE_BYTES, need, &s);
	if (r < 0)
		return r;
	if (s.len < NVME_DB_PAGE_BYTES) {
		gmem_put(mem, &s);
		return -EPROTO;
	}

	*ret = s;
	return 0;
}

int nvme_db_shadow_map(struct nvme_db *db, struct gmem *mem)
{
	int r;

	r = page_map(mem, db->shadow_at, GMEM_READ, &db->shadow);
	if (r < 0)
		return r;
	r = page_map(mem, db->event_at, GMEM_READ | GMEM_WRITE, &db->event);
	if (r < 0)
		gmem_put(mem, &db->shadow);
	return r;
}

void nvme_db_shadow_put(struct nvme_db *db, struct gmem *mem)
{
	gmem_put(mem, &db->shadow);
	gmem_put(mem, &db->event);
}

/* The admin queue always rings the register, whatever else is on. */
static bool in_shadow(const struct nvme_db *db, unsigned qid)
{
	return qid && db->shadow.p;
}

static uint32_t db_load(const struct nvme_db *db, unsigned qid, size_t slot)
{
	if (in_shadow(db, qid))
		return gmem_span_load32(&db->shadow, slot);
	/* Acquire: pairs with the hypervisor's store of the guest's write, which follows the driver's entries. */
	return atomic_load_explicit(&db->page[slot / 4], memory_order_acquire);
}

int nvme_sq_tail_look(struct nvme_sq *sq, const struct nvme_db *db)
{
	uint32_t tail_raw = db_load(db, sq->qid, nvme_db_sq_slot(sq->qid));

	if (tail_raw >= sq->size)
		return -EPROTO;

	sq->tail = (uint16_t)tail_raw;
	return sq->tail >= sq->head ? sq->tail - sq->head : sq->tail + sq->size - sq->head;
}

static void event_store(const struct nvme_db *db, size_t slot, uint32_t v)
{
	gmem_span_store32(&db->event, slot, v);
	/* Full: pairs with mb() in nvme_dbbuf_update_and_check_event(); the caller now looks again. */
	atomic_thread_fence(memory_order_seq_cst);
}

void nvme_sq_tail_arm(const struct nvme_sq *sq, const struct nvme_db *db)
{
	if (in_shadow(db, sq->qid))
		event_store(db, nvme_db_sq_slot(sq->qid), sq->tail);
}

void nvme_sq_tail_hush(const struct nvme_sq *sq, const struct nvme_db *db)
{
	/* Just behind what was seen: the driver would have to add a whole ring to reach it. */
	if (in_shadow(db, sq->qid))
		gmem_span_store32(&db->event, nvme_db_sq_slot(sq->qid),
				  (uint32_t)(sq->tail ? sq->tail - 1 : sq->size - 1));
}

int nvme_sq_fetch(struct nvme_sq *sq, struct gmem *mem, struct nvme_sqe *ret)
{
	gpa_t at = { sq->base.v + (uint64_t)sq->head * sizeof(struct nvme_sqe) };
	struct nvme_sqe sqe;
	int r;

	must(sq->head != sq->tail && sq->head < sq->size);
	r = gmem_read(mem, at, &sqe, sizeof(sqe));
	if (r < 0)
		return r;

	sq->head = (uint16_t)(sq->head + 1 == sq->size ? 0 : sq->head + 1);
	*ret = sqe;
	return 0;
}

static unsigned cq_unread(const struct nvme_cq *cq, unsigned head)
{
	return cq->tail >= head ? cq->tail - head : cq->tail + cq->size - head;
}

unsigned nvme_cq_room(const struct nvme_cq *cq)
{
	unsigned taken = cq_unread(cq, cq->head) + cq->reserved;

	return taken < cq->size - 1u ? cq->size - 1u - taken : 0;
}

int nvme_cq_head_look(struct nvme_cq *cq, const struct nvme_db *db)
{
	uint32_t head_raw = db_load(db, cq->qid, nvme_db_cq_slot(cq->qid));

	if (head_raw >= cq->size)
		return -EPROTO;
	/* It may only move over entries that were posted. */
	if (cq_unread(cq, head_raw) > cq_unread(cq, cq->head))
		return -EPROTO;

	cq->head = (uint16_t)head_raw;
	return 0;
}

void nvme_cq_head_arm(const struct nvme_cq *cq, const struct nvme_db *db)
{
	if (in_shadow(db, cq->qid))
		event_store(db, nvme_db_cq_slot(cq->qid), cq->head);
}

int nvme_cq_post(struct nvme_cq *cq, struct gmem *mem, struct nvme_cqe cqe)
{
	gpa_t at = { cq->base.v + (uint64_t)cq->tail * sizeof(cqe) };
	uint32_t last;
	int r;

	must(cq_unread(cq, cq->head) < cq->size - 1u);
	cqe.status_phase = (uint16_t)((cqe.status_phase & ~1u) | cq->phase);
	memcpy(&last, &cqe.cid, sizeof(last));

	r = gmem_write(mem, at, &cqe, sizeof(cqe) - sizeof(last));
	if (r < 0)
		return r;
	/* Release: pairs with dma_rmb() after nvme_cqe_pending() in the driver. */
	r = gmem_store32(mem, (gpa_t){ at.v + sizeof(cqe) - sizeof(last) }, last);
	if (r < 0)
		return r;

	cq->tail++;
	if (cq->tail == cq->size) {
		cq->tail = 0;
		cq->phase = !cq->phase;
	}
	cq->irq_due = true;
	return 0;
}
