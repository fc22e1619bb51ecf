/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * libcrypto, made ready once: no configuration file, no engine, no module is ever loaded, and every algorithm
 * this folder uses is fetched now, so that nothing opens a file after sandbox_enter().
 */

#include "base/attr.h"

/**
 * crypto_init() - call in main() before sandbox_enter() and before any other function of crypto/
 * Return: 0, or -ENOSYS when libcrypto lacks an algorithm.
 */
MUST_USE int crypto_init(void);
