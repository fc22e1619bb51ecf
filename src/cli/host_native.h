/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/attr.h"

/**
 * host_native_start() - start niter-launcher on this machine's own KVM (needs root)
 *
 * Returns when niterd answers. Return: 0, or 1 with a line printed; nothing is left running then.
 */
MUST_USE int host_native_start(unsigned api_port);
