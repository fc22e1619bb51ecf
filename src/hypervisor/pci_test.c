/* SPDX-License-Identifier: Apache-2.0 */
#include "hypervisor/pci.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/num.h"
#include "irq_fake.h"

/* A provider that writes down what reaches it. BAR 0: registers and doorbells, BAR 2: MSI-X. */

enum { PAGE = 4096, SLOT = 4 };

struct dev {
	struct assign *a;
	unsigned reads, writes, resets, commands;
	uint64_t last_off;
	uint64_t last_value;
	uint16_t command;
	int event_fd;
	uint32_t doorbells[1024];
	bool freed, lost;
	int reset_err;
};

struct fix {
	struct irq_fake q;
	struct pci_root *r;
	struct dev dev;
};

static void dev_read(void *p, unsigned bar UNUSED, uint64_t off, void *buf, size_t len)
{
	struct dev *d = p;

	d->reads++;
	d->last_off = off;
	memset(buf, 0x42, len);
}

static void dev_write(void *p, unsigned bar UNUSED, uint64_t off, const void *buf, size_t len)
{
	struct dev *d = p;

	d->writes++;
	d->last_off = off;
	d->last_value = 0;
	memcpy(&d->last_value, buf, len);
}

static void dev_command(void *p, uint16_t command)
{
	struct dev *d = p;

	d->commands++;
	d->command = command;
}

static int dev_irqs_set(void *p UNUSED, const int *fds UNUSED, unsigned cnt UNUSED)
{
	return 0;
}

static int dev_reset(void *p)
{
	struct dev *d = p;

	d->resets++;
	return d->reset_err;
}

static bool dev_lost(void *p)
{
	struct dev *d = p;

	return d->lost;
}

static void dev_free(void *p)
{
	struct dev *d = p;

	d->freed = true;
	fd_closep(&d->event_fd);
}

static const struct assign_ops dev_ops = {
	.provider = "test",
	.read = dev_read,
	.write = dev_write,
	.command = dev_command,
	.irqs_set = dev_irqs_set,
	.reset = dev_reset,
	.lost = dev_lost,
	.free = dev_free,
};

static struct assign *dev_assign(struct dev *d)
{
	struct assign *a = calloc(1, sizeof(*a));

	assert_non_null(a);
	memset(d, 0, sizeof(*d));
	d->a = a;
	d->event_fd = fd_eventfd();
	a->ops = &dev_ops;
	a->p = d;
	a->info.conf = (struct pci_config_conf){
		.vendor = 0x1d0f,
		.device = 0x8061,
		.class_code = 0x010802,
		.bar = { [0] = { .size = 16384, .is_64 = true }, [2] = { .size = PAGE } },
		.msix = { .vector_cnt = 5, .table_bar = 2, .pba_bar = 2, .pba_off = 2048 },
		.express = true,
		.flr = true,
		.pm = true,
	};
	a->info.area_cnt = 1;
	a->info.area[0] = (struct assign_area){ ASSIGN_AREA_SHADOW, 0,           PAGE, PAGE,
						d->event_fd,        d->doorbells };
	return a;
}

static int setup(void **state)
{
	static struct fix f;
	struct pci_root_conf conf = {
		.mmio32_base = PCI_MMIO32_BASE,
		.mmio32_bytes = PCI_MMIO32_BYTES,
		.mmio64_base = 512 * GIB,
		.mmio64_bytes = 64 * GIB,
	};

	conf.irq = irq_fake_init(&f.q);
	assert_int_equal(pci_root_new(&conf, &f.r), 0);
	assert_int_equal(pci_root_add(f.r, SLOT, dev_assign(&f.dev)), 0);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fix *f = *state;

	pci_root_freep(&f->r);
	assert_true(f->dev.freed);
	assert_int_equal(irq_fake_used(&f->q), 0);
	return 0;
}

static uint64_t mmio_read(struct fix *f, uint64_t gpa, size_t len)
{
	uint64_t v = 0;

	assert_true(pci_root_mmio(f->r, gpa, &v, len, false));
	return v;
}

static void mmio_write(struct fix *f, uint64_t gpa, uint64_t v, size_t len)
{
	assert_true(pci_root_mmio(f->r, gpa, &v, len, true));
}

static uint64_t ecam(unsigned slot, unsigned reg)
{
	return PCI_ECAM_BASE + ((uint64_t)slot << 15) + reg;
}

static uint32_t cf8_read(struct fix *f, unsigned slot, unsigned reg, size_t len)
{
	uint32_t address = 1u << 31 | slot << 11 | (reg & 0xfc), v = 0;

	assert_true(pci_root_pio(f->r, 0xcf8, &address, 4, true));
	assert_true(pci_root_pio(f->r, (uint16_t)(0xcfc + (reg & 3)), &v, len, false));
	return v;
}

static void cf8_write(struct fix *f, unsigned slot, unsigned reg, uint32_t v, size_t len)
{
	uint32_t address = 1u << 31 | slot << 11 | (reg & 0xfc);

	assert_true(pci_root_pio(f->r, 0xcf8, &address, 4, true));
	assert_true(pci_root_pio(f->r, (uint16_t)(0xcfc + (reg & 3)), &v, len, true));
}

static uint64_t bar0(struct fix *f)
{
	return (uint64_t)cf8_read(f, SLOT, 0x14, 4) << 32 | (cf8_read(f, SLOT, 0x10, 4) & ~0xfu);
}

static uint64_t decode_on(struct fix *f)
{
	cf8_write(f, SLOT, PCI_CFG_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
	return bar0(f);
}

static void root__shows_a_q35(void **state)
{
	struct fix *f = *state;
	unsigned slot;

	assert_int_equal(cf8_read(f, 0, 0, 4), 0x29c08086);
	assert_int_equal(cf8_read(f, 31, 0, 4), 0x29188086);
	assert_int_equal(cf8_read(f, 31, 8, 4) >> 8, 0x060100);
	assert_int_equal(cf8_read(f, SLOT, 0, 4), 0x80611d0f);
	assert_int_equal(mmio_read(f, ecam(SLOT, 0), 4), 0x80611d0f);
	assert_int_equal(mmio_read(f, ecam(SLOT, 2), 2), 0x8061);
	assert_int_equal(cf8_read(f, SLOT, 2, 2), 0x8061);
	for (slot = 1; slot < 31; slot++)
		if (slot != SLOT)
			assert_int_equal(cf8_read(f, slot, 0, 4), 0xffffffff);
	assert_int_equal(pci_root_pm_base(f->r), PCI_PM_BASE);
}

static void root__other_functions_and_buses_are_empty(void **state)
{
	struct fix *f = *state;
	uint32_t address, v = 0;

	address = 1u << 31 | SLOT << 11 | 1 << 8;
	assert_true(pci_root_pio(f->r, 0xcf8, &address, 4, true));
	assert_true(pci_root_pio(f->r, 0xcfc, &v, 4, false));
	assert_int_equal(v, 0xffffffff);
	address = 1u << 31 | 1 << 16 | SLOT << 11;
	assert_true(pci_root_pio(f->r, 0xcf8, &address, 4, true));
	assert_true(pci_root_pio(f->r, 0xcfc, &v, 4, false));
	assert_int_equal(v, 0xffffffff);
	assert_int_equal(mmio_read(f, ecam(SLOT, 0) + PCI_ECAM_BUS_BYTES, 4), 0xffffffff);
	assert_int_equal(mmio_read(f, ecam(SLOT, 0x1000), 4), 0xffffffff);
	/* the address port without its top bit */
	address = SLOT << 11;
	assert_true(pci_root_pio(f->r, 0xcf8, &address, 4, true));
	assert_true(pci_root_pio(f->r, 0xcfc, &v, 4, false));
	assert_int_equal(v, 0xffffffff);
}

static void root__leaves_other_ports_alone(void **state)
{
	struct fix *f = *state;
	uint8_t b[8] = { 0 };

	assert_false(pci_root_pio(f->r, 0xcf9, b, 1, true)); /* the reset port */
	assert_false(pci_root_pio(f->r, 0xcf8, b, 1, true));
	assert_false(pci_root_pio(f->r, 0xcf8, b, 2, false));
	assert_false(pci_root_pio(f->r, 0xd00, b, 4, true));
	assert_false(pci_root_pio(f->r, 0xcff, b, 2, true));
	assert_false(pci_root_mmio(f->r, 0xfed00000, b, 4, false));
	assert_false(pci_root_mmio(f->r, UINT64_MAX, b, 8, false));
}

static void bars__are_placed_and_decode_when_told(void **state)
{
	struct fix *f = *state;
	uint64_t at = bar0(f);
	uint8_t b[4];

	assert_true(range_ok(at - PCI_MMIO32_BASE, 16384, PCI_MMIO32_BYTES) && at % 16384 == 0);
	assert_false(pci_root_mmio(f->r, at, b, 4, false)); /* decoding is off */
	decode_on(f);
	assert_int_equal(f->dev.command, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	assert_int_equal(mmio_read(f, at + 0x14, 4), 0x42424242);
	assert_int_equal(f->dev.last_off, 0x14);
	mmio_write(f, at + 0x14, 0x460001, 4);
	assert_int_equal(f->dev.last_value, 0x460001);
	cf8_write(f, SLOT, PCI_CFG_COMMAND, 0, 2);
	assert_false(pci_root_mmio(f->r, at, b, 4, false));
}

static void bars__can_be_moved(void **state)
{
	struct fix *f = *state;
	uint64_t at = decode_on(f), to = 520 * GIB + 16384;
	uint8_t b[4];

	cf8_write(f, SLOT, 0x14, (uint32_t)(to >> 32), 4);
	cf8_write(f, SLOT, 0x10, (uint32_t)to, 4);
	assert_int_equal(mmio_read(f, to + 8, 4), 0x42424242);
	assert_false(pci_root_mmio(f->r, at, b, 4, false));
	/* sizing with decoding on: ends at 2^64, wraps nothing */
	cf8_write(f, SLOT, 0x10, 0xffffffff, 4);
	cf8_write(f, SLOT, 0x14, 0xffffffff, 4);
	assert_int_equal(bar0(f), ~(uint64_t)16383);
	assert_int_equal(mmio_read(f, UINT64_MAX - 3, 4), 0x42424242);
	assert_false(pci_root_mmio(f->r, 0, b, 4, false));
	/* an access that leaves the BAR */
	f->dev.reads = 0;
	assert_int_equal(mmio_read(f, UINT64_MAX - 1, 4), 0xffffffff);
	assert_int_equal(f->dev.reads, 0);
}

static void doorbell__is_stored_then_signalled(void **state)
{
	struct fix *f = *state;
	uint64_t at = decode_on(f);
	struct pci_root_stats st;
	struct pollfd p = { .fd = f->dev.event_fd, .events = POLLIN };

	mmio_write(f, at + PAGE + 12, 77, 4);
	assert_int_equal(f->dev.doorbells[3], 77);
	assert_int_equal(poll(&p, 1, 0), 1);
	assert_int_equal(f->dev.writes, 0); /* no message */
	pci_root_stats(f->r, &st);
	assert_int_equal(st.doorbells, 1);
	/* reads and odd sizes go to the device */
	mmio_read(f, at + PAGE, 4);
	mmio_write(f, at + PAGE, 1, 8);
	mmio_write(f, at + PAGE + 2, 1, 4);
	mmio_write(f, at + 2 * PAGE, 1, 4);
	assert_int_equal(f->dev.reads, 1);
	assert_int_equal(f->dev.writes, 3);
	pci_root_stats(f->r, &st);
	assert_int_equal(st.doorbells, 1);
	assert_int_equal(st.forwarded, 4);
}

static void msix__table_is_ours_not_the_devices(void **state)
{
	struct fix *f = *state;
	uint64_t at;
	uint32_t bar2;

	decode_on(f);
	bar2 = cf8_read(f, SLOT, 0x18, 4);
	at = bar2 & ~0xfu;
	mmio_write(f, at + 16, 0xfee00000, 8);
	mmio_write(f, at + 24, 0x31, 4);
	mmio_write(f, at + 28, 0, 4);
	assert_int_equal(irq_fake_attached(&f->q), 0);
	/* enable through the capability: walk to it */
	{
		unsigned cap = cf8_read(f, SLOT, PCI_CFG_CAP_PTR, 1);

		while (cap && cf8_read(f, SLOT, cap, 1) != PCI_CAP_MSIX)
			cap = cf8_read(f, SLOT, cap + 1, 1);
		assert_int_not_equal(cap, 0);
		cf8_write(f, SLOT, cap + 2, 0x8000, 2);
	}
	assert_int_equal(irq_fake_attached(&f->q), 1);
	assert_int_equal(f->q.gsi[1].data, 0x31);
	/* grazing the table from below or above, and the pending bits */
	mmio_write(f, at + 5 * 16 - 4, 0, 8);
	mmio_read(f, at + 2048, 8);
	assert_int_equal(f->dev.reads + f->dev.writes, 0);
	mmio_read(f, at + 1024, 4); /* elsewhere in the BAR */
	assert_int_equal(f->dev.reads, 1);
}

static void flr__resets_device_and_configuration(void **state)
{
	struct fix *f = *state;
	uint64_t at = decode_on(f);
	uint8_t b[4];
	unsigned cap = cf8_read(f, SLOT, PCI_CFG_CAP_PTR, 1);

	while (cap && cf8_read(f, SLOT, cap, 1) != PCI_CAP_EXPRESS)
		cap = cf8_read(f, SLOT, cap + 1, 1);
	assert_int_not_equal(cap, 0);
	assert_true(cf8_read(f, SLOT, cap + 4, 4) & 1u << 28);
	cf8_write(f, SLOT, cap + 8, 0x8000, 2);
	assert_int_equal(f->dev.resets, 1);
	assert_int_equal(bar0(f), 0);
	assert_int_equal(cf8_read(f, SLOT, PCI_CFG_COMMAND, 2), 0);
	assert_false(pci_root_mmio(f->r, at, b, 4, false));
	assert_int_equal(cf8_read(f, SLOT, 0, 4), 0x80611d0f);
}

static void root_reset__brings_firmwares_placement_back(void **state)
{
	struct fix *f = *state;
	uint64_t at = decode_on(f);

	cf8_write(f, SLOT, 0x10, 0xc8000000, 4);
	cf8_write(f, 0, 0x60, 0xb0000001, 4);
	assert_int_equal(pci_root_reset(f->r), 0);
	assert_int_equal(f->dev.resets, 1);
	assert_int_equal(bar0(f), at);
	assert_int_equal(cf8_read(f, SLOT, PCI_CFG_COMMAND, 2), 0);
	assert_int_equal(mmio_read(f, ecam(SLOT, 0), 4), 0x80611d0f);
	/* a card that cannot reset is an error, unless it is lost anyway */
	f->dev.reset_err = -EIO;
	assert_int_equal(pci_root_reset(f->r), -EIO);
	f->dev.lost = true;
	assert_int_equal(pci_root_reset(f->r), 0);
}

static void chipset__ecam_and_pm_base_can_move(void **state)
{
	struct fix *f = *state;
	uint8_t b[4];

	/* as OVMF: high half, low half with enable */
	cf8_write(f, 0, 0x64, 0, 4);
	cf8_write(f, 0, 0x60, 0xb0000001, 4);
	assert_int_equal(mmio_read(f, 0xb0000000 + (SLOT << 15), 4), 0x80611d0f);
	assert_false(pci_root_mmio(f->r, ecam(SLOT, 0), b, 4, false));
	cf8_write(f, 0, 0x60, 0xb0000000, 4);
	assert_false(pci_root_mmio(f->r, 0xb0000000, b, 4, false));
	cf8_write(f, 31, 0x40, 0xb001, 4);
	assert_int_equal(pci_root_pm_base(f->r), 0xb000);
	cf8_write(f, 31, 0x44, 0, 1);
	assert_int_equal(pci_root_pm_base(f->r), 0);
	/* a bridge of the chipset cannot be switched off */
	cf8_write(f, 0, PCI_CFG_COMMAND, 0, 2);
	assert_int_equal(cf8_read(f, 0, PCI_CFG_COMMAND, 2), 7);
}

static void root_add__rejects_what_cannot_be(void **state)
{
	struct fix *f = *state;
	static struct dev d; /* lives until teardown */
	struct assign *a = dev_assign(&d);

	assert_int_equal(pci_root_add(f->r, 0, a), -EINVAL);
	assert_int_equal(pci_root_add(f->r, 3, a), -EINVAL);
	assert_int_equal(pci_root_add(f->r, 28, a), -EINVAL);
	assert_int_equal(pci_root_add(f->r, SLOT, a), -EBUSY);
	a->info.area[0].size = 16384;
	assert_int_equal(pci_root_add(f->r, 5, a), -EINVAL);
	a->info.area[0].size = PAGE;
	a->info.area[0].mem = NULL;
	assert_int_equal(pci_root_add(f->r, 5, a), -EINVAL);
	a->info.area[0].mem = d.doorbells;
	a->info.conf.bar[2].size = 5000;
	assert_int_equal(pci_root_add(f->r, 5, a), -EINVAL);
	a->info.conf.bar[2].size = PAGE;
	a->info.conf.bar[4] =
		(struct pci_bar){ .size = (uint64_t)1 << 31 }; /* no room in 512 MiB */
	assert_int_equal(pci_root_add(f->r, 5, a), -ENOSPC);
	a->info.conf.bar[4] = (struct pci_bar){ .size = (uint64_t)1 << 40, .is_64 = true };
	assert_int_equal(pci_root_add(f->r, 5, a), -ENOSPC);
	a->info.conf.bar[4] = (struct pci_bar){ .size = GIB, .is_64 = true, .prefetchable = true };
	assert_int_equal(pci_root_add(f->r, 5, a), 0);
	assert_int_equal(cf8_read(f, 5, 0x20, 4) & 0xf, 0xc);
	assert_int_equal(cf8_read(f, 5, 0x24, 4), 512 * GIB >> 32);
}

struct racer {
	struct fix *f;
	_Atomic bool stop;
};

static void *race(void *arg)
{
	struct racer *rc = arg;
	uint32_t v;

	while (!atomic_load(&rc->stop)) {
		v = 5;
		(void)!pci_root_mmio(rc->f->r, 0xc8000000 + PAGE + 4, &v, 4, true);
		(void)!pci_root_mmio(rc->f->r, 0xd0000000 + PAGE + 4, &v, 4, true);
		(void)!pci_root_mmio(rc->f->r, ecam(SLOT, 0), &v, 4, false);
		assert_int_equal(v, 0x80611d0f);
	}
	return NULL;
}

/* vCPUs ring while another moves the BAR: for ThreadSanitizer. */
static void root__bar_moves_race_with_accesses(void **state)
{
	struct fix *f = *state;
	struct racer rc = { .f = f };
	pthread_t t[2];
	unsigned i;

	decode_on(f);
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&t[i], NULL, race, &rc), 0);
	for (i = 0; i < 500; i++) {
		uint32_t to = i % 2 ? 0xc8000000 : 0xd0000000;

		mmio_write(f, ecam(SLOT, 0x10), to, 4);
		mmio_write(f, ecam(SLOT, PCI_CFG_COMMAND), i % 3 ? 6 : 4, 2);
	}
	atomic_store(&rc.stop, true);
	for (i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(root__shows_a_q35),
		T(root__other_functions_and_buses_are_empty),
		T(root__leaves_other_ports_alone),
		T(bars__are_placed_and_decode_when_told),
		T(bars__can_be_moved),
		T(doorbell__is_stored_then_signalled),
		T(msix__table_is_ours_not_the_devices),
		T(flr__resets_device_and_configuration),
		T(root_reset__brings_firmwares_placement_back),
		T(chipset__ecam_and_pm_base_can_move),
		T(root_add__rejects_what_cannot_be),
		T(root__bar_moves_race_with_accesses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
