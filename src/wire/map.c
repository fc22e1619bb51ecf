/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/map.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

int map_init(struct map *m, uint64_t seed)
{
	void *p = NULL;
	int r;

	memset(m, 0, sizeof(*m));
	r = mem_zalloc_pages(MAP_SLOTS * sizeof(struct map_entry), &p);
	if (r < 0)
		return r;
	m->slot = p;
	m->seed = seed;
	return 0;
}

void map_done(struct map *m)
{
	mem_free_pages(m->slot, MAP_SLOTS * sizeof(struct map_entry));
	memset(m, 0, sizeof(*m));
}

/* Three rounds of multiply and fold, begun with the seed. */
static uint32_t home(const struct map *m, const struct map_key *k)
{
	uint64_t h = (m->seed ^ k->a) * 0x9e3779b97f4a7c15ULL;

	h = (h ^ h >> 32 ^ k->b) * 0xd6e8feb86659fd93ULL;
	h = (h ^ h >> 32 ^ k->c ^ m->seed << 32) * 0x9e3779b97f4a7c15ULL;
	return (uint32_t)(h >> 32) & (MAP_SLOTS - 1);
}

static bool same(const struct map_key *x, const struct map_key *y)
{
	return x->a == y->a && x->b == y->b && x->c == y->c;
}

/* The slot of @key, or the free one where it would go. The table is never more than half full. */
static uint32_t seek(const struct map *m, const struct map_key *key)
{
	uint32_t i = home(m, key);

	while (m->slot[i].used && !same(&m->slot[i].key, key))
		i = (i + 1) & (MAP_SLOTS - 1);
	return i;
}

struct map_entry *map_find(const struct map *m, const struct map_key *key)
{
	struct map_entry *e = &m->slot[seek(m, key)];

	return e->used ? e : NULL;
}

struct map_entry *map_get(struct map *m, const struct map_key *key)
{
	struct map_entry *e = &m->slot[seek(m, key)];

	if (e->used)
		return e;
	if (m->cnt == MAP_MAX)
		return NULL;
	*e = (struct map_entry){ .key = *key, .used = true };
	m->cnt++;
	return e;
}

void map_del(struct map *m, struct map_entry *e)
{
	uint32_t hole = (uint32_t)(e - m->slot), i = hole, from;

	/* Entries behind the hole move up when their way from home leads through it. */
	for (;;) {
		i = (i + 1) & (MAP_SLOTS - 1);
		if (!m->slot[i].used)
			break;
		from = home(m, &m->slot[i].key);
		if (((i - from) & (MAP_SLOTS - 1)) >= ((i - hole) & (MAP_SLOTS - 1))) {
			m->slot[hole] = m->slot[i];
			hole = i;
		}
	}
	memset(&m->slot[hole], 0, sizeof(m->slot[hole]));
	m->cnt--;
}
