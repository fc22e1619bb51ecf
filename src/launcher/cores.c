/* SPDX-License-Identifier: Apache-2.0 */
#include "cores.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

enum { LIST_TEXT_MAX = 2048, CORES_CPUS_MAX = 1024 };

static int text_read(const char *dir, const char *file, char *ret, size_t cap)
{
	CLEANUP(fd_closep) int fd = -1;
	char path[PATH_MAX];
	ssize_t n;

	if (snprintf(path, sizeof(path), "%s/%s", dir, file) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, ret, cap - 1);
	if (n < 0)
		return -errno;
	ret[n] = 0;
	return 0;
}

/* One item of a list: "7" or "4-7", then "," or the end. Return: what follows, or NULL. */
static const char *list_next(const char *p, unsigned *ret_lo, unsigned *ret_hi)
{
	unsigned long lo, hi;
	char *end;

	if (*p < '0' || *p > '9')
		return NULL;
	lo = hi = strtoul(p, &end, 10);
	if (*end == '-') {
		p = end + 1;
		if (*p < '0' || *p > '9')
			return NULL;
		hi = strtoul(p, &end, 10);
	}
	if (hi < lo || hi >= CORE_CPU_MAX)
		return NULL;
	if (*end == ',')
		end++;
	else if (*end && *end != '\n')
		return NULL;
	*ret_lo = (unsigned)lo;
	*ret_hi = (unsigned)hi;
	return end;
}

int cpu_list_first(const char *text)
{
	unsigned lo, hi;

	return list_next(text, &lo, &hi) ? (int)lo : -EINVAL;
}

int cores_add(struct cores *c, unsigned first, unsigned cpu)
{
	struct core *k = NULL;
	unsigned i;

	for (i = 0; i < c->core_cnt && !k; i++)
		if (c->core[i].cpu[0] == (short)first)
			k = &c->core[i];
	if (!k) {
		if (c->core_cnt == CORES_MAX)
			return -ENOSPC;
		k = &c->core[c->core_cnt++];
		k->cpu_cnt = 0;
		k->owner = CORE_OWNER_NONE;
	}
	if (k->cpu_cnt == CORE_THREADS_MAX)
		return -ENOSPC;
	k->cpu[k->cpu_cnt++] = (short)cpu;
	return 0;
}

void cores_policy_set(struct cores *c, enum cores_policy policy)
{
	unsigned i;

	c->threads = CORE_THREADS_MAX;
	for (i = 0; i < c->core_cnt; i++)
		if ((unsigned)c->core[i].cpu_cnt < c->threads)
			c->threads = (unsigned)c->core[i].cpu_cnt;
	c->shared = policy == CORES_SHARED || c->core_cnt < 2;
	if (policy == CORES_AUTO && c->core_cnt < 1 + cores_needed(c, 1, 2))
		c->shared = true;
	if (!c->shared)
		c->core[0].owner = CORE_OWNER_HOST;
}

static int core_of_cpu(struct cores *c, const char *dir, unsigned cpu)
{
	char file[64], text[LIST_TEXT_MAX];
	int first;

	(void)snprintf(file, sizeof(file), "cpu%u/topology/thread_siblings_list", cpu);
	if (text_read(dir, file, text, sizeof(text)) < 0)
		return cores_add(c, cpu, cpu); /* no topology: a core of its own */
	first = cpu_list_first(text);
	if (first < 0)
		return first;
	return cores_add(c, (unsigned)first, cpu);
}

int cores_read(struct cores *c, const char *dir, enum cores_policy policy)
{
	char text[LIST_TEXT_MAX];
	const char *p = text;
	unsigned lo, hi;
	int r;

	memset(c, 0, sizeof(*c));
	r = text_read(dir, "online", text, sizeof(text));
	if (r < 0)
		return r;
	while (*p && *p != '\n') {
		p = list_next(p, &lo, &hi);
		if (!p)
			return -EINVAL;
		for (; lo <= hi; lo++) {
			r = core_of_cpu(c, dir, lo);
			if (r < 0)
				return r;
		}
	}
	if (!c->core_cnt)
		return -ENODATA;
	cores_policy_set(c, policy);
	return 0;
}

unsigned cores_needed(const struct cores *c, unsigned cores, unsigned threads)
{
	if (threads <= c->threads)
		return cores;
	return (cores * threads + c->threads - 1) / c->threads;
}

unsigned cores_free(const struct cores *c)
{
	unsigned i, n = 0;

	for (i = 0; i < c->core_cnt; i++)
		n += c->core[i].owner == CORE_OWNER_NONE;
	return n;
}

int cores_take(struct cores *c, short owner, unsigned cores, unsigned threads)
{
	unsigned need = cores_needed(c, cores, threads), i;

	if (c->shared)
		return 0;
	if (need > cores_free(c))
		return -ENOSPC;
	for (i = 0; i < c->core_cnt && need; i++) {
		if (c->core[i].owner != CORE_OWNER_NONE)
			continue;
		c->core[i].owner = owner;
		need--;
	}
	return 0;
}

void cores_give(struct cores *c, short owner)
{
	unsigned i;

	for (i = 0; i < c->core_cnt; i++)
		if (c->core[i].owner == owner)
			c->core[i].owner = CORE_OWNER_NONE;
}

unsigned cores_cpus(const struct cores *c, short owner, short *ret, unsigned cap)
{
	unsigned i, n = 0;
	short k;

	for (i = 0; i < c->core_cnt; i++) {
		const struct core *core = &c->core[i];

		if (!c->shared && core->owner != owner)
			continue;
		for (k = 0; k < core->cpu_cnt; k++, n++)
			if (n < cap)
				ret[n] = core->cpu[k];
	}
	return n;
}

int cores_text(const struct cores *c, short owner, char *ret, size_t cap)
{
	short cpu[CORES_CPUS_MAX];
	unsigned i, cnt = cores_cpus(c, owner, cpu, CORES_CPUS_MAX);
	size_t len = 0;

	if (cnt > CORES_CPUS_MAX)
		return -EMSGSIZE;
	if (cap)
		ret[0] = 0;
	for (i = 0; i < cnt; i++) {
		int n = snprintf(ret + len, cap - len, "%s%d", i ? "," : "", cpu[i]);

		if (n < 0 || (size_t)n >= cap - len)
			return -EMSGSIZE;
		len += (size_t)n;
	}
	return 0;
}
