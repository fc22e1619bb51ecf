/* SPDX-License-Identifier: Apache-2.0 */

/* The statements of one table, written from its list of columns and each prepared once. */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "controller/store_priv.h"

enum { SQL_MAX = 4096 };

/* Appends to a statement; the tables bound its length. */
static void sql_add(char sql[SQL_MAX], const char *fmt, ...) PRINTF_LIKE(2, 3);

static void sql_add(char sql[SQL_MAX], const char *fmt, ...)
{
	size_t len = strlen(sql);
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(sql + len, SQL_MAX - len, fmt, ap);
	va_end(ap);
	must(n >= 0 && (size_t)n < SQL_MAX - len);
}

static void sql_cols(char sql[SQL_MAX], const struct store_table *t)
{
	for (size_t k = 0; k < t->col_cnt; k++)
		sql_add(sql, "%s%s", k ? ", " : "", t->col[k].name);
}

static void sql_where_key(char sql[SQL_MAX], const struct store_table *t)
{
	for (size_t k = 0; k < t->key_cnt; k++)
		sql_add(sql, "%s%s=?%zu", k ? " AND " : " WHERE ", t->col[k].name, k + 1);
}

void store_sql_done(struct store_sql *q)
{
	sqlite3_finalize(q->put);
	sqlite3_finalize(q->get);
	sqlite3_finalize(q->remove);
	memset(q, 0, sizeof(*q));
}

static int prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret)
{
	return store_errno(sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL));
}

static int bind_cols(sqlite3_stmt *st, const struct store_table *t, size_t cnt, const void *row)
{
	for (size_t k = 0; k < cnt; k++)
		if (store_col_bind(st, (int)k + 1, &t->col[k], row) != SQLITE_OK)
			return -EINVAL;
	return 0;
}

/* One step without an answer, with the first @cnt columns of @row bound. */
static int run(sqlite3_stmt *st, const struct store_table *t, size_t cnt, const void *row)
{
	int r = bind_cols(st, t, cnt, row);

	/* The step's extended code: reset would give it again. */
	if (r == 0)
		r = store_errno(sqlite3_step(st));
	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	return r;
}

/* Not REPLACE, which deletes first and so would fire the foreign keys; the columns are set one by one. */
static int put_prepare(sqlite3 *db, const struct store_table *t, sqlite3_stmt **ret)
{
	char sql[SQL_MAX] = "";

	sql_add(sql, "INSERT INTO %s(", t->name);
	sql_cols(sql, t);
	for (size_t k = 0; k < t->col_cnt; k++)
		sql_add(sql, "%s?%zu", k ? "," : ") VALUES (", k + 1);
	sql_add(sql, ") ON CONFLICT(");
	for (size_t k = 0; k < t->key_cnt; k++)
		sql_add(sql, "%s%s", k ? "," : "", t->col[k].name);
	sql_add(sql, ") DO %s", t->key_cnt == t->col_cnt ? "NOTHING" : "UPDATE SET ");
	for (size_t k = t->key_cnt; k < t->col_cnt; k++)
		sql_add(sql, "%s%s=excluded.%s", k > t->key_cnt ? ", " : "", t->col[k].name,
			t->col[k].name);
	return prepare(db, sql, ret);
}

int store_sql_put(sqlite3 *db, struct store_sql *q, const struct store_table *t, const void *row)
{
	int r = q->put ? 0 : put_prepare(db, t, &q->put);

	return r < 0 ? r : run(q->put, t, t->col_cnt, row);
}

int store_sql_delete(sqlite3 *db, struct store_sql *q, const struct store_table *t, const void *row)
{
	char sql[SQL_MAX] = "";
	int r = 0;

	if (!q->remove) {
		sql_add(sql, "DELETE FROM %s", t->name);
		sql_where_key(sql, t);
		r = prepare(db, sql, &q->remove);
	}
	if (r == 0)
		r = run(q->remove, t, t->key_cnt, row);
	if (r < 0)
		return r;
	return sqlite3_changes(db) > 0 ? 0 : -ENOENT;
}

static bool row_read(sqlite3_stmt *st, const struct store_table *t, void *row)
{
	bool good = true;

	memset(row, 0, t->row_bytes);
	for (size_t k = 0; k < t->col_cnt; k++)
		good = store_col_read(st, (int)k, &t->col[k], row) && good;
	return good && (!t->sound || t->sound(row));
}

int store_sql_get(sqlite3 *db, struct store_sql *q, const struct store_table *t, void *row)
{
	char sql[SQL_MAX] = "SELECT ";
	int r = 0, rc;

	if (!q->get) {
		sql_cols(sql, t);
		sql_add(sql, " FROM %s", t->name);
		sql_where_key(sql, t);
		r = prepare(db, sql, &q->get);
	}
	if (r == 0)
		r = bind_cols(q->get, t, t->key_cnt, row);
	if (r < 0)
		return r;
	rc = sqlite3_step(q->get);
	if (rc == SQLITE_ROW)
		r = row_read(q->get, t, row) ? 0 : -EUCLEAN;
	else
		r = rc == SQLITE_DONE ? -ENOENT : store_errno(rc);
	sqlite3_reset(q->get);
	sqlite3_clear_bindings(q->get);
	return r;
}

static int rows_read(sqlite3_stmt *st, const struct store_table *t,
		     int (*each)(void *ptr, const void *row), void *ptr)
{
	CLEANUP(free_p) void *row = malloc(t->row_bytes);
	int rc, r;

	if (!row)
		return -ENOMEM;
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		if (!row_read(st, t, row))
			return -EUCLEAN;
		r = each(ptr, row);
		if (r < 0)
			return r;
	}
	return rc == SQLITE_DONE ? 0 : store_errno(rc);
}

int store_sql_load(sqlite3 *db, const struct store_table *t,
		   int (*each)(void *ptr, const void *row), void *ptr)
{
	char sql[SQL_MAX] = "SELECT ";
	sqlite3_stmt *st = NULL;
	int r;

	sql_cols(sql, t);
	sql_add(sql, " FROM %s", t->name);
	r = prepare(db, sql, &st);
	if (r == 0)
		r = rows_read(st, t, each, ptr);
	sqlite3_finalize(st);
	return r;
}
