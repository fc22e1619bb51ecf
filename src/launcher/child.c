/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "launcher.h"
#include "spawn.h"

enum {
	LOG_READ_MAX = 4096,
	LOG_RATE = 50,   /* lines a second and child */
	LOG_BURST = 400, /* enough for a start with a debug log */
	MEMLOCK_MAX = 16 * 1024 * 1024,
};

const char *child_program(enum child_kind kind)
{
	static const char *const name[] = {
		[CHILD_NONE] = "",
		[CHILD_SECURITY] = "niter-security",
		[CHILD_NITERD] = "niterd",
		[CHILD_FORMAT] = "niter-volume-format",
		[CHILD_HYPERVISOR] = "niter-hypervisor",
		[CHILD_CARD] = "niter-storage-card",
		[CHILD_NETCARD] = "niter-network-card",
		[CHILD_METADATA] = "niter-metadata",
		[CHILD_WIRE] = "niter-wire",
		[CHILD_GATEWAY] = "niter-gateway",
	};

	return name[kind];
}

void child_limits_host(const struct launcher *l, struct cgroup_limits *ret)
{
	*ret = (struct cgroup_limits){
		.memory_max = 256 * MIB,
		.pids_max = 16,
		.cpu_weight = 200,
		.cpus = l->cpus_host[0] ? l->cpus_host : NULL,
	};
}

/* #syscalls:launcher newfstatat */
bool child_installed(const struct launcher *l, enum child_kind kind)
{
	struct stat st;

	return fstatat(l->libexec_fd, child_program(kind), &st, 0) == 0 && S_ISREG(st.st_mode);
}

static struct child *slot_get(struct launcher *l)
{
	unsigned i;

	for (i = 0; i < CHILDREN_MAX; i++)
		if (l->children[i].kind == CHILD_NONE)
			return &l->children[i];
	return NULL;
}

/* #syscalls:launcher socketpair pipe2 */
static int channels_make(struct child *c, int *ret_ctl, int *ret_log)
{
	int p[2], r;

	r = fd_socketpair(SOCK_SEQPACKET, &c->ctl, ret_ctl);
	if (r < 0)
		return r;
	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	c->log = p[0];
	*ret_log = p[1];
	if (fcntl(c->ctl, F_SETFL, O_RDWR | O_NONBLOCK) < 0 ||
	    fcntl(c->log, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

static int child_watch(struct launcher *l, struct child *c)
{
	int r;

	c->pid_ref = (struct loop_ref){ .type = REF_PID, .ptr = c };
	c->ctl_ref = (struct loop_ref){ .type = REF_CTL, .ptr = c };
	c->log_ref = (struct loop_ref){ .type = REF_LOG, .ptr = c };
	r = loop_add(&l->loop, c->pidfd, EPOLLIN, &c->pid_ref);
	if (r == 0)
		r = loop_add(&l->loop, c->ctl, EPOLLIN, &c->ctl_ref);
	if (r == 0)
		r = loop_add(&l->loop, c->log, EPOLLIN, &c->log_ref);
	return r;
}

static void child_free(struct child *c)
{
	fd_closep(&c->pidfd);
	fd_closep(&c->ctl);
	fd_closep(&c->log);
	c->kind = CHILD_NONE;
	c->set = NULL;
	c->job = NULL;
	c->gateway = NULL;
}

static int child_spawn(struct launcher *l, struct child *c, const char *program, int cgroup_fd)
{
	CLEANUP(fd_closep) int ctl = -1, log = -1;
	char path[512];
	int r;

	r = channels_make(c, &ctl, &log);
	if (r < 0)
		return r;
	if (snprintf(path, sizeof(path), "%s/%s", l->libexec, program) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	return spawn(&(struct spawn_conf){ .path = path,
					   .name = program,
					   .uid = c->uid,
					   .cgroup_fd = cgroup_fd,
					   .null_fd = l->null_fd,
					   .log_fd = log,
					   .ctl_fd = ctl,
					   .memlock = MEMLOCK_MAX },
		     &c->pid, &c->pidfd);
}

int child_start(struct launcher *l, enum child_kind kind, const char *program, uid_t uid,
		int cgroup_parent, const char *cgroup, const struct cgroup_limits *lim,
		struct child **ret, char *text)
{
	CLEANUP(fd_closep) int cgroup_fd = -1;
	struct child *c = slot_get(l);
	int r;

	if (!c) {
		(void)snprintf(text, CTL_TEXT_MAX, "no room for another process on this host");
		return -ENOSPC;
	}
	if (!child_installed(l, kind)) {
		(void)snprintf(text, CTL_TEXT_MAX, "there is no %s in %s: install it, or point --libexec to it",
			       child_program(kind), l->libexec);
		return -ENOENT;
	}
	memset(c, 0, sizeof(*c));
	c->pidfd = c->ctl = c->log = -1;
	c->uid = uid;
	c->cgroup_parent = cgroup_parent;
	(void)snprintf(c->cgroup, sizeof(c->cgroup), "%s", cgroup ? cgroup : program);
	bucket_init(&c->out.rate, LOG_RATE, LOG_BURST, clock_ns());

	r = cgroup_new(&l->cgroups, cgroup_parent, c->cgroup, false, lim, &cgroup_fd);
	if (r < 0) {
		(void)snprintf(text, CTL_TEXT_MAX, "cannot make the cgroup of %s: %s", program,
			       strerrordesc_np(-r));
		return r;
	}
	if (lim->isolated)
		log_info("child.cpus", "name=%s cpus=%s isolated=%d", program,
			 lim->cpus ? lim->cpus : "?", cgroup_is_isolated(cgroup_fd));
	r = child_spawn(l, c, program, cgroup_fd);
	c->kind = kind;
	if (r == 0) {
		r = child_watch(l, c);
		if (r < 0) {
			child_kill(c);
			(void)waitid(P_PIDFD, (id_t)c->pidfd, &(siginfo_t){ 0 }, WEXITED);
		}
	}
	if (r < 0) {
		(void)snprintf(text, CTL_TEXT_MAX, "cannot start %s: %s", program,
			       strerrordesc_np(-r));
		(void)cgroup_remove(cgroup_parent, c->cgroup);
		child_free(c);
		return r;
	}
	c->start_ns = clock_ns();
	log_info("child.start", "name=%s pid=%d uid=%u", program, c->pid, uid);
	*ret = c;
	return 0;
}

int child_send(struct child *c, enum ctl_type type, uint32_t seq, const void *body, const int *fds,
	       unsigned fd_cnt)
{
	if (c->ctl < 0)
		return -ENOTCONN;
	return ctl_send(c->ctl, type, seq, body, fds, fd_cnt);
}

void child_kill(struct child *c)
{
	if (c && c->pidfd >= 0)
		(void)syscall(SYS_pidfd_send_signal, c->pidfd, SIGKILL, NULL, 0);
}

/* One finished line. The child's own lines have our form; anything else is quoted. */
static void log_line(struct child *c)
{
	struct child_log *o = &c->out;
	char safe[sizeof(o->line) + 1];
	unsigned i, n = 0;

	if (bucket_take(&o->rate, 1, clock_ns()) != 0) {
		o->dropped++;
		return;
	}
	if (o->dropped)
		log_warn("child.log.dropped", "name=%s pid=%d lines=%u", child_program(c->kind),
			 c->pid, o->dropped);
	o->dropped = 0;
	for (i = 0; i < o->len; i++) {
		char ch = o->line[i];

		safe[n++] = (ch >= 0x20 && ch < 0x7f) || ch == '\t' ? ch : '?';
	}
	if (n < 2 || memcmp(safe, "t=", 2) != 0) {
		log_info("child.says", "name=%s pid=%d text=\"%.*s\"", child_program(c->kind),
			 c->pid, (int)n, safe);
		return;
	}
	safe[n++] = '\n';
	(void)!write(STDERR_FILENO, safe, n);
}

static void log_bytes(struct child *c, const char *b, size_t len)
{
	struct child_log *o = &c->out;
	size_t i;

	for (i = 0; i < len; i++) {
		if (b[i] == '\n') {
			log_line(c);
			o->len = 0;
			o->cut = false;
		} else if (o->len < sizeof(o->line) && !o->cut) {
			o->line[o->len++] = b[i];
		} else {
			o->cut = true;
		}
	}
}

void child_log_read(struct launcher *l, struct child *c)
{
	char b[LOG_READ_MAX];
	ssize_t n;

	if (c->log < 0)
		return;
	n = read(c->log, b, sizeof(b));
	if (n > 0) {
		log_bytes(c, b, (size_t)n);
	} else if (n == 0 || errno != EAGAIN) {
		loop_del(&l->loop, c->log);
		fd_closep(&c->log);
	}
}

static void status_text(const siginfo_t *si, char *ret, size_t cap)
{
	const char *sig;

	if (si->si_code == CLD_EXITED) {
		if (si->si_status == SPAWN_EXIT_EXEC)
			(void)snprintf(ret, cap, "could not be executed");
		else
			(void)snprintf(ret, cap, "ended with exit code %d", si->si_status);
		return;
	}
	sig = sigabbrev_np(si->si_status);
	if (si->si_status == SIGSYS)
		(void)snprintf(ret, cap,
			       "was killed: it made a system call that is not on its list");
	else
		(void)snprintf(ret, cap, "was killed by signal %d (SIG%s)", si->si_status,
			       sig ? sig : "?");
}

/* #syscalls:launcher waitid */
bool child_is_dead(const struct child *c)
{
	siginfo_t si = { 0 };

	return waitid(P_PIDFD, (id_t)c->pidfd, &si, WEXITED | WNOHANG | WNOWAIT) == 0 && si.si_pid;
}

void child_reap(struct launcher *l, struct child *c, char *ret_how, size_t cap)
{
	siginfo_t si = { 0 };
	uint64_t left = LOG_READ_MAX * 16;

	if (waitid(P_PIDFD, (id_t)c->pidfd, &si, WEXITED) < 0)
		(void)snprintf(ret_how, cap, "is gone: %s", strerrordesc_np(errno));
	else
		status_text(&si, ret_how, cap);
	for (; c->log >= 0 && left; left -= LOG_READ_MAX) {
		char b[LOG_READ_MAX];
		ssize_t n = read(c->log, b, sizeof(b));

		if (n <= 0)
			break;
		log_bytes(c, b, (size_t)n);
	}
	if (c->out.len)
		log_line(c);
	log_info("child.end", "name=%s pid=%d how=\"%s\"", child_program(c->kind), c->pid, ret_how);
	if (c->cgroup_parent >= 0 && !c->set && cgroup_remove(c->cgroup_parent, c->cgroup) < 0)
		log_warn("cgroup.left", "name=%s", c->cgroup);
	loop_del(&l->loop, c->pidfd);
	if (c->ctl >= 0)
		loop_del(&l->loop, c->ctl);
	if (c->log >= 0)
		loop_del(&l->loop, c->log);
	child_free(c);
}
