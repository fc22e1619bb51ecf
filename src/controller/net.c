/* SPDX-License-Identifier: Apache-2.0 */

#include "controller/net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/net_text.h"

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
	free(n->member);
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

static int membership_cmp(const void *a, const void *b)
{
	const struct interface_group *x = a, *y = b;
	int r = strcmp(x->interface_id, y->interface_id);

	return r != 0 ? r : strcmp(x->group_id, y->group_id);
}

bool net_is_member(const struct net *n, const char *interface_id, const char *group_id)
{
	struct interface_group m = { .interface_id = "" };

	snprintf(m.interface_id, sizeof(m.interface_id), "%s", interface_id);
	snprintf(m.group_id, sizeof(m.group_id), "%s", group_id);
	return n->membership_cnt &&
	       bsearch(&m, n->membership, n->membership_cnt, sizeof(m), membership_cmp);
}

bool net_reserved(const struct subnet *s, uint32_t addr)
{
	uint32_t first = s->addr & net_mask(s->prefix), last = first | ~net_mask(s->prefix);

	return addr - first < 4 || addr == last;
}
