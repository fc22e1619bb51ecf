/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/*
 * env_u64() - a number from the environment, for measurements; the launcher passes none
 * Before any thread. Return: @otherwise when @name is not set.
 */
uint64_t env_u64(const char *name, uint64_t otherwise);
