/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "seccomp_sandbox_test.h"

/*
 * A child is cloned the way the launcher does it, enters its sandbox and then does what single bytes on a
 * socket tell it; the parent looks at it through /proc. The profile below comes from this file.
 */

enum {
	JAIL_SOCK = 3,
	NOFILE = 9,
	HOST_UID = 200123,
};

struct jail {
	pid_t pid;
	int sock;
};

/* #syscalls:sandbox-test getuid ioctl(FIONREAD) access(!EACCES) @threads */
static void *thread_forbidden(void *unused)
{
	(void)unused;
	syscall(SYS_getppid);
	return NULL;
}

/* One order from the parent. Return: the byte to answer. */
static uint8_t jail_order(uint8_t order)
{
	pthread_t t;
	int n = 0;

	switch (order) {
	case 'a': /* allowed */
		return syscall(SYS_getuid) == 0;
	case 'e': /* answered with an errno by the filter */
		return syscall(SYS_access, "/", 0) == -1 && errno == EACCES;
	case 'i': /* ioctl with the one allowed request */
		return ioctl(JAIL_SOCK, FIONREAD, &n) == 0;
	case 'I':
		return (uint8_t)ioctl(JAIL_SOCK, FIONBIO, &n);
	case 'g': /* not declared */
		return (uint8_t)syscall(SYS_getppid);
	case 'x': /* an x32 number of an allowed call */
		return (uint8_t)syscall(SYS_getuid | 0x40000000);
	case 'm':
		return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
	case 'M':
		return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
	case 'h': /* a forked process instead of a thread */
		return (uint8_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	case 't':
		return pthread_create(&t, NULL, thread_forbidden, NULL) == 0 && pthread_join(t, NULL) == 0;
	default:
		return 0xff;
	}
}

static void jail_main(void)
{
	static const int keep[] = { JAIL_SOCK };
	const struct sandbox_conf conf = {
		.profile = &sandbox_profile_sandbox_test,
		.nofile_max = NOFILE,
		.keep_fds = keep,
		.keep_cnt = ARRAY_SIZE(keep),
	};
	uint8_t b;
	int r;

	r = sandbox_enter(&conf);
	b = (uint8_t)-r;
	while (write(JAIL_SOCK, &b, 1) == 1 && read(JAIL_SOCK, &b, 1) == 1)
		b = jail_order(b);
	_exit(0);
}

static void proc_write(pid_t pid, const char *file, const char *text)
{
	CLEANUP(fd_closep) int fd = -1;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_full(fd, text, strlen(text)), 0);
}

/* In the child, before the test's namespaces matter: waits for its uid map, then looks like a started program. */
NORETURN static void jail_child(int sock)
{
	uint8_t go;

	if (read(sock, &go, 1) != 1 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		_exit(90);
	/* The socket may be anywhere: bring it to 3, leave other descriptors open on purpose. */
	if (sock != JAIL_SOCK && dup2(sock, JAIL_SOCK) < 0)
		_exit(91);
	if (dup2(JAIL_SOCK, 40) < 0 || dup2(JAIL_SOCK, 41) < 0 || dup2(JAIL_SOCK, 6) < 0)
		_exit(92);
	jail_main();
	_exit(93);
}

/* Return: the sandbox's errno as the child reports it. */
static int jail_start(struct jail *j, uint64_t clone_flags)
{
	struct clone_args args = { .flags = clone_flags, .exit_signal = SIGCHLD };
	char map[64];
	uint8_t b = 0;
	int a, c;

	assert_int_equal(fd_socketpair(SOCK_STREAM, &a, &c), 0);
	j->pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (j->pid < 0 && errno == EPERM) {
		print_message("skip: this machine does not let us make user namespaces\n");
		close(a);
		close(c);
		skip();
	}
	assert_true(j->pid >= 0);
	if (j->pid == 0)
		jail_child(c);
	close(c);
	j->sock = a;
	if (clone_flags & CLONE_NEWUSER) {
		bool root = geteuid() == 0;

		if (!root)
			proc_write(j->pid, "setgroups", "deny");
		(void)snprintf(map, sizeof(map), "0 %u 1", root ? HOST_UID : geteuid());
		proc_write(j->pid, "uid_map", map);
		(void)snprintf(map, sizeof(map), "0 %u 1", root ? HOST_UID : getegid());
		proc_write(j->pid, "gid_map", map);
	}
	assert_int_equal(write(a, &b, 1), 1);
	if (read(a, &b, 1) != 1)
		return -1;
	return b;
}

static const uint64_t launcher_flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
				       CLONE_NEWNET | CLONE_NEWCGROUP;

static int jail_setup(void **state)
{
	static struct jail j;

	*state = &j;
	j.pid = -1;
	assert_int_equal(jail_start(&j, launcher_flags), 0);
	return 0;
}

static int jail_teardown(void **state)
{
	struct jail *j = *state;

	if (j->pid > 0) {
		kill(j->pid, SIGKILL);
		waitpid(j->pid, NULL, 0);
	}
	j->pid = -1;
	fd_closep(&j->sock);
	return 0;
}

static int jail_do(struct jail *j, uint8_t order)
{
	uint8_t b;

	assert_int_equal(write(j->sock, &order, 1), 1);
	return read(j->sock, &b, 1) == 1 ? b : -1;
}

static void assert_killed_by_filter(struct jail *j, uint8_t order)
{
	int status;

	assert_int_equal(jail_do(j, order), -1);
	assert_int_equal(waitpid(j->pid, &status, 0), j->pid);
	j->pid = -1;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static char *proc_read(pid_t pid, const char *file)
{
	static char buf[8192];
	CLEANUP(fd_closep) int fd = -1;
	ssize_t n;

	(void)snprintf(buf, sizeof(buf), "/proc/%d/%s", pid, file);
	fd = open(buf, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		buf[0] = '\0';
		return buf;
	}
	n = read(fd, buf, sizeof(buf) - 1);
	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

static void assert_status_line(pid_t pid, const char *line)
{
	char *text = proc_read(pid, "status");

	if (!strstr(text, line))
		fail_msg("no \"%s\" in\n%s", line, text);
}

static void sandbox__leaves_no_capability_anywhere(void **state)
{
	struct jail *j = *state;

	assert_status_line(j->pid, "\nCapInh:\t0000000000000000\n");
	assert_status_line(j->pid, "\nCapPrm:\t0000000000000000\n");
	assert_status_line(j->pid, "\nCapEff:\t0000000000000000\n");
	assert_status_line(j->pid, "\nCapBnd:\t0000000000000000\n");
	assert_status_line(j->pid, "\nCapAmb:\t0000000000000000\n");
	assert_status_line(j->pid, "\nNoNewPrivs:\t1\n");
	assert_status_line(j->pid, "\nSeccomp:\t2\n");
}

static void sandbox__has_an_empty_root_that_nobody_can_write(void **state)
{
	struct jail *j = *state;
	char path[64], *mounts, *eol;
	struct dirent *e;
	int cnt = 0;
	DIR *d;

	if (geteuid() != 0) {
		print_message("skip: looking into a jailed process needs root\n");
		skip();
	}
	mounts = proc_read(j->pid, "mountinfo");
	eol = strchr(mounts, '\n');
	assert_non_null(eol);
	assert_int_equal(eol[1], '\0'); /* one mount in all */
	assert_non_null(strstr(mounts, " / / ro,nosuid,nodev,noexec"));

	(void)snprintf(path, sizeof(path), "/proc/%d/root/", j->pid);
	d = opendir(path);
	assert_non_null(d);
	while ((e = readdir(d)))
		cnt += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
	closedir(d);
	assert_int_equal(cnt, 0);

	(void)snprintf(path, sizeof(path), "/proc/%d/root/x", j->pid);
	assert_int_equal(mkdir(path, 0700), -1);
	assert_int_equal(errno, EROFS);
}

static void sandbox__closes_descriptors_nobody_asked_for(void **state)
{
	struct jail *j = *state;
	char path[64], seen[256] = "";
	struct dirent *e;
	size_t len = 0;
	DIR *d;

	if (geteuid() != 0) {
		print_message("skip: looking into a jailed process needs root\n");
		skip();
	}
	(void)snprintf(path, sizeof(path), "/proc/%d/fd", j->pid);
	d = opendir(path);
	assert_non_null(d);
	while ((e = readdir(d)) && len < sizeof(seen))
		if (e->d_name[0] != '.')
			len += (size_t)snprintf(seen + len, sizeof(seen) - len, "%s ", e->d_name);
	closedir(d);
	assert_string_equal(seen, "0 1 2 3 ");
	assert_non_null(strstr(proc_read(j->pid, "limits"), "Max open files            9                    9 "));
	assert_non_null(strstr(proc_read(j->pid, "limits"), "Max core file size        0                    0 "));
}

static void sandbox__belongs_to_its_own_host_uid(void **state)
{
	struct jail *j = *state;

	if (geteuid() != 0) {
		print_message("skip: another uid needs root\n");
		skip();
	}
	assert_status_line(j->pid, "\nUid:\t200123\t200123\t200123\t200123\n");
	assert_status_line(j->pid, "\nGid:\t200123\t200123\t200123\t200123\n");
}

static void seccomp__allows_what_is_declared(void **state)
{
	struct jail *j = *state;

	assert_int_equal(jail_do(j, 'a'), 1);
	assert_int_equal(jail_do(j, 'm'), 1);
	assert_int_equal(jail_do(j, 'i'), 1);
	assert_int_equal(jail_do(j, 'e'), 1);
}

static void seccomp__kills_on_an_undeclared_call(void **state)
{
	assert_killed_by_filter(*state, 'g');
}

static void seccomp__kills_on_an_undeclared_ioctl_request(void **state)
{
	assert_killed_by_filter(*state, 'I');
}

static void seccomp__kills_on_an_executable_map(void **state)
{
	assert_killed_by_filter(*state, 'M');
}

static void seccomp__kills_on_an_x32_number(void **state)
{
	assert_killed_by_filter(*state, 'x');
}

static void seccomp__kills_on_a_clone_that_is_no_thread(void **state)
{
	assert_killed_by_filter(*state, 'h');
}

static void seccomp__kills_the_process_when_a_later_thread_errs(void **state)
{
	assert_killed_by_filter(*state, 't');
}

static void sandbox__refuses_a_start_outside_a_jail(void **state)
{
	struct jail j = { .sock = -1 };

	(void)state;
	unsetenv("NITER_UNJAILED");
	assert_int_equal(jail_start(&j, 0), EPERM);
	kill(j.pid, SIGKILL);
	waitpid(j.pid, NULL, 0);
	fd_closep(&j.sock);
}

static void sandbox__without_a_jail_still_filters_when_told(void **state)
{
	struct jail j = { .sock = -1 };

	(void)state;
	setenv("NITER_UNJAILED", "1", 1);
	assert_int_equal(jail_start(&j, 0), 0);
	unsetenv("NITER_UNJAILED");
	assert_status_line(j.pid, "\nCapEff:\t0000000000000000\n");
	assert_status_line(j.pid, "\nNoNewPrivs:\t1\n");
	assert_status_line(j.pid, "\nSeccomp:\t2\n");
	assert_killed_by_filter(&j, 'g');
	fd_closep(&j.sock);
}

#define JAILED(f) cmocka_unit_test_setup_teardown(f, jail_setup, jail_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		JAILED(sandbox__leaves_no_capability_anywhere),
		JAILED(sandbox__has_an_empty_root_that_nobody_can_write),
		JAILED(sandbox__closes_descriptors_nobody_asked_for),
		JAILED(sandbox__belongs_to_its_own_host_uid),
		JAILED(seccomp__allows_what_is_declared),
		JAILED(seccomp__kills_on_an_undeclared_call),
		JAILED(seccomp__kills_on_an_undeclared_ioctl_request),
		JAILED(seccomp__kills_on_an_executable_map),
		JAILED(seccomp__kills_on_an_x32_number),
		JAILED(seccomp__kills_on_a_clone_that_is_no_thread),
		JAILED(seccomp__kills_the_process_when_a_later_thread_errs),
		cmocka_unit_test(sandbox__refuses_a_start_outside_a_jail),
		cmocka_unit_test(sandbox__without_a_jail_still_filters_when_told),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
