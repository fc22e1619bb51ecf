/* SPDX-License-Identifier: Apache-2.0 */
#include "hypervisor/pci.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "hypervisor/msix.h"
#include "hypervisor/pci_chipset.h"

/*
 * Locks, outermost first:
 *   fn->lock        configuration space of one slot, and what follows from a write to it (a reset takes as long as the
 *                   card needs to drain; only that function's configuration waits)
 *   root->map_lock  where BARs and ECAM are now. Readers hold it for a look-up only, never during an access
 * The address port has its own lock, held alone. An access that was looked up just before another vCPU moved the BAR
 * still arrives: as on a real bus.
 */

enum {
	PORT_ADDRESS = 0xcf8,
	PORT_DATA = 0xcfc,
	ADDRESS_ON = 31,

	CFG_FN_SHIFT = 12,
	CFG_SLOT_SHIFT = 15,
	CFG_BUS_SHIFT = 20,

	WINDOWS_MAX = PCI_SLOTS * PCI_BARS_MAX,

	/* BARs above this size go to the 64-bit window when they can. */
	BAR32_MAX_BYTES = 64 << 20,
};

/* One slot: a function 0, nothing behind it. */
struct fn {
	pthread_mutex_t lock; /* guards config */
	bool present;
	struct pci_config config;
	struct assign *a;            /* owned; NULL for the chipset */
	struct msix *msix;           /* owned; NULL: none */
	uint64_t home[PCI_BARS_MAX]; /* where BARs are after reset */
};

/* A BAR that decodes. */
struct window {
	uint64_t at, size;
	uint8_t slot, bar;
};

/* What is left of an address window for BARs; only grows. */
struct space {
	uint64_t next, end;
};

struct pci_root {
	struct pci_root_conf conf;
	struct fn fn[PCI_SLOTS];
	struct space mmio32, mmio64; /* pci_root_add() only */

	pthread_mutex_t address_lock;
	uint32_t address; /* port 0xcf8 */

	pthread_rwlock_t map_lock; /* guards the rest of this paragraph */
	struct window window[WINDOWS_MAX];
	unsigned window_cnt;
	uint64_t ecam_base, ecam_len;

	_Atomic uint16_t pm_base;
	_Atomic uint64_t doorbells, forwarded;
};

/* The chipset's configuration changed. Call with the slot's lock held or alone. */
static void chipset_update(struct pci_root *r, unsigned slot)
{
	const struct pci_config *c = &r->fn[slot].config;
	uint64_t base = 0, len;

	if (slot == PCI_SLOT_LPC) {
		atomic_store(&r->pm_base, chipset_pm_base(c));
		return;
	}
	len = chipset_ecam(c, &base);
	pthread_rwlock_wrlock(&r->map_lock);
	r->ecam_base = base;
	r->ecam_len = len;
	pthread_rwlock_unlock(&r->map_lock);
}

/* #syscalls:* futex */
int pci_root_new(const struct pci_root_conf *conf, struct pci_root **ret)
{
	struct pci_root *r;
	unsigned i;

	if (conf->mmio32_base > UINT32_MAX || conf->mmio32_bytes > UINT32_MAX - conf->mmio32_base ||
	    conf->mmio64_bytes > UINT64_MAX - conf->mmio64_base)
		return -EINVAL;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->conf = *conf;
	r->mmio32 = (struct space){ conf->mmio32_base, conf->mmio32_base + conf->mmio32_bytes };
	r->mmio64 = (struct space){ conf->mmio64_base, conf->mmio64_base + conf->mmio64_bytes };
	pthread_mutex_init(&r->address_lock, NULL);
	pthread_rwlock_init(&r->map_lock, NULL);
	for (i = 0; i < PCI_SLOTS; i++)
		pthread_mutex_init(&r->fn[i].lock, NULL);
	chipset_host_init(&r->fn[PCI_SLOT_HOST].config);
	chipset_lpc_init(&r->fn[PCI_SLOT_LPC].config);
	r->fn[PCI_SLOT_HOST].present = true;
	r->fn[PCI_SLOT_LPC].present = true;
	chipset_update(r, PCI_SLOT_HOST);
	chipset_update(r, PCI_SLOT_LPC);
	*ret = r;
	return 0;
}

void pci_root_free(struct pci_root *r)
{
	unsigned i;

	if (!r)
		return;
	for (i = 0; i < PCI_SLOTS; i++) {
		assign_free(r->fn[i].a);
		msix_free(r->fn[i].msix);
		pthread_mutex_destroy(&r->fn[i].lock);
	}
	pthread_rwlock_destroy(&r->map_lock);
	pthread_mutex_destroy(&r->address_lock);
	free(r);
}

void pci_root_freep(struct pci_root **r)
{
	pci_root_free(*r);
	*r = NULL;
}

static bool space_take(struct space *s, uint64_t size, uint64_t *ret_at)
{
	uint64_t at = align_up(s->next, size);

	if (s->next > UINT64_MAX - size || at > s->end || size > s->end - at)
		return false;
	s->next = at + size;
	*ret_at = at;
	return true;
}

/* Largest first would waste nothing; in slot order what is wasted is bounded by the largest BAR. */
static int bars_place(struct pci_root *r, const struct pci_config_conf *conf,
		      uint64_t home[PCI_BARS_MAX])
{
	struct space low = r->mmio32, high = r->mmio64;
	unsigned i;

	for (i = 0; i < PCI_BARS_MAX; i++) {
		const struct pci_bar *b = &conf->bar[i];

		if (!b->size)
			continue;
		if (b->is_64 && b->size > BAR32_MAX_BYTES && space_take(&high, b->size, &home[i]))
			continue;
		if (space_take(&low, b->size, &home[i]))
			continue;
		if (!b->is_64 || !space_take(&high, b->size, &home[i]))
			return -ENOSPC;
	}
	r->mmio32 = low;
	r->mmio64 = high;
	return 0;
}

static bool areas_ok(const struct assign_info *info)
{
	unsigned i;

	if (info->area_cnt > ASSIGN_AREAS_MAX)
		return false;
	for (i = 0; i < info->area_cnt; i++) {
		const struct assign_area *w = &info->area[i];

		if (w->bar >= PCI_BARS_MAX || (w->off | w->size) % 4 ||
		    !range_ok(w->off, w->size, info->conf.bar[w->bar].size) ||
		    (w->kind == ASSIGN_AREA_SHADOW && !w->mem))
			return false;
	}
	return true;
}

/* Configuration space and BARs as they are when the machine is switched on. Call with fn->lock held or alone. */
static void config_home(struct fn *f)
{
	unsigned i;

	pci_config_reset(&f->config);
	for (i = 0; i < PCI_BARS_MAX; i++)
		if (f->config.conf.bar[i].size)
			pci_config_bar_set(&f->config, i, f->home[i]);
}

int pci_root_add(struct pci_root *r, unsigned slot, struct assign *a)
{
	CLEANUP(msix_freep) struct msix *msix = NULL;
	unsigned vectors = a->info.conf.msix.vector_cnt;
	struct fn *f;
	int e;

	if (slot < PCI_SLOT_FIRST || slot > PCI_SLOT_LAST || !areas_ok(&a->info))
		return -EINVAL;
	f = &r->fn[slot];
	if (f->present)
		return -EBUSY;
	e = pci_config_init(&f->config, &a->info.conf);
	if (e < 0)
		return e;
	if (vectors) {
		e = msix_new(&r->conf.irq, vectors, &msix);
		if (e < 0)
			return e;
		e = a->ops->irqs_set(a->p, msix_fds(msix), vectors);
		if (e < 0)
			return e;
	}
	e = bars_place(r, &a->info.conf, f->home);
	if (e < 0)
		return e;
	f->msix = TAKE_PTR(msix);
	f->a = a;
	f->present = true;
	config_home(f);
	return 0;
}

/* Takes a slot's windows out of the map and puts back those that decode. Call with fn->lock held. */
static void windows_update(struct pci_root *r, uint8_t slot)
{
	const struct fn *f = &r->fn[slot];
	bool on = pci_config_command(&f->config) & PCI_COMMAND_MEMORY;
	unsigned i, kept = 0;
	uint64_t at;

	pthread_rwlock_wrlock(&r->map_lock);
	for (i = 0; i < r->window_cnt; i++)
		if (r->window[i].slot != slot)
			r->window[kept++] = r->window[i];
	for (i = 0; on && i < PCI_BARS_MAX; i++)
		if (pci_config_bar(&f->config, i, &at))
			r->window[kept++] =
				(struct window){ at, f->config.conf.bar[i].size, slot, (uint8_t)i };
	r->window_cnt = kept;
	pthread_rwlock_unlock(&r->map_lock);
}

/* Guest's power-on for one function. Call with fn->lock held. */
static int fn_reset(struct pci_root *r, uint8_t slot)
{
	struct fn *f = &r->fn[slot];
	int e;

	e = f->a->ops->reset(f->a->p);
	if (f->msix)
		msix_reset(f->msix);
	config_home(f);
	windows_update(r, slot);
	return e;
}

/* A function-level reset clears the BARs; only a reboot brings firmware's placement back. */
static void fn_flr(struct pci_root *r, uint8_t slot)
{
	struct fn *f = &r->fn[slot];
	int e;

	e = fn_reset(r, slot);
	if (e < 0)
		log_warn_limited("hv.pci.flr_failed", "slot=%u err=%d", (unsigned)slot, -e);
	pci_config_reset(&f->config);
	windows_update(r, slot);
}

static void fn_config_changed(struct pci_root *r, uint8_t slot, unsigned ev)
{
	struct fn *f = &r->fn[slot];

	if (ev & PCI_EV_FLR) {
		fn_flr(r, slot);
		return;
	}
	if (ev & (PCI_EV_BAR | PCI_EV_COMMAND))
		windows_update(r, slot);
	if (ev & PCI_EV_COMMAND)
		f->a->ops->command(f->a->p, pci_config_command(&f->config));
	if ((ev & PCI_EV_MSIX) && f->msix)
		msix_control(f->msix, pci_config_msix_enabled(&f->config),
			     pci_config_msix_masked(&f->config));
}

/* @at: bus, slot, function and register as in ECAM. */
static void config_access(struct pci_root *r, uint64_t at, void *data, size_t len, bool write)
{
	uint8_t slot = (at >> CFG_SLOT_SHIFT) % PCI_SLOTS;
	uint64_t off = at % PCI_CFG_BYTES;
	struct fn *f = &r->fn[slot];
	unsigned ev;

	if (!write)
		memset(data, 0xff, len);
	if (at >> CFG_BUS_SHIFT || (at >> CFG_FN_SHIFT) % 8 || !f->present)
		return;
	pthread_mutex_lock(&f->lock);
	if (!write) {
		pci_config_read(&f->config, off, data, len);
	} else {
		ev = pci_config_write(&f->config, off, data, len);
		if (f->a)
			fn_config_changed(r, slot, ev);
		else
			chipset_update(r, slot);
	}
	pthread_mutex_unlock(&f->lock);
}

/* spec: pci-3.0 §3.2.2.3.2: only a full DWORD reaches the address port; bytes there are other devices'. */
static bool address_port(struct pci_root *r, uint16_t port, void *data, size_t len, bool write)
{
	if (port != PORT_ADDRESS || len != 4)
		return false;
	pthread_mutex_lock(&r->address_lock);
	if (write)
		r->address = le32_load(data);
	else
		le32_store(data, r->address);
	pthread_mutex_unlock(&r->address_lock);
	return true;
}

static void data_port(struct pci_root *r, unsigned byte, void *data, size_t len, bool write)
{
	uint32_t address;
	uint64_t at;

	pthread_mutex_lock(&r->address_lock);
	address = r->address;
	pthread_mutex_unlock(&r->address_lock);
	if (!(address >> ADDRESS_ON)) {
		if (!write)
			memset(data, 0xff, len);
		return;
	}
	/* bus 23:16, slot 15:11, function 10:8, register 7:2 */
	at = ((uint64_t)(address >> 8) & 0xffff) << CFG_FN_SHIFT;
	config_access(r, at | (address & 0xfc) | byte, data, len, write);
}

bool pci_root_pio(struct pci_root *r, uint16_t port, void *data, size_t len, bool write)
{
	if (port < PORT_DATA)
		return address_port(r, port, data, len, write);
	if (port > PORT_DATA + 3 || len > 4 || port + len > PORT_DATA + 4)
		return false;
	data_port(r, port - PORT_DATA, data, len, write);
	return true;
}

/* Return: the area a write of a BAR falls into, NULL for none. */
static const struct assign_area *area_find(const struct assign *a, unsigned bar, uint64_t off,
					   size_t len)
{
	unsigned i;

	for (i = 0; i < a->info.area_cnt; i++) {
		const struct assign_area *w = &a->info.area[i];

		if (w->bar == bar && off >= w->off && range_ok(off - w->off, len, w->size))
			return w;
	}
	return NULL;
}

/*
 * The short way. Release: pairs with the device's load after it has seen the eventfd.
 * Return: false when the write has to go as a message.
 */
static bool area_write(struct pci_root *r, const struct assign_area *w, uint64_t off,
		       const void *data, size_t len)
{
	_Atomic uint32_t *words;

	if (w->kind == ASSIGN_AREA_SHADOW) {
		if (len != 4 || off % 4)
			return false;
		words = w->mem;
		atomic_store_explicit(&words[(off - w->off) / 4], le32_load(data),
				      memory_order_release);
	} else if (w->kind != ASSIGN_AREA_EVENT) {
		return false;
	}
	fd_event_signal(w->event_fd);
	atomic_fetch_add_explicit(&r->doorbells, 1, memory_order_relaxed);
	return true;
}

static bool touches(uint64_t off, size_t len, uint64_t from, uint64_t size)
{
	return off < from + size && from < off + len;
}

/* Table and pending bits never reach the device. Return: true when the access was theirs. */
static bool msix_access(struct fn *f, unsigned bar, uint64_t off, void *data, size_t len,
			bool write)
{
	const struct pci_msix_conf *x = &f->config.conf.msix;
	uint32_t table = msix_table_bytes(x->vector_cnt);
	uint32_t pba = msix_pba_bytes(x->vector_cnt);

	if (!f->msix)
		return false;
	/* What only grazes a structure wraps to an offset outside it, and is dropped there. */
	if (bar == x->table_bar && touches(off, len, x->table_off, table)) {
		msix_table_access(f->msix, off - x->table_off, data, len, write);
		return true;
	}
	if (bar == x->pba_bar && touches(off, len, x->pba_off, pba)) {
		msix_pba_access(f->msix, off - x->pba_off, data, len, write);
		return true;
	}
	return false;
}

static void bar_access(struct pci_root *r, struct fn *f, unsigned bar, uint64_t off, void *data,
		       size_t len, bool write)
{
	const struct assign_area *w;

	if (!write)
		memset(data, 0xff, len);
	if (!range_ok(off, len, f->config.conf.bar[bar].size) ||
	    msix_access(f, bar, off, data, len, write))
		return;
	w = write ? area_find(f->a, bar, off, len) : NULL;
	if (w && area_write(r, w, off, data, len))
		return;
	atomic_fetch_add_explicit(&r->forwarded, 1, memory_order_relaxed);
	if (write)
		f->a->ops->write(f->a->p, bar, off, data, len);
	else
		f->a->ops->read(f->a->p, bar, off, data, len);
}

enum hit { HIT_NONE, HIT_ECAM, HIT_BAR };

/* Where does an address lead right now? @ret->at becomes what has to be subtracted from it. */
static enum hit map_find(struct pci_root *r, uint64_t gpa, struct window *ret)
{
	enum hit hit = HIT_NONE;
	unsigned i;

	pthread_rwlock_rdlock(&r->map_lock);
	if (gpa - r->ecam_base < r->ecam_len) {
		ret->at = r->ecam_base;
		hit = HIT_ECAM;
	}
	for (i = 0; hit == HIT_NONE && i < r->window_cnt; i++) {
		if (gpa - r->window[i].at >= r->window[i].size)
			continue;
		*ret = r->window[i];
		hit = HIT_BAR;
	}
	pthread_rwlock_unlock(&r->map_lock);
	return hit;
}

bool pci_root_mmio(struct pci_root *r, uint64_t gpa, void *data, size_t len, bool write)
{
	struct window w;

	switch (map_find(r, gpa, &w)) {
	case HIT_ECAM:
		config_access(r, gpa - w.at, data, len, write);
		return true;
	case HIT_BAR:
		bar_access(r, &r->fn[w.slot], w.bar, gpa - w.at, data, len, write);
		return true;
	case HIT_NONE:
		break;
	}
	return false;
}

uint16_t pci_root_pm_base(struct pci_root *r)
{
	return atomic_load(&r->pm_base);
}

int pci_root_reset(struct pci_root *r)
{
	int first = 0;
	unsigned i;

	for (i = PCI_SLOT_FIRST; i <= PCI_SLOT_LAST; i++) {
		struct fn *f = &r->fn[i];
		int e;

		if (!f->present)
			continue;
		pthread_mutex_lock(&f->lock);
		e = fn_reset(r, (uint8_t)i);
		pthread_mutex_unlock(&f->lock);
		if (e < 0 && !f->a->ops->lost(f->a->p) && first == 0)
			first = e;
	}
	pci_config_reset(&r->fn[PCI_SLOT_HOST].config);
	pci_config_reset(&r->fn[PCI_SLOT_LPC].config);
	chipset_update(r, PCI_SLOT_HOST);
	chipset_update(r, PCI_SLOT_LPC);
	pthread_mutex_lock(&r->address_lock);
	r->address = 0;
	pthread_mutex_unlock(&r->address_lock);
	return first;
}

struct assign *pci_root_function(struct pci_root *r, unsigned slot)
{
	return slot < PCI_SLOTS ? r->fn[slot].a : NULL;
}

void pci_root_stats(struct pci_root *r, struct pci_root_stats *ret)
{
	ret->doorbells = atomic_load_explicit(&r->doorbells, memory_order_relaxed);
	ret->forwarded = atomic_load_explicit(&r->forwarded, memory_order_relaxed);
}
