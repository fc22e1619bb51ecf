/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/attr.h"

/*
 * Second doors. The process starts under the filter "hypervisor", which lets it build a machine. Before the guest
 * runs, each vCPU thread and the main thread shut themselves in further: a filter is added to a filter, and the
 * stricter answer counts.
 */

/* The calling thread is a vCPU's from now on. Return: 0, -errno. */
MUST_USE int narrow_vcpu(void);
/* The calling thread is the main thread and the machine is made. */
MUST_USE int narrow_main(void);
