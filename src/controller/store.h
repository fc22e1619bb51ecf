/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Where the desired state is kept. One small interface; store_sqlite.c is the implementation of one host, another
 * file may be linked in its place. Everything is durable when store_commit() has returned 0.
 *
 * One thread. Writes outside store_begin()/store_commit() are their own transaction.
 * Errors: -ENOENT no such row, -EEXIST a unique name or id is taken, -ENOSPC, -EIO, -EUCLEAN the database holds what
 * this program never wrote, -ENOTSUP the database was written by a newer niterd.
 */

#include <stddef.h>

#include "base/attr.h"
#include "controller/model.h"

struct store;

enum { STORE_VERSION = 3 }; /* schema; store_schema.c knows how to come here from every older one */

/**
 * store_open() - open or make the database, and bring its schema up to date
 * @path: relative to the working directory, or ":memory:"
 * Return: 0 and *ret (owned: store_free()).
 */
MUST_USE int store_open(const char *path, struct store **ret);
void store_free(struct store *s);
void store_freep(struct store **s);

MUST_USE int store_begin(struct store *s);
MUST_USE int store_commit(struct store *s);
/* store_rollback(): harmless when no transaction is open. */
void store_rollback(struct store *s);

/* x_put(): insert, or replace every column of the row with this id. */
MUST_USE int store_image_put(struct store *s, const struct image *i);
MUST_USE int store_volume_put(struct store *s, const struct volume *v);
MUST_USE int store_instance_put(struct store *s, const struct instance *i);
MUST_USE int store_console_put(struct store *s, const struct console_tail *c);

MUST_USE int store_image_get(struct store *s, const char *id, struct image *ret);
MUST_USE int store_volume_get(struct store *s, const char *id, struct volume *ret);
MUST_USE int store_instance_get(struct store *s, const char *id, struct instance *ret);
MUST_USE int store_console_get(struct store *s, const char *instance_id, struct console_tail *ret);

/* x_delete(): -ENOENT when there was none; -EBUSY when another row still refers to it. */
MUST_USE int store_image_delete(struct store *s, const char *id);
MUST_USE int store_volume_delete(struct store *s, const char *id);
MUST_USE int store_instance_delete(struct store *s, const char *id);

/* x_list(): all rows in order of creation. *ret is owned by the caller (free()); NULL when *ret_cnt is 0. */
MUST_USE int store_image_list(struct store *s, struct image **ret, size_t *ret_cnt);
MUST_USE int store_volume_list(struct store *s, struct volume **ret, size_t *ret_cnt);
MUST_USE int store_instance_list(struct store *s, struct instance **ret, size_t *ret_cnt);
