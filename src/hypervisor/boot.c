/* SPDX-License-Identifier: Apache-2.0 */
#include "hypervisor/boot.h"

#include <string.h>

#include "base/bytes.h"
#include "base/num.h"
#include "hypervisor/map.h"

/* spec: linux-boot "Details of Header Fields": offsets in the file and in boot_params */
enum {
	HDR_SETUP_SECTS = 0x1f1,
	HDR_SYSSIZE = 0x1f4, /* 16-byte units */
	HDR_BOOT_FLAG = 0x1fe,
	HDR_JUMP_LEN = 0x201, /* the header ends here + 0x202 */
	HDR_MAGIC = 0x202,
	HDR_VERSION = 0x206,
	HDR_LOADFLAGS = 0x211,
	HDR_INITRD_MAX = 0x22c,
	HDR_XLOADFLAGS = 0x236,
	HDR_CMDLINE_SIZE = 0x238,
	HDR_PREF_ADDRESS = 0x258,
	HDR_INIT_SIZE = 0x260,
	HDR_END_MIN = 0x264,

	BOOT_FLAG = 0xaa55,
	MAGIC_HDRS = 0x53726448,
	VERSION_MIN = 0x020c, /* 2.12: xloadflags */
	LOADFLAG_HIGH = 1 << 0,
	XLOADFLAG_64 = 1 << 0,
	SECTOR = 512,
	SETUP_SECTS_DEFAULT = 4,
	ENTRY_64 = 0x200, /* from the start of the protected-mode part */

	ELF_EHDR_BYTES = 64,
	ELF_PHDR_BYTES = 56,
	ELF_PT_LOAD = 1,
	ELF_ET_EXEC = 2,
	ELF_EM_X86_64 = 62,

	PAGE = 4096,
	INITRD_MAX_DEFAULT = 0x7fffffff,
	CMDLINE_MAX_DEFAULT = 2047,
};

static const uint8_t elf_ident[] = {
	0x7f, 'E', 'L', 'F', 2 /* 64 bits */, 1 /* little-endian */, 1
};

const char *boot_fault_text(enum boot_fault f)
{
	static const char *const texts[BOOT_FAULTS] = {
		[BOOT_OK] = "ok",
		[BOOT_SHORT] = "the kernel file is cut short: build or fetch the image again",
		[BOOT_NOT_A_KERNEL] = "the kernel file is neither a bzImage nor an x86-64 vmlinux: "
				      "build or fetch the image again",
		[BOOT_OLD_PROTOCOL] = "the kernel's boot protocol is older than 2.12: "
				      "use Linux 3.8 or newer",
		[BOOT_NO_64BIT_ENTRY] = "the kernel has no 64-bit entry: use an x86-64 kernel",
		[BOOT_BAD_HEADER] = "the kernel's setup header contradicts itself: "
				    "build or fetch the image again",
		[BOOT_BAD_ELF] = "the vmlinux has a damaged ELF header: "
				 "build or fetch the image again",
		[BOOT_BAD_SEGMENT] =
			"a segment of the vmlinux lies outside the file or over another: "
			"build or fetch the image again",
		[BOOT_BAD_ENTRY] = "the vmlinux's entry lies outside its segments: "
				   "build or fetch the image again",
		[BOOT_NO_ROOM] = "the kernel does not fit into the instance's memory: "
				 "choose a larger instance type",
		[BOOT_CMDLINE_LONG] =
			"the command line is longer than the kernel takes: shorten it",
		[BOOT_INITRD_EMPTY] = "the initrd is empty: build or fetch the image again",
		[BOOT_INITRD_NO_ROOM] = "kernel and initrd do not fit into the instance's memory: "
					"choose a larger instance type",
		[BOOT_READ] = "the kernel or initrd file cannot be read: see the host's log",
	};

	return f < BOOT_FAULTS ? texts[f] : "unknown";
}

/* May [gpa, gpa+len) be loaded over? */
static bool is_load_range(uint64_t gpa, uint64_t len, uint64_t low_bytes)
{
	return gpa >= MAP_HIMEM && range_ok(gpa, len, low_bytes);
}

static enum boot_fault bzimage_parse(const uint8_t *head, size_t head_len, uint64_t file_len,
				     uint64_t low_bytes, struct boot_plan *p)
{
	uint64_t setup_bytes, body_len, load, init_size, hdr_end;
	unsigned sects;

	if (head_len < HDR_END_MIN)
		return BOOT_SHORT;
	if (le16_load(head + HDR_VERSION) < VERSION_MIN)
		return BOOT_OLD_PROTOCOL;
	if (!(le16_load(head + HDR_XLOADFLAGS) & XLOADFLAG_64))
		return BOOT_NO_64BIT_ENTRY;
	hdr_end = HDR_MAGIC + (uint64_t)head[HDR_JUMP_LEN];
	if (hdr_end < HDR_END_MIN || hdr_end > BOOT_HDR_OFF + BOOT_HDR_MAX || hdr_end > head_len ||
	    !(head[HDR_LOADFLAGS] & LOADFLAG_HIGH))
		return BOOT_BAD_HEADER;

	sects = head[HDR_SETUP_SECTS] ? head[HDR_SETUP_SECTS] : SETUP_SECTS_DEFAULT;
	setup_bytes = ((uint64_t)sects + 1) * SECTOR;
	if (file_len <= setup_bytes)
		return BOOT_SHORT;
	body_len = file_len - setup_bytes;
	/* syssize is rounded up to 16; a signature may follow the kernel. */
	if ((uint64_t)le32_load(head + HDR_SYSSIZE) * 16 > align_up(body_len, 16))
		return BOOT_SHORT;
	load = le64_load(head + HDR_PREF_ADDRESS);
	init_size = le32_load(head + HDR_INIT_SIZE);
	if (body_len <= ENTRY_64 || body_len > init_size || load % PAGE || load < MAP_HIMEM)
		return BOOT_BAD_HEADER;
	if (!is_load_range(load, init_size, low_bytes))
		return BOOT_NO_ROOM;

	p->seg[0] = (struct boot_segment){ .off = setup_bytes, .len = body_len, .gpa = load };
	p->seg_cnt = 1;
	p->entry = load + ENTRY_64;
	p->end = load + init_size;
	p->initrd_top = min_u64(low_bytes, (uint64_t)le32_load(head + HDR_INITRD_MAX) + 1);
	p->cmdline_max = le32_load(head + HDR_CMDLINE_SIZE);
	p->hdr_len = (uint32_t)(hdr_end - BOOT_HDR_OFF);
	memcpy(p->hdr, head + BOOT_HDR_OFF, p->hdr_len);
	return BOOT_OK;
}

static bool segments_overlap(const struct boot_plan *p, const uint64_t *mem_len, unsigned n,
			     uint64_t gpa, uint64_t len)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if (gpa < p->seg[i].gpa + mem_len[i] && p->seg[i].gpa < gpa + len)
			return true;
	return false;
}

/* One program header. spec: elf-64 "Program Header" */
static enum boot_fault elf_segment(struct rd *in, uint64_t file_len, uint64_t low_bytes,
				   struct boot_plan *p, uint64_t *mem_len)
{
	uint32_t type = rd_le32(in);
	uint64_t off, paddr, file_bytes, mem_bytes;
	unsigned n = p->seg_cnt;

	rd_skip(in, 4); /* flags */
	off = rd_le64(in);
	rd_skip(in, 8); /* virtual address */
	paddr = rd_le64(in);
	file_bytes = rd_le64(in);
	mem_bytes = rd_le64(in);
	rd_skip(in, 8); /* alignment */
	if (in->bad)
		return BOOT_BAD_ELF;
	if (type != ELF_PT_LOAD || !mem_bytes)
		return BOOT_OK;
	if (file_bytes > mem_bytes || !range_ok(off, file_bytes, file_len) || paddr < MAP_HIMEM)
		return BOOT_BAD_SEGMENT;
	if (!is_load_range(paddr, mem_bytes, low_bytes))
		return BOOT_NO_ROOM;
	if (segments_overlap(p, mem_len, n, paddr, mem_bytes))
		return BOOT_BAD_SEGMENT;

	p->seg[n] = (struct boot_segment){ .off = off, .len = file_bytes, .gpa = paddr };
	mem_len[n] = mem_bytes;
	p->seg_cnt = n + 1;
	p->end = max_u64(p->end, paddr + mem_bytes);
	return BOOT_OK;
}

/* The setup header of a kernel that has none: what a loader would have found. */
static void elf_header_make(struct boot_plan *p)
{
	uint8_t hdr[BOOT_HDR_OFF + BOOT_HDR_MAX];

	memset(hdr, 0, sizeof(hdr));
	le16_store(hdr + HDR_BOOT_FLAG, BOOT_FLAG);
	le32_store(hdr + HDR_MAGIC, MAGIC_HDRS);
	le16_store(hdr + HDR_VERSION, VERSION_MIN);
	hdr[HDR_LOADFLAGS] = LOADFLAG_HIGH;
	memcpy(p->hdr, hdr + BOOT_HDR_OFF, BOOT_HDR_MAX);
	p->hdr_len = BOOT_HDR_MAX;
}

static enum boot_fault elf_parse(const uint8_t *head, size_t head_len, uint64_t file_len,
				 uint64_t low_bytes, struct boot_plan *p)
{
	struct rd in = rd_init(head, head_len), ph;
	uint64_t mem_len[BOOT_SEGMENTS_MAX], ph_off;
	uint16_t type, machine, ph_bytes, ph_cnt;
	enum boot_fault f;
	unsigned i;

	rd_skip(&in, 16);
	type = rd_le16(&in);
	machine = rd_le16(&in);
	rd_skip(&in, 4); /* version */
	p->entry = rd_le64(&in);
	ph_off = rd_le64(&in);
	rd_skip(&in, 8 + 4 + 2); /* section headers, flags, header size */
	ph_bytes = rd_le16(&in);
	ph_cnt = rd_le16(&in);
	if (in.bad)
		return BOOT_SHORT;
	if (type != ELF_ET_EXEC || machine != ELF_EM_X86_64 || ph_bytes != ELF_PHDR_BYTES)
		return BOOT_BAD_ELF;
	if (!ph_cnt || ph_cnt > BOOT_SEGMENTS_MAX ||
	    !range_ok(ph_off, (uint64_t)ph_cnt * ELF_PHDR_BYTES, head_len))
		return BOOT_BAD_ELF;

	ph = rd_init(head + ph_off, (size_t)ph_cnt * ELF_PHDR_BYTES);
	for (i = 0; i < ph_cnt; i++) {
		f = elf_segment(&ph, file_len, low_bytes, p, mem_len);
		if (f != BOOT_OK)
			return f;
	}
	for (i = 0; i < p->seg_cnt; i++)
		if (p->entry >= p->seg[i].gpa && p->entry - p->seg[i].gpa < p->seg[i].len)
			break;
	if (i == p->seg_cnt)
		return BOOT_BAD_ENTRY;

	p->initrd_top = min_u64(low_bytes, (uint64_t)INITRD_MAX_DEFAULT + 1);
	p->cmdline_max = CMDLINE_MAX_DEFAULT;
	elf_header_make(p);
	return BOOT_OK;
}

enum boot_fault boot_parse(const void *head, size_t head_len, uint64_t file_len, uint64_t low_bytes,
			   struct boot_plan *ret)
{
	const uint8_t *b = head;
	struct boot_plan p;
	enum boot_fault f;

	memset(&p, 0, sizeof(p));
	if (head_len >= sizeof(elf_ident) && !memcmp(b, elf_ident, sizeof(elf_ident)))
		f = elf_parse(b, head_len, file_len, low_bytes, &p);
	else if (head_len >= HDR_VERSION && le16_load(b + HDR_BOOT_FLAG) == BOOT_FLAG &&
		 le32_load(b + HDR_MAGIC) == MAGIC_HDRS)
		f = bzimage_parse(b, head_len, file_len, low_bytes, &p);
	else
		f = file_len < HDR_VERSION ? BOOT_SHORT : BOOT_NOT_A_KERNEL;
	if (f == BOOT_OK)
		*ret = p;
	return f;
}

uint64_t boot_place_initrd(const struct boot_plan *p, uint64_t len)
{
	uint64_t top = align_down(p->initrd_top, PAGE), at;

	if (len > top)
		return 0;
	at = align_down(top - len, PAGE);
	return at >= p->end ? at : 0;
}
