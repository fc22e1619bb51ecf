/* SPDX-License-Identifier: Apache-2.0 */
#include "hypervisor/smbios.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/num.h"

enum {
	ENTRY_BYTES = 31,
	ENTRY_PADDED = 32,
	INTERMEDIATE_AT = 16, /* "_DMI_" and its own checksum */

	TYPE_BIOS = 0,
	TYPE_SYSTEM = 1,
	TYPE_BOARD = 2,
	TYPE_CHASSIS = 3,
	TYPE_PROCESSOR = 4,
	TYPE_MEMORY_ARRAY = 16,
	TYPE_MEMORY = 17,
	TYPE_BOOT = 32,
	TYPE_END = 127,

	HANDLE_CHASSIS = 0x300, /* our handles: type, then number */
	HANDLE_MEMORY_ARRAY = 0x1000,
	HANDLE_NONE = 0xfffe,
	STRINGS_MAX = 5,
};

static const char vendor[] = "Amazon EC2";

struct table {
	struct wr w;
	unsigned cnt;                 /* structures */
	size_t largest;               /* bytes of the largest one, strings included */
	size_t at;                    /* where the open one begins */
	const char *str[STRINGS_MAX]; /* its strings so far */
	unsigned str_cnt;
};

static void begin(struct table *t, uint8_t type, uint16_t handle)
{
	t->at = t->w.len;
	t->str_cnt = 0;
	wr_u8(&t->w, type);
	wr_u8(&t->w, 0); /* length */
	wr_le16(&t->w, handle);
}

/* A string field: its number, 0 for none. */
static void string(struct table *t, const char *s)
{
	if (!*s) {
		wr_u8(&t->w, 0);
		return;
	}
	must(t->str_cnt < STRINGS_MAX);
	t->str[t->str_cnt++] = s;
	wr_u8(&t->w, (uint8_t)t->str_cnt);
}

static void end(struct table *t)
{
	size_t bytes;
	unsigned i;

	if (!t->w.bad)
		t->w.p[t->at + 1] = (uint8_t)(t->w.len - t->at);
	for (i = 0; i < t->str_cnt; i++)
		wr_bytes(&t->w, t->str[i], strlen(t->str[i]) + 1);
	wr_zero(&t->w, t->str_cnt ? 1 : 2);
	bytes = t->w.len - t->at;
	t->largest = bytes > t->largest ? bytes : t->largest;
	t->cnt++;
}

static void bios(struct table *t)
{
	begin(t, TYPE_BIOS, 0);
	string(t, vendor);
	string(t, "1.0");
	wr_le16(&t->w, 0xe800);
	string(t, "10/16/2017");
	wr_u8(&t->w, 0);               /* 64 KiB */
	wr_le64(&t->w, 1 << 3);        /* characteristics: not told */
	wr_u8(&t->w, 1);               /* ACPI */
	wr_u8(&t->w, 1 << 4 | 1 << 2); /* a virtual machine; content distribution */
	wr_u8(&t->w, 1);
	wr_u8(&t->w, 0);
	wr_u8(&t->w, 0xff);
	wr_u8(&t->w, 0xff);
	end(t);
}

/* Since SMBIOS 2.6 the first three fields of a UUID lie in the table little-endian. */
static void uuid(struct wr *w, const uint8_t u[16])
{
	const uint8_t b[16] = { u[3], u[2], u[1],  u[0],  u[5],  u[4],  u[7],  u[6],
				u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15] };

	wr_bytes(w, b, sizeof(b));
}

static void uuid_text(const uint8_t u[16], char ret[37])
{
	unsigned i, n = 0;

	for (i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			ret[n++] = '-';
		(void)snprintf(ret + n, 3, "%02x", u[i]);
		n += 2;
	}
}

static void system_board_chassis(struct table *t, const struct smbios_conf *c, const char *serial)
{
	begin(t, TYPE_SYSTEM, 0x100);
	string(t, vendor);
	string(t, c->type_name);
	string(t, "");
	string(t, serial); /* cloud-init compares it with the UUID */
	uuid(&t->w, c->uuid);
	wr_u8(&t->w, 6); /* woken by the power switch */
	string(t, "");
	string(t, "");
	end(t);

	begin(t, TYPE_BOARD, 0x200);
	string(t, vendor);
	string(t, "");
	string(t, "");
	string(t, "");
	string(t, c->instance_id);
	wr_u8(&t->w, 1 << 0); /* hosts processors */
	string(t, "");
	wr_le16(&t->w, HANDLE_CHASSIS);
	wr_u8(&t->w, 10); /* motherboard */
	wr_u8(&t->w, 0);
	end(t);

	begin(t, TYPE_CHASSIS, HANDLE_CHASSIS);
	string(t, vendor);
	wr_u8(&t->w, 1); /* other */
	string(t, "");
	string(t, "");
	string(t, vendor);
	wr_u8(&t->w, 3); /* states: safe */
	wr_u8(&t->w, 3);
	wr_u8(&t->w, 3);
	wr_u8(&t->w, 3); /* security: none */
	wr_le32(&t->w, 0);
	wr_u8(&t->w, 0);
	wr_u8(&t->w, 1); /* power cords */
	wr_u8(&t->w, 0); /* contained elements */
	wr_u8(&t->w, 0);
	string(t, "");
	end(t);
}

static void processor(struct table *t, const struct topology *topo)
{
	unsigned cpus = topo_vcpus(topo);

	begin(t, TYPE_PROCESSOR, 0x400);
	string(t, "CPU 0");
	wr_u8(&t->w, 3); /* central processor */
	wr_u8(&t->w, 1); /* family: other */
	string(t, vendor);
	wr_le64(&t->w, 0); /* id: CPUID tells */
	string(t, "");
	wr_u8(&t->w, 0);
	wr_le16(&t->w, 0); /* clocks: unknown */
	wr_le16(&t->w, 0);
	wr_le16(&t->w, 0);
	wr_u8(&t->w, 0x41); /* populated, enabled */
	wr_u8(&t->w, 1);
	wr_le16(&t->w, 0xffff); /* cache handles: none */
	wr_le16(&t->w, 0xffff);
	wr_le16(&t->w, 0xffff);
	string(t, "");
	string(t, "");
	string(t, "");
	wr_u8(&t->w, (uint8_t)topo->cores);
	wr_u8(&t->w, (uint8_t)topo->cores);
	wr_u8(&t->w, (uint8_t)cpus);
	wr_le16(&t->w, 1 << 2); /* 64 bits */
	wr_le16(&t->w, 1);
	end(t);
}

static void memory(struct table *t, uint64_t ram_bytes)
{
	uint64_t mib = ram_bytes / MIB;

	begin(t, TYPE_MEMORY_ARRAY, HANDLE_MEMORY_ARRAY);
	wr_u8(&t->w, 1); /* other; system memory; error correction like the host's */
	wr_u8(&t->w, 3);
	wr_u8(&t->w, 6);
	wr_le32(&t->w, 0x80000000); /* see the wide field */
	wr_le16(&t->w, HANDLE_NONE);
	wr_le16(&t->w, 1);
	wr_le64(&t->w, ram_bytes);
	end(t);

	begin(t, TYPE_MEMORY, 0x1100);
	wr_le16(&t->w, HANDLE_MEMORY_ARRAY);
	wr_le16(&t->w, HANDLE_NONE);
	wr_le16(&t->w, 72);
	wr_le16(&t->w, 64);
	wr_le16(&t->w, mib < 0x7fff ? (uint16_t)mib : 0x7fff);
	wr_u8(&t->w, 9); /* DIMM */
	wr_u8(&t->w, 0);
	string(t, "DIMM 0");
	string(t, "");
	wr_u8(&t->w, 1 + 1); /* unknown technology */
	wr_le16(&t->w, 1 << 2);
	wr_le16(&t->w, 0);
	string(t, vendor);
	string(t, "");
	string(t, "");
	string(t, "");
	wr_u8(&t->w, 0);
	wr_le32(&t->w, mib < 0x7fff ? 0 : (uint32_t)mib);
	wr_le16(&t->w, 0);
	wr_zero(&t->w, 6); /* voltages */
	end(t);
}

/* spec: smbios-2.8 §5.2.1 */
static void entry_fill(uint8_t *p, uint64_t table_gpa, const struct table *t)
{
	uint8_t sum = 0;
	unsigned i;

	memcpy(p, "_SM_", 4);
	p[5] = ENTRY_BYTES;
	p[6] = 2;
	p[7] = 8;
	le16_store(p + 8, (uint16_t)t->largest);
	memcpy(p + INTERMEDIATE_AT, "_DMI_", 5);
	le16_store(p + 22, (uint16_t)(t->w.len - ENTRY_PADDED));
	le32_store(p + 24, (uint32_t)table_gpa);
	le16_store(p + 28, (uint16_t)t->cnt);
	p[30] = 0x28;
	for (i = INTERMEDIATE_AT; i < ENTRY_BYTES; i++)
		sum = (uint8_t)(sum + p[i]);
	p[21] = (uint8_t)-sum;
	for (i = 0, sum = 0; i < ENTRY_BYTES; i++)
		sum = (uint8_t)(sum + p[i]);
	p[4] = (uint8_t)-sum;
}

int smbios_build(const struct smbios_conf *conf, uint64_t gpa, void *buf, size_t cap)
{
	struct table t = { .w = wr_init(buf, cap) };
	char serial[37];

	uuid_text(conf->uuid, serial);
	wr_zero(&t.w, ENTRY_PADDED);
	bios(&t);
	system_board_chassis(&t, conf, serial);
	processor(&t, &conf->topo);
	memory(&t, conf->ram_bytes);
	begin(&t, TYPE_BOOT, 0x2000);
	wr_zero(&t.w, 7); /* reserved, then status: no error */
	end(&t);
	begin(&t, TYPE_END, 0x7f00);
	end(&t);
	if (t.w.bad)
		return -ENOSPC;
	entry_fill(buf, gpa + ENTRY_PADDED, &t);
	return (int)t.w.len;
}
