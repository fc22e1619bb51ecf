/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/bytes.h"
#include "wire/wire.h"

enum { VNI_MAX = 0xffffff };

#define MAC_GROUP ((uint64_t)1 << 40)

/* An entry that nothing names any more goes. @e is not valid afterwards. */
static void mac_release(struct wire *w, struct map_entry *e)
{
	uint32_t tunnel = e->peer ? e->tunnel : WIRE_NONE;

	if (e->address_cnt || e->gateway)
		return;
	if (e->port)
		e->peer = 0; /* a port of ours stays reachable without any mapping */
	else
		map_del(&w->map, e);
	if (tunnel != WIRE_NONE)
		tunnel_unref(w, tunnel);
}

static void address_release(struct wire *w, uint32_t vni, uint64_t mac)
{
	struct map_key k = map_key_mac(vni, mac);
	struct map_entry *e = map_find(&w->map, &k);

	must(e && e->address_cnt);
	e->address_cnt--;
	mac_release(w, e);
}

/* @tunnel is counted already. */
static void mac_move(struct wire *w, struct map_entry *e, uint32_t peer, uint32_t tunnel)
{
	uint32_t old = e->peer ? e->tunnel : WIRE_NONE;

	e->peer = peer;
	e->tunnel = tunnel;
	if (old != WIRE_NONE)
		tunnel_unref(w, old);
}

/* The address's entry, which names @mac afterwards. Return: 0, -ENOSPC. */
static int address_set(struct wire *w, uint32_t vni, const struct ctl_vpc_mapping *m,
		       struct map_entry *mac, uint64_t *ret_old)
{
	struct map_key k = map_key_ip(vni, m->family, m->addr);
	struct map_entry *e = map_get(&w->map, &k);

	if (!e)
		return -ENOSPC;
	*ret_old = 0;
	if (e->mac == mac->key.a)
		return 0;
	*ret_old = e->mac; /* 0: it is new */
	e->mac = mac->key.a;
	mac->address_cnt++;
	return 0;
}

int mapping_add(struct wire *w, uint32_t vni, const struct ctl_vpc_mapping *m)
{
	struct map_key k = map_key_mac(vni, inner_mac(m->mac));
	uint32_t tunnel = WIRE_NONE;
	struct map_entry *mac;
	uint64_t old = 0;
	int r;

	if (!vni || vni > VNI_MAX || !k.a || k.a & MAC_GROUP ||
	    (m->family != 0 && m->family != CTL_IPV4 && m->family != CTL_IPV6))
		return -EINVAL;
	if (m->peer) {
		tunnel = tunnel_get(w, m->peer, vni);
		if (tunnel == WIRE_NONE)
			return -ENOSPC;
	}
	mac = map_get(&w->map, &k);
	if (!mac)
		return -ENOSPC;
	r = m->family ? address_set(w, vni, m, mac, &old) : 0;
	if (r < 0) {
		mac_release(w, mac);
		return r;
	}
	if (!m->family)
		mac->gateway = true;
	if (tunnel != WIRE_NONE)
		tunnel_ref(w, tunnel);
	mac_move(w, mac, m->peer, tunnel);
	if (old)
		address_release(w, vni, old);
	return 0;
}

void mapping_del(struct wire *w, uint32_t vni, const struct ctl_vpc_mapping *m)
{
	struct map_key km = map_key_mac(vni, inner_mac(m->mac));
	struct map_key ki = map_key_ip(vni, m->family, m->addr);
	struct map_entry *e = map_find(&w->map, m->family ? &ki : &km);

	if (!e)
		return;
	if (!m->family) {
		e->gateway = false;
		mac_release(w, e);
	} else if (e->mac == km.a) {
		map_del(&w->map, e);
		address_release(w, vni, km.a);
	}
}

int mapping_port_set(struct wire *w, uint32_t vni, uint64_t mac, uint32_t port)
{
	struct map_key k = map_key_mac(vni, mac);
	struct map_entry *e = map_get(&w->map, &k);

	if (!e)
		return -ENOSPC;
	if (e->port && e->port != port + 1)
		return -EEXIST;
	e->port = (uint16_t)(port + 1);
	return 0;
}

void mapping_port_clear(struct wire *w, uint32_t vni, uint64_t mac)
{
	struct map_key k = map_key_mac(vni, mac);
	struct map_entry *e = map_find(&w->map, &k);

	if (!e)
		return;
	e->port = 0;
	mac_release(w, e);
}
