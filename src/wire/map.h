/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Where the addresses of a network are. niterd says it; nothing is ever learned from a packet.
 *
 * Two kinds of keys lie in one table: (network, MAC), by which frames find their way, and (network, IP), by which a
 * peer's right to a source address is checked. A MAC entry counts the mappings that name it; it is at the host that
 * the latest of them said.
 *
 * Fixed size, open addressing, no tombstones. One thread.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

enum {
	MAP_MAX = 32768, /* keys */
	MAP_SLOTS = 2 * MAP_MAX,
	MAP_FAMILY_MAC = 0,
};

struct map_key {
	uint64_t a, b; /* the MAC and 0; or the 16 bytes of the address */
	uint32_t c;    /* network, and the family in bits 31 to 24 */
};

struct map_entry {
	struct map_key key;
	bool used;
	/* IP entries */
	uint64_t mac; /* whose address it is */
	/* MAC entries */
	bool gateway;         /* may speak for addresses that no mapping has */
	uint16_t port;        /* a port of this host: its index + 1; 0: none */
	uint16_t address_cnt; /* IP entries with this MAC */
	uint32_t peer;        /* host; 0: this one */
	uint32_t tunnel;      /* when @peer is not 0 */
};

struct map {
	struct map_entry *slot; /* MAP_SLOTS */
	uint64_t seed;
	unsigned cnt;
};

/* map_init(): @seed: random, so that nobody can choose addresses that collide. Return: 0, -ENOMEM. */
MUST_USE int map_init(struct map *m, uint64_t seed);
void map_done(struct map *m);

struct map_key map_key_mac(uint32_t vni, uint64_t mac);
/* @family: 4 or 6 */
struct map_key map_key_ip(uint32_t vni, uint8_t family, const uint8_t addr[16]);

/* map_find(): NULL if there is none. Valid until the next map_get() or map_del(). */
struct map_entry *map_find(const struct map *m, const struct map_key *key);
/* map_get(): the entry, made when it is missing (all zero but its key). NULL: the table is full. */
struct map_entry *map_get(struct map *m, const struct map_key *key);
void map_del(struct map *m, struct map_entry *e);
