/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/guard.h"

bool guard_peer_mac(const struct tunnel *t, const struct map_entry *src)
{
	(void)t;
	(void)src;
	return true;
}
