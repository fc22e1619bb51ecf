/* SPDX-License-Identifier: Apache-2.0 */

#include "cards/storage/queue.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"

enum { RAM = 1 << 16, ENTRIES = 8, SQ_AT = 0x1000, CQ_AT = 0x2000 };

static struct gmem *mem;
static uint8_t *ram;
static _Atomic uint32_t page[NVME_DB_PAGE_BYTES / 4];
static struct nvme_db db;
static struct nvme_sq sq;
static struct nvme_cq cq;

static int setup(void **state)
{
	int fd = fd_memfd("queue", RAM);
	unsigned i;
	void *p;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(gmem_new(&mem), 0);
	assert_int_equal(gmem_region_add(mem, (gpa_t){ 0 }, RAM, GMEM_READ | GMEM_WRITE, fd, 0), 0);
	p = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	ram = p;
	close(fd);
	for (i = 0; i < ARRAY_SIZE(page); i++)
		page[i] = 0;
	db = (struct nvme_db){ .page = page };
	sq = (struct nvme_sq){ .base = { SQ_AT }, .qid = 1, .size = ENTRIES, .cqid = 1 };
	cq = (struct nvme_cq){ .base = { CQ_AT }, .qid = 1, .size = ENTRIES, .phase = true };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	nvme_db_shadow_put(&db, mem);
	assert_int_equal(gmem_pins(mem), 0);
	gmem_free(mem);
	return munmap(ram, RAM);
}

static void nvme_sq_tail_look__accepts_tails_inside(void **state)
{
	unsigned head, tail;

	(void)state;
	for (head = 0; head < ENTRIES; head++) {
		for (tail = 0; tail < ENTRIES; tail++) {
			sq.head = (uint16_t)head;
			page[2] = tail;
			assert_int_equal(nvme_sq_tail_look(&sq, &db),
					 (tail + ENTRIES - head) % ENTRIES);
			assert_int_equal(sq.tail, tail);
		}
	}
}

static void nvme_sq_tail_look__rejects_tail_beyond_size(void **state)
{
	static const uint32_t bad[] = { ENTRIES, ENTRIES + 1, 0xffff,    0x10000,
					0x10001, 0x80000000,  0xffffffff };
	unsigned i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		page[2] = bad[i];
		assert_int_equal(nvme_sq_tail_look(&sq, &db), -EPROTO);
		assert_int_equal(sq.tail, 0);
	}
}

static void nvme_sq_fetch__copies_and_wraps(void **state)
{
	struct nvme_sqe sqe;
	unsigned i;

	(void)state;
	for (i = 0; i < ENTRIES; i++)
		((struct nvme_sqe *)(void *)(ram + SQ_AT))[i].cid = (uint16_t)i;
	for (i = 0; i < 20; i++) {
		page[2] = (i + 1) % ENTRIES;
		assert_int_equal(nvme_sq_tail_look(&sq, &db), 1);
		assert_int_equal(nvme_sq_fetch(&sq, mem, &sqe), 0);
		assert_int_equal(sqe.cid, i % ENTRIES);
	}
}

static void nvme_sq_fetch__rejects_a_queue_outside_memory(void **state)
{
	struct nvme_sqe sqe;

	(void)state;
	sq.base.v = RAM;
	page[2] = 1;
	assert_int_equal(nvme_sq_tail_look(&sq, &db), 1);
	assert_int_equal(nvme_sq_fetch(&sq, mem, &sqe), -EPROTO);
	assert_int_equal(sq.head, 0);
}

static void nvme_cq_post__phase_turns_each_round(void **state)
{
	struct nvme_cqe cqe = { .cid = 5, .status_phase = 0x4002 << 1 & 0xffff };
	struct nvme_cqe *ring = (void *)(ram + CQ_AT);
	unsigned i;

	(void)state;
	for (i = 0; i < 3 * ENTRIES; i++) {
		assert_int_equal(nvme_cq_post(&cq, mem, cqe), 0);
		assert_int_equal(ring[i % ENTRIES].status_phase,
				 (0x4002 << 1 & 0xffff) | !(i / ENTRIES % 2));
		assert_int_equal(ring[i % ENTRIES].cid, 5);
		page[3] = cq.tail;
		assert_int_equal(nvme_cq_head_look(&cq, &db), 0);
	}
	assert_true(cq.irq_due);
}

static void nvme_cq_post__rejects_a_queue_outside_memory(void **state)
{
	(void)state;
	cq.base.v = RAM;
	assert_int_equal(nvme_cq_post(&cq, mem, (struct nvme_cqe){ 0 }), -EPROTO);
	assert_int_equal(cq.tail, 0);
	assert_false(cq.irq_due);
}

static void nvme_cq_room__counts_posted_and_promised(void **state)
{
	unsigned i;

	(void)state;
	assert_int_equal(nvme_cq_room(&cq), ENTRIES - 1);
	cq.reserved = 3;
	assert_int_equal(nvme_cq_room(&cq), ENTRIES - 4);
	for (i = 0; i < 4; i++)
		assert_int_equal(nvme_cq_post(&cq, mem, (struct nvme_cqe){ 0 }), 0);
	assert_int_equal(nvme_cq_room(&cq), 0);
	page[3] = 2;
	assert_int_equal(nvme_cq_head_look(&cq, &db), 0);
	assert_int_equal(nvme_cq_room(&cq), 2);
}

static void nvme_cq_head_look__rejects_what_was_not_posted(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < 3; i++)
		assert_int_equal(nvme_cq_post(&cq, mem, (struct nvme_cqe){ 0 }), 0);
	page[3] = 4; /* one too far */
	assert_int_equal(nvme_cq_head_look(&cq, &db), -EPROTO);
	page[3] = 7;
	assert_int_equal(nvme_cq_head_look(&cq, &db), -EPROTO);
	page[3] = ENTRIES;
	assert_int_equal(nvme_cq_head_look(&cq, &db), -EPROTO);
	page[3] = 2;
	assert_int_equal(nvme_cq_head_look(&cq, &db), 0); /* twin */
	page[3] = 1;                                      /* backwards */
	assert_int_equal(nvme_cq_head_look(&cq, &db), -EPROTO);
	page[3] = 3;
	assert_int_equal(nvme_cq_head_look(&cq, &db), 0);
}

/* The driver's rule, as in Linux. */
static bool rings(uint16_t event, uint16_t v, uint16_t old)
{
	return (uint16_t)(v - event - 1) < (uint16_t)(v - old);
}

static void shadow_on(void)
{
	db.shadow_on = true;
	db.shadow_at = (gpa_t){ 0x4000 };
	db.event_at = (gpa_t){ 0x5000 };
	assert_int_equal(nvme_db_shadow_map(&db, mem), 0);
}

static void shadow__armed_rings_for_any_addition_and_hushed_for_none(void **state)
{
	uint32_t *shadow = (uint32_t *)(void *)(ram + 0x4000),
		 *event = (uint32_t *)(void *)(ram + 0x5000);
	unsigned tail, add;

	(void)state;
	shadow_on();
	for (tail = 0; tail < ENTRIES; tail++) {
		shadow[2] = tail;
		page[2] = 99; /* not looked at any more */
		sq.head = (uint16_t)tail;
		assert_int_equal(nvme_sq_tail_look(&sq, &db), 0);
		for (add = 1; add < ENTRIES; add++) {
			uint16_t now = (uint16_t)((tail + add) % ENTRIES);

			nvme_sq_tail_arm(&sq, &db);
			assert_true(rings((uint16_t)event[2], now, (uint16_t)tail));
			nvme_sq_tail_hush(&sq, &db);
			if (now != (tail + ENTRIES - 1) % ENTRIES)
				assert_false(rings((uint16_t)event[2], now, (uint16_t)tail));
		}
	}
}

static void shadow__completion_head_is_armed_alike(void **state)
{
	uint32_t *shadow = (uint32_t *)(void *)(ram + 0x4000),
		 *event = (uint32_t *)(void *)(ram + 0x5000);

	(void)state;
	shadow_on();
	assert_int_equal(nvme_cq_post(&cq, mem, (struct nvme_cqe){ 0 }), 0);
	nvme_cq_head_arm(&cq, &db);
	assert_true(rings((uint16_t)event[3], 1, 0));
	shadow[3] = 1;
	assert_int_equal(nvme_cq_head_look(&cq, &db), 0);
	assert_int_equal(cq.head, 1);
}

static void shadow__never_for_the_admin_queue(void **state)
{
	uint32_t *shadow = (uint32_t *)(void *)(ram + 0x4000),
		 *event = (uint32_t *)(void *)(ram + 0x5000);

	(void)state;
	shadow_on();
	sq.qid = 0;
	shadow[0] = 5;
	page[0] = 1;
	event[0] = 0x77;
	assert_int_equal(nvme_sq_tail_look(&sq, &db), 1);
	nvme_sq_tail_arm(&sq, &db);
	nvme_sq_tail_hush(&sq, &db);
	assert_int_equal(event[0], 0x77);
}

static void shadow__rejects_pages_that_are_no_memory(void **state)
{
	(void)state;
	db.shadow_at = (gpa_t){ RAM };
	db.event_at = (gpa_t){ 0x5000 };
	assert_int_equal(nvme_db_shadow_map(&db, mem), -EPROTO);
	db.shadow_at = (gpa_t){ 0x5000 };
	db.event_at = (gpa_t){ RAM };
	assert_int_equal(nvme_db_shadow_map(&db, mem), -EPROTO);
	db.event_at = (gpa_t){ RAM - 2048 };
	assert_int_equal(nvme_db_shadow_map(&db, mem), -EPROTO);
	assert_int_equal(gmem_pins(mem), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(nvme_sq_tail_look__accepts_tails_inside),
		T(nvme_sq_tail_look__rejects_tail_beyond_size),
		T(nvme_sq_fetch__copies_and_wraps),
		T(nvme_sq_fetch__rejects_a_queue_outside_memory),
		T(nvme_cq_post__phase_turns_each_round),
		T(nvme_cq_post__rejects_a_queue_outside_memory),
		T(nvme_cq_room__counts_posted_and_promised),
		T(nvme_cq_head_look__rejects_what_was_not_posted),
		T(shadow__armed_rings_for_any_addition_and_hushed_for_none),
		T(shadow__completion_head_is_armed_alike),
		T(shadow__never_for_the_admin_queue),
		T(shadow__rejects_pages_that_are_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
