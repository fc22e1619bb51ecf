/* SPDX-License-Identifier: Apache-2.0 */

#include "cards/storage/prp.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "proto/gmem_test.h"

/* Two regions that touch, then a hole. */
enum { RAM = 1 << 20, SEAM = RAM / 2 };

static struct gmem *mem;
static uint8_t *ram;

static int setup(void **state)
{
	int fd = fd_memfd("prp", RAM);
	void *p;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(gmem_new(&mem), 0);
	assert_int_equal(gmem_region_add(mem, (gpa_t){ 0 }, SEAM, GMEM_READ | GMEM_WRITE, fd, 0),
			 0);
	assert_int_equal(
		gmem_region_add(mem, (gpa_t){ SEAM }, RAM - SEAM, GMEM_READ | GMEM_WRITE, fd, SEAM),
		0);
	p = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	ram = p;
	close(fd);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(gmem_pins(mem), 0);
	gmem_free(mem);
	return munmap(ram, RAM);
}

static uint64_t *list(uint64_t at)
{
	return (uint64_t *)(void *)(ram + at);
}

static struct prp_pages pages;

static void walk__one_and_two_pages(void **state)
{
	(void)state;
	assert_int_equal(prp_walk(mem, 0x1000, 0, 4096, &pages), 0);
	assert_int_equal(pages.cnt, 1);
	assert_int_equal(prp_walk(mem, 0x1800, 0x5000, 4096, &pages), 0);
	assert_int_equal(pages.cnt, 2);
	assert_int_equal(pages.page[0].len, 2048);
	assert_int_equal(pages.page[1].at.v, 0x5000);
	assert_int_equal(pages.page[1].len, 2048);
	/* short transfers need no second entry, so nothing of it is looked at */
	assert_int_equal(prp_walk(mem, 0x1800, UINT64_MAX, 2048, &pages), 0);
	assert_int_equal(pages.cnt, 1);
	/* twins */
	assert_int_equal(prp_walk(mem, 0x1800, 0x5004, 4096, &pages), -EINVAL);
	assert_int_equal(prp_walk(mem, 0x1802, 0x5000, 4096, &pages), -EINVAL);
}

static void walk__largest_transfer_from_mid_page(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < 64; i++)
		list(0x2000)[i] = 0x10000 + i * 4096;
	assert_int_equal(prp_walk(mem, 0x1ffc, 0x2000, PRP_DATA_MAX, &pages), 0);
	assert_int_equal(pages.cnt, PRP_PAGES_MAX);
	assert_int_equal(pages.page[0].len, 4);
	assert_int_equal(pages.page[64].len, 4092);
}

static void walk__list_is_read_once_and_no_further_than_needed(void **state)
{
	(void)state;
	list(0x2000)[0] = 0x10000;
	list(0x2000)[1] = 0x11000;
	list(0x2000)[2] = 0xdead; /* not part of it */
	gmem_count_begin();
	assert_int_equal(prp_walk(mem, 0x1000, 0x2000, 3 * 4096, &pages), 0);
	assert_int_equal(gmem_count_doubles(), 0);
	assert_int_equal(pages.cnt, 3);
	assert_int_equal(prp_walk(mem, 0x1000, 0x2000, 4 * 4096, &pages), -EINVAL);
}

static void walk__last_entry_of_a_full_page_chains(void **state)
{
	(void)state;
	list(0x2000)[510] = 0x10000;
	list(0x2000)[511] = 0x3000;
	list(0x3000)[0] = 0x11000;
	list(0x3000)[1] = 0x12000;
	assert_int_equal(prp_walk(mem, 0x1000, 0x2000 + 510 * 8, 4 * 4096, &pages), 0);
	assert_int_equal(pages.cnt, 4);
	assert_int_equal(pages.page[1].at.v, 0x10000);
	assert_int_equal(pages.page[3].at.v, 0x12000);
	/* exactly full: the last entry is data */
	list(0x2000)[511] = 0x20000;
	assert_int_equal(prp_walk(mem, 0x1000, 0x2000 + 510 * 8, 3 * 4096, &pages), 0);
	assert_int_equal(pages.page[2].at.v, 0x20000);
	/* the chain must be page-aligned */
	list(0x2000)[511] = 0x3008;
	assert_int_equal(prp_walk(mem, 0x1000, 0x2000 + 510 * 8, 4 * 4096, &pages), -EINVAL);
}

static void walk__a_list_that_is_no_memory(void **state)
{
	(void)state;
	assert_int_equal(prp_walk(mem, 0x1000, RAM, 3 * 4096, &pages), -EPROTO);
	assert_int_equal(prp_walk(mem, 0x1000, UINT64_MAX - 7, 3 * 4096, &pages), -EPROTO);
	assert_int_equal(prp_walk(mem, 0x1000, 0x2004, 3 * 4096, &pages), -EINVAL);
	list(RAM - 8)[0] = RAM;
	assert_int_equal(prp_walk(mem, 0x1000, RAM - 8, 3 * 4096, &pages), -EPROTO);
}

static struct prp_spans spans;

static void map__joins_pages_that_are_neighbours_here(void **state)
{
	(void)state;
	list(0x2000)[0] = 0x11000;
	list(0x2000)[1] = 0x12000;
	list(0x2000)[2] = 0x20000;
	assert_int_equal(prp_map(mem, 0x10000, 0x2000, 4 * 4096, GMEM_READ, &spans), 0);
	assert_int_equal(spans.cnt, 2);
	assert_int_equal(spans.iov[0].iov_len, 3 * 4096);
	assert_int_equal(spans.iov[1].iov_len, 4096);
	assert_int_equal(gmem_pins(mem), 2);
	prp_put(mem, &spans);
	assert_int_equal(gmem_pins(mem), 0);
}

/* Two regions of one memory descriptor: each keeps its own pin, whether or not they touch. */
static void map__never_joins_across_regions(void **state)
{
	(void)state;
	assert_int_equal(prp_map(mem, SEAM - 4096, SEAM, 2 * 4096, GMEM_WRITE, &spans), 0);
	assert_int_equal(spans.cnt, 2);
	assert_int_not_equal(spans.span[0].region_idx, spans.span[1].region_idx);
	prp_put(mem, &spans);
}

static void map__gives_everything_back_on_failure(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < 63; i++)
		list(0x2000)[i] = 0x10000 + 2 * i * 4096;
	list(0x2000)[62] = RAM;
	assert_int_equal(prp_map(mem, 0x1000, 0x2000, PRP_DATA_MAX, GMEM_WRITE, &spans), -EPROTO);
	assert_int_equal(spans.cnt, 0);
	assert_int_equal(gmem_pins(mem), 0);
}

static void copy__touches_only_what_it_copies(void **state)
{
	static const char text[] = "0123456789";
	char back[11];

	(void)state;
	memset(ram, 0xee, RAM);
	/* 4100 bytes are laid out, 4096 are sent; the second entry is nonsense that nobody follows */
	assert_int_equal(prp_copy_out(mem, 0x4000, 0, 4100, ram + 0x8000, 4096), 0);
	assert_int_equal(ram[0], 0xee);
	assert_int_equal(prp_copy_out(mem, 0x4ffc, 0x6000, 11, text, 11), 0);
	assert_memory_equal(ram + 0x4ffc, "0123", 4);
	assert_memory_equal(ram + 0x6000, "456789", 7);
	assert_int_equal(ram[0x6007], 0xee);
	assert_int_equal(prp_copy_in(mem, 0x4ffc, 0x6000, 11, back, 11), 0);
	assert_string_equal(back, text);
	assert_int_equal(prp_copy_in(mem, 0x4ffc, RAM, 11, back, 11), -EPROTO);
	assert_int_equal(prp_copy_out(mem, RAM, 0, 11, text, 11), -EPROTO);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(walk__one_and_two_pages),
		T(walk__largest_transfer_from_mid_page),
		T(walk__list_is_read_once_and_no_further_than_needed),
		T(walk__last_entry_of_a_full_page_chains),
		T(walk__a_list_that_is_no_memory),
		T(map__joins_pages_that_are_neighbours_here),
		T(map__never_joins_across_regions),
		T(map__gives_everything_back_on_failure),
		T(copy__touches_only_what_it_copies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
