/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/guard.h"

bool guard_peer_ip(const struct wire *w, const struct tunnel *t, const struct inner *i,
		   const struct map_entry *src, const struct port *to)
{
	(void)w;
	(void)t;
	(void)i;
	(void)src;
	(void)to;
	return true;
}
