/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/wire.h"

#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"

int wire_init(struct wire *w, uint64_t seed)
{
	void *p = NULL;
	unsigned i;
	int r;

	memset(w, 0, sizeof(*w));
	w->loop.epfd = w->service_fd = w->tunnel_fd = w->udp.fd = -1;
	w->tick_ns = PEER_NEVER;
	w->chance = seed;
	for (i = 0; i < WIRE_PORTS_MAX; i++)
		w->port[i].kick_fd = w->port[i].wait_fd = -1;
	r = map_init(&w->map, seed);
	if (r == 0)
		r = udp_init(&w->udp);
	if (r == 0)
		r = mem_zalloc_pages(WIRE_HELD_MAX * sizeof(struct held), &p);
	if (r < 0)
		return r;
	w->held = p;
	for (i = 0; i < WIRE_HELD_MAX; i++)
		w->held[i].tunnel = WIRE_NONE;
	return loop_init(&w->loop);
}

void wire_done(struct wire *w)
{
	unsigned i;

	for (i = 0; i < WIRE_PORTS_MAX; i++)
		if (w->port[i].id[0])
			port_del(w, &w->port[i]);
	for (i = 0; i < WIRE_PEERS_MAX; i++)
		if (w->peer[i].id)
			tunnel_peer_forget(w, i, true);
	fd_closep(&w->service_fd);
	fd_closep(&w->tunnel_fd);
	udp_done(&w->udp);
	map_done(&w->map);
	if (w->held)
		mem_free_pages(w->held, WIRE_HELD_MAX * sizeof(struct held));
	w->held = NULL;
	loop_done(&w->loop);
}

/* Only for jitter. (Numerical Recipes' linear congruence; the high half.) */
uint32_t wire_chance(struct wire *w)
{
	w->chance = w->chance * 6364136223846793005ULL + 1442695040888963407ULL + w->now_ns;
	return (uint32_t)(w->chance >> 32);
}

void wire_due(struct wire *w, uint64_t ns)
{
	if (ns < w->tick_ns)
		w->tick_ns = ns;
}

void wire_tick(struct wire *w)
{
	unsigned i;

	if (w->now_ns < w->tick_ns)
		return;
	w->tick_ns = PEER_NEVER;
	for (i = 0; i < WIRE_PEERS_MAX; i++) {
		struct peer *p = &w->peer[i];

		if (!p->id)
			continue;
		if (w->now_ns >= p->clock.due_ns)
			peer_event(w, p, tunnel_peer_shared(w, i) ? PEER_EV_DUE : PEER_EV_UNWANT);
		wire_due(w, p->clock.due_ns);
	}
	for (i = 0; i < WIRE_TUNNELS_MAX; i++)
		if (w->tunnel[i].peer_id)
			tunnel_tick(w, &w->tunnel[i]);
	egress_held_expire(w, WIRE_NONE);
	keys_ask(w);
}

static bool udp_turn(struct wire *w)
{
	const struct udp_addr *from;
	uint8_t *p;
	size_t len;

	if (!w->udp_ready)
		return false;
	if (!udp_receive(&w->udp)) {
		w->udp_ready = false;
		return false;
	}
	while ((p = udp_next(&w->udp, &len, &from)))
		ingress_datagram(w, p, len, from);
	return true;
}

bool wire_turn(struct wire *w)
{
	bool did = udp_turn(w);
	uint32_t i = 0;

	while (i < w->active_cnt) {
		uint32_t idx = w->active[i];
		struct port *p = &w->port[idx];

		did |= port_turn(w, p) > 0;
		if (p->active && p->idle >= WIRE_IDLE_TURNS)
			(void)port_rest(w, p);
		if (i < w->active_cnt && w->active[i] == idx) /* else another one took its place */
			i++;
	}
	if (udp_pending(&w->udp) && !w->udp.blocked)
		udp_flush(&w->udp, w->now_ns);
	port_kicks(w);
	return did;
}

bool wire_arm(struct wire *w)
{
	uint32_t i = 0;
	bool more = false;

	while (i < w->active_cnt) {
		if (port_rest(w, &w->port[w->active[i]])) {
			more = true;
			i++;
		}
	}
	return more;
}
