/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The store on SQLite: write-ahead log, foreign keys, one process, one connection. The lock is exclusive, so the
 * index of the log lives in our memory and no shared-memory file is made. Each statement is prepared once.
 *
 * A struct's columns are listed once per direction: x_bind() and x_read(), in the order of the X_COLS string.
 */

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "controller/store.h"
#include "controller/store_priv.h"

#define IMAGE_COLS                                                                                 \
	"id, account, name, architecture, kernel_version, cmdline, kernel_bytes, initrd_bytes, "   \
	"disk_bytes, stored_bytes, sha256_kernel, sha256_initrd, sha256_disk, created_ms"
#define VOLUME_COLS                                                                                \
	"id, account, image_id, size, state, reason, created_ms, instance_id, device, "            \
	"device_idx, "                                                                             \
	"delete_on_termination"
#define INSTANCE_COLS                                                                              \
	"id, account, name, image_id, type, cores, threads, ram_bytes, state, reason_code, "       \
	"reason, "                                                                                 \
	"boot_cnt, created_ms, launched_ms, ended_ms, volume_us, jail_us, key_us, attach_us, "     \
	"first_run_us, hv_cpu_us"

enum stmt {
	ST_BEGIN,
	ST_COMMIT,
	ST_ROLLBACK,
	ST_IMAGE_PUT,
	ST_IMAGE_GET,
	ST_IMAGE_DELETE,
	ST_IMAGE_LIST,
	ST_VOLUME_PUT,
	ST_VOLUME_GET,
	ST_VOLUME_DELETE,
	ST_VOLUME_LIST,
	ST_INSTANCE_PUT,
	ST_INSTANCE_GET,
	ST_INSTANCE_DELETE,
	ST_INSTANCE_LIST,
	ST_CONSOLE_PUT,
	ST_CONSOLE_GET,
	ST_CNT,
};

/*
 * Not REPLACE, which deletes first and so would fire the foreign keys; the columns are set one by one.
 */
static const char *const stmt_sql[ST_CNT] = {
	[ST_BEGIN] = "BEGIN IMMEDIATE",
	[ST_COMMIT] = "COMMIT",
	[ST_ROLLBACK] = "ROLLBACK",
	[ST_IMAGE_PUT] =
		"INSERT INTO image(" IMAGE_COLS
		") VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14) "
		"ON CONFLICT(id) DO UPDATE SET name=excluded.name, cmdline=excluded.cmdline",
	[ST_IMAGE_GET] = "SELECT " IMAGE_COLS " FROM image WHERE id=?1",
	[ST_IMAGE_DELETE] = "DELETE FROM image WHERE id=?1",
	[ST_IMAGE_LIST] = "SELECT " IMAGE_COLS " FROM image ORDER BY created_ms, id",
	[ST_VOLUME_PUT] =
		"INSERT INTO volume(" VOLUME_COLS ") VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11) "
		"ON CONFLICT(id) DO UPDATE SET state=excluded.state, reason=excluded.reason, "
		"instance_id=excluded.instance_id, device=excluded.device, "
		"device_idx=excluded.device_idx, "
		"delete_on_termination=excluded.delete_on_termination",
	[ST_VOLUME_GET] = "SELECT " VOLUME_COLS " FROM volume WHERE id=?1",
	[ST_VOLUME_DELETE] = "DELETE FROM volume WHERE id=?1",
	[ST_VOLUME_LIST] = "SELECT " VOLUME_COLS " FROM volume ORDER BY created_ms, id",
	[ST_INSTANCE_PUT] =
		"INSERT INTO instance(" INSTANCE_COLS ") VALUES "
		"(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21) "
		"ON CONFLICT(id) DO UPDATE SET name=excluded.name, type=excluded.type, "
		"cores=excluded.cores, "
		"threads=excluded.threads, ram_bytes=excluded.ram_bytes, state=excluded.state, "
		"reason_code=excluded.reason_code, reason=excluded.reason, "
		"boot_cnt=excluded.boot_cnt, "
		"launched_ms=excluded.launched_ms, ended_ms=excluded.ended_ms, "
		"volume_us=excluded.volume_us, "
		"jail_us=excluded.jail_us, key_us=excluded.key_us, attach_us=excluded.attach_us, "
		"first_run_us=excluded.first_run_us, hv_cpu_us=excluded.hv_cpu_us",
	[ST_INSTANCE_GET] = "SELECT " INSTANCE_COLS " FROM instance WHERE id=?1",
	[ST_INSTANCE_DELETE] = "DELETE FROM instance WHERE id=?1",
	[ST_INSTANCE_LIST] = "SELECT " INSTANCE_COLS " FROM instance ORDER BY created_ms, id",
	[ST_CONSOLE_PUT] =
		"INSERT INTO console(instance_id, boot_cnt, end_off, data) VALUES (?1,?2,?3,?4) "
		"ON CONFLICT(instance_id) DO UPDATE SET boot_cnt=excluded.boot_cnt, "
		"end_off=excluded.end_off, data=excluded.data",
	[ST_CONSOLE_GET] =
		"SELECT instance_id, boot_cnt, end_off, data FROM console WHERE instance_id=?1",
};

struct store {
	sqlite3 *db;
	sqlite3_stmt *st[ST_CNT];
	sqlite3_stmt *list[STORE_LISTS_MAX]; /* store_net.c's; NULL: not prepared yet */
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

sqlite3 *store_db(struct store *s)
{
	return s->db;
}

sqlite3_stmt **store_list_stmt(struct store *s, unsigned idx)
{
	must(idx < STORE_LISTS_MAX);
	return &s->list[idx];
}

int store_exec(sqlite3 *db, const char *sql)
{
	int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);

	if (rc != SQLITE_OK)
		log_debug("store.exec", "rc=%d", rc);
	return store_errno(rc);
}

/* Statements without an answer row: one step, then ready for the next time. */
static int stmt_run(struct store *s, enum stmt which)
{
	int rc = sqlite3_step(s->st[which]);

	/* The step's extended code: reset would give it again. */
	sqlite3_reset(s->st[which]);
	sqlite3_clear_bindings(s->st[which]);
	return store_errno(rc);
}

int store_begin(struct store *s)
{
	return stmt_run(s, ST_BEGIN);
}

int store_commit(struct store *s)
{
	int r = stmt_run(s, ST_COMMIT);

	if (r < 0)
		store_rollback(s);
	return r;
}

void store_rollback(struct store *s)
{
	if (!sqlite3_get_autocommit(s->db))
		(void)!stmt_run(s, ST_ROLLBACK);
}

/* A row being written or read: the next column's number, and whether something did not fit. */
struct row {
	sqlite3_stmt *st;
	int col;
	bool bad;
};

static void put_text(struct row *w, const char *s)
{
	if (sqlite3_bind_text(w->st, ++w->col, s, -1, SQLITE_STATIC) != SQLITE_OK)
		w->bad = true;
}

static void put_int(struct row *w, uint64_t v)
{
	if (v > INT64_MAX || sqlite3_bind_int64(w->st, ++w->col, (sqlite3_int64)v) != SQLITE_OK)
		w->bad = true;
}

/* An empty string is NULL: for foreign keys. */
static void put_ref(struct row *w, const char *s)
{
	if (s[0] != '\0')
		put_text(w, s);
	else if (sqlite3_bind_null(w->st, ++w->col) != SQLITE_OK)
		w->bad = true;
}

static void take_text(struct row *r, char *ret, size_t cap)
{
	const unsigned char *s = sqlite3_column_text(r->st, r->col);
	int len = sqlite3_column_bytes(r->st, r->col);

	r->col++;
	ret[0] = '\0';
	if (!s)
		return;
	if (len < 0 || (size_t)len >= cap || memchr(s, 0, (size_t)len)) {
		r->bad = true;
		return;
	}
	memcpy(ret, s, (size_t)len);
	ret[len] = '\0';
}

static uint64_t take_u64(struct row *r)
{
	sqlite3_int64 v = sqlite3_column_int64(r->st, r->col++);

	if (v < 0) {
		r->bad = true;
		return 0;
	}
	return (uint64_t)v;
}

static unsigned take_uint(struct row *r)
{
	uint64_t v = take_u64(r);

	if (v > UINT32_MAX) {
		r->bad = true;
		return 0;
	}
	return (unsigned)v;
}

static void image_bind(struct row *w, const struct image *i)
{
	put_text(w, i->id);
	put_text(w, i->account);
	put_text(w, i->name);
	put_text(w, i->architecture);
	put_text(w, i->kernel_version);
	put_text(w, i->cmdline);
	put_int(w, i->kernel_bytes);
	put_int(w, i->initrd_bytes);
	put_int(w, i->disk_bytes);
	put_int(w, i->stored_bytes);
	put_text(w, i->sha256_kernel);
	put_text(w, i->sha256_initrd);
	put_text(w, i->sha256_disk);
	put_int(w, i->created_ms);
}

static void image_read(struct row *r, struct image *i)
{
	take_text(r, i->id, sizeof(i->id));
	take_text(r, i->account, sizeof(i->account));
	take_text(r, i->name, sizeof(i->name));
	take_text(r, i->architecture, sizeof(i->architecture));
	take_text(r, i->kernel_version, sizeof(i->kernel_version));
	take_text(r, i->cmdline, sizeof(i->cmdline));
	i->kernel_bytes = take_u64(r);
	i->initrd_bytes = take_u64(r);
	i->disk_bytes = take_u64(r);
	i->stored_bytes = take_u64(r);
	take_text(r, i->sha256_kernel, sizeof(i->sha256_kernel));
	take_text(r, i->sha256_initrd, sizeof(i->sha256_initrd));
	take_text(r, i->sha256_disk, sizeof(i->sha256_disk));
	i->created_ms = take_u64(r);
}

static void volume_bind(struct row *w, const struct volume *v)
{
	put_text(w, v->id);
	put_text(w, v->account);
	put_text(w, v->image_id);
	put_int(w, v->size);
	put_int(w, v->state);
	put_text(w, v->reason);
	put_int(w, v->created_ms);
	put_ref(w, v->instance_id);
	put_text(w, v->device);
	put_int(w, v->device_idx);
	put_int(w, v->delete_on_termination);
}

static void volume_read(struct row *r, struct volume *v)
{
	uint64_t state;

	take_text(r, v->id, sizeof(v->id));
	take_text(r, v->account, sizeof(v->account));
	take_text(r, v->image_id, sizeof(v->image_id));
	v->size = take_u64(r);
	state = take_u64(r);
	if (!volume_state_valid((int64_t)state))
		r->bad = true;
	else
		v->state = (enum volume_state)state;
	take_text(r, v->reason, sizeof(v->reason));
	v->created_ms = take_u64(r);
	take_text(r, v->instance_id, sizeof(v->instance_id));
	take_text(r, v->device, sizeof(v->device));
	v->device_idx = take_uint(r);
	v->delete_on_termination = take_u64(r) != 0;
}

static void instance_bind(struct row *w, const struct instance *i)
{
	put_text(w, i->id);
	put_text(w, i->account);
	put_text(w, i->name);
	put_text(w, i->image_id);
	put_text(w, i->type);
	put_int(w, i->cores);
	put_int(w, i->threads);
	put_int(w, i->ram_bytes);
	put_int(w, i->state);
	put_text(w, i->reason_code);
	put_text(w, i->reason);
	put_int(w, i->boot_cnt);
	put_int(w, i->created_ms);
	put_int(w, i->launched_ms);
	put_int(w, i->ended_ms);
	put_int(w, i->times.volume_us);
	put_int(w, i->times.jail_us);
	put_int(w, i->times.key_us);
	put_int(w, i->times.attach_us);
	put_int(w, i->times.first_run_us);
	put_int(w, i->times.hv_cpu_us);
}

static void instance_read(struct row *r, struct instance *i)
{
	uint64_t state;

	take_text(r, i->id, sizeof(i->id));
	take_text(r, i->account, sizeof(i->account));
	take_text(r, i->name, sizeof(i->name));
	take_text(r, i->image_id, sizeof(i->image_id));
	take_text(r, i->type, sizeof(i->type));
	i->cores = take_uint(r);
	i->threads = take_uint(r);
	i->ram_bytes = take_u64(r);
	state = take_u64(r);
	if (!instance_state_valid((int64_t)state))
		r->bad = true;
	else
		i->state = (enum instance_state)state;
	take_text(r, i->reason_code, sizeof(i->reason_code));
	take_text(r, i->reason, sizeof(i->reason));
	i->boot_cnt = take_uint(r);
	i->created_ms = take_u64(r);
	i->launched_ms = take_u64(r);
	i->ended_ms = take_u64(r);
	i->times.volume_us = take_u64(r);
	i->times.jail_us = take_u64(r);
	i->times.key_us = take_u64(r);
	i->times.attach_us = take_u64(r);
	i->times.first_run_us = take_u64(r);
	i->times.hv_cpu_us = take_u64(r);
}

static int put_run(struct store *s, enum stmt which, bool bad)
{
	if (bad) {
		sqlite3_clear_bindings(s->st[which]);
		return -EINVAL;
	}
	return stmt_run(s, which);
}

int store_image_put(struct store *s, const struct image *i)
{
	struct row w = { s->st[ST_IMAGE_PUT], 0, false };

	image_bind(&w, i);
	return put_run(s, ST_IMAGE_PUT, w.bad);
}

int store_volume_put(struct store *s, const struct volume *v)
{
	struct row w = { s->st[ST_VOLUME_PUT], 0, false };

	volume_bind(&w, v);
	return put_run(s, ST_VOLUME_PUT, w.bad);
}

int store_instance_put(struct store *s, const struct instance *i)
{
	struct row w = { s->st[ST_INSTANCE_PUT], 0, false };

	instance_bind(&w, i);
	return put_run(s, ST_INSTANCE_PUT, w.bad);
}

int store_console_put(struct store *s, const struct console_tail *c)
{
	struct row w = { s->st[ST_CONSOLE_PUT], 0, false };

	put_text(&w, c->instance_id);
	put_int(&w, c->boot_cnt);
	put_int(&w, c->end);
	if (sqlite3_bind_blob(w.st, ++w.col, c->data, (int)c->len, SQLITE_STATIC) != SQLITE_OK)
		w.bad = true;
	return put_run(s, ST_CONSOLE_PUT, w.bad);
}

/* One row by id into @w->st; the caller reads it and then calls stmt_reset(). Return: 0, -ENOENT, … */
static int get_step(struct store *s, enum stmt which, const char *id)
{
	int rc;

	rc = sqlite3_bind_text(s->st[which], 1, id, -1, SQLITE_STATIC);
	if (rc != SQLITE_OK)
		return store_errno(rc);
	rc = sqlite3_step(s->st[which]);
	if (rc == SQLITE_ROW)
		return 0;
	sqlite3_reset(s->st[which]);
	return rc == SQLITE_DONE ? -ENOENT : store_errno(rc);
}

static int get_end(struct store *s, enum stmt which, bool bad)
{
	sqlite3_reset(s->st[which]);
	sqlite3_clear_bindings(s->st[which]);
	return bad ? -EUCLEAN : 0;
}

int store_image_get(struct store *s, const char *id, struct image *ret)
{
	struct row r = { s->st[ST_IMAGE_GET], 0, false };
	int e = get_step(s, ST_IMAGE_GET, id);

	if (e < 0)
		return e;
	image_read(&r, ret);
	return get_end(s, ST_IMAGE_GET, r.bad);
}

int store_volume_get(struct store *s, const char *id, struct volume *ret)
{
	struct row r = { s->st[ST_VOLUME_GET], 0, false };
	int e = get_step(s, ST_VOLUME_GET, id);

	if (e < 0)
		return e;
	volume_read(&r, ret);
	return get_end(s, ST_VOLUME_GET, r.bad);
}

int store_instance_get(struct store *s, const char *id, struct instance *ret)
{
	struct row r = { s->st[ST_INSTANCE_GET], 0, false };
	int e = get_step(s, ST_INSTANCE_GET, id);

	if (e < 0)
		return e;
	instance_read(&r, ret);
	return get_end(s, ST_INSTANCE_GET, r.bad);
}

int store_console_get(struct store *s, const char *instance_id, struct console_tail *ret)
{
	struct row r = { s->st[ST_CONSOLE_GET], 0, false };
	const void *data;
	int e, len;

	e = get_step(s, ST_CONSOLE_GET, instance_id);
	if (e < 0)
		return e;
	take_text(&r, ret->instance_id, sizeof(ret->instance_id));
	ret->boot_cnt = take_uint(&r);
	ret->end = take_u64(&r);
	data = sqlite3_column_blob(r.st, r.col);
	len = sqlite3_column_bytes(r.st, r.col);
	if (len < 0 || (size_t)len > sizeof(ret->data) || (uint64_t)len > ret->end)
		r.bad = true;
	else if (len > 0)
		memcpy(ret->data, data, (size_t)len);
	ret->len = r.bad ? 0 : (uint32_t)len;
	return get_end(s, ST_CONSOLE_GET, r.bad);
}

static int delete_run(struct store *s, enum stmt which, const char *id)
{
	int r;

	r = store_errno(sqlite3_bind_text(s->st[which], 1, id, -1, SQLITE_STATIC));
	if (r < 0)
		return r;
	r = stmt_run(s, which);
	if (r < 0)
		return r;
	return sqlite3_changes(s->db) > 0 ? 0 : -ENOENT;
}

int store_image_delete(struct store *s, const char *id)
{
	return delete_run(s, ST_IMAGE_DELETE, id);
}

int store_volume_delete(struct store *s, const char *id)
{
	return delete_run(s, ST_VOLUME_DELETE, id);
}

int store_instance_delete(struct store *s, const char *id)
{
	return delete_run(s, ST_INSTANCE_DELETE, id);
}

/* How list_run() reads one row into an element of the caller's array. */
typedef void row_read_fn(struct row *r, void *elem);

static void image_read_elem(struct row *r, void *elem)
{
	image_read(r, elem);
}

static void volume_read_elem(struct row *r, void *elem)
{
	volume_read(r, elem);
}

static void instance_read_elem(struct row *r, void *elem)
{
	instance_read(r, elem);
}

/* All rows of @which as an array of elements of @size bytes; *ret is owned by the caller. */
static int list_run(struct store *s, enum stmt which, size_t size, row_read_fn *read, void **ret,
		    size_t *ret_cnt)
{
	CLEANUP(free_p) char *list = NULL;
	size_t cnt = 0, cap = 0;
	int rc;

	for (;;) {
		struct row r = { s->st[which], 0, false };

		rc = sqlite3_step(s->st[which]);
		if (rc != SQLITE_ROW)
			break;
		if (cnt == cap) {
			size_t want = cap ? cap * 2 : 16;
			char *bigger = reallocarray(list, want, size);

			if (!bigger) {
				rc = SQLITE_NOMEM;
				break;
			}
			list = bigger;
			cap = want;
		}
		memset(list + cnt * size, 0, size);
		read(&r, list + cnt * size);
		if (r.bad) {
			rc = SQLITE_CORRUPT;
			break;
		}
		cnt++;
	}
	sqlite3_reset(s->st[which]);
	if (rc != SQLITE_DONE)
		return store_errno(rc);

	*ret = cnt ? TAKE_PTR(list) : NULL;
	*ret_cnt = cnt;
	return 0;
}

int store_image_list(struct store *s, struct image **ret, size_t *ret_cnt)
{
	void *list = NULL;
	int r = list_run(s, ST_IMAGE_LIST, sizeof(**ret), image_read_elem, &list, ret_cnt);

	if (r == 0)
		*ret = list;
	return r;
}

int store_volume_list(struct store *s, struct volume **ret, size_t *ret_cnt)
{
	void *list = NULL;
	int r = list_run(s, ST_VOLUME_LIST, sizeof(**ret), volume_read_elem, &list, ret_cnt);

	if (r == 0)
		*ret = list;
	return r;
}

int store_instance_list(struct store *s, struct instance **ret, size_t *ret_cnt)
{
	void *list = NULL;
	int r = list_run(s, ST_INSTANCE_LIST, sizeof(**ret), instance_read_elem, &list, ret_cnt);

	if (r == 0)
		*ret = list;
	return r;
}

void store_free(struct store *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < ST_CNT; i++)
		sqlite3_finalize(s->st[i]);
	for (size_t i = 0; i < STORE_LISTS_MAX; i++)
		sqlite3_finalize(s->list[i]);
	sqlite3_close(s->db);
	free(s);
}

void store_freep(struct store **s)
{
	store_free(*s);
	*s = NULL;
}

/* Settings first: the lock's kind must be known before the log is opened. */
static int db_configure(sqlite3 *db)
{
	static const char pragmas[] = "PRAGMA locking_mode = EXCLUSIVE;"
				      "PRAGMA temp_store = MEMORY;"
				      "PRAGMA trusted_schema = OFF;"
				      "PRAGMA cell_size_check = ON;"
				      "PRAGMA foreign_keys = ON;"
				      "PRAGMA journal_mode = WAL;"
				      "PRAGMA synchronous = FULL;";
	int r;

	sqlite3_extended_result_codes(db, 1);
	sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 4 << 20);
	sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
	r = store_errno(sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL));
	if (r < 0)
		return r;
	return store_exec(db, pragmas);
}

int store_open(const char *path, struct store **ret)
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
	r = db_configure(s->db);
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

	*ret = TAKE_PTR(s);
	return 0;
}
