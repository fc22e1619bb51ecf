/* SPDX-License-Identifier: Apache-2.0 */

/* I/O commands: what reaches the volume, and what its answers become. */

#include "nvme_rig.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"

static struct nvme_sqe rw(uint8_t opc, uint64_t lba, uint32_t cnt)
{
	return (struct nvme_sqe){ .opc = opc,
				  .nsid = 1,
				  .cdw10 = (uint32_t)lba,
				  .cdw11 = (uint32_t)(lba >> 32),
				  .cdw12 = cnt - 1,
				  .prp1 = RIG_DATA,
				  .prp2 = RIG_DATA + 4096 };
}

static void rw__reaches_the_volume_in_bytes(void **state)
{
	(void)state;
	assert_int_equal(rig_do(1, rw(NVME_IO_WRITE, 3, 9)), 0);
	assert_int_equal(vol_fake_last(rig.vol)->op, VOL_WRITE);
	assert_int_equal(vol_fake_last(rig.vol)->off, 3 * 512);
	assert_int_equal(vol_fake_last(rig.vol)->len, 9 * 512);
	assert_false(vol_fake_last(rig.vol)->fua);
	assert_int_equal(rig_do(1, rw(NVME_IO_READ, 2047, 1)), 0);
	assert_int_equal(vol_fake_last(rig.vol)->op, VOL_READ);
	/* twin */
	assert_int_equal(rig_do(1, rw(NVME_IO_READ, 2047, 2)), 0x4080);
	assert_int_equal(rig_do(1, rw(NVME_IO_READ, 2048, 1)), 0x4080);
}

static void rw__fua_by_flag_and_by_feature(void **state)
{
	struct nvme_sqe sqe = rw(NVME_IO_WRITE, 0, 1);

	(void)state;
	sqe.cdw12 |= 1u << 30;
	assert_int_equal(rig_do(1, sqe), 0);
	assert_true(vol_fake_last(rig.vol)->fua);
	sqe.cdw12 &= 0xffff;
	assert_int_equal(rig_do(1, sqe), 0);
	assert_false(vol_fake_last(rig.vol)->fua);
	/* write cache off: every write, and write zeroes */
	assert_int_equal(
		rig_do(0,
		       (struct nvme_sqe){ .opc = NVME_ADM_SET_FEATURES, .cdw10 = 6, .cdw11 = 0 }),
		0);
	assert_int_equal(rig_do(1, sqe), 0);
	assert_true(vol_fake_last(rig.vol)->fua);
	assert_int_equal(rig_do(1, (struct nvme_sqe){ .opc = NVME_IO_WRITE_ZEROES, .nsid = 1 }), 0);
	assert_true(vol_fake_last(rig.vol)->fua);
	assert_int_equal(vol_fake_last(rig.vol)->op, VOL_WRITE_ZEROES);
}

static void flush__goes_through(void **state)
{
	(void)state;
	assert_int_equal(rig_do(1, (struct nvme_sqe){ .opc = NVME_IO_FLUSH, .nsid = 1 }), 0);
	assert_int_equal(vol_fake_last(rig.vol)->op, VOL_FLUSH);
	assert_int_equal(
		rig_do(1, (struct nvme_sqe){ .opc = NVME_IO_FLUSH, .nsid = NVME_NSID_ALL }), 0);
	assert_int_equal(rig_do(1, (struct nvme_sqe){ .opc = NVME_IO_FLUSH }), 0x400b);
}

static void errors__become_status_in_one_place(void **state)
{
	static const struct {
		int err;
		uint16_t read, write;
	} row[] = {
		{ -EIO, 0x281, 0x280 },     { -ENOSPC, 0x4081, 0x4081 },
		{ -EROFS, 0x4020, 0x4020 }, { -ERANGE, 0x4080, 0x4080 },
		{ -ENOMEM, 0x006, 0x006 },  { -ECANCELED, 0x007, 0x007 },
	};
	unsigned i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(row); i++) {
		vol_fake_fail_next(rig.vol, row[i].err);
		assert_int_equal(rig_do(1, rw(NVME_IO_READ, 0, 8)), row[i].read);
		vol_fake_fail_next(rig.vol, row[i].err);
		assert_int_equal(rig_do(2, rw(NVME_IO_WRITE, 0, 8)), row[i].write);
		assert_int_equal(rig_do(1, rw(NVME_IO_READ, 0, 8)), 0); /* twin */
	}
	assert_int_equal(rig.c->stats.error_cnt, 2 * ARRAY_SIZE(row));
	assert_int_equal(rig.c->stats.media_errors, 2);
}

static void errors__after_a_failed_sync_nothing_is_acknowledged(void **state)
{
	struct nvme_sqe aer = { .opc = NVME_ADM_ASYNC_EVENT };
	struct nvme_cqe cqe;
	unsigned i;

	(void)state;
	assert_int_equal(rig_do(0, (struct nvme_sqe){ .opc = NVME_ADM_SET_FEATURES,
						      .cdw10 = 11,
						      .cdw11 = 0x1ff }),
			 0);
	(void)rig_put(0, aer);
	rig_turn();
	vol_fake_fail_sync(rig.vol);
	for (i = 0; i < 3; i++) {
		assert_int_equal(rig_do(1, (struct nvme_sqe){ .opc = NVME_IO_FLUSH, .nsid = 1 }),
				 0x280);
		assert_int_equal(rig_do(1, rw(NVME_IO_WRITE, 0, 8)), 0x280);
	}
	assert_int_equal(rig_do(1, rw(NVME_IO_READ, 0, 8)), 0);
	/* the guest is told, once */
	assert_true(rig_reap(0, &cqe));
	assert_int_equal(cqe.dw0, 0x00020001);
	assert_false(rig_reap(0, &cqe));
	assert_int_equal(rig_do(0, (struct nvme_sqe){ .opc = NVME_ADM_GET_LOG_PAGE,
						      .cdw10 = 2 | 127u << 16,
						      .prp1 = RIG_DATA }),
			 0);
	assert_int_equal(rig.ram[RIG_DATA], 0x0c);
	/* a reset by the guest changes nothing about it */
	rig_reg_write(NVME_REG_CC, 0);
	rig_enable();
	rig_queues();
	assert_int_equal(rig_do(1, rw(NVME_IO_WRITE, 0, 8)), 0x280);
}

/* ---- discard ---- */

static uint16_t dsm(const struct nvme_dsm_range *range, unsigned cnt)
{
	memcpy(rig.ram + RIG_DATA, range, cnt * sizeof(*range));
	return rig_do(1, (struct nvme_sqe){ .opc = NVME_IO_DSM,
					    .nsid = 1,
					    .cdw10 = cnt - 1,
					    .cdw11 = 4,
					    .prp1 = RIG_DATA });
}

static void dsm__one_request_a_range_one_after_the_other(void **state)
{
	const struct nvme_dsm_range range[] = { { 0, 8, 0 }, { 0, 0, 5 }, { 0, 100, 1000 } };
	unsigned before = vol_fake_submitted(rig.vol);

	(void)state;
	memset(vol_fake_bytes(rig.vol), 1, 1 << 20);
	assert_int_equal(dsm(range, 3), 0);
	assert_int_equal(vol_fake_submitted(rig.vol), before + 2); /* the empty one is none */
	assert_int_equal(vol_fake_last(rig.vol)->off, 1000 * 512);
	assert_int_equal(vol_fake_bytes(rig.vol)[4095], 0);
	assert_int_equal(vol_fake_bytes(rig.vol)[4096], 1);
	assert_int_equal(vol_fake_bytes(rig.vol)[1100 * 512 - 1], 0);
}

static void dsm__all_ranges_are_checked_before_the_first_is_done(void **state)
{
	const struct nvme_dsm_range range[] = { { 0, 8, 0 }, { 0, 8, 2044 } };
	unsigned before = vol_fake_submitted(rig.vol);

	(void)state;
	assert_int_equal(dsm(range, 2), 0x4080);
	assert_int_equal(vol_fake_submitted(rig.vol), before);
}

static void dsm__long_ranges_go_in_steps(void **state)
{
	const struct nvme_dsm_range range = { 0, (600u << 20) / 512, 0 };
	struct vol *big = vol_fake_new((uint64_t)1 << 30, false);
	unsigned before;

	(void)state;
	/* The same controller on a larger volume. */
	vol_free(rig.vol);
	rig.vol = rig.c->conf.vol = big;
	nvme_ctrl_resized(rig.c, ((uint64_t)1 << 30) / 512);
	before = vol_fake_submitted(big);
	assert_int_equal(dsm(&range, 1), 0);
	assert_int_equal(vol_fake_submitted(big), before + 3);
	assert_int_equal(vol_fake_last(big)->off, 512 << 20);
	assert_int_equal(vol_fake_last(big)->len, 88 << 20);
}

static void dsm__hints_do_nothing(void **state)
{
	const struct nvme_dsm_range range = { 0, 8, 0 };
	unsigned before = vol_fake_submitted(rig.vol);

	(void)state;
	memcpy(rig.ram + RIG_DATA, &range, sizeof(range));
	assert_int_equal(rig_do(1, (struct nvme_sqe){ .opc = NVME_IO_DSM,
						      .nsid = 1,
						      .cdw11 = 3,
						      .prp1 = RIG_DATA }),
			 0);
	assert_int_equal(vol_fake_submitted(rig.vol), before);
}

/* The guest changes the ranges after the check: the private copy counts. */
static void dsm__ranges_are_copied_once(void **state)
{
	struct nvme_dsm_range *range = (void *)(rig.ram + RIG_DATA);
	uint16_t cid;

	(void)state;
	range[0] = (struct nvme_dsm_range){ 0, 8, 0 };
	range[1] = (struct nvme_dsm_range){ 0, 8, 16 };
	cid = rig_put(
		1,
		(struct nvme_sqe){
			.opc = NVME_IO_DSM, .nsid = 1, .cdw10 = 1, .cdw11 = 4, .prp1 = RIG_DATA });
	rig_turn();
	range[1] = (struct nvme_dsm_range){ 0, 0xffffffff, UINT64_MAX };
	rig_finish();
	assert_int_equal(vol_fake_last(rig.vol)->off, 16 * 512);
	assert_int_equal(rig_reap_status(1, cid), 0);
}

/* ---- abort, deletion ---- */

static uint16_t abort_of(unsigned qid, uint16_t cid, uint32_t *ret_dw0)
{
	uint16_t mine = rig_put(
		0, (struct nvme_sqe){ .opc = NVME_ADM_ABORT, .cdw10 = (uint32_t)cid << 16 | qid });
	struct nvme_cqe cqe;

	rig_turn();
	assert_true(rig_reap(0, &cqe));
	assert_int_equal(cqe.cid, mine);
	*ret_dw0 = cqe.dw0;
	return cqe.status_phase >> 1;
}

static void abort__ends_the_victim_at_once_and_its_memory_is_quiet(void **state)
{
	uint16_t victim, other;
	uint32_t dw0;

	(void)state;
	memset(vol_fake_bytes(rig.vol), 0x11, 8192);
	victim = rig_put(1, rw(NVME_IO_READ, 0, 8));
	other = rig_put(1, (struct nvme_sqe){ .opc = NVME_IO_FLUSH, .nsid = 1 });
	rig_turn();
	assert_int_equal(abort_of(1, victim, &dw0), 0);
	assert_int_equal(dw0, 0);
	assert_int_equal(rig_reap_status(1, victim), NVME_SC_ABORT_REQUESTED);
	assert_int_equal(gmem_pins(rig.mem), 0);
	memset(rig.ram + RIG_DATA, 0x99, 4096);
	rig_finish();
	assert_int_equal(rig.ram[RIG_DATA], 0x99);
	assert_int_equal(rig_reap_status(1, other), 0);
	assert_int_equal(rig.c->free_cnt, NVME_CMDS_MAX);
}

static void abort__of_nothing_says_so(void **state)
{
	uint16_t victim;
	uint32_t dw0;

	(void)state;
	victim = rig_put(1, rw(NVME_IO_READ, 0, 8));
	rig_turn();
	assert_int_equal(abort_of(2, victim, &dw0), 0); /* other queue */
	assert_int_equal(dw0, 1);
	assert_int_equal(abort_of(1, (uint16_t)(victim + 9), &dw0), 0);
	assert_int_equal(dw0, 1);
	assert_int_equal(abort_of(0xffff, victim, &dw0), 0);
	assert_int_equal(dw0, 1);
	rig_finish();
	assert_int_equal(rig_reap_status(1, victim), 0);
	assert_int_equal(abort_of(1, victim, &dw0), 0); /* too late */
	assert_int_equal(dw0, 1);
}

static void delete_sq__answers_what_ran_first(void **state)
{
	struct nvme_cqe cqe;
	uint16_t mine;
	unsigned i;

	(void)state;
	for (i = 0; i < 5; i++)
		(void)rig_put(2, rw(NVME_IO_WRITE, i * 8, 8));
	rig_turn();
	mine = rig_put(0, (struct nvme_sqe){ .opc = NVME_ADM_DELETE_SQ, .cdw10 = 2 });
	rig_turn();
	assert_int_equal(rig_reap_status(0, mine), 0);
	for (i = 0; i < 5; i++) {
		assert_true(rig_reap(2, &cqe));
		assert_int_equal(cqe.status_phase >> 1, NVME_SC_ABORT_SQ_DELETED);
	}
	assert_int_equal(gmem_pins(rig.mem), 0);
	rig_finish();
	assert_false(rig_reap(2, &cqe));
	assert_int_equal(rig_do(0, (struct nvme_sqe){ .opc = NVME_ADM_DELETE_CQ, .cdw10 = 2 }), 0);
}

/* Two submission queues share a completion queue that is gone as memory: the deletion finds out in the middle. */
static void delete_sq__when_answers_have_nowhere_to_go(void **state)
{
	struct nvme_sqe cq = { .opc = NVME_ADM_CREATE_CQ,
			       .cdw10 = 15u << 16 | 2,
			       .cdw11 = 2u << 16 | 3,
			       .prp1 = RIG_NOWHERE };
	struct nvme_sqe sq = { .opc = NVME_ADM_CREATE_SQ,
			       .cdw10 = 15u << 16 | 2,
			       .cdw11 = 2u << 16 | 1,
			       .prp1 = RIG_SQ(2) };
	unsigned i;

	(void)state;
	assert_int_equal(rig_do(0, (struct nvme_sqe){ .opc = NVME_ADM_DELETE_SQ, .cdw10 = 2 }), 0);
	assert_int_equal(rig_do(0, (struct nvme_sqe){ .opc = NVME_ADM_DELETE_CQ, .cdw10 = 2 }), 0);
	assert_int_equal(rig_do(0, cq), 0);
	assert_int_equal(rig_do(0, sq), 0);
	for (i = 0; i < 5; i++)
		(void)rig_put(2, rw(NVME_IO_READ, 0, 8));
	rig_turn();
	(void)rig_put(0, (struct nvme_sqe){ .opc = NVME_ADM_DELETE_SQ, .cdw10 = 2 });
	rig_turn();
	assert_int_equal(rig_reg(NVME_REG_CSTS), NVME_CSTS_CFS);
	assert_int_equal(gmem_pins(rig.mem), 0);
	rig_finish();
	assert_int_equal(rig.c->free_cnt, NVME_CMDS_MAX);
}

/* Several completions come back in one poll; the first cannot be posted and everything stops. */
static void completions__lost_queue_with_others_already_returned(void **state)
{
	struct nvme_sqe cq = { .opc = NVME_ADM_CREATE_CQ,
			       .cdw10 = 15u << 16 | 2,
			       .cdw11 = 2u << 16 | 3,
			       .prp1 = RIG_NOWHERE };
	struct nvme_sqe sq = { .opc = NVME_ADM_CREATE_SQ,
			       .cdw10 = 15u << 16 | 2,
			       .cdw11 = 2u << 16 | 1,
			       .prp1 = RIG_SQ(2) };
	unsigned i;

	(void)state;
	assert_int_equal(rig_do(0, (struct nvme_sqe){ .opc = NVME_ADM_DELETE_SQ, .cdw10 = 2 }), 0);
	assert_int_equal(rig_do(0, (struct nvme_sqe){ .opc = NVME_ADM_DELETE_CQ, .cdw10 = 2 }), 0);
	assert_int_equal(rig_do(0, cq), 0);
	assert_int_equal(rig_do(0, sq), 0);
	for (i = 0; i < 6; i++) {
		(void)rig_put(2, rw(NVME_IO_READ, 0, 8));
		(void)rig_put(1, rw(NVME_IO_READ, 0, 8));
	}
	rig_turn();
	assert_int_equal(vol_fake_finish(rig.vol, 8, false), 8); /* four stay with the volume */
	rig_turn();
	assert_int_equal(rig_reg(NVME_REG_CSTS), NVME_CSTS_CFS);
	assert_int_equal(gmem_pins(rig.mem), 0);
	rig_finish();
	assert_int_equal(rig.c->free_cnt, NVME_CMDS_MAX);
}

static void stats__count_what_was_done(void **state)
{
	(void)state;
	assert_int_equal(rig_do(1, rw(NVME_IO_WRITE, 0, 8)), 0);
	assert_int_equal(rig_do(1, rw(NVME_IO_READ, 0, 16)), 0);
	assert_int_equal(rig_do(1, rw(NVME_IO_READ, 5000, 16)), 0x4080);
	assert_int_equal(rig.c->stats.write_ops, 1);
	assert_int_equal(rig.c->stats.write_bytes, 4096);
	assert_int_equal(rig.c->stats.read_ops, 1);
	assert_int_equal(rig.c->stats.read_bytes, 8192);
	assert_int_equal(rig.c->stats.error_cnt, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_RIG(rw__reaches_the_volume_in_bytes),
		IN_RIG(rw__fua_by_flag_and_by_feature),
		IN_RIG(flush__goes_through),
		IN_RIG(errors__become_status_in_one_place),
		IN_RIG(errors__after_a_failed_sync_nothing_is_acknowledged),
		IN_RIG(dsm__one_request_a_range_one_after_the_other),
		IN_RIG(dsm__all_ranges_are_checked_before_the_first_is_done),
		IN_RIG(dsm__long_ranges_go_in_steps),
		IN_RIG(dsm__hints_do_nothing),
		IN_RIG(dsm__ranges_are_copied_once),
		IN_RIG(abort__ends_the_victim_at_once_and_its_memory_is_quiet),
		IN_RIG(abort__of_nothing_says_so),
		IN_RIG(delete_sq__answers_what_ran_first),
		IN_RIG(delete_sq__when_answers_have_nowhere_to_go),
		IN_RIG(completions__lost_queue_with_others_already_returned),
		IN_RIG(stats__count_what_was_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
