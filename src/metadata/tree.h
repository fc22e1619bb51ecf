/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The items below a version: paths and values in one arena of fixed size, sorted so that what lies below a path
 * follows it. Directories are not stored; they follow from the paths. docs/wire/metadata.md has the rules.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum {
	TREE_ITEMS_MAX = 384,    /* that niterd may give */
	TREE_BYTES_MAX = 131072, /* of their paths and values */
	TREE_VALUE_MAX = 24576,  /* bytes of one value, and of one listing */
	TREE_SEGMENT_MAX = 200,
	TREE_DEPTH_MAX = 12,
	TREE_OWN_ITEMS_MAX = 3, /* that this process adds: the signatures */
	TREE_OWN_BYTES_MAX = TREE_OWN_ITEMS_MAX * (TREE_VALUE_MAX + 64),
};

struct tree_item {
	uint32_t path_off; /* in arena; terminated */
	uint32_t value_off, value_len;
};

struct tree {
	unsigned cnt;
	size_t used; /* bytes of arena */
	bool open;   /* the value at the end of arena, of item open_idx, is not complete */
	unsigned open_idx;
	struct tree_item item[TREE_ITEMS_MAX + TREE_OWN_ITEMS_MAX]; /* sorted by path */
	char arena[TREE_BYTES_MAX + TREE_OWN_BYTES_MAX];
};

void tree_clear(struct tree *t);

/**
 * tree_put() - an item of niterd's, or a further part of the one that is open
 * @more:  another part follows
 *
 * Return: 0; -EINVAL a path that is none, or another one while an item is open; -EEXIST the path is there already;
 * -E2BIG the value, -ENOSPC the tree is beyond its limit. The tree is then good for tree_clear() only.
 */
MUST_USE int tree_put(struct tree *t, const char *path, const void *data, size_t len, bool more);

/* tree_put_own(): an item of our own, into the room that niterd cannot fill. Return: as tree_put(). */
MUST_USE int tree_put_own(struct tree *t, const char *path, const void *data, size_t len);

/* tree_check(): is it complete, and can every directory be listed? Return: 0, -EINVAL, -E2BIG. */
MUST_USE int tree_check(const struct tree *t);

/* tree_value(): the item of exactly this path. Return: its bytes, borrowed until tree_clear(), or NULL. */
const void *tree_value(const struct tree *t, const char *path, size_t *ret_len);

/**
 * tree_read() - what a path answers: a value, or a directory's listing
 * @path:  "" is the whole tree
 * @ret:   TREE_VALUE_MAX bytes
 *
 * Return: bytes, -ENOENT.
 */
MUST_USE int tree_read(const struct tree *t, const char *path, void *ret);
