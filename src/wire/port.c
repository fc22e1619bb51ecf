/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "wire/wire.h"

static uint32_t index_of(const struct wire *w, const struct port *p)
{
	return (uint32_t)(p - w->port);
}

struct port *port_find(struct wire *w, const char *id)
{
	unsigned i;

	for (i = 0; id[0] && i < WIRE_PORTS_MAX; i++)
		if (!strcmp(w->port[i].id, id))
			return &w->port[i];
	return NULL;
}

/*
 * A free slot; else one for which the launcher has made no ring: niterd may have spoken of an interface that is
 * gone by now.
 */
static struct port *port_spare(struct wire *w)
{
	unsigned i;

	for (i = 0; i < WIRE_PORTS_MAX; i++)
		if (!w->port[i].id[0])
			return &w->port[i];
	for (i = 0; i < WIRE_PORTS_MAX; i++)
		if (!w->port[i].ring && !w->port[i].dead) {
			port_del(w, &w->port[i]);
			return &w->port[i];
		}
	return NULL;
}

struct port *port_get(struct wire *w, const char *id)
{
	struct port *p = port_find(w, id);

	if (p || !id[0])
		return p;
	p = port_spare(w);
	if (!p)
		return NULL;
	memset(p, 0, sizeof(*p));
	memcpy(p->id, id, sizeof(p->id));
	p->kick_fd = p->wait_fd = -1;
	p->ref = (struct loop_ref){ REF_PORT, p };
	return p;
}

static void list_del(uint32_t *list, uint32_t *cnt, uint32_t v)
{
	uint32_t i;

	for (i = 0; i < *cnt; i++)
		if (list[i] == v) {
			list[i] = list[--*cnt];
			return;
		}
}

static void ring_drop(struct wire *w, struct port *p)
{
	if (p->active)
		list_del(w->active, &w->active_cnt, index_of(w, p));
	if (p->kick)
		list_del(w->kick, &w->kick_cnt, index_of(w, p));
	p->active = p->kick = false;
	if (p->wait_fd >= 0)
		loop_del(&w->loop, p->wait_fd);
	packet_ring_freep(&p->ring);
	fd_closep(&p->kick_fd);
	fd_closep(&p->wait_fd);
}

/* The other side broke its ring: nobody else notices. */
static void ring_died(struct wire *w, struct port *p)
{
	ring_drop(w, p);
	p->dead = true;
	w->cnt.ports_dead++;
	log_warn("port.dead", "port=%s why=\"its ring was broken by the other side\"", p->id);
}

int port_ring_set(struct wire *w, struct port *p, struct packet_ring *ring, int kick_fd,
		  int wait_fd)
{
	int r;

	ring_drop(w, p);
	p->dead = false;
	p->ring = ring;
	p->kick_fd = kick_fd;
	p->wait_fd = wait_fd;
	/* The signal itself carries nothing: edges are enough, and it is never read. */
	r = loop_add(&w->loop, wait_fd, EPOLLIN | EPOLLET, &p->ref);
	if (r < 0) {
		p->wait_fd = -1;
		fd_closep(&wait_fd);
		ring_drop(w, p);
		return r;
	}
	port_activate(w, p);
	return 0;
}

int port_configure(struct wire *w, struct port *p, const struct ctl_vpc_interface *c)
{
	uint64_t mac = inner_mac(c->mac);
	unsigned i;
	int r;

	if (!c->vni || c->vni > 0xffffff || !mac || c->mac[0] & 1 || c->vpc_prefix > 32)
		return -EINVAL;
	for (i = 0; i < c->address_cnt; i++)
		if (c->address[i].family != CTL_IPV4 && c->address[i].family != CTL_IPV6)
			return -EINVAL;
	r = mapping_port_set(w, c->vni, mac, index_of(w, p));
	if (r < 0)
		return r;
	if (p->configured && (p->vni != c->vni || p->mac != mac))
		mapping_port_clear(w, p->vni, p->mac);
	p->configured = true;
	p->flags = c->flags;
	p->vni = c->vni;
	p->mac = mac;
	memcpy(p->vpc_addr, c->vpc_addr, 4);
	p->vpc_prefix = c->vpc_prefix;
	p->address_cnt = c->address_cnt;
	for (i = 0; i < c->address_cnt; i++) {
		p->address[i].family = c->address[i].family;
		memcpy(p->address[i].b, c->address[i].addr, 16);
	}
	return 0;
}

void port_del(struct wire *w, struct port *p)
{
	ring_drop(w, p);
	if (p->configured)
		mapping_port_clear(w, p->vni, p->mac);
	memset(p, 0, sizeof(*p));
	p->kick_fd = p->wait_fd = -1;
}

void port_activate(struct wire *w, struct port *p)
{
	p->idle = 0;
	if (p->active || !p->ring)
		return;
	p->active = true;
	w->active[w->active_cnt++] = index_of(w, p);
}

/* The descriptors are non-blocking, and neither side's filter has a call that could change that. */
static void kick(const struct port *p)
{
	fd_event_signal(p->kick_fd);
}

unsigned port_turn(struct wire *w, struct port *p)
{
	struct packet pkt;
	unsigned n = 0;
	int r = 0;

	while (n < WIRE_PORT_BUDGET && (r = packet_ring_peek(p->ring, &pkt)) == 1) {
		egress_frame(w, p, &pkt);
		packet_ring_consume(p->ring);
		n++;
	}
	if (n && packet_ring_release(p->ring))
		kick(p);
	if (r < 0)
		ring_died(w, p);
	p->idle = n ? 0 : p->idle + 1;
	return n;
}

bool port_rest(struct wire *w, struct port *p)
{
	if (packet_ring_arm(p->ring)) {
		p->idle = 0;
		return true; /* frames, or its death: the next turn sees */
	}
	p->active = false;
	list_del(w->active, &w->active_cnt, index_of(w, p));
	return false;
}

int port_deliver(struct wire *w, struct port *p, const uint8_t *head, size_t head_len,
		 const uint8_t *rest, size_t rest_len, uint32_t flags)
{
	uint32_t len = (uint32_t)(head_len + rest_len);
	uint8_t *to;

	to = p->ring ? packet_ring_reserve(p->ring, len) : NULL;
	if (!to) {
		p->cnt.drop[PORT_D_RING_FULL]++;
		if (p->ring && packet_ring_dead(p->ring))
			port_activate(w, p); /* its turn buries it */
		return -ENOBUFS;
	}
	memcpy(to, head, head_len);
	if (rest_len)
		packet_ring_copy(to + head_len, rest, rest_len);
	packet_ring_commit(p->ring, len, flags);
	p->cnt.rx_frames++;
	p->cnt.rx_bytes += len;
	if (!p->kick) {
		p->kick = true;
		w->kick[w->kick_cnt++] = index_of(w, p);
	}
	return 0;
}

void port_kicks(struct wire *w)
{
	uint32_t i;

	for (i = 0; i < w->kick_cnt; i++) {
		struct port *p = &w->port[w->kick[i]];

		p->kick = false;
		if (packet_ring_publish(p->ring))
			kick(p);
	}
	w->kick_cnt = 0;
}
