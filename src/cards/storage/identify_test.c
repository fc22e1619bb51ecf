/* SPDX-License-Identifier: Apache-2.0 */

/* Field by field against the facts about EBS: tests/native/storage_card_test.c. Here: the edges. */

#include "cards/storage/identify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"

static uint8_t page[NVME_DATA_BYTES];

static struct nvme_identity identity(const char *id, const char *name)
{
	struct nvme_identity v = { .lba_cnt = 2048 };

	memcpy(v.volume_id, id, strlen(id));
	memcpy(v.device_name, name, strlen(name));
	return v;
}

static void identify__serial_has_no_dash_and_is_padded(void **state)
{
	struct nvme_identity v = identity("vol-0123456789abcdef0", "xvda");

	(void)state;
	assert_int_equal(nvme_identify(&v, 0, NVME_CNS_CTRL, 0, page), 0);
	assert_memory_equal(page + 4, "vol0123456789abcdef0", 20);
	/* a short id is padded, a long one is cut */
	v = identity("vol-1", "xvda");
	assert_int_equal(nvme_identify(&v, 0, NVME_CNS_CTRL, 0, page), 0);
	assert_memory_equal(page + 4, "vol1                ", 20);
	v = identity("vol-0123456789abcdef012", "xvda");
	assert_int_equal(nvme_identify(&v, 0, NVME_CNS_CTRL, 0, page), 0);
	assert_memory_equal(page + 4, "vol0123456789abcdef0", 20);
	assert_memory_equal(page + 24, "Amazon", 6);
}

static void identify__device_name_never_leaves_its_32_bytes(void **state)
{
	struct nvme_identity v =
		identity("vol-1", "/dev/a-name-much-longer-than-thirty-two-bytes-has");

	(void)state;
	assert_int_equal(nvme_identify(&v, 0, NVME_CNS_CTRL, 0, page), 0);
	assert_memory_equal(page + 3072, "/dev/a-name-much-longer-than-thi", 32);
	assert_int_equal(page[3104], 0);
	assert_int_equal(nvme_identify(&v, 1, NVME_CNS_NS, 0, page), 0);
	assert_memory_equal(page + 384, "/dev/a-name-much-longer-than-thi", 32);
	assert_memory_equal(page + 416, "vol-1   ", 8);
}

static void identify__two_volumes_have_two_nqns(void **state)
{
	struct nvme_identity a = identity("vol-0123456789abcdef0", "x"),
			     b = identity("vol-0123456789abcdef1", "x");
	uint8_t nqn[256];

	(void)state;
	assert_int_equal(nvme_identify(&a, 0, NVME_CNS_CTRL, 0, page), 0);
	memcpy(nqn, page + 768, sizeof(nqn));
	assert_int_equal(nqn[255], 0);
	assert_int_equal(nvme_identify(&b, 0, NVME_CNS_CTRL, 0, page), 0);
	assert_memory_not_equal(nqn, page + 768, sizeof(nqn));
}

static void identify__every_byte_is_written(void **state)
{
	struct nvme_identity v = identity("vol-1", "xvda");
	static const uint8_t cns[] = { 0, 1, 2, 3, 6 };
	uint8_t again[NVME_DATA_BYTES];
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(cns); i++) {
		memset(page, 0xff, sizeof(page));
		memset(again, 0, sizeof(again));
		assert_int_equal(nvme_identify(&v, 1, cns[i], 0, page), 0);
		assert_int_equal(nvme_identify(&v, 1, cns[i], 0, again), 0);
		assert_memory_equal(page, again, sizeof(page));
	}
}

static void identify__refuses_what_it_does_not_know(void **state)
{
	struct nvme_identity v = identity("vol-1", "xvda");
	unsigned cns;

	(void)state;
	for (cns = 0; cns < 256; cns++) {
		if (cns <= 3 || cns == NVME_CNS_CSI_CTRL)
			continue;
		assert_int_equal(nvme_identify(&v, 1, (uint8_t)cns, 0, page), 0x4002);
	}
	assert_int_equal(nvme_identify(&v, 1, NVME_CNS_CSI_CTRL, 1, page), 0x4002);
	assert_int_equal(nvme_identify(&v, 0, NVME_CNS_NS, 0, page), 0x400b);
	assert_int_equal(nvme_identify(&v, NVME_NSID_ALL, NVME_CNS_NS, 0, page), 0x400b);
	assert_int_equal(nvme_identify(&v, NVME_NSID_ALL, NVME_CNS_NS_LIST, 0, page), 0x400b);
}

static void identify__read_only_is_shown(void **state)
{
	struct nvme_identity v = identity("vol-1", "xvda");

	(void)state;
	v.read_only = true;
	assert_int_equal(nvme_identify(&v, 1, NVME_CNS_NS, 0, page), 0);
	assert_int_equal(page[99], 1);
	v.read_only = false;
	assert_int_equal(nvme_identify(&v, 1, NVME_CNS_NS, 0, page), 0);
	assert_int_equal(page[99], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identify__serial_has_no_dash_and_is_padded),
		cmocka_unit_test(identify__device_name_never_leaves_its_32_bytes),
		cmocka_unit_test(identify__two_volumes_have_two_nqns),
		cmocka_unit_test(identify__every_byte_is_written),
		cmocka_unit_test(identify__refuses_what_it_does_not_know),
		cmocka_unit_test(identify__read_only_is_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
