/* SPDX-License-Identifier: Apache-2.0 */

/*
 * niter-metadata: what an instance asks about itself. HTTP on 169.254.169.254, DNS on 169.254.169.253.
 *
 * Started by niter-launcher, one per instance. Its sockets come from the launcher, which made them in a network
 * namespace that holds nothing but the TAP between this process and the instance's network card; it makes none itself.
 * The kernel of that namespace does TCP. So whoever asks is this instance, whatever the packets say.
 *
 *   http.c, http_target.c   bytes to requests          http_conn.c     a connection without its socket
 *   imds.c, guard.c         requests to answers        http_server.c   connections
 *   token.c                 session tokens             dns_server.c    sockets around vpc/dns.c
 *   tree.c                  what is served             service.c       niterd and niter-security
 *
 * All memory is there from the start; control messages alone take a buffer for a moment.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "base/sandbox.h"
#include "metadata/metadata.h"
#include "seccomp_metadata.h"

struct metadata {
	struct loop loop;
	struct loop_ref control_ref;
	bool configured;
	char instance_id[CTL_ID_MAX];
	struct imds imds;
	struct http_server http;
	struct dns_server dns;
	struct service service;
	struct ctl_msg msg;
};

/* ---- the launcher ---- */

static void control_answer(uint32_t seq, int err, const char *text)
{
	int r = ctl_ack(CTL_FD, seq, err, "%s", text);

	if (r < 0)
		log_err("control.send", "err=%d", r);
}

/* Each descriptor belongs to the part that got it, also when that part could not watch it. */
static int sockets_take(struct metadata *d, struct ctl_msg *m)
{
	int fd[5], r, k;

	for (k = 0; k < 5; k++) {
		fd[k] = fd_list_take(&m->fds, (unsigned)k);
		must(fd[k] >= 0); /* ctl_recv() checked their number */
	}
	r = http_server_listen(&d->http, fd[0]);
	k = dns_server_listen(&d->dns, fd[1], fd[2]);
	r = r < 0 ? r : k;
	k = service_watch(&d->service, fd[3]);
	r = r < 0 ? r : k;
	k = service_watch_sign(&d->service, fd[4]);
	return r < 0 ? r : k;
}

static void configure(struct metadata *d, struct ctl_msg *m)
{
	const char *id = m->u.metadata_config.instance_id;
	int r;

	if (!d->configured) {
		memcpy(d->instance_id, id, sizeof(d->instance_id));
		tokens_bind(&d->imds.tokens, id);
		log_context("inst=%s", id);
		d->configured = true;
		r = sockets_take(d, m);
	} else if (!strcmp(d->instance_id, id)) {
		r = fd_list_take(&m->fds, 3);
		must(r >= 0);
		r = service_watch(&d->service, r);
	} else {
		r = -EINVAL;
	}
	control_answer(m->seq, r, r < 0 ? "the metadata process cannot use its sockets" : "");
}

/* Return: 1 go on, 0 the launcher went away, -errno. */
static int control_ready(struct metadata *d)
{
	int r = ctl_recv(CTL_FD, &d->msg);

	if (r == -EAGAIN || r == -EINTR)
		return 1;
	if (r <= 0)
		return r;
	if (d->msg.type == CTL_METADATA_CONFIG)
		configure(d, &d->msg);
	else
		log_err("control.unexpected", "type=%#x", (unsigned)d->msg.type);
	ctl_msg_done(&d->msg);
	return 1;
}

/* ---- loop ---- */

/* Return: as control_ready(). */
static int dispatch(struct metadata *d, const struct loop_event *ev, uint64_t now_ns)
{
	switch ((enum ref_type)ev->ref->type) {
	case REF_CONTROL:
		return control_ready(d);
	case REF_SERVICE:
		if (d->service.fd >= 0)
			service_ready(&d->service);
		break;
	case REF_SIGN:
		if (d->service.sign_fd >= 0)
			service_sign_ready(&d->service);
		break;
	case REF_HTTP_LISTENER:
		http_server_accept(&d->http, now_ns);
		break;
	case REF_HTTP_CONN:
		http_server_ready(&d->http, ev->ref->ptr, ev->events, now_ns);
		break;
	case REF_DNS_UDP:
		dns_server_udp(&d->dns, now_ns);
		break;
	case REF_DNS_LISTENER:
		dns_server_accept(&d->dns, now_ns);
		break;
	case REF_DNS_CONN:
		dns_server_ready(&d->dns, ev->ref->ptr, now_ns);
		break;
	}
	return 1;
}

/* Milliseconds until @next_ns, rounded up; -1: no time is set. */
static int wait_ms(uint64_t next_ns, uint64_t now_ns)
{
	if (next_ns == UINT64_MAX)
		return -1;
	if (next_ns <= now_ns)
		return 0;
	return (int)min_u64((next_ns - now_ns + 999999) / 1000000, 60000);
}

static int loop_run(struct metadata *d)
{
	struct loop_event ev[LOOP_EVENTS_MAX];
	uint64_t now = clock_ns(), next;
	int r, i, n;

	for (;;) {
		next = min_u64(http_server_tick(&d->http, now), dns_server_tick(&d->dns, now));
		n = loop_wait(&d->loop, ev, wait_ms(next, now));
		if (n < 0)
			return n;
		now = clock_ns();
		for (i = 0; i < n; i++) {
			r = dispatch(d, &ev[i], now);
			if (r <= 0)
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
 * #syscalls:metadata recvmsg sendmsg write close epoll_wait epoll_ctl
 * #syscalls:metadata brk clock_gettime restart_syscall exit_group
 */
static int run(struct metadata *d)
{
	struct sandbox_conf jail = { .profile = &sandbox_profile_metadata,
				     .nofile_max = METADATA_NOFILE_MAX };
	int keep[2], r;

	allocator_start();
	r = tokens_init(&d->imds.tokens);
	if (r == 0)
		r = loop_init(&d->loop);
	if (r < 0)
		return r;
	http_server_init(&d->http, &d->loop, &d->imds, clock_ns());
	dns_server_init(&d->dns, &d->loop, clock_ns());
	service_init(&d->service, &d->loop, &d->imds, &d->dns.zone);
	d->control_ref = (struct loop_ref){ REF_CONTROL, d };
	r = loop_add(&d->loop, CTL_FD, EPOLLIN, &d->control_ref);
	if (r < 0)
		return r;

	keep[0] = CTL_FD;
	keep[1] = d->loop.epfd;
	jail.keep_fds = keep;
	jail.keep_cnt = ARRAY_SIZE(keep);
	r = sandbox_enter(&jail);
	return r < 0 ? r : loop_run(d);
}

int main(void)
{
	static struct metadata metadata;
	int r;

	log_init("niter-metadata");
	r = run(&metadata);
	if (r < 0)
		log_err("metadata.ended", "err=%d text=\"%s\"", r, strerrordesc_np(-r));
	return r < 0 ? 1 : 0;
}
