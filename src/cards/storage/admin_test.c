/* SPDX-License-Identifier: Apache-2.0 */

/* Admin commands that keep state: events and logs. The rest is told by the native tests. */

#include "nvme_rig.h"

#include <string.h>

#include "base/bytes.h"

static const struct nvme_sqe aer = { .opc = NVME_ADM_ASYNC_EVENT };

static void events_on(uint32_t mask)
{
	assert_int_equal(rig_do(0, (struct nvme_sqe){ .opc = NVME_ADM_SET_FEATURES,
						      .cdw10 = NVME_FEAT_ASYNC_EVENT,
						      .cdw11 = mask }),
			 0);
}

static uint16_t log_get(uint8_t lid, bool keep)
{
	memset(rig.ram + RIG_DATA, 0xff, 4096);
	return rig_do(0, (struct nvme_sqe){ .opc = NVME_ADM_GET_LOG_PAGE,
					    .nsid = NVME_NSID_ALL,
					    .cdw10 = lid | (keep ? 1u << 15 : 0) | 1023u << 16,
					    .prp1 = RIG_DATA });
}

static void resize__is_told_once_until_the_log_is_read(void **state)
{
	struct nvme_cqe cqe;
	uint16_t first, second;

	(void)state;
	events_on(NVME_AEC_NS_ATTR);
	first = rig_put(0, aer);
	second = rig_put(0, aer);
	rig_turn();
	assert_false(rig_reap(0, &cqe));

	nvme_ctrl_resized(rig.c, 4096);
	rig_turn();
	assert_true(rig_reap(0, &cqe));
	assert_int_equal(cqe.cid, first);
	assert_int_equal(cqe.dw0, 0x00040002);
	/* masked */
	nvme_ctrl_resized(rig.c, 8192);
	rig_turn();
	assert_false(rig_reap(0, &cqe));
	/* kept by RAE: still masked */
	assert_int_equal(log_get(NVME_LOG_CHANGED_NS, true), 0);
	assert_int_equal(le32_load(rig.ram + RIG_DATA), 1);
	assert_false(rig_reap(0, &cqe));
	/* read: unmasked, and the second change is told */
	assert_int_equal(log_get(NVME_LOG_CHANGED_NS, false), 0);
	assert_int_equal(le32_load(rig.ram + RIG_DATA), 1);
	rig_turn();
	assert_true(rig_reap(0, &cqe));
	assert_int_equal(cqe.cid, second);
	assert_int_equal(log_get(NVME_LOG_CHANGED_NS, false), 0);
	assert_int_equal(le32_load(rig.ram + RIG_DATA), 0);

	assert_int_equal(
		rig_do(0,
		       (struct nvme_sqe){ .opc = NVME_ADM_IDENTIFY, .nsid = 1, .prp1 = RIG_DATA }),
		0);
	assert_int_equal(le64_load(rig.ram + RIG_DATA), 8192);
}

static void events__wait_for_a_request_and_for_the_feature(void **state)
{
	struct nvme_cqe cqe;
	uint16_t cid;

	(void)state;
	nvme_ctrl_resized(rig.c, 4096);
	cid = rig_put(0, aer);
	rig_turn();
	assert_false(rig_reap(0, &cqe)); /* not asked for */
	events_on(NVME_AEC_NS_ATTR);
	rig_turn();
	assert_int_equal(rig_reap_status(0, cid), 0);
}

static void events__are_forgotten_by_a_reset(void **state)
{
	struct nvme_cqe cqe;
	unsigned i;

	(void)state;
	for (i = 0; i < 4; i++)
		(void)rig_put(0, aer);
	rig_turn();
	rig_reg_write(NVME_REG_CC, 0);
	rig_enable();
	events_on(NVME_AEC_NS_ATTR);
	nvme_ctrl_resized(rig.c, 4096);
	rig_turn();
	assert_false(rig_reap(0, &cqe));
	(void)rig_put(0, aer);
	rig_turn();
	assert_true(rig_reap(0, &cqe));
}

/* Event requests wait without a place in the completion queue: a queue of two entries goes on working. */
static void events__do_not_block_a_small_admin_queue(void **state)
{
	struct nvme_sqe identify = { .opc = NVME_ADM_IDENTIFY, .cdw10 = 1, .prp1 = RIG_DATA };
	unsigned i;

	(void)state;
	rig_reg_write(NVME_REG_CC, 0);
	rig_reg_write(NVME_REG_AQA, 0x00010001);
	rig_reg_write(NVME_REG_CC, 0x00460001);
	memset(rig.ram + RIG_CQ(0), 0, 64);
	rig.tail[0] = rig.head[0] = 0;
	rig.phase[0] = true;
	rig.entries[0] = 2;
	for (i = 0; i < 4; i++) {
		(void)rig_put(0, aer);
		rig_turn();
	}
	for (i = 0; i < 9; i++)
		assert_int_equal(rig_do(0, identify), 0);
	assert_int_equal(rig_do(0, aer), 0x4105);
}

static void abort__of_an_event_request(void **state)
{
	struct nvme_cqe cqe;
	uint16_t victim, mine;

	(void)state;
	victim = rig_put(0, aer);
	rig_turn();
	mine = rig_put(0,
		       (struct nvme_sqe){ .opc = NVME_ADM_ABORT, .cdw10 = (uint32_t)victim << 16 });
	rig_turn();
	assert_true(rig_reap(0, &cqe));
	assert_int_equal(cqe.cid, victim);
	assert_int_equal(cqe.status_phase >> 1, NVME_SC_ABORT_REQUESTED);
	assert_true(rig_reap(0, &cqe));
	assert_int_equal(cqe.cid, mine);
	assert_int_equal(cqe.dw0, 0);
}

static void identify__layout_follows_the_whole_length(void **state)
{
	struct nvme_sqe sqe = { .opc = NVME_ADM_IDENTIFY,
				.cdw10 = 1,
				.prp1 = RIG_DATA + 2048,
				.prp2 = RIG_DATA + 8192 };

	(void)state;
	memset(rig.ram + RIG_DATA, 0xee, 16384);
	assert_int_equal(rig_do(0, sqe), 0);
	assert_int_equal(le16_load(rig.ram + RIG_DATA + 2048), 0x1d0f);
	assert_int_equal(rig.ram[RIG_DATA + 2047], 0xee);
	assert_int_equal(rig.ram[RIG_DATA + 4096], 0xee);
	assert_memory_equal(rig.ram + RIG_DATA + 8192 + 1024, "/dev/sdf", 8);
	assert_int_equal(rig.ram[RIG_DATA + 8192 + 2048], 0xee);
}

static void log__error_entries_newest_first(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < 70; i++)
		assert_int_equal(rig_do(1, (struct nvme_sqe){ .opc = NVME_IO_READ,
							      .nsid = i,
							      .cdw12 = 7,
							      .cdw10 = 100000,
							      .prp1 = RIG_DATA }),
				 i == 1 ? 0x4080 : 0x400b);
	assert_int_equal(log_get(NVME_LOG_ERROR, false), 0);
	assert_int_equal(le64_load(rig.ram + RIG_DATA), 70);
	assert_int_equal(le64_load(rig.ram + RIG_DATA + 64), 69);
	assert_int_equal(le64_load(rig.ram + RIG_DATA + 63 * 64), 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_RIG(resize__is_told_once_until_the_log_is_read),
		IN_RIG(events__wait_for_a_request_and_for_the_feature),
		IN_RIG(events__are_forgotten_by_a_reset),
		IN_RIG(events__do_not_block_a_small_admin_queue),
		IN_RIG(abort__of_an_event_request),
		IN_RIG(identify__layout_follows_the_whole_length),
		IN_RIG(log__error_entries_newest_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
