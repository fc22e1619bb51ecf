/* SPDX-License-Identifier: Apache-2.0 */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

/*
 * The child waits on a pipe until its user namespace has its one uid and gid, becomes that uid, arranges its
 * descriptors and executes the program. Until then it is a copy of the launcher: only plain system calls here,
 * no allocation and no log, and what goes wrong is said in one line on the log pipe and by the exit code.
 */

enum {
	FD_SAFE = 64
}; /* descriptors are first moved above this, so that none is overwritten by another's place */

static const __u64 spawn_ns = (__u64)CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC |
			      CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWCGROUP;

NORETURN static void child_fail(int log_fd, const char *step, int code)
{
	const char *why = strerrordesc_np(errno);

	if (write(log_fd, step, strlen(step)) > 0 && write(log_fd, ": ", 2) > 0 && why &&
	    write(log_fd, why, strlen(why)) > 0)
		(void)!write(log_fd, "\n", 1);
	_exit(code);
}

static int child_identity(void)
{
	if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return -errno;
	/* After the change of uid, which clears it. */
	return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ? -errno : 0;
}

static int child_limits(const struct spawn_conf *conf)
{
	struct rlimit core = { 0, 0 }, memlock = { conf->memlock, conf->memlock };

	/* Of descriptors it inherits what the launcher may have; sandbox_enter() makes that exact. */
	if (setrlimit(RLIMIT_CORE, &core) < 0)
		return -errno;
	(void)setrlimit(RLIMIT_MEMLOCK,
			&memlock); /* may be lower already: the program says so if it needs more */
	return 0;
}

static int child_fds(const struct spawn_conf *conf)
{
	const int from[] = { conf->null_fd, conf->log_fd, conf->log_fd, conf->ctl_fd };
	int high[ARRAY_SIZE(from)];
	int i;

	for (i = 0; i < (int)ARRAY_SIZE(from); i++) {
		high[i] = fcntl(from[i], F_DUPFD_CLOEXEC, FD_SAFE);
		if (high[i] < 0)
			return -errno;
	}
	for (i = 0; i < (int)ARRAY_SIZE(from); i++)
		if (dup2(high[i], i) < 0)
			return -errno;
	return close_range(ARRAY_SIZE(from), UINT_MAX, 0) < 0 ? -errno : 0;
}

static int child_signals(void)
{
	sigset_t none;
	int sig;

	for (sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL); /* fails for SIGKILL and SIGSTOP only */
	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL) < 0 ? -errno : 0;
}

/* The environment of every program: nothing but the wish for a longer log. */
static void child_exec(const struct spawn_conf *conf)
{
	static char debug[] = "NITER_LOG=debug";
	const char *log = getenv("NITER_LOG"); /* NOLINT(concurrency-mt-unsafe): one thread */
	char *env[] = { log && !strcmp(log, "debug") ? debug : NULL, NULL };
	char name[64];
	char *argv[] = { name, NULL };

	(void)snprintf(name, sizeof(name), "%s", conf->name);
	(void)execve(conf->path, argv, env);
}

/*
 * What the programs need before their own filter closes is inherited through ours, see seal.c.
 * #syscalls:launcher setgroups setresgid setresuid prctl setrlimit prlimit64 dup2 close_range fcntl
 * #syscalls:launcher rt_sigaction rt_sigprocmask setsid umask chdir execve exit_group
 */
NORETURN static void child_main(const struct spawn_conf *conf, int go_fd)
{
	char go;

	if (read(go_fd, &go, 1) != 1)
		_exit(SPAWN_EXIT_SETUP); /* the launcher gave up */
	if (child_identity() < 0)
		child_fail(conf->log_fd, "niter-launcher: cannot become the program's user",
			   SPAWN_EXIT_SETUP);
	if (child_limits(conf) < 0)
		child_fail(conf->log_fd, "niter-launcher: cannot set limits", SPAWN_EXIT_SETUP);
	if (setsid() < 0 || chdir("/") < 0 || child_signals() < 0)
		child_fail(conf->log_fd, "niter-launcher: cannot detach", SPAWN_EXIT_SETUP);
	umask(077);
	if (child_fds(conf) < 0)
		child_fail(conf->log_fd, "niter-launcher: cannot arrange descriptors",
			   SPAWN_EXIT_SETUP);
	child_exec(conf);
	child_fail(STDERR_FILENO, "niter-launcher: cannot execute the program", SPAWN_EXIT_EXEC);
}

/* #syscalls:launcher openat write */
static int map_write(pid_t pid, const char *file, uid_t id)
{
	CLEANUP(fd_closep) int fd = -1;
	char path[64], line[64];
	int n;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = snprintf(line, sizeof(line), "0 %u 1\n", id);
	return fd_write_full(fd, line, (size_t)n);
}

/* #syscalls:launcher clone3 pipe2 waitid wait4 pidfd_send_signal kill */
int spawn(const struct spawn_conf *conf, pid_t *ret_pid, int *ret_pidfd)
{
	CLEANUP(fd_closep) int go_rd = -1, go_wr = -1, pidfd = -1;
	struct clone_args args;
	int go[2], r;
	long pid;

	if (pipe2(go, O_CLOEXEC) < 0)
		return -errno;
	go_rd = go[0];
	go_wr = go[1];

	memset(&args, 0, sizeof(args));
	args.flags = spawn_ns | CLONE_PIDFD;
	args.pidfd = (uint64_t)(uintptr_t)&pidfd;
	args.exit_signal = SIGCHLD;
	if (conf->cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (__u64)conf->cgroup_fd;
	}
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		close(go_wr);
		child_main(conf, go_rd);
	}

	r = map_write((pid_t)pid, "uid_map", conf->uid);
	if (r == 0)
		r = map_write((pid_t)pid, "gid_map", conf->uid);
	if (r == 0)
		r = fd_write_full(go_wr, "g", 1);
	if (r < 0) {
		(void)kill((pid_t)pid, SIGKILL);
		(void)waitpid((pid_t)pid, NULL, 0);
		return r;
	}
	*ret_pid = (pid_t)pid;
	*ret_pidfd = TAKE_FD(pidfd);
	return 0;
}
