/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/attr.h"

/**
 * kvm_probe() - can this machine's KVM run a real guest?
 * @ret_why: on "no", one line for a person (static text)
 *
 * Opens /dev/kvm and runs a tiny 64-bit guest that executes what Linux needs and what a KVM without hardware
 * behind it cannot do: xsave, cmpxchg16b and popcnt. Takes a millisecond; leaves nothing behind.
 * Return: 1 yes, 0 no.
 */
MUST_USE int kvm_probe(const char **ret_why);
