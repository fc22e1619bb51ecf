/* SPDX-License-Identifier: Apache-2.0 */

#include "wire_host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/log.h"
#include "jailed_program.h"

enum { ANSWER_MS = 20000 };

static int udp_bound(uint16_t *ret_port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) < 0)
		return -errno;
	*ret_port = ntohs(a.sin_port);
	return fd;
}

static int answer(struct wire_host *h, int fd, enum ctl_type type)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (poll(&p, 1, ANSWER_MS) != 1)
		return -ETIMEDOUT;
	ctl_msg_done(&h->msg);
	if (ctl_recv(fd, &h->msg) != 1)
		return -ECONNRESET;
	return h->msg.type == type && h->msg.seq == h->seq ? 0 : -EPROTO;
}

static int request(struct wire_host *h, int fd, enum ctl_type type, const void *body,
		   const int *fds, unsigned fd_cnt)
{
	int r = ctl_send(fd, type, ++h->seq, body, fds, fd_cnt);

	if (r == 0)
		r = answer(h, fd, CTL_ACK);
	return r < 0 ? r : h->msg.u.ack.err;
}

static int process_start(struct wire_host *h, const char *const *env)
{
	static uint64_t seed;
	CLEANUP(fd_closep) int ctl = -1, tun = -1, svc = -1;
	struct ctl_wire_config conf = { .mtu = h->mtu };
	int r, sec = -1;

	r = fd_socketpair(SOCK_SEQPACKET, &h->ctl, &ctl);
	if (r == 0)
		r = fd_socketpair(SOCK_SEQPACKET, &h->service, &svc);
	if (r == 0)
		r = fd_socketpair(SOCK_SEQPACKET, &sec, &tun);
	if (r == 0)
		r = jailed_start(h->program, "niter-wire", 200003, ctl, env, &h->pid);
	if (r < 0)
		return r;
	tunnel_fake_init(&h->sec, sec, h->number, (uint64_t)h->number << 8 | (++seed & 0xff));
	return request(h, h->ctl, CTL_WIRE_CONFIG, &conf, (int[]){ h->udp, tun, svc }, 3);
}

int wire_host_start(struct wire_host *h, const char *program, uint8_t number, uint16_t mtu,
		    const char *const *env)
{
	memset(h, 0, sizeof(*h));
	h->ctl = h->service = h->sec.fd = -1;
	h->program = program;
	h->number = number;
	h->mtu = mtu;
	h->udp = udp_bound(&h->udp_port);
	return h->udp < 0 ? h->udp : process_start(h, env);
}

int wire_host_stop(struct wire_host *h)
{
	int status;

	ctl_msg_done(&h->msg);
	fd_closep(&h->ctl);
	status = jailed_wait(&h->pid);
	fd_closep(&h->service);
	tunnel_fake_done(&h->sec);
	return status;
}

void wire_host_kill(struct wire_host *h)
{
	if (h->pid > 0)
		(void)kill(h->pid, SIGKILL);
	(void)wire_host_stop(h);
}

int wire_host_restart(struct wire_host *h, const char *const *env)
{
	return process_start(h, env);
}

int wire_host_done(struct wire_host *h)
{
	int r = wire_host_stop(h);
	unsigned i;

	for (i = 0; i < h->port_cnt; i++) {
		packet_ring_freep(&h->port[i].ring);
		fd_closep(&h->port[i].kick_fd);
		fd_closep(&h->port[i].wait_fd);
	}
	fd_closep(&h->udp);
	return r;
}

/* ---- requests ---- */

int wire_host_port_ring(struct wire_host *h, struct rig_port *p)
{
	CLEANUP(fd_closep) int fd = packet_ring_fd_new();
	struct ctl_wire_port_ref ref = { .interface_id = "" };

	packet_ring_freep(&p->ring);
	fd_closep(&p->kick_fd);
	fd_closep(&p->wait_fd);
	if (fd < 0 || packet_ring_map(fd, PACKET_RING_A, &p->ring) < 0)
		return -ENOMEM;
	p->kick_fd = fd_eventfd();
	p->wait_fd = fd_eventfd();
	memcpy(ref.interface_id, p->id, sizeof(p->id));
	return request(h, h->ctl, CTL_WIRE_PORT_ADD, &ref, (int[]){ fd, p->wait_fd, p->kick_fd },
		       3);
}

int wire_host_port_set(struct wire_host *h, const struct rig_port *p, uint16_t flags)
{
	static struct ctl_vpc_interface c;

	rig_interface(p, flags, &c);
	return request(h, h->service, CTL_VPC_INTERFACE_SET, &c, NULL, 0);
}

int wire_host_port_del(struct wire_host *h, const struct rig_port *p)
{
	struct ctl_wire_port_ref ref = { .interface_id = "" };

	memcpy(ref.interface_id, p->id, sizeof(p->id));
	return request(h, h->ctl, CTL_WIRE_PORT_DEL, &ref, NULL, 0);
}

struct rig_port *wire_host_port(struct wire_host *h, unsigned n, uint32_t vni, uint16_t flags)
{
	struct rig_port *p = &h->port[h->port_cnt++];

	must(h->port_cnt <= WIRE_HOST_PORTS);
	rig_port_name(p, h->number, n, vni);
	must(wire_host_port_ring(h, p) == 0 && wire_host_port_set(h, p, flags) == 0);
	return p;
}

int wire_host_peer(struct wire_host *h, const struct wire_host *other, uint16_t port)
{
	struct ctl_wire_peer p = {
		.peer = other->number, .family = CTL_IPV4, .addr = { 127, 0, 0, 1 }, .port = port
	};

	memset(p.fingerprint, other->number, sizeof(p.fingerprint));
	return request(h, h->service, CTL_WIRE_PEER_SET, &p, NULL, 0);
}

int wire_host_map(struct wire_host *h, const struct rig_port *p, unsigned family, uint32_t peer)
{
	static struct ctl_vpc_mappings m;

	rig_mapping(p, family, peer, &m);
	return request(h, h->service, CTL_VPC_MAPPINGS_ADD, &m, NULL, 0);
}

uint64_t wire_host_stat(struct wire_host *h, const char *who, const char *name)
{
	must(ctl_send(h->service, CTL_VPC_STATS_READ, ++h->seq, NULL, NULL, 0) == 0);
	must(answer(h, h->service, CTL_VPC_STATS) == 0);
	return rig_stat_find(&h->msg.u.vpc_stats, who, name);
}

/* ---- the network ---- */

void net_init(struct net *n, struct wire_host *a, struct wire_host *b)
{
	memset(n, 0, sizeof(*n));
	n->a = a;
	n->b = b;
	n->at_a = udp_bound(&n->port_a);
	n->at_b = udp_bound(&n->port_b);
	must(n->at_a >= 0 && n->at_b >= 0);
}

void net_done(struct net *n)
{
	fd_closep(&n->at_a);
	fd_closep(&n->at_b);
	free(n->seen);
	n->seen = NULL;
}

void net_send(struct net *n, const struct net_datagram *d)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	to.sin_port = htons(d->to_b ? n->b->udp_port : n->a->udp_port);
	(void)!sendto(d->to_b ? n->at_b : n->at_a, d->b, d->len, MSG_DONTWAIT,
		      (struct sockaddr *)&to, sizeof(to));
}

static void seen_add(struct net *n, const struct net_datagram *d)
{
	struct rd in = rd_init(d->b, d->len);

	if (n->seen_cnt == n->seen_cap) {
		n->seen_cap = n->seen_cap ? 2 * n->seen_cap : 4096;
		n->seen = reallocarray(n->seen, n->seen_cap, sizeof(*n->seen));
		must(n->seen);
	}
	n->seen[n->seen_cnt].spi = rd_be32(&in);
	rd_skip(&in, 4);
	n->seen[n->seen_cnt++].iv = rd_be64(&in);
}

void net_pcap_begin(FILE *f)
{
	static const uint32_t head[6] = { 0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, 101 /* raw IP */ };

	must(fwrite(head, sizeof(head), 1, f) == 1);
}

/* A record is time, lengths, packet; in the writer's byte order */
static void pcap_write(struct net *n, const struct net_datagram *d)
{
	uint32_t len = 28 + d->len, head[4] = { (uint32_t)n->esp, 0, len, len };
	uint8_t outer[28];
	struct wr w = wr_init(outer, sizeof(outer));

	wr_be32(&w, 0x45000000 | len);
	wr_be32(&w, 0);
	wr_be32(&w, 0x40110000);
	wr_be32(&w, d->to_b ? 0x0a4d0001 : 0x0a4d0002);
	wr_be32(&w, d->to_b ? 0x0a4d0002 : 0x0a4d0001);
	wr_be32(&w, 4500U << 16 | 4500);
	wr_be32(&w, (8 + d->len) << 16);
	must(fwrite(head, sizeof(head), 1, n->pcap) == 1 &&
	     fwrite(outer, sizeof(outer), 1, n->pcap) == 1 &&
	     fwrite(d->b, d->len, 1, n->pcap) == 1);
}

static void carry(struct net *n, struct net_datagram *d)
{
	static const uint8_t payload[8] = "ZZZZZZZZ"; /* what rig_frame_make() fills frames with */

	if (memmem(d->b, d->len, payload, sizeof(payload)))
		n->clear = true;
	if (d->len < 16 || !memcmp(d->b, "\0\0\0\0", 4)) {
		n->handshakes += d->len >= 4;
		n->others += d->len < 4;
		net_send(n, d);
		return;
	}
	n->esp++;
	seen_add(n, d);
	if (n->pcap)
		pcap_write(n, d);
	if (n->fate == NET_KEEP && n->kept_cnt < NET_QUEUE)
		n->kept[n->kept_cnt++] = *d;
	if (n->fate == NET_FLIP)
		d->b[d->len - 1 - n->flip_at / 8] ^= (uint8_t)(1 << n->flip_at % 8);
	if (n->fate != NET_DROP && n->fate != NET_KEEP)
		net_send(n, d);
	if (n->fate == NET_TWICE)
		net_send(n, d);
}

static bool net_turn(struct net *n)
{
	static struct net_datagram d;
	bool did = false;
	unsigned i;

	for (i = 0; i < 256; i++) {
		ssize_t len = recv(i & 1 ? n->at_b : n->at_a, d.b, sizeof(d.b), MSG_DONTWAIT);

		if (len < 0)
			continue;
		d.len = (unsigned)len;
		d.to_b = !(i & 1);
		carry(n, &d);
		did = true;
	}
	return did;
}

int wire_world_run(struct net *n, bool (*until)(void *), void *arg, unsigned ms)
{
	uint64_t end_ns = clock_ns() + (uint64_t)ms * 1000000;

	for (;;) {
		struct pollfd p[] = { { .fd = n->at_a, .events = POLLIN },
				      { .fd = n->at_b, .events = POLLIN },
				      { .fd = n->a->sec.fd, .events = POLLIN },
				      { .fd = n->b->sec.fd, .events = POLLIN } };
		bool did = net_turn(n);

		did |= n->a->sec.fd >= 0 && tunnel_fake_step(&n->a->sec) == 1;
		did |= n->b->sec.fd >= 0 && tunnel_fake_step(&n->b->sec) == 1;
		if (until && until(arg))
			return 0;
		if (clock_ns() >= end_ns)
			return until ? -ETIMEDOUT : 0;
		if (!did)
			(void)poll(p, ARRAY_SIZE(p), 1);
	}
}
