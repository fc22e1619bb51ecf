/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Networks at one moment, read from the store at once: what the pure functions of net_push.c and metadata.c look at.
 */

#include "base/attr.h"
#include "controller/net_model.h"
#include "controller/store.h"

/* An interface in a group. */
struct net_member {
	const char *group_id;
	const struct interface *ni;
};

struct net {
	struct vpc *vpc;
	struct subnet *subnet;
	struct group *group;
	struct group_rule *rule;
	struct interface *interface;
	struct interface_group *membership; /* by interface and group */
	struct gateway *gateway;
	struct peer *peer;
	struct remote *remote;
	struct forward *forward;
	size_t vpc_cnt, subnet_cnt, group_cnt, rule_cnt, interface_cnt, membership_cnt, gateway_cnt,
		peer_cnt, remote_cnt, forward_cnt;
	struct net_member *member; /* by group; net_index() */
	size_t member_cnt;
};

/* net_load(): everything. *ret is owned: net_done(). */
MUST_USE int net_load(struct store *s, struct net *ret);
/* net_load_of(): the networks that these instances are in; of groups, rules and interfaces only those that concern them. */
MUST_USE int net_load_of(struct store *s, const char *const *instance_id, size_t cnt,
			 struct net *ret);
/* net_index(): sorts memberships and fills member; loading does it. Return: 0, -ENOMEM. */
MUST_USE int net_index(struct net *n);
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
/* net_members(): the interfaces of a group. */
const struct net_member *net_members(const struct net *n, const char *group_id, size_t *ret_cnt);
bool net_is_member(const struct net *n, const char *interface_id, const char *group_id);

/* net_reserved(): the first four addresses of a subnet and its last, as on EC2. */
bool net_reserved(const struct subnet *s, uint32_t addr);
