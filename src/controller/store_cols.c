/* SPDX-License-Identifier: Apache-2.0 */

/* One column of a row: into a statement, out of a result, compared, copied. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/attr.h"
#include "controller/net_text.h"
#include "controller/store_priv.h"

static uint32_t u32_of(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t u64_of(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint32_t data_len(const struct col *c, const void *row)
{
	const uint8_t *p = (const uint8_t *)row + c->len_off;
	uint16_t v;

	if (c->len_size == sizeof(uint32_t))
		return u32_of(p);
	memcpy(&v, p, sizeof(v));
	return v;
}

static void data_len_set(const struct col *c, void *row, uint32_t len)
{
	uint16_t v = (uint16_t)len;

	if (c->len_size == sizeof(uint32_t))
		memcpy((uint8_t *)row + c->len_off, &len, sizeof(len));
	else
		memcpy((uint8_t *)row + c->len_off, &v, sizeof(v));
}

static int bind_mac(sqlite3_stmt *st, int at, const uint8_t *m)
{
	char text[18];

	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4],
		 m[5]);
	return sqlite3_bind_text(st, at, text, -1, SQLITE_TRANSIENT);
}

int store_col_bind(sqlite3_stmt *st, int at, const struct col *c, const void *row)
{
	const uint8_t *p = (const uint8_t *)row + c->off;
	bool b;

	switch (c->kind) {
	case COL_TEXT:
		return sqlite3_bind_text(st, at, (const char *)p, -1, SQLITE_STATIC);
	case COL_REF:
		return p[0] ? sqlite3_bind_text(st, at, (const char *)p, -1, SQLITE_STATIC)
			    : sqlite3_bind_null(st, at);
	case COL_UINT:
	case COL_ENUM:
		return sqlite3_bind_int64(st, at, u32_of(p));
	case COL_U64:
		return sqlite3_bind_int64(st, at, (sqlite3_int64)u64_of(p));
	case COL_BOOL:
		memcpy(&b, p, sizeof(b));
		return sqlite3_bind_int64(st, at, b);
	case COL_MAC:
		return bind_mac(st, at, p);
	case COL_RAW:
		return sqlite3_bind_blob(st, at, p, (int)c->size, SQLITE_STATIC);
	case COL_DATA:
		return sqlite3_bind_blob(st, at, p, (int)data_len(c, row), SQLITE_STATIC);
	}
	return SQLITE_MISUSE;
}

static bool text_read(sqlite3_stmt *st, int at, char *ret, size_t cap)
{
	const unsigned char *s = sqlite3_column_text(st, at);
	int len = sqlite3_column_bytes(st, at);

	if (!s)
		return true; /* NULL: stays empty */
	if (len < 0 || (size_t)len >= cap || memchr(s, 0, (size_t)len))
		return false;
	memcpy(ret, s, (size_t)len);
	return true;
}

static bool mac_read(sqlite3_stmt *st, int at, uint8_t ret[NET_MAC_BYTES])
{
	char text[18] = "";

	return text_read(st, at, text, sizeof(text)) && net_mac_parse(text, ret) == 0;
}

static bool data_read(sqlite3_stmt *st, int at, const struct col *c, void *row)
{
	const void *p = sqlite3_column_blob(st, at);
	int len = sqlite3_column_bytes(st, at);

	if (len < 0 || (size_t)len > c->size || (c->kind == COL_RAW && (size_t)len != c->size))
		return false;
	if (len > 0)
		memcpy((uint8_t *)row + c->off, p, (size_t)len);
	if (c->kind == COL_DATA)
		data_len_set(c, row, (uint32_t)len);
	return true;
}

/* Return: whether @v fits the column. */
static bool number_read(const struct col *c, sqlite3_int64 v, uint8_t *p)
{
	uint32_t u32 = (uint32_t)v;
	bool b = v != 0;

	switch (c->kind) {
	case COL_UINT:
		memcpy(p, &u32, sizeof(u32));
		return v >= 0 && v <= UINT32_MAX;
	case COL_ENUM:
		memcpy(p, &u32, sizeof(u32));
		return c->valid(v);
	case COL_U64:
		memcpy(p, &v, sizeof(v));
		return v >= 0;
	case COL_BOOL:
		memcpy(p, &b, sizeof(b));
		return v == 0 || v == 1;
	case COL_TEXT:
	case COL_REF:
	case COL_MAC:
	case COL_RAW:
	case COL_DATA:
		break;
	}
	return false;
}

bool store_col_read(sqlite3_stmt *st, int at, const struct col *c, void *row)
{
	uint8_t *p = (uint8_t *)row + c->off;

	switch (c->kind) {
	case COL_TEXT:
	case COL_REF:
		return text_read(st, at, (char *)p, c->size);
	case COL_UINT:
	case COL_ENUM:
	case COL_U64:
	case COL_BOOL:
		return number_read(c, sqlite3_column_int64(st, at), p);
	case COL_MAC:
		return mac_read(st, at, p);
	case COL_RAW:
	case COL_DATA:
		return data_read(st, at, c, row);
	}
	return false;
}

static bool col_clean(const struct col *c, const void *row, void *ret)
{
	const uint8_t *p = (const uint8_t *)row + c->off;
	uint8_t *to = (uint8_t *)ret + c->off;
	size_t len = c->size;

	switch (c->kind) {
	case COL_TEXT:
	case COL_REF:
		len = strnlen((const char *)p, c->size);
		if (len == c->size)
			return false;
		break;
	case COL_ENUM:
		if (!c->valid((int64_t)u32_of(p)))
			return false;
		break;
	case COL_U64:
		if (u64_of(p) > INT64_MAX) /* no number of SQL's */
			return false;
		break;
	case COL_DATA:
		len = data_len(c, row);
		if (len > c->size)
			return false;
		data_len_set(c, ret, (uint32_t)len);
		break;
	case COL_UINT:
	case COL_BOOL:
	case COL_MAC:
	case COL_RAW:
		break;
	}
	memcpy(to, p, len);
	return true;
}

int store_row_clean(const struct store_table *t, const void *row, void *ret)
{
	memset(ret, 0, t->row_bytes);
	for (size_t k = 0; k < t->col_cnt; k++)
		if (!col_clean(&t->col[k], row, ret))
			return -EINVAL;
	return 0;
}

/* Keys and indexed columns are texts and numbers. */
int store_col_cmp(const struct col *c, const void *a, const void *b)
{
	const uint8_t *x = (const uint8_t *)a + c->off, *y = (const uint8_t *)b + c->off;
	uint32_t i, k;

	if (c->kind != COL_UINT)
		return strcmp((const char *)x, (const char *)y);
	i = u32_of(x);
	k = u32_of(y);
	return (i > k) - (i < k);
}

/* FNV-1a */
static uint32_t hash_add(uint32_t h, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t k = 0; k < len; k++)
		h = (h ^ p[k]) * 16777619u;
	return h;
}

enum { HASH_BEGIN = 0x811c9dc5u };

uint32_t store_text_hash(const char *text)
{
	return hash_add(HASH_BEGIN, text, strlen(text) + 1);
}

uint32_t store_row_hash(const struct store_table *t, const void *row)
{
	uint32_t h = HASH_BEGIN;

	for (size_t k = 0; k < t->key_cnt; k++) {
		const struct col *c = &t->col[k];
		const uint8_t *p = (const uint8_t *)row + c->off;

		h = hash_add(h, p, c->kind == COL_UINT ? c->size : strlen((const char *)p) + 1);
	}
	return h;
}
