/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The store on SQLite: write-ahead log, foreign keys, one process, one connection. The lock is exclusive, so the
 * index of the log lives in our memory and no shared-memory file is made.
 *
 * A write goes to the database first: what that refuses, memory never sees. What memory then does is remembered in
 * the order it was done, and taken back from the end when a transaction is rolled back.
 */

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "controller/store.h"
#include "controller/store_priv.h"

/* What a transaction has in the database to go back to. */
enum level_mark {
	MARK_NONE, /* nothing was written since its store_begin() */
	MARK_BEGIN,
	MARK_SAVEPOINT,
};

struct level {
	enum level_mark mark;
	size_t done_cnt; /* of changes before it began */
};

/* One change of memory. */
struct change {
	struct store_mem *mem;
	struct store_node *old, *fresh; /* not linked; linked */
};

enum stmt { ST_BEGIN, ST_COMMIT, ST_ROLLBACK, ST_SAVEPOINT, ST_RELEASE, ST_ROLLBACK_TO, ST_CNT };

/* All savepoints have one name: SQLite takes the latest. */
static const char *const stmt_sql[ST_CNT] = {
	[ST_BEGIN] = "BEGIN IMMEDIATE", [ST_COMMIT] = "COMMIT",
	[ST_ROLLBACK] = "ROLLBACK",     [ST_SAVEPOINT] = "SAVEPOINT s",
	[ST_RELEASE] = "RELEASE s",     [ST_ROLLBACK_TO] = "ROLLBACK TO s",
};

struct store {
	sqlite3 *db;
	sqlite3_stmt *st[ST_CNT];
	struct store_sql sql[STORE_TABLES];
	struct store_mem mem[STORE_TABLES];
	struct level level[STORE_NESTING];
	unsigned depth; /* of transactions that are open */
	struct change *done;
	size_t done_cnt, done_cap;
	void (*committed)(void *ptr); /* NULL: nobody wants to know */
	void *committed_ptr;
	int failed; /* the outermost transaction cannot be committed any more: -errno */
};

int store_errno(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_ROW:
		return 0;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EAGAIN;
	case SQLITE_PERM:
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
		return -EACCES;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	case SQLITE_CONSTRAINT:
		if (rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY)
			return -EEXIST;
		return -EBUSY;
	default:
		return -EIO;
	}
}

int store_exec(sqlite3 *db, const char *sql)
{
	int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);

	if (rc != SQLITE_OK)
		log_debug("store.exec", "rc=%d", rc);
	return store_errno(rc);
}

static int stmt_run(struct store *s, enum stmt which)
{
	int rc = sqlite3_step(s->st[which]);

	sqlite3_reset(s->st[which]);
	return store_errno(rc);
}

/* Takes back what memory did after @cnt changes; allocates nothing. */
static void changes_undo(struct store *s, size_t cnt)
{
	while (s->done_cnt > cnt) {
		struct change *c = &s->done[--s->done_cnt];

		if (c->fresh) {
			store_mem_unlink(c->mem, c->fresh);
			free(c->fresh);
		}
		if (c->old)
			store_mem_link(c->mem, c->old);
	}
}

static void changes_keep(struct store *s)
{
	for (size_t k = 0; k < s->done_cnt; k++)
		free(s->done[k].old);
	s->done_cnt = 0;
}

int store_begin(struct store *s)
{
	if (s->depth == STORE_NESTING)
		return -E2BIG;
	s->level[s->depth++] = (struct level){ .mark = MARK_NONE, .done_cnt = s->done_cnt };
	return 0;
}

/* Before the first write of a transaction. */
static int level_mark(struct store *s)
{
	struct level *l = &s->level[s->depth - 1];
	enum level_mark mark = MARK_BEGIN;
	int r;

	if (l->mark != MARK_NONE)
		return 0;
	for (unsigned k = 0; k + 1 < s->depth; k++)
		if (s->level[k].mark != MARK_NONE)
			mark = MARK_SAVEPOINT;
	r = stmt_run(s, mark == MARK_BEGIN ? ST_BEGIN : ST_SAVEPOINT);
	if (r == 0)
		l->mark = mark;
	return r;
}

static int outer_commit(struct store *s)
{
	bool wrote = s->level[0].mark != MARK_NONE;
	int r = s->failed;

	if (r == 0 && wrote)
		r = stmt_run(s, ST_COMMIT);
	if (r < 0) {
		store_rollback(s);
		return r;
	}
	changes_keep(s);
	s->depth = 0;
	if (wrote && s->committed)
		s->committed(s->committed_ptr);
	return 0;
}

int store_commit(struct store *s)
{
	struct level *l, *outer;
	int r = s->failed;

	must(s->depth > 0);
	if (s->depth == 1)
		return outer_commit(s);
	l = &s->level[s->depth - 1];
	outer = l - 1;
	/* Where nothing was written before, this is the place to go back to for the outer one, too. */
	if (r == 0 && outer->mark == MARK_NONE)
		outer->mark = l->mark;
	else if (r == 0 && l->mark == MARK_SAVEPOINT)
		r = stmt_run(s, ST_RELEASE);
	if (r < 0)
		return r;
	s->depth--;
	return 0;
}

void store_rollback(struct store *s)
{
	struct level *l;
	int r = 0;

	if (s->depth == 0)
		return;
	l = &s->level[--s->depth];
	changes_undo(s, l->done_cnt);
	if (sqlite3_get_autocommit(s->db)) {
		/* SQLite gave up the whole transaction; or nothing was written in it. */
	} else if (l->mark == MARK_BEGIN) {
		r = stmt_run(s, ST_ROLLBACK);
	} else if (l->mark == MARK_SAVEPOINT) {
		r = stmt_run(s, ST_ROLLBACK_TO);
		if (r == 0)
			r = stmt_run(s, ST_RELEASE);
	}
	if (r < 0)
		s->failed = r;
	if (s->depth == 0) {
		if (!sqlite3_get_autocommit(s->db))
			(void)!stmt_run(s, ST_ROLLBACK);
		s->failed = 0;
	}
}

/* SQLite ends a transaction by itself when the disk is full or broken: nothing of it may be believed then. */
static int written(struct store *s, int r)
{
	if (r < 0 && sqlite3_get_autocommit(s->db))
		s->failed = r;
	return r;
}

static int change_reserve(struct store *s)
{
	size_t want = s->done_cap ? s->done_cap * 2 : 32;
	struct change *bigger;

	if (s->done_cnt < s->done_cap)
		return 0;
	bigger = reallocarray(s->done, want, sizeof(*bigger));
	if (!bigger)
		return -ENOMEM;
	s->done = bigger;
	s->done_cap = want;
	return 0;
}

static void change_add(struct store *s, struct store_mem *m, struct store_node *old,
		       struct store_node *fresh)
{
	if (old)
		store_mem_unlink(m, old);
	if (fresh)
		store_mem_link(m, fresh);
	s->done[s->done_cnt++] = (struct change){ .mem = m, .old = old, .fresh = fresh };
}

/* Inside a transaction. */
static int put_big(struct store *s, const struct store_table *t, const void *row)
{
	CLEANUP(free_p) void *clean = malloc(t->row_bytes);
	int r = clean ? store_row_clean(t, row, clean) : -ENOMEM;

	if (r == 0)
		r = level_mark(s);
	return r < 0 ? r : written(s, store_sql_put(s->db, &s->sql[t->idx], t, clean));
}

static int put_row(struct store *s, const struct store_table *t, const void *row)
{
	struct store_mem *m = &s->mem[t->idx];
	CLEANUP(free_p) struct store_node *fresh = NULL;
	struct store_node *old;
	int r;

	if (s->failed)
		return s->failed;
	if (t->on_demand)
		return put_big(s, t, row);
	r = store_mem_new(m, row, &fresh);
	if (r < 0)
		return r;
	old = store_mem_find(m, fresh->row);
	if (old && memcmp(old->row, fresh->row, t->row_bytes) == 0)
		return 0;
	r = change_reserve(s);
	if (r == 0)
		r = level_mark(s);
	if (r == 0)
		r = written(s, store_sql_put(s->db, &s->sql[t->idx], t, fresh->row));
	if (r == 0)
		change_add(s, m, old, TAKE_PTR(fresh));
	return r;
}

static int delete_row(struct store *s, const struct store_table *t, const void *row);

/* Rows that go with a row that goes. */
static int cascade_delete(struct store *s, const struct store_cascade *c,
			  const struct store_table *t, const void *row)
{
	const char *key = (const char *)row + t->col[0].off;
	struct store_mem *m = &s->mem[c->table->idx];
	unsigned order = store_mem_order(m, c->column);
	struct store_node *n;
	uint32_t number = 0;
	int r = 0;

	if (t->col[0].kind == COL_UINT)
		memcpy(&number, key, sizeof(number));
	while (r == 0 && (n = store_mem_first(m, order, key, number)))
		r = delete_row(s, c->table, n->row);
	return r;
}

/* Inside a transaction of its own. */
static int delete_row(struct store *s, const struct store_table *t, const void *row)
{
	struct store_mem *m = &s->mem[t->idx];
	struct store_node *n = NULL;
	int r;

	if (s->failed)
		return s->failed;
	if (!t->on_demand) {
		n = store_mem_find(m, row);
		if (!n)
			return -ENOENT;
		row = n->row;
	}
	r = change_reserve(s);
	for (size_t k = 0; r == 0 && k < ARRAY_SIZE(t->cascade) && t->cascade[k].table; k++)
		r = cascade_delete(s, &t->cascade[k], t, row);
	if (r == 0)
		r = change_reserve(s);
	if (r == 0)
		r = level_mark(s);
	if (r == 0)
		r = written(s, store_sql_delete(s->db, &s->sql[t->idx], t, row));
	if (r == 0 && n)
		change_add(s, m, n, NULL);
	return r;
}

int store_put(struct store *s, const struct store_table *t, const void *row)
{
	int r;

	if (s->depth > 0)
		return put_row(s, t, row);
	r = store_begin(s);
	if (r == 0)
		r = put_row(s, t, row);
	if (r == 0)
		r = store_commit(s);
	if (r < 0)
		store_rollback(s);
	return r;
}

int store_delete(struct store *s, const struct store_table *t, const void *row)
{
	int r = store_begin(s);

	if (r < 0)
		return r;
	r = delete_row(s, t, row);
	if (r == 0)
		r = store_commit(s);
	if (r < 0)
		store_rollback(s);
	return r;
}

int store_get(struct store *s, const struct store_table *t, void *row)
{
	const void *at;

	if (t->on_demand)
		return store_sql_get(s->db, &s->sql[t->idx], t, row);
	at = store_find_row(s, t, row);
	if (!at)
		return -ENOENT;
	memcpy(row, at, t->row_bytes);
	return 0;
}

/* Writes @id into the key column of the empty row @ret. Return: 0, -ENOENT no key is that long. */
static int key_set(const struct store_table *t, const char *id, void *ret)
{
	must(t->key_cnt == 1 && t->col[0].kind == COL_TEXT);
	if (strlen(id) >= t->col[0].size)
		return -ENOENT;
	memcpy((char *)ret + t->col[0].off, id, strlen(id) + 1);
	return 0;
}

int store_get_id(struct store *s, const struct store_table *t, const char *id, void *ret)
{
	int r = key_set(t, id, ret);

	return r < 0 ? r : store_get(s, t, ret);
}

int store_delete_id(struct store *s, const struct store_table *t, const char *id)
{
	CLEANUP(free_p) void *row = calloc(1, t->row_bytes);
	int r = row ? key_set(t, id, row) : -ENOMEM;

	return r < 0 ? r : store_delete(s, t, row);
}

const void *store_find(struct store *s, const struct store_table *t, const char *key)
{
	const struct store_node *n;

	must(!t->on_demand);
	n = store_mem_find_text(&s->mem[t->idx], key);
	return n ? n->row : NULL;
}

const void *store_find_row(struct store *s, const struct store_table *t, const void *row)
{
	const struct store_node *n;

	must(!t->on_demand);
	n = store_mem_find(&s->mem[t->idx], row);
	return n ? n->row : NULL;
}

size_t store_cnt(struct store *s, const struct store_table *t)
{
	must(!t->on_demand);
	return s->mem[t->idx].cnt;
}

void store_each(struct store *s, const struct store_table *t, struct store_iter *ret)
{
	must(!t->on_demand);
	*ret = (struct store_iter){ .s = s,
				    .t = t,
				    .at = store_mem_first(&s->mem[t->idx], 0, NULL, 0) };
}

void store_each_of(struct store *s, const struct store_table *t, const char *column,
		   const char *value, struct store_iter *ret)
{
	struct store_mem *m = &s->mem[t->idx];
	unsigned order = store_mem_order(m, column);

	must(m->by[order]->kind != COL_UINT);
	*ret = (struct store_iter){ .s = s,
				    .t = t,
				    .order = order,
				    .value = value,
				    .at = store_mem_first(m, order, value, 0) };
}

void store_each_of_number(struct store *s, const struct store_table *t, const char *column,
			  uint32_t value, struct store_iter *ret)
{
	struct store_mem *m = &s->mem[t->idx];
	unsigned order = store_mem_order(m, column);

	must(m->by[order]->kind == COL_UINT);
	*ret = (struct store_iter){ .s = s,
				    .t = t,
				    .order = order,
				    .number = value,
				    .at = store_mem_first(m, order, NULL, value) };
}

const void *store_next(struct store_iter *i)
{
	struct store_node *n = i->at;

	if (!n || !store_mem_has(&i->s->mem[i->t->idx], n, i->order, i->value, i->number))
		return NULL;
	i->at = store_mem_after(n, i->order);
	return n->row;
}

int store_list(struct store *s, const struct store_table *t, void **ret, size_t *ret_cnt)
{
	size_t cnt = store_cnt(s, t), k = 0;
	struct store_iter i;
	const void *row;
	char *list;

	*ret = NULL;
	*ret_cnt = cnt;
	if (cnt == 0)
		return 0;
	list = reallocarray(NULL, cnt, t->row_bytes);
	if (!list)
		return -ENOMEM;
	store_each(s, t, &i);
	while ((row = store_next(&i)))
		memcpy(list + k++ * t->row_bytes, row, t->row_bytes);
	*ret = list;
	return 0;
}

void store_free(struct store *s)
{
	if (!s)
		return;
	while (s->depth > 0)
		store_rollback(s);
	for (size_t k = 0; k < ST_CNT; k++)
		sqlite3_finalize(s->st[k]);
	for (size_t k = 0; k < STORE_TABLES; k++) {
		store_sql_done(&s->sql[k]);
		store_mem_done(&s->mem[k]);
	}
	free(s->done);
	sqlite3_close(s->db);
	free(s);
}

void store_freep(struct store **s)
{
	store_free(*s);
	*s = NULL;
}

/* Settings first: the lock's kind must be known before the log is opened. */
static int db_configure(sqlite3 *db, bool in_memory)
{
	static const char pragmas[] = "PRAGMA locking_mode = EXCLUSIVE;"
				      "PRAGMA temp_store = MEMORY;"
				      "PRAGMA trusted_schema = OFF;"
				      "PRAGMA cell_size_check = ON;"
				      "PRAGMA foreign_keys = ON;";
	/* In memory a log would be no part of the image. */
	static const char durable[] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;";
	static const char memory[] = "PRAGMA journal_mode = MEMORY;";
	int r;

	sqlite3_extended_result_codes(db, 1);
	sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 4 << 20);
	sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
	r = store_errno(sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL));
	if (r < 0)
		return r;
	r = store_exec(db, pragmas);
	return r < 0 ? r : store_exec(db, in_memory ? memory : durable);
}

static int row_load(void *ptr, const void *row)
{
	struct store_node *n = NULL;
	int r = store_mem_new(ptr, row, &n);

	if (r == 0)
		store_mem_link(ptr, n);
	return r;
}

static int tables_load(struct store *s)
{
	int r = 0;

	for (size_t k = 0; r == 0 && k < STORE_TABLES; k++) {
		const struct store_table *t = store_tables[k];

		must(t->idx == k);
		r = store_mem_init(&s->mem[k], t);
		if (r == 0 && !t->on_demand)
			r = store_sql_load(s->db, t, row_load, &s->mem[k]);
	}
	return r;
}

static int image_take(sqlite3 *db, const unsigned char *image, size_t len)
{
	unsigned char *copy = sqlite3_malloc64(len);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, image, len);
	/* Takes the copy, also on failure. */
	return store_errno(sqlite3_deserialize(
		db, "main", copy, (sqlite3_int64)len, (sqlite3_int64)len,
		SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE));
}

/* @image: NULL: what is at @path. */
static int open_with(const char *path, const unsigned char *image, size_t len, struct store **ret)
{
	CLEANUP(store_freep) struct store *s = NULL;
	const char *vfs = store_vfs_init();
	int rc, r;

	if (!vfs)
		return -EIO;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;

	rc = sqlite3_open_v2(path, &s->db,
			     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, vfs);
	if (rc != SQLITE_OK)
		return store_errno(rc);
	r = image ? image_take(s->db, image, len) : 0;
	if (r == 0)
		r = db_configure(s->db, strcmp(path, ":memory:") == 0);
	if (r < 0)
		return r;
	r = store_schema_update(s->db);
	if (r < 0)
		return r;

	for (size_t i = 0; i < ST_CNT; i++) {
		rc = sqlite3_prepare_v3(s->db, stmt_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
					&s->st[i], NULL);
		if (rc != SQLITE_OK)
			return store_errno(rc);
	}
	r = tables_load(s);
	if (r < 0)
		return r;

	*ret = TAKE_PTR(s);
	return 0;
}

int store_open(const char *path, struct store **ret)
{
	return open_with(path, NULL, 0, ret);
}

int store_open_image(const unsigned char *image, size_t len, struct store **ret)
{
	return open_with(":memory:", image, len, ret);
}

int store_image(struct store *s, unsigned char **ret, size_t *ret_len)
{
	sqlite3_int64 len = 0;
	unsigned char *b, *copy;

	must(s->depth == 0);
	b = sqlite3_serialize(s->db, "main", &len, 0);
	copy = b ? malloc((size_t)len) : NULL;
	if (copy) {
		memcpy(copy, b, (size_t)len);
		*ret = copy;
		*ret_len = (size_t)len;
	}
	sqlite3_free(b);
	return copy ? 0 : -ENOMEM;
}

void store_on_commit(struct store *s, void (*fn)(void *ptr), void *ptr)
{
	s->committed = fn;
	s->committed_ptr = ptr;
}
