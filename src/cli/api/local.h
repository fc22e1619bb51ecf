/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The API of the local host, and a key for it. */

#include <stdbool.h>

#include "base/attr.h"
#include "cli/api/profile.h"

/**
 * local_profile() - fills what @p does not have
 * @key: also an access key: that of HOME/api.ini, which is made on first use through the operator's connection
 * Return: CLI_OK, or CLI_FAILED with the line printed.
 */
MUST_USE int local_profile(struct profile *p, bool key);
