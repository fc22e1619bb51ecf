/* SPDX-License-Identifier: Apache-2.0 */
#include "metadata/tree.h"

#include <errno.h>
#include <string.h>

static const char *item_path(const struct tree *t, unsigned i)
{
	return t->arena + t->item[i].path_off;
}

/* '/' sorts before every other character, so that what lies below a path follows it without a gap. */
static int rank(char c)
{
	return c == '/' ? 1 : (int)(unsigned char)c;
}

static int path_compare(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return rank(*a) - rank(*b);
}

/* The first item that is not before @path; t->cnt if there is none. */
static unsigned lower_bound(const struct tree *t, const char *path)
{
	unsigned lo = 0, hi = t->cnt;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (path_compare(item_path(t, mid), path) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* What of item @i's path lies below directory @dir (@len bytes, 0: the whole tree)? NULL: nothing. */
static const char *below(const struct tree *t, unsigned i, const char *dir, size_t len)
{
	const char *p;

	if (i >= t->cnt)
		return NULL;
	p = item_path(t, i);
	if (len == 0)
		return p;
	return strncmp(p, dir, len) == 0 && p[len] == '/' ? p + len + 1 : NULL;
}

static bool path_good(const char *path)
{
	unsigned depth = 0;

	for (;; path++, depth++) {
		size_t n = strcspn(path, "/"), i;

		if (n == 0 || n > TREE_SEGMENT_MAX || depth == TREE_DEPTH_MAX)
			return false;
		if (path[0] == '.' && (n == 1 || (n == 2 && path[1] == '.')))
			return false;
		for (i = 0; i < n; i++)
			if (path[i] < 0x20 || path[i] > 0x7e)
				return false;
		path += n;
		if (!*path)
			return true;
	}
}

void tree_clear(struct tree *t)
{
	t->cnt = 0;
	t->used = 0;
	t->open = false;
}

/* Room for @path and an empty value. Return: 0, -errno. */
static int item_new(struct tree *t, const char *path, size_t cap)
{
	size_t len = strlen(path) + 1;
	unsigned i;

	if (!path_good(path))
		return -EINVAL;
	i = lower_bound(t, path);
	if (i < t->cnt && !strcmp(item_path(t, i), path))
		return -EEXIST;
	if (len > cap - t->used)
		return -ENOSPC;

	memmove(&t->item[i + 1], &t->item[i], (t->cnt - i) * sizeof(t->item[0]));
	t->cnt++;
	memcpy(t->arena + t->used, path, len);
	t->item[i] = (struct tree_item){ .path_off = (uint32_t)t->used,
					 .value_off = (uint32_t)(t->used + len) };
	t->used += len;
	t->open = true;
	t->open_idx = i;
	return 0;
}

static int value_add(struct tree *t, const void *data, size_t len, bool more, size_t cap)
{
	struct tree_item *item = &t->item[t->open_idx];

	if (len > TREE_VALUE_MAX - item->value_len)
		return -E2BIG;
	if (len > cap - t->used)
		return -ENOSPC;
	if (len)
		memcpy(t->arena + t->used, data, len);
	t->used += len;
	item->value_len += (uint32_t)len;
	t->open = more;
	return 0;
}

int tree_put(struct tree *t, const char *path, const void *data, size_t len, bool more)
{
	int r = 0;

	if (t->open)
		r = strcmp(item_path(t, t->open_idx), path) ? -EINVAL : 0;
	else if (t->cnt >= TREE_ITEMS_MAX || t->used > TREE_BYTES_MAX)
		r = -ENOSPC;
	else
		r = item_new(t, path, TREE_BYTES_MAX);
	return r < 0 ? r : value_add(t, data, len, more, TREE_BYTES_MAX);
}

int tree_put_own(struct tree *t, const char *path, const void *data, size_t len)
{
	int r;

	if (t->cnt == ARRAY_SIZE(t->item))
		return -ENOSPC;
	r = item_new(t, path, sizeof(t->arena));
	return r < 0 ? r : value_add(t, data, len, false, sizeof(t->arena));
}

const void *tree_value(const struct tree *t, const char *path, size_t *ret_len)
{
	unsigned i = lower_bound(t, path);

	if (i >= t->cnt || strcmp(item_path(t, i), path) != 0)
		return NULL;
	*ret_len = t->item[i].value_len;
	return t->arena + t->item[i].value_off;
}

/*
 * Names directly below @dir, the first item of which is @first. @ret: TREE_VALUE_MAX bytes.
 * Return: bytes, -E2BIG.
 */
static int list(const struct tree *t, unsigned first, const char *dir, size_t dir_len, char *ret)
{
	const char *name, *last = NULL;
	size_t len = 0, last_len = 0;
	unsigned i;

	for (i = first; (name = below(t, i, dir, dir_len)); i++) {
		size_t n = strcspn(name, "/");
		bool same = last && last_len == n && !memcmp(last, name, n);

		if (same && (ret[len - 1] == '/' || !name[n]))
			continue;
		if (n + 2 > TREE_VALUE_MAX - len) /* a newline before, a slash behind */
			return -E2BIG;
		if (!same) {
			if (len)
				ret[len++] = '\n';
			memcpy(ret + len, name, n);
			len += n;
		}
		if (name[n])
			ret[len++] = '/';
		last = name;
		last_len = n;
	}
	return (int)len;
}

int tree_read(const struct tree *t, const char *path, void *ret)
{
	size_t len = strlen(path);
	unsigned i = len ? lower_bound(t, path) : 0;

	if (i >= t->cnt)
		return -ENOENT;
	if (len && !strcmp(item_path(t, i), path)) { /* a value, or a directory's own listing */
		memcpy(ret, t->arena + t->item[i].value_off, t->item[i].value_len);
		return (int)t->item[i].value_len;
	}
	if (!below(t, i, path, len))
		return -ENOENT;
	return list(t, i, path, len, ret);
}

/* The directories whose first item is @i. */
static int dirs_check(const struct tree *t, unsigned i)
{
	static char scratch[TREE_VALUE_MAX];
	const char *p = item_path(t, i), *slash;
	int r = i == 0 ? list(t, 0, "", 0, scratch) : 0;

	for (slash = strchr(p, '/'); slash && r >= 0; slash = strchr(slash + 1, '/')) {
		size_t len = (size_t)(slash - p);

		if (i == 0 || !below(t, i - 1, p, len))
			r = list(t, i, p, len, scratch);
	}
	return r < 0 ? r : 0;
}

int tree_check(const struct tree *t)
{
	unsigned i;
	int r;

	if (t->open)
		return -EINVAL;
	for (i = 0; i < t->cnt; i++) {
		r = dirs_check(t, i);
		if (r < 0)
			return r;
	}
	return 0;
}
