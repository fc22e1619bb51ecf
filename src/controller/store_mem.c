/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A table in memory: a hash by key, and a skip list for the order of age and for each indexed column. A node is in all
 * lists or in none; linking and unlinking allocate nothing, so a rollback cannot fail.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "controller/store_priv.h"

enum { BUCKETS_FIRST = 16 };

int store_mem_init(struct store_mem *m, const struct store_table *t)
{
	m->t = t;
	m->order_cnt = 1;
	m->rnd = 0x9e3779b9u + t->idx;
	while (m->order_cnt < STORE_ORDERS && t->index[m->order_cnt - 1]) {
		m->by[m->order_cnt] = store_col(t, t->index[m->order_cnt - 1]);
		m->order_cnt++;
	}
	m->bucket = calloc(BUCKETS_FIRST, sizeof(struct store_node *));
	m->bucket_cnt = BUCKETS_FIRST;
	return m->bucket ? 0 : -ENOMEM;
}

void store_mem_done(struct store_mem *m)
{
	struct store_node *n = m->head[0][0], *next;

	for (; n; n = next) {
		next = n->next[0];
		free(n);
	}
	free(m->bucket);
	memset(m, 0, sizeof(*m));
}

/* A quarter of the nodes of a level are in the next one, too. */
static unsigned height_draw(struct store_mem *m)
{
	unsigned h = 1;
	uint32_t x;

	m->rnd ^= m->rnd << 13;
	m->rnd ^= m->rnd >> 17;
	m->rnd ^= m->rnd << 5;
	for (x = m->rnd; h < STORE_LEVELS && (x & 3) == 0; x >>= 2)
		h++;
	return h;
}

int store_mem_new(struct store_mem *m, const void *row, struct store_node **ret)
{
	unsigned height = height_draw(m);
	size_t lists = (size_t)m->order_cnt * height;
	struct store_node *n =
		calloc(1, sizeof(*n) + lists * sizeof(struct store_node *) + m->t->row_bytes);
	int r;

	if (!n)
		return -ENOMEM;
	n->height = height;
	n->row = &n->next[lists];
	r = store_row_clean(m->t, row, n->row);
	if (r < 0) {
		free(n);
		return r;
	}
	if (m->t->age_off)
		memcpy(&n->age, (const uint8_t *)n->row + m->t->age_off, sizeof(n->age));
	*ret = n;
	return 0;
}

static int key_cmp(const struct store_table *t, const void *a, const void *b)
{
	int r = 0;

	for (size_t k = 0; r == 0 && k < t->key_cnt; k++)
		r = store_col_cmp(&t->col[k], a, b);
	return r;
}

static int order_cmp(const struct store_mem *m, unsigned order, const struct store_node *a,
		     const struct store_node *b)
{
	int r = order ? store_col_cmp(m->by[order], a->row, b->row) : 0;

	if (r != 0)
		return r;
	if (a->age != b->age)
		return a->age < b->age ? -1 : 1;
	return key_cmp(m->t, a->row, b->row);
}

/* The pointers that follow @n in one order; NULL is the list's head. */
static struct store_node **links(struct store_mem *m, struct store_node *n, unsigned order)
{
	return n ? &n->next[(size_t)order * n->height] : m->head[order];
}

/* On every level the last node before @probe. */
static void befores(struct store_mem *m, unsigned order, const struct store_node *probe,
		    struct store_node *ret[STORE_LEVELS])
{
	struct store_node *n = NULL, *next;

	for (unsigned k = STORE_LEVELS; k-- > 0;) {
		while ((next = links(m, n, order)[k]) && order_cmp(m, order, next, probe) < 0)
			n = next;
		ret[k] = n;
	}
}

static void hash_grow(struct store_mem *m)
{
	size_t cnt = m->bucket_cnt * 2;
	struct store_node **bucket = calloc(cnt, sizeof(struct store_node *));

	if (!bucket)
		return; /* longer chains, that is all */
	for (size_t k = 0; k < m->bucket_cnt; k++) {
		struct store_node *n = m->bucket[k], *next;

		for (; n; n = next) {
			size_t at = store_row_hash(m->t, n->row) & (cnt - 1);

			next = n->hash_next;
			n->hash_next = bucket[at];
			bucket[at] = n;
		}
	}
	free(m->bucket);
	m->bucket = bucket;
	m->bucket_cnt = cnt;
}

void store_mem_link(struct store_mem *m, struct store_node *n)
{
	struct store_node *before[STORE_LEVELS];
	struct store_node **bucket;

	if (m->cnt >= m->bucket_cnt)
		hash_grow(m);
	bucket = &m->bucket[store_row_hash(m->t, n->row) & (m->bucket_cnt - 1)];
	n->hash_next = *bucket;
	*bucket = n;
	m->cnt++;
	for (unsigned order = 0; order < m->order_cnt; order++) {
		befores(m, order, n, before);
		for (unsigned k = 0; k < n->height; k++) {
			struct store_node **at = &links(m, before[k], order)[k];

			links(m, n, order)[k] = *at;
			*at = n;
		}
	}
}

void store_mem_unlink(struct store_mem *m, struct store_node *n)
{
	struct store_node *before[STORE_LEVELS];
	struct store_node **at = &m->bucket[store_row_hash(m->t, n->row) & (m->bucket_cnt - 1)];

	while (*at != n)
		at = &(*at)->hash_next;
	*at = n->hash_next;
	m->cnt--;
	for (unsigned order = 0; order < m->order_cnt; order++) {
		befores(m, order, n, before);
		for (unsigned k = 0; k < n->height; k++)
			links(m, before[k], order)[k] = links(m, n, order)[k];
	}
}

struct store_node *store_mem_find(struct store_mem *m, const void *row)
{
	struct store_node *n = m->bucket[store_row_hash(m->t, row) & (m->bucket_cnt - 1)];

	while (n && key_cmp(m->t, n->row, row) != 0)
		n = n->hash_next;
	return n;
}

struct store_node *store_mem_find_text(struct store_mem *m, const char *key)
{
	struct store_node *n = m->bucket[store_text_hash(key) & (m->bucket_cnt - 1)];

	must(m->t->key_cnt == 1 && m->t->col[0].kind == COL_TEXT);
	while (n && strcmp((const char *)n->row + m->t->col[0].off, key) != 0)
		n = n->hash_next;
	return n;
}

unsigned store_mem_order(const struct store_mem *m, const char *column)
{
	unsigned k = 1;

	while (k < m->order_cnt && strcmp(m->by[k]->name, column) != 0)
		k++;
	must(k < m->order_cnt);
	return k;
}

static int value_cmp(const struct store_mem *m, const struct store_node *n, unsigned order,
		     const char *text, uint32_t number)
{
	const char *p = (const char *)n->row + m->by[order]->off;
	uint32_t v;

	if (m->by[order]->kind != COL_UINT)
		return strcmp(p, text);
	memcpy(&v, p, sizeof(v));
	return (v > number) - (v < number);
}

bool store_mem_has(const struct store_mem *m, const struct store_node *n, unsigned order,
		   const char *text, uint32_t number)
{
	return order == 0 || value_cmp(m, n, order, text, number) == 0;
}

struct store_node *store_mem_first(struct store_mem *m, unsigned order, const char *text,
				   uint32_t number)
{
	struct store_node *n = NULL, *next;

	if (order == 0)
		return m->head[0][0];
	for (unsigned k = STORE_LEVELS; k-- > 0;)
		while ((next = links(m, n, order)[k]) &&
		       value_cmp(m, next, order, text, number) < 0)
			n = next;
	next = links(m, n, order)[0];
	return next && store_mem_has(m, next, order, text, number) ? next : NULL;
}

struct store_node *store_mem_after(struct store_node *n, unsigned order)
{
	return n->next[(size_t)order * n->height];
}
