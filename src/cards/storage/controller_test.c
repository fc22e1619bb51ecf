/* SPDX-License-Identifier: Apache-2.0 */

/* Registers, states, turns: every row of the state table, and what stops, waits or fails between turns. */

#include "nvme_rig.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"

static const struct nvme_sqe read_one = {
	.opc = NVME_IO_READ, .nsid = 1, .cdw12 = 7, .prp1 = RIG_DATA
};
static const struct nvme_sqe write_one = {
	.opc = NVME_IO_WRITE, .nsid = 1, .cdw12 = 7, .prp1 = RIG_DATA
};
static const struct nvme_sqe identify = { .opc = NVME_ADM_IDENTIFY, .cdw10 = 1, .prp1 = RIG_DATA };

/* ---- states ---- */

static void to_state(enum nvme_state s)
{
	assert_int_equal(nvme_ctrl_quiesce(rig.c, true), 0);
	rig_finish();
	rig_reg_write(NVME_REG_AQA, 0x001f001f);
	if (s == NVME_DISABLED)
		return;
	if (s == NVME_FATAL) {
		rig_reg_write(NVME_REG_CC, 0x00460081);
		return;
	}
	rig_enable();
	if (s == NVME_READY)
		return;
	rig_reg_write(NVME_REG_CC, 0x00464001);
	if (s == NVME_SHUT)
		rig_finish();
}

static void state__table_by_register_writes(void **state)
{
	static const struct {
		enum nvme_state from;
		uint32_t cc;
		enum nvme_state to;
		uint32_t csts;
	} row[] = {
		{ NVME_DISABLED, 0x00460000, NVME_DISABLED, 0 },
		{ NVME_DISABLED, 0x00460001, NVME_READY, 1 },
		{ NVME_DISABLED, 0x00460081, NVME_FATAL, 2 },
		{ NVME_DISABLED, 0x00464000, NVME_SHUTTING, 4 },
		{ NVME_DISABLED, 0x00464001, NVME_SHUTTING, 5 },
		{ NVME_READY, 0x00460000, NVME_DISABLED, 0 },
		{ NVME_READY, 0x00460001, NVME_READY, 1 },
		{ NVME_READY, 0x00464001, NVME_SHUTTING, 5 },
		{ NVME_READY, 0x00468001, NVME_SHUTTING, 5 },
		{ NVME_SHUTTING, 0x00464001, NVME_SHUTTING, 5 },
		{ NVME_SHUTTING, 0x00460001, NVME_SHUTTING, 5 },
		{ NVME_SHUTTING, 0x00460000, NVME_DISABLED, 0 },
		{ NVME_SHUT, 0x00464001, NVME_SHUT, 9 },
		{ NVME_SHUT, 0x00460000, NVME_DISABLED, 0 },
		{ NVME_FATAL, 0x00460081, NVME_FATAL, 2 },
		{ NVME_FATAL, 0x00464081, NVME_FATAL, 2 },
		{ NVME_FATAL, 0x00460000, NVME_DISABLED, 0 },
	};
	unsigned i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(row); i++) {
		to_state(row[i].from);
		assert_int_equal(rig.c->state, row[i].from);
		rig_reg_write(NVME_REG_CC, row[i].cc);
		assert_int_equal(rig.c->state, row[i].to);
		assert_int_equal(rig_reg(NVME_REG_CSTS), row[i].csts);
	}
}

static void state__shutdown_while_disabled_then_enable(void **state)
{
	(void)state;
	rig_reg_write(NVME_REG_CC, 0x00464000);
	rig_finish();
	assert_int_equal(rig_reg(NVME_REG_CSTS), NVME_CSTS_SHST_DONE);
	rig_enable();
	assert_int_equal(rig_do(0, identify), 0);
}

static void state__shutdown_waits_for_commands_then_flushes(void **state)
{
	uint16_t cid;

	(void)state;
	cid = rig_put(1, write_one);
	rig_turn();
	rig_reg_write(NVME_REG_CC, 0x00464001);
	rig_turn();
	assert_int_equal(vol_fake_last(rig.vol)->op, VOL_WRITE); /* no flush yet */
	assert_int_equal(vol_fake_finish(rig.vol, 1, false), 1);
	rig_turn();
	assert_int_equal(rig_reap_status(1, cid), 0);
	assert_int_equal(vol_fake_last(rig.vol)->op, VOL_FLUSH);
	assert_int_equal(rig_reg(NVME_REG_CSTS), NVME_CSTS_SHST_BUSY | NVME_CSTS_RDY);
	assert_int_equal(vol_fake_finish(rig.vol, 1, false), 1);
	rig_turn();
	assert_int_equal(rig_reg(NVME_REG_CSTS), NVME_CSTS_SHST_DONE | NVME_CSTS_RDY);
}

static void state__shutdown_fetches_nothing_more(void **state)
{
	unsigned before;

	(void)state;
	rig_reg_write(NVME_REG_CC, 0x00464001);
	before = vol_fake_submitted(rig.vol);
	(void)rig_put(1, read_one);
	rig_turn();
	assert_int_equal(vol_fake_submitted(rig.vol), before + 1); /* the flush alone */
}

/* A flush of an earlier shutdown that a reset cut short must not count for a later one. */
static void state__old_flush_does_not_finish_a_new_shutdown(void **state)
{
	(void)state;
	rig_reg_write(NVME_REG_CC, 0x00464001);
	rig_turn(); /* flush is with the volume */
	rig_reg_write(NVME_REG_CC, 0);
	rig_enable();
	rig_reg_write(NVME_REG_CC, 0x00464001);
	rig_turn();
	assert_int_equal(vol_fake_finish(rig.vol, 1, false), 1);
	rig_turn();
	assert_int_equal(rig.c->state, NVME_SHUTTING);
	assert_int_equal(vol_fake_finish(rig.vol, 1, false), 1);
	rig_turn();
	assert_int_equal(rig.c->state, NVME_SHUT);
}

/* ---- resets with commands in flight ---- */

static void reset__lets_go_of_guest_memory_at_once(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < 8; i++)
		(void)rig_put(1 + i % 2, i % 3 ? read_one : write_one);
	rig_turn();
	assert_int_equal(gmem_pins(rig.mem), 8);
	memset(rig.ram + RIG_DATA, 0x42, 4096);
	memset(vol_fake_bytes(rig.vol), 0x17, 4096);
	rig_reg_write(NVME_REG_CC, 0x00460000);
	assert_int_equal(rig_reg(NVME_REG_CSTS), 0);
	assert_int_equal(gmem_pins(rig.mem), 0);

	/* The orphans end later: nothing reaches the guest, and no completion either. */
	rig_finish();
	assert_int_equal(rig.ram[RIG_DATA], 0x42);
	assert_int_equal(rig.c->free_cnt, NVME_CMDS_MAX);
	rig_enable();
	rig_queues();
	assert_int_equal(rig_do(1, read_one), 0);
	assert_int_equal(rig.ram[RIG_DATA], 0x17);
}

static void reset__with_orphans_still_out(void **state)
{
	unsigned i, n;

	(void)state;
	for (i = 0; i < 100; i++) {
		(void)rig_put(1, read_one);
		rig_turn();
		rig_reg_write(NVME_REG_CC, 0);
		rig_enable();
		rig_queues(); /* its own admin turns need no volume */
	}
	/* rig_queues() lets the volume finish: start again without that. */
	for (n = 0; n < 3; n++) {
		for (i = 0; i < 15; i++)
			(void)rig_put(1, read_one);
		rig_turn();
		rig_reg_write(NVME_REG_CC, 0);
		rig_enable();
	}
	rig_finish();
	assert_int_equal(rig.c->free_cnt, NVME_CMDS_MAX);
}

static void quiesce__waits_for_commands_and_resume_goes_on(void **state)
{
	uint16_t cid;

	(void)state;
	cid = rig_put(1, read_one);
	rig_turn();
	assert_int_equal(nvme_ctrl_quiesce(rig.c, false), -EINPROGRESS);
	(void)rig_put(2, read_one);
	rig_turn(); /* the second is not fetched */
	assert_int_equal(gmem_pins(rig.mem), 1);
	assert_int_equal(vol_fake_finish(rig.vol, 9, false), 1);
	rig_turn();
	assert_int_equal(rig_reap_status(1, cid), 0);
	assert_int_equal(nvme_ctrl_quiesce(rig.c, false), 0);
	assert_int_equal(gmem_pins(rig.mem), 0);
	nvme_ctrl_resume(rig.c);
	rig_finish();
	assert_int_equal(rig_reap_status(2, (uint16_t)(cid + 1)), 0);
}

/* ---- queues and their limits ---- */

static void turn__one_interrupt_a_batch(void **state)
{
	struct nvme_cqe cqe;
	unsigned i, before;

	(void)state;
	for (i = 0; i < 10; i++)
		(void)rig_put(3, read_one);
	rig_turn();
	before = rig.irqs[3];
	assert_int_equal(vol_fake_finish(rig.vol, 10, false), 10);
	rig_turn();
	assert_int_equal(rig.irqs[3], before + 1);
	for (i = 0; i < 10; i++)
		assert_true(rig_reap(3, &cqe));
	assert_false(rig_reap(3, &cqe));
}

static void turn__never_more_commands_than_slots(void **state)
{
	unsigned round, q, i;
	struct nvme_cqe cqe;

	(void)state;
	/* Queues of 16 entries: 4 * 15 at a time. */
	for (round = 0; round < 6; round++) {
		for (q = 1; q <= RIG_QUEUES; q++)
			for (i = 0; i < 15; i++)
				(void)rig_put(q, read_one);
		rig_turn();
		assert_int_equal(vol_in_flight(rig.vol), 60);
		rig_finish();
		for (q = 1; q <= RIG_QUEUES; q++)
			for (i = 0; i < 15; i++)
				assert_true(rig_reap(q, &cqe));
	}
	assert_int_equal(rig.c->free_cnt, NVME_CMDS_MAX);
}

static void turn__completions_out_of_order(void **state)
{
	uint16_t cid[5];
	struct nvme_cqe cqe;
	unsigned i;

	(void)state;
	for (i = 0; i < 5; i++)
		cid[i] = rig_put(1, read_one);
	rig_turn();
	assert_int_equal(vol_fake_finish(rig.vol, 5, true), 5);
	rig_turn();
	for (i = 0; i < 5; i++) {
		assert_true(rig_reap(1, &cqe));
		assert_int_equal(cqe.cid, cid[4 - i]);
		assert_int_equal(cqe.sq_head, 5);
	}
}

static void turn__rings_wrap_and_the_phase_turns(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < 100; i++)
		assert_int_equal(rig_do(1 + i % 3, i % 2 ? read_one : write_one), 0);
}

static void arm__sees_what_came_in_between(void **state)
{
	(void)state;
	rig_turn();
	assert_false(nvme_ctrl_arm(rig.c));
	(void)rig_put(2, read_one);
	assert_true(nvme_ctrl_arm(rig.c));
	rig_turn();
	assert_false(nvme_ctrl_arm(rig.c));
}

/* ---- shadow doorbells ---- */

#define SHADOW ((uint64_t)0x300000)
#define EVENT ((uint64_t)0x301000)

static uint32_t *word(uint64_t page, unsigned slot)
{
	return (uint32_t *)(void *)(rig.ram + page) + slot;
}

static void dbbuf__event_index_is_the_tail_when_armed_and_behind_it_when_awake(void **state)
{
	struct nvme_sqe sqe = { .opc = NVME_ADM_DBBUF_CONFIG, .prp1 = SHADOW, .prp2 = EVENT };

	(void)state;
	assert_int_equal(rig_do(0, sqe), 0);
	assert_int_equal(gmem_pins(rig.mem), 2);
	(void)rig_put(1, read_one); /* rings the register: not looked at any more */
	rig_turn();
	assert_int_equal(vol_in_flight(rig.vol), 0);

	*word(SHADOW, 2) = rig.tail[1];
	assert_true(nvme_ctrl_service(rig.c, 1));
	assert_int_equal(vol_in_flight(rig.vol), 1);
	assert_int_equal(*word(EVENT, 2), rig.tail[1] - 1u);
	assert_false(nvme_ctrl_arm(rig.c));
	assert_int_equal(*word(EVENT, 2), rig.tail[1]);
	/* the admin queue goes on with its register */
	assert_int_equal(rig_do(0, identify), 0);
}

static void dbbuf__is_forgotten_by_a_reset_and_unpinned_while_quiet(void **state)
{
	struct nvme_sqe sqe = { .opc = NVME_ADM_DBBUF_CONFIG, .prp1 = SHADOW, .prp2 = EVENT };

	(void)state;
	assert_int_equal(rig_do(0, sqe), 0);
	assert_int_equal(nvme_ctrl_quiesce(rig.c, false), 0);
	assert_int_equal(gmem_pins(rig.mem), 0);
	nvme_ctrl_resume(rig.c);
	assert_int_equal(gmem_pins(rig.mem), 2);
	rig_reg_write(NVME_REG_CC, 0);
	assert_int_equal(gmem_pins(rig.mem), 0);
	rig_enable();
	rig_queues();
	assert_int_equal(rig_do(1, read_one), 0);
}

static void dbbuf__bad_tail_is_fatal(void **state)
{
	struct nvme_sqe sqe = { .opc = NVME_ADM_DBBUF_CONFIG, .prp1 = SHADOW, .prp2 = EVENT };

	(void)state;
	assert_int_equal(rig_do(0, sqe), 0);
	*word(SHADOW, 2) = RIG_IO_ENTRIES;
	assert_true(nvme_ctrl_arm(rig.c));
	rig_turn();
	assert_int_equal(rig_reg(NVME_REG_CSTS), NVME_CSTS_CFS);
	assert_int_equal(gmem_pins(rig.mem), 0);
}

/* ---- registers ---- */

static void registers__admin_queue_is_fixed_while_enabled(void **state)
{
	(void)state;
	rig_reg_write(NVME_REG_ASQ, RIG_NOWHERE);
	rig_reg_write(NVME_REG_AQA, 0x00010001);
	assert_int_equal(rig_reg(NVME_REG_ASQ), RIG_SQ(0));
	rig_reg_write(NVME_REG_CC, 0);
	rig_reg_write(NVME_REG_ASQ, RIG_NOWHERE + 0xabc);
	assert_int_equal(rig_reg(NVME_REG_ASQ), RIG_NOWHERE);
}

static void registers__eight_bytes_at_once(void **state)
{
	uint8_t buf[8];

	(void)state;
	le64_store(buf, 0x123456789000);
	nvme_ctrl_access(rig.c, NVME_REG_ACQ, buf, 8, true);
	assert_int_equal(rig_reg(NVME_REG_ACQ), 0x56789000);
	assert_int_equal(rig_reg(NVME_REG_ACQ + 4), 0x1234);
	memset(buf, 0, 8);
	nvme_ctrl_access(rig.c, NVME_REG_CAP, buf, 8, false);
	assert_int_equal(le64_load(buf) & 0xffff, 1023);
	/* not whole words: dropped */
	memset(buf, 0xff, 8);
	nvme_ctrl_access(rig.c, NVME_REG_ACQ, buf, 2, true);
	nvme_ctrl_access(rig.c, NVME_REG_ACQ + 2, buf, 4, true);
	assert_int_equal(rig_reg(NVME_REG_ACQ), 0x56789000);
}

static void registers__reads_end_at_the_file(void **state)
{
	uint8_t buf[4096];

	(void)state;
	memset(buf, 0, sizeof(buf));
	nvme_ctrl_access(rig.c, 0, buf, sizeof(buf), false);
	assert_int_equal(le32_load(buf + NVME_REG_VS), NVME_VERSION);
	assert_int_equal(buf[0x40], 0);
	memset(buf, 0, sizeof(buf));
	nvme_ctrl_access(rig.c, 0x3e, buf, 8, false);
	nvme_ctrl_access(rig.c, UINT64_MAX - 8, buf, 8, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_RIG_OFF(state__table_by_register_writes),
		IN_RIG_OFF(state__shutdown_while_disabled_then_enable),
		IN_RIG(state__shutdown_waits_for_commands_then_flushes),
		IN_RIG(state__shutdown_fetches_nothing_more),
		IN_RIG(state__old_flush_does_not_finish_a_new_shutdown),
		IN_RIG(reset__lets_go_of_guest_memory_at_once),
		IN_RIG(reset__with_orphans_still_out),
		IN_RIG(quiesce__waits_for_commands_and_resume_goes_on),
		IN_RIG(turn__one_interrupt_a_batch),
		IN_RIG(turn__never_more_commands_than_slots),
		IN_RIG(turn__completions_out_of_order),
		IN_RIG(turn__rings_wrap_and_the_phase_turns),
		IN_RIG(arm__sees_what_came_in_between),
		IN_RIG(dbbuf__event_index_is_the_tail_when_armed_and_behind_it_when_awake),
		IN_RIG(dbbuf__is_forgotten_by_a_reset_and_unpinned_while_quiet),
		IN_RIG(dbbuf__bad_tail_is_fatal),
		IN_RIG(registers__admin_queue_is_fixed_while_enabled),
		IN_RIG_OFF(registers__eight_bytes_at_once),
		IN_RIG_OFF(registers__reads_end_at_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
