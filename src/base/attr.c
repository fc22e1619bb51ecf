/* SPDX-License-Identifier: Apache-2.0 */
#include "base/attr.h"

#include <stdlib.h>

#include "base/log.h"

void must_failed(const char *cond, const char *file, int line)
{
	log_err("must.failed", "cond=\"%s\" file=%s line=%d", cond, file, line);
	abort();
}

void free_p(void *pp)
{
	void **p = pp;

	free(*p);
	*p = NULL;
}
