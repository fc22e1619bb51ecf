/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Registers, the state machine and the turn of a controller; see controller.h.
 *
 * Stopping is immediate. CC.EN = 0, a function reset and a protocol error cancel everything that runs: when
 * vol_cancel() returns, the guest's memory is not touched any more, so CSTS.RDY may read 0 at once, and what the
 * backing still has in flight ends as an orphan that nobody hears of. The volume keeps later requests behind it.
 *
 * spec: nvme-1.4 §3.1 (registers), §7.3 (resets), §7.6.2 (shutdown)
 */

#include "cards/storage/controller.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"

enum {
	CAP_TO = 60, /* 500 ms units: how long a driver waits for RDY */
	REGS_BYTES = 0x40,
};

static const enum nvme_state next_state[NVME_STATES][NVME_EVENTS] = {
	[NVME_DISABLED] = {
		[NVME_EV_ENABLE] = NVME_READY,
		[NVME_EV_DISABLE] = NVME_DISABLED,
		[NVME_EV_SHUTDOWN] = NVME_SHUTTING,
		[NVME_EV_FLUSHED] = NVME_DISABLED,
		[NVME_EV_FATAL] = NVME_FATAL,
	},
	[NVME_READY] = {
		[NVME_EV_ENABLE] = NVME_READY,
		[NVME_EV_DISABLE] = NVME_DISABLED,
		[NVME_EV_SHUTDOWN] = NVME_SHUTTING,
		[NVME_EV_FLUSHED] = NVME_READY,
		[NVME_EV_FATAL] = NVME_FATAL,
	},
	[NVME_SHUTTING] = {
		[NVME_EV_ENABLE] = NVME_READY, /* shutdown was asked for while CC.EN was 0 */
		[NVME_EV_DISABLE] = NVME_DISABLED,
		[NVME_EV_SHUTDOWN] = NVME_SHUTTING,
		[NVME_EV_FLUSHED] = NVME_SHUT,
		[NVME_EV_FATAL] = NVME_FATAL,
	},
	[NVME_SHUT] = {
		[NVME_EV_ENABLE] = NVME_READY,
		[NVME_EV_DISABLE] = NVME_DISABLED,
		[NVME_EV_SHUTDOWN] = NVME_SHUT,
		[NVME_EV_FLUSHED] = NVME_SHUT,
		[NVME_EV_FATAL] = NVME_FATAL,
	},
	[NVME_FATAL] = {
		[NVME_EV_ENABLE] = NVME_FATAL,
		[NVME_EV_DISABLE] = NVME_DISABLED,
		[NVME_EV_SHUTDOWN] = NVME_FATAL,
		[NVME_EV_FLUSHED] = NVME_FATAL,
		[NVME_EV_FATAL] = NVME_FATAL,
	},
};

static const char *const state_name[NVME_STATES] = {
	[NVME_DISABLED] = "disabled", [NVME_READY] = "ready", [NVME_SHUTTING] = "shutting",
	[NVME_SHUT] = "shut",         [NVME_FATAL] = "fatal",
};

int nvme_ctrl_new(const struct nvme_ctrl_conf *conf, struct nvme_ctrl **ret)
{
	CLEANUP(nvme_ctrl_freep) struct nvme_ctrl *c = NULL;
	void *cmds;
	unsigned i;
	int r;

	must(conf->io_queues >= 1 && conf->io_queues <= NVME_IO_QUEUES_MAX);
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	r = mem_zalloc_pages(NVME_CMDS_MAX * sizeof(struct nvme_cmd), &cmds);
	if (r < 0)
		return r;

	c->cmd = cmds;
	c->conf = *conf;
	c->lba_cnt = vol_size(conf->vol) / NVME_LBA_BYTES;
	c->conf.id.lba_cnt = c->lba_cnt;
	c->born_ns = c->now_ns = clock_ns();
	for (i = 0; i < NVME_CMDS_MAX; i++)
		c->free[i] = (uint16_t)(NVME_CMDS_MAX - 1 - i);
	c->free_cnt = NVME_CMDS_MAX;
	nvme_features_reset(&c->features, (uint16_t)conf->io_queues);

	*ret = TAKE_PTR(c);
	return 0;
}

void nvme_ctrl_free(struct nvme_ctrl *c)
{
	if (!c)
		return;
	if (c->cmd)
		mem_free_pages(c->cmd, NVME_CMDS_MAX * sizeof(struct nvme_cmd));
	free(c);
}

void nvme_ctrl_freep(struct nvme_ctrl **c)
{
	nvme_ctrl_free(*c);
	*c = NULL;
}

/* ---- state ---- */

static void ctrl_stop(struct nvme_ctrl *c)
{
	nvme_io_drop(c, -1, false);
	nvme_db_shadow_put(&c->db, c->conf.mem);
	c->db.shadow_on = false;
	memset(c->sq, 0, sizeof(c->sq));
	memset(c->cq, 0, sizeof(c->cq));
	memset(&c->aer, 0, sizeof(c->aer));
	nvme_features_reset(&c->features, (uint16_t)c->conf.io_queues);
}

/* The registers become the admin queues; from here on only this copy counts. */
static void ctrl_start(struct nvme_ctrl *c)
{
	ctrl_stop(c);
	c->db.page = c->conf.db_page;
	atomic_store_explicit(&c->db.page[nvme_db_sq_slot(0) / 4], 0, memory_order_relaxed);
	atomic_store_explicit(&c->db.page[nvme_db_cq_slot(0) / 4], 0, memory_order_relaxed);

	c->sq[0] = (struct nvme_sq){
		.base = { c->asq },
		.size = (uint16_t)((c->aqa & 0xfff) + 1),
	};
	c->cq[0] = (struct nvme_cq){
		.base = { c->acq },
		.size = (uint16_t)((c->aqa >> 16 & 0xfff) + 1),
		.phase = true,
		.irq_on = true,
		.sq_cnt = 1,
	};
}

void nvme_ctrl_event(struct nvme_ctrl *c, enum nvme_event ev)
{
	enum nvme_state old = c->state;

	c->state = next_state[old][ev];
	if (c->state == old)
		return;

	log_debug("nvme.state", "dev=%s from=%s to=%s", c->conf.id.volume_id, state_name[old],
		  state_name[c->state]);
	switch (c->state) {
	case NVME_DISABLED:
	case NVME_FATAL:
		ctrl_stop(c);
		break;
	case NVME_READY:
		ctrl_start(c);
		break;
	case NVME_SHUTTING:
		c->shut_flush_sent = false;
		break;
	case NVME_SHUT:
	case NVME_STATES:
		break;
	}
}

void nvme_ctrl_fatal(struct nvme_ctrl *c, const char *why, unsigned qid)
{
	log_warn_limited("nvme.fatal", "dev=%s qid=%u why=%s", c->conf.id.volume_id, qid, why);
	nvme_ctrl_event(c, NVME_EV_FATAL);
}

/* ---- registers ---- */

static bool enable_ok(const struct nvme_ctrl *c, uint32_t cc)
{
	return NVME_CC_CSS(cc) == 0 && NVME_CC_MPS(cc) == 0 && NVME_CC_AMS(cc) == 0 &&
	       (c->aqa & 0xfff) >= 1 && (c->aqa >> 16 & 0xfff) >= 1;
}

static void cc_write(struct nvme_ctrl *c, uint32_t v)
{
	uint32_t old = c->cc;

	c->cc = v & NVME_CC_WRITABLE;
	if (old & ~v & NVME_CC_EN)
		nvme_ctrl_event(c, NVME_EV_DISABLE);
	if (v & ~old & NVME_CC_EN) {
		if (enable_ok(c, v))
			nvme_ctrl_event(c, NVME_EV_ENABLE);
		else
			nvme_ctrl_fatal(c, "enable", 0);
	}
	if (NVME_CC_SHN(v) && !NVME_CC_SHN(old))
		nvme_ctrl_event(c, NVME_EV_SHUTDOWN);
}

static uint64_t half_put(uint64_t old, uint32_t v, bool high)
{
	return high ? (old & 0xffffffffu) | (uint64_t)v << 32 : (old & ~(uint64_t)0xffffffffu) | v;
}

static void reg_write(struct nvme_ctrl *c, uint64_t off, uint32_t v)
{
	/* What describes the admin queues is fixed while the controller is on. */
	bool locked = c->cc & NVME_CC_EN;

	switch (off) {
	case NVME_REG_CC:
		cc_write(c, v);
		return;
	case NVME_REG_AQA:
		if (!locked)
			c->aqa = v & 0x0fff0fff;
		return;
	case NVME_REG_ASQ:
	case NVME_REG_ASQ + 4:
		if (!locked)
			c->asq = half_put(c->asq, v, off & 4) & ~(uint64_t)0xfff;
		return;
	case NVME_REG_ACQ:
	case NVME_REG_ACQ + 4:
		if (!locked)
			c->acq = half_put(c->acq, v, off & 4) & ~(uint64_t)0xfff;
		return;
	default:
		return;
	}
}

static uint32_t csts(const struct nvme_ctrl *c)
{
	bool on = c->cc & NVME_CC_EN;

	switch (c->state) {
	case NVME_READY:
		return NVME_CSTS_RDY;
	case NVME_SHUTTING:
		return NVME_CSTS_SHST_BUSY | (on ? NVME_CSTS_RDY : 0);
	case NVME_SHUT:
		return NVME_CSTS_SHST_DONE | (on ? NVME_CSTS_RDY : 0);
	case NVME_FATAL:
		return NVME_CSTS_CFS;
	case NVME_DISABLED:
	case NVME_STATES:
		break;
	}
	return 0;
}

static void regs_make(const struct nvme_ctrl *c, uint8_t ret[REGS_BYTES])
{
	/* MQES; contiguous queues required; time-out; NVM command set; 4 KiB pages only. */
	uint64_t cap = (NVME_QUEUE_ENTRIES_MAX - 1) | 1u << 16 | (uint64_t)CAP_TO << 24 |
		       (uint64_t)1 << 37;

	memset(ret, 0, REGS_BYTES);
	le64_store(ret + NVME_REG_CAP, cap);
	le32_store(ret + NVME_REG_VS, NVME_VERSION);
	le32_store(ret + NVME_REG_CC, c->cc);
	le32_store(ret + NVME_REG_CSTS, csts(c));
	le32_store(ret + NVME_REG_AQA, c->aqa);
	le64_store(ret + NVME_REG_ASQ, c->asq);
	le64_store(ret + NVME_REG_ACQ, c->acq);
}

void nvme_ctrl_access(struct nvme_ctrl *c, uint64_t off, void *buf, size_t len, bool write)
{
	uint8_t regs[REGS_BYTES];
	size_t i;

	if (!write) {
		if (off >= REGS_BYTES)
			return;
		regs_make(c, regs);
		memcpy(buf, regs + off, min_u64(len, REGS_BYTES - off));
		return;
	}

	/* Whole words only, as the specification demands; the rest is dropped. */
	if (off % 4 || len % 4)
		return;
	for (i = 0; i < len; i += 4, off += 4) {
		uint32_t v = le32_load((const uint8_t *)buf + i);

		if (off < NVME_REG_DBS)
			reg_write(c, off, v);
		else if (off < NVME_REG_DBS + NVME_DB_PAGE_BYTES)
			atomic_store_explicit(&c->conf.db_page[(off - NVME_REG_DBS) / 4], v,
					      memory_order_release);
	}
}

/* ---- completions ---- */

void nvme_ctrl_error(struct nvme_ctrl *c, uint16_t sqid, uint16_t cid, uint16_t status,
		     uint64_t lba)
{
	struct nvme_error e = {
		.sqid = sqid,
		.cid = cid,
		.status_phase = (uint16_t)(status << 1),
		.nsid = sqid ? NVME_NSID : 0,
		.lba = lba,
	};

	nvme_stats_error(&c->stats, e);
}

void nvme_ctrl_complete(struct nvme_ctrl *c, uint16_t sqid, uint16_t cid, uint16_t status,
			uint32_t dw0)
{
	struct nvme_sq *sq = &c->sq[sqid];
	struct nvme_cq *cq = &c->cq[sq->cqid];
	struct nvme_cqe cqe = {
		.dw0 = dw0,
		.sq_head = sq->head,
		.sqid = sqid,
		.cid = cid,
		.status_phase = (uint16_t)(status << 1),
	};

	must(sq->size && sq->running && cq->size && cq->reserved);
	sq->running--;
	cq->reserved--;
	if (nvme_cq_post(cq, c->conf.mem, cqe) < 0)
		nvme_ctrl_fatal(c, "cq_memory", cq->qid);
}

static void irqs_send(struct nvme_ctrl *c)
{
	unsigned i;

	for (i = 0; i <= c->conf.io_queues; i++) {
		struct nvme_cq *cq = &c->cq[i];

		if (!cq->irq_due)
			continue;
		cq->irq_due = false;
		if (cq->irq_on)
			c->conf.irq(c->conf.irq_ctx, cq->vector);
	}
}

/* ---- the turn ---- */

/* How many commands of a queue can be taken now. Return: 0 …, or -EPROTO for a bad doorbell. */
static int sq_takes(struct nvme_ctrl *c, struct nvme_sq *sq)
{
	struct nvme_cq *cq = &c->cq[sq->cqid];
	int ready, r;

	ready = nvme_sq_tail_look(sq, &c->db);
	if (ready <= 0)
		return ready;

	if (nvme_cq_room(cq) < (unsigned)ready) {
		r = nvme_cq_head_look(cq, &c->db);
		if (r < 0)
			return r;
	}
	cq->starved = nvme_cq_room(cq) == 0;
	return (int)min_u64((unsigned)ready, nvme_cq_room(cq));
}

static bool sqe_take(struct nvme_ctrl *c, struct nvme_sq *sq, struct nvme_sqe *ret)
{
	if (nvme_sq_fetch(sq, c->conf.mem, ret) < 0) {
		nvme_ctrl_fatal(c, "sq_memory", sq->qid);
		return false;
	}
	sq->running++;
	c->cq[sq->cqid].reserved++;
	return true;
}

/* Return: true when commands were taken. */
static bool admin_turn(struct nvme_ctrl *c)
{
	struct nvme_sqe sqe;
	int n = sq_takes(c, &c->sq[0]), i;

	if (n < 0) {
		nvme_ctrl_fatal(c, "doorbell", 0);
		return false;
	}
	for (i = 0; i < n && i < NVME_ADMIN_TURN_MAX && c->state == NVME_READY; i++) {
		if (!sqe_take(c, &c->sq[0], &sqe))
			return false;
		nvme_admin_run(c, &sqe);
	}
	return n > 0;
}

static bool io_queue_turn(struct nvme_ctrl *c, struct nvme_sq *sq)
{
	struct nvme_sqe sqe;
	int n = sq_takes(c, sq), i;

	if (n < 0) {
		nvme_ctrl_fatal(c, "doorbell", sq->qid);
		return false;
	}
	if (n > 0)
		nvme_sq_tail_hush(sq, &c->db);
	for (i = 0; i < n && i < NVME_QUEUE_TURN_MAX && c->batch_cnt < NVME_BATCH_MAX; i++) {
		/* Without a free slot a completion brings us back. */
		if (!c->free_cnt || !sqe_take(c, sq, &sqe))
			break;
		nvme_io_run(c, sq, &sqe);
		if (c->state != NVME_READY)
			break;
	}
	return i > 0;
}

static bool io_turn(struct nvme_ctrl *c)
{
	unsigned n = c->conf.io_queues, i;
	bool did = false;

	must(n > 0);
	for (i = 0; i < n && c->state == NVME_READY; i++) {
		struct nvme_sq *sq = &c->sq[1 + (c->turn + i) % n];

		if (sq->size)
			did |= io_queue_turn(c, sq);
	}
	c->turn = (c->turn + 1) % n;
	return did;
}

static struct nvme_cmd *cmd_of(struct vol_req *req)
{
	return req->ctx;
}

static void shut_flush_done(struct nvme_ctrl *c)
{
	c->shut_flush_busy = false;
	if (!c->shut_flush_sent)
		return; /* of an earlier shutdown that a reset cut short */
	if (c->shut_flush.res < 0)
		log_err("nvme.shutdown_flush", "dev=%s err=%d", c->conf.id.volume_id,
			c->shut_flush.res);
	nvme_ctrl_event(c, NVME_EV_FLUSHED);
}

static bool volume_turn(struct nvme_ctrl *c)
{
	struct vol_req *done[NVME_POLL_MAX];
	unsigned n, i;

	n = vol_poll(c->conf.vol, done, NVME_POLL_MAX);
	/* All of them are ours again before the first is looked at: its end may cancel others. */
	for (i = 0; i < n; i++)
		if (done[i] != &c->shut_flush)
			cmd_of(done[i])->returned = true;
	for (i = 0; i < n; i++) {
		if (done[i] == &c->shut_flush)
			shut_flush_done(c);
		else
			nvme_io_done(c, done[i]);
	}
	return n > 0;
}

static void shutdown_turn(struct nvme_ctrl *c)
{
	if (c->running || c->shut_flush_busy || c->shut_flush_sent)
		return;

	c->shut_flush = (struct vol_req){ .op = VOL_FLUSH };
	c->shut_flush_busy = c->shut_flush_sent = true;
	vol_submit(c->conf.vol, &(struct vol_req *){ &c->shut_flush }, 1);
}

static bool may_fetch(const struct nvme_ctrl *c)
{
	return c->state == NVME_READY && !c->quiesced;
}

bool nvme_ctrl_service(struct nvme_ctrl *c, uint64_t now_ns)
{
	bool did;

	c->now_ns = now_ns;
	did = volume_turn(c);
	irqs_send(c);
	if (c->state == NVME_SHUTTING)
		shutdown_turn(c);
	if (may_fetch(c))
		did |= admin_turn(c);
	if (may_fetch(c))
		nvme_admin_events(c);
	if (may_fetch(c))
		did |= io_turn(c);
	nvme_io_submit(c);
	irqs_send(c);
	return did;
}

static bool sq_has_work(struct nvme_ctrl *c, struct nvme_sq *sq)
{
	int n = sq_takes(c, sq);

	/* A bad doorbell is work too: the next turn deals with it. */
	return n < 0 || (n > 0 && (sq->qid == 0 || c->free_cnt));
}

bool nvme_ctrl_arm(struct nvme_ctrl *c)
{
	unsigned i;

	if (!may_fetch(c))
		return false;

	for (i = 0; i <= c->conf.io_queues; i++) {
		if (c->sq[i].size)
			nvme_sq_tail_arm(&c->sq[i], &c->db);
		if (c->cq[i].size && c->cq[i].starved)
			nvme_cq_head_arm(&c->cq[i], &c->db);
	}
	for (i = 0; i <= c->conf.io_queues; i++)
		if (c->sq[i].size && sq_has_work(c, &c->sq[i]))
			return true;
	return false;
}

/* ---- reset, quiesce ---- */

int nvme_ctrl_quiesce(struct nvme_ctrl *c, bool reset)
{
	if (reset) {
		nvme_ctrl_event(c, NVME_EV_DISABLE);
		ctrl_stop(c);
		c->cc = c->aqa = 0;
		c->asq = c->acq = 0;
		c->quiesced = false;
		return 0;
	}

	c->quiesced = true;
	if (c->running)
		return -EINPROGRESS;
	nvme_db_shadow_put(&c->db, c->conf.mem);
	return 0;
}

void nvme_ctrl_resume(struct nvme_ctrl *c)
{
	c->quiesced = false;
	if (c->db.shadow_on && nvme_db_shadow_map(&c->db, c->conf.mem) < 0)
		nvme_ctrl_fatal(c, "dbbuf_memory", 0);
}

void nvme_ctrl_resized(struct nvme_ctrl *c, uint64_t lba_cnt)
{
	c->lba_cnt = lba_cnt;
	c->conf.id.lba_cnt = lba_cnt;
	c->ns_changed = true;
	c->aer.ns_changed_due = true;
}
