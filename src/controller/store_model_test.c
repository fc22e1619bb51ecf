/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The store against a model of itself: random rows, transactions in transactions, commits and rollbacks. The model is a list of
 * rows and a stack of copies of it. What the store refuses, the model must refuse for the same reason; after every step
 * memory is the model, and after every commit so is a store that is opened on the database's bytes.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "controller/store_priv.h"

enum { ROWS_MAX = 512, DEPTH_MAX = 4, SEEDS = 60, STEPS = 220, WORDS = 4 };

struct model_row {
	const struct store_table *t;
	unsigned char *b; /* of the arena: never freed before the seed's end */
};

struct model {
	struct model_row row[ROWS_MAX];
	size_t cnt;
};

static struct model level[DEPTH_MAX + 1];
static unsigned depth;
static uint64_t rnd;
static void *arena[STEPS * 4];
static size_t arena_cnt;

static uint64_t rnd_next(void)
{
	rnd ^= rnd << 13;
	rnd ^= rnd >> 7;
	rnd ^= rnd << 17;
	return rnd >> 11;
}

static unsigned below(unsigned n)
{
	return (unsigned)(rnd_next() % n);
}

/* What a text column may hold: names of rows of the table it refers to, or a few words. */
static const struct {
	const char *table, *column, *prefix;
} kinds[] = {
	{ "vpc", "id", "vpc" },
	{ NULL, "vpc_id", "vpc" },
	{ "subnet", "id", "subnet" },
	{ NULL, "subnet_id", "subnet" },
	{ "security_group", "id", "sg" },
	{ NULL, "group_id", "sg" },
	{ NULL, "member_group_id", "sg" },
	{ "instance", "id", "i" },
	{ NULL, "instance_id", "i" },
	{ "interface", "id", "eni" },
	{ NULL, "interface_id", "eni" },
	{ "account", "id", "a" },
	{ NULL, "account", "a" },
	{ NULL, "resource_id", "i" },
};

/* Rows that must be there, and rows that keep others from going. */
static const struct ref {
	const struct store_table *from;
	const char *column;
	const struct store_table *to;
	bool cascade;
} refs[] = {
	{ &tbl_access_keys, "account", &tbl_accounts, false },
	{ &tbl_volumes, "instance_id", &tbl_instances, false },
	{ &tbl_subnets, "vpc_id", &tbl_vpcs, false },
	{ &tbl_groups, "vpc_id", &tbl_vpcs, false },
	{ &tbl_group_rules, "group_id", &tbl_groups, true },
	{ &tbl_group_rules, "member_group_id", &tbl_groups, false },
	{ &tbl_interfaces, "subnet_id", &tbl_subnets, false },
	{ &tbl_interfaces, "instance_id", &tbl_instances, false },
	{ &tbl_interface_groups, "interface_id", &tbl_interfaces, true },
	{ &tbl_interface_groups, "group_id", &tbl_groups, false },
	{ &tbl_gateways, "vpc_id", &tbl_vpcs, false },
	{ &tbl_remotes, "vpc_id", &tbl_vpcs, false },
	{ &tbl_remotes, "peer", &tbl_peers, true },
	{ &tbl_forwards, "instance_id", &tbl_instances, true },
};

/* Columns that no two rows share, unless the first of them is empty. */
static const struct unique {
	const struct store_table *t;
	const char *column[2];
	const char *unless_empty, *only_if;
} uniques[] = {
	{ &tbl_images, { "account", "name" }, NULL, NULL },
	{ &tbl_instances, { "account", "name" }, "name", NULL }, /* and not terminated */
	{ &tbl_volumes, { "instance_id", "device_idx" }, "instance_id", NULL },
	{ &tbl_vpcs, { "vni", NULL }, NULL, NULL },
	{ &tbl_vpcs, { "account", NULL }, NULL, "is_default" },
	{ &tbl_subnets, { "vpc_id", "addr" }, NULL, NULL },
	{ &tbl_groups, { "vpc_id", "name" }, NULL, NULL },
	{ &tbl_interfaces, { "mac", NULL }, NULL, NULL },
	{ &tbl_interfaces, { "subnet_id", "addr" }, NULL, NULL },
	{ &tbl_interfaces, { "instance_id", "device_idx" }, "instance_id", NULL },
	{ &tbl_gateways, { "vpc_id", NULL }, NULL, NULL },
	{ &tbl_gateways, { "mac", NULL }, NULL, NULL },
	{ &tbl_peers, { "name", NULL }, NULL, NULL },
	{ &tbl_peers, { "addr", "port" }, NULL, NULL },
	{ &tbl_remotes, { "mac", NULL }, NULL, NULL },
	{ &tbl_key_pairs, { "account", "name" }, NULL, NULL },
	{ &tbl_kms_keys, { "account", NULL }, NULL, "by_service" },
};

static void text_fill(const struct store_table *t, const struct col *c, char *p)
{
	const char *prefix = "word";

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
		if (strcmp(kinds[k].column, c->name) == 0 &&
		    (!kinds[k].table || strcmp(kinds[k].table, t->name) == 0))
			prefix = kinds[k].prefix;
	if (c->kind == COL_REF && below(3) == 0)
		return;
	if (strcmp(prefix, "word") == 0 && c != &t->col[0] && below(3) == 0)
		return;
	(void)snprintf(p, c->size, "%s-%u", prefix, below(WORDS));
}

static uint32_t enum_value(const struct col *c)
{
	uint32_t v;

	do
		v = below(100);
	while (!c->valid((int64_t)v));
	return v;
}

static void row_fill(const struct store_table *t, unsigned char *row)
{
	memset(row, 0, t->row_bytes);
	for (size_t k = 0; k < t->col_cnt; k++) {
		const struct col *c = &t->col[k];
		uint32_t u32 = below(WORDS);
		uint64_t u64 = below(3);
		uint16_t u16 = (uint16_t)below(9);
		bool b = below(4) == 0;

		switch (c->kind) {
		case COL_TEXT:
		case COL_REF:
			text_fill(t, c, (char *)row + c->off);
			break;
		case COL_UINT:
			memcpy(row + c->off, &u32, sizeof(u32));
			break;
		case COL_ENUM:
			u32 = enum_value(c);
			memcpy(row + c->off, &u32, sizeof(u32));
			break;
		case COL_U64:
			memcpy(row + c->off, &u64, sizeof(u64));
			break;
		case COL_BOOL:
			memcpy(row + c->off, &b, sizeof(b));
			break;
		case COL_MAC:
		case COL_RAW:
			memset(row + c->off, (int)u32, c->size);
			break;
		case COL_DATA:
			u32 = u16;
			memset(row + c->off, 7, u16);
			if (c->len_size == sizeof(u32))
				memcpy(row + c->len_off, &u32, sizeof(u32));
			else
				memcpy(row + c->len_off, &u16, sizeof(u16));
			break;
		}
	}
}

static const unsigned char *at(const struct store_table *t, const unsigned char *row,
			       const char *column)
{
	return row + store_col(t, column)->off;
}

static bool same(const struct store_table *t, const unsigned char *a, const unsigned char *b,
		 const char *column)
{
	return memcmp(at(t, a, column), at(t, b, column), store_col(t, column)->size) == 0;
}

static bool same_key(const struct store_table *t, const unsigned char *a, const unsigned char *b)
{
	bool r = true;

	for (size_t k = 0; k < t->key_cnt; k++)
		r = r && same(t, a, b, t->col[k].name);
	return r;
}

static bool unique_counts(const struct unique *u, const unsigned char *row)
{
	const struct instance *i = (const void *)row;

	if (u->t == &tbl_instances && i->state == INSTANCE_TERMINATED)
		return false;
	if (u->only_if && !*at(u->t, row, u->only_if))
		return false;
	return !u->unless_empty || *at(u->t, row, u->unless_empty);
}

static int put_expected(const struct model *m, const struct store_table *t,
			const unsigned char *row)
{
	for (size_t k = 0; k < ARRAY_SIZE(uniques); k++) {
		const struct unique *u = &uniques[k];

		if (u->t != t || !unique_counts(u, row))
			continue;
		for (size_t j = 0; j < m->cnt; j++) {
			const unsigned char *o = m->row[j].b;

			if (m->row[j].t == t && !same_key(t, o, row) && unique_counts(u, o) &&
			    same(t, o, row, u->column[0]) &&
			    (!u->column[1] || same(t, o, row, u->column[1])))
				return -EEXIST;
		}
	}
	for (size_t k = 0; k < ARRAY_SIZE(refs); k++) {
		const struct col *c;
		bool found = false;

		if (refs[k].from != t)
			continue;
		c = store_col(t, refs[k].column);
		if (c->kind == COL_REF && !row[c->off])
			continue;
		for (size_t j = 0; j < m->cnt; j++)
			found = found ||
				(m->row[j].t == refs[k].to &&
				 store_col_cmp(&refs[k].to->col[0],
					       m->row[j].b, /* both begin with their key */
					       row + c->off - refs[k].to->col[0].off) == 0);
		if (!found)
			return -EBUSY;
	}
	return 0;
}

static void model_put(struct model *m, const struct store_table *t, unsigned char *row)
{
	for (size_t j = 0; j < m->cnt; j++)
		if (m->row[j].t == t && same_key(t, m->row[j].b, row)) {
			m->row[j].b = row;
			return;
		}
	assert_true(m->cnt < ROWS_MAX);
	m->row[m->cnt++] = (struct model_row){ t, row };
}

static bool refers(const struct model_row *r, const char *column, const struct store_table *to,
		   const unsigned char *row)
{
	return store_col_cmp(&to->col[0], r->b + store_col(r->t, column)->off - to->col[0].off,
			     row) == 0;
}

/* Removes @row and what goes with it from @m. Return: 0, -EBUSY (@m is spoilt then). */
static int model_delete(struct model *m, const struct store_table *t, const unsigned char *row)
{
	for (size_t k = 0; k < ARRAY_SIZE(t->cascade) && t->cascade[k].table; k++)
		for (size_t j = m->cnt; j-- > 0;)
			if (m->row[j].t == t->cascade[k].table &&
			    refers(&m->row[j], t->cascade[k].column, t, row)) {
				int r = model_delete(m, m->row[j].t, m->row[j].b);

				if (r < 0)
					return r;
				j = m->cnt;
			}
	for (size_t k = 0; k < ARRAY_SIZE(refs); k++)
		for (size_t j = 0; refs[k].to == t && j < m->cnt; j++)
			if (m->row[j].t == refs[k].from &&
			    refers(&m->row[j], refs[k].column, t, row))
				return -EBUSY;
	for (size_t j = 0; j < m->cnt; j++)
		if (m->row[j].t == t && same_key(t, m->row[j].b, row)) {
			m->row[j] = m->row[--m->cnt];
			return 0;
		}
	return -ENOENT;
}

/* Every row, found by every way, and in its order. */
static void equal(struct store *s, const struct model *m)
{
	size_t total = 0;

	for (size_t k = 0; k < STORE_TABLES; k++) {
		const struct store_table *t = store_tables[k];
		const unsigned char *row, *last = NULL;
		struct store_iter i;
		size_t cnt = 0;

		if (t->on_demand)
			continue;
		store_each(s, t, &i);
		while ((row = store_next(&i))) {
			if (last && t->age_off)
				assert_true(memcmp(last + t->age_off, row + t->age_off, 1) <= 0);
			last = row;
			cnt++;
		}
		assert_int_equal(cnt, store_cnt(s, t));
		total += cnt;
	}
	assert_int_equal(total, m->cnt);
	for (size_t j = 0; j < m->cnt; j++) {
		const struct store_table *t = m->row[j].t;
		const unsigned char *row = store_find_row(s, t, m->row[j].b);

		assert_non_null(row);
		assert_memory_equal(row, m->row[j].b, t->row_bytes);
	}
}

/* Walks of one value find what the model has of it. */
static void walks_equal(struct store *s, const struct model *m, const struct store_table *t)
{
	for (size_t k = 0; k < ARRAY_SIZE(t->index) && t->index[k]; k++) {
		const struct col *c = store_col(t, t->index[k]);
		size_t got = 0, want = 0;
		static unsigned char row[16 * 1024];
		uint32_t number = below(WORDS);
		struct store_iter i;

		memset(row, 0, sizeof(row));
		if (c->kind == COL_UINT) {
			memcpy(row + c->off, &number, sizeof(number));
			store_each_of_number(s, t, c->name, number, &i);
		} else {
			text_fill(t, c, (char *)row + c->off);
			store_each_of(s, t, c->name, (const char *)row + c->off, &i);
		}
		while (store_next(&i))
			got++;
		for (size_t j = 0; j < m->cnt; j++)
			want += m->row[j].t == t && store_col_cmp(c, m->row[j].b, row) == 0;
		assert_int_equal(got, want);
	}
}

static void reopened_equal(struct store *s, const struct model *m)
{
	unsigned char *image = NULL;
	struct store *other;
	size_t len = 0;

	assert_int_equal(store_image(s, &image, &len), 0);
	assert_int_equal(store_open_image(image, len, &other), 0);
	equal(other, m);
	store_free(other);
	free(image);
}

static unsigned char *row_new(const struct store_table *t)
{
	unsigned char *row = malloc(t->row_bytes);

	assert_non_null(row);
	assert_true(arena_cnt < ARRAY_SIZE(arena));
	arena[arena_cnt++] = row;
	row_fill(t, row);
	return row;
}

static void write_one(struct store *s)
{
	static struct model before;
	const struct store_table *t = store_tables[below(STORE_TABLES)];
	struct model *m = &level[depth];
	unsigned char *row;
	int want;

	if (t->on_demand)
		return;
	row = row_new(t);
	if (below(4) > 0) {
		want = put_expected(m, t, row);
		assert_int_equal(store_put(s, t, row), want);
		if (want == 0)
			model_put(m, t, row);
	} else {
		before = *m;
		want = -ENOENT;
		for (size_t j = 0; j < m->cnt; j++)
			if (m->row[j].t == t && same_key(t, m->row[j].b, row)) {
				want = model_delete(m, t, m->row[j].b);
				break;
			}
		if (want < 0)
			*m = before;
		assert_int_equal(store_delete(s, t, row), want);
	}
	equal(s, &level[depth]);
	walks_equal(s, &level[depth], t);
}

static void step(struct store *s)
{
	switch (below(8)) {
	case 0:
		if (depth == DEPTH_MAX)
			return;
		assert_int_equal(store_begin(s), 0);
		level[depth + 1] = level[depth];
		depth++;
		return;
	case 1:
		if (depth == 0)
			return;
		assert_int_equal(store_commit(s), 0);
		level[depth - 1] = level[depth];
		if (--depth == 0)
			reopened_equal(s, &level[0]);
		return;
	case 2:
		if (depth == 0 || below(2) == 0)
			return;
		store_rollback(s);
		depth--;
		equal(s, &level[depth]);
		return;
	default:
		write_one(s);
	}
}

static void store__is_its_model(void **state)
{
	size_t rows = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct store *s;

		rnd = seed * UINT64_C(0x9e3779b97f4a7c15);
		level[0].cnt = depth = 0;
		assert_int_equal(store_open(":memory:", &s), 0);
		for (int k = 0; k < STEPS; k++)
			step(s);
		while (depth > 0) {
			store_rollback(s);
			depth--;
		}
		equal(s, &level[0]);
		reopened_equal(s, &level[0]);
		rows += level[0].cnt;
		store_free(s);
		while (arena_cnt > 0)
			free(arena[--arena_cnt]);
	}
	assert_true(rows > SEEDS * 10); /* else nothing was tried */
}

/* A member that is no column would be lost with the process. */
#if defined(__has_builtin) && __has_builtin(__builtin_clear_padding)
#define COLUMNS_COVER(s, table)                                                                    \
	do {                                                                                       \
		struct s *v = malloc(sizeof(*v));                                                  \
		const struct store_table *t = (table);                                             \
                                                                                                   \
		assert_non_null(v);                                                                \
		memset(v, 0xff, sizeof(*v));                                                       \
		__builtin_clear_padding(v);                                                        \
		for (size_t k = 0; k < t->col_cnt; k++) {                                          \
			memset((char *)v + t->col[k].off, 0, t->col[k].size);                      \
			if (t->col[k].kind == COL_DATA)                                            \
				memset((char *)v + t->col[k].len_off, 0, t->col[k].len_size);      \
		}                                                                                  \
		for (size_t k = 0; k < sizeof(*v); k++)                                            \
			if (((const char *)v)[k])                                                  \
				fail_msg("byte %zu of struct " #s " is no column", k);             \
		free(v);                                                                           \
	} while (0)

static void store_tables__have_every_member(void **state)
{
	(void)state;
	COLUMNS_COVER(account, &tbl_accounts);
	COLUMNS_COVER(access_key, &tbl_access_keys);
	COLUMNS_COVER(image, &tbl_images);
	COLUMNS_COVER(instance, &tbl_instances);
	COLUMNS_COVER(volume, &tbl_volumes);
	COLUMNS_COVER(console_tail, &tbl_consoles);
	COLUMNS_COVER(key_pair, &tbl_key_pairs);
	COLUMNS_COVER(tag, &tbl_tags);
	COLUMNS_COVER(client_token, &tbl_client_tokens);
	COLUMNS_COVER(kms_key, &tbl_kms_keys);
	COLUMNS_COVER(vpc, &tbl_vpcs);
	COLUMNS_COVER(subnet, &tbl_subnets);
	COLUMNS_COVER(group, &tbl_groups);
	COLUMNS_COVER(group_rule, &tbl_group_rules);
	COLUMNS_COVER(interface, &tbl_interfaces);
	COLUMNS_COVER(interface_group, &tbl_interface_groups);
	COLUMNS_COVER(gateway, &tbl_gateways);
	COLUMNS_COVER(launch_data, &tbl_launch_data);
	COLUMNS_COVER(peer, &tbl_peers);
	COLUMNS_COVER(remote, &tbl_remotes);
	COLUMNS_COVER(forward, &tbl_forwards);
	COLUMNS_COVER(setting, &tbl_settings);
}
#else
static void store_tables__have_every_member(void **state)
{
	(void)state;
	skip(); /* this compiler cannot tell padding from members */
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(store__is_its_model),
		cmocka_unit_test(store_tables__have_every_member),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
