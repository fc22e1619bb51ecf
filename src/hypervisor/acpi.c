/* SPDX-License-Identifier: Apache-2.0 */
#include "hypervisor/acpi.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "hypervisor/aml.h"
#include "hypervisor/map.h"
#include "hypervisor/power.h"

enum {
	TABLE_ALIGN = 64, /* the FACS demands it */
	HEADER_BYTES = 36,
	HEADER_LEN_AT = 4,
	HEADER_SUM_AT = 9,
	RSDP_BYTES = 36,
	RSDP_V1_BYTES = 20,
	FACS_BYTES = 64,
	FADT_BYTES = 276, /* revision 6 */
	PRT_GSI_FIRST = 16,
	PRT_GSI_CNT = 8,
};

/* Name, instruction set and numbers in every header. */
static const char oem_id[6] = { 'N', 'I', 'T', 'E', 'R', ' ' };
static const char oem_table_id[8] = { 'I', 'N', 'S', 'T', 'A', 'N', 'C', 'E' };

struct tables {
	struct wr w;
	uint64_t gpa; /* of w.p[0] */
};

static uint8_t sum_of(const uint8_t *p, size_t len)
{
	uint8_t s = 0;

	while (len--)
		s = (uint8_t)(s + *p++);
	return s;
}

static size_t here_aligned(struct wr *w)
{
	wr_zero(w, (TABLE_ALIGN - w->len % TABLE_ALIGN) % TABLE_ALIGN);
	return w->len;
}

static size_t table_begin(struct wr *w, const char signature[4], uint8_t revision)
{
	size_t at = here_aligned(w);

	wr_bytes(w, signature, 4);
	wr_le32(w, 0); /* length */
	wr_u8(w, revision);
	wr_u8(w, 0); /* checksum */
	wr_bytes(w, oem_id, sizeof(oem_id));
	wr_bytes(w, oem_table_id, sizeof(oem_table_id));
	wr_le32(w, 1);
	wr_bytes(w, "NITR", 4);
	wr_le32(w, 1);
	return at;
}

/* Return: the table's address. */
static uint64_t table_end(struct tables *t, size_t at)
{
	uint8_t *p = t->w.p + at;
	size_t len = t->w.len - at;

	if (t->w.bad)
		return 0;
	le32_store(p + HEADER_LEN_AT, (uint32_t)len);
	p[HEADER_SUM_AT] = (uint8_t)-sum_of(p, len);
	return t->gpa + at;
}

static uint64_t facs_write(struct tables *t)
{
	size_t at = here_aligned(&t->w);

	wr_bytes(&t->w, "FACS", 4);
	wr_le32(&t->w, FACS_BYTES);
	wr_zero(&t->w, FACS_BYTES - 8);
	if (!t->w.bad)
		t->w.p[at + 32] = 2; /* version */
	return t->gpa + at;
}

/* spec: acpi-6.4 §5.2.3.2 */
static void gas(struct wr *w, uint64_t port, uint8_t bits)
{
	wr_u8(w, 1); /* system I/O */
	wr_u8(w, bits);
	wr_u8(w, 0);
	wr_u8(w, bits == 8 ? 1 : bits == 16 ? 2 : bits == 32 ? 3 : 0); /* access size */
	wr_le64(w, port);
}

static void gas_none(struct wr *w)
{
	wr_zero(w, 12);
}

/* spec: acpi-6.4 §5.2.9 */
static uint64_t fadt_write(struct tables *t, uint64_t facs, uint64_t dsdt)
{
	enum {
		BOOT_LEGACY = 1 << 0, /* ISA devices behind LPC */
		BOOT_NO_VGA = 1 << 2,
		BOOT_NO_ASPM = 1 << 4,
		WBINVD = 1 << 0,
		PROC_C1 = 1 << 2,
		NO_SLEEP_BUTTON = 1 << 5,
		NO_RTC_WAKE = 1 << 6,
		TMR_32 = 1 << 8,
		RESET_REG = 1 << 10,
		HEADLESS = 1 << 12,
	};
	size_t at = table_begin(&t->w, "FACP", 6);
	struct wr *w = &t->w;

	wr_le32(w, (uint32_t)facs);
	wr_le32(w, (uint32_t)dsdt);
	wr_u8(w, 0);
	wr_u8(w, 4); /* profile: enterprise server */
	wr_le16(w, IRQ_SCI);
	wr_le32(w, 0); /* no SMI command port: ACPI is always on */
	wr_zero(w, 4); /* enable, disable, S4, P-state values */
	wr_le32(w, PCI_PM_BASE + POWER_PM1_EVT);
	wr_le32(w, 0);
	wr_le32(w, PCI_PM_BASE + POWER_PM1_CNT);
	wr_le32(w, 0);
	wr_le32(w, 0); /* PM2 */
	wr_le32(w, PCI_PM_BASE + POWER_PM_TMR);
	wr_le32(w, PCI_PM_BASE + POWER_GPE0);
	wr_le32(w, 0);
	wr_u8(w, 4); /* lengths: PM1 event, PM1 control, PM2, timer, GPE0, GPE1 */
	wr_u8(w, 2);
	wr_u8(w, 0);
	wr_u8(w, 4);
	wr_u8(w, POWER_GPE0_BYTES);
	wr_u8(w, 0);
	wr_u8(w, 0);
	wr_u8(w, 0);
	wr_le16(w, 0xfff); /* C2 and C3 latency: neither exists */
	wr_le16(w, 0xfff);
	wr_zero(w, 4); /* cache flush */
	wr_u8(w, 0);   /* duty */
	wr_u8(w, 0);
	wr_u8(w, 0); /* alarm day, month, century */
	wr_u8(w, 0);
	wr_u8(w, 0x32);
	wr_le16(w, BOOT_LEGACY | BOOT_NO_VGA | BOOT_NO_ASPM);
	wr_u8(w, 0);
	wr_le32(w,
		WBINVD | PROC_C1 | NO_SLEEP_BUTTON | NO_RTC_WAKE | TMR_32 | RESET_REG | HEADLESS);
	gas(w, PORT_RESET, 8);
	wr_u8(w, POWER_RESET_VALUE);
	wr_zero(w, 3);
	wr_le64(w, 0); /* the 32-bit FACS address counts; two are an error */
	wr_le64(w, dsdt);
	gas(w, PCI_PM_BASE + POWER_PM1_EVT, 32);
	gas_none(w);
	gas(w, PCI_PM_BASE + POWER_PM1_CNT, 16);
	gas_none(w);
	gas_none(w);
	gas(w, PCI_PM_BASE + POWER_PM_TMR, 32);
	gas(w, PCI_PM_BASE + POWER_GPE0, 128);
	gas_none(w);
	gas_none(w); /* sleep control and status: hardware-reduced machines only */
	gas_none(w);
	wr_zero(w, 8); /* hypervisor vendor */
	must(w->bad || w->len - at == FADT_BYTES);
	return table_end(t, at);
}

static void madt_override(struct wr *w, uint8_t irq, uint32_t gsi, uint16_t flags)
{
	wr_u8(w, 2);
	wr_u8(w, 10);
	wr_u8(w, 0);
	wr_u8(w, irq);
	wr_le32(w, gsi);
	wr_le16(w, flags);
}

/* spec: acpi-6.4 §5.2.12 */
static uint64_t madt_write(struct tables *t, const struct topology *topo)
{
	enum { PCAT = 1 << 0, ENABLED = 1 << 0, ACTIVE_HIGH = 1, LEVEL = 3 << 2, ALL_CPUS = 0xff };
	size_t at = table_begin(&t->w, "APIC", 5);
	struct wr *w = &t->w;
	unsigned i;

	wr_le32(w, MAP_LAPIC);
	wr_le32(w, PCAT);
	for (i = 0; i < topo_vcpus(topo); i++) {
		wr_u8(w, 0);
		wr_u8(w, 8);
		wr_u8(w, (uint8_t)i);
		wr_u8(w, (uint8_t)topo_apic_id(topo, i));
		wr_le32(w, ENABLED);
	}
	wr_u8(w, 1); /* IOAPIC */
	wr_u8(w, 12);
	wr_u8(w, 0);
	wr_u8(w, 0);
	wr_le32(w, MAP_IOAPIC);
	wr_le32(w, 0);
	madt_override(w, 0, 2, 0); /* irq.c routes the timer there */
	madt_override(w, IRQ_SCI, IRQ_SCI, ACTIVE_HIGH | LEVEL);
	wr_u8(w, 4); /* NMI at LINT1 */
	wr_u8(w, 6);
	wr_u8(w, ALL_CPUS);
	wr_le16(w, 0);
	wr_u8(w, 1);
	return table_end(t, at);
}

/* spec: pci-firmware-3.2 §4.1.2 */
static uint64_t mcfg_write(struct tables *t)
{
	size_t at = table_begin(&t->w, "MCFG", 1);
	struct wr *w = &t->w;

	wr_zero(w, 8);
	wr_le64(w, PCI_ECAM_BASE);
	wr_le16(w, 0); /* segment */
	wr_u8(w, 0);   /* buses 0 … 0 */
	wr_u8(w, 0);
	wr_zero(w, 4);
	return table_end(t, at);
}

static void pci_crs(struct wr *w, const struct acpi_conf *c)
{
	struct aml_mark m;

	aml_name(w, "_CRS");
	m = aml_resources(w);
	aml_res_bus_window(w, 0, 0);
	aml_res_io(w, PORT_PCI, 8);
	aml_res_io_window(w, 0, PORT_PCI - 1);
	aml_res_io_window(w, PORT_PCI_END, 0xffff);
	aml_res_memory_window32(w, (uint32_t)c->mmio32_base, (uint32_t)c->mmio32_bytes);
	if (c->mmio64_bytes)
		aml_res_memory_window64(w, c->mmio64_base, c->mmio64_bytes);
	aml_resources_end(w, m);
}

/* No function has an INTx pin; the table is there because the specification wants one. */
static void pci_prt(struct wr *w)
{
	struct aml_mark table, entry;
	unsigned slot;

	aml_name(w, "_PRT");
	table = aml_package(w, PCI_SLOT_LAST - PCI_SLOT_FIRST + 1);
	for (slot = PCI_SLOT_FIRST; slot <= PCI_SLOT_LAST; slot++) {
		entry = aml_package(w, 4);
		aml_int(w, slot << 16 | 0xffff);
		aml_int(w, 0); /* INTA */
		aml_int(w, 0); /* fixed GSI */
		aml_int(w, PRT_GSI_FIRST + slot % PRT_GSI_CNT);
		aml_close(w, entry);
	}
	aml_close(w, table);
}

/*
 * The operating system may have every PCI Express feature; there is no firmware that would mind.
 *   If (Arg0 == UUID) { CreateDWordField (Arg3, 4, SUPP) (Arg3, 8, CTRL); CTRL &= 0x1f } Else { CDW1 |= 4 }
 * spec: pci-firmware-3.2 §4.5.1
 */
static void pci_osc(struct wr *w)
{
	static const uint8_t uuid[16] = { 0x5b, 0x4d, 0xdb, 0x33, 0xf7, 0x1f, 0x1c, 0x40,
					  0x96, 0x57, 0x74, 0x41, 0xc0, 0x3d, 0xd7, 0x66 };
	enum { CONTROL_ALL = 0x1f, UNKNOWN_UUID = 4 };
	struct aml_mark method = aml_method(w, "_OSC", 4), branch;

	aml_op(w, AML_CREATE_DWORD_FIELD);
	aml_arg(w, 3);
	aml_int(w, 0);
	aml_ref(w, "CDW1");
	branch = aml_if(w);
	aml_op(w, AML_EQUAL);
	aml_arg(w, 0);
	aml_bytes(w, uuid, sizeof(uuid));
	aml_op(w, AML_CREATE_DWORD_FIELD);
	aml_arg(w, 3);
	aml_int(w, 8);
	aml_ref(w, "CDW3");
	aml_op(w, AML_AND);
	aml_ref(w, "CDW3");
	aml_int(w, CONTROL_ALL);
	aml_ref(w, "CDW3");
	aml_close(w, branch);
	branch = aml_else(w);
	aml_op(w, AML_OR);
	aml_ref(w, "CDW1");
	aml_int(w, UNKNOWN_UUID);
	aml_ref(w, "CDW1");
	aml_close(w, branch);
	aml_op(w, AML_RETURN);
	aml_arg(w, 3);
	aml_close(w, method);
}

static void isa_device(struct wr *w, const char *name, const char *hid, uint16_t port,
		       uint8_t ports, unsigned irq)
{
	struct aml_mark dev = aml_device(w, name), res;

	aml_name_int(w, "_HID", aml_eisa_id(hid));
	aml_name_int(w, "_UID", 0);
	aml_name_int(w, "_STA", 0xf);
	aml_name(w, "_CRS");
	res = aml_resources(w);
	aml_res_io(w, port, ports);
	aml_res_irq(w, irq);
	aml_resources_end(w, res);
	aml_close(w, dev);
}

static void pci_root(struct wr *w, const struct acpi_conf *c)
{
	struct aml_mark root = aml_device(w, "PCI0"), lpc;

	aml_name_int(w, "_HID", aml_eisa_id("PNP0A08"));
	aml_name_int(w, "_CID", aml_eisa_id("PNP0A03"));
	aml_name_int(w, "_SEG", 0);
	aml_name_int(w, "_BBN", 0);
	aml_name_int(w, "_UID", 0);
	pci_crs(w, c);
	pci_prt(w);
	pci_osc(w);
	lpc = aml_device(w, "LPC");
	aml_name_int(w, "_ADR", PCI_SLOT_LPC << 16);
	isa_device(w, "COM1", "PNP0501", PORT_UART, PORT_UART_CNT, IRQ_UART);
	isa_device(w, "RTC", "PNP0B00", PORT_CMOS_INDEX, 2, IRQ_RTC);
	aml_close(w, lpc);
	aml_close(w, root);
}

/* Memory and ports that belong to the board and to no driver. */
static void board(struct wr *w)
{
	struct aml_mark dev = aml_device(w, "MBRD"), res;

	aml_name_int(w, "_HID", aml_eisa_id("PNP0C02"));
	aml_name_int(w, "_UID", 0);
	aml_name(w, "_CRS");
	res = aml_resources(w);
	aml_res_memory32_fixed(w, (uint32_t)PCI_ECAM_BASE, PCI_ECAM_BUS_BYTES);
	aml_res_io(w, PCI_PM_BASE, PORT_PM_CNT);
	aml_resources_end(w, res);
	aml_close(w, dev);
}

static void processors(struct wr *w, unsigned cnt)
{
	struct aml_mark dev;
	char name[8];
	unsigned i;

	for (i = 0; i < cnt; i++) {
		(void)snprintf(name, sizeof(name), "C%03X", i & 0xfff);
		dev = aml_device(w, name);
		aml_name(w, "_HID");
		aml_string(w, "ACPI0007");
		aml_name_int(w, "_UID", i);
		aml_close(w, dev);
	}
}

static uint64_t dsdt_write(struct tables *t, const struct acpi_conf *c)
{
	size_t at = table_begin(&t->w, "DSDT", 2);
	struct wr *w = &t->w;
	struct aml_mark m, method;
	unsigned i;

	m = aml_scope(w, "\\_SB");
	pci_root(w, c);
	board(w);
	processors(w, topo_vcpus(&c->topo));
	aml_close(w, m);
	/* Reserved for PCI hot-plug: the event exists, nothing raises it yet. */
	m = aml_scope(w, "\\_GPE");
	method = aml_method(w, "_E01", 0);
	aml_close(w, method);
	aml_close(w, m);
	aml_name(w, "\\_S5");
	m = aml_package(w, 4);
	for (i = 0; i < 4; i++)
		aml_int(w, POWER_S5_TYPE);
	aml_close(w, m);
	return table_end(t, at);
}

static uint64_t xsdt_write(struct tables *t, const uint64_t *table, unsigned cnt)
{
	size_t at = table_begin(&t->w, "XSDT", 1);
	unsigned i;

	for (i = 0; i < cnt; i++)
		wr_le64(&t->w, table[i]);
	return table_end(t, at);
}

/* spec: acpi-6.4 §5.2.5.3 */
static void rsdp_fill(uint8_t *p, uint64_t xsdt)
{
	memcpy(p, "RSD PTR ", 8);
	memcpy(p + 9, oem_id, sizeof(oem_id));
	p[15] = 2; /* revision */
	le32_store(p + 20, RSDP_BYTES);
	le64_store(p + 24, xsdt);
	p[8] = (uint8_t)-sum_of(p, RSDP_V1_BYTES);
	p[32] = (uint8_t)-sum_of(p, RSDP_BYTES);
}

int acpi_build(const struct acpi_conf *conf, uint64_t gpa, void *buf, size_t cap)
{
	struct tables t = { .w = wr_init(buf, cap), .gpa = gpa };
	uint64_t facs, dsdt, xsdt, table[3];

	wr_zero(&t.w, RSDP_BYTES);
	facs = facs_write(&t);
	dsdt = dsdt_write(&t, conf);
	table[0] = fadt_write(&t, facs, dsdt);
	table[1] = madt_write(&t, &conf->topo);
	table[2] = mcfg_write(&t);
	xsdt = xsdt_write(&t, table, ARRAY_SIZE(table));
	if (t.w.bad)
		return -ENOSPC;
	rsdp_fill(buf, xsdt);
	return (int)t.w.len;
}
