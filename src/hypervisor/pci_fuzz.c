/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/num.h"
#include "hypervisor/pci.h"
#include "irq_fake.h"

/*
 * A guest at the PCI root, with a function whose description comes from the input too. Input: 24 bytes of description,
 * then accesses of 12 bytes: u8 kind and size, u8 slot and such, u16 offset, u64 value.
 * Asserted: the device sees only accesses inside its BARs, and never its MSI-X table or pending bits; doorbells only
 * inside their area; what identifies the function never changes; interrupts are all given back.
 */

enum { STEPS_MAX = 256, SLOT = 4, AREA = 4096 };

struct dev {
	struct pci_config_conf conf;
	uint32_t doorbells[AREA / 4];
	int event_fd;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool in_msix(const struct pci_config_conf *c, unsigned bar, uint64_t off, size_t len)
{
	const struct pci_msix_conf *x = &c->msix;
	uint64_t table = x->table_off + (uint64_t)msix_table_bytes(x->vector_cnt);
	uint64_t pba = x->pba_off + (uint64_t)msix_pba_bytes(x->vector_cnt);

	if (!x->vector_cnt)
		return false;
	return (bar == x->table_bar && off < table && off + len > x->table_off) ||
	       (bar == x->pba_bar && off < pba && off + len > x->pba_off);
}

static void access_check(const struct dev *d, unsigned bar, uint64_t off, size_t len)
{
	must(bar < PCI_BARS_MAX && range_ok(off, len, d->conf.bar[bar].size) && len >= 1 &&
	     len <= 8);
	must(!in_msix(&d->conf, bar, off, len));
}

static void dev_read(void *p, unsigned bar, uint64_t off, void *buf, size_t len)
{
	access_check(p, bar, off, len);
	memset(buf, 0x77, len);
}

static void dev_write(void *p, unsigned bar, uint64_t off, const void *buf UNUSED, size_t len)
{
	access_check(p, bar, off, len);
}

static void dev_command(void *p UNUSED, uint16_t command)
{
	must(!(command & ~(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_OFF)));
}

static int dev_irqs_set(void *p UNUSED, const int *fds, unsigned cnt)
{
	must(cnt >= 1 && cnt <= MSIX_VECTORS_MAX && fds[cnt - 1] >= 0);
	return 0;
}

static int dev_reset(void *p UNUSED)
{
	return 0;
}

static bool dev_lost(void *p UNUSED)
{
	return false;
}

static void dev_free(void *p UNUSED) {}

static const struct assign_ops ops = {
	.provider = "fuzz",
	.read = dev_read,
	.write = dev_write,
	.command = dev_command,
	.irqs_set = dev_irqs_set,
	.reset = dev_reset,
	.lost = dev_lost,
	.free = dev_free,
};

/* Sizes are powers of two most of the time, or there would be nothing to play with. */
static uint64_t size_from(uint8_t b)
{
	if (b < 16)
		return 0;
	return b >= 0xf0 ? (uint64_t)b * 1000 : (uint64_t)1 << (10 + b % 30);
}

static void describe(struct rd *in, struct assign_info *info, struct dev *d)
{
	struct pci_config_conf *c = &info->conf;
	unsigned i;

	c->vendor = 0x1d0f;
	c->device = rd_le16(in);
	c->class_code = 0x010802;
	for (i = 0; i < PCI_BARS_MAX; i++) {
		uint8_t type;

		c->bar[i].size = size_from(rd_u8(in));
		type = rd_u8(in);
		c->bar[i].is_64 = type & 1;
		c->bar[i].prefetchable = type & 2;
	}
	c->msix.vector_cnt = rd_u8(in) % (MSIX_VECTORS_MAX + 2);
	c->msix.table_bar = rd_u8(in) & 7;
	c->msix.pba_bar = c->msix.table_bar;
	c->msix.table_off = rd_le16(in) & ~7U;
	c->msix.pba_off = rd_le16(in) & ~7U;
	i = rd_u8(in);
	c->express = i & 1;
	c->flr = i & 2;
	c->pm = i & 4;
	info->area_cnt = (i >> 3) & 1;
	i = rd_u8(in);
	info->area[0] =
		(struct assign_area){ ASSIGN_AREA_SHADOW, i & 7,       (i & 0xf8) * 64UL, AREA,
				      d->event_fd,        d->doorbells };
	rd_skip(in, 2);
}

struct guest {
	struct pci_root *r;
	struct dev *d;
	bool has_fn;
};

static uint64_t bar_at(struct guest *g, unsigned bar)
{
	uint64_t v = 0, high = 0, at = PCI_ECAM_BASE + (SLOT << 15) + PCI_CFG_BAR0 + 4UL * bar;

	(void)!pci_root_mmio(g->r, at, &v, 4, false);
	if (g->d->conf.bar[bar].is_64 && bar + 1 < PCI_BARS_MAX)
		(void)!pci_root_mmio(g->r, at + 4, &high, 4, false);
	return high << 32 | (v & ~(uint64_t)0xf);
}

static void step(struct guest *g, struct rd *in)
{
	uint8_t kind = rd_u8(in), where = rd_u8(in);
	uint16_t off = rd_le16(in);
	uint64_t v = rd_le64(in);
	size_t len = (size_t)1 << ((kind >> 3) & 3);
	bool write = kind & 0x20;

	switch (kind & 7) {
	case 0: /* configuration by ECAM */
		(void)!pci_root_mmio(g->r,
				     PCI_ECAM_BASE + ((uint64_t)(where % 34) << 15) + off % 0x1000,
				     &v, len, write);
		break;
	case 1: /* our function's */
		(void)!pci_root_mmio(g->r, PCI_ECAM_BASE + (SLOT << 15) + off % 256, &v, len,
				     write);
		break;
	case 2: /* ports */
		(void)!pci_root_pio(g->r, (uint16_t)(0xcf8 + where % 12), &v, len < 8 ? len : 4,
				    write);
		break;
	case 3: /* anywhere */
		(void)!pci_root_mmio(g->r, v, &v, len, write);
		break;
	case 4:
		if (where == 0xff)
			must(pci_root_reset(g->r) == 0);
		break;
	default: /* a BAR, where it is now */
		(void)!pci_root_mmio(g->r, bar_at(g, where % PCI_BARS_MAX) + off, &v, len, write);
		break;
	}
}

static void identity_check(struct guest *g)
{
	uint32_t address = 1U << 31 | SLOT << 11, v = 0;

	must(pci_root_pio(g->r, 0xcf8, &address, 4, true));
	must(pci_root_pio(g->r, 0xcfc, &v, 4, false));
	must(v == (g->has_fn ? 0x1d0fU | (uint32_t)g->d->conf.device << 16 : 0xffffffffU));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd in = rd_init(data, size);
	struct pci_root_conf rc = { .mmio32_base = PCI_MMIO32_BASE,
				    .mmio32_bytes = PCI_MMIO32_BYTES,
				    .mmio64_base = 512 * GIB,
				    .mmio64_bytes = 64 * GIB };
	static struct irq_fake q;
	static struct dev d;
	struct guest g = { .d = &d };
	struct assign *a;
	unsigned i;

	memset(&d, 0, sizeof(d));
	d.event_fd = fd_eventfd();
	rc.irq = irq_fake_init(&q);
	must(pci_root_new(&rc, &g.r) == 0);
	a = calloc(1, sizeof(*a));
	must(a);
	a->ops = &ops;
	a->p = &d;
	describe(&in, &a->info, &d);
	d.conf = a->info.conf;
	if (pci_root_add(g.r, SLOT, a) == 0)
		g.has_fn = true;
	else
		assign_free(a);
	for (i = 0; i < STEPS_MAX && in.left; i++) {
		step(&g, &in);
		if (i % 16 == 0)
			identity_check(&g);
		must(irq_fake_attached(&q) <= d.conf.msix.vector_cnt);
	}
	pci_root_free(g.r);
	must(irq_fake_used(&q) == 0 && irq_fake_attached(&q) == 0);
	fd_closep(&d.event_fd);
	return 0;
}
