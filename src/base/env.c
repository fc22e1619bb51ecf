/* SPDX-License-Identifier: Apache-2.0 */
#include "base/env.h"

#include <stdlib.h>

uint64_t env_u64(const char *name, uint64_t otherwise)
{
	const char *v = getenv(name); /* NOLINT(concurrency-mt-unsafe): before any thread */

	return v ? strtoull(v, NULL, 10) : otherwise;
}
