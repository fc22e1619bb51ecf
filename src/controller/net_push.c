/* SPDX-License-Identifier: Apache-2.0 */

#include "controller/net_push.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/num.h"
#include "controller/net_text.h"

/* Encoded messages before they are copied; one thread. */
static uint8_t set_buf[CTL_MSG_MAX], del_buf[CTL_MSG_MAX];

enum ctl_type net_packet_type(const uint8_t *packet, size_t len)
{
	return len < 4 ? 0 : (enum ctl_type)le16_load(packet + 2);
}

void net_packet_seq_set(uint8_t *packet, uint32_t seq)
{
	le32_store(packet + 8, seq);
}

void net_want_done(struct net_want *w)
{
	for (size_t k = 0; k < w->item_cnt; k++)
		free(w->item[k].set);
	free(w->item);
	free(w->map);
	memset(w, 0, sizeof(*w));
}

/* Room for one more element of @size bytes in *list. */
static int grow(void **list, size_t cnt, size_t *cap, size_t size)
{
	size_t want = *cap ? *cap * 2 : 16;
	void *bigger;

	if (cnt < *cap)
		return 0;
	bigger = reallocarray(*list, want, size);
	if (!bigger)
		return -ENOMEM;
	*list = bigger;
	*cap = want;
	return 0;
}

/* A message, and the one that undoes it (del_body NULL: none). */
static int item_add(struct net_want *w, const char *key, enum ctl_type set, const void *set_body,
		    enum ctl_type del, const void *del_body)
{
	struct net_item it = { .seq = 0 };
	int set_len, del_len = 0, r;

	set_len = ctl_encode(set, 0, set_body, 0, set_buf, sizeof(set_buf));
	if (set_len < 0)
		return set_len;
	if (del_body)
		del_len = ctl_encode(del, 0, del_body, 0, del_buf, sizeof(del_buf));
	if (del_len < 0)
		return del_len;
	r = grow((void **)&w->item, w->item_cnt, &w->item_cap, sizeof(*w->item));
	if (r < 0)
		return r;
	it.set = malloc((size_t)set_len + (size_t)del_len);
	if (!it.set)
		return -ENOMEM;
	memcpy(it.set, set_buf, (size_t)set_len);
	memcpy(it.set + set_len, del_buf, (size_t)del_len);
	it.del = it.set + set_len;
	it.set_len = (size_t)set_len;
	it.del_len = (size_t)del_len;
	snprintf(it.key, sizeof(it.key), "%s", key);
	w->item[w->item_cnt++] = it;
	return 0;
}

/* @family 0: the MAC alone; @addr means nothing then. */
static int map_add(struct net_want *w, uint32_t vni, uint8_t family, uint32_t addr,
		   const uint8_t mac[NET_MAC_BYTES], uint32_t peer)
{
	struct net_mapping m = { .vni = vni, .m = { .family = family, .peer = peer } };
	int r = grow((void **)&w->map, w->map_cnt, &w->map_cap, sizeof(*w->map));

	if (r < 0)
		return r;
	if (family)
		be32_store(m.m.addr, addr);
	memcpy(m.m.mac, mac, NET_MAC_BYTES);
	w->map[w->map_cnt++] = m;
	return 0;
}

static const struct net_live *live_of(const struct net_state *s, const char *instance_id)
{
	for (size_t k = 0; instance_id[0] && k < s->live_cnt; k++)
		if (strcmp(s->live[k].id, instance_id) == 0)
			return &s->live[k];
	return NULL;
}

static const struct net_way_out *way_out_of(const struct net_state *s, const char *vpc_id)
{
	const struct gateway *g = net_gateway_of(&s->net, vpc_id);

	for (size_t k = 0; g && k < s->way_out_cnt; k++)
		if (strcmp(s->way_out[k].gateway_id, g->id) == 0)
			return &s->way_out[k];
	return NULL;
}

static void vpc_fill(struct ctl_vpc_interface *m, const struct vpc *v)
{
	m->vni = v->vni;
	be32_store(m->vpc_addr, v->addr);
	m->vpc_prefix = (uint8_t)v->prefix;
	snprintf(m->domain, sizeof(m->domain), "%s", v->domain);
}

static int interface_want(const struct net_state *s, const struct interface *ni,
			  const struct net_live *live, struct net_want *w)
{
	const struct subnet *sub = net_subnet_find(&s->net, ni->subnet_id);
	const struct vpc *v = net_vpc_of(&s->net, ni);
	const struct instance_type *t = type_find(live->type);
	struct type_network limit = { .bps_baseline = 0 };
	static struct ctl_vpc_interface m;
	char key[48];

	if (!sub || !v)
		return -EUCLEAN;
	if (t)
		limit = type_network(t);
	memset(&m, 0, sizeof(m));
	snprintf(m.interface_id, sizeof(m.interface_id), "%s", ni->id);
	vpc_fill(&m, v);
	memcpy(m.mac, ni->mac, NET_MAC_BYTES);
	m.mtu = NET_MTU;
	m.flags = ni->source_dest_check ? CTL_VPC_SOURCE_DEST_CHECK : 0;
	be32_store(m.subnet_addr, sub->addr);
	m.subnet_prefix = (uint8_t)sub->prefix;
	net_hostname(m.hostname, ni->addr);
	m.bps_baseline = limit.bps_baseline;
	m.bps_burst = limit.bps_burst;
	m.burst_seconds = limit.burst_seconds;
	m.pps = limit.pps;
	m.conntrack_max = limit.conntrack_max;
	m.address_cnt = 1;
	m.address[0].family = CTL_IPV4;
	be32_store(m.address[0].addr, ni->addr);
	snprintf(key, sizeof(key), "interface %s", ni->id);
	return item_add(w, key, CTL_VPC_INTERFACE_SET, &m, 0, NULL);
}

/* ---- rules ---- */

static void rule_add(struct ctl_vpc_rules *m, const struct group_rule *r, uint32_t addr,
		     unsigned prefix)
{
	struct ctl_vpc_rule *out;

	if (m->rule_cnt == CTL_RULES_MAX) {
		log_err("net.rules",
			"if=%s text=\"more rules than a card takes: the rest does not allow "
			"anything\"",
			m->interface_id);
		return;
	}
	out = &m->rule[m->rule_cnt++];
	out->egress = r->egress;
	out->proto = (uint8_t)r->proto;
	out->port_min = (uint16_t)r->port_min;
	out->port_max = (uint16_t)r->port_max;
	out->family = CTL_IPV4;
	out->prefix = (uint8_t)prefix;
	be32_store(out->addr, addr);
}

/*
 * A rule about a group: a /32 for each member that an instance has; who has no instance sends nothing. What other hosts
 * have counts as members of the default group.
 */
static void rule_resolve(const struct net *n, const struct group_rule *r, const char *vpc_id,
			 struct ctl_vpc_rules *m)
{
	const struct group *def = net_group_default(n, vpc_id);
	size_t cnt;
	const struct net_member *member = net_members(n, r->member_group_id, &cnt);

	for (size_t k = 0; k < cnt; k++)
		if (member[k].ni->instance_id[0])
			rule_add(m, r, member[k].ni->addr, 32);
	if (!def || strcmp(def->id, r->member_group_id) != 0)
		return;
	for (size_t k = 0; k < n->remote_cnt; k++)
		if (strcmp(n->remote[k].vpc_id, vpc_id) == 0)
			rule_add(m, r, n->remote[k].addr, 32);
}

/*
 * A forwarded port is open to the world outside the network, whose packets come through the gateway with their own
 * source address, and not to neighbours: for them the groups alone count. The outside is one block for each bit of the
 * network's prefix: the block's bits up to there, the last one flipped. docs/decisions/0083-default-network.md
 */
static void forward_allow(const struct vpc *v, unsigned port, struct ctl_vpc_rules *m)
{
	const struct group_rule r = { .proto = 6, .port_min = port, .port_max = port };

	for (unsigned bits = 1; bits <= v->prefix; bits++)
		rule_add(m, &r, (v->addr & net_mask(bits)) ^ UINT32_C(1) << (32 - bits), bits);
}

static void rules_of_forwards(const struct net *n, const struct interface *ni, const struct vpc *v,
			      struct ctl_vpc_rules *m)
{
	for (size_t k = 0; k < n->forward_cnt; k++)
		if (ni->device_idx == 0 && strcmp(n->forward[k].instance_id, ni->instance_id) == 0)
			forward_allow(v, n->forward[k].port, m);
}

static int rules_want(const struct net_state *s, const struct interface *ni, struct net_want *w)
{
	const struct vpc *v = net_vpc_of(&s->net, ni);
	static struct ctl_vpc_rules m;
	char key[48];

	if (!v)
		return -EUCLEAN;
	memset(&m, 0, sizeof(m));
	snprintf(m.interface_id, sizeof(m.interface_id), "%s", ni->id);
	for (size_t k = 0; k < s->net.rule_cnt; k++) {
		const struct group_rule *r = &s->net.rule[k];

		if (!net_is_member(&s->net, ni->id, r->group_id))
			continue;
		if (r->member_group_id[0])
			rule_resolve(&s->net, r, v->id, &m);
		else
			rule_add(&m, r, r->addr, r->prefix);
	}
	rules_of_forwards(&s->net, ni, v, &m);
	snprintf(key, sizeof(key), "rules %s", ni->id);
	return item_add(w, key, CTL_VPC_RULES_SET, &m, 0, NULL);
}

/* The main route table: the network itself, and everything else through the gateway. */
static int routes_want(const struct net_state *s, const struct interface *ni, struct net_want *w)
{
	const struct vpc *v = net_vpc_of(&s->net, ni);
	const struct gateway *g = v ? net_gateway_of(&s->net, v->id) : NULL;
	static struct ctl_vpc_routes m;
	char key[48];

	if (!v)
		return -EUCLEAN;
	memset(&m, 0, sizeof(m));
	snprintf(m.interface_id, sizeof(m.interface_id), "%s", ni->id);
	m.route[0].family = CTL_IPV4;
	m.route[0].prefix = (uint8_t)v->prefix;
	be32_store(m.route[0].addr, v->addr);
	m.route[0].target = CTL_ROUTE_LOCAL;
	m.route_cnt = 1;
	if (g) {
		m.route[1].family = CTL_IPV4;
		m.route[1].target = CTL_ROUTE_MAC;
		memcpy(m.route[1].mac, g->mac, NET_MAC_BYTES);
		m.route_cnt = 2;
	}
	snprintf(key, sizeof(key), "routes %s", ni->id);
	return item_add(w, key, CTL_VPC_ROUTES_SET, &m, 0, NULL);
}

/* ---- mappings ---- */

/* Everything of @v: living interfaces here, what other hosts have, the gateway. */
static int mappings_want(const struct net_state *s, const struct vpc *v, struct net_want *w)
{
	const struct gateway *g = net_gateway_of(&s->net, v->id);
	int r = 0;

	for (size_t k = 0; r == 0 && k < s->net.interface_cnt; k++) {
		const struct interface *ni = &s->net.interface[k];

		if (live_of(s, ni->instance_id) && net_vpc_of(&s->net, ni) == v)
			r = map_add(w, v->vni, CTL_IPV4, ni->addr, ni->mac, 0);
	}
	for (size_t k = 0; r == 0 && k < s->net.remote_cnt; k++) {
		const struct remote *m = &s->net.remote[k];

		if (strcmp(m->vpc_id, v->id) == 0)
			r = map_add(w, v->vni, CTL_IPV4, m->addr, m->mac, m->peer);
	}
	if (r == 0 && g)
		r = map_add(w, v->vni, 0, 0, g->mac, 0);
	return r;
}

/* Has a living instance, or this one (@instance_id not NULL), an interface in @v? */
static bool vpc_seen(const struct net_state *s, const char *instance_id, const struct vpc *v)
{
	for (size_t k = 0; k < s->net.interface_cnt; k++) {
		const char *id = s->net.interface[k].instance_id;

		/* The network last: it is the dear question. */
		if ((instance_id ? strcmp(id, instance_id) == 0 : live_of(s, id) != NULL) &&
		    net_vpc_of(&s->net, &s->net.interface[k]) == v)
			return true;
	}
	return false;
}

int net_want_card(const struct net_state *s, const char *instance_id, struct net_want *ret)
{
	const struct net_live *live = live_of(s, instance_id);
	int r = 0;

	for (size_t k = 0; live && r == 0 && k < s->net.interface_cnt; k++) {
		const struct interface *ni = &s->net.interface[k];

		if (strcmp(ni->instance_id, instance_id) != 0)
			continue;
		r = interface_want(s, ni, live, ret);
		if (r == 0)
			r = rules_want(s, ni, ret);
		if (r == 0)
			r = routes_want(s, ni, ret);
	}
	for (size_t k = 0; live && r == 0 && k < s->net.vpc_cnt; k++)
		if (vpc_seen(s, instance_id, &s->net.vpc[k]))
			r = mappings_want(s, &s->net.vpc[k], ret);
	return r;
}

static int peer_want(const struct peer *p, struct net_want *w)
{
	struct ctl_wire_peer m = { .peer = p->number,
				   .family = CTL_IPV4,
				   .port = (uint16_t)p->port };
	struct ctl_wire_peer_ref del = { .peer = p->number };
	char key[48];

	be32_store(m.addr, p->addr);
	memcpy(m.fingerprint, p->fingerprint, sizeof(m.fingerprint));
	snprintf(key, sizeof(key), "peer %u", p->number);
	return item_add(w, key, CTL_WIRE_PEER_SET, &m, CTL_WIRE_PEER_DEL, &del);
}

/* A gateway's port: it may speak for what lies outside the network. */
static int gateway_port_want(const struct vpc *v, const struct gateway *g, struct net_want *w)
{
	static struct ctl_vpc_interface m;
	char key[48];

	memset(&m, 0, sizeof(m));
	snprintf(m.interface_id, sizeof(m.interface_id), "%s", g->id);
	vpc_fill(&m, v);
	memcpy(m.mac, g->mac, NET_MAC_BYTES);
	m.mtu = NET_MTU;
	m.flags = CTL_VPC_GATEWAY;
	snprintf(key, sizeof(key), "interface %s", g->id);
	return item_add(w, key, CTL_VPC_INTERFACE_SET, &m, 0, NULL);
}

int net_want_wire(const struct net_state *s, struct net_want *ret)
{
	int r = 0;

	for (size_t k = 0; r == 0 && k < s->net.peer_cnt; k++)
		r = peer_want(&s->net.peer[k], ret);
	for (size_t k = 0; r == 0 && k < s->net.interface_cnt; k++) {
		const struct net_live *live = live_of(s, s->net.interface[k].instance_id);

		if (live)
			r = interface_want(s, &s->net.interface[k], live, ret);
	}
	for (size_t k = 0; r == 0 && k < s->net.vpc_cnt; k++) {
		const struct vpc *v = &s->net.vpc[k];

		if (way_out_of(s, v->id))
			r = gateway_port_want(v, net_gateway_of(&s->net, v->id), ret);
		if (r == 0 && vpc_seen(s, NULL, v))
			r = mappings_want(s, v, ret);
	}
	return r;
}

bool net_gateway_needed(const struct net_state *s, const struct gateway *g)
{
	for (size_t k = 0; k < s->net.interface_cnt; k++) {
		const struct interface *ni = &s->net.interface[k];
		const struct vpc *v = live_of(s, ni->instance_id) ? net_vpc_of(&s->net, ni) : NULL;

		if (v && ni->outside_idx && strcmp(v->id, g->vpc_id) == 0)
			return true;
	}
	return false;
}

int net_want_gateway(const struct net_state *s, const struct net_way_out *way, struct net_want *ret)
{
	int r = 0;

	for (size_t k = 0; r == 0 && k < s->net.interface_cnt; k++) {
		const struct interface *ni = &s->net.interface[k];
		const struct vpc *v = live_of(s, ni->instance_id) ? net_vpc_of(&s->net, ni) : NULL;
		struct ctl_gateway_nat m = { .vpc_addr = { 0 } };
		char key[48];

		if (!v || ni->outside_idx == 0 || way_out_of(s, v->id) != way)
			continue;
		be32_store(m.vpc_addr, ni->addr);
		memcpy(m.vpc_mac, ni->mac, NET_MAC_BYTES);
		be32_store(m.outside_addr, way->outside + ni->outside_idx);
		snprintf(key, sizeof(key), "nat %s", ni->id);
		r = item_add(ret, key, CTL_GATEWAY_NAT_ADD, &m, CTL_GATEWAY_NAT_DEL, &m);
	}
	return r;
}

int net_want_forwards(const struct net_state *s, struct net_want *ret)
{
	int r = 0;

	for (size_t k = 0; r == 0 && k < s->net.forward_cnt; k++) {
		const struct forward *f = &s->net.forward[k];
		const struct interface *ni = net_interface_of(&s->net, f->instance_id);
		const struct vpc *v =
			ni && live_of(s, f->instance_id) ? net_vpc_of(&s->net, ni) : NULL;
		const struct net_way_out *way = v && ni->outside_idx ? way_out_of(s, v->id) : NULL;
		struct ctl_l_forward m = { .host_port = (uint16_t)f->host_port,
					   .port = (uint16_t)f->port };
		struct ctl_l_forward_ref del = { .host_port = (uint16_t)f->host_port };
		char key[48];

		if (!way)
			continue;
		be32_store(m.outside_addr, way->outside + ni->outside_idx);
		snprintf(key, sizeof(key), "forward %u", f->host_port);
		r = item_add(ret, key, CTL_L_FORWARD_ADD, &m, CTL_L_FORWARD_DEL, &del);
	}
	return r;
}

int net_want_undo_forward(struct net_want *told, unsigned host_port)
{
	const struct ctl_l_forward m = { .host_port = (uint16_t)host_port };
	const struct ctl_l_forward_ref del = { .host_port = (uint16_t)host_port };
	char key[48];

	snprintf(key, sizeof(key), "forward %u", host_port);
	return item_add(told, key, CTL_L_FORWARD_ADD, &m, CTL_L_FORWARD_DEL, &del);
}

/* ---- difference ---- */

static struct net_item *item_find(const struct net_want *w, const char *key)
{
	for (size_t k = 0; k < w->item_cnt; k++)
		if (strcmp(w->item[k].key, key) == 0)
			return &w->item[k];
	return NULL;
}

/* What a mapping is about: an address, or a MAC alone. */
static int map_key_cmp(const struct net_mapping *a, const struct net_mapping *b)
{
	if (a->vni != b->vni)
		return a->vni < b->vni ? -1 : 1;
	if (a->m.family != b->m.family)
		return a->m.family < b->m.family ? -1 : 1;
	if (a->m.family == 0)
		return memcmp(a->m.mac, b->m.mac, sizeof(a->m.mac));
	return memcmp(a->m.addr, b->m.addr, sizeof(a->m.addr));
}

static int map_sort_cmp(const void *a, const void *b)
{
	return map_key_cmp(a, b);
}

static bool map_same(const struct net_mapping *a, const struct net_mapping *b)
{
	return memcmp(a->m.mac, b->m.mac, sizeof(a->m.mac)) == 0 && a->m.peer == b->m.peer;
}

static const struct net_mapping *map_find(const struct net_want *w, const struct net_mapping *m)
{
	return w->map_cnt ? bsearch(m, w->map, w->map_cnt, sizeof(*m), map_sort_cmp) : NULL;
}

/* Mappings of @a that @b lacks (@changed: or has otherwise), in messages of one network each. */
static int maps_send(const struct net_want *a, const struct net_want *b, bool changed,
		     enum ctl_type type, net_send_fn *send, void *ptr)
{
	static struct ctl_vpc_mappings m;
	int len, r = 0;

	m.mapping_cnt = 0;
	for (size_t k = 0; r == 0 && k <= a->map_cnt; k++) {
		const struct net_mapping *x = k < a->map_cnt ? &a->map[k] : NULL;
		const struct net_mapping *y = x ? map_find(b, x) : NULL;

		if (m.mapping_cnt && (!x || x->vni != m.vni || m.mapping_cnt == CTL_MAPPINGS_MAX)) {
			len = ctl_encode(type, 0, &m, 0, set_buf, sizeof(set_buf));
			r = len < 0 ? len : send(ptr, NULL, set_buf, (size_t)len);
			m.mapping_cnt = 0;
		}
		if (!x || (y && !(changed && !map_same(x, y))))
			continue;
		m.vni = x->vni;
		m.mapping[m.mapping_cnt++] = x->m;
	}
	return r;
}

static int items_del(const struct net_want *old, const struct net_want *want, net_send_fn *send,
		     void *ptr)
{
	int r = 0;

	for (size_t k = old->item_cnt; r == 0 && k-- > 0;) {
		struct net_item *it = &old->item[k];

		if (it->del_len && !item_find(want, it->key))
			r = send(ptr, it, it->del, it->del_len);
	}
	return r;
}

static int items_set(const struct net_want *old, struct net_want *want, net_send_fn *send,
		     void *ptr)
{
	int r = 0;

	for (size_t k = 0; r == 0 && k < want->item_cnt; k++) {
		struct net_item *it = &want->item[k], *was = item_find(old, it->key);
		bool same = was && was->set_len == it->set_len &&
			    memcmp(was->set, it->set, it->set_len) == 0;

		if (same) {
			it->seq = was->seq;
			it->acked = was->acked;
			continue;
		}
		/* What is undone by more than its key must go before it comes anew. */
		if (was && was->del_len &&
		    (was->del_len != it->del_len || memcmp(was->del, it->del, it->del_len) != 0))
			r = send(ptr, was, was->del, was->del_len);
		if (r == 0)
			r = send(ptr, it, it->set, it->set_len);
	}
	return r;
}

int net_diff(const struct net_want *old, struct net_want *want, net_send_fn *send, void *ptr)
{
	int r;

	if (want->map_cnt)
		qsort(want->map, want->map_cnt, sizeof(*want->map), map_sort_cmp);
	r = maps_send(old, want, false, CTL_VPC_MAPPINGS_DEL, send, ptr);
	if (r == 0)
		r = items_del(old, want, send, ptr);
	if (r == 0)
		r = items_set(old, want, send, ptr);
	if (r == 0)
		r = maps_send(want, old, true, CTL_VPC_MAPPINGS_ADD, send, ptr);
	return r;
}
