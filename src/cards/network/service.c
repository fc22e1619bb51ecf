/* SPDX-License-Identifier: Apache-2.0 */
#include "cards/network/service.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static_assert((int)CTL_RULES_MAX == VPC_RULES_MAX && (int)CTL_ROUTES_MAX == VPC_ROUTES_MAX &&
		      (int)CTL_ADDRESSES_MAX == VPC_ADDRESSES_MAX &&
		      (int)CTL_NAME_MAX == VPC_NAME_MAX,
	      "what niterd may say fits");
static_assert((int)CTL_IPV4 == VPC_IPV4 && (int)CTL_IPV6 == VPC_IPV6,
	      "families are the same numbers");
static_assert((int)CTL_ROUTE_LOCAL == VPC_ROUTE_LOCAL && (int)CTL_ROUTE_MAC == VPC_ROUTE_MAC &&
		      (int)CTL_ROUTE_BLACKHOLE == VPC_ROUTE_BLACKHOLE,
	      "route targets are the same numbers");

static struct port *port_find(struct service *s, const char *id)
{
	unsigned i;

	for (i = 0; i < CTL_INTERFACES_MAX; i++)
		if (s->port[i] && strcmp(s->port[i]->id, id) == 0)
			return s->port[i];
	return NULL;
}

static int no_port(int sock, uint32_t seq, const char *id)
{
	return ctl_ack(sock, seq, -ENOENT, "this instance has no interface %s", id);
}

static struct vpc_addr addr_of(uint8_t family, const uint8_t addr[16])
{
	struct vpc_addr a = { .family = family };

	memcpy(a.b, addr, sizeof(a.b));
	return a;
}

static struct vpc_addr addr4_of(const uint8_t addr[4])
{
	struct vpc_addr a = { .family = VPC_IPV4 };

	memcpy(a.b, addr, 4);
	return a;
}

static int interface_set(struct service *s, int sock, uint32_t seq,
			 const struct ctl_vpc_interface *m, uint64_t now_ns)
{
	struct port *p = port_find(s, m->interface_id);
	struct vpc_interface c = {
		.vni = m->vni,
		.mtu = m->mtu,
		.source_dest_check = m->flags & CTL_VPC_SOURCE_DEST_CHECK,
		.vpc = addr4_of(m->vpc_addr),
		.vpc_prefix = m->vpc_prefix,
		.subnet = addr4_of(m->subnet_addr),
		.subnet_prefix = m->subnet_prefix,
		.bps_baseline = m->bps_baseline,
		.bps_burst = m->bps_burst,
		.burst_seconds = m->burst_seconds,
		.pps = m->pps,
		.conntrack_max = m->conntrack_max,
		.addr_cnt = m->address_cnt,
	};
	unsigned i;

	if (!p)
		return no_port(sock, seq, m->interface_id);
	memcpy(c.mac, m->mac, sizeof(c.mac));
	memcpy(c.hostname, m->hostname, sizeof(c.hostname));
	memcpy(c.domain, m->domain, sizeof(c.domain));
	for (i = 0; i < m->address_cnt; i++)
		c.addr[i] = addr_of(m->address[i].family, m->address[i].addr);
	if (memcmp(c.mac, p->mac, sizeof(c.mac)) != 0 || c.mtu > p->mtu ||
	    m->flags & CTL_VPC_GATEWAY)
		return ctl_ack(sock, seq, -EINVAL,
			       "%s has another MAC, a smaller MTU, or is no gateway", p->id);
	if (vpc_port_set(p->vpc, &c, now_ns) < 0)
		return ctl_ack(sock, seq, -EINVAL,
			       "%s: addresses, blocks or names contradict each other", p->id);
	return ctl_ack(sock, seq, 0, NULL);
}

static int rules_set(struct service *s, int sock, uint32_t seq, const struct ctl_vpc_rules *m)
{
	struct port *p = port_find(s, m->interface_id);
	unsigned i;

	if (!p)
		return no_port(sock, seq, m->interface_id);
	for (i = 0; i < m->rule_cnt; i++) {
		const struct ctl_vpc_rule *r = &m->rule[i];

		s->rule[i] = (struct vpc_rule){
			.egress = r->egress,
			.proto = r->proto,
			.port_min = r->port_min,
			.port_max = r->port_max,
			.addr = addr_of(r->family, r->addr),
			.prefix = r->prefix,
		};
	}
	if (vpc_port_rules_set(p->vpc, s->rule, m->rule_cnt) < 0)
		return ctl_ack(sock, seq, -EINVAL, "%s: a rule makes no sense", p->id);
	return ctl_ack(sock, seq, 0, NULL);
}

static int routes_set(struct service *s, int sock, uint32_t seq, const struct ctl_vpc_routes *m)
{
	struct port *p = port_find(s, m->interface_id);
	struct vpc_route route[VPC_ROUTES_MAX];
	unsigned i;

	if (!p)
		return no_port(sock, seq, m->interface_id);
	for (i = 0; i < m->route_cnt; i++) {
		const struct ctl_vpc_route *r = &m->route[i];

		route[i] = (struct vpc_route){
			.addr = addr_of(r->family, r->addr),
			.prefix = r->prefix,
			.target = r->target,
		};
		memcpy(route[i].mac, r->mac, sizeof(route[i].mac));
	}
	if (vpc_port_routes_set(p->vpc, route, m->route_cnt) < 0)
		return ctl_ack(sock, seq, -EINVAL, "%s: a route makes no sense", p->id);
	return ctl_ack(sock, seq, 0, NULL);
}

/* A mapping without an address is a gateway's: the wire needs it, routes name its MAC here. */
static int mappings_change(struct service *s, int sock, uint32_t seq,
			   const struct ctl_vpc_mappings *m, bool add)
{
	unsigned i;
	int r, err = 0;

	for (i = 0; i < m->mapping_cnt; i++) {
		const struct ctl_vpc_mapping *p = &m->mapping[i];
		struct vpc_addr a = addr_of(p->family, p->addr);

		if (!p->family)
			continue;
		r = add ? vpc_map_add(s->map, m->vni, &a, p->mac) : vpc_map_del(s->map, m->vni, &a);
		if (r < 0 && r != -ENOENT && !err)
			err = r;
	}
	if (err)
		return ctl_ack(sock, seq, err, "%s",
			       err == -ENOSPC ? "this card knows all the addresses it can"
					      : "an address of no known family");
	return ctl_ack(sock, seq, 0, NULL);
}

static int stats_read(struct service *s, int sock, uint32_t seq)
{
	struct ctl_bytes_chunk *c = &s->stats.lines;
	char *text = (char *)c->b;
	size_t len = 0;
	unsigned i;

	for (i = 0; i < CTL_INTERFACES_MAX; i++)
		if (s->port[i])
			len += port_stats(s->port[i], text + len, sizeof(c->b) - len);
	c->len = (uint16_t)len;
	return ctl_send(sock, CTL_VPC_STATS, seq, &s->stats, NULL, 0);
}

static int probe(struct service *s, int sock, uint32_t seq, const struct ctl_vpc_probe *m)
{
	struct port *p = port_find(s, m->interface_id);
	struct ctl_vpc_probed answer = { .frames = 0 };

	if (!p)
		return no_port(sock, seq, m->interface_id);
	memcpy(answer.interface_id, p->id, sizeof(answer.interface_id));
	answer.asked = port_probe(p, &answer.frames);
	return ctl_send(sock, CTL_VPC_PROBED, seq, &answer, NULL, 0);
}

int service_handle(struct service *s, int sock, const struct ctl_msg *m, uint64_t now_ns)
{
	uint32_t seq = m->seq;
	uint32_t type = m->type;

	switch (type) {
	case CTL_VPC_INTERFACE_SET:
		return interface_set(s, sock, seq, &m->u.vpc_interface, now_ns);
	case CTL_VPC_RULES_SET:
		return rules_set(s, sock, seq, &m->u.vpc_rules);
	case CTL_VPC_ROUTES_SET:
		return routes_set(s, sock, seq, &m->u.vpc_routes);
	case CTL_VPC_MAPPINGS_ADD:
		return mappings_change(s, sock, seq, &m->u.vpc_mappings, true);
	case CTL_VPC_MAPPINGS_DEL:
		return mappings_change(s, sock, seq, &m->u.vpc_mappings, false);
	case CTL_VPC_STATS_READ:
		return stats_read(s, sock, seq);
	case CTL_VPC_PROBE:
		return probe(s, sock, seq, &m->u.vpc_probe);
	default:
		return -EPROTO;
	}
}
