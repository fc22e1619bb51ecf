/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Between the store_*.c files only. */

#include <sqlite3.h>

#include "base/attr.h"

struct store;

/* store_schema_update(): every migration the database has not had yet, each in its own transaction. */
MUST_USE int store_schema_update(sqlite3 *db);
/* store_exec(): statements without results. */
MUST_USE int store_exec(sqlite3 *db, const char *sql);
/* store_errno(): SQLite's extended result code as -errno. */
int store_errno(int rc);
/* store_vfs_init(): registers the file layer that leaves relative names alone; once. Return: its name, NULL on failure. */
const char *store_vfs_init(void);
enum { STORE_LISTS_MAX = 16 };

/* store_list_stmt(): where store_net.c keeps a statement; finalized with the store. */
sqlite3_stmt **store_list_stmt(struct store *s, unsigned idx);
/* store_db(): the connection; borrowed. */
sqlite3 *store_db(struct store *s);
