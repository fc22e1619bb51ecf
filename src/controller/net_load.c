/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Networks out of the store: all of them, or what concerns some instances. One tenant's many groups and rules cost the others
 * nothing: rules are read only of groups that one of these instances is in.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controller/net.h"

/* ---- who is in which group ---- */

static int member_cmp(const void *a, const void *b)
{
	const struct net_member *x = a, *y = b;
	int r = strcmp(x->group_id, y->group_id);

	/* Interfaces keep their order. */
	return r != 0 ? r : (x->ni > y->ni) - (x->ni < y->ni);
}

static int membership_cmp(const void *a, const void *b)
{
	const struct interface_group *x = a, *y = b;
	int r = strcmp(x->interface_id, y->interface_id);

	return r != 0 ? r : strcmp(x->group_id, y->group_id);
}

static int interface_cmp(const void *a, const void *b)
{
	const struct interface *const *x = a, *const *y = b;

	return strcmp((*x)->id, (*y)->id);
}

static int interface_id_cmp(const void *id, const void *ni)
{
	return strcmp(id, (*(const struct interface *const *)ni)->id);
}

int net_index(struct net *n)
{
	CLEANUP(free_p) const struct interface **by_id = NULL;

	free(n->member);
	n->member = NULL;
	n->member_cnt = 0;
	if (n->membership_cnt == 0 || n->interface_cnt == 0)
		return 0;
	by_id = calloc(n->interface_cnt, sizeof(const struct interface *));
	n->member = calloc(n->membership_cnt, sizeof(*n->member));
	if (!by_id || !n->member)
		return -ENOMEM;
	for (size_t k = 0; k < n->interface_cnt; k++)
		by_id[k] = &n->interface[k];
	qsort(by_id, n->interface_cnt, sizeof(const struct interface *), interface_cmp);
	qsort(n->membership, n->membership_cnt, sizeof(*n->membership), membership_cmp);
	for (size_t k = 0; k < n->membership_cnt; k++) {
		const struct interface_group *m = &n->membership[k];
		const struct interface *const *ni =
			bsearch(m->interface_id, by_id, n->interface_cnt,
				sizeof(const struct interface *), interface_id_cmp);

		if (ni)
			n->member[n->member_cnt++] = (struct net_member){ m->group_id, *ni };
	}
	qsort(n->member, n->member_cnt, sizeof(*n->member), member_cmp);
	return 0;
}

const struct net_member *net_members(const struct net *n, const char *group_id, size_t *ret_cnt)
{
	size_t lo = 0, hi = n->member_cnt, end;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(n->member[mid].group_id, group_id) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (end = lo; end < n->member_cnt && strcmp(n->member[end].group_id, group_id) == 0;)
		end++;
	*ret_cnt = end - lo;
	return n->member + lo;
}

/* ---- all ---- */

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
	if (r == 0)
		r = net_index(&n);
	if (r < 0) {
		net_done(&n);
		return r;
	}
	*ret = n;
	return 0;
}

/* ---- of some instances ---- */

struct rows {
	void *v; /* owned */
	size_t cnt, cap, bytes;
	int err;
};

static void *rows_add(struct rows *rows, const void *row)
{
	size_t want = rows->cap ? rows->cap * 2 : 16;
	void *bigger;

	if (rows->err < 0)
		return NULL;
	if (rows->cnt == rows->cap) {
		bigger = reallocarray(rows->v, want, rows->bytes);
		if (!bigger) {
			rows->err = -ENOMEM;
			return NULL;
		}
		rows->v = bigger;
		rows->cap = want;
	}
	return memcpy((char *)rows->v + rows->cnt++ * rows->bytes, row, rows->bytes);
}

static void rows_add_of(struct rows *rows, struct store *s, const struct store_table *t,
			const char *column, const char *value)
{
	struct store_iter it;
	const void *row;

	store_each_of(s, t, column, value, &it);
	while ((row = store_next(&it)))
		(void)rows_add(rows, row);
}

struct id {
	char id[MODEL_ID_MAX];
};

static int id_cmp(const void *a, const void *b)
{
	return strcmp(((const struct id *)a)->id, ((const struct id *)b)->id);
}

static void ids_add(struct rows *ids, const char *text)
{
	struct id id = { .id = "" };

	strncpy(id.id, text, sizeof(id.id) - 1);
	(void)rows_add(ids, &id);
}

/* Sorted, each once. */
static void ids_sort(struct rows *ids)
{
	struct id *v = ids->v;
	size_t cnt = 0;

	if (ids->cnt)
		qsort(v, ids->cnt, sizeof(*v), id_cmp);
	for (size_t k = 0; k < ids->cnt; k++)
		if (cnt == 0 || strcmp(v[cnt - 1].id, v[k].id) != 0)
			v[cnt++] = v[k];
	ids->cnt = cnt;
}

struct loading {
	struct store *s;
	struct rows vpcs, groups_in; /* struct id: networks and groups of these instances */
	struct rows vpc, subnet, group, rule, interface, membership, gateway, remote;
};

/* What an instance is in. */
static void instance_look(struct loading *l, const char *instance_id)
{
	const struct interface_group *m;
	const struct interface *ni;
	struct store_iter it, inner;

	store_each_of(l->s, &tbl_interfaces, "instance_id", instance_id, &it);
	while ((ni = store_next(&it))) {
		const struct subnet *sub = store_find(l->s, &tbl_subnets, ni->subnet_id);

		if (sub)
			ids_add(&l->vpcs, sub->vpc_id);
		store_each_of(l->s, &tbl_interface_groups, "interface_id", ni->id, &inner);
		while ((m = store_next(&inner)))
			ids_add(&l->groups_in, m->group_id);
	}
}

/*
 * Everybody of a network, in the groups and the rules that count. Interfaces of no instance have nothing to say: an
 * account may keep tens of thousands, and this is done anew whenever anything changes for anybody.
 */
static void vpc_read(struct loading *l, const char *vpc_id)
{
	const struct vpc *v = store_find(l->s, &tbl_vpcs, vpc_id);
	const struct interface *ni;
	const struct subnet *sub;
	const struct group *g;
	struct store_iter it, inner;

	if (!v)
		return;
	(void)rows_add(&l->vpc, v);
	rows_add_of(&l->gateway, l->s, &tbl_gateways, "vpc_id", vpc_id);
	rows_add_of(&l->remote, l->s, &tbl_remotes, "vpc_id", vpc_id);
	store_each_of(l->s, &tbl_subnets, "vpc_id", vpc_id, &it);
	while ((sub = store_next(&it))) {
		(void)rows_add(&l->subnet, sub);
		store_each_of(l->s, &tbl_interfaces, "subnet_id", sub->id, &inner);
		while ((ni = store_next(&inner))) {
			if (!ni->instance_id[0])
				continue;
			(void)rows_add(&l->interface, ni);
			rows_add_of(&l->membership, l->s, &tbl_interface_groups, "interface_id",
				    ni->id);
		}
	}
	store_each_of(l->s, &tbl_groups, "vpc_id", vpc_id, &it);
	while ((g = store_next(&it))) {
		struct id id = { .id = "" };

		memcpy(id.id, g->id, sizeof(g->id));
		if (strcmp(g->name, "default") == 0 ||
		    (l->groups_in.cnt &&
		     bsearch(&id, l->groups_in.v, l->groups_in.cnt, sizeof(id), id_cmp)))
			(void)rows_add(&l->group, g);
	}
}

static int loading_give(struct loading *l, struct net *n)
{
	const struct {
		struct rows *rows;
		void **list;
		size_t *cnt;
	} all[] = {
		{ &l->vpc, (void **)&n->vpc, &n->vpc_cnt },
		{ &l->subnet, (void **)&n->subnet, &n->subnet_cnt },
		{ &l->group, (void **)&n->group, &n->group_cnt },
		{ &l->rule, (void **)&n->rule, &n->rule_cnt },
		{ &l->interface, (void **)&n->interface, &n->interface_cnt },
		{ &l->membership, (void **)&n->membership, &n->membership_cnt },
		{ &l->gateway, (void **)&n->gateway, &n->gateway_cnt },
		{ &l->remote, (void **)&n->remote, &n->remote_cnt },
	};
	int r = l->vpcs.err < 0 ? l->vpcs.err : l->groups_in.err;

	for (size_t k = 0; k < ARRAY_SIZE(all); k++) {
		*all[k].list = all[k].rows->v;
		*all[k].cnt = all[k].rows->cnt;
		if (r == 0)
			r = all[k].rows->err;
	}
	free(l->vpcs.v);
	free(l->groups_in.v);
	return r;
}

int net_load_of(struct store *s, const char *const *instance_id, size_t cnt, struct net *ret)
{
	struct loading l = {
		.s = s,
		.vpcs = { .bytes = sizeof(struct id) },
		.groups_in = { .bytes = sizeof(struct id) },
		.vpc = { .bytes = sizeof(struct vpc) },
		.subnet = { .bytes = sizeof(struct subnet) },
		.group = { .bytes = sizeof(struct group) },
		.rule = { .bytes = sizeof(struct group_rule) },
		.interface = { .bytes = sizeof(struct interface) },
		.membership = { .bytes = sizeof(struct interface_group) },
		.gateway = { .bytes = sizeof(struct gateway) },
		.remote = { .bytes = sizeof(struct remote) },
	};
	struct net n = { .vpc = NULL };
	int r;

	for (size_t k = 0; k < cnt; k++)
		instance_look(&l, instance_id[k]);
	ids_sort(&l.vpcs);
	ids_sort(&l.groups_in);
	for (size_t k = 0; k < l.vpcs.cnt; k++)
		vpc_read(&l, ((const struct id *)l.vpcs.v)[k].id);
	for (size_t k = 0; k < l.groups_in.cnt; k++)
		rows_add_of(&l.rule, s, &tbl_group_rules, "group_id",
			    ((const struct id *)l.groups_in.v)[k].id);
	r = loading_give(&l, &n);
	if (r == 0)
		r = store_list(s, &tbl_peers, (void **)&n.peer, &n.peer_cnt);
	if (r == 0)
		r = store_list(s, &tbl_forwards, (void **)&n.forward, &n.forward_cnt);
	if (r == 0)
		r = net_index(&n);
	if (r < 0) {
		net_done(&n);
		return r;
	}
	*ret = n;
	return 0;
}
