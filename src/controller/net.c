/* SPDX-License-Identifier: Apache-2.0 */

#include "controller/net.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controller/net_text.h"

int net_load(struct store *s, struct net *ret)
{
	struct net n = { .vpc = NULL };
	const struct {
		const struct store_table *table;
		void **list;
		size_t *cnt;
	} all[] = {
		{ &tbl_vpcs, (void **)&n.vpc, &n.vpc_cnt },
		{ &tbl_subnets, (void **)&n.subnet, &n.subnet_cnt },
		{ &tbl_groups, (void **)&n.group, &n.group_cnt },
		{ &tbl_group_rules, (void **)&n.rule, &n.rule_cnt },
		{ &tbl_interfaces, (void **)&n.interface, &n.interface_cnt },
		{ &tbl_interface_groups, (void **)&n.membership, &n.membership_cnt },
		{ &tbl_gateways, (void **)&n.gateway, &n.gateway_cnt },
		{ &tbl_peers, (void **)&n.peer, &n.peer_cnt },
		{ &tbl_remotes, (void **)&n.remote, &n.remote_cnt },
		{ &tbl_forwards, (void **)&n.forward, &n.forward_cnt },
	};
	int r = 0;

	for (size_t k = 0; r == 0 && k < ARRAY_SIZE(all); k++)
		r = store_list(s, all[k].table, all[k].list, all[k].cnt);
	if (r < 0) {
		net_done(&n);
		return r;
	}
	*ret = n;
	return 0;
}

void net_done(struct net *n)
{
	free(n->vpc);
	free(n->subnet);
	free(n->group);
	free(n->rule);
	free(n->interface);
	free(n->membership);
	free(n->gateway);
	free(n->peer);
	free(n->remote);
	free(n->forward);
	memset(n, 0, sizeof(*n));
}

const struct vpc *net_vpc_find(const struct net *n, const char *id)
{
	for (size_t k = 0; k < n->vpc_cnt; k++)
		if (strcmp(n->vpc[k].id, id) == 0)
			return &n->vpc[k];
	return NULL;
}

const struct vpc *net_vpc_default(const struct net *n, const char *account)
{
	for (size_t k = 0; k < n->vpc_cnt; k++)
		if (n->vpc[k].is_default && strcmp(n->vpc[k].account, account) == 0)
			return &n->vpc[k];
	return NULL;
}

const struct subnet *net_subnet_find(const struct net *n, const char *id)
{
	for (size_t k = 0; k < n->subnet_cnt; k++)
		if (strcmp(n->subnet[k].id, id) == 0)
			return &n->subnet[k];
	return NULL;
}

const struct subnet *net_subnet_default(const struct net *n, const char *vpc_id)
{
	for (size_t k = 0; k < n->subnet_cnt; k++)
		if (n->subnet[k].is_default && strcmp(n->subnet[k].vpc_id, vpc_id) == 0)
			return &n->subnet[k];
	return NULL;
}

const struct group *net_group_find(const struct net *n, const char *id)
{
	for (size_t k = 0; k < n->group_cnt; k++)
		if (strcmp(n->group[k].id, id) == 0)
			return &n->group[k];
	return NULL;
}

const struct group *net_group_default(const struct net *n, const char *vpc_id)
{
	for (size_t k = 0; k < n->group_cnt; k++)
		if (strcmp(n->group[k].vpc_id, vpc_id) == 0 &&
		    strcmp(n->group[k].name, "default") == 0)
			return &n->group[k];
	return NULL;
}

const struct gateway *net_gateway_of(const struct net *n, const char *vpc_id)
{
	for (size_t k = 0; k < n->gateway_cnt; k++)
		if (strcmp(n->gateway[k].vpc_id, vpc_id) == 0)
			return &n->gateway[k];
	return NULL;
}

const struct peer *net_peer_find(const struct net *n, unsigned number)
{
	for (size_t k = 0; k < n->peer_cnt; k++)
		if (n->peer[k].number == number)
			return &n->peer[k];
	return NULL;
}

const struct vpc *net_vpc_of(const struct net *n, const struct interface *i)
{
	const struct subnet *s = net_subnet_find(n, i->subnet_id);

	return s ? net_vpc_find(n, s->vpc_id) : NULL;
}

const struct interface *net_interface_of(const struct net *n, const char *instance_id)
{
	for (size_t k = 0; k < n->interface_cnt; k++)
		if (n->interface[k].device_idx == 0 &&
		    strcmp(n->interface[k].instance_id, instance_id) == 0)
			return &n->interface[k];
	return NULL;
}

bool net_is_member(const struct net *n, const char *interface_id, const char *group_id)
{
	for (size_t k = 0; k < n->membership_cnt; k++)
		if (strcmp(n->membership[k].interface_id, interface_id) == 0 &&
		    strcmp(n->membership[k].group_id, group_id) == 0)
			return true;
	return false;
}

bool net_reserved(const struct subnet *s, uint32_t addr)
{
	uint32_t first = s->addr & net_mask(s->prefix), last = first | ~net_mask(s->prefix);

	return addr - first < 4 || addr == last;
}

bool net_addr_used(const struct net *n, const char *vpc_id, uint32_t addr)
{
	for (size_t k = 0; k < n->interface_cnt; k++) {
		const struct vpc *v =
			n->interface[k].addr == addr ? net_vpc_of(n, &n->interface[k]) : NULL;

		if (v && strcmp(v->id, vpc_id) == 0)
			return true;
	}
	for (size_t k = 0; k < n->remote_cnt; k++)
		if (n->remote[k].addr == addr && strcmp(n->remote[k].vpc_id, vpc_id) == 0)
			return true;
	return false;
}

int net_addr_free(const struct net *n, const struct subnet *s, uint32_t *ret)
{
	uint32_t first = s->addr & net_mask(s->prefix), last = first | ~net_mask(s->prefix);

	for (uint32_t a = first; a < last; a++) {
		if (net_reserved(s, a) || net_addr_used(n, s->vpc_id, a))
			continue;
		*ret = a;
		return 0;
	}
	return -EADDRNOTAVAIL;
}

unsigned net_outside_free(const struct net *n, const char *vpc_id)
{
	bool used[NET_OUTSIDE_LAST + 1] = { false };

	for (size_t k = 0; k < n->interface_cnt; k++) {
		const struct vpc *v = net_vpc_of(n, &n->interface[k]);

		if (v && strcmp(v->id, vpc_id) == 0 &&
		    n->interface[k].outside_idx <= NET_OUTSIDE_LAST)
			used[n->interface[k].outside_idx] = true;
	}
	for (unsigned k = NET_OUTSIDE_FIRST; k <= NET_OUTSIDE_LAST; k++)
		if (!used[k])
			return k;
	return 0;
}
