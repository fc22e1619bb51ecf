/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * EC2's instance types with their real vCPU, memory and network figures. 1 core = 2 vCPUs, so `vcpus` of a type is twice its cores.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct instance_type {
	const char *name;
	uint16_t vcpus; /* default: two threads per core */
	uint32_t ram_mib;
	uint32_t net_mbit_baseline, net_mbit_burst; /* equal: no burst */
};

/* What one interface of a type may send and receive. */
struct type_network {
	uint64_t bps_baseline, bps_burst; /* bits per second of whole frames */
	uint64_t burst_seconds; /* how long a full credit lasts at bps_burst; 0: no burst */
	uint64_t pps;
	uint32_t conntrack_max;
};

/* CpuOptions: how many cores, and how many threads of each the guest sees. */
struct cpu_options {
	uint16_t cores;
	uint8_t threads; /* 1 or 2 */
};

extern const struct instance_type instance_types[];
extern const size_t instance_type_cnt;

/* type_find(): NULL when there is no such type. */
const struct instance_type *type_find(const char *name);
/* type_default_cpus(): all cores of the type, both threads. */
struct cpu_options type_default_cpus(const struct instance_type *t);

/* type_network(): the contract of an interface of @t. */
struct type_network type_network(const struct instance_type *t);

/**
 * cpus_parse() - "2x1": cores x threads per core
 * Return: 0, -EINVAL when the text has another shape, -ERANGE when the type has fewer cores or threads.
 */
MUST_USE int cpus_parse(const struct instance_type *t, const char *s, struct cpu_options *ret);
