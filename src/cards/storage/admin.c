/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The admin commands. None of them waits for storage: a driver resets the controller when an admin command is late.
 *
 * spec: nvme-1.4 §5
 */

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "cards/storage/controller.h"
#include "cards/storage/status.h"

enum { SC_FIELD = NVME_SC_INVALID_FIELD | NVME_SC_DNR };

/* The answer of one command. */
struct answer {
	uint16_t status;
	uint32_t dw0;
	bool later; /* an event request: no completion now */
};

/* ---- queues ---- */

static uint16_t queue_check(const struct nvme_ctrl *c, const struct nvme_sqe *sqe, bool exists)
{
	uint32_t qid = sqe->cdw10 & 0xffff, size = (sqe->cdw10 >> 16) + 1;

	if (qid == 0 || qid > c->conf.io_queues || exists)
		return NVME_SC_QID_INVALID | NVME_SC_DNR;
	if (size < NVME_QUEUE_ENTRIES_MIN || size > NVME_QUEUE_ENTRIES_MAX)
		return NVME_SC_QUEUE_SIZE | NVME_SC_DNR;
	if (!(sqe->cdw11 & 1)) /* contiguous, as CAP.CQR demands */
		return SC_FIELD;
	if (sqe->prp1 % NVME_PAGE_BYTES)
		return NVME_SC_PRP_OFFSET | NVME_SC_DNR;
	return NVME_SC_SUCCESS;
}

/* Entry sizes are set in CC by then, to the only values there are. */
static bool entry_sizes_ok(const struct nvme_ctrl *c)
{
	return NVME_CC_IOSQES(c->cc) == 6 && NVME_CC_IOCQES(c->cc) == 4;
}

/* A queue that has just been made: whatever was rung before is forgotten. */
static void doorbell_clear(struct nvme_ctrl *c, size_t slot)
{
	atomic_store_explicit(&c->db.page[slot / 4], 0, memory_order_relaxed);
}

static uint16_t cq_create(struct nvme_ctrl *c, const struct nvme_sqe *sqe)
{
	uint16_t qid = (uint16_t)sqe->cdw10, status;
	bool exists = qid <= c->conf.io_queues && c->cq[qid].size;

	status = queue_check(c, sqe, exists);
	if (status)
		return status;
	if (sqe->cdw11 >> 16 > c->conf.io_queues)
		return NVME_SC_INVALID_VECTOR | NVME_SC_DNR;
	if (!entry_sizes_ok(c))
		return SC_FIELD;

	c->cq[qid] = (struct nvme_cq){
		.base = { sqe->prp1 },
		.qid = qid,
		.size = (uint16_t)((sqe->cdw10 >> 16) + 1),
		.vector = (uint16_t)(sqe->cdw11 >> 16),
		.phase = true,
		.irq_on = sqe->cdw11 & 2,
	};
	doorbell_clear(c, nvme_db_cq_slot(qid));
	return NVME_SC_SUCCESS;
}

static uint16_t sq_create(struct nvme_ctrl *c, const struct nvme_sqe *sqe)
{
	uint16_t qid = (uint16_t)sqe->cdw10, cqid = (uint16_t)(sqe->cdw11 >> 16), status;
	bool exists = qid <= c->conf.io_queues && c->sq[qid].size;

	status = queue_check(c, sqe, exists);
	if (status)
		return status;
	if (cqid == 0 || cqid > c->conf.io_queues)
		return NVME_SC_QID_INVALID | NVME_SC_DNR;
	if (!c->cq[cqid].size)
		return NVME_SC_CQ_INVALID | NVME_SC_DNR;
	if (!entry_sizes_ok(c))
		return SC_FIELD;

	c->sq[qid] = (struct nvme_sq){
		.base = { sqe->prp1 },
		.qid = qid,
		.size = (uint16_t)((sqe->cdw10 >> 16) + 1),
		.cqid = cqid,
	};
	c->cq[cqid].sq_cnt++;
	doorbell_clear(c, nvme_db_sq_slot(qid));
	return NVME_SC_SUCCESS;
}

static uint16_t sq_delete(struct nvme_ctrl *c, const struct nvme_sqe *sqe)
{
	uint16_t qid = (uint16_t)sqe->cdw10;

	if (qid == 0 || qid > c->conf.io_queues || !c->sq[qid].size)
		return NVME_SC_QID_INVALID | NVME_SC_DNR;

	/* Its commands end first, so that nothing answers into a queue that is gone. */
	nvme_io_drop(c, qid, true);
	if (c->state != NVME_READY)
		return NVME_SC_SUCCESS; /* their queue was no memory: all queues are gone */
	must(c->sq[qid].running == 0);
	c->cq[c->sq[qid].cqid].sq_cnt--;
	memset(&c->sq[qid], 0, sizeof(c->sq[qid]));
	return NVME_SC_SUCCESS;
}

static uint16_t cq_delete(struct nvme_ctrl *c, const struct nvme_sqe *sqe)
{
	uint16_t qid = (uint16_t)sqe->cdw10;

	if (qid == 0 || qid > c->conf.io_queues || !c->cq[qid].size)
		return NVME_SC_QID_INVALID | NVME_SC_DNR;
	if (c->cq[qid].sq_cnt)
		return NVME_SC_QUEUE_DELETION | NVME_SC_DNR;

	memset(&c->cq[qid], 0, sizeof(c->cq[qid]));
	return NVME_SC_SUCCESS;
}

static bool queues_up(const struct nvme_ctrl *c)
{
	unsigned i;

	for (i = 1; i <= c->conf.io_queues; i++)
		if (c->sq[i].size || c->cq[i].size)
			return true;
	return false;
}

/* spec: nvme-1.4 §5.7 (Doorbell Buffer Config) */
static uint16_t dbbuf_config(struct nvme_ctrl *c, const struct nvme_sqe *sqe)
{
	struct nvme_db db = c->db;
	int r;

	if (sqe->prp1 % NVME_PAGE_BYTES || sqe->prp2 % NVME_PAGE_BYTES)
		return SC_FIELD;

	db.shadow = db.event = (struct gmem_span){ 0 };
	db.shadow_at = (gpa_t){ sqe->prp1 };
	db.event_at = (gpa_t){ sqe->prp2 };
	r = nvme_db_shadow_map(&db, c->conf.mem);
	if (r < 0)
		return nvme_status_of(r, 1);

	nvme_db_shadow_put(&c->db, c->conf.mem);
	c->db = db;
	c->db.shadow_on = true;
	return NVME_SC_SUCCESS;
}

/* ---- data to the guest ---- */

static uint16_t identify(struct nvme_ctrl *c, const struct nvme_sqe *sqe)
{
	uint8_t page[NVME_DATA_BYTES];
	uint16_t status;

	status = nvme_identify(&c->conf.id, sqe->nsid, sqe->cdw10 & 0xff,
			       (uint8_t)(sqe->cdw11 >> 24), page);
	if (status)
		return status;
	return nvme_status_of(
		prp_copy_out(c->conf.mem, sqe->prp1, sqe->prp2, sizeof(page), page, sizeof(page)),
		0);
}

/* Reading a log tells us that its event was heard, unless the guest wants to keep it (RAE). */
static void log_heard(struct nvme_ctrl *c, uint8_t lid)
{
	if (lid == NVME_LOG_CHANGED_NS) {
		c->ns_changed = false;
		c->aer.ns_changed_masked = false;
	}
	if (lid == NVME_LOG_SMART)
		c->aer.smart_masked = false;
}

/* spec: nvme-1.4 §5.14 */
static uint16_t get_log_page(struct nvme_ctrl *c, const struct nvme_sqe *sqe)
{
	uint64_t want = ((uint64_t)(sqe->cdw11 & 0xffff) << 16 | sqe->cdw10 >> 16) * 4 + 4;
	uint64_t off = (uint64_t)sqe->cdw13 << 32 | sqe->cdw12;
	uint8_t lid = (uint8_t)sqe->cdw10, page[NVME_LOG_BYTES_MAX];
	struct nvme_log_view view = {
		.stats = &c->stats,
		.queue_len = c->running,
		.degraded = c->degraded,
		.ns_changed = c->ns_changed,
		.uptime_ns = c->now_ns - c->born_ns,
	};
	size_t have, len;
	uint16_t status;
	int r;

	if (sqe->nsid > NVME_NSID && sqe->nsid != NVME_NSID_ALL)
		return NVME_SC_INVALID_NS | NVME_SC_DNR;
	status = nvme_log_page(&view, lid, page, &have);
	if (status)
		return status;
	status = nvme_log_part(off, want, have, &len);
	if (status)
		return status;
	if (want > PRP_DATA_MAX)
		return SC_FIELD;

	r = prp_copy_out(c->conf.mem, sqe->prp1, sqe->prp2, want, page + off, len);
	if (r == 0 && !(sqe->cdw10 & 1u << 15))
		log_heard(c, lid);
	return nvme_status_of(r, 0);
}

/* ---- events ---- */

static void event_request(struct nvme_ctrl *c, const struct nvme_sqe *sqe, struct answer *a)
{
	if (c->aer.cnt == NVME_AERS_MAX) {
		a->status = NVME_SC_AER_LIMIT | NVME_SC_DNR;
		return;
	}

	/* It gives its place in the completion queue back: it may wait for ever. */
	c->aer.cid[c->aer.cnt++] = sqe->cid;
	c->sq[0].running--;
	c->cq[0].reserved--;
	a->later = true;
}

/* Answer the oldest event request. Return: false when there is none, or no room for the answer now. */
static bool event_answer(struct nvme_ctrl *c, uint16_t status, uint32_t dw0, unsigned idx)
{
	struct nvme_aer *aer = &c->aer;
	uint16_t cid;

	if (idx >= aer->cnt)
		return false;
	if (!nvme_cq_room(&c->cq[0])) {
		/* A bad head is found by the next look at the queue. */
		if (nvme_cq_head_look(&c->cq[0], &c->db) < 0 || !nvme_cq_room(&c->cq[0]))
			return false;
	}

	cid = aer->cid[idx];
	aer->cnt--;
	memmove(&aer->cid[idx], &aer->cid[idx + 1], (aer->cnt - idx) * sizeof(aer->cid[0]));
	c->sq[0].running++;
	c->cq[0].reserved++;
	nvme_ctrl_complete(c, 0, cid, status, dw0);
	return true;
}

/* Dword 0: type 2:0, information 15:8, log page 23:16. spec: nvme-1.4 §5.2 */
static uint32_t event_dword(uint32_t type, uint32_t info, uint32_t lid)
{
	return type | info << 8 | lid << 16;
}

void nvme_admin_events(struct nvme_ctrl *c)
{
	struct nvme_aer *aer = &c->aer;

	if (aer->ns_changed_due && !aer->ns_changed_masked &&
	    c->features.async_events & NVME_AEC_NS_ATTR &&
	    event_answer(c, NVME_SC_SUCCESS, event_dword(2, 0, NVME_LOG_CHANGED_NS), 0)) {
		aer->ns_changed_due = false;
		aer->ns_changed_masked = true;
	}
	/* Bit 2 of the critical warnings: reliability degraded. */
	if (aer->smart_due && !aer->smart_masked && c->features.async_events & 1u << 2 &&
	    event_answer(c, NVME_SC_SUCCESS, event_dword(1, 0, NVME_LOG_SMART), 0)) {
		aer->smart_due = false;
		aer->smart_masked = true;
	}
}

/* ---- abort ---- */

static void abort_command(struct nvme_ctrl *c, const struct nvme_sqe *sqe, struct answer *a)
{
	uint16_t sqid = (uint16_t)sqe->cdw10, cid = (uint16_t)(sqe->cdw10 >> 16);
	unsigned i;

	a->dw0 = 1; /* not aborted */
	if (sqid) {
		if (nvme_io_abort(c, sqid, cid))
			a->dw0 = 0;
		return;
	}
	/* Event requests are the only admin commands that wait. One place in the queue is ours: keep it. */
	for (i = 0; i < c->aer.cnt; i++) {
		if (c->aer.cid[i] != cid)
			continue;
		if (event_answer(c, NVME_SC_ABORT_REQUESTED, 0, i))
			a->dw0 = 0;
		return;
	}
}

/* ---- dispatch ---- */

static void admin_answer(struct nvme_ctrl *c, const struct nvme_sqe *sqe, struct answer *a)
{
	if (sqe->flags & 0xc3) { /* fused, SGL: neither */
		a->status = SC_FIELD;
		return;
	}

	switch (sqe->opc) {
	case NVME_ADM_DELETE_SQ:
		a->status = sq_delete(c, sqe);
		return;
	case NVME_ADM_CREATE_SQ:
		a->status = sq_create(c, sqe);
		return;
	case NVME_ADM_GET_LOG_PAGE:
		a->status = get_log_page(c, sqe);
		return;
	case NVME_ADM_DELETE_CQ:
		a->status = cq_delete(c, sqe);
		return;
	case NVME_ADM_CREATE_CQ:
		a->status = cq_create(c, sqe);
		return;
	case NVME_ADM_IDENTIFY:
		a->status = identify(c, sqe);
		return;
	case NVME_ADM_ABORT:
		abort_command(c, sqe, a);
		return;
	case NVME_ADM_SET_FEATURES:
		a->status = nvme_features_set(&c->features, sqe, queues_up(c), &a->dw0);
		return;
	case NVME_ADM_GET_FEATURES:
		a->status = nvme_features_get(&c->features, sqe, &a->dw0);
		return;
	case NVME_ADM_ASYNC_EVENT:
		event_request(c, sqe, a);
		return;
	case NVME_ADM_DBBUF_CONFIG:
		a->status = dbbuf_config(c, sqe);
		return;
	default:
		a->status = NVME_SC_INVALID_OPCODE | NVME_SC_DNR;
		return;
	}
}

/**
 * nvme_admin_run() - carry out a command from the admin queue
 * @sqe: private copy; a place for its completion is reserved
 */
void nvme_admin_run(struct nvme_ctrl *c, const struct nvme_sqe *sqe)
{
	struct answer a = { 0 };

	admin_answer(c, sqe, &a);
	/* The command may have found that a queue is no memory: then nobody is there to answer. */
	if (a.later || c->state != NVME_READY)
		return;
	if (a.status != NVME_SC_SUCCESS)
		nvme_ctrl_error(c, 0, sqe->cid, a.status, 0);
	nvme_ctrl_complete(c, 0, sqe->cid, a.status, a.dw0);
}
