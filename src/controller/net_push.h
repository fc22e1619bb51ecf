/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What cards, wire, gateways and launcher should know, and the difference to what they were told. Pure: rows and
 * living instances in, messages out. The shell (net_sync.c) keeps one struct net_want a service socket: what its other
 * end was told last.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "controller/net.h"
#include "controller/types.h"
#include "proto/control.h"

/* A living instance of this host. */
struct net_live {
	char id[CTL_ID_MAX];
	char type[CTL_NAME_MAX];
};

/* A gateway process that runs. */
struct net_way_out {
	char gateway_id[CTL_ID_MAX];
	uint32_t outside; /* block the host routes to it: 100.64.K.0 */
	unsigned outside_prefix;
};

struct net_state {
	struct net net;
	struct net_live *live; /* owned with the struct by whoever made it */
	size_t live_cnt;
	struct net_way_out *way_out;
	size_t way_out_cnt;
};

/* One message that is in force until it is replaced, or undone by another. */
struct net_item {
	char key[48]; /* "interface eni-…": what is replaced by what */
	uint32_t seq; /* of the last time it was sent; the shell's */
	bool acked;
	size_t set_len, del_len; /* del_len 0: nothing undoes it */
	uint8_t *set, *del;      /* packets with seq 0; one allocation, owned */
};

/* One mapping: many travel in a message. */
struct net_mapping {
	uint32_t vni;
	struct ctl_vpc_mapping m;
};

struct net_want {
	struct net_item *item; /* in the order they are to be sent */
	struct net_mapping *map;
	size_t item_cnt, item_cap, map_cnt, map_cap;
};

/* Of an encoded packet: docs/wire/control.md "Packet". */
enum ctl_type net_packet_type(const uint8_t *packet, size_t len);
void net_packet_seq_set(uint8_t *packet, uint32_t seq);

void net_want_done(struct net_want *w);

/* What each should know. @ret begins empty; owned: net_want_done(). Return: 0, -ENOMEM, -EMSGSIZE. */
MUST_USE int net_want_card(const struct net_state *s, const char *instance_id,
			   struct net_want *ret);
MUST_USE int net_want_wire(const struct net_state *s, struct net_want *ret);
MUST_USE int net_want_gateway(const struct net_state *s, const struct net_way_out *g,
			      struct net_want *ret);
/* net_want_forwards(): for the launcher; keys are "forward PORT". */
MUST_USE int net_want_forwards(const struct net_state *s, struct net_want *ret);

/* net_want_undo_forward(): adds to what the launcher was told a port that it perhaps still has and should not. */
MUST_USE int net_want_undo_forward(struct net_want *told, unsigned host_port);

/* net_gateway_needed(): does a living instance have its way out through @g? */
bool net_gateway_needed(const struct net_state *s, const struct gateway *g);

/**
 * net_diff() - the messages that lead from @old to @want
 * @item: NULL for mappings; its seq may be set
 *
 * Items that stay keep their seq and acked. Order: mappings that go, items that go, items that are new or different,
 * mappings that are new.
 * Return: 0, or what @send returned first (then @old is still what was told, as far as anybody knows).
 */
typedef MUST_USE int net_send_fn(void *ptr, struct net_item *item, uint8_t *packet, size_t len);
MUST_USE int net_diff(const struct net_want *old, struct net_want *want, net_send_fn *send,
		      void *ptr);
