/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/num.h"
#include "hypervisor/boot.h"
#include "hypervisor/map.h"

static uint8_t head[BOOT_HEAD_BYTES];
static struct boot_plan plan;

enum { BZ_FILE = 1 << 20, BZ_SETUP = (4 + 1) * 512, ELF_FILE = 3 << 20 };
static const uint64_t low = 256 * MIB;

/* A bzImage's header as Linux 6.12 makes them. */
static void bz_make(void)
{
	memset(head, 0, sizeof(head));
	head[0x1f1] = 4;
	le32_store(head + 0x1f4, (BZ_FILE - BZ_SETUP) / 16);
	le16_store(head + 0x1fe, 0xaa55);
	head[0x200] = 0xeb;
	head[0x201] = 0x6a;
	memcpy(head + 0x202, "HdrS", 4);
	le16_store(head + 0x206, 0x020f);
	head[0x211] = 1;
	le32_store(head + 0x22c, 0x7fffffff);
	le16_store(head + 0x236, 0x7f);
	le32_store(head + 0x238, 2047);
	le64_store(head + 0x258, 0x1000000);
	le32_store(head + 0x260, 0x3000000);
}

static void phdr(unsigned i, uint32_t type, uint64_t off, uint64_t paddr, uint64_t file_bytes,
		 uint64_t mem_bytes)
{
	uint8_t *p = head + 64 + i * 56;

	le32_store(p, type);
	le64_store(p + 8, off);
	le64_store(p + 24, paddr);
	le64_store(p + 32, file_bytes);
	le64_store(p + 40, mem_bytes);
	le16_store(head + 56, (uint16_t)(i + 1));
}

static void elf_make(void)
{
	memset(head, 0, sizeof(head));
	memcpy(head, "\177ELF\2\1\1", 7);
	le16_store(head + 16, 2);
	le16_store(head + 18, 62);
	le64_store(head + 24, 0x1000040);
	le64_store(head + 32, 64);
	le16_store(head + 54, 56);
	phdr(0, 1, 0x100000, 0x1000000, 0x80000, 0x100000);
	phdr(1, 4, 0x1000, 0x9000, 16, 16); /* a note */
	phdr(2, 1, 0x200000, 0x2000000, 0x1000, 0x80000);
}

static enum boot_fault parse(uint64_t file_len)
{
	return boot_parse(head, (size_t)min_u64(file_len, sizeof(head)), file_len, low, &plan);
}

static void bzimage__is_placed_where_it_prefers(void **state)
{
	(void)state;
	bz_make();
	assert_int_equal(parse(BZ_FILE), BOOT_OK);
	assert_int_equal(plan.seg_cnt, 1);
	assert_int_equal(plan.seg[0].off, BZ_SETUP);
	assert_int_equal(plan.seg[0].len, BZ_FILE - BZ_SETUP);
	assert_int_equal(plan.entry, 0x1000200);
	assert_int_equal(plan.end, 0x4000000);
	assert_int_equal(plan.hdr_len, 0x26c - 0x1f1);
}

static void bzimage__setup_sectors_zero_means_four(void **state)
{
	(void)state;
	bz_make();
	head[0x1f1] = 0;
	assert_int_equal(parse(BZ_FILE), BOOT_OK);
	assert_int_equal(plan.seg[0].off, BZ_SETUP);
}

static void bzimage__cut_short_is_rejected(void **state)
{
	(void)state;
	bz_make();
	assert_int_equal(parse(BZ_FILE - 16), BOOT_SHORT);
	assert_int_equal(parse(BZ_SETUP), BOOT_SHORT);
	assert_int_equal(parse(0x250), BOOT_SHORT);
	assert_int_equal(parse(0x10), BOOT_SHORT);
	assert_int_equal(parse(0), BOOT_SHORT);
}

static void bzimage__bad_header_fields_are_rejected(void **state)
{
	static const struct {
		unsigned off;
		uint8_t v;
		enum boot_fault want;
	} bad[] = {
		{ 0x1fe, 0, BOOT_NOT_A_KERNEL },    { 0x202, 'h', BOOT_NOT_A_KERNEL },
		{ 0x206, 0x0b, BOOT_OLD_PROTOCOL }, { 0x236, 0x7e, BOOT_NO_64BIT_ENTRY },
		{ 0x211, 0, BOOT_BAD_HEADER },      { 0x201, 0x10, BOOT_BAD_HEADER },
		{ 0x201, 0xff, BOOT_BAD_HEADER },   { 0x258, 1, BOOT_BAD_HEADER },
		{ 0x25b, 0xff, BOOT_NO_ROOM },      { 0x25f, 0xff, BOOT_NO_ROOM },
		{ 0x263, 0xff, BOOT_NO_ROOM },      { 0x25b, 0, BOOT_BAD_HEADER },
		{ 0x262, 0x0f, BOOT_BAD_HEADER },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		bz_make();
		head[bad[i].off] = bad[i].v;
		if (bad[i].off == 0x262)
			le32_store(head + 0x260, BZ_FILE / 2);
		assert_int_equal(parse(BZ_FILE), bad[i].want);
	}
}

static void vmlinux__segments_keep_their_places(void **state)
{
	(void)state;
	elf_make();
	assert_int_equal(parse(ELF_FILE), BOOT_OK);
	assert_int_equal(plan.seg_cnt, 2);
	assert_int_equal(plan.entry, 0x1000040);
	assert_int_equal(plan.end, 0x2080000);
	assert_int_equal(le32_load(plan.hdr + 0x202 - 0x1f1), 0x53726448);
}

static void vmlinux__bad_segments_are_rejected(void **state)
{
	(void)state;
	elf_make();
	phdr(2, 1, ELF_FILE - 0xfff, 0x2000000, 0x1000, 0x80000); /* one byte beyond the file */
	assert_int_equal(parse(ELF_FILE), BOOT_BAD_SEGMENT);
	phdr(2, 1, ELF_FILE - 0x1000, 0x2000000, 0x1000, 0x80000);
	assert_int_equal(parse(ELF_FILE), BOOT_OK);
	phdr(2, 1, UINT64_MAX - 1, 0x2000000, 0x1000, 0x80000); /* wraps */
	assert_int_equal(parse(ELF_FILE), BOOT_BAD_SEGMENT);
	phdr(2, 1, 0x200000, 0x2000000, 0x1001, 0x1000); /* more in the file than in memory */
	assert_int_equal(parse(ELF_FILE), BOOT_BAD_SEGMENT);
	phdr(2, 1, 0x200000, 0x10fffff, 0x1000, 0x1000); /* one byte over the first */
	assert_int_equal(parse(ELF_FILE), BOOT_BAD_SEGMENT);
	phdr(2, 1, 0x200000, 0x1100000, 0x1000, 0x1000);
	assert_int_equal(parse(ELF_FILE), BOOT_OK);
	phdr(2, 1, 0x200000, 0xfffff, 0x1000, 0x1000); /* over the tables */
	assert_int_equal(parse(ELF_FILE), BOOT_BAD_SEGMENT);
	phdr(2, 1, 0x200000, low - 0xfff, 0x1000, 0x1000);
	assert_int_equal(parse(ELF_FILE), BOOT_NO_ROOM);
	phdr(2, 1, 0x200000, UINT64_MAX - 0xfff, 0x1000, 0x1000);
	assert_int_equal(parse(ELF_FILE), BOOT_NO_ROOM);
}

static void vmlinux__bad_headers_are_rejected(void **state)
{
	(void)state;
	elf_make();
	le64_store(head + 24, 0x1080000); /* entry in the part that is not in the file */
	assert_int_equal(parse(ELF_FILE), BOOT_BAD_ENTRY);
	elf_make();
	le16_store(head + 16, 3);
	assert_int_equal(parse(ELF_FILE), BOOT_BAD_ELF);
	elf_make();
	le16_store(head + 18, 3);
	assert_int_equal(parse(ELF_FILE), BOOT_BAD_ELF);
	elf_make();
	le16_store(head + 54, 55);
	assert_int_equal(parse(ELF_FILE), BOOT_BAD_ELF);
	elf_make();
	le16_store(head + 56, BOOT_SEGMENTS_MAX + 1);
	assert_int_equal(parse(ELF_FILE), BOOT_BAD_ELF);
	elf_make();
	le16_store(head + 56, 0);
	assert_int_equal(parse(ELF_FILE), BOOT_BAD_ELF);
	elf_make();
	le64_store(head + 32, UINT64_MAX - 8);
	assert_int_equal(parse(ELF_FILE), BOOT_BAD_ELF);
	elf_make();
	head[4] = 1; /* 32 bits */
	assert_int_equal(parse(ELF_FILE), BOOT_NOT_A_KERNEL);
	elf_make();
	assert_int_equal(parse(40), BOOT_SHORT);
}

static void initrd__lies_high_and_not_over_the_kernel(void **state)
{
	(void)state;
	bz_make();
	assert_int_equal(parse(BZ_FILE), BOOT_OK);
	assert_int_equal(boot_place_initrd(&plan, 5000), low - 8192);
	assert_int_equal(boot_place_initrd(&plan, low - plan.end), plan.end);
	assert_int_equal(boot_place_initrd(&plan, low - plan.end + 1), 0);
	assert_int_equal(boot_place_initrd(&plan, UINT64_MAX), 0);
	le32_store(head + 0x22c, 0x5000fff);
	assert_int_equal(parse(BZ_FILE), BOOT_OK);
	assert_int_equal(boot_place_initrd(&plan, 4096), 0x5000000);
}

/* boot_load() on memory of our own. */
static struct memory ram_make(void)
{
	struct memory m;

	assert_int_equal(mem_layout(64 * MIB, &m), 0);
	m.host = mmap(NULL, m.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(m.host, MAP_FAILED);
	return m;
}

static int file_make(uint64_t len)
{
	int fd = memfd_create("kernel", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, (off_t)len), 0);
	assert_int_equal(pwrite(fd, head, sizeof(head), 0), sizeof(head));
	return fd;
}

static void load__fills_boot_params_for_the_kernel(void **state)
{
	struct memory m = ram_make();
	struct boot_conf c = { .initrd_fd = memfd_create("initrd", MFD_CLOEXEC),
			       .cmdline = "quiet",
			       .rsdp = 0xe0000 };
	const uint8_t *bp = m.host + MAP_BOOT_PARAMS;
	uint64_t entry = 0;

	(void)state;
	bz_make();
	le32_store(head + 0x260, 0x2000000);
	c.kernel_fd = file_make(BZ_FILE);
	assert_int_equal(write(c.initrd_fd, "initrd", 6), 6);
	assert_int_equal(boot_load(&m, &c, &entry), BOOT_OK);
	assert_int_equal(entry, 0x1000200);
	assert_memory_equal(bp + 0x202, "HdrS", 4);
	assert_int_equal(bp[0x210], 0xff);
	assert_int_equal(le64_load(bp + 0x70), 0xe0000);
	assert_string_equal((const char *)m.host + le32_load(bp + 0x228), "quiet");
	assert_int_equal(le32_load(bp + 0x218), 64 * MIB - 4096);
	assert_int_equal(le32_load(bp + 0x21c), 6);
	assert_memory_equal(m.host + 64 * MIB - 4096, "initrd", 6);
	/* e820 covers RAM up to its end, and not the tables */
	assert_int_equal(le64_load(bp + 0x2d0), 0);
	assert_int_equal(le64_load(bp + 0x2d0 + 3 * 20), MAP_HIMEM);
	assert_int_equal(le64_load(bp + 0x2d0 + 3 * 20 + 8), 63 * MIB);
	close(c.kernel_fd);
	close(c.initrd_fd);
	munmap(m.host, m.bytes);
}

static void load__long_command_line_and_empty_initrd_are_rejected(void **state)
{
	struct memory m = ram_make();
	struct boot_conf c = { .initrd_fd = -1, .cmdline = "12345678" };
	uint64_t entry = 7;

	(void)state;
	bz_make();
	le32_store(head + 0x260, 0x2000000);
	le32_store(head + 0x238, 7);
	c.kernel_fd = file_make(BZ_FILE);
	assert_int_equal(boot_load(&m, &c, &entry), BOOT_CMDLINE_LONG);
	c.cmdline = "1234567";
	assert_int_equal(boot_load(&m, &c, &entry), BOOT_OK);
	c.initrd_fd = memfd_create("initrd", MFD_CLOEXEC);
	entry = 7;
	assert_int_equal(boot_load(&m, &c, &entry), BOOT_INITRD_EMPTY);
	assert_int_equal(entry, 7);
	close(c.kernel_fd);
	close(c.initrd_fd);
	munmap(m.host, m.bytes);
}

static void memory__is_split_around_the_hole(void **state)
{
	struct mem_region r[MEM_REGIONS_MAX];
	struct memory m = { .host = NULL };

	(void)state;
	assert_int_equal(mem_layout(4 * GIB, &m), 0);
	assert_int_equal(m.low_bytes, 3 * GIB);
	assert_int_equal(m.high_bytes, GIB);
	assert_int_equal(mem_end(&m), 5 * GIB);
	m.host = (uint8_t *)16; /* never followed */
	assert_non_null(mem_at(&m, 3 * GIB - 1, 1));
	assert_null(mem_at(&m, 3 * GIB - 1, 2)); /* not across the hole */
	assert_null(mem_at(&m, 3 * GIB, 1));
	assert_non_null(mem_at(&m, 4 * GIB, GIB));
	assert_null(mem_at(&m, 4 * GIB, GIB + 1));
	assert_null(mem_at(&m, UINT64_MAX, 2));
	assert_int_equal(mem_regions(&m, r), 7);
	assert_int_equal(map_mmio64_base(mem_end(&m)), MAP_MMIO64_BYTES);
	assert_int_equal(mem_layout(4 * GIB + 4096, &m), -22);
	assert_int_equal(mem_layout(14 * MIB, &m), -22);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bzimage__is_placed_where_it_prefers),
		cmocka_unit_test(bzimage__setup_sectors_zero_means_four),
		cmocka_unit_test(bzimage__cut_short_is_rejected),
		cmocka_unit_test(bzimage__bad_header_fields_are_rejected),
		cmocka_unit_test(vmlinux__segments_keep_their_places),
		cmocka_unit_test(vmlinux__bad_segments_are_rejected),
		cmocka_unit_test(vmlinux__bad_headers_are_rejected),
		cmocka_unit_test(initrd__lies_high_and_not_over_the_kernel),
		cmocka_unit_test(load__fills_boot_params_for_the_kernel),
		cmocka_unit_test(load__long_command_line_and_empty_initrd_are_rejected),
		cmocka_unit_test(memory__is_split_around_the_hole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
