/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A port's configuration and its counters. The datapath is in datapath.c.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "vpc/vpc_priv.h"

enum { NS_PER_S = 1000000000, VNI_MAX = 0xffffff, MTU_MIN = 576, TICK_BUDGET = 4096 };

int vpc_port_new(const struct vpc_map *map, const uint8_t seed[16], struct vpc_port **ret)
{
	struct vpc_port *p;
	void *pages;
	int r;

	r = mem_zalloc_pages(sizeof(*p), &pages);
	if (r < 0)
		return r;
	p = pages;
	r = conntrack_init(&p->ct, seed);
	if (r < 0) {
		mem_free_pages(p, sizeof(*p));
		return r;
	}
	p->map = map;
	p->route_gen = 1;
	*ret = p;
	return 0;
}

void vpc_port_free(struct vpc_port *p)
{
	if (!p)
		return;
	conntrack_done(&p->ct);
	mem_free_pages(p, sizeof(*p));
}

void vpc_port_freep(struct vpc_port **p)
{
	vpc_port_free(*p);
	*p = NULL;
}

void vpc_router_mac(uint32_t vni, uint8_t ret[6])
{
	/* Locally administered; "NI", then the network. */
	ret[0] = 0x02;
	ret[1] = 0x4e;
	ret[2] = 0x49;
	ret[3] = (uint8_t)(vni >> 16);
	ret[4] = (uint8_t)(vni >> 8);
	ret[5] = (uint8_t)vni;
}

/* ---- what an interface is ---- */

/* Goes into DHCP options and from there into the guest's files. */
static bool name_valid(const char *s)
{
	size_t i;

	for (i = 0; i < VPC_NAME_MAX && s[i]; i++) {
		char c = s[i];
		bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			  (c >= '0' && c <= '9') || c == '-' || c == '.';

		if (!ok)
			return false;
	}
	return i < VPC_NAME_MAX;
}

static bool mac_valid(const uint8_t mac[6])
{
	static const uint8_t zero[6];

	return !(mac[0] & 1) && memcmp(mac, zero, 6) != 0;
}

static uint32_t mask4(unsigned prefix)
{
	return prefix ? UINT32_MAX << (32 - prefix) : 0;
}

static bool blocks_valid(const struct vpc_interface *c)
{
	uint32_t vpc = vpc_addr_ipv4(&c->vpc), subnet = vpc_addr_ipv4(&c->subnet);

	if (c->vpc.family != VPC_IPV4 || c->subnet.family != VPC_IPV4)
		return false;
	if (c->vpc_prefix < 8 || c->subnet_prefix < c->vpc_prefix || c->subnet_prefix > 28)
		return false;
	return !(vpc & ~mask4(c->vpc_prefix)) && !(subnet & ~mask4(c->subnet_prefix)) &&
	       vpc_addr_in(&c->subnet, &c->vpc, c->vpc_prefix);
}

/* IPv4 addresses lie in the subnet, and are not its own: network, router, broadcast. */
static bool addresses_valid(const struct vpc_interface *c)
{
	uint32_t subnet = vpc_addr_ipv4(&c->subnet), host_max = ~mask4(c->subnet_prefix);
	unsigned i;

	if (!c->addr_cnt || c->addr_cnt > VPC_ADDRESSES_MAX || c->addr[0].family != VPC_IPV4)
		return false;
	for (i = 0; i < c->addr_cnt; i++) {
		uint32_t host = vpc_addr_ipv4(&c->addr[i]) - subnet;

		if (c->addr[i].family == VPC_IPV6)
			continue;
		if (c->addr[i].family != VPC_IPV4 || host < 2 || host >= host_max)
			return false;
	}
	return true;
}

static bool interface_valid(const struct vpc_interface *c)
{
	return c->vni && c->vni <= VNI_MAX && mac_valid(c->mac) && c->mtu >= MTU_MIN &&
	       c->mtu <= VPC_FRAME_MAX - ETH_BYTES && blocks_valid(c) && addresses_valid(c) &&
	       name_valid(c->hostname) && name_valid(c->domain);
}

int vpc_port_set(struct vpc_port *p, const struct vpc_interface *c, uint64_t now_ns)
{
	uint32_t subnet;
	unsigned i;

	if (!interface_valid(c))
		return -EINVAL;
	if (p->set && (p->conf.vni != c->vni || memcmp(p->conf.mac, c->mac, 6) != 0))
		conntrack_clear(&p->ct);
	limit_set(&p->limit, c, !p->set, now_ns);
	conntrack_limit(&p->ct, c->conntrack_max, (uint32_t)(now_ns / NS_PER_S));
	p->conf = *c;
	p->addr4_cnt = 0;
	for (i = 0; i < c->addr_cnt; i++)
		if (c->addr[i].family == VPC_IPV4)
			p->addr4[p->addr4_cnt++] = vpc_addr_ipv4(&c->addr[i]);
	subnet = vpc_addr_ipv4(&c->subnet);
	p->router4 = subnet + 1;
	p->broadcast4 = subnet | ~mask4(c->subnet_prefix);
	vpc_router_mac(c->vni, p->router_mac);
	p->route_gen++;
	p->set = true;
	return 0;
}

int vpc_port_rules_set(struct vpc_port *p, const struct vpc_rule *rule, size_t cnt)
{
	return secgroup_set(&p->groups, rule, cnt);
}

int vpc_port_routes_set(struct vpc_port *p, const struct vpc_route *route, size_t cnt)
{
	int r = route_table_set(&p->routes, route, cnt);

	if (r == 0)
		p->route_gen++;
	return r;
}

const struct vpc_interface *vpc_port_interface(const struct vpc_port *p)
{
	return p->set ? &p->conf : NULL;
}

void vpc_port_tick(struct vpc_port *p, uint64_t now_ns)
{
	(void)conntrack_expire(&p->ct, (uint32_t)(now_ns / NS_PER_S), TICK_BUDGET);
}

bool port_has_addr4(const struct vpc_port *p, uint32_t addr)
{
	unsigned i;

	for (i = 0; i < p->addr4_cnt; i++)
		if (p->addr4[i] == addr)
			return true;
	return false;
}

bool vpc_port_has_addr(const struct vpc_port *p, const struct vpc_addr *a)
{
	return a->family == VPC_IPV4 && port_has_addr4(p, vpc_addr_ipv4(a));
}

/* ---- counters ---- */

const struct vpc_counters *vpc_port_counters(struct vpc_port *p)
{
	p->counters.flows = p->ct.cnt;
	p->counters.flows_evicted = p->ct.evicted;
	p->counters.flows_expired = p->ct.expired;
	return &p->counters;
}

const char *vpc_reason_name(enum vpc_reason r)
{
	static const char *const name[VPC_REASONS] = {
		[VPC_R_UNCONFIGURED] = "unconfigured",
		[VPC_R_MALFORMED] = "malformed",
		[VPC_R_VLAN] = "vlan",
		[VPC_R_IPV6] = "ipv6",
		[VPC_R_ETHERTYPE] = "ethertype",
		[VPC_R_OPTIONS] = "ip_options",
		[VPC_R_MTU] = "mtu",
		[VPC_R_SRC_MAC] = "src_mac",
		[VPC_R_DST_MAC] = "dst_mac",
		[VPC_R_SRC_ADDR] = "src_addr",
		[VPC_R_DST_ADDR] = "dst_addr",
		[VPC_R_MULTICAST] = "multicast",
		[VPC_R_ARP] = "arp",
		[VPC_R_DHCP] = "dhcp",
		[VPC_R_LINK_LOCAL] = "link_local",
		[VPC_R_FRAGMENT] = "fragment",
		[VPC_R_RULES] = "rules",
		[VPC_R_STATE] = "state",
		[VPC_R_CONNTRACK_FULL] = "conntrack_full",
		[VPC_R_ICMP] = "icmp",
		[VPC_R_ROUTE] = "route",
		[VPC_R_MAPPING] = "mapping",
		[VPC_R_SERVICE_RATE] = "service_rate",
	};

	return (unsigned)r < VPC_REASONS ? name[r] : "unknown";
}
