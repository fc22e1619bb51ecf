/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "jail_path.h"
#include "launcher.h"

/*
 * What /proc says of every process, one JSON object a line (docs/wire/control.md lists the members). The launcher
 * may look because it owns the user namespaces of its children; it reads each with that child's own uid. Nothing
 * of a tenant is in there: names, numbers, kinds of descriptors.
 */

enum {
	PER_PAGE = 3,
	LINE_MAX_BYTES = CTL_CHUNK_MAX / PER_PAGE,
	FILE_MAX = 4096,
	FDS_MAX = 512,
	FD_NAME_MAX = 40,
};

struct text {
	char *p;
	size_t cap, len;
};

static void put(struct text *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void put(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->p + t->len, t->cap - t->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->len = t->len + (size_t)n < t->cap ? t->len + (size_t)n : t->cap - 1;
}

static void put_string(struct text *t, const char *s)
{
	put(t, "\"");
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			put(t, "\\%c", *s);
		else if ((unsigned char)*s < 0x20 || (unsigned char)*s >= 0x7f)
			put(t, "?");
		else
			put(t, "%c", *s);
	}
	put(t, "\"");
}

static int file_read(int dir, const char *name, char ret[FILE_MAX])
{
	CLEANUP(fd_closep) int fd = -1;
	size_t len = 0;
	ssize_t n;

	ret[0] = 0;
	fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	do {
		n = read(fd, ret + len, FILE_MAX - 1 - len);
		if (n > 0)
			len += (size_t)n;
	} while (n > 0 && len < FILE_MAX - 1);
	ret[len] = 0;
	return n < 0 ? -errno : 0;
}

/* The value of "Key:\tvalue\n" as text without blanks before it; "" when it is not there. */
static void field(const char *text, const char *key, char *ret, size_t cap)
{
	size_t len = strlen(key), n;
	const char *p = text;

	ret[0] = 0;
	while (p && strncmp(p, key, len) != 0) {
		p = strchr(p, '\n');
		p = p ? p + 1 : NULL;
	}
	if (!p)
		return;
	p += len;
	p += strspn(p, " \t");
	n = strcspn(p, " \t\n");
	if (n >= cap)
		n = cap - 1;
	memcpy(ret, p, n);
	ret[n] = 0;
}

static void put_status(struct text *t, int dir)
{
	static const struct {
		const char *key, *name;
		bool text;
	} rows[] = {
		{ "Uid:", "uid", false },         { "Gid:", "gid", false },
		{ "CapInh:", "cap_inh", true },   { "CapPrm:", "cap_prm", true },
		{ "CapEff:", "cap_eff", true },   { "CapBnd:", "cap_bnd", true },
		{ "CapAmb:", "cap_amb", true },   { "NoNewPrivs:", "no_new_privs", false },
		{ "Seccomp:", "seccomp", false }, { "Seccomp_filters:", "seccomp_filters", false },
		{ "Threads:", "threads", false }, { "VmRSS:", "rss_kib", false },
	};
	char status[FILE_MAX], value[32];
	size_t i;

	(void)file_read(dir, "status", status);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		field(status, rows[i].key, value, sizeof(value));
		if (!value[0])
			put(t, ",\"%s\":null", rows[i].name);
		else if (rows[i].text)
			put(t, ",\"%s\":\"%s\"", rows[i].name, value);
		else
			put(t, ",\"%s\":%s", rows[i].name, value);
	}
}

static void put_pss(struct text *t, int dir)
{
	char rollup[FILE_MAX], value[32];

	(void)file_read(dir, "smaps_rollup", rollup);
	field(rollup, "Pss:", value, sizeof(value));
	put(t, ",\"pss_kib\":%s", value[0] ? value : "null");
}

/* CPU time: fields 14 and 15 of stat, counted behind the last ")". */
static void put_cpu(struct text *t, int dir)
{
	unsigned long long user = 0, sys = 0;
	long hz = sysconf(_SC_CLK_TCK);
	char stat[FILE_MAX];
	const char *p;

	(void)file_read(dir, "stat", stat);
	p = strrchr(stat, ')');
	if (!p || sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user,
			 &sys) != 2)
		put(t, ",\"cpu_ms\":null");
	else
		put(t, ",\"cpu_ms\":%llu", (user + sys) * 1000 / (unsigned long long)hz);
}

/*
 * "socket:[1]" socket, "anon_inode:[eventfd]" eventfd, "anon_inode:kvm-vcpu:0" kvm-vcpu, "/memfd:x (deleted)" memfd:x
 * Return: it could be read.
 */
static bool fd_kind(int fds_dir, const char *name, char ret[FD_NAME_MAX])
{
	const char *kind = NULL;
	char link[256];
	const char *p = link;
	struct stat st;
	ssize_t n;

	n = readlinkat(fds_dir, name, link, sizeof(link) - 1);
	if (n < 0)
		return false;
	link[n] = 0;
	if (!strncmp(p, "anon_inode:", 11)) {
		p += 11;
		p += *p == '[';
	} else if (!strncmp(p, "/memfd:", 7)) {
		(void)snprintf(ret, FD_NAME_MAX, "memfd:%.*s", (int)strcspn(p + 7, " "), p + 7);
		return true;
	} else if (!strncmp(p, "/dev/", 5)) {
		kind = p;
	} else if (!strncmp(p, "/secretmem", 10)) {
		kind = "secretmem";
	} else if (*p == '/') {
		kind = fstatat(fds_dir, name, &st, 0) == 0 && S_ISDIR(st.st_mode) ? "directory"
										  : "file";
	}
	if (kind)
		(void)snprintf(ret, FD_NAME_MAX, "%.*s", FD_NAME_MAX - 1, kind);
	else
		(void)snprintf(ret, FD_NAME_MAX, "%.*s", (int)strcspn(p, "]:"), p);
	return true;
}

/* Not qsort(): for more than a kibibyte it asks the kernel for the machine's memory, a call that is not on our list. */
static void names_sort(char (*names)[FD_NAME_MAX], unsigned cnt)
{
	char one[FD_NAME_MAX];
	unsigned i, k;

	for (i = 1; i < cnt; i++) {
		memcpy(one, names[i], sizeof(one));
		for (k = i; k > 0 && strcmp(names[k - 1], one) > 0; k--)
			memcpy(names[k], names[k - 1], sizeof(one));
		memcpy(names[k], one, sizeof(one));
	}
}

/* #syscalls:launcher openat getdents64 readlinkat newfstatat getppid */
static void put_fds(struct text *t, int dir)
{
	static char names[FDS_MAX][FD_NAME_MAX];
	struct dirent *e;
	unsigned cnt = 0, i;
	bool unread;
	int fd = openat(dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

	if (!d) {
		fd_closep(&fd);
		put(t, ",\"fds\":null");
		return;
	}
	while (cnt < FDS_MAX && (e = readdir(d))) { /* NOLINT(concurrency-mt-unsafe): one thread */
		if (e->d_name[0] == '.')
			continue;
		if (!fd_kind(dirfd(d), e->d_name, names[cnt]))
			break;
		cnt++;
	}
	unread = e != NULL;
	closedir(d);
	if (unread) {
		put(t, ",\"fds\":null");
		return;
	}
	names_sort(names, cnt);
	put(t, ",\"fds\":[");
	for (i = 0; i < cnt; i++) {
		if (i)
			put(t, ",");
		put_string(t, names[i]);
	}
	put(t, "]");
}

static void put_root(struct text *t, int dir)
{
	int fd = openat(dir, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	unsigned cnt = 0;
	struct dirent *e;

	if (!d) {
		fd_closep(&fd);
		put(t, ",\"root_entries\":null");
		return;
	}
	while ((e = readdir(d))) /* NOLINT(concurrency-mt-unsafe): one thread */
		cnt += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	closedir(d);
	put(t, ",\"root_entries\":%u", cnt);
}

static void put_namespaces(struct text *t, int dir)
{
	static const char *const kinds[] = { "cgroup", "ipc", "mnt", "net", "pid", "user", "uts" };
	char path[32], link[64];
	size_t i;

	put(t, ",\"ns\":{");
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		const char *at;
		ssize_t n;

		(void)snprintf(path, sizeof(path), "ns/%s", kinds[i]);
		n = readlinkat(dir, path, link, sizeof(link) - 1);
		link[n > 0 ? n : 0] = 0;
		at = strchr(link, '[');
		if (at)
			put(t, "%s\"%s\":%lu", i ? "," : "", kinds[i], strtoul(at + 1, NULL, 10));
		else
			put(t, "%s\"%s\":null", i ? "," : "", kinds[i]);
	}
	put(t, "}");
}

static void put_cgroup(struct text *t, int dir)
{
	char all[FILE_MAX], *p;

	(void)file_read(dir, "cgroup", all);
	p = strstr(all, "0::");
	if (p)
		p[strcspn(p, "\n")] = 0;
	put(t, ",\"cgroup\":");
	put_string(t, p ? p + 3 : "");
}

/* From the list that tools/seccomp-gen wrote and the installation put beside the program. */
static void put_allowed(struct text *t, int libexec, const char *program)
{
	char name[96], list[FILE_MAX];
	const char *p;

	(void)snprintf(name, sizeof(name), "%s.syscalls.json", program);
	(void)file_read(libexec, name, list);
	p = strstr(list, "\"allowed\": ");
	if (p)
		put(t, ",\"syscalls_allowed\":%lu", strtoul(p + 11, NULL, 10));
	else
		put(t, ",\"syscalls_allowed\":null");
}

static void put_process(struct text *t, struct launcher *l, pid_t pid, const char *program,
			const char *instance, uid_t uid)
{
	CLEANUP(fd_closep) int dir = -1;
	size_t start = t->len;
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/%d", pid);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return;
	put(t, "{\"name\":\"%s\",\"pid\":%d,\"instance\":\"%s\"", program, pid, instance);
	if (uid)
		fs_user_set(uid);
	put_status(t, dir);
	put_pss(t, dir);
	put_cpu(t, dir);
	put_fds(t, dir);
	put_root(t, dir);
	put_namespaces(t, dir);
	put_cgroup(t, dir);
	if (uid)
		fs_user_reset();
	put_allowed(t, l->libexec_fd, program);
	if (t->len + 3 > t->cap) { /* cut lines are no JSON: leave it out rather than lie */
		t->len = start;
		log_warn("processes.too_long", "pid=%d", pid);
		return;
	}
	put(t, "}\n");
}

/* Number 0 is niter-init or whatever started us, 1 the launcher, then the children in the order of their table. */
void processes_report(struct launcher *l, uint32_t page, struct ctl_l_processes *ret)
{
	uint32_t first = page * PER_PAGE, i, no = 0;

	memset(ret, 0, sizeof(*ret));
	if (page > CHILDREN_MAX)
		return;
	for (i = 0; i < CHILDREN_MAX + 2; i++) {
		const struct child *c = i >= 2 ? &l->children[i - 2] : NULL;
		struct text t = { .cap = LINE_MAX_BYTES };

		if (c && c->kind == CHILD_NONE)
			continue;
		if (no++ < first)
			continue;
		if (no > first + PER_PAGE) {
			ret->more = 1;
			break;
		}
		t.p = (char *)ret->lines.b + ret->lines.len;
		if (i == 0 && getppid() == 1 && strcmp(l->mode, "hosted") != 0)
			put_process(&t, l, 1, "niter-init", "", 0);
		else if (i == 1)
			put_process(&t, l, getpid(), "niter-launcher", "", 0);
		else if (c)
			put_process(&t, l, c->pid, child_program(c->kind),
				    c->set ? c->set->conf.instance_id : "", c->uid);
		ret->lines.len = (uint16_t)(ret->lines.len + t.len);
	}
}
