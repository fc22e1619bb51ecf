/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/attr.h"

/*
 * Which model-specific registers the guest may touch: those on a list, all others raise #GP. Not on it: nested
 * virtualisation, performance counters, SMM, debugging, everything Hyper-V and Xen.
 */

/* msr_filter_set(): before the first vCPU runs. Return: 0, -ENOTSUP (KVM older than Linux 5.10), -errno. */
MUST_USE int msr_filter_set(int vm_fd);
/* msr_is_allowed(): what the filter does with @msr. x2APIC's 0x800 … 0x8ff never meet it. */
MUST_USE int msr_is_allowed(unsigned msr);
