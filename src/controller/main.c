/* SPDX-License-Identifier: Apache-2.0 */

/*
 * niterd, the controller: what exists, what should run, who may know. It holds the API's sockets and the
 * database, and asks the launcher for everything else; no key, no guest memory and no guest traffic ever comes here.
 *
 * Start: CTL_L_CONFIG with its descriptors, the sandbox, the database, the list of living instances from the
 * launcher, recovery, and only then clients. It ends when the launcher's socket closes; the launcher starts it
 * again when it dies, and nothing that runs notices.
 *
 * SQLite, malloc and the directory functions below:
 * #syscalls:niterd open openat access lstat stat fstat newfstatat lseek read write pread64 pwrite64
 * #syscalls:niterd fcntl(F_GETFL|F_SETFL|F_GETFD|F_SETFD|F_GETLK|F_SETLK|F_SETLKW|F_DUPFD_CLOEXEC)
 * #syscalls:niterd fsync fdatasync ftruncate unlink geteuid getuid getcwd readlink fchown fchmod
 */

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "base/random.h"
#include "base/sandbox.h"
#include "controller/core_accounts.h"
#include "controller/core_net.h"
#include "controller/front/auth.h"
#include "controller/front/auth_keys.h"
#include "controller/front/front.h"
#include "controller/niterd.h"
#include "crypto/crypto.h"
#include "crypto/tls.h"
#include "seccomp_niterd.h"

enum {
	HEAP_KEPT_BYTES = 16 << 20, /* of free memory: big answers come again and again */
	/* The launcher runs 64 instances at most: three service sockets each. */
	FDS_MAX = 1024 + FRONT_CONN_MAX,
	EXPIRE_EVERY_S = 60,
	KEYS_OTHER = 64, /* alive at once besides those of signatures: the null launcher's own */
};

static uint64_t env_now_ms(UNUSED void *ptr)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int env_random(UNUSED void *ptr, void *buf, size_t len)
{
	return random_bytes(buf, len);
}

static int nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

/* What the launcher hands over first. */
struct config {
	int listener, api_fd, state_fd, security_fd; /* -1: not given */
	int null_keys_fd; /* the other end of security_fd, when there is no host */
	int port[PORT_MAX];
	unsigned port_cnt;
	char host_mode[CTL_NAME_MAX];
	bool memory; /* there is no state directory */
};

static int config_take(struct ctl_msg *m, struct config *ret)
{
	const struct ctl_l_config *c = &m->u.l_config;
	unsigned at = 0;

	if (m->type != CTL_L_CONFIG || !c->has_state_dir || c->port_cnt > PORT_MAX)
		return -EPROTO;
	ret->listener = c->has_listener ? fd_list_take(&m->fds, at++) : -1;
	ret->api_fd = c->has_api ? fd_list_take(&m->fds, at++) : -1;
	ret->state_fd = fd_list_take(&m->fds, at++);
	ret->security_fd = c->has_security ? fd_list_take(&m->fds, at++) : -1;
	for (ret->port_cnt = 0; ret->port_cnt < c->port_cnt; ret->port_cnt++)
		ret->port[ret->port_cnt] = fd_list_take(&m->fds, at++);
	memcpy(ret->host_mode, c->host_mode, sizeof(ret->host_mode));
	return ret->state_fd < 0 ? -EPROTO : 0;
}

static int config_read(struct config *ret)
{
	static struct ctl_msg m;
	int r;

	r = ctl_recv(CTL_FD, &m);
	if (r <= 0)
		return r < 0 ? r : -EPIPE;
	r = config_take(&m, ret);
	ctl_msg_done(&m);
	return r;
}

/* @null: there is no launcher, so no jail and no channel either. */
static int sandbox(const struct config *cfg, bool null)
{
	int keep[PORT_MAX + 6];
	size_t cnt = 0;
	struct sandbox_conf conf = { .profile = &sandbox_profile_niterd,
				     .nofile_max = FDS_MAX,
				     .keep_fds = keep,
				     .threads = false };

	if (!null)
		keep[cnt++] = CTL_FD;
	else
		keep[cnt++] = cfg->null_keys_fd;
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
	if (null && setenv("NITER_UNJAILED", "1", 1) < 0)
		return -errno;
	keep[cnt++] = cfg->state_fd;
	if (cfg->listener >= 0)
		keep[cnt++] = cfg->listener;
	if (cfg->api_fd >= 0)
		keep[cnt++] = cfg->api_fd;
	if (cfg->security_fd >= 0)
		keep[cnt++] = cfg->security_fd;
	for (unsigned k = 0; k < cfg->port_cnt; k++)
		keep[cnt++] = cfg->port[k];
	conf.keep_cnt = cnt;
	return sandbox_enter(&conf);
}

/*
 * jansson would open /dev/urandom for its hash seed, and printf the time zone; both are settled before the root goes.
 * Locked memory for keys is made now, too.
 */
static int libraries_init(void)
{
	size_t seed = 0;
	int r;

	kms_init();
	/* Otherwise each big answer would be fresh pages: a third of the time of a DescribeInstances of hundreds. */
	if (!mallopt(M_MMAP_THRESHOLD, HEAP_KEPT_BYTES) ||
	    !mallopt(M_TRIM_THRESHOLD, HEAP_KEPT_BYTES))
		return -ENOMEM;
	if (random_bytes(&seed, sizeof(seed)) < 0)
		return -EIO;
	json_object_seed(seed | 1);
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return -errno;
	if (crypto_init() < 0)
		return -ENOSYS;
	r = key_reserve(AUTH_KEYS_RESERVE + KEYS_OTHER);
	return r < 0 ? r : tls_init();
}

/* The working directory is the state directory: everything below is named relative to it. #syscalls:niterd fchdir umask */
static int state_open(struct daemon *d, const struct config *cfg)
{
	int r;

	if (fchdir(cfg->state_fd) < 0)
		return -errno;
	umask(0022);
	if (mkdir("niterd", 0700) < 0 && errno != EEXIST && errno != EACCES)
		return -errno;
	r = store_open("niterd/niter.db", &d->core.st);
	if (r < 0)
		return r;
	r = core_net_init(&d->core);
	if (r == 0)
		r = core_accounts_init(&d->core);
	return r < 0 ? r : upload_sweep(&d->core);
}

static int streams_open(struct daemon *d, const struct config *cfg)
{
	int r = 0;

	for (unsigned k = 0; r == 0 && k < cfg->port_cnt; k++) {
		r = nonblock(cfg->port[k]);
		if (r == 0)
			r = conn_add(d, cfg->port[k], true);
	}
	if (r == 0 && cfg->api_fd >= 0) {
		r = nonblock(cfg->api_fd);
		if (r == 0)
			r = front_new(d, cfg->api_fd, !cfg->memory);
	}
	if (r < 0 || cfg->listener < 0)
		return r;
	r = nonblock(cfg->listener);
	d->listener = cfg->listener;
	d->listener_ref.type = REF_LISTENER;
	return r < 0 ? r : loop_add(&d->loop, d->listener, EPOLLIN, &d->listener_ref);
}

static int dispatch(struct daemon *d, const struct loop_event *ev)
{
	if (d->turn.open && ev->ref->type != REF_FRONT && ev->ref->type != REF_FRONT_CONN)
		turn_end(d); /* what others see and do is durable */
	switch (ev->ref->type) {
	case REF_LINK:
		return link_event(d, ev->events);
	case REF_LISTENER:
		conn_accept(d);
		return 0;
	case REF_CONN:
		conn_event(ev->ref->ptr, ev->events);
		return 0;
	case REF_LIVE:
		live_event(ev->ref->ptr);
		return 0;
	case REF_SVC:
		svc_event(ev->ref->ptr, ev->events);
		return 0;
	case REF_SECURITY:
		security_link_event(&d->security, ev->events);
		return 0;
	case REF_SECURITY_NULL:
		null_keys_event();
		return 0;
	case REF_FRONT:
		front_accept(d);
		return 0;
	case REF_FRONT_CONN:
		front_conn_event(ev->ref->ptr, ev->events);
		return 0;
	default:
		must(false); /* only we make references */
		return 0;
	}
}

static void expire(struct daemon *d, uint64_t now_ns, uint64_t *next)
{
	int r;

	if (now_ns >= d->expire_ns) {
		d->expire_ns = now_ns + (uint64_t)EXPIRE_EVERY_S * 1000000000U;
		r = core_expire(&d->core);
		if (r < 0)
			log_warn("niterd.expire", "err=%d", r);
	}
	*next = min_u64(*next, d->expire_ns);
}

/* Return: milliseconds until something is due. */
static int timers_run(struct daemon *d)
{
	uint64_t now = clock_ns(), next = now + 3600ULL * 1000000000U;
	int r;

	r = link_timers(d, now, &next);
	if (r < 0)
		log_err("niterd.retry", "err=%d", r);
	live_timers(d, now, &next);
	health_timers(d, now, &next);
	net_timers(d, now, &next);
	security_link_timers(&d->security, now, &next);
	kms_timers(d, now, &next);
	turn_end(d); /* of requests that went on */
	conn_timers(d, now, &next);
	null_settle(d, now, &next);
	live_reap(d);
	expire(d, now, &next);
	front_turn_end(d, true);
	front_timers(d, now, &next);
	return next <= now ? 0 : (int)((next - now + 999999) / 1000000);
}

/* Without a security process everything but access keys and KMS is served. */
static int security_open(struct daemon *d, const struct config *cfg)
{
	d->security_ref.type = REF_SECURITY;
	if (cfg->security_fd < 0) {
		log_warn("niterd.no_security",
			 "text=\"no access key can be used, and no KMS key\"");
		return 0;
	}
	return security_link_open(&d->security, &d->loop, &d->security_ref, cfg->security_fd);
}

/* Return: 0 the launcher is gone (the host stops), -errno. */
static int serve(struct daemon *d, const struct config *cfg)
{
	struct loop_event ev[LOOP_EVENTS_MAX];
	bool open = false;

	for (;;) {
		int n, r;

		if (d->recovered && !open) {
			r = streams_open(d, cfg);
			if (r < 0)
				return r;
			kms_start(d);
			open = true;
		}
		n = loop_wait(&d->loop, ev, timers_run(d));
		if (n < 0)
			return n;
		front_again(d);
		for (int k = 0; k < n; k++) {
			r = dispatch(d, &ev[k]);
			if (r < 0)
				return r == -EPIPE ? 0 : r;
		}
		turn_end(d);
	}
}

/* Without a host: nothing is asked of anybody. */
static int run_null(struct daemon *d, struct null_options *o)
{
	struct config cfg = { .listener = -1, .api_fd = -1, .state_fd = -1, .security_fd = -1 };
	int r = libraries_init();

	cfg.memory = !o->state;
	d->core.place = o->place;
	if (r == 0)
		r = cfg.api_fd = null_listen(o);
	if (r >= 0)
		r = cfg.state_fd = null_state(o);
	if (r >= 0)
		r = null_keys_init(o, cfg.state_fd, &cfg.security_fd, &cfg.null_keys_fd);
	if (r >= 0)
		r = sandbox(&cfg, true);
	if (r == 0 && o->state)
		r = state_open(d, &cfg);
	if (r == 0 && !o->state)
		r = store_open(":memory:", &d->core.st);
	if (r == 0 && !o->state)
		r = core_net_init(&d->core);
	if (r == 0 && !o->state)
		r = core_accounts_init(&d->core);
	if (r == 0)
		r = loop_init(&d->loop);
	if (r == 0)
		r = security_open(d, &cfg);
	if (r == 0)
		r = null_keys_start(d, o);
	if (r == 0)
		r = null_start(d, o);
	if (r < 0)
		return r;
	snprintf(d->host_mode, sizeof(d->host_mode), "null");
	null_say(o);
	return serve(d, &cfg);
}

static int run(struct daemon *d)
{
	struct config cfg = { .listener = -1, .api_fd = -1, .state_fd = -1, .security_fd = -1 };
	int r;

	r = libraries_init();
	if (r == 0)
		r = config_read(&cfg);
	if (r == 0)
		r = sandbox(&cfg, false);
	if (r == 0)
		r = state_open(d, &cfg);
	if (r < 0)
		return r;

	memcpy(d->host_mode, cfg.host_mode, sizeof(d->host_mode));
	health_init();
	r = loop_init(&d->loop);
	if (r == 0)
		r = nonblock(CTL_FD);
	if (r == 0)
		r = link_init(d, CTL_FD);
	if (r == 0)
		r = security_open(d, &cfg);
	if (r == 0)
		r = link_ask_instances(d);
	if (r < 0)
		return r;
	return serve(d, &cfg);
}

int main(int argc, char **argv)
{
	static struct daemon d = { .listener = -1,
				   .state_fd = -1,
				   .wire = { .fd = -1 },
				   .core = { .env = { env_now_ms, env_random, NULL } } };
	static struct null_options o;
	int r;

	log_init("niterd");
	security_link_init(&d.security);
	r = null_options_parse(argc, argv, &o);
	if (r < 0)
		return 2;
	if (r > 0 && o.help) {
		null_usage(STDOUT_FILENO);
		return 0;
	}
	r = r > 0 ? run_null(&d, &o) : run(&d);
	if (r < 0)
		log_err("niterd.failed", "err=%d text=\"%s\"", r, strerrordesc_np(-r));
	security_link_close(&d.security); /* whoever waits for it is told */
	auth_free(&d);
	front_free(&d);
	turn_free(&d);
	conn_free_all(&d);
	live_free_all(&d);
	net_free(&d);
	link_done(&d);
	null_free(&d);
	null_keys_done();
	store_free(d.core.st);
	return r < 0;
}
