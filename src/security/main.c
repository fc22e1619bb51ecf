/* SPDX-License-Identifier: Apache-2.0 */

/*
 * niter-security: the one process that holds the root key.
 *
 * It has a socket to the launcher (CTL_FD), gets from it the store directory and the TPM once, and a key channel per
 * card and format job, one to the wire, and one per metadata process. It opens nothing but the four files of its
 * store while it is being configured, talks to nobody else, and has no verb that gives a key to anything but a channel.
 * Order of reading: root.h (how the root key comes to be), tree.h, wrap.h, store.h, identity.h, tunnel.h, service.h.
 */

#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/sandbox.h"
#include "crypto/crypto.h"
#include "crypto/key.h"
#include "seccomp_security.h"
#include "seccomp_security_serve.h"
#include "security/service.h"

enum {
	/* the tree, the store's, those of one request and of one handshake; the identity's; the tunnels' */
	KEYS_ALIVE = 32 + IDENTITY_KEYS + TUNNEL_KEYS_ALIVE,
	FDS_OTHER = 16,  /* log, control, epoll, store, log file, TPM, directory, received ones */
	FREED_MEMORY_BYTE =
		0x5a, /* what free() leaves behind instead of a library's copy of a secret */
};

/*
 * The second, narrower filter: once it is configured the program opens, makes and renames no file any more.
 * #syscalls:security seccomp(SECCOMP_SET_MODE_FILTER)
 */
static int serve_only(void)
{
	return sandbox_filter_load(&sandbox_profile_security_serve, 0);
}

static int loop_run(struct service *s, struct loop *l)
{
	struct loop_event ev[LOOP_EVENTS_MAX];
	struct loop_ref control = { .type = SERVICE_REF_CONTROL };
	bool narrow = false;
	int i, n, r;

	r = loop_add(l, CTL_FD, 1 /* EPOLLIN */, &control);
	if (r < 0)
		return r;
	for (;;) {
		n = loop_wait(l, ev, service_timer(s));
		if (n < 0)
			return n;
		for (i = 0; i < n; i++) {
			if (ev[i].ref->type == SERVICE_REF_CHANNEL) {
				service_channel(s, ev[i].ref->ptr);
				continue;
			}
			r = service_control(s, CTL_FD);
			if (r <= 0)
				return r;
			if (!s->configured || narrow)
				continue;
			r = serve_only();
			if (r < 0)
				return r;
			narrow = true;
		}
		service_reap(s);
	}
}

int main(void)
{
	static const int keep[] = { CTL_FD };
	static const struct sandbox_conf conf = {
		.profile = &sandbox_profile_security,
		.nofile_max = CHANNELS_MAX + FDS_OTHER,
		.keep_fds = keep,
		.keep_cnt = ARRAY_SIZE(keep),
	};
	static struct service service;
	struct loop loop;
	int r;

	log_init("niter-security");
	/* tpm2-tss would say on stderr, or in a file, what we say ourselves. Before any thread. */
	if (setenv("TSS2_LOG", "all+NONE", 1) < 0) /* NOLINT(concurrency-mt-unsafe) */
		return EXIT_FAILURE;
	if (unsetenv("TSS2_LOGFILE") < 0) /* NOLINT(concurrency-mt-unsafe) */
		return EXIT_FAILURE;
	(void)mallopt(M_PERTURB, FREED_MEMORY_BYTE);
	r = crypto_init();
	if (r == 0)
		r = key_reserve(KEYS_ALIVE);
	if (r == 0)
		r = sandbox_enter(&conf);
	if (r < 0) {
		log_err("sec.start.failed", "err=%d", r);
		return EXIT_FAILURE;
	}
	r = loop_init(&loop);
	if (r == 0) {
		service_init(&service, &loop);
		r = loop_run(&service, &loop);
		service_done(&service);
		loop_done(&loop);
	}
	if (r < 0)
		log_err("sec.end", "err=%d", r);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
