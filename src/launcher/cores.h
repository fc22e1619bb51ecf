/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Who owns which core. A core is a physical core with all its hardware threads; it has one owner at a time,
 * so two instances never share one, nor its caches' first level, nor its siblings.
 *
 * The first core always belongs to the host: launcher, niterd, security and all cards run there and no guest
 * does. A host on which a two-vCPU instance could not be placed beside that core (one core; or two without
 * sibling threads) is in shared-core lab mode: everybody runs everywhere, and host.status says so.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

enum {
	CORES_MAX = 512,
	CORE_THREADS_MAX = 8,
	CORE_CPU_MAX = 4096, /* highest CPU number + 1 */
	CORE_OWNER_NONE = -1,
	CORE_OWNER_HOST = -2,
	CORES_TEXT_MAX = 2048, /* room for any cpuset list */
};

struct core {
	short cpu[CORE_THREADS_MAX]; /* CPU numbers of its hardware threads */
	short cpu_cnt;
	short owner; /* CORE_OWNER_… or the number of an instance's set */
};

struct cores {
	struct core core[CORES_MAX];
	unsigned core_cnt;
	unsigned threads; /* per core: the smallest number on this host */
	bool shared;      /* shared-core lab mode */
};

enum cores_policy { CORES_AUTO, CORES_WHOLE, CORES_SHARED };

/* cores_read(): the topology below /sys/devices/system/cpu, then cores_policy(). -errno, -ENODATA nothing there. */
MUST_USE int cores_read(struct cores *c, const char *dir, enum cores_policy policy);
/* cores_add(): CPU @cpu belongs to the core whose first CPU is @first. -ENOSPC too many. */
MUST_USE int cores_add(struct cores *c, unsigned first, unsigned cpu);
/* cores_policy_set(): to be called once, after the last cores_add(). Gives the first core to the host. */
void cores_policy_set(struct cores *c, enum cores_policy policy);

/*
 * cores_needed() - host cores for an instance of @cores cores with @threads threads each
 * A host without sibling threads gives a core per vCPU.
 */
unsigned cores_needed(const struct cores *c, unsigned cores, unsigned threads);
unsigned cores_free(const struct cores *c);

/**
 * cores_take() - whole cores for set @owner
 * Return: 0, or -ENOSPC: not enough free; nothing changes then. In shared mode always 0, nothing is owned.
 */
MUST_USE int cores_take(struct cores *c, short owner, unsigned cores, unsigned threads);
void cores_give(struct cores *c, short owner);

/**
 * cores_cpus() - the CPUs an owner may run on, siblings side by side
 * In shared mode: all CPUs, for every owner.
 * Return: how many there are; the first @cap of them are in @ret.
 */
unsigned cores_cpus(const struct cores *c, short owner, short *ret, unsigned cap);
/* cores_text(): the same as a cpuset list ("2,3,6"). -EMSGSIZE if it does not fit. */
MUST_USE int cores_text(const struct cores *c, short owner, char *ret, size_t cap);

/* cpu_list_first(): lowest CPU of a kernel list ("2-3,6\n"); -EINVAL if it is none. */
MUST_USE int cpu_list_first(const char *text);
