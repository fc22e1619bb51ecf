/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Control groups, version 2 only: <root>/niter/{host,<instance>}/<program>.
 * <root>/niter/host holds security, niterd and the format jobs; an instance's own memory.max is the limit of its
 * whole set, because guest memory is charged to whoever touches a page first, hypervisor or card.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct cgroups {
	int top_fd;      /* <root> */
	int root_fd;     /* <root>/niter; -1: this machine has no cgroup v2 (lab only) */
	int host_fd;     /* <root>/niter/host */
	bool has_limits; /* memory, pids and cpu controllers are there */
	bool has_cpuset;
};

/* What one cgroup is limited to. Zero or NULL: not limited. */
struct cgroup_limits {
	uint64_t memory_max; /* bytes */
	unsigned pids_max;
	unsigned cpu_weight; /* 1 … 10000, 100 is usual */
	const char *cpus;    /* cpuset list, "2-3,6" */
	bool isolated;       /* try to make @cpus an isolated partition */
	bool oom_group;      /* out of memory ends all of it */
};

/**
 * cgroups_init() - make <root>/niter and switch the controllers on
 * @lab:      without version 2 or without a controller: go on without limits instead of failing
 * @ret_why:  one line when limits are missing, else empty; @why_cap bytes
 *
 * Return: 0, or -errno (with @ret_why filled).
 */
MUST_USE int cgroups_init(struct cgroups *c, bool lab, char *ret_why, unsigned why_cap);
/* cgroups_done(): removes <root>/niter/host, and <root>/niter too where this process may; else it stays, empty. */
void cgroups_done(struct cgroups *c);

/**
 * cgroup_new() - make and limit one cgroup
 * @parent:  directory descriptor, or -1 when there are no cgroups at all
 * @inner:   it will have children: its controllers are switched on for them
 * @ret_fd:  directory descriptor, owned; -1 when @parent is -1
 *
 * Return: 0, or -errno; then nothing is left of it.
 */
MUST_USE int cgroup_new(const struct cgroups *c, int parent, const char *name, bool inner,
			const struct cgroup_limits *lim, int *ret_fd);

/* cgroup_is_isolated(): did the kernel accept the partition? */
bool cgroup_is_isolated(int fd);

/* cgroup_kill(): SIGKILL to everything in it, by cgroup.kill where the kernel has it. */
void cgroup_kill(int parent, const char *name);

/* cgroup_remove(): Return: 0 gone (or was never there), -EBUSY somebody still dies in it: try later, -errno. */
int cgroup_remove(int parent, const char *name);

/* cgroup_has_words(): does @text contain @word as a whole, blank-separated word? For cgroup.controllers. */
bool cgroup_has_word(const char *text, const char *word);
