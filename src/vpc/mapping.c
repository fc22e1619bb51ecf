/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Who has which address: open addressing with linear probing, at most half full; a removed entry's followers move up.
 * The table lies in pages that are touched only where there are entries.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "vpc/vpc_priv.h"

struct slot {
	struct vpc_addr addr;
	uint8_t mac[6];
	uint8_t used;
	uint32_t vni;
};

struct vpc_map {
	struct vpc_hash_key key;
	size_t cap, cnt;
	size_t mask;       /* slots - 1 */
	uint32_t gen;      /* counts changes */
	struct slot *slot; /* owned pages */
};

int vpc_map_new(size_t cap, const uint8_t seed[16], struct vpc_map **ret)
{
	struct vpc_map *m;
	size_t slots = 2;
	void *p;
	int r;

	if (!cap || cap > VPC_MAPPINGS_MAX)
		return -EINVAL;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	while (slots < cap * 2)
		slots *= 2;
	r = mem_zalloc_pages(slots * sizeof(*m->slot), &p);
	if (r < 0) {
		free(m);
		return r;
	}
	m->slot = p;
	m->cap = cap;
	m->mask = slots - 1;
	m->key = (struct vpc_hash_key){ { le64_load(seed), le64_load(seed + 8) } };
	*ret = m;
	return 0;
}

void vpc_map_free(struct vpc_map *m)
{
	if (!m)
		return;
	mem_free_pages(m->slot, (m->mask + 1) * sizeof(*m->slot));
	free(m);
}

void vpc_map_freep(struct vpc_map **m)
{
	vpc_map_free(*m);
	*m = NULL;
}

static size_t home(const struct vpc_map *m, uint32_t vni, const struct vpc_addr *a)
{
	uint64_t w[3] = { le64_load(a->b), le64_load(a->b + 8), (uint64_t)a->family << 32 | vni };

	return vpc_hash(&m->key, w, 3) & m->mask;
}

/* The entry's slot, or the free one where it would go. */
static size_t seek(const struct vpc_map *m, uint32_t vni, const struct vpc_addr *a)
{
	size_t i = home(m, vni, a);

	while (m->slot[i].used && !(m->slot[i].vni == vni && vpc_addr_equal(&m->slot[i].addr, a)))
		i = (i + 1) & m->mask;
	return i;
}

int vpc_map_add(struct vpc_map *m, uint32_t vni, const struct vpc_addr *addr, const uint8_t mac[6])
{
	size_t i;

	if (addr->family != VPC_IPV4 && addr->family != VPC_IPV6)
		return -EINVAL;
	i = seek(m, vni, addr);
	if (!m->slot[i].used && m->cnt == m->cap)
		return -ENOSPC;
	m->cnt += !m->slot[i].used;
	m->slot[i] = (struct slot){ .addr = *addr, .used = 1, .vni = vni };
	memcpy(m->slot[i].mac, mac, 6);
	m->gen++;
	return 0;
}

int vpc_map_del(struct vpc_map *m, uint32_t vni, const struct vpc_addr *addr)
{
	size_t hole = seek(m, vni, addr), i;

	if (!m->slot[hole].used)
		return -ENOENT;
	/* Close the hole with a follower that may stand there, until there is none. */
	for (i = (hole + 1) & m->mask; m->slot[i].used; i = (i + 1) & m->mask) {
		size_t h = home(m, m->slot[i].vni, &m->slot[i].addr);

		if (((i - h) & m->mask) < ((i - hole) & m->mask))
			continue;
		m->slot[hole] = m->slot[i];
		hole = i;
	}
	m->slot[hole] = (struct slot){ 0 };
	m->cnt--;
	m->gen++;
	return 0;
}

int vpc_map_find(const struct vpc_map *m, uint32_t vni, const struct vpc_addr *addr,
		 uint8_t ret_mac[6])
{
	size_t i = seek(m, vni, addr);

	if (!m->slot[i].used)
		return -ENOENT;
	memcpy(ret_mac, m->slot[i].mac, 6);
	return 0;
}

size_t vpc_map_cnt(const struct vpc_map *m)
{
	return m->cnt;
}

uint32_t vpc_map_gen(const struct vpc_map *m)
{
	return m->gen;
}
