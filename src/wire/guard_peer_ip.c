/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/guard.h"

bool guard_peer_ip(const struct wire *w, const struct tunnel *t, const struct inner *i,
		   const struct map_entry *src, const struct port *to)
{
	struct map_key k = map_key_ip(t->vni, i->family, i->src_ip);
	const struct map_entry *e = map_find(&w->map, &k);

	if (!e) /* nobody's inside: a gateway may bring it from outside */
		return src && src->gateway && i->family == CTL_IPV4 &&
		       !inner_in_block(i->src_ip, to->vpc_addr, to->vpc_prefix);
	if (e->mac == i->src)
		return true;
	/* Forwarded by an instance of the same host. */
	k = map_key_mac(t->vni, e->mac);
	e = map_find(&w->map, &k);
	return e && !e->port && e->peer == t->peer_id;
}
