/* SPDX-License-Identifier: Apache-2.0 */
#include "jailed_program.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "proto/control.h"

enum { ENV_MAX = 8 };

static int map_write(pid_t pid, const char *name, uid_t uid)
{
	CLEANUP(fd_closep) int fd = -1;
	char path[64], line[32];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	(void)snprintf(line, sizeof(line), "0 %u 1", uid);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd_write_full(fd, line, strlen(line));
}

NORETURN static void child(const char *program, const char *name, int ctl, int go,
			   const char *const *env, bool jailed)
{
	const char *e[ENV_MAX + 2] = { NULL };
	const char *argv[] = { name, NULL };
	unsigned n = 0;
	char c;

	for (; env && n < ENV_MAX && env[n]; n++)
		e[n] = env[n];
	if (!jailed)
		e[n] = "NITER_UNJAILED=1";
	if (read(go, &c, 1) != 1) /* until the parent has written our user map */
		_exit(127);
	if (jailed && (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
		_exit(126);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a change of uid would clear it */
	if (ctl == CTL_FD)
		(void)fcntl(ctl, F_SETFD, 0);
	else
		(void)dup2(ctl, CTL_FD);
	(void)syscall(SYS_execve, program, argv, e);
	_exit(127);
}

int jailed_start(const char *program, const char *name, uid_t uid, int ctl,
		 const char *const *env, pid_t *ret)
{
	static const uint64_t jail = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC |
				     CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWCGROUP;
	CLEANUP(fd_closep) int go_r = -1, go_w = -1;
	bool jailed = geteuid() == 0;
	struct clone_args args = { .flags = jailed ? jail : 0, .exit_signal = SIGCHLD };
	int r = fd_socketpair(SOCK_STREAM, &go_r, &go_w);

	if (r < 0)
		return r;
	*ret = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (*ret < 0)
		return -errno;
	if (*ret == 0)
		child(program, name, ctl, go_r, env, jailed);
	if (jailed)
		r = map_write(*ret, "uid_map", uid);
	if (jailed && r == 0)
		r = map_write(*ret, "gid_map", uid);
	return r < 0 ? r : fd_write_full(go_w, "g", 1);
}

int jailed_wait(pid_t *pid)
{
	int status = 0;

	if (*pid <= 0)
		return 0;
	(void)waitpid(*pid, &status, 0);
	*pid = -1;
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}
