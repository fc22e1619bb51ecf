/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What CPUID tells the guest: what KVM can do on this host, less everything that is not the guest's business
 * (nested virtualisation, performance counters, MWAIT, SGX, resource control, …), with the topology of the
 * instance in every leaf that speaks of it.
 */

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "hypervisor/topology.h"

enum { CPUID_ENTRIES_MAX = 256 };

/* KVM's struct kvm_cpuid2 with room; hand cpuid_kvm() to its ioctls. */
struct cpuid_table {
	uint32_t cnt;
	uint32_t padding;
	struct kvm_cpuid_entry2 entry[CPUID_ENTRIES_MAX];
};

_Static_assert(offsetof(struct cpuid_table, entry) == offsetof(struct kvm_cpuid2, entries),
	       "laid out as KVM wants it");

/**
 * cpuid_build() - the guest's table, for the boot processor
 * @host: KVM_GET_SUPPORTED_CPUID
 * @has_tsc_deadline: KVM_CAP_TSC_DEADLINE_TIMER
 */
void cpuid_build(const struct cpuid_table *host, const struct topology *t, bool has_tsc_deadline,
		 struct cpuid_table *ret);

/* cpuid_set_apic_id(): makes @c the table of another processor of the same package. */
void cpuid_set_apic_id(struct cpuid_table *c, const struct topology *t, unsigned apic_id);

/* cpuid_phys_bits(): width of a guest-physical address. */
unsigned cpuid_phys_bits(const struct cpuid_table *c);

/* cpuid_find(): NULL if there is none. */
struct kvm_cpuid_entry2 *cpuid_find(struct cpuid_table *c, uint32_t function, uint32_t index);
