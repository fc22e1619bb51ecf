/* SPDX-License-Identifier: Apache-2.0 */

/*
 * niter-wire: the one way from instance to instance, and from host to host.
 *
 * Started by niter-launcher, one per host. It holds a packet ring per network interface, the overlay's UDP socket and
 * the keys of tunnels to other hosts; no guest memory, no file, no name of any instance but its interfaces' ids.
 *
 * A frame's way: ring of a port -> egress.c -> ring of another port, or udp.c -> network
 *                network -> udp.c -> ingress.c -> ring of a port
 * Frames come to rest nowhere: what has no room is dropped and counted, except the few that wait for a tunnel's first
 * keys.
 */

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>

#include "base/env.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "base/sandbox.h"
#include "crypto/crypto.h"
#include "crypto/packet_gcm.h"
#include "seccomp_wire.h"
#include "wire/wire.h"

enum {
	/* A descriptor pair per port; sockets, epoll, standard ones; those of a message being read. */
	NOFILE_MAX = 2 * WIRE_PORTS_MAX + 16 + FD_MSG_FDS_MAX,
	KEYS_MAX = WIRE_TUNNELS_MAX * (2 + WIRE_RX_KEPT) + 4,
};

#define WORK_NS_MAX ((uint64_t)200000) /* then the descriptors get a look */

struct program {
	struct wire wire;
	uint64_t poll_ns; /* look for work so long before sleeping */
};

/* Return: 1 go on, 0 the launcher went away, -errno. */
static int control_ready(struct wire *w)
{
	int r = ctl_recv(CTL_FD, &w->msg);

	if (r == -EAGAIN || r == -EINTR)
		return 1;
	if (r <= 0)
		return r;
	wire_control(w, &w->msg);
	ctl_msg_done(&w->msg);
	return 1;
}

static void service_ready(struct wire *w)
{
	int r;

	if (w->service_fd < 0)
		return;
	r = ctl_recv(w->service_fd, &w->msg);
	if (r > 0) {
		wire_service(w, &w->msg);
		ctl_msg_done(&w->msg);
	} else if (r == -EPROTO) {
		log_warn_limited("service.bad_message", NULL);
	} else if (r != -EAGAIN && r != -EINTR) {
		log_warn("service.closed", "err=%d", r);
		loop_del(&w->loop, w->service_fd);
		fd_closep(&w->service_fd);
	}
}

static void tunnel_ready(struct wire *w)
{
	int r;

	if (w->tunnel_fd < 0)
		return;
	r = ctl_recv(w->tunnel_fd, &w->msg);
	if (r > 0) {
		keys_message(w, &w->msg);
		ctl_msg_done(&w->msg); /* wipes */
	} else if (r == -EPROTO) {
		log_warn_limited("tunnel_channel.bad_message", NULL);
	} else if (r != -EAGAIN && r != -EINTR) {
		keys_closed(w);
	}
}

/* Return: as control_ready(). */
static int dispatch(struct wire *w, const struct loop_event *ev)
{
	switch ((enum ref_type)ev->ref->type) {
	case REF_CONTROL:
		return control_ready(w);
	case REF_SERVICE:
		service_ready(w);
		return 1;
	case REF_TUNNEL:
		tunnel_ready(w);
		return 1;
	case REF_UDP:
		if (ev->events & EPOLLOUT)
			udp_flush(&w->udp, w->now_ns);
		if (ev->events & ~(uint32_t)EPOLLOUT)
			w->udp_ready = true;
		return 1;
	case REF_PORT: /* of a port that ended in the same round: nothing happens */
		port_activate(w, ev->ref->ptr);
		return 1;
	}
	return 1;
}

/* Return: true when there may be more to do: look at the descriptors, do not sleep. */
static bool work(struct program *prog)
{
	struct wire *w = &prog->wire;
	uint64_t start_ns = w->now_ns, until_ns = start_ns + prog->poll_ns;

	do {
		bool did = wire_turn(w);

		w->now_ns = clock_ns();
		if (did)
			until_ns = w->now_ns + prog->poll_ns;
		else if (w->now_ns >= until_ns && !wire_arm(w))
			return false;
	} while (w->now_ns - start_ns < WORK_NS_MAX);
	return true;
}

static int udp_rewatch(struct wire *w)
{
	if (w->udp.fd < 0 || w->udp.blocked == w->udp_watched_out)
		return 0;
	w->udp_watched_out = w->udp.blocked;
	return loop_mod(&w->loop, w->udp.fd, EPOLLIN | (w->udp.blocked ? EPOLLOUT : 0),
			&w->udp_ref);
}

static int sleep_ms(const struct wire *w)
{
	uint64_t ns;

	if (w->tick_ns == PEER_NEVER)
		return -1;
	ns = w->tick_ns > w->now_ns ? w->tick_ns - w->now_ns : 0;
	return (int)min_u64(ns / 1000000 + 1, 60000);
}

static int loop_run(struct program *prog)
{
	struct loop_event ev[LOOP_EVENTS_MAX];
	struct wire *w = &prog->wire;
	bool busy = false;
	int n, i, r;

	for (;;) {
		n = loop_wait(&w->loop, ev, busy ? 0 : sleep_ms(w));
		if (n < 0)
			return n;
		w->now_ns = clock_ns();
		for (i = 0; i < n; i++) {
			r = dispatch(w, &ev[i]);
			if (r <= 0)
				return r;
		}
		wire_tick(w);
		busy = work(prog);
		r = udp_rewatch(w);
		if (r < 0)
			return r;
	}
}

/*
 * What base/, glibc and libcrypto call on our behalf in the jail. Named one by one: the list that base/ has for
 * everybody is twice as long (meson.build leaves base/ out).
 * #syscalls:wire recvmsg sendmsg write close epoll_wait epoll_ctl fcntl(F_GET_SEALS) newfstatat mmap munmap
 * #syscalls:wire brk mremap futex clock_gettime restart_syscall exit_group
 */
static int start(struct program *prog)
{
	struct wire *w = &prog->wire;
	struct sandbox_conf conf = { .profile = &sandbox_profile_wire, .nofile_max = NOFILE_MAX };
	int keep[2];
	uint64_t seed;
	int r;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) /* before the jail */
		return -EIO;
	r = crypto_init();
	if (r == 0)
		r = packet_gcm_init();
	if (r == 0)
		r = packet_gcm_reserve(KEYS_MAX);
	if (r == 0)
		r = key_reserve(4);
	if (r == 0)
		r = wire_init(w, seed);
	if (r < 0)
		return r;
	w->now_ns = clock_ns();
	w->control_ref = (struct loop_ref){ REF_CONTROL, w };
	w->service_ref = (struct loop_ref){ REF_SERVICE, w };
	w->tunnel_ref = (struct loop_ref){ REF_TUNNEL, w };
	w->udp_ref = (struct loop_ref){ REF_UDP, w };
	prog->poll_ns = env_u64("NITER_WIRE_POLL_US", 0) * 1000;
	r = loop_add(&w->loop, CTL_FD, EPOLLIN, &w->control_ref);
	if (r < 0)
		return r;

	keep[conf.keep_cnt++] = CTL_FD;
	keep[conf.keep_cnt++] = w->loop.epfd;
	conf.keep_fds = keep;
	return sandbox_enter(&conf);
}

int main(void)
{
	static struct program program;
	int r;

	log_init("niter-wire");
	r = start(&program);
	if (r == 0) {
		log_info("wire.started", "cipher=\"%s\"", packet_gcm_name());
		r = loop_run(&program);
	}
	wire_done(&program.wire); /* wipes keys */
	if (r < 0)
		log_err("wire.ended", "err=%d text=\"%s\"", r, strerrordesc_np(-r));
	return r < 0 ? 1 : 0;
}
