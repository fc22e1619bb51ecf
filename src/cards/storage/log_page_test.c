/* SPDX-License-Identifier: Apache-2.0 */

#include "cards/storage/log_page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"

static struct nvme_stats stats;
static uint8_t page[NVME_LOG_BYTES_MAX];

static int setup(void **state)
{
	(void)state;
	memset(&stats, 0, sizeof(stats));
	return 0;
}

static uint16_t get(uint8_t lid, size_t *len)
{
	struct nvme_log_view v = { .stats = &stats, .queue_len = 3, .uptime_ns = 7200000000000 };

	return nvme_log_page(&v, lid, page, len);
}

static void log__sizes(void **state)
{
	size_t len;

	(void)state;
	assert_int_equal(get(NVME_LOG_ERROR, &len), 0);
	assert_int_equal(len, 4096);
	assert_int_equal(get(NVME_LOG_SMART, &len), 0);
	assert_int_equal(len, 512);
	assert_int_equal(get(NVME_LOG_FIRMWARE, &len), 0);
	assert_int_equal(len, 512);
	assert_int_equal(get(NVME_LOG_CHANGED_NS, &len), 0);
	assert_int_equal(len, 4096);
	assert_int_equal(get(NVME_LOG_EBS_STATS, &len), 0);
	assert_int_equal(len, 4096);
	/* twin */
	assert_int_equal(get(0, &len), 0x4109);
	assert_int_equal(get(5, &len), 0x4109);
	assert_int_equal(get(0xff, &len), 0x4109);
}

static void log__part_never_leaves_the_page(void **state)
{
	size_t len;

	(void)state;
	assert_int_equal(nvme_log_part(0, 4100, 4096, &len), 0);
	assert_int_equal(len, 4096);
	assert_int_equal(nvme_log_part(4092, 4100, 4096, &len), 0);
	assert_int_equal(len, 4);
	assert_int_equal(nvme_log_part(4096, 4, 4096, &len), 0);
	assert_int_equal(len, 0);
	assert_int_equal(nvme_log_part(508, 8, 512, &len), 0);
	assert_int_equal(len, 4);
	/* twins */
	assert_int_equal(nvme_log_part(4100, 4, 4096, &len), 0x4002);
	assert_int_equal(nvme_log_part(2, 4, 4096, &len), 0x4002);
	assert_int_equal(nvme_log_part(UINT64_MAX - 3, 8, 4096, &len), 0x4002);
}

static void log__smart_counts_in_thousands_of_512_bytes(void **state)
{
	size_t len;

	(void)state;
	nvme_stats_io(&stats, false, 512, 1000);
	nvme_stats_io(&stats, true, 512000, 1000);
	nvme_stats_io(&stats, true, 512, 1000);
	assert_int_equal(get(NVME_LOG_SMART, &len), 0);
	assert_int_equal(le64_load(page + 32), 1);
	assert_int_equal(le64_load(page + 48), 2);
	assert_int_equal(le64_load(page + 64), 1);
	assert_int_equal(le64_load(page + 80), 2);
	assert_int_equal(le64_load(page + 128), 2); /* hours */
}

static void log__ebs_histograms_hold_every_operation(void **state)
{
	static const uint64_t ns[] = { 0, 999, 1000, 1999, 2000, 1000000, 30000000000, UINT64_MAX };
	uint64_t sum = 0, lower, upper;
	unsigned i, n;
	size_t len;

	(void)state;
	for (i = 0; i < 8; i++)
		nvme_stats_io(&stats, false, 4096, ns[i]);
	assert_int_equal(get(NVME_LOG_EBS_STATS, &len), 0);
	assert_int_equal(le32_load(page), 0x3C23B510);
	assert_int_equal(le64_load(page + 8), 8);
	assert_int_equal(le64_load(page + 88), 3);
	n = (unsigned)le64_load(page + 512);
	assert_true(n > 0 && n <= 64);
	for (i = 0, upper = 0; i < n; i++) {
		lower = le64_load(page + 520 + i * 24);
		assert_int_equal(lower, upper); /* no gap, no overlap */
		upper = le64_load(page + 520 + i * 24 + 8);
		assert_true(upper > lower);
		sum += le32_load(page + 520 + i * 24 + 16);
	}
	assert_int_equal(sum, 8);
	assert_int_equal(le32_load(page + 520 + 16), 2); /* below 1 us: 0 and 999 ns */
	assert_int_equal(le64_load(page + 2056), n);
}

static void log__errors_are_a_ring_with_the_newest_first(void **state)
{
	unsigned i;
	size_t len;

	(void)state;
	for (i = 0; i < 100; i++)
		nvme_stats_error(&stats, (struct nvme_error){
						 .sqid = 1,
						 .cid = (uint16_t)i,
						 .lba = i,
						 .status_phase = i % 2 ? 0x281 << 1
								       : 0x4080 << 1 & 0xffff });
	assert_int_equal(get(NVME_LOG_ERROR, &len), 0);
	for (i = 0; i < 64; i++) {
		assert_int_equal(le64_load(page + i * 64), 100 - i);
		assert_int_equal(le16_load(page + i * 64 + 10), 99 - i);
		assert_int_equal(le64_load(page + i * 64 + 16), 99 - i);
	}
	assert_int_equal(stats.media_errors, 50);
}

static void log__pages_are_written_whole(void **state)
{
	static const uint8_t lid[] = { 1, 2, 3, 4, 0xd0 };
	uint8_t first[NVME_LOG_BYTES_MAX];
	unsigned i;
	size_t len;

	(void)state;
	for (i = 0; i < 5; i++) {
		memset(page, 0xff, sizeof(page));
		assert_int_equal(get(lid[i], &len), 0);
		memcpy(first, page, sizeof(page));
		memset(page, 0, sizeof(page));
		assert_int_equal(get(lid[i], &len), 0);
		assert_memory_equal(first, page, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(log__sizes, setup),
		cmocka_unit_test_setup(log__part_never_leaves_the_page, setup),
		cmocka_unit_test_setup(log__smart_counts_in_thousands_of_512_bytes, setup),
		cmocka_unit_test_setup(log__ebs_histograms_hold_every_operation, setup),
		cmocka_unit_test_setup(log__errors_are_a_ring_with_the_newest_first, setup),
		cmocka_unit_test_setup(log__pages_are_written_whole, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
