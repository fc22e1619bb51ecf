/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Networks in the core: what exists from the start, what comes and goes with instances, what people may add.
 * Functions that change rows are called inside the caller's transaction unless said otherwise.
 */

#include "controller/core.h"
#include "controller/net.h"

/* core_net_init(): once at the start: default networks, and an interface for every instance of an older niterd. */
MUST_USE int core_net_init(struct core *c);

/* core_net_account(): an account is new: its default network. */
MUST_USE int core_net_account(struct core *c, const char *account);

/* core_net_check(): where would an interface for @q go? *ret: subnet, address, account. No change. */
MUST_USE int core_net_check(struct core *c, const struct core_run *q, struct interface *ret,
			    struct fault *f);
/* core_data_check(): key and user data of @q. */
MUST_USE int core_data_check(const struct core_run *q, struct fault *f);
/* core_net_attach(): records @ni (from core_net_check()) as the primary interface of @i, and what it was launched with. */
MUST_USE int core_net_attach(struct core *c, const struct core_run *q, const struct instance *i,
			     struct interface *ni);
/* core_net_release(): an instance is terminated: its interfaces, forwards, key and user data are forgotten. */
MUST_USE int core_net_release(struct core *c, const char *instance_id);
/* core_net_start(): the interfaces of a start message. */
MUST_USE int core_net_start(struct core *c, const char *instance_id,
			    struct ctl_l_instance_start *m);

/*
 * What people do with networks, inside the caller's transaction; when one fails, the caller rolls back. A lookup is always by
 * account: what another account has is not there. Rows that are returned are copies.
 */
enum {
	NET_VPCS_MAX = 100,    /* of an account */
	NET_SUBNETS_MAX = 200, /* of a network */
	NET_GROUPS_MAX = 2500, /* of an account */
	NET_INTERFACES_MAX = 65536,
	NET_RULES_MAX = 60,           /* of a group, in each direction */
	NET_INTERFACE_GROUPS_MAX = 5, /* of an interface */
	NET_VPC_PREFIX_MIN = 16,
	NET_VPC_PREFIX_MAX = 28, /* of networks and subnets */
};

struct net_block {
	uint32_t addr;
	unsigned prefix;
};

/* core_vpcs.c. core_X_find(): Return: 0, -ENOENT with @f: NotFound or Malformed by the shape of @id. */
MUST_USE int core_vpc_find(struct core *c, const char *account, const char *id, struct vpc *ret,
			   struct fault *f);
/* core_vpc_default(): Return: 0, -ENOENT without a word. */
MUST_USE int core_vpc_default(struct core *c, const char *account, struct vpc *ret);
/* core_vpc_add(): with its default group. */
MUST_USE int core_vpc_add(struct core *c, const char *account, const struct net_block *b,
			  struct vpc *ret, struct fault *f);
/* core_vpc_default_add(): 172.31.0.0/16 with a subnet, the default group and a way out. */
MUST_USE int core_vpc_default_add(struct core *c, const char *account, struct vpc *ret,
				  struct fault *f);
/* core_vpc_rm(): with its default group and its way out; nothing else may be left in it. */
MUST_USE int core_vpc_rm(struct core *c, const struct vpc *v, struct fault *f);
/* core_vpc_put(): after a change of its DNS attributes. */
MUST_USE int core_vpc_put(struct core *c, const struct vpc *v, struct core_acts *acts);

MUST_USE int core_subnet_find(struct core *c, const char *account, const char *id,
			      struct subnet *ret, struct fault *f);
MUST_USE int core_subnet_add(struct core *c, const struct vpc *v, const struct net_block *b,
			     struct subnet *ret, struct fault *f);
/* core_subnet_default_add(): in the default network that has none. */
MUST_USE int core_subnet_default_add(struct core *c, const char *account, struct subnet *ret,
				     struct fault *f);
/* core_subnet_put(): after a change of its attributes. */
MUST_USE int core_subnet_put(struct core *c, const struct subnet *s);
MUST_USE int core_subnet_rm(struct core *c, const struct subnet *s, struct fault *f);
/* core_subnet_used(): addresses of it that somebody has, reserved ones not counted. */
size_t core_subnet_used(struct core *c, const struct subnet *s);

/* core_groups.c */
MUST_USE int core_group_find(struct core *c, const char *account, const char *id, struct group *ret,
			     struct fault *f);
/* core_group_named(): Return: 0, -ENOENT without a word. */
MUST_USE int core_group_named(struct core *c, const char *vpc_id, const char *name,
			      struct group *ret);
/* core_group_add(): lets everything out and nothing in. @name and @description: checked text */
MUST_USE int core_group_add(struct core *c, const struct vpc *v, const char *name,
			    const char *description, struct group *ret, struct fault *f);
MUST_USE int core_group_rm(struct core *c, const struct group *g, struct fault *f);
/* core_rule_add(): @rule has everything but its id, which it gets. Protocols without ports have 0 and 65535. */
MUST_USE int core_rule_add(struct core *c, const struct group *g, struct group_rule *rule,
			   struct core_acts *acts, struct fault *f);
/* core_rule_same(): the rule that lets the same through; its id comes into @rule. Return: 0, -ENOENT without a word. */
MUST_USE int core_rule_same(struct core *c, struct group_rule *rule);
MUST_USE int core_rule_find(struct core *c, const char *account, const char *id,
			    struct group_rule *ret, struct fault *f);
/* core_rule_put(): replaces a rule, or its description alone. */
MUST_USE int core_rule_put(struct core *c, const struct group *g, const struct group_rule *rule,
			   struct core_acts *acts, struct fault *f);
MUST_USE int core_rule_rm(struct core *c, const struct group_rule *rule, struct core_acts *acts);

/* core_interfaces.c. An interface that shall be, as a request says it: unchecked, empty is left out. */
struct core_interface_want {
	const char *account;
	const char *subnet_id;  /* NULL: the default subnet */
	const char *private_ip; /* NULL: any */
	const char *description;
	const char *const *group_id; /* group_cnt 0: the network's default group */
	size_t group_cnt;
};
MUST_USE int core_interface_find(struct core *c, const char *account, const char *id,
				 struct interface *ret, struct fault *f);
/* core_interface_add(): one that no instance has yet. */
MUST_USE int core_interface_add(struct core *c, const struct core_interface_want *q,
				struct interface *ret, struct fault *f);
/* core_interface_attach(): @ni is free: now it is @i's. Updates @ni. */
MUST_USE int core_interface_attach(struct core *c, struct interface *ni, const struct instance *i,
				   unsigned device_idx, bool delete_on_termination,
				   struct fault *f);
/* core_interface_rm(): one that no instance has. */
MUST_USE int core_interface_rm(struct core *c, const struct interface *ni, struct fault *f);
/* core_interface_put(): after a change of anything but its place, address, MAC and groups. */
MUST_USE int core_interface_put(struct core *c, const struct interface *ni, struct core_acts *acts);
/* core_interface_groups(): from now on exactly these. */
MUST_USE int core_interface_groups(struct core *c, const struct interface *ni,
				   const char *const *group_id, size_t cnt, struct core_acts *acts,
				   struct fault *f);

/* Other hosts. Each is its own transaction. */
struct core_peer {
	char name[MODEL_NAME_MAX], address[64],
		fingerprint[128]; /* address: "10.77.0.2" or "10.77.0.2:4500" */
};
MUST_USE int core_peer_add(struct core *c, const struct core_peer *q, struct peer *ret,
			   struct fault *f);
MUST_USE int core_peer_find(struct core *c, const char *name, struct peer *ret, struct fault *f);
MUST_USE int core_peer_rm(struct core *c, const struct peer *p, struct fault *f);

struct core_remote {
	char account[CTL_ID_MAX];
	char vpc[CTL_ID_MAX]; /* empty: the default one */
	char ip[64], mac[64]; /* unchecked text */
};
/* core_peer_map() / core_peer_unmap(): an address of a network is, or is no longer, on host @p. */
MUST_USE int core_peer_map(struct core *c, const struct peer *p, const struct core_remote *q,
			   struct remote *ret, struct fault *f);
MUST_USE int core_peer_unmap(struct core *c, const struct peer *p, const struct core_remote *q,
			     struct fault *f);

struct core_forward {
	uint64_t port;           /* of the instance */
	uint64_t host_port;      /* 0: any, preferably the one that leads there already */
	uint64_t suggested_port; /* a new one of this host; 0: none */
};

/**
 * core_forward_add() - a TCP port of this host shall lead to a port of @i
 *
 * Asked again, it is the same forward. Return: 1 it is new, 0 it was there, -errno with @f.
 */
MUST_USE int core_forward_add(struct core *c, const struct instance *i,
			      const struct core_forward *q, struct forward *ret, struct fault *f);
MUST_USE int core_forward_rm(struct core *c, uint64_t host_port, struct fault *f);
