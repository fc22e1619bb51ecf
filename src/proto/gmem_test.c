/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/gmem.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/num.h"
#include "proto/gmem_test.h"

/* Linked with gmem_copy_count.c. */

#define AT(a)                                                                                      \
	(gpa_t)                                                                                    \
	{                                                                                          \
		(a)                                                                                \
	}

enum { PAGE = GMEM_PAGE_BYTES, RW = GMEM_READ | GMEM_WRITE };

struct fix {
	struct gmem *m;
	int fd; /* 16 pages */
};

static int setup(void **state)
{
	static struct fix f;

	assert_int_equal(gmem_new(&f.m), 0);
	f.fd = fd_memfd("gmem-test", 16 * PAGE);
	assert_true(f.fd >= 0);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fix *f = *state;

	gmem_freep(&f->m);
	fd_closep(&f->fd);
	return 0;
}

static void gmem__copies_in_and_out(void **state)
{
	struct fix *f = *state;
	uint8_t b[100], c[100];
	uint32_t v;

	memset(b, 0x5a, sizeof(b));
	assert_int_equal(gmem_region_add(f->m, AT(MIB), 2 * PAGE, RW, f->fd, PAGE), 0);
	assert_int_equal(gmem_write(f->m, AT(MIB + 50), b, sizeof(b)), 0);
	assert_int_equal(gmem_read(f->m, AT(MIB + 50), c, sizeof(c)), 0);
	assert_memory_equal(b, c, sizeof(b));
	assert_int_equal(fd_pread_full(f->fd, c, sizeof(c), PAGE + 50), 0);
	assert_memory_equal(b, c, sizeof(b));
	assert_int_equal(gmem_store32(f->m, AT(MIB + 4), 77), 0);
	assert_int_equal(gmem_load32(f->m, AT(MIB + 4), &v), 0);
	assert_int_equal(v, 77);
	assert_int_equal(gmem_load32(f->m, AT(MIB + 5), &v), -EPROTO);
	assert_int_equal(gmem_zero(f->m, AT(MIB), 64), 0);
	assert_int_equal(gmem_load32(f->m, AT(MIB + 4), &v), 0);
	assert_int_equal(v, 0);
}

static void gmem__crosses_regions_that_touch(void **state)
{
	struct fix *f = *state;
	static uint8_t b[PAGE], c[PAGE];
	struct gmem_span s;

	memset(b, 7, sizeof(b));
	assert_int_equal(gmem_region_add(f->m, AT(PAGE), PAGE, RW, f->fd, 8 * PAGE), 0);
	assert_int_equal(gmem_region_add(f->m, AT(0), PAGE, RW, f->fd, 0), 0);
	assert_int_equal(gmem_write(f->m, AT(100), b, sizeof(b)), 0);
	assert_int_equal(gmem_read(f->m, AT(100), c, sizeof(c)), 0);
	assert_memory_equal(b, c, sizeof(b));
	assert_int_equal(fd_pread_full(f->fd, c, 100, 8 * PAGE), 0);
	assert_memory_equal(b, c, 100);
	/* Row 3: what is contiguous for the guest need not be here */
	assert_int_equal(gmem_map(f->m, AT(100), PAGE, GMEM_READ, &s), 0);
	assert_int_equal(s.len, PAGE - 100);
	gmem_put(f->m, &s);
	gmem_put(f->m, &s); /* empty by now */
	assert_int_equal(gmem_pins(f->m), 0);
}

/* Row 3: DPDK CVE-2018-1059. A span ends where its memory ends, and the copy stays inside. */
static void s26_row03__spans_end_with_their_region(void **state)
{
	struct fix *f = *state;
	struct gmem_span s;
	static uint8_t b[2 * PAGE];

	assert_int_equal(gmem_region_add(f->m, AT(0), PAGE, RW, f->fd, 0), 0);
	assert_int_equal(gmem_region_add(f->m, AT(2 * PAGE), PAGE, RW, f->fd, 2 * PAGE), 0);
	assert_int_equal(gmem_map(f->m, AT(8), 2 * PAGE, RW, &s), 0);
	assert_int_equal(s.len, PAGE - 8);
	gmem_put(f->m, &s);
	assert_int_equal(gmem_map(f->m, AT(PAGE), PAGE, RW, &s), -EPROTO);
	memset(b, 0xcc, sizeof(b));
	assert_int_equal(gmem_read(f->m, AT(8), b, sizeof(b)), -EPROTO);
	assert_int_equal(b[0], 0); /* row 24: nothing half-read comes back */
}

/* Row 2 and 7: bounds of every kind; sums that would wrap. */
static void s26_row02__addresses_outside_memory_are_refused(void **state)
{
	struct fix *f = *state;
	static const uint64_t bad[] = {
		0,          MIB - 1,        MIB + PAGE,        MIB + PAGE - 3,
		UINT64_MAX, UINT64_MAX - 3, (uint64_t)1 << 48, (uint64_t)1 << 63
	};
	struct gmem_span s;
	uint8_t b[8];
	unsigned i;

	assert_int_equal(gmem_region_add(f->m, AT(MIB), PAGE, RW, f->fd, 0), 0);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(gmem_read(f->m, AT(bad[i]), b, sizeof(b)), -EPROTO);
		assert_int_equal(gmem_write(f->m, AT(bad[i]), b, sizeof(b)), -EPROTO);
	}
	assert_int_equal(gmem_map(f->m, AT(MIB), 0, RW, &s), -EPROTO);
	assert_int_equal(gmem_map(f->m, AT(UINT64_MAX), SIZE_MAX, RW, &s), -EPROTO);
	assert_int_equal(gmem_map(f->m, AT(MIB), SIZE_MAX, RW, &s), 0);
	assert_int_equal(s.len, PAGE);
	gmem_put(f->m, &s);
}

static void s26_row07__map_numbers_cannot_wrap(void **state)
{
	struct fix *f = *state;
	uint64_t top = (uint64_t)1 << GMEM_ADDR_BITS;

	assert_int_equal(gmem_region_add(f->m, AT(top - PAGE), PAGE, RW, f->fd, 0), 0);
	assert_int_equal(gmem_region_add(f->m, AT(top - 2 * PAGE), 4 * PAGE, RW, f->fd, 0),
			 -EINVAL);
	assert_int_equal(gmem_region_add(f->m, AT(top), PAGE, RW, f->fd, 0), -EINVAL);
	assert_int_equal(gmem_region_add(f->m, AT(UINT64_MAX - PAGE + 1), PAGE, RW, f->fd, 0),
			 -EINVAL);
	assert_int_equal(gmem_region_add(f->m, AT(PAGE), UINT64_MAX - PAGE + 1, RW, f->fd, 0),
			 -EINVAL);
	assert_int_equal(gmem_region_add(f->m, AT(0), PAGE, RW, f->fd, UINT64_MAX - PAGE + 1),
			 -EINVAL);
	assert_int_equal(gmem_region_add(f->m, AT(0), PAGE, RW, f->fd, INT64_MAX - PAGE + 1),
			 -EINVAL);
	assert_int_equal(gmem_region_add(f->m, AT(0), 0, RW, f->fd, 0), -EINVAL);
	assert_int_equal(gmem_region_add(f->m, AT(1), PAGE, RW, f->fd, 0), -EINVAL);
	assert_int_equal(gmem_region_add(f->m, AT(0), PAGE + 1, RW, f->fd, 0), -EINVAL);
	assert_int_equal(gmem_region_add(f->m, AT(0), PAGE, RW, f->fd, 512), -EINVAL);
	assert_int_equal(gmem_region_add(f->m, AT(0), PAGE, 0, f->fd, 0), -EINVAL);
	assert_int_equal(gmem_region_cnt(f->m), 1);
}

static void gmem__refuses_overlap_and_overflow_of_the_table(void **state)
{
	struct fix *f = *state;
	unsigned i;

	assert_int_equal(gmem_region_add(f->m, AT(2 * PAGE), 2 * PAGE, RW, f->fd, 0), 0);
	assert_int_equal(gmem_region_add(f->m, AT(2 * PAGE), 2 * PAGE, RW, f->fd, 0), -EEXIST);
	assert_int_equal(gmem_region_add(f->m, AT(PAGE), 2 * PAGE, RW, f->fd, 0), -EEXIST);
	assert_int_equal(gmem_region_add(f->m, AT(3 * PAGE), 2 * PAGE, RW, f->fd, 0), -EEXIST);
	assert_int_equal(gmem_region_add(f->m, AT(0), 8 * PAGE, RW, f->fd, 0), -EEXIST);
	assert_int_equal(gmem_region_add(f->m, AT(4 * PAGE), PAGE, RW, f->fd, 0), 0);
	for (i = 2; i < GMEM_REGIONS_MAX; i++)
		assert_int_equal(gmem_region_add(f->m, AT((uint64_t)i * MIB), PAGE, RW, f->fd, 0),
				 0);
	assert_int_equal(gmem_region_add(f->m, AT(GIB), PAGE, RW, f->fd, 0), -ENOSPC);
	assert_int_equal(gmem_region_del(f->m, AT(2 * MIB), PAGE), 0);
	assert_int_equal(gmem_region_add(f->m, AT(GIB), PAGE, RW, f->fd, 0), 0);
}

static void gmem__honours_protection(void **state)
{
	struct fix *f = *state;
	struct gmem_span s;
	uint8_t b = 0;

	assert_int_equal(gmem_region_add(f->m, AT(0), PAGE, GMEM_READ, f->fd, 0), 0);
	assert_int_equal(gmem_read(f->m, AT(0), &b, 1), 0);
	assert_int_equal(gmem_write(f->m, AT(0), &b, 1), -EPROTO);
	assert_int_equal(gmem_map(f->m, AT(0), 1, RW, &s), -EPROTO);
}

/* Row 4: an address that is not RAM (a BAR, a range known by name only) leads nowhere. */
static void s26_row04__only_memory_descriptors_are_memory(void **state)
{
	struct fix *f = *state;
	uint8_t b[4];

	assert_int_equal(gmem_region_add(f->m, AT(0xc0000000), PAGE, RW, -1, 0), 0);
	assert_int_equal(gmem_read(f->m, AT(0xc0000000), b, sizeof(b)), -EPROTO);
	assert_int_equal(gmem_write(f->m, AT(0xc0000000), b, sizeof(b)), -EPROTO);
	assert_int_equal(gmem_region_del(f->m, AT(0xc0000000), PAGE), 0);
}

/* Row 18: memory that could shrink under us would be a SIGBUS. */
static void s26_row18__unsealed_or_short_memory_is_refused(void **state)
{
	struct fix *f = *state;
	int fd, pipes[2];

	fd = memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, PAGE), 0);
	assert_int_equal(gmem_region_add(f->m, AT(0), PAGE, RW, fd, 0), -EPROTO);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	assert_int_equal(gmem_region_add(f->m, AT(0), 2 * PAGE, RW, fd, 0), -EPROTO);
	assert_int_equal(gmem_region_add(f->m, AT(0), PAGE, RW, fd, PAGE), -EPROTO);
	assert_int_equal(gmem_region_add(f->m, AT(0), PAGE, RW, fd, 0), 0);
	close(fd);
	assert_int_equal(pipe(pipes), 0);
	assert_true(gmem_region_add(f->m, AT(MIB), PAGE, RW, pipes[0], 0) < 0);
	close(pipes[0]);
	close(pipes[1]);
}

/* Row 22: an unmap waits for spans, and nobody gets a new one meanwhile. */
static void s26_row22__unmap_waits_for_spans(void **state)
{
	struct fix *f = *state;
	struct gmem_span s;
	uint8_t b;

	assert_int_equal(gmem_region_add(f->m, AT(0), PAGE, RW, f->fd, 0), 0);
	assert_int_equal(gmem_region_del(f->m, AT(0), 2 * PAGE), -ENOENT);
	assert_int_equal(gmem_map(f->m, AT(0), 10, RW, &s), 0);
	assert_int_equal(gmem_region_del(f->m, AT(0), PAGE), -EBUSY);
	assert_int_equal(gmem_read(f->m, AT(0), &b, 1), -EPROTO);
	memset(s.p, 1, s.len); /* still there */
	gmem_put(f->m, &s);
	assert_int_equal(gmem_region_del(f->m, AT(0), PAGE), 0);
	assert_int_equal(gmem_region_del(f->m, AT(0), PAGE), -ENOENT);
	assert_int_equal(gmem_region_add(f->m, AT(0), PAGE, RW, f->fd, 0), 0);
	assert_int_equal(gmem_read(f->m, AT(0), &b, 1), 0);
	assert_int_equal(b, 1);
}

struct racer {
	struct gmem *m;
	_Atomic bool stop;
	_Atomic unsigned hits;
};

static void *race(void *arg)
{
	struct racer *rc = arg;

	while (!atomic_load(&rc->stop)) {
		struct gmem_span s;

		if (gmem_map(rc->m, AT(64), 64, GMEM_READ, &s) < 0)
			continue;
		assert_int_equal(((volatile uint8_t *)s.p)[0], 9);
		atomic_fetch_add(&rc->hits, 1);
		gmem_put(rc->m, &s);
	}
	return NULL;
}

/* Row 22 with threads: for ThreadSanitizer and for a fault when memory goes too early. */
static void s26_row22__unmap_races_with_users(void **state)
{
	struct fix *f = *state;
	struct racer rc = { .m = f->m };
	pthread_t t[2];
	unsigned i, rounds;
	uint8_t nine = 9;

	assert_int_equal(fd_pwrite_full(f->fd, &nine, 1, 64), 0);
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&t[i], NULL, race, &rc), 0);
	for (rounds = 0; rounds < 2000 || (atomic_load(&rc.hits) < 100 && rounds < 20000);
	     rounds++) {
		assert_int_equal(gmem_region_add(f->m, AT(0), PAGE, RW, f->fd, 0), 0);
		while (gmem_region_del(f->m, AT(0), PAGE) == -EBUSY)
			;
	}
	atomic_store(&rc.stop, true);
	for (i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(gmem_pins(f->m), 0);
}

/* Row 5: the counter that proves "copy once" does see a second fetch. */
static void s26_row05__second_fetch_is_seen(void **state)
{
	struct fix *f = *state;
	uint8_t b[64];
	uint32_t v;

	assert_int_equal(gmem_region_add(f->m, AT(0), PAGE, RW, f->fd, 0), 0);
	gmem_count_begin();
	assert_int_equal(gmem_read(f->m, AT(0), b, 64), 0);
	assert_int_equal(gmem_read(f->m, AT(64), b, 64), 0);
	assert_int_equal(gmem_count_doubles(), 0);
	assert_int_equal(gmem_load32(f->m, AT(60), &v), 0);
	assert_int_equal(gmem_count_doubles(), 4);
	gmem_count_begin();
	assert_int_equal(gmem_load32(f->m, AT(60), &v), 0);
	assert_int_equal(gmem_count_doubles(), 0);
}

static void span_words__are_atomic_accesses(void **state)
{
	struct fix *f = *state;
	struct gmem_span s;

	assert_int_equal(gmem_region_add(f->m, AT(0), PAGE, RW, f->fd, 0), 0);
	assert_int_equal(gmem_map(f->m, AT(0), PAGE, RW, &s), 0);
	gmem_span_store32(&s, 8, 0x12345678);
	assert_int_equal(gmem_span_load32(&s, 8), 0x12345678);
	gmem_put(f->m, &s);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(gmem__copies_in_and_out),
		T(gmem__crosses_regions_that_touch),
		T(s26_row03__spans_end_with_their_region),
		T(s26_row02__addresses_outside_memory_are_refused),
		T(s26_row07__map_numbers_cannot_wrap),
		T(gmem__refuses_overlap_and_overflow_of_the_table),
		T(gmem__honours_protection),
		T(s26_row04__only_memory_descriptors_are_memory),
		T(s26_row18__unsealed_or_short_memory_is_refused),
		T(s26_row22__unmap_waits_for_spans),
		T(s26_row22__unmap_races_with_users),
		T(s26_row05__second_fetch_is_seen),
		T(span_words__are_atomic_accesses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
