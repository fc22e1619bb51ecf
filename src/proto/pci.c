/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/pci.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/num.h"

enum {
	CAPS_START = 0x40,
	CAPS_WALK_MAX = 48, /* capabilities of 4 bytes that fit */

	BAR_64 = 0x4,
	BAR_PREFETCH = 0x8,

	PM_BYTES = 8,
	PM_CSR = 4,
	PM_STATE = 0x3,
	PM_NO_SOFT_RESET = 0x8,

	EXP_BYTES = 0x3c,
	EXP_FLAGS = 2,
	EXP_FLAGS_V2_RCIEP = 0x92, /* version 2, root complex integrated endpoint */
	EXP_DEVCAP = 4,
	EXP_DEVCAP_RBER = 1 << 15, /* role-based error reporting: every endpoint since 1.1 has it */
	EXP_DEVCAP_FLR = 1 << 28,
	EXP_DEVCTL = 8,
	EXP_DEVCTL_WRITABLE = 0x78ff, /* all but initiate FLR, handled apart, and reserved ones */
	EXP_DEVCTL_FLR = 1 << 15,
	EXP_DEVCTL_INIT = 0x2810, /* relaxed ordering, no snoop, 512-byte reads: the defaults */

	MSIX_BYTES = 12,
	MSIX_CTRL = 2,
	MSIX_CTRL_MASK = 1 << 14,
	MSIX_CTRL_ENABLE = 1 << 15,

	ENTRY_DATA = 8,
	ENTRY_CTRL = 12,
	ENTRY_MASKED = 1,

	COMMAND_WRITABLE = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_OFF,
};

/* BARs above this size would not leave room for anything else in 48 bits. */
#define BAR_MAX_BYTES ((uint64_t)1 << 46)

uint32_t msix_table_bytes(unsigned vector_cnt)
{
	return vector_cnt * MSIX_ENTRY_BYTES;
}

uint32_t msix_pba_bytes(unsigned vector_cnt)
{
	return (vector_cnt + 63) / 64 * 8;
}

static bool bar_ok(const struct pci_bar *bar, unsigned idx)
{
	if (!bar[idx].size)
		return true;
	if (!is_pow2(bar[idx].size) || bar[idx].size < PCI_BAR_MIN_BYTES)
		return false;
	if (!bar[idx].is_64)
		return bar[idx].size <= (uint64_t)1 << 31;
	return bar[idx].size <= BAR_MAX_BYTES && idx + 1 < PCI_BARS_MAX && !bar[idx + 1].size;
}

static bool msix_part_ok(const struct pci_config_conf *conf, unsigned bar, uint32_t off,
			 uint32_t len)
{
	return bar < PCI_BARS_MAX && off % 8 == 0 && range_ok(off, len, conf->bar[bar].size);
}

static bool msix_ok(const struct pci_config_conf *conf)
{
	const struct pci_msix_conf *x = &conf->msix;
	uint32_t table = msix_table_bytes(x->vector_cnt);
	uint32_t pba = msix_pba_bytes(x->vector_cnt);

	if (!x->vector_cnt)
		return true;
	if (x->vector_cnt > MSIX_VECTORS_MAX)
		return false;
	if (!msix_part_ok(conf, x->table_bar, x->table_off, table) ||
	    !msix_part_ok(conf, x->pba_bar, x->pba_off, pba))
		return false;
	if (x->table_bar != x->pba_bar)
		return true;
	return (uint64_t)x->table_off + table <= x->pba_off ||
	       (uint64_t)x->pba_off + pba <= x->table_off;
}

int pci_config_conf_check(const struct pci_config_conf *conf)
{
	unsigned i;

	for (i = 0; i < PCI_BARS_MAX; i++)
		if (!bar_ok(conf->bar, i))
			return -EINVAL;
	if (conf->vendor == 0xffff || conf->class_code > 0xffffff || (conf->flr && !conf->express))
		return -EINVAL;
	return msix_ok(conf) ? 0 : -EINVAL;
}

/* Links a capability in at the end of the list. Return: its offset. */
static uint16_t cap_add(struct pci_config *c, uint8_t id, uint16_t len)
{
	uint16_t at = c->cap_next;

	must(at + len <= PCI_CFG_LEGACY_BYTES);
	if (c->cap_last)
		c->init[c->cap_last + 1] = (uint8_t)at;
	else
		c->init[PCI_CFG_CAP_PTR] = (uint8_t)at;
	c->init[at] = id;
	c->init[PCI_CFG_STATUS] |= PCI_STATUS_CAPS;
	c->cap_last = at;
	c->cap_next = (uint16_t)align_up(at + len, 4);
	return at;
}

/* spec: pci-pm-1.2 §3.2 */
static void pm_init(struct pci_config *c)
{
	c->pm_cap = cap_add(c, PCI_CAP_PM, PM_BYTES);
	le16_store(c->init + c->pm_cap + 2, 3); /* version 3, no PME */
	le16_store(c->init + c->pm_cap + PM_CSR, PM_NO_SOFT_RESET);
	c->wmask[c->pm_cap + PM_CSR] = PM_STATE;
}

/* spec: pcie-5.0 §7.5.3. A root complex integrated endpoint has no link registers; they read as zero. */
static void express_init(struct pci_config *c)
{
	uint32_t devcap = EXP_DEVCAP_RBER | (c->conf.flr ? EXP_DEVCAP_FLR : 0);

	c->express_cap = cap_add(c, PCI_CAP_EXPRESS, EXP_BYTES);
	le16_store(c->init + c->express_cap + EXP_FLAGS, EXP_FLAGS_V2_RCIEP);
	le32_store(c->init + c->express_cap + EXP_DEVCAP, devcap);
	le16_store(c->init + c->express_cap + EXP_DEVCTL, EXP_DEVCTL_INIT);
	le16_store(c->wmask + c->express_cap + EXP_DEVCTL, EXP_DEVCTL_WRITABLE);
}

static void msix_cap_init(struct pci_config *c)
{
	const struct pci_msix_conf *x = &c->conf.msix;

	c->msix_cap = cap_add(c, PCI_CAP_MSIX, MSIX_BYTES);
	le16_store(c->init + c->msix_cap + MSIX_CTRL, (uint16_t)(x->vector_cnt - 1));
	le32_store(c->init + c->msix_cap + 4, x->table_off | x->table_bar);
	le32_store(c->init + c->msix_cap + 8, x->pba_off | x->pba_bar);
	le16_store(c->wmask + c->msix_cap + MSIX_CTRL, MSIX_CTRL_MASK | MSIX_CTRL_ENABLE);
}

static void bars_init(struct pci_config *c)
{
	unsigned i;

	for (i = 0; i < PCI_BARS_MAX; i++) {
		const struct pci_bar *b = &c->conf.bar[i];
		uint16_t at = (uint16_t)(PCI_CFG_BAR0 + 4 * i);
		uint64_t mask = ~(b->size - 1);

		if (!b->size)
			continue;
		c->init[at] =
			(uint8_t)((b->is_64 ? BAR_64 : 0) | (b->prefetchable ? BAR_PREFETCH : 0));
		le32_store(c->wmask + at, (uint32_t)mask);
		if (b->is_64)
			le32_store(c->wmask + at + 4, (uint32_t)(mask >> 32));
	}
}

int pci_config_init(struct pci_config *c, const struct pci_config_conf *conf)
{
	int r = pci_config_conf_check(conf);

	if (r < 0)
		return r;
	memset(c, 0, sizeof(*c));
	c->conf = *conf;
	c->cap_next = CAPS_START;
	le16_store(c->init + PCI_CFG_VENDOR, conf->vendor);
	le16_store(c->init + PCI_CFG_DEVICE, conf->device);
	le16_store(c->init + PCI_CFG_SUBVENDOR, conf->subvendor);
	le16_store(c->init + PCI_CFG_SUBDEVICE, conf->subdevice);
	c->init[PCI_CFG_REVISION] = conf->revision;
	c->init[PCI_CFG_CLASS] = (uint8_t)conf->class_code;
	le16_store(c->init + PCI_CFG_CLASS + 1, (uint16_t)(conf->class_code >> 8));
	le16_store(c->wmask + PCI_CFG_COMMAND, COMMAND_WRITABLE);
	c->wmask[0x0c] = 0xff; /* cache line size: a scratch byte */
	c->wmask[PCI_CFG_INT_LINE] = 0xff;
	bars_init(c);
	if (conf->pm)
		pm_init(c);
	if (conf->express)
		express_init(c);
	if (conf->msix.vector_cnt)
		msix_cap_init(c);
	pci_config_reset(c);
	return 0;
}

void pci_config_reset(struct pci_config *c)
{
	memcpy(c->data, c->init, sizeof(c->data));
}

void pci_config_read(const struct pci_config *c, uint64_t off, void *buf, size_t len)
{
	uint8_t *to = buf;
	size_t here;

	memset(buf, 0xff, len);
	if (off >= PCI_CFG_BYTES)
		return;
	here = (size_t)min_u64(len, PCI_CFG_BYTES - off);
	memcpy(to, c->data + off, here);
}

/* Words that mean something when they change. */
struct words {
	uint16_t command, msix_ctrl;
	uint8_t bars[4 * PCI_BARS_MAX];
	uint8_t pm;
};

static void words_get(const struct pci_config *c, struct words *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->command = le16_load(c->data + PCI_CFG_COMMAND);
	memcpy(ret->bars, c->data + PCI_CFG_BAR0, sizeof(ret->bars));
	if (c->msix_cap)
		ret->msix_ctrl = le16_load(c->data + c->msix_cap + MSIX_CTRL);
	if (c->pm_cap)
		ret->pm = c->data[c->pm_cap + PM_CSR];
}

static unsigned words_compare(const struct words *a, const struct words *b)
{
	unsigned ev = 0;

	if (a->command != b->command)
		ev |= PCI_EV_COMMAND;
	if (memcmp(a->bars, b->bars, sizeof(a->bars)) != 0)
		ev |= PCI_EV_BAR;
	if (a->msix_ctrl != b->msix_ctrl)
		ev |= PCI_EV_MSIX;
	if (a->pm != b->pm)
		ev |= PCI_EV_PM;
	return ev;
}

/* "Initiate function-level reset" reads as zero and is never stored. */
static bool flr_asked(const struct pci_config *c, uint64_t off, const uint8_t *buf, size_t len)
{
	uint64_t at = c->express_cap + (uint64_t)EXP_DEVCTL + 1;

	return c->conf.flr && off <= at && at - off < len &&
	       (buf[at - off] & (EXP_DEVCTL_FLR >> 8));
}

unsigned pci_config_write(struct pci_config *c, uint64_t off, const void *buf, size_t len)
{
	const uint8_t *from = buf;
	struct words before, after;
	size_t here, i;
	unsigned ev;

	if (off >= PCI_CFG_BYTES)
		return 0;
	here = (size_t)min_u64(len, PCI_CFG_BYTES - off);
	words_get(c, &before);
	for (i = 0; i < here; i++) {
		uint8_t mask = c->wmask[off + i];
		uint8_t old = c->data[off + i];

		c->data[off + i] = (uint8_t)((old & ~mask) | (from[i] & mask));
		c->data[off + i] &= (uint8_t) ~(from[i] & c->w1c[off + i]);
	}
	words_get(c, &after);
	ev = words_compare(&before, &after);
	return ev | (flr_asked(c, off, from, here) ? PCI_EV_FLR : 0U);
}

bool pci_config_bar(const struct pci_config *c, unsigned bar, uint64_t *ret_at)
{
	const uint8_t *at;
	uint64_t v;

	if (bar >= PCI_BARS_MAX || !c->conf.bar[bar].size)
		return false;
	at = c->data + PCI_CFG_BAR0 + (size_t)4 * bar;
	v = le32_load(at) & ~(uint32_t)0xf;
	if (c->conf.bar[bar].is_64)
		v |= (uint64_t)le32_load(at + 4) << 32;
	*ret_at = v;
	return true;
}

void pci_config_bar_set(struct pci_config *c, unsigned bar, uint64_t at)
{
	const struct pci_bar *b;
	uint8_t *to;

	must(bar < PCI_BARS_MAX && c->conf.bar[bar].size && at % c->conf.bar[bar].size == 0);
	b = &c->conf.bar[bar];
	must(b->is_64 || at <= UINT32_MAX);
	to = c->data + PCI_CFG_BAR0 + (size_t)4 * bar;
	le32_store(to, (uint32_t)at | (le32_load(to) & 0xf));
	if (b->is_64)
		le32_store(to + 4, (uint32_t)(at >> 32));
}

uint16_t pci_config_command(const struct pci_config *c)
{
	return le16_load(c->data + PCI_CFG_COMMAND);
}

static bool msix_ctrl_bit(const struct pci_config *c, unsigned bit)
{
	return c->msix_cap && (le16_load(c->data + c->msix_cap + MSIX_CTRL) & bit);
}

bool pci_config_msix_enabled(const struct pci_config *c)
{
	return msix_ctrl_bit(c, MSIX_CTRL_ENABLE);
}

bool pci_config_msix_masked(const struct pci_config *c)
{
	return msix_ctrl_bit(c, MSIX_CTRL_MASK);
}

int pci_caps_find(const uint8_t data[PCI_CFG_LEGACY_BYTES], uint8_t id, size_t min)
{
	unsigned i;
	uint8_t at;

	if (!(data[PCI_CFG_STATUS] & PCI_STATUS_CAPS))
		return -ENOENT;
	at = data[PCI_CFG_CAP_PTR] & 0xfc;
	for (i = 0; at && i < CAPS_WALK_MAX; i++) {
		if (at < CAPS_START)
			return -EPROTO;
		if (data[at] == id)
			return range_ok(at, min, PCI_CFG_LEGACY_BYTES) ? at : -EPROTO;
		at = data[at + 1] & 0xfc;
	}
	return at ? -EPROTO : -ENOENT;
}

int msix_table_init(struct msix_table *t, unsigned vector_cnt)
{
	if (vector_cnt > MSIX_VECTORS_MAX)
		return -EINVAL;
	memset(t, 0, sizeof(*t));
	t->vector_cnt = (uint16_t)vector_cnt;
	msix_table_reset(t);
	return 0;
}

void msix_table_reset(struct msix_table *t)
{
	unsigned i;

	memset(t->entry, 0, sizeof(t->entry));
	memset(t->pending, 0, sizeof(t->pending));
	for (i = 0; i < t->vector_cnt; i++)
		t->entry[i * MSIX_ENTRY_BYTES + ENTRY_CTRL] = ENTRY_MASKED;
}

/* spec: pci-3.0 §6.8.2: full aligned DWORD or QWORD accesses only; anything else is undefined, here: nothing. */
static bool msix_access_ok(uint64_t off, size_t len, uint64_t cap)
{
	return (len == 4 || len == 8) && off % len == 0 && range_ok(off, len, cap);
}

void msix_table_read(const struct msix_table *t, uint64_t off, void *buf, size_t len)
{
	memset(buf, 0, len);
	if (msix_access_ok(off, len, msix_table_bytes(t->vector_cnt)))
		memcpy(buf, t->entry + off, len);
}

static void dword_write(struct msix_table *t, uint64_t off, uint32_t v)
{
	switch (off % MSIX_ENTRY_BYTES) {
	case 0:
		v &= ~(uint32_t)3; /* messages go to aligned addresses */
		break;
	case ENTRY_CTRL:
		v &= ENTRY_MASKED;
		break;
	default:
		break;
	}
	le32_store(t->entry + off, v);
}

int msix_table_write(struct msix_table *t, uint64_t off, const void *buf, size_t len)
{
	const uint8_t *from = buf;
	size_t i;

	if (!msix_access_ok(off, len, msix_table_bytes(t->vector_cnt)))
		return -1;
	for (i = 0; i < len; i += 4)
		dword_write(t, off + i, le32_load(from + i));
	return (int)(off / MSIX_ENTRY_BYTES);
}

void msix_pba_read(const struct msix_table *t, uint64_t off, void *buf, size_t len)
{
	uint8_t bits[sizeof(t->pending)];
	size_t i;

	memset(buf, 0, len);
	if (!msix_access_ok(off, len, msix_pba_bytes(t->vector_cnt)))
		return;
	for (i = 0; i < ARRAY_SIZE(t->pending); i++)
		le64_store(bits + 8 * i, t->pending[i]);
	memcpy(buf, bits + off, len);
}

void msix_vector_get(const struct msix_table *t, unsigned vector, struct msix_vector *ret)
{
	const uint8_t *e;

	must(vector < t->vector_cnt);
	e = t->entry + (size_t)vector * MSIX_ENTRY_BYTES;
	ret->addr = le64_load(e);
	ret->data = le32_load(e + ENTRY_DATA);
	ret->masked = e[ENTRY_CTRL] & ENTRY_MASKED;
}

void msix_pending_set(struct msix_table *t, unsigned vector, bool pending)
{
	uint64_t bit = (uint64_t)1 << (vector % 64);

	must(vector < t->vector_cnt);
	if (pending)
		t->pending[vector / 64] |= bit;
	else
		t->pending[vector / 64] &= ~bit;
}
