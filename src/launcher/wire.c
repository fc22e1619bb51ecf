/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "base/packet_ring.h"
#include "launcher.h"
#include "nic.h"

/*
 * niter-wire: started after niter-security, started again whenever it ends. Instances go on meanwhile: their rings stay,
 * and the next wire gets all of them. Its keys are gone with it, on purpose: it makes new ones with every peer.
 */

#define WIRE_BACKOFF_MIN_NS (100 * NS_PER_MS)
#define WIRE_BACKOFF_MAX_NS (10 * NS_PER_S)
#define WIRE_LIVED_WELL_NS (10 * NS_PER_S)

enum {
	WIRE_SEQ_CONFIG = 1,
	WIRE_MEM_MIB = 1536, /* every ring may be charged to it: 2 MiB each */
	WIRE_PIDS = 32,
	WIRE_BUFFER_BYTES = 16 << 20,
	MTU_DEFAULT = 1500,
};

/* ---- its socket ---- */

static int overlay_socket(const char *text)
{
	const int size = WIRE_BUFFER_BYTES;
	CLEANUP(fd_closep) int fd = -1;
	struct sockaddr_in sa;
	int r;

	r = address_parse(text, &sa);
	if (r < 0)
		return r;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* What needs a right is done here; the rest of the socket's options the wire sets itself. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -errno;
	return TAKE_FD(fd);
}

void wire_open(struct launcher *l)
{
	int mtu = l->uplink ? nic_mtu(l->uplink) : MTU_DEFAULT;

	l->overlay_mtu = mtu >= MTU_DEFAULT && mtu <= UINT16_MAX ? (uint16_t)mtu : MTU_DEFAULT;
	l->overlay_fd = overlay_socket(l->overlay);
	if (l->overlay_fd >= 0)
		return;
	(void)snprintf(l->wire_text, sizeof(l->wire_text),
		       "no networks on this host: UDP %s cannot be used (%s): see --overlay of "
		       "niter-launcher",
		       l->overlay, strerrordesc_np(-l->overlay_fd));
	l->overlay_fd = -1;
	log_err("wire.socket", "text=\"%s\"", l->wire_text);
}

const char *wire_wrong(const struct launcher *l)
{
	return l->wire || l->wire_at_ns != NEVER ? NULL
	       : l->wire_text[0]                 ? l->wire_text
						 : "niter-wire does not run";
}

/* ---- ports ---- */

void wire_port_init(struct wire_port *p)
{
	*p = (struct wire_port){ .ring = -1, .user_kick = -1, .wire_kick = -1 };
}

/* #syscalls:launcher eventfd2 memfd_create */
int wire_port_new(struct wire_port *p, const char *id)
{
	int r;

	(void)snprintf(p->id, sizeof(p->id), "%s", id);
	r = p->ring = packet_ring_fd_new();
	if (r >= 0)
		r = p->user_kick = fd_eventfd();
	if (r >= 0)
		r = p->wire_kick = fd_eventfd();
	return r < 0 ? r : 0;
}

void wire_port_add(struct launcher *l, struct wire_port *p)
{
	const int fds[] = { p->ring, p->wire_kick, p->user_kick };
	struct ctl_wire_port_ref ref;

	p->ready = false;
	if (!l->wire)
		return;
	memcpy(ref.interface_id, p->id, sizeof(ref.interface_id));
	p->seq = ++l->wire_seq;
	if (child_send(l->wire, CTL_WIRE_PORT_ADD, p->seq, &ref, fds, ARRAY_SIZE(fds)) < 0)
		child_kill(l->wire);
}

void wire_port_del(struct launcher *l, struct wire_port *p)
{
	struct ctl_wire_port_ref ref;

	if (!p->id[0])
		return;
	memcpy(ref.interface_id, p->id, sizeof(ref.interface_id));
	if (l->wire && p->seq &&
	    child_send(l->wire, CTL_WIRE_PORT_DEL, ++l->wire_seq, &ref, NULL, 0) < 0)
		child_kill(l->wire);
	fd_closep(&p->ring);
	fd_closep(&p->user_kick);
	fd_closep(&p->wire_kick);
	wire_port_init(p);
}

enum { PORTS_OF_SETS = SETS_MAX * CTL_INTERFACES_MAX, PORT_SLOTS = PORTS_OF_SETS + GATEWAYS_MAX };

/* Port number @i of all there can be. Return: NULL when there is none. */
static struct wire_port *port_at(struct launcher *l, unsigned i, struct set **ret_set,
				 struct gateway **ret_gateway)
{
	struct wire_port *p;

	*ret_set = NULL;
	*ret_gateway = NULL;
	if (i < PORTS_OF_SETS) {
		*ret_set = &l->sets[i / CTL_INTERFACES_MAX];
		p = (*ret_set)->state == SET_FREE ? NULL
						  : &(*ret_set)->port[i % CTL_INTERFACES_MAX];
	} else {
		*ret_gateway = &l->gateways[i - PORTS_OF_SETS];
		p = (*ret_gateway)->state == GW_FREE ? NULL : &(*ret_gateway)->port;
	}
	return p && p->id[0] ? p : NULL;
}

bool wire_port_known(struct launcher *l, const char *id)
{
	struct gateway *g;
	struct set *s;
	unsigned i;

	for (i = 0; i < PORT_SLOTS; i++) {
		const struct wire_port *p = port_at(l, i, &s, &g);

		if (p && !strcmp(p->id, id))
			return true;
	}
	return false;
}

static void ports_add_all(struct launcher *l)
{
	struct gateway *g;
	struct set *s;
	unsigned i;

	for (i = 0; i < PORT_SLOTS; i++) {
		struct wire_port *p = port_at(l, i, &s, &g);

		if (p)
			wire_port_add(l, p);
	}
}

static void port_acked(struct launcher *l, uint32_t seq, const struct ctl_ack *ack)
{
	struct gateway *g;
	struct set *s;
	unsigned i;

	for (i = 0; i < PORT_SLOTS; i++) {
		struct wire_port *p = port_at(l, i, &s, &g);

		if (!p || p->seq != seq)
			continue;
		p->ready = !ack->err;
		if (ack->err)
			log_err("wire.port", "port=%s err=%d text=\"%s\"", p->id, ack->err,
				ack->text);
		/* One that runs already goes on: it is deaf until the next wire takes it. */
		if (s && ack->err && s->state == SET_ATTACHING)
			set_end(l, s, CTL_EXIT_INTERNAL, ack->err, "niter-wire refused %s: %s",
				p->id, ack->text);
		else if (s)
			set_attached(l, s);
		else if (ack->err)
			gateway_end(l, g, ack->err, "niter-wire refused %s: %s", p->id, ack->text);
		else
			gateway_ready(l, g);
		return;
	}
}

/* ---- the process ---- */

void wire_announce(struct launcher *l)
{
	if (l->wire && l->wire_service >= 0)
		(void)controller_send(l, CTL_L_WIRE_STARTED, 0, NULL, &l->wire_service, 1);
}

/* A channel to niter-security. When that is lost its other end is closed: no new tunnels, the old ones go on. */
static int tunnel_channel(struct launcher *l)
{
	struct ctl_sec_channel ch = { .purpose = CTL_KEY_FOR_WIRE };
	CLEANUP(fd_closep) int mine = -1, theirs = -1;
	uint32_t seq;
	int r;

	r = fd_socketpair(SOCK_SEQPACKET, &mine, &theirs);
	if (r < 0)
		return r;
	r = security_grant(l, &ch, theirs, &seq);
	if (r < 0)
		log_err("wire.no_keys", "text=\"%s\"", strerrordesc_np(-r));
	return TAKE_FD(mine);
}

/* #syscalls:launcher setsockopt */
static int wire_config(struct launcher *l)
{
	const int bytes = WIRE_CTL_BYTES;
	struct ctl_wire_config conf = { .mtu = l->overlay_mtu };
	CLEANUP(fd_closep) int channel = -1, service = -1;
	int fds[3], r;

	channel = tunnel_channel(l);
	if (channel < 0)
		return channel;
	fd_closep(&l->wire_service);
	r = fd_socketpair(SOCK_SEQPACKET, &l->wire_service, &service);
	if (r < 0)
		return r;
	fds[0] = l->overlay_fd;
	fds[1] = channel;
	fds[2] = service;
	l->wire_seq = WIRE_SEQ_CONFIG;
	if (setsockopt(l->wire->ctl, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) < 0)
		return -errno;
	return child_send(l->wire, CTL_WIRE_CONFIG, WIRE_SEQ_CONFIG, &conf, fds, ARRAY_SIZE(fds));
}

void wire_start(struct launcher *l)
{
	struct cgroup_limits lim;
	int r;

	l->wire_at_ns = NEVER;
	if (l->stopping || l->overlay_fd < 0)
		return;
	if (!child_installed(l, CHILD_WIRE)) {
		(void)snprintf(l->wire_text, sizeof(l->wire_text),
			       "no networks on this host: there is no niter-wire in %s",
			       l->libexec);
		log_err("wire.absent", "text=\"%s\"", l->wire_text);
		return;
	}
	child_limits_host(l, &lim);
	lim.memory_max = WIRE_MEM_MIB * MIB;
	lim.pids_max = WIRE_PIDS;
	r = child_start(l, CHILD_WIRE, child_program(CHILD_WIRE), UID_WIRE, l->cgroups.host_fd,
			NULL, &lim, &l->wire, l->wire_text);
	if (r < 0) {
		log_err("wire.start", "text=\"%s\"", l->wire_text);
		wire_gone(l, "could not be started", 0);
		return;
	}
	l->wire_text[0] = 0;
	r = wire_config(l);
	if (r < 0) {
		log_err("wire.config", "err=%d text=\"%s\"", r, strerrordesc_np(-r));
		child_kill(l->wire);
		return;
	}
	ports_add_all(l);
	wire_announce(l);
}

void wire_ctl(struct launcher *l, const struct ctl_msg *m)
{
	const struct ctl_ack *ack = &m->u.ack;

	if (m->type != CTL_ACK) {
		log_err("wire.protocol", "type=%#x", (unsigned)m->type);
		child_kill(l->wire);
	} else if (m->seq == WIRE_SEQ_CONFIG && ack->err) {
		log_err("wire.config", "err=%d text=\"%s\"", ack->err, ack->text);
		child_kill(l->wire);
	} else {
		port_acked(l, m->seq, ack);
	}
}

void wire_gone(struct launcher *l, const char *how, uint64_t lived_ns)
{
	l->wire = NULL;
	fd_closep(&l->wire_service);
	(void)snprintf(l->wire_text, sizeof(l->wire_text), "niter-wire %s and is started again",
		       how);
	if (l->stopping)
		return;
	if (lived_ns >= WIRE_LIVED_WELL_NS)
		l->wire_backoff_ns = 0;
	else
		l->wire_backoff_ns = min_u64(max_u64(2 * l->wire_backoff_ns, WIRE_BACKOFF_MIN_NS),
					     WIRE_BACKOFF_MAX_NS);
	l->wire_at_ns = clock_ns() + l->wire_backoff_ns;
	log_warn("wire.restart", "how=\"%s\" in_ms=%llu", how,
		 (unsigned long long)(l->wire_backoff_ns / NS_PER_MS));
}
