/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

#include "base/attr.h"

/**
 * random_bytes() - from the kernel's generator, which blocks until it is seeded
 *
 * The system call itself, not the C library's getrandom(): newer ones keep a generator in the process, which a
 * copy of the process or a resumed snapshot would continue, and prepare it with calls that no jailed program has.
 * A caller's list names getrandom.
 * Return: 0, -errno; @buf is then not to be used.
 */
MUST_USE int random_bytes(void *buf, size_t len);
