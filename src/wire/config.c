/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the launcher and niterd say. Both may speak of a port first, and of a peer after the mappings that name it;
 * every order ends in the same state. A request that cannot be done leaves everything as it was and says why.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/fd.h"
#include "base/log.h"
#include "wire/wire.h"

static void answer(int fd, uint32_t seq, int err, const char *what, const char *id)
{
	int r = err < 0 ? ctl_ack(fd, seq, err, "%s%s%s: %s", what, id[0] ? " " : "", id,
				  strerrordesc_np(-err))
			: ctl_ack(fd, seq, 0, NULL);

	if (r < 0)
		log_warn_limited("control.send", "err=%d", r);
}

/* ---- launcher ---- */

/*
 * Whoever does not read must not stop us: nothing blocks.
 * #syscalls:wire fcntl(F_SETFL)
 */
static int socket_take(struct wire *w, struct ctl_msg *m, unsigned idx, int *fd,
		       struct loop_ref *ref)
{
	CLEANUP(fd_closep) int own = fd_list_take(&m->fds, idx);
	int r;

	if (own < 0)
		return own;
	if (fcntl(own, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	if (*fd >= 0)
		loop_del(&w->loop, *fd);
	fd_closep(fd);
	r = loop_add(&w->loop, own, EPOLLIN, ref);
	if (r == 0)
		*fd = TAKE_FD(own);
	return r;
}

/* Again after the start: the sockets are replaced, everything else stays. */
static int configure(struct wire *w, struct ctl_msg *m)
{
	int r, fd = fd_list_take(&m->fds, 0);

	if (fd < 0)
		return fd;
	if (w->udp.fd >= 0)
		loop_del(&w->loop, w->udp.fd);
	r = udp_open(&w->udp, fd, m->u.wire_config.mtu);
	if (r == 0)
		r = loop_add(&w->loop, w->udp.fd, EPOLLIN, &w->udp_ref);
	if (r == 0)
		r = socket_take(w, m, 1, &w->tunnel_fd, &w->tunnel_ref);
	if (r == 0)
		r = socket_take(w, m, 2, &w->service_fd, &w->service_ref);
	if (r < 0)
		return r;
	w->udp_watched_out = false;
	keys_opened(w);
	log_info("wire.configured", "mtu=%u", m->u.wire_config.mtu);
	return 0;
}

static int port_add(struct wire *w, struct ctl_msg *m)
{
	CLEANUP(fd_closep) int fd = fd_list_take(&m->fds, 0);
	CLEANUP(fd_closep) int kick_fd = fd_list_take(&m->fds, 1);
	CLEANUP(fd_closep) int wait_fd = fd_list_take(&m->fds, 2);
	CLEANUP(packet_ring_freep) struct packet_ring *ring = NULL;
	struct port *p;
	int r;

	if (!m->u.wire_port_ref.interface_id[0] || fd < 0 || kick_fd < 0 || wait_fd < 0)
		return -EINVAL;
	r = packet_ring_map(fd, PACKET_RING_B, &ring);
	if (r < 0)
		return r;
	p = port_get(w, m->u.wire_port_ref.interface_id);
	if (!p)
		return -ENOSPC;
	return port_ring_set(w, p, TAKE_PTR(ring), TAKE_FD(kick_fd), TAKE_FD(wait_fd));
}

static int port_remove(struct wire *w, const char *id)
{
	struct port *p = port_find(w, id);

	if (!p)
		return -ENOENT;
	port_del(w, p);
	return 0;
}

void wire_control(struct wire *w, struct ctl_msg *m)
{
	const char *id = m->u.wire_port_ref.interface_id;

	switch ((unsigned)m->type) {
	case CTL_WIRE_CONFIG:
		answer(CTL_FD, m->seq, configure(w, m), "the wire's sockets", "");
		return;
	case CTL_WIRE_PORT_ADD:
		answer(CTL_FD, m->seq, port_add(w, m), "port", id);
		return;
	case CTL_WIRE_PORT_DEL:
		answer(CTL_FD, m->seq, port_remove(w, id), "port", id);
		return;
	default:
		log_err("control.unexpected", "type=%#x", (unsigned)m->type);
	}
}

/* ---- niterd ---- */

static int interface_set(struct wire *w, const struct ctl_vpc_interface *c)
{
	struct port *p;
	int r;

	if (!c->interface_id[0])
		return -EINVAL;
	p = port_get(w, c->interface_id);
	if (!p)
		return -ENOSPC;
	r = port_configure(w, p, c);
	if (r < 0 && !p->ring && !p->dead && !p->configured)
		port_del(w, p); /* it was made for this */
	return r;
}

static int mappings_add(struct wire *w, const struct ctl_vpc_mappings *m)
{
	unsigned i;
	int r = 0;

	for (i = 0; i < m->mapping_cnt && r == 0; i++)
		r = mapping_add(w, m->vni, &m->mapping[i]);
	return r;
}

static struct peer *peer_spare(struct wire *w)
{
	unsigned i;

	for (i = 0; i < WIRE_PEERS_MAX; i++)
		if (!w->peer[i].id)
			return &w->peer[i];
	return NULL;
}

/* Mappings may have named it before. */
static void peer_adopt(struct wire *w, struct peer *p)
{
	uint32_t idx = (uint32_t)(p - w->peer);
	unsigned i;

	for (i = 0; i < WIRE_TUNNELS_MAX; i++)
		if (w->tunnel[i].peer_id == p->id)
			w->tunnel[i].peer = idx;
}

static int peer_set(struct wire *w, const struct ctl_wire_peer *c)
{
	static const uint8_t zero[CTL_FINGERPRINT_BYTES];
	struct peer *p = peer_by_id(w, c->peer);
	struct udp_addr addr;
	int r;

	if (!c->peer || !c->port || !memcmp(c->fingerprint, zero, sizeof(zero)))
		return -EINVAL;
	if (w->udp.fd < 0)
		return -EAGAIN; /* the launcher has not configured us: niterd cannot even speak to us then */
	r = udp_addr_make(&w->udp, c->family, c->addr, c->port, &addr);
	if (r < 0)
		return r;
	if (peer_by_addr(w, &addr) && peer_by_addr(w, &addr) != p)
		return -EEXIST; /* two hosts cannot be at one address: handshakes are told apart by it */
	if (p && memcmp(p->fingerprint, c->fingerprint, sizeof(p->fingerprint)) != 0) {
		/* Another host under the old name. */
		peer_clock_init(&p->clock);
		tunnel_peer_forget(w, (uint32_t)(p - w->peer), false);
	}
	if (!p) {
		p = peer_spare(w);
		if (!p)
			return -ENOSPC;
		memset(p, 0, sizeof(*p));
		p->id = c->peer;
		peer_clock_init(&p->clock);
		bucket_init(&p->handshakes, WIRE_HANDSHAKES_PER_S, WIRE_HANDSHAKES_PER_S,
			    w->now_ns);
		peer_adopt(w, p);
	}
	p->addr = addr;
	memcpy(p->fingerprint, c->fingerprint, sizeof(p->fingerprint));
	keys_peer_set(w, p);
	if (tunnel_peer_shared(w, (uint32_t)(p - w->peer)))
		peer_event(w, p, PEER_EV_WANT);
	return 0;
}

static int peer_remove(struct wire *w, uint32_t id)
{
	struct peer *p = peer_by_id(w, id);

	if (!p)
		return -ENOENT;
	tunnel_peer_forget(w, (uint32_t)(p - w->peer), true);
	udp_forget(&w->udp, &p->addr);
	memset(p->fingerprint, 0, sizeof(p->fingerprint));
	keys_peer_set(w, p);
	memset(p, 0, sizeof(*p));
	return 0;
}

static void stats_answer(struct wire *w, uint32_t seq)
{
	int r;

	stats_write(w, &w->stats);
	r = ctl_send(w->service_fd, CTL_VPC_STATS, seq, &w->stats, NULL, 0);
	if (r < 0)
		log_warn_limited("service.send", "err=%d", r);
}

void wire_service(struct wire *w, struct ctl_msg *m)
{
	unsigned i;

	switch ((unsigned)m->type) {
	case CTL_VPC_INTERFACE_SET:
		answer(w->service_fd, m->seq, interface_set(w, &m->u.vpc_interface), "interface",
		       m->u.vpc_interface.interface_id);
		return;
	case CTL_VPC_MAPPINGS_ADD:
		answer(w->service_fd, m->seq, mappings_add(w, &m->u.vpc_mappings), "mappings", "");
		return;
	case CTL_VPC_MAPPINGS_DEL:
		for (i = 0; i < m->u.vpc_mappings.mapping_cnt; i++)
			mapping_del(w, m->u.vpc_mappings.vni, &m->u.vpc_mappings.mapping[i]);
		answer(w->service_fd, m->seq, 0, "mappings", "");
		return;
	case CTL_WIRE_PEER_SET:
		answer(w->service_fd, m->seq, peer_set(w, &m->u.wire_peer), "peer", "");
		return;
	case CTL_WIRE_PEER_DEL:
		answer(w->service_fd, m->seq, peer_remove(w, m->u.wire_peer_ref.peer), "peer", "");
		return;
	case CTL_VPC_STATS_READ:
		stats_answer(w, m->seq);
		return;
	default:
		log_warn_limited("service.unexpected", "type=%#x", (unsigned)m->type);
		answer(w->service_fd, m->seq, -EPROTO, "request", "");
	}
}
