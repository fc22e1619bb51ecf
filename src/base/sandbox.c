/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"

/* Linux 6.3: memory that was ever writable cannot become executable. */
#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

enum { FIRST_PRIVATE_FD = 3 };

static int caps_read(struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3])
{
	struct __user_cap_header_struct hdr = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return syscall(SYS_capget, &hdr, data) < 0 ? -errno : 0;
}

static int caps_clear(void)
{
	struct __user_cap_header_struct hdr = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	memset(data, 0, sizeof(data));
	return syscall(SYS_capset, &hdr, data) < 0 ? -errno : 0;
}

/* Did the launcher start us: first process of a pid namespace, with the means to change its mounts? */
static bool is_jailed_start(void)
{
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (getpid() != 1 || caps_read(data) < 0)
		return false;
	return data[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective & CAP_TO_MASK(CAP_SYS_ADMIN);
}

static bool is_kept(const struct sandbox_conf *conf, int fd)
{
	size_t i;

	for (i = 0; i < conf->keep_cnt; i++)
		if (conf->keep_fds[i] == fd)
			return true;
	return false;
}

static int sandbox_fds(const struct sandbox_conf *conf)
{
	struct rlimit rl = { conf->nofile_max, conf->nofile_max };
	int from = FIRST_PRIVATE_FD, last = FIRST_PRIVATE_FD - 1;
	size_t i;
	int fd;

	for (i = 0; i < conf->keep_cnt; i++)
		if (conf->keep_fds[i] > last)
			last = conf->keep_fds[i];
	for (fd = from; fd <= last; fd++) {
		if (!is_kept(conf, fd))
			continue;
		if (fcntl(fd, F_GETFD) < 0)
			return -errno;
		if (from < fd && syscall(SYS_close_range, from, fd - 1, 0) < 0)
			return -errno;
		from = fd + 1;
	}
	if (syscall(SYS_close_range, from, UINT_MAX, 0) < 0)
		return -errno;
	return setrlimit(RLIMIT_NOFILE, &rl) < 0 ? -errno : 0;
}

/*
 * An own tmpfs with a single inode becomes the root; what was below is unmounted. It is mounted over a
 * directory that every host has: the initramfs's own root cannot be pivoted away from, which is why niter-init
 * moves to a tmpfs of its own first.
 */
static int sandbox_fs(void)
{
	static const char *const places[] = { "/tmp", "/run", "/proc", "/dev" };
	const unsigned long flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
	size_t i;
	int r = -ENOENT;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		r = 0;
		if (mount("niter-empty", places[i], "tmpfs", flags, "mode=0555,size=4k,nr_inodes=1") == 0)
			break;
		r = -errno;
	}
	if (r < 0)
		return r;
	if (chdir(places[i]) < 0)
		return -errno;
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return -errno;
	/* The old root now lies on top of the new one. */
	if (umount2(".", MNT_DETACH) < 0)
		return -errno;
	return chdir("/") < 0 ? -errno : 0;
}

/* Makes "uid 0" mean nothing, for good. Then empties the bounding set. Needs CAP_SETPCAP. */
static int caps_forget(void)
{
	const unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
				   SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
				   SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
	unsigned long cap;

	if (prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) < 0)
		return -errno;
	for (cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return -errno;
	return 0;
}

static int sandbox_user(bool jailed)
{
	struct rlimit none = { 0, 0 };
	int r;

	r = caps_forget();
	if (r < 0 && (jailed || r != -EPERM)) /* an ordinary user running a native test has none to forget */
		return r;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	r = caps_clear();
	if (r < 0)
		return r;
	if (setrlimit(RLIMIT_CORE, &none) < 0)
		return -errno;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	if (prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) < 0 && errno != EINVAL)
		return -errno;
	return 0;
}

/*
 * What happens between the launcher's fork and the filter of the program: only the launcher's own list, which
 * its children inherit, names these profiles.
 * #syscalls:start execve access openat read pread64 close fstat newfstatat mmap mprotect arch_prctl
 * #syscalls:start set_tid_address set_robust_list rseq prlimit64 getrandom readlink readlinkat
 * #syscalls:sandbox-enter getpid capget capset prctl fcntl close_range prlimit64 setrlimit
 * #syscalls:sandbox-enter mount umount2 pivot_root chdir seccomp
 *
 * What glibc does by itself in any program: memory, locks, clocks (where the vDSO cannot answer), dying.
 * #syscalls:* brk mmap munmap mremap mprotect madvise futex restart_syscall rt_sigreturn rt_sigprocmask
 * #syscalls:* clock_gettime clock_nanosleep gettimeofday time getrandom sched_yield getpid gettid tgkill
 * #syscalls:* exit exit_group
 */
static int sandbox_syscalls(const struct sandbox_conf *conf)
{
	return sandbox_filter_load(conf->profile, conf->threads ? SECCOMP_FILTER_FLAG_TSYNC : 0);
}

static int stage_result(const char *stage, int r)
{
	if (r < 0)
		log_err("sandbox.failed", "stage=%s err=%d text=\"%s\"", stage, r, strerrordesc_np(-r));
	return r;
}

int sandbox_enter(const struct sandbox_conf *conf)
{
	bool jailed = is_jailed_start();
	const char *env;
	int r;

	r = stage_result("fds", sandbox_fds(conf));
	if (r < 0)
		return r;
	if (jailed) {
		r = stage_result("fs", sandbox_fs());
	} else {
		env = getenv("NITER_UNJAILED"); /* NOLINT(concurrency-mt-unsafe): before any thread */
		if (env && !strcmp(env, "1"))
			log_warn("sandbox.unjailed", "stage=fs why=\"NITER_UNJAILED=1: no empty root\"");
		else
			r = stage_result("fs", -EPERM);
	}
	if (r < 0)
		return r;
	r = stage_result("user", sandbox_user(jailed));
	if (r < 0)
		return r;
	return stage_result("syscalls", sandbox_syscalls(conf));
}
