/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/guard.h"

bool guard_peer_mac(const struct tunnel *t, const struct map_entry *src)
{
	return src && !src->port && src->peer == t->peer_id;
}
