/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One package of cores, each with one or two threads. vCPU numbers count thread 0 of every core first, as EC2 does
 * and as the MADT lists them: with 2 cores of 2 threads, vCPUs 0 and 2 are siblings. APIC ids count the other way:
 * the thread is the lowest bit, so that CPUID's shifts find cores. Core ids have no gaps.
 */

#include <stdbool.h>

#include "base/attr.h"

enum {
	TOPO_CORES_MAX = 32,
	TOPO_THREADS_MAX = 2,
	VCPUS_MAX = TOPO_CORES_MAX * TOPO_THREADS_MAX,
};

struct topology {
	unsigned cores, threads; /* threads of each core */
};

static inline MUST_USE bool topo_is_valid(unsigned cores, unsigned threads)
{
	return cores >= 1 && cores <= TOPO_CORES_MAX && threads >= 1 && threads <= TOPO_THREADS_MAX;
}

static inline unsigned topo_vcpus(const struct topology *t)
{
	return t->cores * t->threads;
}

/* Bits that hold 0 … n-1. */
static inline unsigned topo_bits(unsigned n)
{
	unsigned bits = 0;

	while (1u << bits < n)
		bits++;
	return bits;
}

static inline unsigned topo_core(const struct topology *t, unsigned vcpu_idx)
{
	return vcpu_idx % t->cores;
}

static inline unsigned topo_apic_id(const struct topology *t, unsigned vcpu_idx)
{
	return topo_core(t, vcpu_idx) << topo_bits(t->threads) | vcpu_idx / t->cores;
}
