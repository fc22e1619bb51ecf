/* SPDX-License-Identifier: Apache-2.0 */

#include "cards/storage/feature.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct nvme_features f;
static uint32_t dw0;

static int setup(void **state)
{
	(void)state;
	nvme_features_reset(&f, 8);
	return 0;
}

static uint16_t set(uint32_t fid, uint32_t v)
{
	struct nvme_sqe sqe = { .cdw10 = fid, .cdw11 = v };

	return nvme_features_set(&f, &sqe, false, &dw0);
}

static uint16_t get(uint32_t fid, uint32_t v)
{
	struct nvme_sqe sqe = { .cdw10 = fid, .cdw11 = v };

	return nvme_features_get(&f, &sqe, &dw0);
}

static void feature__queues(void **state)
{
	struct nvme_sqe sqe = { .cdw10 = NVME_FEAT_QUEUES, .cdw11 = 0x00030003 };

	(void)state;
	assert_int_equal(set(NVME_FEAT_QUEUES, 0x00000000), 0);
	assert_int_equal(dw0, 0x00070007);
	assert_int_equal(set(NVME_FEAT_QUEUES, 0xfffefffe), 0);
	assert_int_equal(dw0, 0x00070007);
	assert_int_equal(get(NVME_FEAT_QUEUES, 0), 0);
	assert_int_equal(dw0, 0x00070007);
	/* twins */
	assert_int_equal(set(NVME_FEAT_QUEUES, 0x0000ffff), 0x4002);
	assert_int_equal(set(NVME_FEAT_QUEUES, 0xffff0000), 0x4002);
	assert_int_equal(dw0, 0);
	assert_int_equal(nvme_features_set(&f, &sqe, true, &dw0), 0x400c);
}

static void feature__values_are_kept(void **state)
{
	static const struct {
		uint32_t fid, v, want;
	} row[] = {
		{ NVME_FEAT_ARBITRATION, 0x01020304, 0x01020304 },
		{ NVME_FEAT_ERROR_RECOVERY, 0x1234, 0x1234 },
		{ NVME_FEAT_WRITE_CACHE, 0, 0 },
		{ NVME_FEAT_WRITE_CACHE, 3, 1 },
		{ NVME_FEAT_COALESCING, 0xabcd1234, 0x1234 },
		{ NVME_FEAT_ATOMICITY, 1, 1 },
		{ NVME_FEAT_ASYNC_EVENT, 0xffffffff, 0x1ff },
		{ NVME_FEAT_TEMPERATURE, 0x0150, 0x0150 },
	};
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		assert_int_equal(set(row[i].fid, row[i].v), 0);
		assert_int_equal(dw0, 0);
		assert_int_equal(get(row[i].fid, 0), 0);
		assert_int_equal(dw0, row[i].want);
	}
	nvme_features_reset(&f, 8);
	assert_int_equal(get(NVME_FEAT_WRITE_CACHE, 0), 0);
	assert_int_equal(dw0, 1);
}

static void feature__vectors(void **state)
{
	(void)state;
	assert_int_equal(get(NVME_FEAT_VECTOR, 3), 0);
	assert_int_equal(dw0, 3);
	assert_int_equal(set(NVME_FEAT_VECTOR, 1u << 16 | 8), 0);
	assert_int_equal(get(NVME_FEAT_VECTOR, 8), 0);
	assert_int_equal(dw0, 1u << 16 | 8);
	/* twins: beyond those we have, up to where the array would end */
	assert_int_equal(set(NVME_FEAT_VECTOR, 9), 0x4002);
	assert_int_equal(get(NVME_FEAT_VECTOR, 9), 0x4002);
	assert_int_equal(get(NVME_FEAT_VECTOR, 0xffff), 0x4002);
	assert_int_equal(set(NVME_FEAT_VECTOR, 0xffff), 0x4002);
}

static void feature__temperature_thresholds(void **state)
{
	(void)state;
	assert_int_equal(set(NVME_FEAT_TEMPERATURE, 1u << 20 | 0x100), 0);
	assert_int_equal(get(NVME_FEAT_TEMPERATURE, 1u << 20), 0);
	assert_int_equal(dw0, 0x100);
	assert_int_equal(get(NVME_FEAT_TEMPERATURE, 0), 0);
	assert_int_equal(dw0, 343);
	assert_int_equal(set(NVME_FEAT_TEMPERATURE, 2u << 20), 0x4002);
	assert_int_equal(get(NVME_FEAT_TEMPERATURE, 2u << 20), 0x4002);
	assert_int_equal(set(NVME_FEAT_TEMPERATURE, 1u << 16), 0x4002);
	assert_int_equal(set(NVME_FEAT_TEMPERATURE, 0xfu << 16 | 0x123), 0);
}

static void feature__refuses_saving_selecting_and_the_unknown(void **state)
{
	unsigned fid;

	(void)state;
	assert_int_equal(set(1u << 31 | NVME_FEAT_WRITE_CACHE, 0), 0x410d);
	assert_int_equal(get(1u << 8 | NVME_FEAT_WRITE_CACHE, 0), 0x4002);
	assert_int_equal(set(NVME_FEAT_POWER, 0), 0);
	assert_int_equal(set(NVME_FEAT_POWER, 1), 0x4002);
	assert_int_equal(set(NVME_FEAT_ERROR_RECOVERY, 1u << 16), 0x4002);
	for (fid = 0; fid < 256; fid++) {
		if ((fid >= 1 && fid <= 0x0b && fid != 3))
			continue;
		assert_int_equal(set(fid, 0), 0x4002);
		assert_int_equal(get(fid, 0), 0x4002);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(feature__queues, setup),
		cmocka_unit_test_setup(feature__values_are_kept, setup),
		cmocka_unit_test_setup(feature__vectors, setup),
		cmocka_unit_test_setup(feature__temperature_thresholds, setup),
		cmocka_unit_test_setup(feature__refuses_saving_selecting_and_the_unknown, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
