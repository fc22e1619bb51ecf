/* SPDX-License-Identifier: Apache-2.0 */

#include "network_host.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "jailed_program.h"

enum { ANSWER_MS = 20000 };

static int answer(struct network_host *h, int sock)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	int r;

	ctl_msg_done(&h->msg);
	r = poll(&p, 1, ANSWER_MS);
	if (r <= 0)
		return r < 0 ? -errno : -ETIMEDOUT;
	r = ctl_recv(sock, &h->msg);
	if (r <= 0)
		return r < 0 ? r : -EPIPE;
	return h->msg.type == CTL_ACK ? h->msg.u.ack.err : 0;
}

int network_host_start(struct network_host *h, const char *program, const char *const *env,
		       uint16_t vcpus)
{
	CLEANUP(fd_closep) int theirs = -1, service = -1, tap = -1;
	struct ctl_netcard_config conf = { .instance_id = "i-0123456789abcdef0",
					   .vcpu_cnt = vcpus };
	int fds[2], r;

	memset(h, 0, sizeof(*h));
	h->ctl = h->service = h->tap = -1;
	r = fd_socketpair(SOCK_SEQPACKET, &h->ctl, &theirs);
	if (r == 0)
		r = fd_socketpair(SOCK_SEQPACKET, &h->service, &service);
	if (r == 0)
		r = fd_socketpair(SOCK_DGRAM, &h->tap, &tap);
	if (r == 0)
		r = jailed_start(program, "niter-network-card", 201002, theirs, env, &h->pid);
	if (r < 0)
		return r;
	fds[0] = service;
	fds[1] = tap;
	r = ctl_send(h->ctl, CTL_NETCARD_CONFIG, ++h->seq, &conf, fds, 2);
	return r < 0 ? r : answer(h, h->ctl);
}

int network_host_stop(struct network_host *h)
{
	ctl_msg_done(&h->msg);
	fd_closep(&h->ctl);
	fd_closep(&h->service);
	fd_closep(&h->tap);
	return jailed_wait(&h->pid);
}

int network_host_add(struct network_host *h, const char *id, const uint8_t mac[6], uint16_t mtu,
		     struct network_port *ret)
{
	struct ctl_netcard_interface_add add = { .mtu = mtu };
	CLEANUP(fd_closep) int theirs = -1;
	int fds[4], r;

	*ret = (struct network_port){ .ring_fd = -1, .to_card = -1, .from_card = -1, .vfio = -1 };
	(void)snprintf(ret->id, sizeof(ret->id), "%s", id);
	memcpy(ret->mac, mac, 6);
	memcpy(add.interface_id, ret->id, sizeof(add.interface_id));
	memcpy(add.mac, mac, 6);
	ret->ring_fd = packet_ring_fd_new();
	ret->to_card = fd_eventfd();
	ret->from_card = fd_eventfd();
	r = ret->ring_fd < 0 ? ret->ring_fd
			     : packet_ring_map(ret->ring_fd, PACKET_RING_B, &ret->ring);
	if (r == 0)
		r = fd_socketpair(SOCK_STREAM, &ret->vfio, &theirs);
	if (r == 0) {
		fds[0] = ret->ring_fd;
		fds[1] = ret->from_card;
		fds[2] = ret->to_card;
		fds[3] = theirs;
		r = ctl_send(h->ctl, CTL_NETCARD_INTERFACE_ADD, ++h->seq, &add, fds, 4);
	}
	if (r == 0)
		r = answer(h, h->ctl);
	if (r < 0)
		network_port_done(ret);
	return r;
}

void network_port_done(struct network_port *p)
{
	packet_ring_freep(&p->ring);
	fd_closep(&p->ring_fd);
	fd_closep(&p->to_card);
	fd_closep(&p->from_card);
	fd_closep(&p->vfio);
}

int network_host_tell(struct network_host *h, enum ctl_type type, const void *body)
{
	int r = ctl_send(h->service, type, ++h->seq, body, NULL, 0);

	if (r == 0)
		r = answer(h, h->service);
	return r == 0 && h->msg.seq != h->seq ? -EPROTO : r;
}

long long network_host_counter(struct network_host *h, const char *id, const char *name)
{
	char want[128], *text, *at;
	long long v = -1;
	size_t len;

	if (network_host_tell(h, CTL_VPC_STATS_READ, NULL) < 0 || h->msg.type != CTL_VPC_STATS)
		return -1;
	len = h->msg.u.vpc_stats.lines.len;
	text = strndup((const char *)h->msg.u.vpc_stats.lines.b, len);
	if (!text)
		return -1;
	(void)snprintf(want, sizeof(want), "%s %s ", id, name);
	at = strstr(text, want);
	if (at)
		v = strtoll(at + strlen(want), NULL, 10);
	free(text);
	return v;
}

void network_interface(const struct network_port *p, uint8_t host, struct ctl_vpc_interface *ret)
{
	*ret = (struct ctl_vpc_interface){
		.vni = 0x1001,
		.mtu = 1500,
		.flags = CTL_VPC_SOURCE_DEST_CHECK,
		.vpc_addr = { 172, 31, 0, 0 },
		.vpc_prefix = 16,
		.subnet_addr = { 172, 31, 0, 0 },
		.subnet_prefix = 20,
		.domain = "ec2.internal",
		.address_cnt = 1,
		.address = { { .family = CTL_IPV4, .addr = { 172, 31, 0, host } } },
	};
	memcpy(ret->interface_id, p->id, sizeof(ret->interface_id));
	memcpy(ret->mac, p->mac, 6);
	(void)snprintf(ret->hostname, sizeof(ret->hostname), "ip-172-31-0-%u", host);
}
