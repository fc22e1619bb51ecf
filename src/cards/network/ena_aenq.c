/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Events to the guest: link, and a sign of life every second. What the queue has no room for waits (link) or is left out
 * (life).
 */

#include <errno.h>
#include <string.h>

#include "cards/network/ena_priv.h"

void ena_aenq_head(struct ena *e, uint16_t head)
{
	struct ena_aenq *q = &e->aenq;

	/* It may only give back what was sent, or nothing. */
	if ((uint16_t)(head - q->sent) > q->depth ||
	    (uint16_t)(head - q->sent) < (uint16_t)(q->free_to - q->sent)) {
		ena_fatal(e, "aenq_doorbell", 0);
		return;
	}
	q->free_to = head;
}

static bool room(const struct ena_aenq *q)
{
	return q->depth && q->free_to != q->sent;
}

static void post(struct ena *e, struct ena_aenq_entry *ev)
{
	struct ena_aenq *q = &e->aenq;
	gpa_t at = { q->base.v + (uint64_t)(q->sent % q->depth) * sizeof(*ev) };
	const size_t flags_off = offsetof(struct ena_aenq_entry, flags);
	uint32_t word;
	int r;

	ev->timestamp_lo = (uint32_t)e->now_ns;
	ev->timestamp_hi = (uint32_t)(e->now_ns >> 32);
	ev->flags = !(q->sent / q->depth & 1);
	memcpy(&word, (const uint8_t *)ev + flags_off, sizeof(word));

	r = gmem_write(e->conf.mem, at, ev, flags_off);
	if (r == 0)
		r = gmem_write(e->conf.mem, (gpa_t){ at.v + flags_off + 4 },
			       (const uint8_t *)ev + flags_off + 4, sizeof(*ev) - flags_off - 4);
	/* Release: pairs with dma_rmb() after the phase test in ena_com_aenq_intr_handler(). */
	if (r == 0)
		r = gmem_store32(e->conf.mem, (gpa_t){ at.v + flags_off }, word);
	if (r < 0) {
		ena_fatal(e, "aenq_memory", 0);
		return;
	}
	q->sent++;
	e->admin.posted = true;
}

static void link_tell(struct ena *e)
{
	struct ena_aenq_entry ev = { .group = ENA_G_LINK };

	ev.link_flags = e->link_up;
	e->aenq.link_due = false;
	post(e, &ev);
}

static void keep_alive(struct ena *e)
{
	struct ena_aenq_entry ev = { .group = ENA_G_KEEP_ALIVE };
	uint64_t rx = e->stats.rx_drops - e->base.rx_drops,
		 tx = e->stats.tx_drops - e->base.tx_drops;

	ev.keep_alive.rx_drops_lo = (uint32_t)rx;
	ev.keep_alive.rx_drops_hi = (uint32_t)(rx >> 32);
	ev.keep_alive.tx_drops_lo = (uint32_t)tx;
	ev.keep_alive.tx_drops_hi = (uint32_t)(tx >> 32);
	post(e, &ev);
}

void ena_aenq_turn(struct ena *e)
{
	struct ena_aenq *q = &e->aenq;

	if (q->link_due && q->groups & 1 << ENA_G_LINK && room(q))
		link_tell(e);
	if (!q->depth || !(q->groups & 1 << ENA_G_KEEP_ALIVE) || e->now_ns < q->keep_alive_ns)
		return;
	q->keep_alive_ns = e->now_ns + ENA_KEEP_ALIVE_NS;
	if (room(q))
		keep_alive(e);
}
