/* SPDX-License-Identifier: Apache-2.0 */

/*
 * niter-gateway: the way out of one network, between a ring of niter-wire and a TAP device of the host.
 *
 * It translates addresses one to one (nat.c) and nothing more: which connections may be, the instances' security groups
 * say; sharing the host's address is the work of the host's kernel, whose packet filter also keeps guests away from the
 * host. It holds no key and no guest memory, and knows no address that niterd did not give it.
 *
 * The ring's other side and everything that comes from the TAP is foreign: a frame is copied into private memory, judged
 * there, changed there, and sent on from there.
 */

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/num.h"
#include "base/packet_ring.h"
#include "base/sandbox.h"
#include "gateway/nat.h"
#include "proto/control.h"
#include "seccomp_gateway.h"

enum {
	NOFILE_MAX = 16,
	BATCH = 64,
	ROOM_MIN = 2 * (PACKET_RING_FRAME_MAX + PACKET_RING_HDR_BYTES)
};

enum ref_type { REF_CONTROL, REF_SERVICE, REF_TAP, REF_KICK };

enum { IO_TAP_FAILED, IO_RING_FULL, IO_COUNTS };

struct gateway {
	struct loop loop;
	struct loop_ref control_ref, service_ref, tap_ref, kick_ref;
	bool configured;
	char id[CTL_ID_MAX];
	struct packet_ring *ring;
	int kick_fd, wait_fd; /* eventfds: signalled by us, waited for by us */
	int tap_fd, service_fd;
	bool tap_paused; /* the ring is full: the TAP is not read until the wire kicks */
	bool ring_work, tap_work;
	struct nat nat;
	uint64_t io[IO_COUNTS];
	uint8_t frame[NAT_FRAME_MAX];
	struct ctl_msg msg;
	struct ctl_vpc_stats stats;
};
static_assert((int)NAT_FRAME_MAX == PACKET_RING_FRAME_MAX, "a ring's frame fits into the buffer");

/* ---- frames ---- */

static void tap_send(struct gateway *g, size_t len)
{
	if (write(g->tap_fd, g->frame, len) != (ssize_t)len)
		g->io[IO_TAP_FAILED]++;
}

/* Checksums were adjusted, not computed: nobody vouches for them, so no PACKET_L4_OK. */
static void ring_send(struct gateway *g, size_t len)
{
	uint8_t *p = packet_ring_reserve(g->ring, (uint32_t)len);

	if (!p) {
		g->io[IO_RING_FULL]++;
		return;
	}
	memcpy(p, g->frame, len);
	packet_ring_commit(g->ring, (uint32_t)len, 0);
}

static void ring_flush(struct gateway *g)
{
	if (packet_ring_publish(g->ring))
		fd_event_signal(g->kick_fd);
}

/* Frames from the network. Return: 0, -EPROTO the ring is dead. */
static int ring_turn(struct gateway *g, uint64_t now_ns)
{
	struct packet p;
	unsigned i;
	int r = 1;

	for (i = 0; i < BATCH && (r = packet_ring_peek(g->ring, &p)) == 1; i++) {
		size_t len = p.len;
		enum nat_verdict v;

		packet_ring_copy(g->frame, p.data, len);
		packet_ring_consume(g->ring);
		v = nat_out(&g->nat, g->frame, &len, now_ns);
		if (v == NAT_PASS)
			tap_send(g, len);
		else if (v == NAT_BACK)
			ring_send(g, len);
	}
	if (r < 0)
		return r;
	if (packet_ring_release(g->ring))
		fd_event_signal(g->kick_fd);
	ring_flush(g);
	g->ring_work = r == 1 || packet_ring_arm(g->ring);
	return packet_ring_dead(g->ring) ? -EPROTO : 0;
}

static int tap_pause(struct gateway *g, bool pause)
{
	if (g->tap_paused == pause)
		return 0;
	g->tap_paused = pause;
	return loop_mod(&g->loop, g->tap_fd, pause ? 0 : EPOLLIN, &g->tap_ref);
}

/* Frames from the host. */
static int tap_turn(struct gateway *g, uint64_t now_ns)
{
	unsigned i;

	g->tap_work = false;
	for (i = 0; i < BATCH; i++) {
		enum nat_verdict v;
		size_t len;
		ssize_t n;

		if (packet_ring_room(g->ring) < ROOM_MIN) {
			ring_flush(g);
			if (!packet_ring_want_room(g->ring, PACKET_RING_FRAME_MAX))
				return tap_pause(g, true);
		}
		n = read(g->tap_fd, g->frame, sizeof(g->frame));
		if (n <= 0)
			break;
		len = (size_t)n;
		v = nat_in(&g->nat, g->frame, &len, now_ns);
		if (v == NAT_PASS)
			ring_send(g, len);
		else if (v == NAT_BACK)
			tap_send(g, len);
	}
	ring_flush(g);
	return packet_ring_dead(g->ring) ? -EPROTO : 0;
}

/* ---- niterd ---- */

static void stats_line(struct gateway *g, const char *name, uint64_t value)
{
	struct ctl_bytes_chunk *c = &g->stats.lines;
	int n = snprintf((char *)c->b + c->len, sizeof(c->b) - c->len, "%s %s %llu\n", g->id, name,
			 (unsigned long long)value);

	if (n > 0 && (size_t)n < sizeof(c->b) - c->len)
		c->len = (uint16_t)(c->len + n);
}

static void stats_make(struct gateway *g)
{
	int i;

	g->stats.lines.len = 0;
	for (i = 0; i < NAT_COUNTS; i++)
		stats_line(g, nat_count_name((enum nat_count)i), g->nat.count[i]);
	stats_line(g, "device_failed", g->io[IO_TAP_FAILED]);
	stats_line(g, "ring_full", g->io[IO_RING_FULL]);
}

static uint32_t host_order(const uint8_t b[4])
{
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static int service_answer(struct gateway *g, const struct ctl_msg *m)
{
	const struct ctl_gateway_nat *a = &m->u.gateway_nat;
	int r;

	if (m->type == CTL_VPC_STATS_READ) {
		stats_make(g);
		return ctl_send(g->service_fd, CTL_VPC_STATS, m->seq, &g->stats, NULL, 0);
	}
	if (m->type == CTL_GATEWAY_NAT_ADD)
		r = nat_add(&g->nat, host_order(a->vpc_addr), a->vpc_mac,
			    host_order(a->outside_addr));
	else if (m->type == CTL_GATEWAY_NAT_DEL)
		r = nat_del(&g->nat, host_order(a->vpc_addr), host_order(a->outside_addr));
	else
		return -EPROTO;
	return ctl_ack(g->service_fd, m->seq, r, "%s",
		       r ? "the gateway does not know such a pair of addresses" : "");
}

static void service_ready(struct gateway *g)
{
	int r = ctl_recv(g->service_fd, &g->msg);

	if (r == -EAGAIN || r == -EINTR)
		return;
	if (r == 1) {
		r = service_answer(g, &g->msg);
		ctl_msg_done(&g->msg);
		if (r == 0)
			return;
	}
	/* niterd broke the protocol or is gone for good: what it told stays true. */
	log_warn("service.closed", "err=%d", r);
	loop_del(&g->loop, g->service_fd);
	fd_closep(&g->service_fd);
}

/* ---- launcher ---- */

static int watch(struct gateway *g, int fd, enum ref_type type, struct loop_ref *ref)
{
	*ref = (struct loop_ref){ .type = type, .ptr = g };
	return loop_add(&g->loop, fd, EPOLLIN, ref);
}

static int configure(struct gateway *g, struct ctl_msg *m)
{
	CLEANUP(fd_closep) int ring = fd_list_take(&m->fds, 0);
	int r;

	memcpy(g->id, m->u.gateway_config.gateway_id, sizeof(g->id));
	log_context("gateway=%s", g->id);
	nat_init(&g->nat, m->u.gateway_config.mac, clock_ns());
	g->kick_fd = fd_list_take(&m->fds, 1);
	g->wait_fd = fd_list_take(&m->fds, 2);
	g->tap_fd = fd_list_take(&m->fds, 3);
	g->service_fd = fd_list_take(&m->fds, 4);
	must(ring >= 0 && g->service_fd >= 0); /* ctl_recv() checked their number */
	r = packet_ring_map(ring, PACKET_RING_A, &g->ring);
	if (r == 0)
		r = watch(g, g->wait_fd, REF_KICK, &g->kick_ref);
	if (r == 0)
		r = watch(g, g->tap_fd, REF_TAP, &g->tap_ref);
	if (r == 0)
		r = watch(g, g->service_fd, REF_SERVICE, &g->service_ref);
	g->configured = r == 0;
	g->ring_work = g->configured; /* nothing is armed yet */
	return r;
}

/* Return: 1 go on, 0 the launcher went away, -errno. */
static int control_ready(struct gateway *g)
{
	int r = ctl_recv(CTL_FD, &g->msg);

	if (r == -EAGAIN || r == -EINTR)
		return 1;
	if (r <= 0)
		return r;
	if (g->msg.type != CTL_GATEWAY_CONFIG || g->configured) {
		ctl_msg_done(&g->msg);
		return -EPROTO;
	}
	r = configure(g, &g->msg);
	if (r < 0)
		(void)!ctl_ack(CTL_FD, g->msg.seq, r,
			       "the gateway cannot use its ring or device: %s",
			       strerrordesc_np(-r));
	else
		r = ctl_ack(CTL_FD, g->msg.seq, 0, NULL);
	ctl_msg_done(&g->msg);
	return r < 0 ? r : 1;
}

/* ---- loop ---- */

/* Return: as control_ready(). */
static int dispatch(struct gateway *g, const struct loop_event *ev)
{
	switch ((enum ref_type)ev->ref->type) {
	case REF_CONTROL:
		return control_ready(g);
	case REF_SERVICE:
		if (g->service_fd >= 0)
			service_ready(g);
		break;
	case REF_TAP:
		g->tap_work = !g->tap_paused;
		break;
	case REF_KICK:
		fd_event_clear(g->wait_fd);
		g->ring_work = true;
		if (g->tap_paused) {
			int r = tap_pause(g, false);

			return r < 0 ? r : 1;
		}
		break;
	}
	return 1;
}

static int loop_run(struct gateway *g)
{
	struct loop_event ev[LOOP_EVENTS_MAX];
	int r, i, n;

	for (;;) {
		n = loop_wait(&g->loop, ev, g->ring_work ? 0 : -1);
		if (n < 0)
			return n;
		for (i = 0; i < n; i++) {
			r = dispatch(g, &ev[i]);
			if (r <= 0)
				return r;
		}
		r = g->tap_work ? tap_turn(g, clock_ns()) : 0;
		if (r == 0 && g->ring_work)
			r = ring_turn(g, clock_ns());
		if (r < 0) {
			log_err("gateway.ring",
				"text=\"the other side of the ring broke its rules\"");
			return r;
		}
	}
}

/* glibc's allocator draws a random number when it is used first; in the jail that is too late. */
static void allocator_start(void)
{
	void *p = malloc(CTL_MSG_MAX);

	__asm__ volatile("" : : "r"(p) : "memory"); /* else the compiler leaves both calls out */
	free(p);
}

/*
 * What base/, control.c and glibc call on our behalf in the jail; meson.build leaves base/ out, whose list is for
 * everybody.
 * #syscalls:gateway read write close recvmsg sendmsg epoll_wait epoll_ctl
 * #syscalls:gateway brk clock_gettime restart_syscall exit_group
 */
static int run(struct gateway *g)
{
	struct sandbox_conf jail = { .profile = &sandbox_profile_gateway,
				     .nofile_max = NOFILE_MAX };
	int keep[2], r;

	g->kick_fd = g->wait_fd = g->tap_fd = g->service_fd = -1;
	allocator_start();
	r = loop_init(&g->loop);
	if (r == 0)
		r = watch(g, CTL_FD, REF_CONTROL, &g->control_ref);
	if (r < 0)
		return r;
	keep[0] = CTL_FD;
	keep[1] = g->loop.epfd;
	jail.keep_fds = keep;
	jail.keep_cnt = ARRAY_SIZE(keep);
	r = sandbox_enter(&jail);
	return r < 0 ? r : loop_run(g);
}

int main(void)
{
	static struct gateway gateway;
	int r;

	log_init("niter-gateway");
	r = run(&gateway);
	if (r < 0)
		log_err("gateway.ended", "err=%d text=\"%s\"", r, strerrordesc_np(-r));
	return r < 0 ? 1 : 0;
}
