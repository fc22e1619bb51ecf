/* SPDX-License-Identifier: Apache-2.0 */

/*
 * niter-network-card: the network interfaces of one instance, an ENA function each.
 *
 * Started by niter-launcher, one per instance. It holds that instance's memory, a ring to niter-wire per interface, a TAP
 * that leads to the instance's metadata process, and a socket from niterd; no key, no file, no network socket.
 *
 *   CTL_NETCARD_CONFIG          the service socket and the TAP arrive
 *   CTL_NETCARD_INTERFACE_ADD   ring, eventfds and vfio-user socket arrive; a device is made and served
 *   CTL_VPC_… (service socket)  what the interface may do. Until then its port drops everything
 *
 * The guest's resets stay in the device: a port keeps its configuration and its tracked connections. When the hypervisor
 * is gone, so are device and port.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/env.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "base/random.h"
#include "cards/network/port.h"
#include "cards/network/service.h"
#include "cards/runtime/card.h"
#include "seccomp_network_card.h"

enum {
	MAPPINGS_MAX = 1 << 16, /* addresses this card can know */
	SEED_BYTES = 16,
	TAP_BATCH = 64,    /* frames of one turn */
	SERVICE_BATCH = 8, /* messages of one turn */
};

struct interface {
	struct network *network;
	struct card_function *function;
	struct port port;
};

struct network {
	struct card card;
	int service_fd, tap_fd; /* owned; -1: none (yet, or any more) */
	unsigned queue_pairs;
	struct vpc_map *map; /* owned */
	uint8_t seed[CTL_INTERFACES_MAX][SEED_BYTES];
	struct interface interface[CTL_INTERFACES_MAX];
	struct port *port[CTL_INTERFACES_MAX];    /* those that are served, else NULL */
	struct vpc_port *vpc[CTL_INTERFACES_MAX]; /* the same */
	struct service service;
	uint8_t tap_frame[VPC_METADATA_MTU + ETH_BYTES + 4];
	struct vpc_reply tap_reply;
};

/* ---- the model behind a function ---- */

static void model_access(void *dev, unsigned region, uint64_t off, void *buf, size_t len,
			 bool write)
{
	struct interface *i = dev;

	ena_access(i->port.ena, region, off, buf, len, write);
}

static int model_quiesce(void *dev, bool reset)
{
	struct interface *i = dev;

	return ena_quiesce(i->port.ena, reset);
}

static void model_resume(void *dev)
{
	struct interface *i = dev;

	ena_resume(i->port.ena);
}

static bool model_service(void *dev, uint64_t now_ns)
{
	struct interface *i = dev;

	return port_service(&i->port, now_ns);
}

static bool model_arm(void *dev)
{
	struct interface *i = dev;

	return port_arm(&i->port);
}

static uint64_t model_wake_ns(void *dev)
{
	struct interface *i = dev;

	return port_wake_ns(&i->port);
}

static void interface_done(struct interface *i)
{
	struct network *n = i->network;
	size_t idx = (size_t)(i - n->interface);

	n->port[idx] = NULL;
	n->vpc[idx] = NULL;
	card_watch_del(&n->card, i->port.wait_fd);
	port_done(&i->port);
	i->function = NULL;
}

static void model_gone(void *dev)
{
	struct interface *i = dev;

	log_info("interface.detached", "dev=%s", i->port.id);
	interface_done(i);
}

static const struct card_model model = {
	.access = model_access,
	.quiesce = model_quiesce,
	.resume = model_resume,
	.service = model_service,
	.arm = model_arm,
	.wake_ns = model_wake_ns,
	.gone = model_gone,
};

static void irq(void *ctx, unsigned vector)
{
	struct interface *i = ctx;

	card_function_irq(i->function, vector);
}

/* ---- attach ---- */

static int device_serve(struct interface *i, const struct ctl_netcard_interface_add *add, int sock)
{
	CLEANUP(fd_closep) int fd = sock;
	struct network *n = i->network;
	struct ena_conf conf = {
		.name = i->port.id,
		.mtu = add->mtu,
		.queue_pairs = n->queue_pairs,
		.irq = irq,
		.irq_ctx = i,
		.ops = &port_ops,
		.port = &i->port,
	};
	struct pci_config_conf pci;
	int r;

	r = card_function_get(&n->card, &i->function);
	if (r < 0)
		return r;
	conf.mem = i->function->mem;
	conf.db_page = i->function->doorbells;
	memcpy(conf.mac, add->mac, sizeof(conf.mac));
	r = ena_new(&conf, &i->port.ena);
	if (r == 0) {
		ena_pci(n->queue_pairs, &pci);
		r = card_function_serve(i->function, TAKE_FD(fd), &pci, ENA_DB_OFF, &model, i, -1);
	}
	if (r < 0)
		card_function_put(i->function);
	return r;
}

static struct interface *interface_free(struct network *n)
{
	unsigned i;

	for (i = 0; i < CTL_INTERFACES_MAX; i++)
		if (!n->port[i])
			return &n->interface[i];
	return NULL;
}

static bool interface_known(const struct network *n, const char *id)
{
	unsigned i;

	for (i = 0; i < CTL_INTERFACES_MAX; i++)
		if (n->port[i] && strcmp(n->port[i]->id, id) == 0)
			return true;
	return false;
}

/* Descriptors: ring, eventfd the card signals, eventfd it waits for, vfio-user socket. */
static int interface_add(struct network *n, struct ctl_msg *m)
{
	const struct ctl_netcard_interface_add *add = &m->u.netcard_interface_add;
	CLEANUP(fd_closep) int ring = fd_list_take(&m->fds, 0);
	struct interface *i = interface_free(n);
	struct port_conf conf = { .add = add, .map = n->map, .ring_fd = ring, .tap_fd = n->tap_fd };
	size_t idx;
	int r;

	if (!i)
		return -ENOSPC;
	if (interface_known(n, add->interface_id))
		return -EEXIST;
	if (add->mac[0] & 1 || add->mtu < ENA_MTU_MIN || add->mtu > ENA_MTU_MAX)
		return -EINVAL;
	idx = (size_t)(i - n->interface);
	i->network = n;
	conf.seed = n->seed[idx];
	conf.kick_fd = fd_list_take(&m->fds, 1);
	conf.wait_fd = fd_list_take(&m->fds, 2);
	r = port_init(&i->port, &conf);
	if (r < 0)
		return r;
	r = card_watch_add(&n->card, i->port.wait_fd, true);
	if (r == 0)
		r = device_serve(i, add, fd_list_take(&m->fds, 3));
	if (r < 0) {
		interface_done(i);
		return r;
	}
	n->port[idx] = &i->port;
	n->vpc[idx] = i->port.vpc;
	log_info("interface.attached", "dev=%s mtu=%u", i->port.id, add->mtu);
	return 0;
}

static const char *add_text(int err)
{
	switch (-err) {
	case 0:
		return "";
	case ENOSPC:
		return "this instance has all the interfaces there can be";
	case EEXIST:
		return "this instance has it already";
	case EINVAL:
		return "its MAC or MTU is wrong";
	case EPROTO:
		return "its ring is not what the card expects";
	default:
		return "its device cannot be made; is the host out of memory?";
	}
}

static void ack(uint32_t seq, int err, const char *what, const char *why)
{
	int r;

	if (err < 0)
		log_err("control.refused", "what=%s err=%d why=\"%s\"", what, err, why);
	r = ctl_ack(CTL_FD, seq, err, "%s: %s", what, why);
	if (r < 0)
		log_err("control.send", "err=%d", r);
}

/* ---- metadata ---- */

static void tap_lost(struct network *n, int err)
{
	unsigned i;

	log_err("tap.lost", "err=%d", err);
	card_watch_del(&n->card, n->tap_fd);
	fd_closep(&n->tap_fd);
	for (i = 0; i < CTL_INTERFACES_MAX; i++)
		if (n->port[i])
			n->port[i]->tap_fd = -1;
}

static void tap_frame(struct network *n, size_t len)
{
	struct frame f;
	int i;

	if (len < ETH_BYTES)
		return;
	i = vpc_metadata_rx(n->vpc, CTL_INTERFACES_MAX, clock_ns(), n->tap_frame, len, len, &f,
			    &n->tap_reply);
	if (i >= 0)
		port_metadata_rx(n->port[i], &f, n->tap_frame, len);
	else if (i == -EAGAIN && write(n->tap_fd, n->tap_reply.b, n->tap_reply.len) < 0 &&
		 errno != EAGAIN)
		tap_lost(n, -errno);
}

/* #syscalls:* read write */
static void tap_ready(struct network *n)
{
	unsigned i;
	ssize_t r;

	for (i = 0; i < TAP_BATCH && n->tap_fd >= 0; i++) {
		r = read(n->tap_fd, n->tap_frame, sizeof(n->tap_frame));
		if (r < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (r <= 0) {
			tap_lost(n, r < 0 ? -errno : 0);
			return;
		}
		tap_frame(n, (size_t)r);
	}
}

/* ---- service socket ---- */

static void service_lost(struct network *n, int err)
{
	log_warn("service.closed", "err=%d", err);
	card_watch_del(&n->card, n->service_fd);
	fd_closep(&n->service_fd);
}

static void service_ready(struct network *n)
{
	struct ctl_msg *m = &n->service.msg;
	unsigned i;
	int r;

	for (i = 0; i < SERVICE_BATCH && n->service_fd >= 0; i++) {
		r = ctl_recv(n->service_fd, m);
		if (r == -EAGAIN || r == -EINTR)
			return;
		/* A message that is none was thrown away; the next one may be good. */
		if (r == -EPROTO) {
			log_warn_limited("service.malformed", NULL);
			continue;
		}
		if (r <= 0) {
			service_lost(n, r);
			return;
		}
		r = service_handle(&n->service, n->service_fd, m, clock_ns());
		if (r < 0)
			log_warn_limited("service.unanswered", "type=%#x err=%d", (unsigned)m->type,
					 r);
		ctl_msg_done(m);
	}
}

static void ready(struct card *card, int fd)
{
	struct network *n = card->ctx;

	/* The eventfds of the rings: every model gets its turn anyway. */
	if (fd == n->service_fd)
		service_ready(n);
	else if (fd == n->tap_fd)
		tap_ready(n);
}

/* ---- control ---- */

/* Neither may ever block the card. #syscalls:* fcntl(F_GETFL|F_SETFL) */
/* #syscalls-include <fcntl.h> */
static int nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

static int configure(struct network *n, struct ctl_msg *m)
{
	const struct ctl_netcard_config *c = &m->u.netcard_config;
	CLEANUP(fd_closep) int service = fd_list_take(&m->fds, 0);
	CLEANUP(fd_closep) int tap = fd_list_take(&m->fds, 1);
	unsigned i;
	int r;

	if (n->service_fd >= 0 || n->tap_fd >= 0)
		return -EEXIST;
	log_context("inst=%s", c->instance_id);
	n->queue_pairs = (unsigned)max_u64(1, min_u64(c->vcpu_cnt, ENA_QUEUES_MAX));
	r = nonblock(service);
	if (r == 0)
		r = nonblock(tap);
	if (r == 0)
		r = card_watch_add(&n->card, service, false);
	if (r == 0)
		r = card_watch_add(&n->card, tap, false);
	if (r < 0) {
		card_watch_del(&n->card, service);
		return r;
	}
	n->service_fd = TAKE_FD(service);
	n->tap_fd = TAKE_FD(tap);
	for (i = 0; i < CTL_INTERFACES_MAX; i++)
		if (n->port[i])
			n->port[i]->tap_fd = n->tap_fd;
	return 0;
}

static void control(struct card *card, struct ctl_msg *m)
{
	struct network *n = card->ctx;
	int r;

	if (m->type == CTL_NETCARD_CONFIG) {
		r = configure(n, m);
		ack(m->seq, r, m->u.netcard_config.instance_id,
		    r == 0 ? "" : "its network card cannot take this configuration");
	} else if (m->type == CTL_NETCARD_INTERFACE_ADD) {
		r = interface_add(n, m);
		ack(m->seq, r, m->u.netcard_interface_add.interface_id, add_text(r));
	} else {
		log_err("control.unexpected", "type=%#x", (unsigned)m->type);
	}
}

static const struct card_kind kind = {
	.prog = "niter-network-card",
	.control = control,
	.ready = ready,
};

/*
 * What base/ and glibc call on our behalf in the jail. Named one by one: the list that base/sandbox.c has for everybody is
 * twice as long (meson.build leaves base/ out).
 * #syscalls:network-card close recvmsg sendmsg epoll_wait epoll_ctl fcntl(F_GET_SEALS)
 * #syscalls:network-card brk futex clock_gettime restart_syscall exit_group
 */
static int run(struct network *n)
{
	uint8_t seed[SEED_BYTES];
	int r;

	n->service_fd = n->tap_fd = -1;
	n->queue_pairs = 1;
	n->service.port = n->port;
	if (random_bytes(n->seed, sizeof(n->seed)) < 0 || random_bytes(seed, sizeof(seed)) < 0)
		return -EIO;
	r = vpc_map_new(MAPPINGS_MAX, seed, &n->map);
	n->service.map = n->map;
	if (r == 0)
		r = card_init(&n->card, &kind, n);
	if (r < 0)
		return r;
	n->card.poll_ns = env_u64("NITER_CARD_POLL_US", 0) * 1000;
	r = card_enter(&n->card, &sandbox_profile_network_card);
	return r < 0 ? r : card_loop(&n->card);
}

int main(void)
{
	static struct network network;
	int r;

	log_init(kind.prog);
	r = run(&network);
	if (r < 0)
		log_err("card.ended", "err=%d text=\"%s\"", r, strerrordesc_np(-r));
	return r < 0 ? 1 : 0;
}
