/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "crypto/crypto.h"
#include "crypto/packet_gcm.h"

#define T0 ((uint64_t)1000 * 1000000000)

static int udp_socket(uint16_t *ret_port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	must(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
	must(getsockname(fd, (struct sockaddr *)&a, &len) == 0);
	*ret_port = ntohs(a.sin_port);
	return fd;
}

static void mac_put(uint8_t *to, uint64_t mac)
{
	unsigned i;

	for (i = 0; i < 6; i++)
		to[i] = (uint8_t)(mac >> (40 - 8 * i));
}

/* Descriptor 3 is nobody else's. */
static int null_fd = -1;

void rig_control(struct rig *r, struct ctl_msg *m)
{
	int ours, theirs;

	must(fd_socketpair(SOCK_SEQPACKET, &ours, &theirs) == 0);
	must(dup2(theirs, CTL_FD) == CTL_FD && close(theirs) == 0);
	wire_control(&r->w, m);
	ctl_msg_done(m);
	must(dup2(null_fd, CTL_FD) == CTL_FD);
	must(ctl_recv(ours, &r->msg) == 1);
	must(close(ours) == 0);
}

static void refs(struct wire *w)
{
	w->control_ref = (struct loop_ref){ REF_CONTROL, w };
	w->service_ref = (struct loop_ref){ REF_SERVICE, w };
	w->tunnel_ref = (struct loop_ref){ REF_TUNNEL, w };
	w->udp_ref = (struct loop_ref){ REF_UDP, w };
}

/* A fresh channel, service socket and fake niter-security; the UDP socket stays. */
void rig_channel(struct rig *r)
{
	static uint64_t seed;
	struct ctl_msg *m = &r->msg;
	int tun, svc, sec;

	fd_closep(&r->service);
	tunnel_fake_done(&r->sec);
	must(fd_socketpair(SOCK_SEQPACKET, &r->service, &svc) == 0);
	must(fd_socketpair(SOCK_SEQPACKET, &sec, &tun) == 0);
	tunnel_fake_init(&r->sec, sec, r->host, (uint64_t)r->host << 8 | (++seed & 0xff));
	memset(m, 0, sizeof(*m));
	m->type = CTL_WIRE_CONFIG;
	m->u.wire_config.mtu = RIG_MTU;
	m->fds.fd[0] = dup(r->udp_fd);
	m->fds.fd[1] = tun;
	m->fds.fd[2] = svc;
	m->fds.cnt = 3;
	rig_control(r, m);
	must(m->u.ack.err == 0 && r->w.udp.fd >= 0 && r->w.service_fd >= 0);
}

void rig_init(struct rig *r, uint8_t host)
{
	if (null_fd < 0) {
		must(crypto_init() == 0 && packet_gcm_init() == 0);
		null_fd = fcntl(open("/dev/null", O_RDWR | O_CLOEXEC), F_DUPFD_CLOEXEC, CTL_FD + 1);
		must(null_fd > CTL_FD && dup2(null_fd, CTL_FD) == CTL_FD);
	}
	memset(r, 0, sizeof(*r));
	must(wire_init(&r->w, 1) == 0);
	refs(&r->w);
	r->now_ns = r->w.now_ns = T0;
	r->udp_fd = udp_socket(&r->udp_port);
	r->host = host;
	r->service = r->sec.fd = -1;
	rig_channel(r);
}

void rig_done(struct rig *r)
{
	unsigned i;

	for (i = 0; i < r->port_cnt; i++) {
		packet_ring_freep(&r->port[i].ring);
		fd_closep(&r->port[i].kick_fd);
		fd_closep(&r->port[i].wait_fd);
		fd_closep(&r->port[i].mem_fd);
	}
	wire_done(&r->w);
	tunnel_fake_done(&r->sec);
	fd_closep(&r->service);
	fd_closep(&r->udp_fd);
}

int rig_request(struct rig *r, enum ctl_type type, const void *body, size_t len)
{
	struct ctl_msg *m = &r->msg;

	memset(m, 0, sizeof(*m));
	m->type = type;
	m->seq = 7;
	memcpy(&m->u, body, len);
	wire_service(&r->w, m);
	must(ctl_recv(r->service, m) == 1 && m->type == CTL_ACK && m->seq == 7);
	return m->u.ack.err;
}

void rig_peer(struct rig *r, const struct rig *other)
{
	struct ctl_wire_peer p = { .peer = other->sec.fingerprint[0],
				   .family = CTL_IPV4,
				   .addr = { 127, 0, 0, 1 },
				   .port = other->udp_port };

	memcpy(p.fingerprint, other->sec.fingerprint, sizeof(p.fingerprint));
	must(rig_request(r, CTL_WIRE_PEER_SET, &p, sizeof(p)) == 0);
}

int rig_port_ring(struct rig *r, struct rig_port *p)
{
	struct ctl_msg *m = &r->msg;
	int fd;

	packet_ring_freep(&p->ring);
	fd_closep(&p->kick_fd);
	fd_closep(&p->wait_fd);
	fd_closep(&p->mem_fd);
	memset(m, 0, sizeof(*m));
	fd = packet_ring_fd_new();
	p->mem_fd = dup(fd);
	must(fd >= 0 && p->mem_fd >= 0 && packet_ring_map(fd, PACKET_RING_A, &p->ring) == 0);
	p->kick_fd = fd_eventfd();
	p->wait_fd = fd_eventfd();
	m->type = CTL_WIRE_PORT_ADD;
	memcpy(m->u.wire_port_ref.interface_id, p->id, sizeof(p->id));
	m->fds.fd[0] = fd;
	m->fds.fd[1] = dup(p->wait_fd);
	m->fds.fd[2] = dup(p->kick_fd);
	m->fds.cnt = 3;
	rig_control(r, m);
	return m->u.ack.err;
}

void rig_interface(const struct rig_port *p, uint16_t flags, struct ctl_vpc_interface *ret)
{
	*ret = (struct ctl_vpc_interface){
		.vni = p->vni,
		.mtu = 1400,
		.flags = flags,
		.vpc_addr = { 172, 31, 0, 0 },
		.vpc_prefix = 16,
		.subnet_addr = { 172, 31, 0, 0 },
		.subnet_prefix = 20,
		.address_cnt = 1,
	};
	memcpy(ret->interface_id, p->id, sizeof(ret->interface_id));
	mac_put(ret->mac, p->mac);
	ret->address[0].family = CTL_IPV4;
	memcpy(ret->address[0].addr, p->ip, 4);
}

int rig_port_set(struct rig *r, const struct rig_port *p, uint16_t flags)
{
	struct ctl_vpc_interface c;

	rig_interface(p, flags, &c);
	return rig_request(r, CTL_VPC_INTERFACE_SET, &c, sizeof(c));
}

void rig_port_name(struct rig_port *p, uint8_t host, unsigned n, uint32_t vni)
{
	*p = (struct rig_port){ .mac = 0x060000000000 | (uint64_t)host << 8 | n,
				.vni = vni,
				.kick_fd = -1,
				.wait_fd = -1,
				.mem_fd = -1,
				.ip = { 172, 31, host, (uint8_t)n } };
	(void)snprintf(p->id, sizeof(p->id), "eni-%u-%u", host, n);
}

struct rig_port *rig_port(struct rig *r, unsigned n, uint32_t vni, uint16_t flags)
{
	struct rig_port *p = &r->port[r->port_cnt++];

	must(r->port_cnt <= RIG_PORTS);
	rig_port_name(p, r->sec.fingerprint[0], n, vni);
	must(rig_port_ring(r, p) == 0);
	must(rig_port_set(r, p, flags) == 0);
	return p;
}

void rig_mapping(const struct rig_port *p, unsigned family, uint32_t host,
		 struct ctl_vpc_mappings *ret)
{
	ret->vni = p->vni;
	ret->mapping_cnt = 1;
	ret->mapping[0] = (struct ctl_vpc_mapping){ .family = (uint8_t)family, .peer = host };
	if (family)
		memcpy(ret->mapping[0].addr, p->ip, 4);
	mac_put(ret->mapping[0].mac, p->mac);
}

static int map_change(struct rig *r, enum ctl_type type, const struct rig_port *p, unsigned family,
		      uint32_t host)
{
	static struct ctl_vpc_mappings m;

	rig_mapping(p, family, host, &m);
	return rig_request(r, type, &m, sizeof(m));
}

int rig_map(struct rig *r, const struct rig_port *p, unsigned family, uint32_t host)
{
	return map_change(r, CTL_VPC_MAPPINGS_ADD, p, family, host);
}

int rig_unmap(struct rig *r, const struct rig_port *p, unsigned family, uint32_t host)
{
	return map_change(r, CTL_VPC_MAPPINGS_DEL, p, family, host);
}

unsigned rig_frame_make(const struct rig_frame *f, uint8_t *buf)
{
	unsigned len = f->len ? f->len : 98;
	struct wr w = wr_init(buf, PACKET_RING_FRAME_MAX);

	memset(buf, 0x5a, len);
	mac_put(buf, f->dst);
	mac_put(buf + 6, f->src);
	w.len = 12;
	wr_be16(&w, (uint16_t)(f->type ? f->type : 0x0800));
	wr_u8(&w, 0x45);
	wr_u8(&w, 0);
	wr_be16(&w, (uint16_t)(len - 14));
	wr_be32(&w, 0);
	wr_be32(&w, 0x40fd0000); /* protocol 253: for experiments */
	wr_bytes(&w, f->src_ip, 4);
	wr_bytes(&w, f->dst_ip, 4);
	if (len >= 38)
		wr_be32(&w, f->tag);
	return len;
}

void rig_send(struct rig_port *p, const struct rig_frame *f)
{
	static uint8_t buf[PACKET_RING_FRAME_MAX];
	unsigned len = rig_frame_make(f, buf);
	uint8_t *to = packet_ring_reserve(p->ring, len);

	must(to);
	memcpy(to, buf, len);
	packet_ring_commit(p->ring, len, PACKET_L4_OK);
	if (packet_ring_publish(p->ring))
		fd_event_signal(p->kick_fd);
}

void rig_send_to(struct rig_port *p, const struct rig_port *to, uint32_t tag, unsigned len)
{
	struct rig_frame f = { .src = p->mac, .dst = to->mac, .tag = tag, .len = len };

	memcpy(f.src_ip, p->ip, 4);
	memcpy(f.dst_ip, to->ip, 4);
	rig_send(p, &f);
}

uint32_t rig_recv(struct rig_port *p, unsigned *ret_len)
{
	struct packet pkt;
	uint8_t head[38];
	struct rd in;

	if (packet_ring_peek(p->ring, &pkt) != 1)
		return 0;
	must(pkt.len >= sizeof(head));
	packet_ring_copy(head, pkt.data, sizeof(head));
	if (ret_len)
		*ret_len = pkt.len;
	packet_ring_consume(p->ring);
	if (packet_ring_release(p->ring))
		fd_event_signal(p->kick_fd);
	in = rd_init(head + 34, 4);
	return rd_be32(&in);
}

/* One round of everything the loop does. Return: something moved. */
static bool turn(struct rig *r)
{
	struct loop_event ev[LOOP_EVENTS_MAX];
	bool did = false;
	int i, n;

	n = loop_wait(&r->w.loop, ev, 0);
	must(n >= 0);
	for (i = 0; i < n; i++)
		if (ev[i].ref->type == REF_PORT)
			port_activate(&r->w, ev[i].ref->ptr);
	while (r->w.tunnel_fd >= 0 && ctl_recv(r->w.tunnel_fd, &r->msg) == 1) {
		keys_message(&r->w, &r->msg);
		ctl_msg_done(&r->msg);
		did = true;
	}
	r->w.udp_ready = true;
	wire_tick(&r->w);
	did |= wire_turn(&r->w);
	if (!did)
		did = wire_arm(&r->w);
	while (r->sec.fd >= 0 && tunnel_fake_step(&r->sec) == 1)
		did = true;
	return did;
}

void rig_run(struct rig *a, struct rig *b, uint64_t ns)
{
	unsigned quiet = 0, rounds = 0;

	a->w.now_ns = a->now_ns += ns;
	if (b)
		b->w.now_ns = b->now_ns += ns;
	while (quiet < 3 && rounds++ < 100000) {
		bool did = turn(a);

		if (b)
			did |= turn(b);
		quiet = did ? 0 : quiet + 1;
	}
}

uint64_t rig_stat_find(struct ctl_vpc_stats *s, const char *who, const char *name)
{
	char want[128];
	char *at;

	must(s->lines.len < sizeof(s->lines.b));
	s->lines.b[s->lines.len] = 0;
	(void)snprintf(want, sizeof(want), "%s %s ", who, name);
	for (at = (char *)s->lines.b; at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (!strncmp(at, want, strlen(want)))
			return strtoull(at + strlen(want), NULL, 10);
	}
	return 0;
}

uint64_t rig_stat(struct rig *r, const char *who, const char *name)
{
	stats_write(&r->w, &r->stats);
	return rig_stat_find(&r->stats, who, name);
}
