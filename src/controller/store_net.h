/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The rows of net_model.h. Tables are small and alike, so each is a list of columns and the functions are the same
 * for all. Errors are those of store.h.
 */

#include "controller/net_model.h"
#include "controller/store.h"

struct net_table;
extern const struct net_table net_vpcs, net_subnets, net_groups, net_group_rules, net_interfaces,
	net_interface_groups, net_gateways, net_launch_data, net_peers, net_remotes, net_forwards;

/* store_net_put(): insert, or replace every column of the row with the same key. -EEXIST: another row's unique value. */
MUST_USE int store_net_put(struct store *s, const struct net_table *t, const void *row);
/* store_net_get(): reads the row that has the key columns of @row. */
MUST_USE int store_net_get(struct store *s, const struct net_table *t, void *row);
/* store_net_delete(): by the key columns of @row. Return: 0, -ENOENT. */
MUST_USE int store_net_delete(struct store *s, const struct net_table *t, const void *row);
/* store_net_list(): all rows, oldest first where rows have an age, else by key. *ret: owned (free()); NULL when none. */
MUST_USE int store_net_list(struct store *s, const struct net_table *t, void **ret,
			    size_t *ret_cnt);
