/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "ids.h"
#include "launcher.h"
#include "nic.h"

/*
 * The part of a set that has interfaces. Between network card and metadata process lies a network namespace that
 * nobody lives in:
 *
 *   network card --TAP "tap0"-- [ 169.254.169.254, .253; the kernel's TCP and UDP ] --listeners-- metadata process
 *
 * The launcher makes it, and keeps nothing of it: device and namespace go with the last descriptor. Neither process can
 * make a socket, there or anywhere.
 */

enum {
	NETCARD_SEQ_CONFIG = 1,
	NETCARD_SEQ_INTERFACE = 2,
	/* + its number */ METADATA_SEQ_CONFIG = 1,
	LINK_MTU = 1500
};

enum { MTU_MIN = 576, MTU_MAX = 9202 /* a frame of PACKET_RING_FRAME_MAX bytes */ };

static const char tap_name[] = "tap0";
static const uint8_t metadata_mac[6] = { 0x02, 0x00, 0xa9, 0xfe, 0xa9, 0xfe };
static const uint8_t metadata_addr[4] = { 169, 254, 169, 254 };
static const uint8_t dns_addr[4] = { 169, 254, 169, 253 };

enum { PORT_HTTP = 80, PORT_DNS = 53 };

void set_net_init(struct set *s)
{
	unsigned k;

	s->service_net = s->service_meta = -1;
	for (k = 0; k < CTL_INTERFACES_MAX; k++) {
		s->vfio_nic[k] = -1;
		wire_port_init(&s->port[k]);
	}
}

/* Both processes, and two rings of a MiB for each interface with what card and wire keep beside them. */
uint64_t set_net_memory(const struct ctl_l_instance_start *c)
{
	return c->interface_cnt ? (8 + 3 * (uint64_t)c->interface_cnt) * MIB : 0;
}

const char *set_net_wrong(const struct ctl_l_instance_start *c)
{
	static const uint8_t none[6];
	unsigned i, k;

	if (c->interface_cnt > CTL_INTERFACES_MAX)
		return "an instance has 8 interfaces at most";
	for (i = 0; i < c->interface_cnt; i++) {
		const struct ctl_l_interface_ref *f = &c->interface[i];

		if (!id_interface_ok(f->interface_id))
			return "an interface id is malformed";
		if ((f->mac[0] & 1) || !memcmp(f->mac, none, sizeof(none)))
			return "an interface's MAC address is no unicast address";
		if (f->mtu < MTU_MIN || f->mtu > MTU_MAX)
			return "an interface's MTU is out of range";
		for (k = 0; k < i; k++)
			if (!strcmp(f->interface_id, c->interface[k].interface_id))
				return "an interface is named twice";
	}
	return NULL;
}

int set_net_start(struct launcher *l, struct set *s, uid_t uid)
{
	struct cgroup_limits lim;
	char text[CTL_TEXT_MAX];
	int r;

	if (!s->conf.interface_cnt)
		return 0;
	child_limits_host(l, &lim);
	lim.memory_max = 0; /* as for the storage card: the set's own limit counts */
	lim.pids_max = 16U + 2U * s->conf.cores * s->conf.threads;
	r = child_start(l, CHILD_NETCARD, child_program(CHILD_NETCARD), uid + 2, s->cgroup_fd, NULL,
			&lim, &s->net, text);
	if (r < 0)
		return START_FAIL(l, s, r, "%s", text);
	s->net->set = s;
	lim.memory_max = 64 * MIB;
	lim.pids_max = 8;
	r = child_start(l, CHILD_METADATA, child_program(CHILD_METADATA), uid + 3, s->cgroup_fd,
			NULL, &lim, &s->meta, text);
	if (r < 0)
		return START_FAIL(l, s, r, "%s", text);
	s->meta->set = s;
	return 0;
}

/* ---- the namespace between card and metadata process ---- */

struct world {
	int tap, http, dns_udp, dns_tcp; /* owned; -1: not there */
};

static void world_done(struct world *w)
{
	fd_closep(&w->tap);
	fd_closep(&w->http);
	fd_closep(&w->dns_udp);
	fd_closep(&w->dns_tcp);
}

static int world_link(struct world *w)
{
	int r;

	(void)!nic_switch("ipv6", "all", "disable_ipv6", 1, NULL); /* or the kernel has none */
	(void)!nic_switch("ipv6", "default", "disable_ipv6", 1, NULL);
	r = nic_up("lo");
	if (r < 0)
		return r;
	w->tap = nic_tap(tap_name);
	if (w->tap < 0)
		return w->tap;
	/* It is an end, never a way. What it inherited from the host does not count. */
	r = nic_switch("ipv4", "all", "forwarding", 0, NULL);
	if (r == 0)
		r = nic_mac_set(tap_name, metadata_mac);
	if (r == 0)
		r = nic_mtu_set(tap_name, LINK_MTU);
	if (r == 0)
		r = nic_address_add(tap_name, metadata_addr, 32);
	if (r == 0)
		r = nic_address_add("tap0:1", dns_addr, 32);
	if (r == 0)
		r = nic_up(tap_name);
	return r == 0 ? nic_route_default(tap_name) : r;
}

static int world_sockets(struct world *w)
{
	int r = nic_ports_open(); /* the launcher has no CAP_NET_BIND_SERVICE */

	if (r < 0)
		return r;
	w->http = nic_listen_tcp(metadata_addr, PORT_HTTP);
	if (w->http < 0)
		return w->http;
	w->dns_udp = nic_bind_udp(dns_addr, PORT_DNS);
	if (w->dns_udp < 0)
		return w->dns_udp;
	w->dns_tcp = nic_listen_tcp(dns_addr, PORT_DNS);
	return w->dns_tcp < 0 ? w->dns_tcp : 0;
}

static int world_make(struct launcher *l, struct world *w)
{
	int r = netns_enter_new();

	if (r < 0)
		return r;
	r = world_link(w);
	if (r == 0)
		r = world_sockets(w);
	netns_leave(l->netns);
	return r;
}

/* ---- first messages ---- */

static int metadata_config(struct launcher *l, struct set *s, const struct world *w)
{
	CLEANUP(fd_closep) int service = -1, sign = -1, sign_sec = -1;
	struct ctl_sec_channel ch = { .purpose = CTL_KEY_FOR_METADATA };
	struct ctl_metadata_config conf;
	int fds[5], r;

	r = fd_socketpair(SOCK_SEQPACKET, &s->service_meta, &service);
	if (r == 0)
		r = fd_socketpair(SOCK_SEQPACKET, &sign, &sign_sec);
	if (r < 0)
		return START_FAIL(l, s, r, "cannot make sockets for niter-metadata: %s",
				  strerrordesc_np(-r));
	memcpy(ch.account_id, s->conf.account_id, sizeof(ch.account_id));
	memcpy(ch.instance_id, s->conf.instance_id, sizeof(ch.instance_id));
	r = security_grant(l, &ch, sign_sec, &s->sign_seq);
	if (r < 0)
		return START_FAIL(l, s, r, "the security process takes no grants: %s",
				  strerrordesc_np(-r));
	memcpy(conf.instance_id, s->conf.instance_id, sizeof(conf.instance_id));
	fds[0] = w->http;
	fds[1] = w->dns_udp;
	fds[2] = w->dns_tcp;
	fds[3] = service;
	fds[4] = sign;
	r = child_send(s->meta, CTL_METADATA_CONFIG, METADATA_SEQ_CONFIG, &conf, fds,
		       ARRAY_SIZE(fds));
	if (r < 0)
		return START_FAIL(l, s, r, "niter-metadata does not listen: %s",
				  strerrordesc_np(-r));
	s->net_left |= NET_WAIT_METADATA | NET_WAIT_SIGN;
	return 0;
}

static int card_config(struct launcher *l, struct set *s, const struct world *w)
{
	struct ctl_netcard_config conf = { .vcpu_cnt =
						   (uint16_t)(s->conf.cores * s->conf.threads) };
	CLEANUP(fd_closep) int service = -1;
	int fds[2], r;

	r = fd_socketpair(SOCK_SEQPACKET, &s->service_net, &service);
	if (r < 0)
		return START_FAIL(l, s, r, "cannot make sockets for niter-network-card: %s",
				  strerrordesc_np(-r));
	memcpy(conf.instance_id, s->conf.instance_id, sizeof(conf.instance_id));
	fds[0] = service;
	fds[1] = w->tap;
	r = child_send(s->net, CTL_NETCARD_CONFIG, NETCARD_SEQ_CONFIG, &conf, fds, ARRAY_SIZE(fds));
	if (r < 0)
		return START_FAIL(l, s, r, "niter-network-card does not listen: %s",
				  strerrordesc_np(-r));
	s->net_left |= NET_WAIT_CARD;
	return 0;
}

static int interface_add(struct launcher *l, struct set *s, unsigned k)
{
	const struct ctl_l_interface_ref *f = &s->conf.interface[k];
	struct ctl_netcard_interface_add add = { .mtu = f->mtu };
	struct wire_port *p = &s->port[k];
	CLEANUP(fd_closep) int vfio = -1;
	int fds[4], r;

	r = wire_port_new(p, f->interface_id);
	if (r == 0)
		r = fd_socketpair(SOCK_STREAM, &s->vfio_nic[k], &vfio);
	if (r < 0)
		return START_FAIL(l, s, r, "cannot make the packet ring of %s: %s", f->interface_id,
				  strerrordesc_np(-r));
	memcpy(add.interface_id, f->interface_id, sizeof(add.interface_id));
	memcpy(add.mac, f->mac, sizeof(add.mac));
	fds[0] = p->ring;
	fds[1] = p->user_kick;
	fds[2] = p->wire_kick;
	fds[3] = vfio;
	r = child_send(s->net, CTL_NETCARD_INTERFACE_ADD, NETCARD_SEQ_INTERFACE + k, &add, fds,
		       ARRAY_SIZE(fds));
	if (r < 0)
		return START_FAIL(l, s, r, "niter-network-card does not listen: %s",
				  strerrordesc_np(-r));
	wire_port_add(l, p);
	return 0;
}

int set_net_attach(struct launcher *l, struct set *s)
{
	CLEANUP(world_done) struct world w = { -1, -1, -1, -1 };
	unsigned k;
	int r;

	if (!s->conf.interface_cnt)
		return 0;
	s->nics_left = (1U << s->conf.interface_cnt) - 1;
	r = world_make(l, &w);
	if (r < 0)
		return START_FAIL(l, s, r,
				  "cannot make the namespace of the metadata service: %s%s",
				  strerrordesc_np(-r),
				  r == -ENOENT ? " (is the kernel module tun loaded?)" : "");
	r = card_config(l, s, &w);
	if (r == 0)
		r = metadata_config(l, s, &w);
	for (k = 0; r == 0 && k < s->conf.interface_cnt; k++)
		r = interface_add(l, s, k);
	return r;
}

static const struct wire_port *port_missing(const struct set *s)
{
	unsigned k;

	for (k = 0; k < s->conf.interface_cnt; k++)
		if (!s->port[k].ready)
			return &s->port[k];
	return NULL;
}

bool set_net_waits(const struct set *s)
{
	return s->net_left || s->nics_left || port_missing(s);
}

const char *set_net_late(const struct launcher *l, const struct set *s)
{
	if (s->net_left & NET_WAIT_SIGN)
		return "niter-security did not answer for the metadata service in time";
	if (s->net_left & NET_WAIT_METADATA)
		return "niter-metadata did not start in time";
	if ((s->net_left & NET_WAIT_CARD) || s->nics_left)
		return "niter-network-card did not attach the interfaces in time";
	if (l->wire_text[0])
		return l->wire_text; /* it dies again and again: of what, is the news */
	return "niter-wire did not take the interfaces in time";
}

void set_net_ctl(struct launcher *l, struct child *c, const struct ctl_msg *m)
{
	const struct ctl_ack *ack = &m->u.ack;
	struct set *s = c->set;

	if (m->type != CTL_ACK) {
		set_end(l, s, CTL_EXIT_CARD_LOST, -EPROTO, "%s broke the control protocol",
			child_program(c->kind));
		return;
	}
	if (ack->err) {
		set_end(l, s, CTL_EXIT_CARD_LOST, ack->err, "%s%s",
			ack->text[0] ? "" : child_program(c->kind),
			ack->text[0] ? ack->text : " could not start");
		return;
	}
	if (c->kind == CHILD_METADATA)
		s->net_left &= ~(uint32_t)NET_WAIT_METADATA;
	else if (m->seq == NETCARD_SEQ_CONFIG)
		s->net_left &= ~(uint32_t)NET_WAIT_CARD;
	else if (m->seq - NETCARD_SEQ_INTERFACE < s->conf.interface_cnt)
		s->nics_left &= ~(1U << (m->seq - NETCARD_SEQ_INTERFACE));
	set_attached(l, s);
}

unsigned set_net_boot(struct set *s, struct ctl_hv_config *conf, int *fds, unsigned cnt)
{
	unsigned k;

	for (k = 0; k < s->conf.interface_cnt; k++) {
		conf->slot[conf->slot_cnt++] = (uint8_t)(SLOT_INTERFACE + k);
		fds[cnt++] = s->vfio_nic[k];
	}
	return cnt;
}

void set_net_end(struct launcher *l, struct set *s)
{
	unsigned k;

	fd_closep(&s->service_net);
	fd_closep(&s->service_meta);
	for (k = 0; k < CTL_INTERFACES_MAX; k++)
		wire_port_del(l, &s->port[k]);
}
