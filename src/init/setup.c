/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "init.h"

enum { MODULE_LIST_MAX = 8192 };

static int failed(const char *what, const char *where)
{
	int r = -errno;

	log_err("init.setup", "what=\"%s\" where=%s text=\"%s\"", what, where, strerrordesc_np(-r));
	return r;
}

/*
 * The root file system of an initramfs is the one mount that pivot_root() cannot leave. A bind mount of it, moved on
 * top, is an ordinary one with the same files: no copy is needed.
 */
int root_move(void)
{
	if (mkdir("/tmp", 0755) < 0 && errno != EEXIST)
		return failed("make", "/tmp");
	if (mount("/", "/tmp", NULL, MS_BIND, NULL) < 0)
		return failed("bind", "/");
	if (chdir("/tmp") < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0)
		return failed("move", "/");
	if (chroot(".") < 0 || chdir("/") < 0)
		return failed("chroot", "/");
	return 0;
}

static const struct {
	const char *type, *where;
	unsigned long flags;
	const char *data;
} mounts[] = {
	{ "proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL },
	{ "sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL },
	{ "devtmpfs", "/dev", MS_NOSUID | MS_NOEXEC, "mode=0755" },
	{ "cgroup2", "/sys/fs/cgroup", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL },
	{ "tmpfs", "/run", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0755,size=16m" },
};

static int console_open(void)
{
	int fd = open("/dev/console", O_RDWR | O_NOCTTY);

	if (fd < 0)
		return failed("open", "/dev/console");
	for (int i = 0; i < 3; i++)
		if (fd != i && dup2(fd, i) < 0)
			return failed("dup", "/dev/console");
	if (fd > 2)
		close(fd);
	return 0;
}

int mounts_make(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(mounts); i++) {
		(void)mkdir(mounts[i].where, 0755);
		if (mount(mounts[i].type, mounts[i].where, mounts[i].type, mounts[i].flags,
			  mounts[i].data) < 0)
			return failed("mount", mounts[i].where);
		if (!strcmp(mounts[i].where, "/dev") && console_open() < 0)
			return -EIO;
	}
	/* The kernel makes it 0555; the launcher has no capability that overrides modes. */
	if (chmod("/sys/fs/cgroup", 0755) < 0)
		return failed("chmod", "/sys/fs/cgroup");
	(void)mkdir("/var", 0755);
	(void)mkdir("/var/lib", 0755);
	(void)mkdir("/var/lib/niter", 0755);
	return 0;
}

int root_seal(void)
{
	if (mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) <
	    0)
		return failed("make read-only", "/");
	return 0;
}

int text_read(const char *path, char *ret, size_t cap)
{
	CLEANUP(fd_closep) int fd = -1;
	size_t len = 0;
	ssize_t n;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while ((n = read(fd, ret + len, cap - 1 - len)) > 0)
		len += (size_t)n;
	if (n < 0)
		return -errno;
	ret[len] = 0;
	return len == cap - 1 ? -E2BIG : 0;
}

static int text_write(const char *path, const char *value)
{
	CLEANUP(fd_closep) int fd = -1;

	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write(fd, value, strlen(value)) < 0 ? -errno : 0;
}

/* modprobe takes "-" and "_" for the same; file names keep what the kernel's build gave them. */
static int module_open(const char *dir, const char *name)
{
	char path[PATH_MAX];
	size_t i;
	int fd, n;

	n = snprintf(path, sizeof(path), "%s/%s.ko", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 || errno != ENOENT)
		return fd < 0 ? -errno : fd;
	for (i = strlen(dir); i < (size_t)n; i++)
		if (path[i] == '_' || path[i] == '-')
			path[i] = path[i] == '_' ? '-' : '_';
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int module_load(const char *dir, const struct module *m)
{
	CLEANUP(fd_closep) int fd = -1;

	fd = module_open(dir, m->name);
	if (fd < 0)
		return fd;
	return syscall(SYS_finit_module, fd, m->params, 0) < 0 ? -errno : 0;
}

void modules_load(const char *list_path, const char *dir)
{
	static char list[MODULE_LIST_MAX];
	const char *p = list;
	struct module m;
	int r;

	r = text_read(list_path, list, sizeof(list));
	if (r < 0) {
		log_warn("init.modules", "list=%s text=\"%s\"", list_path, strerrordesc_np(-r));
		return;
	}
	while ((r = module_next(&p, &m)) != 0) {
		if (r < 0) {
			log_err("init.modules", "text=\"a line of %s is no module\"", list_path);
			continue;
		}
		r = module_load(dir, &m);
		if (r == -ENODEV || r == -EOPNOTSUPP) /* for another maker's processor */
			log_info("init.module_not_here", "module=%s", m.name);
		else if (r < 0 && r != -EEXIST)
			log_err("init.module", "module=%s text=\"%s\"", m.name,
				strerrordesc_np(-r));
	}
}

/* From no specification: the security page's list (noisy neighbours and side channels), and what opens the kernel to users. */
static const struct {
	const char *path, *value;
} sysctls[] = {
	{ "/proc/sys/kernel/kexec_load_disabled", "1" },
	{ "/proc/sys/kernel/unprivileged_bpf_disabled", "1" },
	{ "/proc/sys/kernel/unprivileged_userns_clone",
	  "0" }, /* the launcher may, by CAP_SYS_ADMIN */
	{ "/proc/sys/kernel/io_uring_disabled", "2" },
	{ "/proc/sys/vm/unprivileged_userfaultfd", "0" },
	{ "/proc/sys/net/core/bpf_jit_harden", "2" },
	{ "/proc/sys/kernel/perf_event_paranoid", "3" },
	{ "/proc/sys/kernel/kptr_restrict", "2" },
	{ "/proc/sys/kernel/dmesg_restrict", "1" },
	{ "/proc/sys/kernel/yama/ptrace_scope", "3" },
	{ "/proc/sys/kernel/sysrq", "0" },
	{ "/proc/sys/kernel/ctrl-alt-del", "0" },
	{ "/proc/sys/kernel/core_pattern", "\n" }, /* empty: nothing is dumped */
	{ "/proc/sys/kernel/panic_on_oops", "1" },
	{ "/proc/sys/fs/suid_dumpable", "0" },
	{ "/proc/sys/fs/protected_symlinks", "1" },
	{ "/proc/sys/fs/protected_hardlinks", "1" },
	{ "/proc/sys/fs/aio-max-nr", "1048576" }, /* every card has its own queues */
	{ "/sys/kernel/mm/ksm/run", "0" },
	{ "/sys/kernel/mm/transparent_hugepage/shmem_enabled", "advise" },
};

static void sysctl_set(const char *path, const char *value)
{
	int r = text_write(path, value);

	if (r < 0 && r != -ENOENT) /* a kernel that lacks the thing needs no switch for it */
		log_warn("init.sysctl", "path=%s text=\"%s\"", path, strerrordesc_np(-r));
}

void sysctls_set(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sysctls); i++)
		sysctl_set(sysctls[i].path, sysctls[i].value);
}

void sysctls_close(void)
{
	sysctl_set("/proc/sys/kernel/modules_disabled", "1");
}
