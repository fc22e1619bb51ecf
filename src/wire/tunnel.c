/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Keys with other hosts. A tunnel sends under one key and receives under up to three: while two hosts change to a new
 * epoch, each is ready at its own time. Receiving keys are installed as soon as they are known. Sending changes when
 * the other end has shown that it is ready (a packet under the new key came), or when it must be (WIRE_SWITCH_NS).
 *
 * spec: docs/wire/tunnel.md "What the wire does", 3 and 4
 */

#include <errno.h>
#include <string.h>

#include "wire/key_export.h"
#include "wire/wire.h"

static uint32_t index_of(const struct wire *w, const struct tunnel *t)
{
	return (uint32_t)(t - w->tunnel);
}

/* ---- the SPI table: open addressing, never more than half full ---- */

/* SPIs are derived by HKDF: their low bits are as good as any. */
static uint32_t rx_home(uint32_t spi)
{
	return spi & (WIRE_RX_SLOTS - 1);
}

static uint32_t rx_seek(const struct wire *w, uint32_t spi)
{
	uint32_t i = rx_home(spi);

	while (w->rx[i].spi && w->rx[i].spi != spi)
		i = (i + 1) & (WIRE_RX_SLOTS - 1);
	return i;
}

struct rx_sa *tunnel_rx_find(struct wire *w, uint32_t spi)
{
	struct rx_sa *sa = &w->rx[rx_seek(w, spi)];

	return spi && sa->spi ? sa : NULL;
}

static void rx_del(struct wire *w, uint32_t spi)
{
	uint32_t hole = rx_seek(w, spi), i = hole, from;

	must(w->rx[hole].spi == spi && spi);
	esp_rx_freep(&w->rx[hole].esp);
	w->cnt.keys_wiped++;
	for (;;) {
		i = (i + 1) & (WIRE_RX_SLOTS - 1);
		if (!w->rx[i].spi)
			break;
		from = rx_home(w->rx[i].spi);
		if (((i - from) & (WIRE_RX_SLOTS - 1)) >= ((i - hole) & (WIRE_RX_SLOTS - 1))) {
			w->rx[hole] = w->rx[i];
			hole = i;
		}
	}
	memset(&w->rx[hole], 0, sizeof(w->rx[hole]));
}

/* ---- wiping ---- */

static void tx_wipe(struct wire *w, struct tx_sa *tx)
{
	if (tx->esp)
		w->cnt.keys_wiped++;
	esp_tx_freep(&tx->esp);
	memset(tx, 0, sizeof(*tx));
}

/* Receiving keys of @t that are wiped at @now or earlier. Keeps the others in order. */
static void rx_wipe_due(struct wire *w, struct tunnel *t, uint64_t now_ns)
{
	unsigned i, n = 0;

	for (i = 0; i < WIRE_RX_KEPT; i++) {
		struct rx_sa *sa = tunnel_rx_find(w, t->rx_spi[i]);

		if (!sa)
			continue;
		if (sa->wipe_ns <= now_ns) {
			rx_del(w, t->rx_spi[i]);
			continue;
		}
		wire_due(w, sa->wipe_ns);
		t->rx_spi[n++] = t->rx_spi[i];
	}
	while (n < WIRE_RX_KEPT)
		t->rx_spi[n++] = 0;
}

/* Receiving keys that are older than those with @spi (0: all) end at @at_ns. */
static void rx_end(struct wire *w, struct tunnel *t, uint32_t spi, uint64_t at_ns)
{
	unsigned i = 0;

	while (spi && i < WIRE_RX_KEPT && t->rx_spi[i] != spi)
		i++;
	for (i += spi != 0; i < WIRE_RX_KEPT; i++) {
		struct rx_sa *sa = tunnel_rx_find(w, t->rx_spi[i]);

		if (sa && sa->wipe_ns > at_ns)
			sa->wipe_ns = at_ns;
	}
	wire_due(w, at_ns);
}

static void tunnel_wipe(struct wire *w, struct tunnel *t)
{
	tx_wipe(w, &t->tx);
	tx_wipe(w, &t->next);
	t->switch_ns = PEER_NEVER;
	t->keys = KEYS_NONE;
	rx_end(w, t, 0, 0);
	rx_wipe_due(w, t, 0);
}

static void tunnel_free_unused(struct wire *w, struct tunnel *t)
{
	if (t->mac_cnt || t->tx.esp || t->next.esp || t->rx_spi[0] || t->keys == KEYS_ASKED)
		return;
	egress_held_expire(w, index_of(w, t));
	memset(t, 0, sizeof(*t));
}

/* ---- references ---- */

uint32_t tunnel_get(struct wire *w, uint32_t peer_id, uint32_t vni)
{
	uint32_t i, spare = WIRE_NONE;
	struct tunnel *t;
	struct peer *p;

	for (i = 0; i < WIRE_TUNNELS_MAX; i++) {
		t = &w->tunnel[i];
		if (t->peer_id == peer_id && t->vni == vni)
			return i;
		if (!t->peer_id && spare == WIRE_NONE)
			spare = i;
	}
	if (spare == WIRE_NONE)
		return spare;
	t = &w->tunnel[spare];
	p = peer_by_id(w, peer_id);
	*t = (struct tunnel){ .peer_id = peer_id, .vni = vni, .switch_ns = PEER_NEVER };
	t->peer = p ? (uint32_t)(p - w->peer) : WIRE_NONE;
	wire_due(w, w->now_ns); /* goes again if nobody counts it */
	return spare;
}

bool tunnel_peer_shared(const struct wire *w, uint32_t peer)
{
	unsigned i;

	for (i = 0; i < WIRE_TUNNELS_MAX; i++)
		if (w->tunnel[i].peer_id && w->tunnel[i].peer == peer && w->tunnel[i].mac_cnt)
			return true;
	return false;
}

/* Keys of the peer's epoch, unless they are here or on their way. */
static void keys_want(struct wire *w, struct tunnel *t)
{
	struct peer *p = &w->peer[t->peer];

	if (p->epoch && (t->keys == KEYS_NONE || t->epoch != p->epoch)) {
		t->keys = KEYS_WANTED;
		t->epoch = p->epoch;
		wire_due(w, w->now_ns);
	}
	peer_event(w, p, PEER_EV_WANT);
}

void tunnel_ref(struct wire *w, uint32_t tunnel)
{
	struct tunnel *t = &w->tunnel[tunnel];

	if (t->mac_cnt++ == 0 && t->peer != WIRE_NONE)
		keys_want(w, t);
}

void tunnel_unref(struct wire *w, uint32_t tunnel)
{
	struct tunnel *t = &w->tunnel[tunnel];

	must(t->mac_cnt);
	if (--t->mac_cnt == 0)
		wire_due(w, w->now_ns);
}

/* ---- epochs ---- */

void tunnel_peer_keys(struct wire *w, uint32_t peer)
{
	unsigned i;

	for (i = 0; i < WIRE_TUNNELS_MAX; i++) {
		struct tunnel *t = &w->tunnel[i];

		if (!t->peer_id || t->peer != peer)
			continue;
		if (t->mac_cnt) {
			t->keys = KEYS_WANTED;
			t->epoch = w->peer[peer].epoch;
		} else {
			/* Nobody sends here; the other end may for a while. */
			tx_wipe(w, &t->tx);
			tx_wipe(w, &t->next);
			t->switch_ns = PEER_NEVER;
			t->keys = KEYS_NONE;
			rx_end(w, t, 0, w->now_ns + WIRE_SWITCH_NS + WIRE_WIPE_NS);
		}
	}
	wire_due(w, w->now_ns);
}

void tunnel_peer_forget(struct wire *w, uint32_t peer, bool gone)
{
	unsigned i;

	w->peer[peer].epoch = 0;
	for (i = 0; i < WIRE_TUNNELS_MAX; i++) {
		struct tunnel *t = &w->tunnel[i];

		if (!t->peer_id || t->peer != peer)
			continue;
		tunnel_wipe(w, t);
		egress_held_expire(w, i);
		if (gone)
			t->peer = WIRE_NONE;
		tunnel_free_unused(w, t);
	}
}

static void tx_switch(struct wire *w, struct tunnel *t)
{
	tx_wipe(w, &t->tx);
	t->tx = t->next;
	memset(&t->next, 0, sizeof(t->next));
	t->switch_ns = PEER_NEVER;
	rx_end(w, t, t->tx.rx_spi, w->now_ns + WIRE_WIPE_NS);
	egress_held(w, index_of(w, t));
}

void tunnel_rx_used(struct wire *w, struct rx_sa *sa)
{
	struct tunnel *t = &w->tunnel[sa->tunnel];

	if (t->switch_ns != PEER_NEVER && t->next.rx_spi == sa->spi)
		tx_switch(w, t);
}

/* The oldest of a full set goes. */
static void rx_add(struct wire *w, struct tunnel *t, uint32_t spi, uint32_t epoch,
		   struct esp_rx *esp)
{
	unsigned last = WIRE_RX_KEPT - 1;
	struct rx_sa *sa;

	if (t->rx_spi[last])
		rx_del(w, t->rx_spi[last]);
	memmove(t->rx_spi + 1, t->rx_spi, last * sizeof(t->rx_spi[0]));
	t->rx_spi[0] = spi;
	sa = &w->rx[rx_seek(w, spi)];
	*sa = (struct rx_sa){ .spi = spi,
			      .tunnel = index_of(w, t),
			      .epoch = epoch,
			      .wipe_ns = PEER_NEVER,
			      .esp = esp };
}

static int sa_make(struct wire *w, const struct tunnel *t, const struct ctl_tun_sa *from,
		   struct esp_sa *ret, struct key **ret_key)
{
	int r = key_new_from(from->key, sizeof(from->key), ret_key);

	*ret = (struct esp_sa){
		.spi = from->spi, .vni = t->vni, .key = *ret_key, .now_ns = w->now_ns
	};
	memcpy(ret->salt, from->salt, sizeof(ret->salt));
	return r;
}

int tunnel_install(struct wire *w, struct tunnel *t, const struct ctl_tun_key *k)
{
	CLEANUP(key_freep) struct key *tx_key = NULL, *rx_key = NULL;
	CLEANUP(esp_tx_freep) struct esp_tx *tx = NULL;
	CLEANUP(esp_rx_freep) struct esp_rx *rx = NULL;
	struct esp_sa sa;
	int r;

	t->keys = KEYS_NONE;
	if (tunnel_rx_find(w, k->rx.spi)) {
		w->cnt.spi_collisions++;
		return -EEXIST;
	}
	r = sa_make(w, t, &k->tx, &sa, &tx_key);
	if (r == 0)
		r = esp_tx_new(&sa, &tx);
	if (r == 0)
		r = sa_make(w, t, &k->rx, &sa, &rx_key);
	if (r == 0)
		r = esp_rx_new(&sa, &rx);
	if (r < 0)
		return r;

	key_export(k);
	/* The one before did not get its time; the other end cannot have agreed on this one without having had that. */
	if (t->next.esp)
		tx_switch(w, t);
	rx_add(w, t, k->rx.spi, k->epoch, TAKE_PTR(rx));
	t->next = (struct tx_sa){ .esp = TAKE_PTR(tx), .epoch = k->epoch, .rx_spi = k->rx.spi };
	t->switch_ns = w->now_ns + (t->tx.esp ? WIRE_SWITCH_NS : WIRE_SWITCH_FIRST_NS);
	t->keys = KEYS_HERE;
	w->cnt.keys_installed++;
	wire_due(w, t->switch_ns);
	return 0;
}

void tunnel_tick(struct wire *w, struct tunnel *t)
{
	if (t->switch_ns != PEER_NEVER) {
		if (w->now_ns >= t->switch_ns)
			tx_switch(w, t);
		else
			wire_due(w, t->switch_ns);
	}
	rx_wipe_due(w, t, w->now_ns);
	tunnel_free_unused(w, t);
}
