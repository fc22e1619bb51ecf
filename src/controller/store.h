/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Where the desired state is kept. One small interface; the SQLite implementation serves one host, another may be
 * linked in its place. Tables are alike: a list of columns over a plain struct (store_tables.c), so the functions are
 * the same for all.
 *
 * Reading is from memory and costs no system call: every table but the big ones (console, launch_data) is held whole, in
 * order of age, with a hash by key and by every indexed column. Writing changes memory at once and the database with it.
 *
 * Transactions nest. The outermost one is made durable by store_commit(); an inner one that is rolled back takes back
 * what was done since its own store_begin(), in memory and in the database. A program that must answer many
 * requests with one fsync opens a turn around them.
 *
 * One thread. Writes outside store_begin()/store_commit() are their own transaction.
 * Errors: -ENOENT no such row, -EEXIST a unique value or key is taken, -EBUSY another row refers to it, -ENOSPC, -EIO,
 * -EUCLEAN the database holds what this program never wrote, -ENOTSUP the database was written by a newer niterd.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "controller/model.h"
#include "controller/net_model.h"

struct store;
struct store_table;
struct store_node;

/* One per struct of model.h and net_model.h. */
extern const struct store_table tbl_accounts, tbl_access_keys, tbl_images, tbl_instances,
	tbl_volumes, tbl_consoles, tbl_key_pairs, tbl_tags, tbl_client_tokens, tbl_kms_keys,
	tbl_vpcs, tbl_subnets, tbl_groups, tbl_group_rules, tbl_interfaces, tbl_interface_groups,
	tbl_gateways, tbl_launch_data, tbl_peers, tbl_remotes, tbl_forwards, tbl_settings;

enum { STORE_VERSION = 4 }; /* schema; store_schema.c knows how to come here from every older one */

/**
 * store_open() - open or make the database, bring its schema up to date, read it
 * @path: relative to the working directory, or ":memory:"
 * Return: 0 and *ret (owned: store_free()).
 */
MUST_USE int store_open(const char *path, struct store **ret);
void store_free(struct store *s);
void store_freep(struct store **s);

MUST_USE int store_begin(struct store *s);
/* store_commit(): ends the innermost transaction. When it fails, store_rollback() is the caller's next step. */
MUST_USE int store_commit(struct store *s);
/* store_rollback(): of the innermost transaction; harmless when none is open. */
void store_rollback(struct store *s);

/* store_put(): insert, or replace every column of the row with the same key. */
MUST_USE int store_put(struct store *s, const struct store_table *t, const void *row);
/* store_get(): copies the row that has the key columns of @row into it. */
MUST_USE int store_get(struct store *s, const struct store_table *t, void *row);
/* store_get_id(): the same, by its only key column, a text. */
MUST_USE int store_get_id(struct store *s, const struct store_table *t, const char *id, void *ret);
/* store_delete(): by the key columns of @row. What belongs to the row goes with it: its tags, a group's rules, … */
MUST_USE int store_delete(struct store *s, const struct store_table *t, const void *row);
MUST_USE int store_delete_id(struct store *s, const struct store_table *t, const char *id);

/*
 * store_find(): the row whose only key column is the text @key; NULL when there is none. Borrowed until any row
 * changes. Tables held in memory only.
 */
const void *store_find(struct store *s, const struct store_table *t, const char *key);
/* store_find_row(): the same, by all key columns of @row. */
const void *store_find_row(struct store *s, const struct store_table *t, const void *row);
size_t store_cnt(struct store *s, const struct store_table *t);

/* A walk in order of creation (created_ms, then key). Rows must not be changed during it. */
struct store_iter {
	struct store *s;
	const struct store_table *t;
	unsigned order; /* 0: all rows */
	const char *value;
	uint32_t number;
	struct store_node *at;
};
void store_each(struct store *s, const struct store_table *t, struct store_iter *ret);
/**
 * store_each_of() - rows whose @column has the text @value
 * @column: name of an indexed column, a literal: "account" (all that have one), "instance_id", "image_id", "vpc_id",
 *          "subnet_id", "group_id", "member_group_id", "interface_id", "resource_id", "name", "reservation_id",
 *          "kms_key_id"
 * @value:  borrowed until the walk ends
 */
void store_each_of(struct store *s, const struct store_table *t, const char *column,
		   const char *value, struct store_iter *ret);
/* store_each_of_number(): the same for a column of numbers: an interface's "addr" and "outside_idx". */
void store_each_of_number(struct store *s, const struct store_table *t, const char *column,
			  uint32_t value, struct store_iter *ret);
/* store_next(): borrowed until any row changes; NULL after the last. */
const void *store_next(struct store_iter *i);

/* store_list(): copies of all rows in order of creation. *ret: owned (free()); NULL when none. */
MUST_USE int store_list(struct store *s, const struct store_table *t, void **ret, size_t *ret_cnt);
