/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"

enum { CGROUP_VALUE_MAX = 256 };

static const char cgroup_name[] = "niter";

/* #syscalls:launcher openat write */
static int cgroup_put(int dir, const char *file, const char *value)
{
	CLEANUP(fd_closep) int fd = -1;

	fd = openat(dir, file, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, value, strlen(value)) < 0)
		return -errno;
	return 0;
}

static int cgroup_putf(int dir, const char *file, const char *fmt, ...) PRINTF_LIKE(3, 4);
static int cgroup_putf(int dir, const char *file, const char *fmt, ...)
{
	char value[CGROUP_VALUE_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	if (n < 0 || n >= (int)sizeof(value))
		return -EMSGSIZE;
	return cgroup_put(dir, file, value);
}

static int cgroup_get(int dir, const char *file, char *ret, size_t cap)
{
	CLEANUP(fd_closep) int fd = -1;
	ssize_t n;

	fd = openat(dir, file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, ret, cap - 1);
	if (n < 0)
		return -errno;
	ret[n] = 0;
	return 0;
}

bool cgroup_has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	while (*text) {
		size_t n = strcspn(text, " \n");

		if (n == len && !memcmp(text, word, len))
			return true;
		text += n;
		text += strspn(text, " \n");
	}
	return false;
}

static const char *const controllers[] = { "memory", "pids", "cpu", "cpuset" };

/* Switches on for the children of @dir what can be had. Return: number of the above that are on now. */
static unsigned controllers_enable(int dir, bool *ret_cpuset)
{
	char on[CGROUP_VALUE_MAX];
	unsigned i, cnt = 0;

	for (i = 0; i < ARRAY_SIZE(controllers); i++) {
		char word[16];

		(void)snprintf(word, sizeof(word), "+%s", controllers[i]);
		(void)cgroup_put(dir, "cgroup.subtree_control", word);
	}
	if (cgroup_get(dir, "cgroup.subtree_control", on, sizeof(on)) < 0)
		on[0] = 0;
	for (i = 0; i < ARRAY_SIZE(controllers); i++)
		cnt += cgroup_has_word(on, controllers[i]);
	*ret_cpuset = cgroup_has_word(on, "cpuset");
	return cnt;
}

static int open_root(void)
{
	static const char *const places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
	struct statfs fs;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		if (statfs(places[i], &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
			return open(places[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	errno = ENODEV;
	return -1;
}

static int make_dir(int parent, const char *name)
{
	int fd;

	if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int cgroups_init(struct cgroups *c, bool lab, char *ret_why, unsigned why_cap)
{
	bool cpuset_top, cpuset;
	unsigned cnt;
	int top;

	*c = (struct cgroups){ .top_fd = -1, .root_fd = -1, .host_fd = -1 };
	ret_why[0] = 0;
	c->top_fd = top = open_root();
	if (top < 0) {
		(void)snprintf(ret_why, why_cap,
			       "no cgroup v2 at /sys/fs/cgroup: boot with "
			       "systemd.unified_cgroup_hierarchy=1");
		return lab ? 0 : -ENODEV;
	}
	cnt = controllers_enable(top, &cpuset_top);
	c->root_fd = make_dir(top, cgroup_name);
	if (c->root_fd < 0) {
		(void)snprintf(ret_why, why_cap, "cannot make the cgroup \"niter\": %s",
			       strerrordesc_np(-c->root_fd));
		return c->root_fd;
	}
	if (cnt == ARRAY_SIZE(controllers))
		cnt = controllers_enable(c->root_fd, &cpuset);
	c->host_fd = make_dir(c->root_fd, "host");
	if (c->host_fd < 0)
		return c->host_fd;
	if (cnt != ARRAY_SIZE(controllers)) {
		(void)snprintf(
			ret_why, why_cap,
			"cgroup v2 lacks a controller (memory, pids, cpu and cpuset are needed)");
		return lab ? 0 : -ENODEV;
	}
	c->has_limits = true;
	c->has_cpuset = true;
	(void)controllers_enable(c->host_fd, &cpuset);
	return 0;
}

void cgroups_done(struct cgroups *c)
{
	int r;

	fd_closep(&c->host_fd);
	fd_closep(&c->root_fd);
	if (c->top_fd >= 0) {
		(void)unlinkat(c->top_fd, "niter/host", AT_REMOVEDIR);
		r = cgroup_remove(c->top_fd, cgroup_name);
		if (r < 0 &&
		    r != -EACCES) /* usual: only CAP_DAC_OVERRIDE may write the root's directory */
			log_warn("cgroup.left", "name=%s text=\"%s\"", cgroup_name,
				 strerrordesc_np(-r));
	}
	fd_closep(&c->top_fd);
}

/*
 * A remote partition (Linux 6.7): exclusive CPUs are handed down the path, then the leaf asks for them alone.
 * Any refusal leaves an ordinary cpuset, which is still the right set of CPUs.
 */
static void cgroup_isolate(const struct cgroups *c, int parent, int fd, const char *cpus)
{
	char now[CGROUP_VALUE_MAX], all[CGROUP_VALUE_MAX];

	if (cgroup_get(c->root_fd, "cpuset.cpus.exclusive", now, sizeof(now)) < 0)
		return;
	now[strcspn(now, "\n")] = 0;
	if (snprintf(all, sizeof(all), "%s%s%s", now, now[0] ? "," : "", cpus) >= (int)sizeof(all))
		return;
	if (cgroup_put(c->root_fd, "cpuset.cpus.exclusive", all) < 0 ||
	    cgroup_put(parent, "cpuset.cpus.exclusive", cpus) < 0 ||
	    cgroup_put(fd, "cpuset.cpus.exclusive", cpus) < 0)
		return;
	(void)cgroup_put(fd, "cpuset.cpus.partition", "isolated");
}

bool cgroup_is_isolated(int fd)
{
	char now[CGROUP_VALUE_MAX];

	if (fd < 0 || cgroup_get(fd, "cpuset.cpus.partition", now, sizeof(now)) < 0)
		return false;
	return !strcmp(now, "isolated\n");
}

static int cgroup_limit(const struct cgroups *c, int parent, int fd,
			const struct cgroup_limits *lim)
{
	int r = 0;

	if (!c->has_limits)
		return 0;
	if (lim->memory_max) {
		r = cgroup_putf(fd, "memory.max", "%" PRIu64, lim->memory_max);
		(void)cgroup_put(fd, "memory.swap.max", "0"); /* absent without swap support */
	}
	if (r == 0 && lim->oom_group)
		r = cgroup_put(fd, "memory.oom.group", "1");
	if (r == 0 && lim->pids_max)
		r = cgroup_putf(fd, "pids.max", "%u", lim->pids_max);
	if (r == 0 && lim->cpu_weight)
		r = cgroup_putf(fd, "cpu.weight", "%u", lim->cpu_weight);
	if (r == 0 && lim->cpus)
		r = cgroup_put(fd, "cpuset.cpus", lim->cpus);
	if (r == 0 && lim->cpus && lim->isolated)
		cgroup_isolate(c, parent, fd, lim->cpus);
	return r;
}

/* #syscalls:launcher mkdirat unlinkat */
int cgroup_new(const struct cgroups *c, int parent, const char *name, bool inner,
	       const struct cgroup_limits *lim, int *ret_fd)
{
	CLEANUP(fd_closep) int fd = -1;
	bool cpuset;
	int r;

	if (parent < 0) {
		*ret_fd = -1;
		return 0;
	}
	fd = make_dir(parent, name);
	if (fd < 0)
		return fd;
	r = cgroup_limit(c, parent, fd, lim);
	if (r < 0) {
		(void)cgroup_remove(parent, name);
		return r;
	}
	if (inner && c->has_limits)
		(void)controllers_enable(fd, &cpuset);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

void cgroup_kill(int parent, const char *name)
{
	char file[CGROUP_VALUE_MAX];

	if (parent >= 0 && snprintf(file, sizeof(file), "%s/cgroup.kill", name) < (int)sizeof(file))
		(void)cgroup_put(parent, file, "1");
}

int cgroup_remove(int parent, const char *name)
{
	if (parent < 0 || unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	return -errno;
}
