/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Registers, states, interrupts and the turn of the ENA device; see ena.h and ena_priv.h.
 *
 * Stopping is immediate: between two calls nothing of the guest's memory is held, so "reset in progress" may be read as
 * soon as it was asked for.
 *
 * Interrupts. Vector 0 is for the admin queue and events and is raised once per batch unless INTR_MASK says no. The
 * vector of a queue pair masks itself when raised; a write to either unmask register of the pair opens it again, and if
 * anything was posted meanwhile it is raised at once.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "cards/network/ena_priv.h"

enum {
	BAR0_BYTES = 16384,
	BAR_MSIX = 4,
	BAR_MSIX_BYTES = 8192,
	MSIX_PBA_OFF = 4096,

	VERSION = 0x0200,             /* 2.0 */
	CONTROLLER_VERSION = 0x10001, /* 0.1.0.1: anything from 0.0.1 on */
	CAPS_RESET_100MS = 30,
	CAPS_DMA_BITS = GMEM_ADDR_BITS,
	REASON_NORMAL = 0,
	REASON_SHUTDOWN = 11,
};

static const enum ena_state next_state[ENA_STATES][ENA_EVENTS] = {
	[ENA_IDLE] = {
		[ENA_EV_START] = ENA_RUNNING,
		[ENA_EV_RESET_ON] = ENA_RESETTING,
		[ENA_EV_RESET_OFF] = ENA_IDLE,
		[ENA_EV_POWER_ON] = ENA_IDLE,
		[ENA_EV_FATAL] = ENA_FATAL,
	},
	[ENA_RUNNING] = {
		[ENA_EV_START] = ENA_RUNNING,
		[ENA_EV_RESET_ON] = ENA_RESETTING,
		[ENA_EV_RESET_OFF] = ENA_RUNNING,
		[ENA_EV_POWER_ON] = ENA_IDLE,
		[ENA_EV_FATAL] = ENA_FATAL,
	},
	[ENA_RESETTING] = {
		[ENA_EV_START] = ENA_RESETTING,
		[ENA_EV_RESET_ON] = ENA_RESETTING,
		[ENA_EV_RESET_OFF] = ENA_IDLE,
		[ENA_EV_POWER_ON] = ENA_IDLE,
		[ENA_EV_FATAL] = ENA_RESETTING,
	},
	[ENA_FATAL] = {
		[ENA_EV_START] = ENA_FATAL,
		[ENA_EV_RESET_ON] = ENA_RESETTING,
		[ENA_EV_RESET_OFF] = ENA_FATAL,
		[ENA_EV_POWER_ON] = ENA_IDLE,
		[ENA_EV_FATAL] = ENA_FATAL,
	},
};

static const char *const state_name[ENA_STATES] = {
	[ENA_IDLE] = "idle",
	[ENA_RUNNING] = "running",
	[ENA_RESETTING] = "resetting",
	[ENA_FATAL] = "fatal",
};

void ena_pci(unsigned queue_pairs, struct pci_config_conf *ret)
{
	*ret = (struct pci_config_conf){
		.vendor = 0x1d0f,
		.device = 0xec20,
		.subvendor = 0x1d0f,
		.subdevice = 0xec20,
		.revision = 1, /* odd: the driver reads registers as memory, not through its own memory */
		.class_code = 0x020000,
		.msix = {
			.vector_cnt = (uint16_t)(queue_pairs + 1),
			.table_bar = BAR_MSIX,
			.pba_bar = BAR_MSIX,
			.pba_off = MSIX_PBA_OFF,
		},
		.express = true,
		.flr = true,
		.pm = true,
	};
	ret->bar[0] = (struct pci_bar){ .size = BAR0_BYTES };
	ret->bar[BAR_MSIX] = (struct pci_bar){ .size = BAR_MSIX_BYTES };
}

/* ---- state ---- */

/* Everything the guest has made is gone. */
static void stop(struct ena *e)
{
	memset(&e->regs, 0, sizeof(e->regs));
	memset(&e->admin, 0, sizeof(e->admin));
	memset(&e->aenq, 0, sizeof(e->aenq));
	memset(e->cq, 0, sizeof(e->cq));
	memset(e->vector, 0, sizeof(e->vector));
	memset(e->txq, 0, sizeof(e->txq));
	memset(e->rxq, 0, sizeof(e->rxq));
	e->base = e->stats;
	ena_feature_reset(e);
}

int ena_new(const struct ena_conf *conf, struct ena **ret)
{
	struct ena *e;

	must(conf->queue_pairs >= 1 && conf->queue_pairs <= ENA_QUEUES_MAX);
	must(conf->mtu >= ENA_MTU_MIN && conf->mtu <= ENA_MTU_MAX);
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;

	e->conf = *conf;
	strncpy(e->name, conf->name, sizeof(e->name) - 1);
	e->conf.name = e->name;
	if (!e->conf.link_mbps)
		e->conf.link_mbps = 10000;
	e->link_up = true;
	stop(e);
	*ret = e;
	return 0;
}

void ena_free(struct ena *e)
{
	free(e);
}

void ena_freep(struct ena **e)
{
	ena_free(*e);
	*e = NULL;
}

void ena_event(struct ena *e, enum ena_event ev)
{
	enum ena_state old = e->state;

	e->state = next_state[old][ev];
	if (e->state == old)
		return;
	log_debug("ena.state", "dev=%s from=%s to=%s", e->name, state_name[old],
		  state_name[e->state]);
	if (e->state != ENA_RUNNING)
		stop(e);
}

void ena_fatal(struct ena *e, const char *why, unsigned queue)
{
	log_warn_limited("ena.fatal", "dev=%s queue=%u why=%s", e->name, queue, why);
	if (e->state != ENA_FATAL && e->state != ENA_RESETTING)
		e->stats.fatals++;
	ena_event(e, ENA_EV_FATAL);
}

bool ena_running(const struct ena *e)
{
	return e->state == ENA_RUNNING;
}

/* ---- registers ---- */

static uint32_t reg_read(const struct ena *e, uint64_t off)
{
	switch (off) {
	case ENA_REG_VERSION:
		return VERSION;
	case ENA_REG_CONTROLLER_VERSION:
		return CONTROLLER_VERSION;
	case ENA_REG_CAPS:
		return 1 | CAPS_RESET_100MS << 1 | CAPS_DMA_BITS << 8;
	case ENA_REG_DEV_STS:
		return ENA_DEV_STS_READY | (e->state == ENA_RESETTING ? ENA_DEV_STS_RESETTING : 0) |
		       (e->state == ENA_FATAL ? ENA_DEV_STS_FATAL : 0);
	default:
		return 0;
	}
}

static bool caps_ok(uint32_t caps)
{
	uint32_t depth = caps & 0xffff;

	return caps >> 16 == ENA_ADMIN_ENTRY_BYTES && depth >= 2 && depth <= ENA_ADMIN_DEPTH_MAX &&
	       (depth & (depth - 1)) == 0;
}

/* The registers become the admin queue; from here on only this copy counts. */
static void start(struct ena *e)
{
	const struct ena_regs *r = &e->regs;

	if (!caps_ok(r->aq_caps) || r->acq_caps != r->aq_caps ||
	    r->aq_base % ENA_ADMIN_ENTRY_BYTES || r->acq_base % ENA_ADMIN_ENTRY_BYTES) {
		ena_fatal(e, "admin_queue", 0);
		return;
	}
	ena_event(e, ENA_EV_START);
	e->admin.aq.v = r->aq_base;
	e->admin.acq.v = r->acq_base;
	e->admin.depth = (uint16_t)(r->aq_caps & 0xffff);
}

static void admin_doorbell(struct ena *e, uint16_t tail)
{
	if (e->state == ENA_IDLE)
		start(e);
	if (e->state != ENA_RUNNING)
		return;
	if ((uint16_t)(tail - e->admin.head) > e->admin.depth)
		ena_fatal(e, "admin_doorbell", 0);
	else
		e->admin.tail = tail;
}

static void aenq_doorbell(struct ena *e, uint16_t head)
{
	const struct ena_regs *r = &e->regs;

	if (e->state != ENA_RUNNING)
		return;
	if (!e->aenq.depth) {
		if (!caps_ok(r->aenq_caps) || r->aenq_base % ENA_ADMIN_ENTRY_BYTES) {
			ena_fatal(e, "aenq", 0);
			return;
		}
		e->aenq.base.v = r->aenq_base;
		e->aenq.depth = (uint16_t)(r->aenq_caps & 0xffff);
		e->aenq.link_due = true;
	}
	ena_aenq_head(e, head);
}

static void dev_ctl(struct ena *e, uint32_t v)
{
	unsigned reason = ENA_DEV_CTL_REASON(v);

	if (!(v & ENA_DEV_CTL_RESET)) {
		ena_event(e, ENA_EV_RESET_OFF);
		return;
	}
	if (reason != REASON_NORMAL && reason != REASON_SHUTDOWN)
		log_warn_limited("ena.reset", "dev=%s reason=%u", e->name, reason);
	e->stats.resets++;
	ena_event(e, ENA_EV_RESET_ON);
}

static uint64_t half_put(uint64_t old, uint32_t v, bool high)
{
	return high ? (old & 0xffffffffu) | (uint64_t)v << 32 : (old & ~(uint64_t)0xffffffffu) | v;
}

/* Registers that describe a ring, until the ring is in use. */
static void ring_reg_write(struct ena *e, uint64_t off, uint32_t v)
{
	struct ena_regs *r = &e->regs;
	bool aenq = off >= ENA_REG_AENQ_CAPS;

	if (e->state == ENA_RESETTING || e->state == ENA_FATAL ||
	    (aenq ? e->aenq.depth : e->admin.depth))
		return;
	switch (off) {
	case ENA_REG_AQ_BASE_LO:
	case ENA_REG_AQ_BASE_HI:
		r->aq_base = half_put(r->aq_base, v, off == ENA_REG_AQ_BASE_HI);
		return;
	case ENA_REG_AQ_CAPS:
		r->aq_caps = v;
		return;
	case ENA_REG_ACQ_BASE_LO:
	case ENA_REG_ACQ_BASE_HI:
		r->acq_base = half_put(r->acq_base, v, off == ENA_REG_ACQ_BASE_HI);
		return;
	case ENA_REG_ACQ_CAPS:
		r->acq_caps = v;
		return;
	case ENA_REG_AENQ_BASE_LO:
	case ENA_REG_AENQ_BASE_HI:
		r->aenq_base = half_put(r->aenq_base, v, off == ENA_REG_AENQ_BASE_HI);
		return;
	case ENA_REG_AENQ_CAPS:
		r->aenq_caps = v;
		return;
	default:
		return;
	}
}

static void reg_write(struct ena *e, uint64_t off, uint32_t v)
{
	switch (off) {
	case ENA_REG_AQ_DB:
		admin_doorbell(e, (uint16_t)v);
		return;
	case ENA_REG_AENQ_HEAD_DB:
		aenq_doorbell(e, (uint16_t)v);
		return;
	case ENA_REG_INTR_MASK:
		e->regs.irq_masked = v & ENA_INTR_MASK_ADMIN;
		ena_irqs(e);
		return;
	case ENA_REG_DEV_CTL:
		dev_ctl(e, v);
		return;
	default:
		ring_reg_write(e, off, v);
		return;
	}
}

/* A doorbell that came as a message instead of through the shared page. */
static void db_write(struct ena *e, uint64_t off, uint32_t v)
{
	if (off - ENA_DB_OFF < ENA_DB_BYTES)
		atomic_store_explicit(&e->conf.db_page[(off - ENA_DB_OFF) / 4], v,
				      memory_order_release);
}

void ena_access(struct ena *e, unsigned region, uint64_t off, void *buf, size_t len, bool write)
{
	uint8_t *p = buf;
	size_t i;

	/* Registers are words: anything else reads as zero and is dropped. */
	if (region != 0 || off % 4 || len % 4 || len > 8)
		return;
	for (i = 0; i < len; i += 4) {
		if (!write)
			le32_store(p + i, reg_read(e, off + i));
		else if (off + i >= ENA_DB_OFF)
			db_write(e, off + i, le32_load(p + i));
		else
			reg_write(e, off + i, le32_load(p + i));
	}
}

/* ---- interrupts ---- */

/* Return: true when a vector was unmasked. */
static bool unmasks(struct ena *e)
{
	_Atomic uint32_t *page = e->conf.db_page;
	bool did = false;
	unsigned i;

	for (i = 0; i < ENA_IO_QUEUES; i++) {
		_Atomic uint32_t *word = &page[ena_unmask_slot(i)];

		if (!e->cq[i].depth || !atomic_load_explicit(word, memory_order_relaxed))
			continue;
		did = true;
		if (atomic_exchange_explicit(word, 0, memory_order_acq_rel) & ENA_UNMASK)
			e->vector[e->cq[i].vector].masked = false;
	}
	return did;
}

static bool unmask_waits(const struct ena *e)
{
	unsigned i;

	for (i = 0; i < ENA_IO_QUEUES; i++)
		if (e->cq[i].depth && atomic_load_explicit(&e->conf.db_page[ena_unmask_slot(i)],
							   memory_order_relaxed))
			return true;
	return false;
}

void ena_irqs(struct ena *e)
{
	unsigned i;

	if (e->state != ENA_RUNNING)
		return;
	if (e->admin.posted && !e->regs.irq_masked) {
		e->admin.posted = false;
		e->conf.irq(e->conf.irq_ctx, 0);
	}
	for (i = 1; i <= e->conf.queue_pairs; i++) {
		struct ena_vector *v = &e->vector[i];

		if (!v->due || v->masked)
			continue;
		v->due = false;
		v->masked = true;
		e->conf.irq(e->conf.irq_ctx, i);
	}
}

/* ---- the turn ---- */

bool ena_service(struct ena *e, uint64_t now_ns)
{
	bool did = false;

	e->now_ns = now_ns;
	if (!ena_live(e))
		return false;
	did |= ena_admin_turn(e);
	if (ena_live(e))
		did |= unmasks(e);
	if (ena_live(e))
		did |= ena_tx_turn(e);
	if (ena_live(e))
		ena_aenq_turn(e);
	if (e->committed) {
		e->committed = false;
		e->conf.ops->flush(e->conf.port);
	}
	ena_rx_flush(e);
	return did;
}

bool ena_arm(struct ena *e)
{
	return ena_live(e) && (ena_admin_work(e) || unmask_waits(e) || ena_tx_work(e));
}

uint64_t ena_wake_ns(const struct ena *e)
{
	uint64_t at = UINT64_MAX, tx;

	if (!ena_live(e))
		return at;
	if (e->aenq.depth && e->aenq.groups & 1 << ENA_G_KEEP_ALIVE)
		at = e->aenq.keep_alive_ns;
	tx = ena_tx_wake_ns(e);
	return tx < at ? tx : at;
}

int ena_quiesce(struct ena *e, bool reset)
{
	if (reset) {
		ena_event(e, ENA_EV_POWER_ON);
		stop(e);
		e->quiesced = false;
	} else {
		e->quiesced = true;
	}
	return 0;
}

void ena_resume(struct ena *e)
{
	e->quiesced = false;
}

void ena_link_set(struct ena *e, bool up)
{
	if (e->link_up == up)
		return;
	e->link_up = up;
	e->aenq.link_due = true;
	if (ena_live(e)) {
		ena_aenq_turn(e);
		ena_irqs(e);
	}
}

void ena_stats_get(const struct ena *e, struct ena_stats *ret)
{
	*ret = e->stats;
}
