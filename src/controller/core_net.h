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
