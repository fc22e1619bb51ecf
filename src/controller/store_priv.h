/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Between the store_*.c files only. */

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "controller/store.h"

enum {
	STORE_TABLES = 22,
	STORE_KEYS_MAX = 3,
	STORE_ORDERS = 6, /* of one table: by age, and by each indexed column */
	STORE_LEVELS =
		9, /* of a skip list: each level has a quarter of the rows of the one below */
	STORE_NESTING = 8, /* transactions inside transactions */
};

enum col_kind {
	COL_TEXT,
	COL_REF,  /* text; empty is NULL */
	COL_UINT, /* unsigned or uint32_t */
	COL_U64,
	COL_BOOL,
	COL_ENUM,
	COL_MAC, /* "06:00:00:00:00:01" */
	COL_RAW, /* exactly so many bytes */
	COL_DATA /* as many bytes as another member says */
};

struct col {
	const char *name;
	enum col_kind kind;
	size_t off, size;
	size_t len_off, len_size; /* COL_DATA: where its length is, uint16_t or uint32_t */
	bool (*valid)(int64_t v); /* COL_ENUM */
};

/* Rows of another table that go when a row of this one goes: those whose @column is its key. */
struct store_cascade {
	const struct store_table *table;
	const char *column;
};

struct store_table {
	unsigned idx;
	const char *name;
	size_t row_bytes, key_cnt, col_cnt; /* the first key_cnt columns are the key */
	const struct col *col;
	size_t age_off;                 /* of created_ms; 0: rows have no age */
	bool on_demand;                 /* too big for memory: read from the database */
	bool (*sound)(const void *row); /* NULL: any row of sound columns is */
	const char *index[STORE_ORDERS - 1];
	struct store_cascade cascade[4];
};

extern const struct store_table *const store_tables[STORE_TABLES];

/* store_col(): by its name; it must be there. */
const struct col *store_col(const struct store_table *t, const char *name);

/* A row in memory. next[]: for each order a tower of @height pointers; the row's bytes follow them. */
struct store_node {
	struct store_node *hash_next;
	uint64_t age;
	unsigned height;
	void *row;
	struct store_node *next[];
};

/* One table in memory. */
struct store_mem {
	const struct store_table *t;
	const struct col *by[STORE_ORDERS]; /* [0] is unused: by age */
	unsigned order_cnt;
	struct store_node **bucket;
	size_t bucket_cnt, cnt;
	struct store_node *head[STORE_ORDERS][STORE_LEVELS];
	uint32_t rnd;
};

MUST_USE int store_mem_init(struct store_mem *m, const struct store_table *t);
void store_mem_done(struct store_mem *m);
/* store_mem_new(): a node of no list yet, its row a clean copy of @row. *ret: owned until it is linked. */
MUST_USE int store_mem_new(struct store_mem *m, const void *row, struct store_node **ret);
void store_mem_link(struct store_mem *m, struct store_node *n);
void store_mem_unlink(struct store_mem *m, struct store_node *n);
/* store_mem_find(): by all key columns of @row. */
struct store_node *store_mem_find(struct store_mem *m, const void *row);
struct store_node *store_mem_find_text(struct store_mem *m, const char *key);
/* store_mem_first(): the first row of an order; of those with a value when @order is not 0. */
struct store_node *store_mem_first(struct store_mem *m, unsigned order, const char *text,
				   uint32_t number);
struct store_node *store_mem_after(struct store_node *n, unsigned order);
bool store_mem_has(const struct store_mem *m, const struct store_node *n, unsigned order,
		   const char *text, uint32_t number);
/* store_mem_order(): number of the order by @column; it must be indexed. */
unsigned store_mem_order(const struct store_mem *m, const char *column);

/* Columns (store_cols.c). */
/* store_col_bind(): Return: SQLite's code. */
int store_col_bind(sqlite3_stmt *st, int at, const struct col *c, const void *row);
/* store_col_read(): whether the column holds what this program writes. @row is zero before. */
bool store_col_read(sqlite3_stmt *st, int at, const struct col *c, void *row);
/* store_row_clean(): copies every column and nothing else. Return: 0, -EINVAL a value that cannot be kept. */
MUST_USE int store_row_clean(const struct store_table *t, const void *row, void *ret);
int store_col_cmp(const struct col *c, const void *a, const void *b);
uint32_t store_row_hash(const struct store_table *t, const void *row);
uint32_t store_text_hash(const char *text);

/* store_schema_update(): every migration the database has not had yet, each in its own transaction. */
MUST_USE int store_schema_update(sqlite3 *db);
/* store_exec(): statements without results. */
MUST_USE int store_exec(sqlite3 *db, const char *sql);
/* store_errno(): SQLite's extended result code as -errno. */
int store_errno(int rc);
/* store_vfs_init(): registers the file layer that leaves relative names alone; once. Return: its name, NULL on failure. */
const char *store_vfs_init(void);

/*
 * For simulations: what a crash leaves. store_image(): the database's bytes, no transaction open; *ret: owned, free().
 * store_open_image(): a store in memory that begins with a copy of them.
 */
MUST_USE int store_image(struct store *s, unsigned char **ret, size_t *ret_len);
MUST_USE int store_open_image(const unsigned char *image, size_t len, struct store **ret);
/* store_on_commit(): @fn is called whenever something has become durable. */
void store_on_commit(struct store *s, void (*fn)(void *ptr), void *ptr);

/* One table in the database (store_sql.c). */
struct store_sql {
	sqlite3_stmt *put, *get, *remove; /* NULL: not prepared yet */
};
void store_sql_done(struct store_sql *q);
MUST_USE int store_sql_put(sqlite3 *db, struct store_sql *q, const struct store_table *t,
			   const void *row);
/* store_sql_get(): Return: 0, -ENOENT, -EUCLEAN, … */
MUST_USE int store_sql_get(sqlite3 *db, struct store_sql *q, const struct store_table *t,
			   void *row);
MUST_USE int store_sql_delete(sqlite3 *db, struct store_sql *q, const struct store_table *t,
			      const void *row);
/* store_sql_load(): every row, in the order of age. */
MUST_USE int store_sql_load(sqlite3 *db, const struct store_table *t,
			    int (*each)(void *ptr, const void *row), void *ptr);
