/* SPDX-License-Identifier: Apache-2.0 */
#include "hypervisor/aml.h"

#include <string.h>

enum {
	OP_ZERO = 0x00,
	OP_ONE = 0x01,
	OP_NAME = 0x08,
	OP_BYTE = 0x0a,
	OP_WORD = 0x0b,
	OP_DWORD = 0x0c,
	OP_STRING = 0x0d,
	OP_QWORD = 0x0e,
	OP_SCOPE = 0x10,
	OP_BUFFER = 0x11,
	OP_PACKAGE = 0x12,
	OP_METHOD = 0x14,
	OP_EXT = 0x5b,
	OP_EXT_DEVICE = 0x82,
	OP_ARG0 = 0x68,
	OP_IF = 0xa0,
	OP_ELSE = 0xa1,

	PKG_LEN_BYTES = 3, /* always this form: lengths up to 1 MiB - 1, itself included */
	NAME_SEG = 4,

	RES_IRQ = 0x22,
	RES_IO = 0x47,
	RES_END = 0x79,
	RES_MEMORY32_FIXED = 0x86,
	RES_DWORD = 0x87,
	RES_WORD = 0x88,
	RES_QWORD = 0x8a,
	RES_TYPE_MEMORY = 0,
	RES_TYPE_IO = 1,
	RES_TYPE_BUS = 2,
	/* producer, positive decode, both ends fixed */
	RES_FLAGS_WINDOW = 0x0c,
	RES_MEMORY_RW = 0x01,
	RES_MEMORY_CACHEABLE = 0x02,
	RES_IO_ENTIRE = 0x03,
};

static struct aml_mark open_here(struct wr *w)
{
	struct aml_mark m = { .len_at = w->len };

	wr_zero(w, PKG_LEN_BYTES);
	return m;
}

void aml_close(struct wr *w, struct aml_mark m)
{
	size_t len = w->len - m.len_at;

	if (w->bad)
		return;
	must(len < 1u << 20);
	w->p[m.len_at] = (uint8_t)(0x80 | (len & 15));
	w->p[m.len_at + 1] = (uint8_t)(len >> 4);
	w->p[m.len_at + 2] = (uint8_t)(len >> 12);
}

void aml_ref(struct wr *w, const char *name)
{
	size_t i, len;

	if (*name == '\\')
		wr_u8(w, (uint8_t)*name++);
	len = strlen(name);
	must(len <= NAME_SEG);
	for (i = 0; i < NAME_SEG; i++)
		wr_u8(w, i < len ? (uint8_t)name[i] : '_');
}

struct aml_mark aml_scope(struct wr *w, const char *name)
{
	struct aml_mark m;

	wr_u8(w, OP_SCOPE);
	m = open_here(w);
	aml_ref(w, name);
	return m;
}

struct aml_mark aml_device(struct wr *w, const char *name)
{
	struct aml_mark m;

	wr_u8(w, OP_EXT);
	wr_u8(w, OP_EXT_DEVICE);
	m = open_here(w);
	aml_ref(w, name);
	return m;
}

struct aml_mark aml_method(struct wr *w, const char *name, unsigned arg_cnt)
{
	struct aml_mark m;

	wr_u8(w, OP_METHOD);
	m = open_here(w);
	aml_ref(w, name);
	wr_u8(w, (uint8_t)(arg_cnt | 1 << 3)); /* serialised */
	return m;
}

struct aml_mark aml_if(struct wr *w)
{
	wr_u8(w, OP_IF);
	return open_here(w);
}

struct aml_mark aml_else(struct wr *w)
{
	wr_u8(w, OP_ELSE);
	return open_here(w);
}

struct aml_mark aml_package(struct wr *w, unsigned cnt)
{
	struct aml_mark m;

	wr_u8(w, OP_PACKAGE);
	m = open_here(w);
	wr_u8(w, (uint8_t)cnt);
	return m;
}

/* The size goes in front as a word; aml_resources_end() fills it in, or the caller's bytes must match. */
struct aml_mark aml_resources(struct wr *w)
{
	struct aml_mark m;

	wr_u8(w, OP_BUFFER);
	m = open_here(w);
	wr_u8(w, OP_WORD);
	m.buffer_at = w->len;
	wr_zero(w, 2);
	return m;
}

static void buffer_size_set(struct wr *w, struct aml_mark m)
{
	if (!w->bad)
		le16_store(w->p + m.buffer_at, (uint16_t)(w->len - m.buffer_at - 2));
}

void aml_resources_end(struct wr *w, struct aml_mark m)
{
	wr_u8(w, RES_END);
	wr_u8(w, 0); /* checksum: 0 counts as right */
	buffer_size_set(w, m);
	aml_close(w, m);
}

void aml_bytes(struct wr *w, const void *p, size_t len)
{
	struct aml_mark m = aml_resources(w);

	wr_bytes(w, p, len);
	buffer_size_set(w, m);
	aml_close(w, m);
}

void aml_int(struct wr *w, uint64_t v)
{
	if (v <= 1) {
		wr_u8(w, v ? OP_ONE : OP_ZERO);
	} else if (v <= UINT8_MAX) {
		wr_u8(w, OP_BYTE);
		wr_u8(w, (uint8_t)v);
	} else if (v <= UINT16_MAX) {
		wr_u8(w, OP_WORD);
		wr_le16(w, (uint16_t)v);
	} else if (v <= UINT32_MAX) {
		wr_u8(w, OP_DWORD);
		wr_le32(w, (uint32_t)v);
	} else {
		wr_u8(w, OP_QWORD);
		wr_le64(w, v);
	}
}

void aml_string(struct wr *w, const char *s)
{
	wr_u8(w, OP_STRING);
	wr_bytes(w, s, strlen(s) + 1);
}

void aml_name(struct wr *w, const char *name)
{
	wr_u8(w, OP_NAME);
	aml_ref(w, name);
}

void aml_name_int(struct wr *w, const char *name, uint64_t v)
{
	aml_name(w, name);
	aml_int(w, v);
}

void aml_arg(struct wr *w, unsigned idx)
{
	wr_u8(w, (uint8_t)(OP_ARG0 + idx));
}

void aml_op(struct wr *w, unsigned op)
{
	wr_u8(w, (uint8_t)op);
}

static unsigned hex_digit(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'A' + 10);
}

/* spec: acpi-6.4 §19.3.4: three letters of 5 bits, four hexadecimal digits, bytes swapped */
uint32_t aml_eisa_id(const char *id)
{
	uint32_t v = 0;
	unsigned i;

	for (i = 0; i < 3; i++)
		v = v << 5 | ((unsigned)(id[i] - '@') & 31);
	for (; i < 7; i++)
		v = v << 4 | hex_digit(id[i]);
	return __builtin_bswap32(v);
}

void aml_res_irq(struct wr *w, unsigned irq)
{
	wr_u8(w, RES_IRQ);
	wr_le16(w, (uint16_t)(1u << irq));
}

void aml_res_io(struct wr *w, uint16_t from, uint8_t len)
{
	wr_u8(w, RES_IO);
	wr_u8(w, 1); /* decodes 16 bits */
	wr_le16(w, from);
	wr_le16(w, from);
	wr_u8(w, 1);
	wr_u8(w, len);
}

void aml_res_memory32_fixed(struct wr *w, uint32_t base, uint32_t len)
{
	wr_u8(w, RES_MEMORY32_FIXED);
	wr_le16(w, 9);
	wr_u8(w, RES_MEMORY_RW);
	wr_le32(w, base);
	wr_le32(w, len);
}

static void window_head(struct wr *w, uint8_t tag, uint16_t len, uint8_t type, uint8_t flags)
{
	wr_u8(w, tag);
	wr_le16(w, len);
	wr_u8(w, type);
	wr_u8(w, RES_FLAGS_WINDOW);
	wr_u8(w, flags);
}

static void window16(struct wr *w, uint8_t type, uint8_t flags, uint16_t first, uint16_t last)
{
	window_head(w, RES_WORD, 13, type, flags);
	wr_le16(w, 0); /* granularity */
	wr_le16(w, first);
	wr_le16(w, last);
	wr_le16(w, 0); /* translation */
	wr_le16(w, (uint16_t)(last - first + 1));
}

void aml_res_bus_window(struct wr *w, uint16_t first, uint16_t last)
{
	window16(w, RES_TYPE_BUS, 0, first, last);
}

void aml_res_io_window(struct wr *w, uint16_t first, uint16_t last)
{
	window16(w, RES_TYPE_IO, RES_IO_ENTIRE, first, last);
}

void aml_res_memory_window32(struct wr *w, uint32_t base, uint32_t len)
{
	window_head(w, RES_DWORD, 23, RES_TYPE_MEMORY, RES_MEMORY_RW);
	wr_le32(w, 0);
	wr_le32(w, base);
	wr_le32(w, base + len - 1);
	wr_le32(w, 0);
	wr_le32(w, len);
}

void aml_res_memory_window64(struct wr *w, uint64_t base, uint64_t len)
{
	window_head(w, RES_QWORD, 43, RES_TYPE_MEMORY, RES_MEMORY_RW | RES_MEMORY_CACHEABLE);
	wr_le64(w, 0);
	wr_le64(w, base);
	wr_le64(w, base + len - 1);
	wr_le64(w, 0);
	wr_le64(w, len);
}
