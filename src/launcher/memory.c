/* SPDX-License-Identifier: Apache-2.0 */
#include "memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"

enum { MEMINFO_MAX = 4096, OVERHEAD_MIB = 24, OVERHEAD_SHARE = 256 };

static int number(const char *p, uint64_t *ret)
{
	uint64_t n = 0;

	if (*p < '0' || *p > '9')
		return -ENODATA;
	for (; *p >= '0' && *p <= '9'; p++)
		if (!mul_u64(n, 10, &n) || !add_u64(n, (uint64_t)(*p - '0'), &n))
			return -ENODATA;
	*ret = n;
	return 0;
}

int memory_parse(const char *meminfo, const char *key, uint64_t *ret)
{
	size_t len = strlen(key);
	uint64_t kib;
	int r;

	while (strncmp(meminfo, key, len) != 0) {
		meminfo = strchr(meminfo, '\n');
		if (!meminfo)
			return -ENODATA;
		meminfo++;
	}
	meminfo += len;
	r = number(meminfo + strspn(meminfo, " "), &kib);
	if (r < 0)
		return r;
	return mul_u64(kib, KIB, ret) ? 0 : -ENODATA;
}

int memory_read(struct memory *m, uint64_t reserve)
{
	CLEANUP(fd_closep) int fd = -1;
	char text[MEMINFO_MAX];
	uint64_t total, avail;
	ssize_t n;
	int r;

	fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = 0;
	r = memory_parse(text, "MemTotal:", &total);
	if (r == 0)
		r = memory_parse(text, "MemAvailable:", &avail);
	if (r < 0)
		return r;
	*m = (struct memory){ .total = total, .for_sets = avail > reserve ? avail - reserve : 0 };
	return 0;
}

uint64_t memory_overhead(uint64_t ram)
{
	return OVERHEAD_MIB * MIB + ram / OVERHEAD_SHARE;
}

uint64_t memory_free(const struct memory *m)
{
	uint64_t left = m->for_sets > m->used ? m->for_sets - m->used : 0;

	return left > memory_overhead(left) ? left - memory_overhead(left) : 0;
}

int memory_take(struct memory *m, uint64_t ram)
{
	uint64_t need;

	if (!add_u64(ram, memory_overhead(ram), &need) || !range_ok(m->used, need, m->for_sets))
		return -ENOSPC;
	m->used += need;
	return 0;
}

void memory_give(struct memory *m, uint64_t ram)
{
	m->used -= ram + memory_overhead(ram);
}
