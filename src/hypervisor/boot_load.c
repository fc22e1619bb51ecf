/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/num.h"
#include "hypervisor/boot.h"
#include "hypervisor/map.h"

/* spec: linux-zero-page: offsets in boot_params */
enum {
	BP_RSDP = 0x070,
	BP_E820_CNT = 0x1e8,
	BP_LOADER_TYPE = 0x210,
	BP_RAMDISK_IMAGE = 0x218,
	BP_RAMDISK_SIZE = 0x21c,
	BP_CMDLINE = 0x228,
	BP_E820 = 0x2d0,
	E820_ENTRY_BYTES = 20,
	LOADER_UNDEFINED = 0xff,
};

static int file_len_get(int fd, uint64_t *ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || st.st_size < 0)
		return -1;
	*ret = (uint64_t)st.st_size;
	return 0;
}

/* #syscalls:hypervisor pread64 fstat */
static enum boot_fault file_to_ram(const struct memory *m, int fd, const struct boot_segment *s)
{
	void *to = mem_at(m, s->gpa, s->len);
	int r;

	if (!to)
		return BOOT_NO_ROOM;
	r = fd_pread_full(fd, to, s->len, s->off);
	if (r == -ENODATA)
		return BOOT_SHORT;
	return r < 0 ? BOOT_READ : BOOT_OK;
}

static enum boot_fault initrd_load(const struct memory *m, const struct boot_plan *p, int fd,
				   uint8_t *bp)
{
	struct boot_segment s = { .off = 0 };

	if (fd < 0)
		return BOOT_OK;
	if (file_len_get(fd, &s.len) < 0)
		return BOOT_READ;
	if (!s.len)
		return BOOT_INITRD_EMPTY;
	s.gpa = boot_place_initrd(p, s.len);
	if (!s.gpa)
		return BOOT_INITRD_NO_ROOM;
	le32_store(bp + BP_RAMDISK_IMAGE, (uint32_t)s.gpa); /* below 4 GiB: initrd_top is */
	le32_store(bp + BP_RAMDISK_SIZE, (uint32_t)s.len);
	return file_to_ram(m, fd, &s);
}

static void e820_write(const struct memory *m, uint8_t *bp)
{
	struct mem_region reg[MEM_REGIONS_MAX];
	unsigned i, n = mem_regions(m, reg);

	for (i = 0; i < n; i++) {
		uint8_t *e = bp + BP_E820 + i * E820_ENTRY_BYTES;

		le64_store(e, reg[i].gpa);
		le64_store(e + 8, reg[i].bytes);
		le32_store(e + 16, reg[i].type);
	}
	bp[BP_E820_CNT] = (uint8_t)n;
}

/* The first 4 GiB, identity, in 2 MiB pages: PML4, PDPT, four page directories. */
static void page_tables_write(uint8_t *at)
{
	const uint64_t present_write = 3, large = 1 << 7;
	unsigned i;

	le64_store(at, (MAP_BOOT_PAGE_TABLES + 0x1000) | present_write);
	for (i = 0; i < 4; i++)
		le64_store(at + 0x1000 + 8 * i,
			   (MAP_BOOT_PAGE_TABLES + 0x2000 + i * 0x1000u) | present_write);
	for (i = 0; i < 4 * 512; i++)
		le64_store(at + 0x2000 + 8 * i, (i * 2 * MIB) | large | present_write);
}

/* spec: linux-boot "64-bit boot protocol": __BOOT_CS 0x10 flat code, __BOOT_DS 0x18 flat data */
static void gdt_write(uint8_t *at)
{
	le64_store(at + 0x10, 0x00af9b000000ffff);
	le64_store(at + 0x18, 0x00cf93000000ffff);
}

enum boot_fault boot_load(const struct memory *m, const struct boot_conf *conf, uint64_t *ret_entry)
{
	static uint8_t head[BOOT_HEAD_BYTES];
	size_t cmdline_len = strlen(conf->cmdline), head_len;
	uint64_t file_len;
	struct boot_plan p;
	enum boot_fault f;
	uint8_t *low, *bp;
	unsigned i;

	if (file_len_get(conf->kernel_fd, &file_len) < 0)
		return BOOT_READ;
	head_len = (size_t)min_u64(file_len, sizeof(head));
	if (fd_pread_full(conf->kernel_fd, head, head_len, 0) < 0)
		return BOOT_READ;
	f = boot_parse(head, head_len, file_len, m->low_bytes, &p);
	if (f != BOOT_OK)
		return f;
	if (cmdline_len > p.cmdline_max)
		return BOOT_CMDLINE_LONG;
	low = mem_at(m, 0, MAP_EBDA);
	must(low);

	for (i = 0; i < p.seg_cnt; i++) {
		f = file_to_ram(m, conf->kernel_fd, &p.seg[i]);
		if (f != BOOT_OK)
			return f;
	}
	bp = low + MAP_BOOT_PARAMS;
	memcpy(bp + BOOT_HDR_OFF, p.hdr, p.hdr_len);
	f = initrd_load(m, &p, conf->initrd_fd, bp);
	if (f != BOOT_OK)
		return f;
	bp[BP_LOADER_TYPE] = LOADER_UNDEFINED;
	le32_store(bp + BP_CMDLINE, MAP_BOOT_CMDLINE);
	le64_store(bp + BP_RSDP, conf->rsdp);
	e820_write(m, bp);
	memcpy(low + MAP_BOOT_CMDLINE, conf->cmdline, cmdline_len + 1);
	page_tables_write(low + MAP_BOOT_PAGE_TABLES);
	gdt_write(low + MAP_BOOT_GDT);
	*ret_entry = p.entry;
	return BOOT_OK;
}
