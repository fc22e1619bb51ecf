/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The admin queue: commands are copied once, answered at once and in order. Whatever a command asks, a queue is only
 * changed when everything about it was found good.
 */

#include <errno.h>
#include <string.h>

#include "base/num.h"
#include "cards/network/ena_priv.h"

enum {
	COMMAND_ID_MASK = 0xfff,
	CQ_IRQ = 1 << 5,
	CQ_WORDS_TX = 2,
	CQ_WORDS_RX = 4,
	RING_ALIGN = 64,
	SQ_CONTIGUOUS = 1,
};

static bool depth_ok(uint32_t depth, bool rx)
{
	return is_pow2(depth) && depth >= ENA_DEPTH_MIN &&
	       depth <= (uint32_t)(rx ? ENA_RX_DEPTH_MAX : ENA_TX_DEPTH_MAX);
}

static uint64_t base_of(uint32_t lo, uint16_t hi)
{
	return lo | (uint64_t)hi << 32;
}

/* A queue of one direction that is not there. Return: index, -ENOSPC. */
static int cq_free(const struct ena *e, bool rx)
{
	unsigned first = rx ? ENA_RX_IDX : 0, i;

	for (i = first; i < first + e->conf.queue_pairs; i++)
		if (!e->cq[i].depth)
			return (int)i;
	return -ENOSPC;
}

static uint8_t create_cq(struct ena *e, const struct ena_aq_entry *c, struct ena_acq_entry *a)
{
	unsigned words = c->create_cq.caps_2 & 0x1f;
	bool irq_on = c->create_cq.caps_1 & CQ_IRQ, rx = words == CQ_WORDS_RX;
	uint64_t base = base_of(c->create_cq.base_lo, c->create_cq.base_hi);
	uint32_t vector = c->create_cq.vector;
	int idx;

	if (words != CQ_WORDS_TX && words != CQ_WORDS_RX)
		return ENA_ST_ILLEGAL;
	if (!depth_ok(c->create_cq.depth, rx) || base % RING_ALIGN)
		return ENA_ST_ILLEGAL;
	if (irq_on && (vector < 1 || vector > e->conf.queue_pairs))
		return ENA_ST_ILLEGAL;
	idx = cq_free(e, rx);
	if (idx < 0)
		return ENA_ST_RESOURCES;

	e->cq[idx] = (struct ena_cq){
		.base = { base },
		.depth = c->create_cq.depth,
		.vector = (uint16_t)(irq_on ? vector : 0),
		.irq_on = irq_on,
	};
	if (irq_on)
		e->vector[vector].masked = true; /* until the driver says it is there */
	atomic_store_explicit(&e->conf.db_page[ena_unmask_slot((unsigned)idx)], 0,
			      memory_order_relaxed);
	a->create_cq.cq_idx = (uint16_t)idx;
	a->create_cq.depth = c->create_cq.depth;
	a->create_cq.unmask_off = ENA_DB_OFF + 4 * ena_unmask_slot((unsigned)idx);
	return ENA_ST_OK;
}

static struct ena_sq *sq_of(struct ena *e, unsigned idx)
{
	return idx >= ENA_RX_IDX ? &e->rxq[idx - ENA_RX_IDX].sq : &e->txq[idx].sq;
}

static bool direction_ok(uint8_t identity, unsigned idx)
{
	return identity >> 5 == (idx >= ENA_RX_IDX ? ENA_DIRECTION_RX : ENA_DIRECTION_TX);
}

static uint8_t create_sq(struct ena *e, const struct ena_aq_entry *c, struct ena_acq_entry *a)
{
	unsigned idx = c->create_sq.cq_idx;
	uint64_t base = base_of(c->create_sq.base_lo, c->create_sq.base_hi);
	struct ena_sq *sq;
	struct ena_cq *cq;

	if (idx >= ENA_IO_QUEUES || !e->cq[idx].depth || !direction_ok(c->create_sq.identity, idx))
		return ENA_ST_ILLEGAL;
	if ((c->create_sq.caps_2 & 0xf) != ENA_PLACEMENT_HOST)
		return ENA_ST_UNSUPPORTED;
	if ((c->create_sq.caps_2 >> 4 & 7) != 0 || !(c->create_sq.caps_3 & SQ_CONTIGUOUS))
		return ENA_ST_UNSUPPORTED;
	cq = &e->cq[idx];
	/* A completion never waits for room: there are not more entries than places. */
	if (cq->used || !is_pow2(c->create_sq.depth) || c->create_sq.depth < ENA_DEPTH_MIN ||
	    c->create_sq.depth > cq->depth || base % RING_ALIGN)
		return ENA_ST_ILLEGAL;

	if (idx >= ENA_RX_IDX)
		memset(&e->rxq[idx - ENA_RX_IDX], 0, sizeof(e->rxq[0]));
	else
		memset(&e->txq[idx], 0, sizeof(e->txq[0]));
	sq = sq_of(e, idx);
	sq->base.v = base;
	sq->depth = c->create_sq.depth;
	cq->used = true;
	atomic_store_explicit(&e->conf.db_page[ena_db_slot(idx)], 0, memory_order_relaxed);
	a->create_sq.sq_idx = (uint16_t)idx;
	a->create_sq.doorbell_off = ENA_DB_OFF + 4 * ena_db_slot(idx);
	return ENA_ST_OK;
}

static uint8_t destroy_sq(struct ena *e, const struct ena_aq_entry *c)
{
	unsigned idx = c->destroy_sq.sq_idx;

	if (idx >= ENA_IO_QUEUES || !direction_ok(c->destroy_sq.identity, idx) ||
	    !sq_of(e, idx)->depth)
		return ENA_ST_ILLEGAL;
	/* What was posted and not yet told is not told any more. */
	if (idx >= ENA_RX_IDX)
		e->rxq[idx - ENA_RX_IDX].cdesc_cnt = 0;
	sq_of(e, idx)->depth = 0;
	e->cq[idx].used = false;
	return ENA_ST_OK;
}

static uint8_t destroy_cq(struct ena *e, const struct ena_aq_entry *c)
{
	unsigned idx = c->destroy_cq.cq_idx;

	if (idx >= ENA_IO_QUEUES || !e->cq[idx].depth || e->cq[idx].used)
		return ENA_ST_ILLEGAL;
	e->cq[idx].depth = 0;
	return ENA_ST_OK;
}

static uint8_t run(struct ena *e, const struct ena_aq_entry *c, struct ena_acq_entry *a)
{
	switch (c->opcode) {
	case ENA_ADMIN_CREATE_SQ:
		return create_sq(e, c, a);
	case ENA_ADMIN_DESTROY_SQ:
		return destroy_sq(e, c);
	case ENA_ADMIN_CREATE_CQ:
		return create_cq(e, c, a);
	case ENA_ADMIN_DESTROY_CQ:
		return destroy_cq(e, c);
	case ENA_ADMIN_GET_FEATURE:
		return ena_feature_get(e, c, a);
	case ENA_ADMIN_SET_FEATURE:
		return ena_feature_set(e, c);
	case ENA_ADMIN_GET_STATS:
		return ena_stats_tell(e, c, a);
	default:
		return ENA_ST_UNSUPPORTED;
	}
}

/* Return: 0, -EPROTO. */
static int answer(struct ena *e, const struct ena_acq_entry *a)
{
	struct ena_admin *q = &e->admin;
	gpa_t at = { q->acq.v + (uint64_t)(q->acq_tail % q->depth) * sizeof(*a) };
	uint32_t word;
	int r;

	memcpy(&word, a, sizeof(word));
	r = gmem_write(e->conf.mem, (gpa_t){ at.v + 4 }, (const uint8_t *)a + 4, sizeof(*a) - 4);
	/* Release: pairs with dma_rmb() in ena_com_handle_admin_completion(). */
	if (r == 0)
		r = gmem_store32(e->conf.mem, at, word);
	if (r < 0)
		return r;
	q->acq_tail++;
	q->posted = true;
	return 0;
}

/* Return: 0, -EPROTO. */
static int one(struct ena *e)
{
	struct ena_admin *q = &e->admin;
	struct ena_acq_entry a = { 0 };
	struct ena_aq_entry c;
	int r;

	r = gmem_read(e->conf.mem, (gpa_t){ q->aq.v + (uint64_t)(q->head % q->depth) * sizeof(c) },
		      &c, sizeof(c));
	if (r < 0)
		return r;
	if ((c.flags & 1) != !(q->head / q->depth & 1))
		return -EPROTO;
	q->head++;

	a.status = run(e, &c, &a);
	if (a.status != ENA_ST_OK)
		memset(a.w, 0, sizeof(a.w));
	if (e->state != ENA_RUNNING)
		return 0;
	a.command_id = c.command_id & COMMAND_ID_MASK;
	a.flags = !(q->acq_tail / q->depth & 1);
	a.sq_head = q->head;
	return answer(e, &a);
}

bool ena_admin_work(const struct ena *e)
{
	return e->admin.tail != e->admin.head;
}

bool ena_admin_turn(struct ena *e)
{
	unsigned i;

	for (i = 0; i < ENA_ADMIN_TURN_MAX && e->state == ENA_RUNNING && ena_admin_work(e); i++)
		if (one(e) < 0)
			ena_fatal(e, "admin_entry", 0);
	return i > 0;
}
