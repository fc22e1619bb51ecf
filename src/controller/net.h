/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * All networks at one moment, read from the store at once: what the pure functions of net_push.c and metadata.c
 * look at, and where free addresses are found.
 */

#include "base/attr.h"
#include "controller/net_model.h"
#include "controller/store.h"

struct net {
	struct vpc *vpc;
	struct subnet *subnet;
	struct group *group;
	struct group_rule *rule;
	struct interface *interface;
	struct interface_group *membership;
	struct gateway *gateway;
	struct peer *peer;
	struct remote *remote;
	struct forward *forward;
	size_t vpc_cnt, subnet_cnt, group_cnt, rule_cnt, interface_cnt, membership_cnt, gateway_cnt,
		peer_cnt, remote_cnt, forward_cnt;
};

/* net_load(): *ret is owned: net_done(). */
MUST_USE int net_load(struct store *s, struct net *ret);
void net_done(struct net *n);

/* Borrowed rows; NULL when there is none. */
const struct vpc *net_vpc_find(const struct net *n, const char *id);
const struct vpc *net_vpc_default(const struct net *n, const char *account);
const struct subnet *net_subnet_find(const struct net *n, const char *id);
const struct subnet *net_subnet_default(const struct net *n, const char *vpc_id);
const struct group *net_group_find(const struct net *n, const char *id);
const struct group *net_group_default(const struct net *n, const char *vpc_id);
const struct gateway *net_gateway_of(const struct net *n, const char *vpc_id);
const struct peer *net_peer_find(const struct net *n, unsigned number);
const struct vpc *net_vpc_of(const struct net *n, const struct interface *i);
/* net_interface_of(): the primary interface of an instance. */
const struct interface *net_interface_of(const struct net *n, const char *instance_id);
bool net_is_member(const struct net *n, const char *interface_id, const char *group_id);

/* net_reserved(): the first four addresses of a subnet and its last, as on EC2. */
bool net_reserved(const struct subnet *s, uint32_t addr);
/* net_addr_used(): an interface, running or not, or another host has it. */
bool net_addr_used(const struct net *n, const char *vpc_id, uint32_t addr);
/* net_addr_free(): the lowest free address. Return: 0, -EADDRNOTAVAIL. */
MUST_USE int net_addr_free(const struct net *n, const struct subnet *s, uint32_t *ret);
/* net_outside_free(): a number behind the gateway of @vpc_id; 0: none is left. */
unsigned net_outside_free(const struct net *n, const char *vpc_id);
