/* SPDX-License-Identifier: Apache-2.0 */

#include "nvme_play.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/num.h"
#include "proto/gmem_test.h"

/* Low memory comes and goes; high memory stays. */
enum { HALF = PLAY_RAM_BYTES / 2, HIGH_AT = 16 << 20 };

enum step {
	STEP_REG_WRITE,
	STEP_DOORBELL,
	STEP_SERVICE,
	STEP_FINISH,
	STEP_FINISH_NEWEST,
	STEP_FAIL_NEXT,
	STEP_ARM,
	STEP_QUIESCE_RESUME,
	STEP_RESET,
	STEP_ENABLE,
	STEP_MEMORY,
	STEP_RESIZED,
	STEP_FAIL_SYNC,
	STEP_REG_READ,
	STEP_RAW_WRITE,
	STEP_CNT,
};

static _Atomic uint32_t doorbells[NVME_DB_PAGE_BYTES / 4];

static int ram(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = fd_memfd("play", PLAY_RAM_BYTES);
	must(fd >= 0);
	return fd;
}

static void irq(void *ctx, unsigned vector)
{
	struct play *p = ctx;

	must(vector <= PLAY_QUEUES);
	p->irqs++;
}

static void low_map(struct play *p)
{
	must(gmem_region_add(p->mem, (gpa_t){ 0 }, HALF, GMEM_READ | GMEM_WRITE, ram(), 0) == 0);
	p->low_mapped = true;
}

void play_start(struct play *p)
{
	struct nvme_ctrl_conf conf = {
		.id = { .volume_id = "vol-0123456789abcdef0", .device_name = "/dev/sdf" },
		.db_page = doorbells,
		.io_queues = PLAY_QUEUES,
		.irq = irq,
		.irq_ctx = p,
	};
	unsigned i;

	memset(p, 0, sizeof(*p));
	for (i = 0; i < ARRAY_SIZE(doorbells); i++)
		atomic_store_explicit(&doorbells[i], 0, memory_order_relaxed);
	must(gmem_new(&p->mem) == 0);
	low_map(p);
	must(gmem_region_add(p->mem, (gpa_t){ HIGH_AT }, HALF, GMEM_READ | GMEM_WRITE, ram(),
			     HALF) == 0);
	p->vol = vol_fake_new((uint64_t)64 << 20, false);
	conf.mem = p->mem;
	conf.vol = p->vol;
	must(nvme_ctrl_new(&conf, &p->ctrl) == 0);
}

static void service(struct play *p)
{
	p->now_ns += 1000;
	(void)nvme_ctrl_service(p->ctrl, p->now_ns);
}

void play_end(struct play *p)
{
	struct nvme_ctrl *c = p->ctrl;

	must(nvme_ctrl_quiesce(c, true) == 0);
	must(gmem_pins(p->mem) == 0 && c->running == 0);
	/* Nothing of the guest's is held. What the engine had comes back. */
	while (vol_in_flight(p->vol)) {
		(void)vol_fake_finish(p->vol, VOL_FAKE_REQS_MAX, false);
		service(p);
	}
	must(c->free_cnt == NVME_CMDS_MAX);
	vol_free(p->vol);
	nvme_ctrl_free(c);
	gmem_free(p->mem);
}

static void reg_write(struct play *p, uint64_t off, uint32_t v)
{
	nvme_ctrl_access(p->ctrl, off, &v, sizeof(v), true);
}

void play_enable(struct play *p)
{
	reg_write(p, NVME_REG_CC, 0);
	reg_write(p, NVME_REG_AQA, 0x001f001f);
	reg_write(p, NVME_REG_ASQ, 0x1000);
	reg_write(p, NVME_REG_ASQ + 4, 0);
	reg_write(p, NVME_REG_ACQ, 0x2000);
	reg_write(p, NVME_REG_ACQ + 4, 0);
	reg_write(p, NVME_REG_CC, 0x00460001);
	must(p->ctrl->state == NVME_READY);
}

void play_queues(struct play *p, unsigned entries)
{
	struct nvme_sqe sqe[2 * PLAY_QUEUES];
	unsigned i;

	memset(sqe, 0, sizeof(sqe));
	for (i = 0; i < 2 * PLAY_QUEUES; i++) {
		uint32_t qid = i / 2 + 1;

		sqe[i].opc = i % 2 ? NVME_ADM_CREATE_SQ : NVME_ADM_CREATE_CQ;
		sqe[i].cdw10 = (entries - 1) << 16 | qid;
		sqe[i].cdw11 = qid << 16 | (i % 2 ? 1 : 3);
		sqe[i].prp1 = HIGH_AT + i * 65536 % HALF;
	}
	gmem_fuzz_feed(sqe, sizeof(sqe));
	atomic_store(&doorbells[0], 2 * PLAY_QUEUES);
	while (nvme_ctrl_service(p->ctrl, ++p->now_ns))
		;
	/* Completions of the admin queue are read. */
	atomic_store(&doorbells[1], 2 * PLAY_QUEUES);
	for (i = 1; i <= PLAY_QUEUES; i++)
		must(p->ctrl->sq[i].size == entries);
}

static unsigned unread(const struct nvme_cq *q)
{
	return q->tail >= q->head ? q->tail - q->head : q->tail + q->size - q->head;
}

static void queues_check(const struct nvme_ctrl *c)
{
	unsigned promised = 0, taken = 0, users = 0, i;

	for (i = 0; i <= c->conf.io_queues; i++) {
		const struct nvme_sq *sq = &c->sq[i];
		const struct nvme_cq *cq = &c->cq[i];

		must(!sq->size || (sq->size <= 4096 && sq->head < sq->size && sq->tail < sq->size));
		must(!sq->size || c->cq[sq->cqid].size);
		must(!cq->size || (cq->head < cq->size && cq->tail < cq->size));
		must(!cq->size || unread(cq) + cq->reserved < cq->size);
		must(!cq->irq_due);
		promised += cq->reserved;
		users += cq->sq_cnt;
		taken += sq->running;
		users -= sq->size != 0;
	}
	must(promised == taken && users == 0);
	must(c->running == taken); /* between turns no admin command is in work */
}

void play_check(struct play *p)
{
	const struct nvme_ctrl *c = p->ctrl;
	unsigned running = 0, orphans = 0, i;

	for (i = 0; i < c->cmd_used; i++) {
		running += c->cmd[i].state == NVME_CMD_RUNNING;
		orphans += c->cmd[i].state == NVME_CMD_ORPHAN;
	}
	must(running == c->running && c->free_cnt + running + orphans == NVME_CMDS_MAX);
	must(vol_in_flight(p->vol) == running + orphans + c->shut_flush_busy);
	must(c->batch_cnt == 0);
	must(c->aer.cnt <= NVME_AERS_MAX);
	queues_check(c);
	if (c->state == NVME_DISABLED || c->state == NVME_FATAL)
		must(gmem_pins(p->mem) == 0 && running == 0);
}

/* As the vfio-user server unmaps: quiet first, then away; or back again. */
static void memory_toggle(struct play *p)
{
	if (!p->low_mapped) {
		low_map(p);
		return;
	}
	while (nvme_ctrl_quiesce(p->ctrl, false) < 0) {
		(void)vol_fake_finish(p->vol, 1, false);
		service(p);
	}
	must(gmem_pins(p->mem) == 0);
	must(gmem_region_del(p->mem, (gpa_t){ 0 }, HALF) == 0);
	p->low_mapped = false;
	nvme_ctrl_resume(p->ctrl);
}

static void quiesce_resume(struct play *p)
{
	unsigned i;

	for (i = 0; i < 3 && nvme_ctrl_quiesce(p->ctrl, false) < 0; i++)
		service(p);
	nvme_ctrl_resume(p->ctrl);
}

static void raw_write(struct play *p, struct rd *in)
{
	uint8_t buf[16];
	uint16_t off = rd_le16(in) % 0x4000;
	size_t len = rd_u8(in) % sizeof(buf) + 1;

	rd_bytes(in, buf, len);
	nvme_ctrl_access(p->ctrl, off, buf, len, true);
}

static void reg_read(struct play *p, struct rd *in)
{
	uint8_t buf[64] = { 0 };
	uint16_t off = rd_le16(in) % 0x4000;

	nvme_ctrl_access(p->ctrl, off, buf, rd_u8(in) % sizeof(buf) + 1, false);
}

static void step(struct play *p, struct rd *in)
{
	uint8_t op = rd_u8(in);
	uint32_t slot;

	switch ((enum step)(op % STEP_CNT)) {
	case STEP_REG_WRITE:
		slot = rd_u8(in);
		reg_write(p, slot % 16 * 4, rd_le32(in));
		break;
	case STEP_DOORBELL:
		slot = rd_u8(in);
		atomic_store(&doorbells[slot % (2 * PLAY_QUEUES + 4)], rd_le16(in));
		break;
	case STEP_SERVICE:
		service(p);
		break;
	case STEP_FINISH:
		(void)vol_fake_finish(p->vol, rd_u8(in), false);
		break;
	case STEP_FINISH_NEWEST:
		(void)vol_fake_finish(p->vol, rd_u8(in), true);
		break;
	case STEP_FAIL_NEXT:
		vol_fake_fail_next(p->vol, -(int)(rd_u8(in) % 64 + 1));
		break;
	case STEP_ARM:
		(void)nvme_ctrl_arm(p->ctrl);
		break;
	case STEP_QUIESCE_RESUME:
		quiesce_resume(p);
		break;
	case STEP_RESET:
		must(nvme_ctrl_quiesce(p->ctrl, true) == 0);
		nvme_ctrl_resume(p->ctrl);
		break;
	case STEP_ENABLE:
		play_enable(p);
		break;
	case STEP_MEMORY:
		memory_toggle(p);
		break;
	case STEP_RESIZED:
		nvme_ctrl_resized(p->ctrl, p->ctrl->lba_cnt);
		break;
	case STEP_FAIL_SYNC:
		vol_fake_fail_sync(p->vol);
		break;
	case STEP_REG_READ:
		reg_read(p, in);
		break;
	case STEP_RAW_WRITE:
		raw_write(p, in);
		break;
	case STEP_CNT:
		break;
	}
}

void play_run(struct play *p, const uint8_t *data, size_t size)
{
	struct rd in = rd_init(data, size);
	size_t steps_len = min_u64(rd_le16(&in), in.left);
	struct rd steps = rd_init(in.p, steps_len);
	unsigned i;

	gmem_fuzz_feed(in.p + steps_len, in.left - steps_len);
	for (i = 0; steps.left && i < PLAY_STEPS_MAX; i++) {
		step(p, &steps);
		play_check(p);
	}
}
