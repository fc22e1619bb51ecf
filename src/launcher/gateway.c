/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
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
 * The way out of a network: a process between a ring of the wire and a TAP device of the host, on which the kernel's
 * own NAT goes on (nat.c). Each has 100.64.<block>.0/24 to itself; .1 is the host's end of the device.
 */

#define GW_START_NS (30 * NS_PER_S)
#define GW_REAP_NS (10 * NS_PER_S)

enum { GATEWAY_SEQ_CONFIG = 1, GATEWAY_MEM_MIB = 64, GATEWAY_PIDS = 8, GATEWAY_MTU = 1500 };

/* The host's end of every such device; the other end is 02:00:64:40:00:02. Each link has these two and nobody else. */
static const uint8_t host_mac[6] = { 0x02, 0x00, 0x64, 0x40, 0x00, 0x01 };

static struct gateway *gateway_find(struct launcher *l, const char *id)
{
	unsigned i;

	for (i = 0; i < GATEWAYS_MAX; i++)
		if (l->gateways[i].state != GW_FREE && !strcmp(l->gateways[i].conf.gateway_id, id))
			return &l->gateways[i];
	return NULL;
}

static void gateway_answer(struct launcher *l, struct gateway *g, uint32_t seq)
{
	struct ctl_l_gateway_started a = { .err = g->err, .outside_prefix = 24 };
	const uint8_t outside[4] = { 100, 64, g->block, 0 };

	memcpy(a.gateway_id, g->conf.gateway_id, sizeof(a.gateway_id));
	memcpy(a.text, g->text, sizeof(a.text));
	memcpy(a.outside_addr, outside, sizeof(outside));
	(void)controller_send(l, CTL_L_GATEWAY_STARTED, seq, &a, &g->service, g->err ? 0 : 1);
}

static bool gateways_left(const struct launcher *l)
{
	unsigned i;

	for (i = 0; i < GATEWAYS_MAX; i++)
		if (l->gateways[i].state != GW_FREE)
			return true;
	return false;
}

/* No process of it lives any more. */
static void gateway_free(struct launcher *l, struct gateway *g)
{
	struct ctl_l_gateway_gone gone;

	log_info("gateway.gone", "gateway=%s text=\"%s\"", g->conf.gateway_id, g->text);
	g->state = GW_FREE;
	g->deadline_ns = NEVER;
	if (!gateways_left(l))
		nat_off(l);
	if (!g->answered) {
		gateway_answer(l, g, g->req_seq);
		return;
	}
	memcpy(gone.gateway_id, g->conf.gateway_id, sizeof(gone.gateway_id));
	memcpy(gone.text, g->text, sizeof(gone.text));
	(void)controller_send(l, CTL_L_GATEWAY_GONE, 0, &gone, NULL, 0);
}

void gateway_end(struct launcher *l, struct gateway *g, int err, const char *fmt, ...)
{
	va_list ap;

	if (g->state == GW_ENDING || g->state == GW_FREE)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(g->text, sizeof(g->text), fmt, ap);
	va_end(ap);
	g->err = err;
	g->state = GW_ENDING;
	g->deadline_ns = clock_ns() + GW_REAP_NS;
	fd_closep(&g->service);
	wire_port_del(l, &g->port);
	nat_forwards_forget(l, g->block);
	child_kill(g->child);
	if (!g->child)
		gateway_free(l, g);
}

void gateway_ready(struct launcher *l, struct gateway *g)
{
	if (g->state != GW_STARTING || !g->acked || !g->port.ready)
		return;
	g->state = GW_RUNNING;
	g->deadline_ns = NEVER;
	log_info("gateway.running", "gateway=%s vpc=%s block=100.64.%u.0/24", g->conf.gateway_id,
		 g->conf.vpc_id, g->block);
	if (!g->answered)
		gateway_answer(l, g, g->req_seq);
	g->answered = true;
}

/* ---- start ---- */

static bool block_taken(const struct launcher *l, const struct gateway *but, uint8_t block)
{
	unsigned i;

	for (i = 0; i < GATEWAYS_MAX; i++)
		if (&l->gateways[i] != but && l->gateways[i].state != GW_FREE &&
		    l->gateways[i].block == block)
			return true;
	return false;
}

static int tap_config(const char *name, uint8_t block)
{
	const uint8_t addr[4] = { 100, 64, block, 1 };
	int r;

	(void)!nic_switch("ipv6", name, "disable_ipv6", 1, NULL); /* or the kernel has none */
	r = nic_mac_set(name, host_mac);
	if (r == 0)
		r = nic_mtu_set(name, GATEWAY_MTU);
	if (r == 0)
		r = nic_address_add(name, addr, 24);
	if (r == 0)
		r = nic_switch("ipv4", name, "forwarding", 1, NULL);
	/* So that the host's own programs reach forwarded ports on 127.0.0.1; guests cannot, nat.c drops them. */
	if (r == 0)
		r = nic_switch("ipv4", name, "route_localnet", 1, NULL);
	return r == 0 ? nic_up(name) : r;
}

/*
 * Blocks are taken in turn, so that what the kernel's connection tracking remembers of a gateway that went does not
 * meet the next one. Return: descriptor of the TAP, or -errno.
 */
static int tap_make(struct launcher *l, struct gateway *g)
{
	CLEANUP(fd_closep) int tap = -EBUSY;
	char name[NIC_NAME_MAX];
	unsigned i;
	int r;

	for (i = 0; i <= UINT8_MAX && tap == -EBUSY; i++) {
		uint8_t block = l->gateway_block++;

		if (block_taken(l, g, block))
			continue;
		(void)snprintf(name, sizeof(name), "nitergw%u", block);
		tap = nic_tap(name);
		g->block = block;
	}
	if (tap < 0)
		return tap;
	r = tap_config(name, g->block);
	return r < 0 ? r : TAKE_FD(tap);
}

static int process_start(struct launcher *l, struct gateway *g, int tap)
{
	struct ctl_gateway_config conf;
	CLEANUP(fd_closep) int service = -1;
	struct cgroup_limits lim;
	char cgroup[CTL_NAME_MAX];
	int fds[5], r;

	child_limits_host(l, &lim);
	lim.memory_max = GATEWAY_MEM_MIB * MIB;
	lim.pids_max = GATEWAY_PIDS;
	(void)snprintf(cgroup, sizeof(cgroup), "%s-%u", child_program(CHILD_GATEWAY), g->num);
	r = child_start(l, CHILD_GATEWAY, child_program(CHILD_GATEWAY), UID_GATEWAY + g->num,
			l->cgroups.host_fd, cgroup, &lim, &g->child, g->text);
	if (r < 0)
		return r;
	g->child->gateway = g;
	r = fd_socketpair(SOCK_SEQPACKET, &g->service, &service);
	if (r < 0)
		return r;
	memcpy(conf.gateway_id, g->conf.gateway_id, sizeof(conf.gateway_id));
	memcpy(conf.mac, g->conf.mac, sizeof(conf.mac));
	fds[0] = g->port.ring;
	fds[1] = g->port.user_kick;
	fds[2] = g->port.wire_kick;
	fds[3] = tap;
	fds[4] = service;
	return child_send(g->child, CTL_GATEWAY_CONFIG, GATEWAY_SEQ_CONFIG, &conf, fds,
			  ARRAY_SIZE(fds));
}

static int gateway_make(struct launcher *l, struct gateway *g)
{
	CLEANUP(fd_closep) int tap = -1;
	int r;

	tap = tap_make(l, g);
	if (tap < 0) {
		(void)snprintf(g->text, sizeof(g->text),
			       "cannot make the gateway's network device: %s%s",
			       strerrordesc_np(-tap),
			       tap == -ENOENT ? " (is the kernel module tun loaded?)" : "");
		return tap;
	}
	r = nat_on(l, g->text);
	if (r < 0)
		return r;
	r = wire_port_new(&g->port, g->conf.gateway_id);
	if (r == 0)
		r = process_start(l, g, tap);
	if (r == 0)
		wire_port_add(l, &g->port);
	if (r < 0 && !g->text[0])
		(void)snprintf(g->text, sizeof(g->text), "cannot start the gateway: %s",
			       strerrordesc_np(-r));
	return r;
}

static const char *conf_wrong(const struct ctl_l_gateway_start *c)
{
	static const uint8_t none[6];

	if (!id_gateway_ok(c->gateway_id))
		return "the gateway id is malformed";
	if (!name_ok(c->vpc_id))
		return "the network's id is malformed";
	if ((c->mac[0] & 1) || !memcmp(c->mac, none, sizeof(none)))
		return "the gateway's MAC address is no unicast address";
	return NULL;
}

static void refuse(struct launcher *l, uint32_t seq, const struct ctl_l_gateway_start *conf,
		   int err, const char *text)
{
	struct gateway no = { .service = -1, .err = err };

	(void)snprintf(no.conf.gateway_id, sizeof(no.conf.gateway_id), "%s",
		       id_gateway_ok(conf->gateway_id) ? conf->gateway_id : "");
	(void)snprintf(no.text, sizeof(no.text), "%s", text);
	log_warn("gateway.refused", "gateway=%s text=\"%s\"", no.conf.gateway_id, text);
	gateway_answer(l, &no, seq);
}

static struct gateway *slot_get(struct launcher *l)
{
	unsigned i;

	for (i = 0; i < GATEWAYS_MAX; i++) {
		struct gateway *g = &l->gateways[i];

		if (g->state != GW_FREE)
			continue;
		*g = (struct gateway){ .num = i, .service = -1, .deadline_ns = NEVER };
		wire_port_init(&g->port);
		return g;
	}
	return NULL;
}

/* A niterd that was restarted asks for what runs already, and gets that. */
void gateway_start(struct launcher *l, uint32_t seq, const struct ctl_l_gateway_start *conf)
{
	const char *wrong = conf_wrong(conf);
	char text[CTL_TEXT_MAX];
	struct gateway *g;
	int r;

	if (wrong)
		return refuse(l, seq, conf, -EINVAL, wrong);
	if (l->stopping)
		return refuse(l, seq, conf, -ESHUTDOWN, "this host is stopping");
	g = gateway_find(l, conf->gateway_id);
	if (g && g->state == GW_RUNNING && !memcmp(g->conf.mac, conf->mac, sizeof(conf->mac)))
		return gateway_answer(l, g, seq);
	if (g)
		return refuse(l, seq, conf, -EBUSY, "the gateway is starting or ending: ask again");
	if (wire_wrong(l))
		return refuse(l, seq, conf, -ENETDOWN, wire_wrong(l));
	g = slot_get(l);
	if (!g)
		return refuse(l, seq, conf, -ENOSPC, "this host runs its maximum of 16 gateways");
	g->state = GW_STARTING;
	g->conf = *conf;
	g->req_seq = seq;
	g->deadline_ns = clock_ns() + GW_START_NS;
	r = gateway_make(l, g);
	if (r < 0) {
		memcpy(text, g->text, sizeof(text));
		gateway_end(l, g, r, "%s", text);
	}
}

void gateway_stop(struct launcher *l, uint32_t seq, const struct ctl_l_gateway_ref *ref)
{
	struct gateway *g =
		id_gateway_ok(ref->gateway_id) ? gateway_find(l, ref->gateway_id) : NULL;

	if (!g)
		return controller_ack(l, seq, -ENOENT, "no such gateway runs on this host");
	controller_ack(l, seq, 0, NULL);
	gateway_end(l, g, -ECANCELED, "stopped by request");
}

void gateway_ctl(struct launcher *l, struct gateway *g, const struct ctl_msg *m)
{
	const struct ctl_ack *ack = &m->u.ack;

	if (m->type != CTL_ACK) {
		gateway_end(l, g, -EPROTO, "niter-gateway broke the control protocol");
	} else if (ack->err) {
		gateway_end(l, g, ack->err, "%s",
			    ack->text[0] ? ack->text : "niter-gateway could not start");
	} else {
		g->acked = true;
		gateway_ready(l, g);
	}
}

void gateway_child_gone(struct launcher *l, struct gateway *g, const char *how)
{
	g->child = NULL;
	if (g->state == GW_ENDING)
		gateway_free(l, g);
	else
		gateway_end(l, g, -EIO, "niter-gateway %s", how);
}

void gateway_timer(struct launcher *l, struct gateway *g, uint64_t now_ns)
{
	if (g->state == GW_FREE || now_ns < g->deadline_ns)
		return;
	if (g->state == GW_STARTING) {
		gateway_end(l, g, -ETIMEDOUT, "niter-%s did not answer in time",
			    g->acked ? "wire" : "gateway");
	} else {
		log_err("gateway.stuck", "gateway=%s", g->conf.gateway_id);
		child_kill(g->child);
		g->deadline_ns = now_ns + GW_REAP_NS;
	}
}

/* Unlike an instance, a gateway that starts while niterd does goes on: the new one asks for it by name. */
void gateway_requester_lost(struct launcher *l)
{
	unsigned i;

	for (i = 0; i < GATEWAYS_MAX; i++)
		l->gateways[i].answered = true;
}
