/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The I/O commands. Each becomes one request to the volume (Dataset Management: one after the other), with the
 * guest's pages pinned as its spans. Requests are collected during a turn and handed over together.
 *
 * spec: nvme-1.4 §6
 */

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "cards/storage/controller.h"
#include "cards/storage/status.h"

static struct nvme_cmd *cmd_get(struct nvme_ctrl *c, struct nvme_sq *sq, const struct nvme_sqe *sqe)
{
	unsigned idx;
	struct nvme_cmd *cmd;

	must(c->free_cnt > 0);
	idx = c->free[--c->free_cnt];
	if (idx >= c->cmd_used)
		c->cmd_used = idx + 1;

	cmd = &c->cmd[idx];
	cmd->state = NVME_CMD_RUNNING;
	cmd->sqid = sq->qid;
	cmd->cid = sqe->cid;
	cmd->opc = sqe->opc;
	cmd->write = sqe->opc != NVME_IO_READ && sqe->opc != NVME_IO_FLUSH;
	cmd->bytes = 0;
	cmd->lba = 0;
	cmd->start_ns = c->now_ns;
	cmd->range_cnt = 0;
	cmd->returned = false;
	cmd->u.data.cnt = 0;
	memset(&cmd->req, 0, sizeof(cmd->req));
	cmd->req.ctx = cmd;
	c->running++;
	return cmd;
}

static void cmd_put(struct nvme_ctrl *c, struct nvme_cmd *cmd)
{
	must(c->free_cnt < NVME_CMDS_MAX);
	cmd->state = NVME_CMD_FREE;
	c->free[c->free_cnt++] = (uint16_t)(cmd - c->cmd);
}

/* The command does not run any more, whoever holds its slot: no guest memory from here on. */
static void cmd_unrun(struct nvme_ctrl *c, struct nvme_cmd *cmd)
{
	if (cmd->opc != NVME_IO_DSM)
		prp_put(c->conf.mem, &cmd->u.data);
	cmd->state = NVME_CMD_ORPHAN;
	c->running--;
}

static void cmd_answer(struct nvme_ctrl *c, const struct nvme_cmd *cmd, uint16_t status)
{
	if (status != NVME_SC_SUCCESS)
		nvme_ctrl_error(c, cmd->sqid, cmd->cid, status, cmd->lba);
	nvme_ctrl_complete(c, cmd->sqid, cmd->cid, status, 0);
}

static void cmd_end(struct nvme_ctrl *c, struct nvme_cmd *cmd, uint16_t status)
{
	cmd_unrun(c, cmd);
	cmd_answer(c, cmd, status);
	cmd_put(c, cmd);
}

static void batch_add(struct nvme_ctrl *c, struct nvme_cmd *cmd)
{
	cmd->returned = false;
	if (c->batch_cnt == NVME_BATCH_MAX)
		nvme_io_submit(c);
	c->batch[c->batch_cnt++] = &cmd->req;
}

void nvme_io_submit(struct nvme_ctrl *c)
{
	unsigned cnt = c->batch_cnt;

	c->batch_cnt = 0;
	if (cnt)
		vol_submit(c->conf.vol, c->batch, cnt);
}

/* ---- one function per command: 0 handed over, else the status to answer now ---- */

static uint64_t sqe_lba(const struct nvme_sqe *sqe)
{
	return (uint64_t)sqe->cdw11 << 32 | sqe->cdw10;
}

/* Blocks of a command, checked against the namespace. */
static uint16_t lba_range(struct nvme_ctrl *c, struct nvme_cmd *cmd, const struct nvme_sqe *sqe)
{
	uint64_t lba = sqe_lba(sqe);
	uint32_t cnt = (sqe->cdw12 & 0xffff) + 1;

	if (!range_ok(lba, cnt, c->lba_cnt))
		return NVME_SC_LBA_RANGE | NVME_SC_DNR;

	cmd->lba = lba;
	cmd->req.off = lba << NVME_LBA_SHIFT;
	cmd->req.len = (uint64_t)cnt << NVME_LBA_SHIFT;
	return NVME_SC_SUCCESS;
}

static bool wants_fua(const struct nvme_ctrl *c, const struct nvme_sqe *sqe)
{
	return sqe->cdw12 & 1u << 30 || !c->features.write_cache;
}

static uint16_t read_write(struct nvme_ctrl *c, struct nvme_cmd *cmd, const struct nvme_sqe *sqe)
{
	uint16_t status;
	int r;

	status = lba_range(c, cmd, sqe);
	if (status)
		return status;
	if (cmd->req.len > PRP_DATA_MAX) /* MDTS */
		return NVME_SC_INVALID_FIELD | NVME_SC_DNR;
	if (cmd->write && sqe->cdw12 >> 20 & 0xf) /* directives: none */
		return NVME_SC_INVALID_FIELD | NVME_SC_DNR;

	r = prp_map(c->conf.mem, sqe->prp1, sqe->prp2, cmd->req.len,
		    cmd->write ? GMEM_READ : GMEM_WRITE, &cmd->u.data);
	if (r < 0)
		return nvme_status_of(r, cmd->write);

	cmd->bytes = (uint32_t)cmd->req.len;
	cmd->req.op = cmd->write ? VOL_WRITE : VOL_READ;
	cmd->req.fua = cmd->write && wants_fua(c, sqe);
	cmd->req.iov = cmd->u.data.iov;
	cmd->req.iov_cnt = cmd->u.data.cnt;
	return NVME_SC_SUCCESS;
}

static uint16_t write_zeroes(struct nvme_ctrl *c, struct nvme_cmd *cmd, const struct nvme_sqe *sqe)
{
	/* With or without DEAC: zeroes are holes here, and holes read as zeroes. */
	cmd->req.op = VOL_WRITE_ZEROES;
	cmd->req.fua = wants_fua(c, sqe);
	return lba_range(c, cmd, sqe);
}

/* The next piece of a discard. Return: false when all ranges are done. */
static bool dsm_step(struct nvme_cmd *cmd)
{
	while (cmd->range_idx < cmd->range_cnt) {
		const struct nvme_dsm_range *range = &cmd->u.range[cmd->range_idx];
		uint64_t len = (uint64_t)range->nlb << NVME_LBA_SHIFT;

		if (cmd->range_done < len) {
			cmd->req.off = (range->slba << NVME_LBA_SHIFT) + cmd->range_done;
			cmd->req.len = min_u64(len - cmd->range_done, NVME_DSM_STEP_BYTES);
			cmd->range_done += cmd->req.len;
			return true;
		}
		cmd->range_idx++;
		cmd->range_done = 0;
	}
	return false;
}

static uint16_t dataset_management(struct nvme_ctrl *c, struct nvme_cmd *cmd,
				   const struct nvme_sqe *sqe, bool *ret_over)
{
	uint32_t cnt = (sqe->cdw10 & 0xff) + 1, i;
	int r;

	r = prp_copy_in(c->conf.mem, sqe->prp1, sqe->prp2, cnt * sizeof(cmd->u.range[0]),
			cmd->u.range, cnt * sizeof(cmd->u.range[0]));
	if (r < 0)
		return nvme_status_of(r, 1);
	for (i = 0; i < cnt; i++)
		if (!range_ok(cmd->u.range[i].slba, cmd->u.range[i].nlb, c->lba_cnt))
			return NVME_SC_LBA_RANGE | NVME_SC_DNR;

	cmd->range_cnt = cnt;
	cmd->range_idx = 0;
	cmd->range_done = 0;
	cmd->req.op = VOL_DISCARD;
	/* Only deallocate does anything; the other attributes are hints about access. */
	*ret_over = !(sqe->cdw11 & 1u << 2) || !dsm_step(cmd);
	return NVME_SC_SUCCESS;
}

static uint16_t io_start(struct nvme_ctrl *c, struct nvme_cmd *cmd, const struct nvme_sqe *sqe,
			 bool *ret_over)
{
	bool is_flush = sqe->opc == NVME_IO_FLUSH;

	*ret_over = false;
	if (sqe->flags & 0xc3) /* fused, SGL: neither */
		return NVME_SC_INVALID_FIELD | NVME_SC_DNR;
	if (sqe->nsid != NVME_NSID && !(is_flush && sqe->nsid == NVME_NSID_ALL))
		return NVME_SC_INVALID_NS | NVME_SC_DNR;

	switch (sqe->opc) {
	case NVME_IO_FLUSH:
		cmd->req.op = VOL_FLUSH;
		return NVME_SC_SUCCESS;
	case NVME_IO_READ:
	case NVME_IO_WRITE:
		return read_write(c, cmd, sqe);
	case NVME_IO_WRITE_ZEROES:
		return write_zeroes(c, cmd, sqe);
	case NVME_IO_DSM:
		return dataset_management(c, cmd, sqe, ret_over);
	default:
		return NVME_SC_INVALID_OPCODE | NVME_SC_DNR;
	}
}

/**
 * nvme_io_run() - carry out a command from an I/O queue
 * @sq:  the queue; a place for the completion is reserved, a slot is free
 * @sqe: private copy
 */
void nvme_io_run(struct nvme_ctrl *c, struct nvme_sq *sq, const struct nvme_sqe *sqe)
{
	struct nvme_cmd *cmd = cmd_get(c, sq, sqe);
	uint16_t status;
	bool over;

	status = io_start(c, cmd, sqe, &over);
	if (status != NVME_SC_SUCCESS || over) {
		cmd_end(c, cmd, status);
		return;
	}
	batch_add(c, cmd);
}

/* ---- ends ---- */

static void volume_failed(struct nvme_ctrl *c)
{
	if (c->degraded || !vol_failed(c->conf.vol))
		return;

	/* Once: from now on no write, flush or discard is acknowledged. */
	log_err("volume.failed", "dev=%s why=sync", c->conf.id.volume_id);
	c->degraded = true;
	c->aer.smart_due = true;
}

void nvme_io_done(struct nvme_ctrl *c, struct vol_req *req)
{
	struct nvme_cmd *cmd = req->ctx;

	if (req->res < 0 && req->res != -ECANCELED)
		volume_failed(c);
	if (cmd->state == NVME_CMD_ORPHAN) {
		cmd_put(c, cmd);
		return;
	}
	must(cmd->state == NVME_CMD_RUNNING);

	if (req->res == 0 && cmd->opc == NVME_IO_DSM && dsm_step(cmd)) {
		batch_add(c, cmd);
		return;
	}
	if (req->res == 0 && cmd->bytes)
		nvme_stats_io(&c->stats, cmd->write, cmd->bytes, c->now_ns - cmd->start_ns);
	if (req->res < 0 && req->res != -ERANGE && req->res != -EROFS)
		log_warn_limited("nvme.io_error", "dev=%s opc=%u err=%d", c->conf.id.volume_id,
				 cmd->opc, req->res);
	cmd_end(c, cmd, nvme_status_of(req->res, cmd->write || cmd->opc == NVME_IO_FLUSH));
}

static void cmd_cancel(struct nvme_ctrl *c, struct nvme_cmd *cmd)
{
	if (!cmd->returned)
		(void)vol_cancel(c->conf.vol, &cmd->req);
	cmd_unrun(c, cmd);
}

bool nvme_io_abort(struct nvme_ctrl *c, uint16_t sqid, uint16_t cid)
{
	unsigned i;

	nvme_io_submit(c);
	for (i = 0; i < c->cmd_used; i++) {
		struct nvme_cmd *cmd = &c->cmd[i];

		if (cmd->state != NVME_CMD_RUNNING || cmd->sqid != sqid || cmd->cid != cid)
			continue;
		cmd_cancel(c, cmd);
		cmd_answer(c, cmd, NVME_SC_ABORT_REQUESTED);
		return true;
	}
	return false;
}

void nvme_io_drop(struct nvme_ctrl *c, int sqid, bool answer)
{
	unsigned i;

	nvme_io_submit(c);
	for (i = 0; i < c->cmd_used; i++) {
		struct nvme_cmd *cmd = &c->cmd[i];

		if (cmd->state != NVME_CMD_RUNNING || (sqid >= 0 && cmd->sqid != sqid))
			continue;
		cmd_cancel(c, cmd);
		if (answer)
			cmd_answer(c, cmd, NVME_SC_ABORT_SQ_DELETED);
	}
}
