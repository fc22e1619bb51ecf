/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/pci.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"

static struct pci_config_conf nvme_conf(void)
{
	return (struct pci_config_conf){
		.vendor = 0x1d0f,
		.device = 0x8061,
		.subvendor = 0x1d0f,
		.class_code = 0x010802,
		.bar = { [0] = { .size = 16384, .is_64 = true }, [2] = { .size = 4096 } },
		.msix = { .vector_cnt = 9,
			  .table_bar = 2,
			  .table_off = 0,
			  .pba_bar = 2,
			  .pba_off = 2048 },
		.express = true,
		.flr = true,
		.pm = true,
	};
}

static uint32_t cfg32(struct pci_config *c, uint64_t off)
{
	uint8_t b[4];

	pci_config_read(c, off, b, sizeof(b));
	return le32_load(b);
}

static unsigned cfg32_set(struct pci_config *c, uint64_t off, uint32_t v)
{
	uint8_t b[4];

	le32_store(b, v);
	return pci_config_write(c, off, b, sizeof(b));
}

static unsigned cfg16_set(struct pci_config *c, uint64_t off, uint16_t v)
{
	uint8_t b[2];

	le16_store(b, v);
	return pci_config_write(c, off, b, sizeof(b));
}

static void config_init__takes_nvme(void **state UNUSED)
{
	struct pci_config_conf conf = nvme_conf();
	static struct pci_config c;

	assert_int_equal(pci_config_init(&c, &conf), 0);
	assert_int_equal(cfg32(&c, 0), 0x80611d0f);
	assert_int_equal(cfg32(&c, 8) >> 8, 0x010802);
	assert_int_equal(cfg32(&c, PCI_CFG_SUBVENDOR), 0x1d0f);
}

/* What drivers/pci/probe.c does: all ones, read back, restore; decoding is off meanwhile. */
static uint64_t bar_size_as_linux(struct pci_config *c, unsigned bar, unsigned *ret_regs)
{
	uint64_t at = PCI_CFG_BAR0 + (uint64_t)4 * bar;
	uint32_t low = cfg32(c, at), sz, high_sz = 0xffffffff;

	(void)cfg32_set(c, at, low | 0xfffffff0);
	sz = cfg32(c, at);
	(void)cfg32_set(c, at, low);
	*ret_regs = 1;
	if (sz == 0)
		return 0;
	if ((low & 6) == 4) {
		uint32_t high = cfg32(c, at + 4);

		(void)cfg32_set(c, at + 4, 0xffffffff);
		high_sz = cfg32(c, at + 4);
		(void)cfg32_set(c, at + 4, high);
		*ret_regs = 2;
	}
	return ~(((uint64_t)high_sz << 32) | (sz & ~(uint32_t)0xf)) + 1;
}

static void config__is_walked_as_linux_does(void **state UNUSED)
{
	struct pci_config_conf conf = nvme_conf();
	static struct pci_config c;
	uint64_t size[PCI_BARS_MAX] = { 0 };
	unsigned bar, regs, links = 0, seen = 0;
	uint8_t at;

	assert_int_equal(pci_config_init(&c, &conf), 0);
	assert_int_equal(cfg32(&c, 0x0c) & 0x7f0000, 0);
	for (bar = 0; bar < PCI_BARS_MAX; bar += regs)
		size[bar] = bar_size_as_linux(&c, bar, &regs);
	assert_int_equal(size[0], 16384);
	assert_int_equal(size[2], 4096);
	assert_int_equal(size[3] + size[4] + size[5], 0);
	assert_int_equal(cfg32_set(&c, PCI_CFG_ROM, 0xfffff800), 0);
	assert_int_equal(cfg32(&c, PCI_CFG_ROM), 0);
	assert_int_equal(c.data[PCI_CFG_INT_PIN], 0);
	assert_true(c.data[PCI_CFG_STATUS] & PCI_STATUS_CAPS);
	for (at = c.data[PCI_CFG_CAP_PTR]; at; at = c.data[at + 1]) {
		assert_true(at >= 0x40 && at % 4 == 0 && ++links < 48);
		seen |= c.data[at] == PCI_CAP_PM ? 1U : 0;
		seen |= c.data[at] == PCI_CAP_EXPRESS ? 2U : 0;
		seen |= c.data[at] == PCI_CAP_MSIX ? 4U : 0;
	}
	assert_int_equal(seen, 7);
	assert_int_equal(le16_load(c.data + c.msix_cap + 2), 8); /* vectors - 1 */
	assert_int_equal(cfg32(&c, 0x100), 0);                   /* no extended capability */
}

static void config__bars_hold_what_firmware_puts_there(void **state UNUSED)
{
	struct pci_config_conf conf = nvme_conf();
	static struct pci_config c;
	uint64_t at;

	assert_int_equal(pci_config_init(&c, &conf), 0);
	assert_int_equal(cfg32_set(&c, 0x10, 0xc0004567), PCI_EV_BAR);
	assert_int_equal(cfg32_set(&c, 0x14, 0x12), PCI_EV_BAR);
	assert_true(pci_config_bar(&c, 0, &at));
	assert_int_equal(at, 0x12c0004000);
	assert_false(pci_config_bar(&c, 1, &at)); /* the upper half is no BAR */
	assert_false(pci_config_bar(&c, 6, &at));
	pci_config_bar_set(&c, 0, 0x8000);
	assert_true(pci_config_bar(&c, 0, &at));
	assert_int_equal(at, 0x8000);
	pci_config_reset(&c);
	assert_true(pci_config_bar(&c, 0, &at));
	assert_int_equal(at, 0);
}

static void config_init__rejects_bars_that_cannot_be(void **state UNUSED)
{
	static struct pci_config c;
	struct pci_config_conf conf;

	conf = nvme_conf();
	conf.bar[2].size = 4097;
	assert_int_equal(pci_config_init(&c, &conf), -EINVAL);
	conf = nvme_conf();
	conf.bar[2].size = 2048;
	assert_int_equal(pci_config_init(&c, &conf), -EINVAL);
	conf = nvme_conf();
	conf.bar[2].size = (uint64_t)1 << 32;
	assert_int_equal(pci_config_init(&c, &conf), -EINVAL);
	conf = nvme_conf();
	conf.bar[1].size = 4096; /* the upper half of BAR 0 */
	assert_int_equal(pci_config_init(&c, &conf), -EINVAL);
	conf = nvme_conf();
	conf.bar[5] = (struct pci_bar){ .size = 4096, .is_64 = true };
	assert_int_equal(pci_config_init(&c, &conf), -EINVAL);
	conf = nvme_conf();
	conf.bar[0].size = (uint64_t)1 << 63;
	assert_int_equal(pci_config_init(&c, &conf), -EINVAL);
	conf = nvme_conf();
	conf.express = false;
	assert_int_equal(pci_config_init(&c, &conf), -EINVAL);
}

static void config_write__beyond_the_space_is_dropped(void **state UNUSED)
{
	struct pci_config_conf conf = nvme_conf();
	static struct pci_config c;
	uint8_t b[16];

	assert_int_equal(pci_config_init(&c, &conf), 0);
	memset(b, 0, sizeof(b));
	assert_int_equal(pci_config_write(&c, PCI_CFG_BYTES - 2, b, sizeof(b)), 0);
	assert_int_equal(pci_config_write(&c, UINT64_MAX - 3, b, sizeof(b)), 0);
	pci_config_read(&c, PCI_CFG_BYTES - 2, b, 4);
	assert_int_equal(b[0], 0);
	assert_int_equal(b[2], 0xff);
	pci_config_read(&c, UINT64_MAX, b, 4);
	assert_int_equal(b[0], 0xff);
}

static void config_write__reports_what_changed(void **state UNUSED)
{
	struct pci_config_conf conf = nvme_conf();
	static struct pci_config c;
	uint8_t b;

	assert_int_equal(pci_config_init(&c, &conf), 0);
	assert_int_equal(cfg16_set(&c, PCI_CFG_COMMAND, 6), PCI_EV_COMMAND);
	assert_int_equal(cfg16_set(&c, PCI_CFG_COMMAND, 6), 0);
	assert_int_equal(cfg16_set(&c, c.msix_cap + 2U, 0xc000), PCI_EV_MSIX);
	assert_true(pci_config_msix_enabled(&c) && pci_config_msix_masked(&c));
	assert_int_equal(le16_load(c.data + c.msix_cap + 2) & 0x7ff, 8); /* size is read-only */
	assert_int_equal(cfg16_set(&c, c.express_cap + 8U, 0x8000 | 0x2810), PCI_EV_FLR);
	assert_int_equal(le16_load(c.data + c.express_cap + 8) & 0x8000, 0);
	b = 0x80; /* the upper byte alone, as a byte access does it */
	assert_int_equal(pci_config_write(&c, c.express_cap + 9U, &b, 1) & PCI_EV_FLR, PCI_EV_FLR);
	b = 3;
	assert_int_equal(pci_config_write(&c, c.pm_cap + 4U, &b, 1), PCI_EV_PM);
	/* identity cannot be written */
	assert_int_equal(cfg32_set(&c, 0, 0), 0);
	assert_int_equal(cfg32(&c, 0), 0x80611d0f);
}

static void config_write__without_flr_there_is_no_reset(void **state UNUSED)
{
	struct pci_config_conf conf = nvme_conf();
	static struct pci_config c;

	conf.flr = false;
	assert_int_equal(pci_config_init(&c, &conf), 0);
	assert_int_equal(cfg16_set(&c, c.express_cap + 8U, 0x8000) & PCI_EV_FLR, 0);
}

/* Row 10: nothing a guest or a card says makes virtual functions appear. */
static void s26_row10__no_sriov_to_be_seen(void **state UNUSED)
{
	struct pci_config_conf conf = nvme_conf();
	static struct pci_config c;
	uint8_t b[PCI_CFG_BYTES - PCI_CFG_LEGACY_BYTES];
	size_t i;

	assert_int_equal(pci_config_init(&c, &conf), 0);
	memset(b, 0xff, sizeof(b));
	assert_int_equal(pci_config_write(&c, PCI_CFG_LEGACY_BYTES, b, sizeof(b)), 0);
	pci_config_read(&c, PCI_CFG_LEGACY_BYTES, b, sizeof(b));
	for (i = 0; i < sizeof(b); i++)
		assert_int_equal(b[i], 0);
}

static void caps_find__finds(void **state UNUSED)
{
	struct pci_config_conf conf = nvme_conf();
	static struct pci_config c;

	assert_int_equal(pci_config_init(&c, &conf), 0);
	assert_int_equal(pci_caps_find(c.data, PCI_CAP_MSIX, 12), c.msix_cap);
	assert_int_equal(pci_caps_find(c.data, 0x05, 4), -ENOENT);
}

static void caps_find__rejects_loops_and_ends(void **state UNUSED)
{
	uint8_t d[PCI_CFG_LEGACY_BYTES];

	memset(d, 0, sizeof(d));
	assert_int_equal(pci_caps_find(d, PCI_CAP_MSIX, 12), -ENOENT);
	d[PCI_CFG_STATUS] = PCI_STATUS_CAPS;
	d[PCI_CFG_CAP_PTR] = 0x40;
	d[0x40] = PCI_CAP_PM;
	d[0x41] = 0x40; /* itself */
	assert_int_equal(pci_caps_find(d, PCI_CAP_MSIX, 12), -EPROTO);
	d[0x41] = 0x10; /* into the header */
	assert_int_equal(pci_caps_find(d, PCI_CAP_MSIX, 12), -EPROTO);
	d[0x41] = 0xfc;
	d[0xfc] = PCI_CAP_MSIX; /* too near the end */
	assert_int_equal(pci_caps_find(d, PCI_CAP_MSIX, 12), -EPROTO);
	assert_int_equal(pci_caps_find(d, PCI_CAP_MSIX, 4), 0xfc);
}

static void msix_table__keeps_entries(void **state UNUSED)
{
	struct msix_table t;
	struct msix_vector v;
	uint8_t b[8];

	assert_int_equal(msix_table_init(&t, 3), 0);
	msix_vector_get(&t, 2, &v);
	assert_true(v.masked);
	le64_store(b, 0xfee01003);
	assert_int_equal(msix_table_write(&t, 32, b, 8), 2);
	le32_store(b, 0x4021);
	assert_int_equal(msix_table_write(&t, 40, b, 4), 2);
	le32_store(b, 0xfffffffe);
	assert_int_equal(msix_table_write(&t, 44, b, 4), 2);
	msix_vector_get(&t, 2, &v);
	assert_int_equal(v.addr, 0xfee01000);
	assert_int_equal(v.data, 0x4021);
	assert_false(v.masked);
	msix_table_read(&t, 40, b, 8);
	assert_int_equal(le64_load(b), 0x4021);
}

static void msix_pba__shows_pending_and_cannot_be_written(void **state UNUSED)
{
	struct msix_table t;
	uint8_t b[8];

	assert_int_equal(msix_table_init(&t, 40), 0);
	msix_pending_set(&t, 33, true);
	msix_pba_read(&t, 0, b, 8);
	assert_int_equal(le64_load(b), (uint64_t)1 << 33);
	msix_pba_read(&t, 4, b, 4);
	assert_int_equal(le32_load(b), 2);
	msix_pending_set(&t, 33, false);
	msix_pba_read(&t, 0, b, 8);
	assert_int_equal(le64_load(b), 0);
}

/* Row 11: CVE-2020-13754 and -27821: odd sizes, odd places, beyond the table. */
static void s26_row11__msix_table_access_stays_inside(void **state UNUSED)
{
	static const size_t lens[] = { 0, 1, 2, 3, 4, 5, 8, 12, 16, 64 };
	struct msix_table t, before;
	uint8_t b[64];
	uint64_t off;
	size_t i;

	assert_int_equal(msix_table_init(&t, MSIX_VECTORS_MAX + 1), -EINVAL);
	assert_int_equal(msix_table_init(&t, 5), 0);
	before = t;
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		for (off = 0; off < 2 * MSIX_VECTORS_MAX * MSIX_ENTRY_BYTES; off++) {
			bool ok = (lens[i] == 4 || lens[i] == 8) && off % lens[i] == 0 &&
				  off + lens[i] <= 5 * MSIX_ENTRY_BYTES;

			memset(b, 0xff, sizeof(b));
			assert_int_equal(msix_table_write(&t, off, b, lens[i]),
					 ok ? (int)(off / MSIX_ENTRY_BYTES) : -1);
			msix_table_read(&t, off, b, lens[i]);
			if (!ok && lens[i])
				assert_int_equal(b[0], 0);
			msix_pba_read(&t, off, b, lens[i]);
		}
	}
	assert_int_equal(msix_table_write(&t, UINT64_MAX - 3, b, 4), -1);
	assert_int_equal(msix_table_write(&t, UINT64_MAX - 7, b, 8), -1);
	/* nothing behind the fifth entry ever changed */
	assert_memory_equal(t.entry + 5 * MSIX_ENTRY_BYTES, before.entry + 5 * MSIX_ENTRY_BYTES,
			    sizeof(t.entry) - 5 * MSIX_ENTRY_BYTES);
	assert_memory_equal(t.pending, before.pending, sizeof(t.pending));
}

/* Row 11: a table that does not fit into its BAR is no table. */
static void s26_row11__msix_table_must_fit_its_bar(void **state UNUSED)
{
	static struct pci_config c;
	struct pci_config_conf conf;

	conf = nvme_conf();
	conf.msix.table_off = 4096 - 8 * 16;
	assert_int_equal(pci_config_init(&c, &conf), -EINVAL);
	conf = nvme_conf();
	conf.msix.pba_off = 4096;
	assert_int_equal(pci_config_init(&c, &conf), -EINVAL);
	conf = nvme_conf();
	conf.msix.pba_off = 8 * 16; /* inside the table */
	assert_int_equal(pci_config_init(&c, &conf), -EINVAL);
	conf = nvme_conf();
	conf.msix.table_bar = 1; /* the upper half of BAR 0 */
	assert_int_equal(pci_config_init(&c, &conf), -EINVAL);
	conf = nvme_conf();
	conf.msix.pba_bar = 7;
	assert_int_equal(pci_config_init(&c, &conf), -EINVAL);
	conf = nvme_conf();
	conf.msix.table_off = 4;
	assert_int_equal(pci_config_init(&c, &conf), -EINVAL);
	conf = nvme_conf();
	conf.msix.vector_cnt = 2048;
	assert_int_equal(pci_config_init(&c, &conf), -EINVAL);
	conf = nvme_conf();
	conf.msix.table_off = 0xfffffff8;
	assert_int_equal(pci_config_init(&c, &conf), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(config_init__takes_nvme),
		cmocka_unit_test(config__is_walked_as_linux_does),
		cmocka_unit_test(config__bars_hold_what_firmware_puts_there),
		cmocka_unit_test(config_init__rejects_bars_that_cannot_be),
		cmocka_unit_test(config_write__beyond_the_space_is_dropped),
		cmocka_unit_test(config_write__reports_what_changed),
		cmocka_unit_test(config_write__without_flr_there_is_no_reset),
		cmocka_unit_test(s26_row10__no_sriov_to_be_seen),
		cmocka_unit_test(caps_find__finds),
		cmocka_unit_test(caps_find__rejects_loops_and_ends),
		cmocka_unit_test(msix_table__keeps_entries),
		cmocka_unit_test(msix_pba__shows_pending_and_cannot_be_written),
		cmocka_unit_test(s26_row11__msix_table_access_stays_inside),
		cmocka_unit_test(s26_row11__msix_table_must_fit_its_bar),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
