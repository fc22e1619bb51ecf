/* SPDX-License-Identifier: Apache-2.0 */

/* The oldest goes, whatever it is. */

#include "vpc/vpc_priv.h"

uint32_t conntrack_victim(const struct conntrack *ct, enum vpc_direction dir, uint32_t now_s)
{
	unsigned i;

	(void)dir;
	(void)now_s;
	for (i = CT_LISTS; i-- > 0;)
		if (ct->list[i].first)
			return ct->list[i].first;
	return 0;
}
