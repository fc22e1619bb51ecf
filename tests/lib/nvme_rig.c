/* SPDX-License-Identifier: Apache-2.0 */

#include "nvme_rig.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "proto/gmem_test.h"

struct rig rig;
static _Atomic uint32_t doorbells[NVME_DB_PAGE_BYTES / 4];

static void irq(void *ctx, unsigned vector)
{
	(void)ctx;
	assert_true(vector <= RIG_QUEUES);
	rig.irqs[vector]++;
}

int rig_setup_off(void **state)
{
	struct nvme_ctrl_conf conf = {
		.id = { .volume_id = "vol-0123456789abcdef0", .device_name = "/dev/sdf" },
		.db_page = doorbells,
		.io_queues = RIG_QUEUES,
		.irq = irq,
	};
	unsigned i;
	void *p;
	int fd;

	(void)state;
	memset(&rig, 0, sizeof(rig));
	for (i = 0; i < ARRAY_SIZE(doorbells); i++)
		atomic_store(&doorbells[i], 0);
	assert_int_equal(gmem_new(&rig.mem), 0);
	fd = fd_memfd("rig", RIG_RAM_BYTES);
	assert_true(fd >= 0);
	assert_int_equal(gmem_region_add(rig.mem, (gpa_t){ 0 }, RIG_RAM_BYTES,
					 GMEM_READ | GMEM_WRITE, fd, 0),
			 0);
	p = mmap(NULL, RIG_RAM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	rig.ram = p;
	close(fd);

	rig.vol = vol_fake_new((uint64_t)1 << 20, true);
	conf.mem = rig.mem;
	conf.vol = rig.vol;
	assert_int_equal(nvme_ctrl_new(&conf, &rig.c), 0);
	return 0;
}

int rig_setup(void **state)
{
	(void)rig_setup_off(state);
	rig_enable();
	rig_queues();
	return 0;
}

int rig_teardown(void **state)
{
	(void)state;
	assert_int_equal(nvme_ctrl_quiesce(rig.c, true), 0);
	assert_int_equal(gmem_pins(rig.mem), 0);
	vol_free(rig.vol);
	nvme_ctrl_free(rig.c);
	gmem_free(rig.mem);
	(void)munmap(rig.ram, RIG_RAM_BYTES);
	return 0;
}

void rig_reg_write(unsigned off, uint32_t v)
{
	nvme_ctrl_access(rig.c, off, &v, sizeof(v), true);
}

uint32_t rig_reg(unsigned off)
{
	uint32_t v = 0;

	nvme_ctrl_access(rig.c, off, &v, sizeof(v), false);
	return v;
}

static void ring_reset(unsigned qid, uint16_t entries)
{
	memset(rig.ram + RIG_CQ(qid), 0, entries * sizeof(struct nvme_cqe));
	rig.tail[qid] = rig.head[qid] = 0;
	rig.phase[qid] = true;
	rig.entries[qid] = entries;
}

void rig_enable(void)
{
	ring_reset(0, RIG_ADMIN_ENTRIES);
	rig_reg_write(NVME_REG_AQA, (RIG_ADMIN_ENTRIES - 1) << 16 | (RIG_ADMIN_ENTRIES - 1));
	rig_reg_write(NVME_REG_ASQ, RIG_SQ(0));
	rig_reg_write(NVME_REG_ACQ, RIG_CQ(0));
	rig_reg_write(NVME_REG_CC, 0x00460001);
	assert_int_equal(rig_reg(NVME_REG_CSTS), NVME_CSTS_RDY);
}

void rig_queues(void)
{
	const uint32_t size = (uint32_t)(RIG_IO_ENTRIES - 1) << 16;
	unsigned i;

	for (i = 1; i <= RIG_QUEUES; i++) {
		struct nvme_sqe cq = { .opc = NVME_ADM_CREATE_CQ,
				       .cdw10 = size | i,
				       .cdw11 = i << 16 | 3,
				       .prp1 = RIG_CQ(i) };
		struct nvme_sqe sq = { .opc = NVME_ADM_CREATE_SQ,
				       .cdw10 = size | i,
				       .cdw11 = i << 16 | 1,
				       .prp1 = RIG_SQ(i) };

		ring_reset(i, RIG_IO_ENTRIES);
		assert_int_equal(rig_do(0, cq), 0);
		assert_int_equal(rig_do(0, sq), 0);
	}
}

void rig_doorbell(unsigned slot, uint32_t v)
{
	atomic_store(&doorbells[slot], v);
}

uint16_t rig_put(unsigned qid, struct nvme_sqe sqe)
{
	static uint16_t next_cid = 100;

	sqe.cid = next_cid++;
	memcpy(rig.ram + RIG_SQ(qid) + rig.tail[qid] * sizeof(sqe), &sqe, sizeof(sqe));
	rig.tail[qid] = (uint16_t)((rig.tail[qid] + 1) % rig.entries[qid]);
	rig_doorbell(2 * qid, rig.tail[qid]);
	return sqe.cid;
}

void rig_turn(void)
{
	bool did;

	do {
		gmem_count_begin();
		rig.now_ns += 1000;
		did = nvme_ctrl_service(rig.c, rig.now_ns);
		assert_int_equal(gmem_count_doubles(), 0);
	} while (did || nvme_ctrl_arm(rig.c));
}

void rig_finish(void)
{
	rig_turn();
	while (vol_fake_finish(rig.vol, VOL_FAKE_REQS_MAX, false))
		rig_turn();
}

bool rig_reap(unsigned qid, struct nvme_cqe *ret)
{
	memcpy(ret, rig.ram + RIG_CQ(qid) + rig.head[qid] * sizeof(*ret), sizeof(*ret));
	if ((ret->status_phase & 1) != rig.phase[qid])
		return false;
	if (++rig.head[qid] == rig.entries[qid]) {
		rig.head[qid] = 0;
		rig.phase[qid] = !rig.phase[qid];
	}
	rig_doorbell(2 * qid + 1, rig.head[qid]);
	return true;
}

uint16_t rig_reap_status(unsigned qid, uint16_t cid)
{
	struct nvme_cqe cqe, more;

	assert_true(rig_reap(qid, &cqe));
	assert_int_equal(cqe.cid, cid);
	assert_int_equal(cqe.sqid, qid);
	assert_false(rig_reap(qid, &more));
	return cqe.status_phase >> 1;
}

uint16_t rig_do_dw0(unsigned qid, struct nvme_sqe sqe, uint32_t *ret_dw0)
{
	uint16_t cid = rig_put(qid, sqe);
	struct nvme_cqe cqe;

	rig_finish();
	assert_true(rig_reap(qid, &cqe));
	assert_int_equal(cqe.cid, cid);
	if (ret_dw0)
		*ret_dw0 = cqe.dw0;
	return cqe.status_phase >> 1;
}

uint16_t rig_do(unsigned qid, struct nvme_sqe sqe)
{
	return rig_do_dw0(qid, sqe, NULL);
}
