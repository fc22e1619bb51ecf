/* SPDX-License-Identifier: Apache-2.0 */

/* The tables of networks: columns as data, one function for each thing one does to a row. */

#include "controller/store_net.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "controller/net_text.h"
#include "controller/store_priv.h"

enum { COLS_MAX = 12, SQL_MAX = 1024 };

enum col_kind {
	COL_TEXT,
	COL_REF,  /* text; empty is NULL */
	COL_UINT, /* unsigned or uint32_t */
	COL_U64,
	COL_BOOL,
	COL_MAC, /* "06:00:00:00:00:01" */
	COL_RAW, /* exactly so many bytes */
	COL_DATA /* struct user_data */
};

struct col {
	const char *name;
	enum col_kind kind;
	size_t off, size;
};

struct net_table {
	unsigned idx; /* of its list's statement; below STORE_LISTS_MAX */
	const char *name;
	const char *order;
	size_t row_bytes, key_cnt, col_cnt; /* the first key_cnt columns are the key */
	struct col col[COLS_MAX];
};

#define COL(s, m, k)                                                                               \
	{                                                                                          \
#m, k, offsetof(struct s, m), sizeof(((struct s *)NULL)->m)                        \
	}
#define TABLE(s, t, o, keys, n)                                                                    \
	.name = (t), .order = (o), .row_bytes = sizeof(struct s), .key_cnt = (keys), .col_cnt = (n)

/* clang-format off: tables */
const struct net_table net_vpcs = { .idx = 0,
				    TABLE(vpc, "vpc", "created_ms, id", 1, 8),
				    .col = {
					    COL(vpc, id, COL_TEXT),
					    COL(vpc, account, COL_TEXT),
					    COL(vpc, addr, COL_UINT),
					    COL(vpc, prefix, COL_UINT),
					    COL(vpc, vni, COL_UINT),
					    COL(vpc, domain, COL_TEXT),
					    COL(vpc, is_default, COL_BOOL),
					    COL(vpc, created_ms, COL_U64),
				    } };
const struct net_table net_subnets = { .idx = 1,
				       TABLE(subnet, "subnet", "created_ms, id", 1, 6),
				       .col = {
					       COL(subnet, id, COL_TEXT),
					       COL(subnet, vpc_id, COL_TEXT),
					       COL(subnet, addr, COL_UINT),
					       COL(subnet, prefix, COL_UINT),
					       COL(subnet, is_default, COL_BOOL),
					       COL(subnet, created_ms, COL_U64),
				       } };
const struct net_table net_groups = { .idx = 2,
				      TABLE(group, "security_group", "created_ms, id", 1, 6),
				      .col = {
					      COL(group, id, COL_TEXT),
					      COL(group, vpc_id, COL_TEXT),
					      COL(group, account, COL_TEXT),
					      COL(group, name, COL_TEXT),
					      COL(group, description, COL_TEXT),
					      COL(group, created_ms, COL_U64),
				      } };
const struct net_table net_group_rules = { .idx = 3,
					   TABLE(group_rule, "security_rule",
						 "group_id, egress, id", 1, 9),
					   .col = {
						   COL(group_rule, id, COL_TEXT),
						   COL(group_rule, group_id, COL_TEXT),
						   COL(group_rule, egress, COL_BOOL),
						   COL(group_rule, proto, COL_UINT),
						   COL(group_rule, port_min, COL_UINT),
						   COL(group_rule, port_max, COL_UINT),
						   COL(group_rule, addr, COL_UINT),
						   COL(group_rule, prefix, COL_UINT),
						   COL(group_rule, member_group_id, COL_REF),
					   } };
const struct net_table net_interfaces = { .idx = 4,
					  TABLE(interface, "interface", "created_ms, id", 1, 10),
					  .col = {
						  COL(interface, id, COL_TEXT),
						  COL(interface, account, COL_TEXT),
						  COL(interface, subnet_id, COL_TEXT),
						  COL(interface, instance_id, COL_REF),
						  COL(interface, device_idx, COL_UINT),
						  COL(interface, mac, COL_MAC),
						  COL(interface, addr, COL_UINT),
						  COL(interface, source_dest_check, COL_BOOL),
						  COL(interface, outside_idx, COL_UINT),
						  COL(interface, created_ms, COL_U64),
					  } };
const struct net_table net_interface_groups = { .idx = 5,
						TABLE(interface_group, "interface_group",
						      "interface_id, group_id", 2, 2),
						.col = {
							COL(interface_group, interface_id,
							    COL_TEXT),
							COL(interface_group, group_id, COL_TEXT),
						} };
const struct net_table net_gateways = { .idx = 6,
					TABLE(gateway, "gateway", "id", 1, 3),
					.col = {
						COL(gateway, id, COL_TEXT),
						COL(gateway, vpc_id, COL_TEXT),
						COL(gateway, mac, COL_MAC),
					} };
const struct net_table net_launch_data = { .idx = 7,
					   TABLE(launch_data, "launch_data", "instance_id", 1, 4),
					   .col = {
						   COL(launch_data, instance_id, COL_TEXT),
						   COL(launch_data, key_name, COL_TEXT),
						   COL(launch_data, public_key, COL_TEXT),
						   COL(launch_data, user_data, COL_DATA),
					   } };
const struct net_table net_peers = { .idx = 8,
				     TABLE(peer, "peer", "number", 1, 5),
				     .col = {
					     COL(peer, number, COL_UINT),
					     COL(peer, name, COL_TEXT),
					     COL(peer, addr, COL_UINT),
					     COL(peer, port, COL_UINT),
					     COL(peer, fingerprint, COL_RAW),
				     } };
const struct net_table net_remotes = { .idx = 9,
				       TABLE(remote, "remote", "vpc_id, addr", 2, 4),
				       .col = {
					       COL(remote, vpc_id, COL_TEXT),
					       COL(remote, addr, COL_UINT),
					       COL(remote, mac, COL_MAC),
					       COL(remote, peer, COL_UINT),
				       } };
const struct net_table net_forwards = { .idx = 10,
					TABLE(forward, "forward", "host_port", 1, 3),
					.col = {
						COL(forward, host_port, COL_UINT),
						COL(forward, instance_id, COL_TEXT),
						COL(forward, port, COL_UINT),
					} };
/* clang-format on */

/* Appends to a statement; the tables above bound its length. */
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

static void sql_cols(char sql[SQL_MAX], const struct net_table *t)
{
	for (size_t k = 0; k < t->col_cnt; k++)
		sql_add(sql, "%s%s", k ? ", " : "", t->col[k].name);
}

static void sql_where_key(char sql[SQL_MAX], const struct net_table *t)
{
	for (size_t k = 0; k < t->key_cnt; k++)
		sql_add(sql, "%s%s=?%zu", k ? " AND " : " WHERE ", t->col[k].name, k + 1);
}

static int bind_mac(sqlite3_stmt *st, int at, const uint8_t *m)
{
	char text[18];

	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4],
		 m[5]);
	return sqlite3_bind_text(st, at, text, -1, SQLITE_TRANSIENT);
}

static int bind_u64(sqlite3_stmt *st, int at, uint64_t v)
{
	return v > INT64_MAX ? SQLITE_RANGE : sqlite3_bind_int64(st, at, (sqlite3_int64)v);
}

static int col_bind(sqlite3_stmt *st, int at, const struct col *c, const void *row)
{
	const uint8_t *p = (const uint8_t *)row + c->off;
	struct user_data const *data;
	uint64_t u64;
	uint32_t u32;
	bool b;

	switch (c->kind) {
	case COL_TEXT:
		return sqlite3_bind_text(st, at, (const char *)p, -1, SQLITE_STATIC);
	case COL_REF:
		return p[0] ? sqlite3_bind_text(st, at, (const char *)p, -1, SQLITE_STATIC)
			    : sqlite3_bind_null(st, at);
	case COL_UINT:
		memcpy(&u32, p, sizeof(u32));
		return sqlite3_bind_int64(st, at, u32);
	case COL_U64:
		memcpy(&u64, p, sizeof(u64));
		return bind_u64(st, at, u64);
	case COL_BOOL:
		memcpy(&b, p, sizeof(b));
		return sqlite3_bind_int64(st, at, b);
	case COL_MAC:
		return bind_mac(st, at, p);
	case COL_RAW:
		return sqlite3_bind_blob(st, at, p, (int)c->size, SQLITE_STATIC);
	case COL_DATA:
		data = (const void *)p;
		return sqlite3_bind_blob(st, at, data->b, (int)data->len, SQLITE_STATIC);
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

static bool bytes_read(sqlite3_stmt *st, int at, uint8_t *ret, size_t min, size_t max,
		       uint32_t *ret_len)
{
	const void *p = sqlite3_column_blob(st, at);
	int len = sqlite3_column_bytes(st, at);

	if (len < 0 || (size_t)len < min || (size_t)len > max)
		return false;
	if (len > 0)
		memcpy(ret, p, (size_t)len);
	*ret_len = (uint32_t)len;
	return true;
}

/* Return: whether the column holds what this program writes. @row is zero before. */
static bool col_read(sqlite3_stmt *st, int at, const struct col *c, void *row)
{
	uint8_t *p = (uint8_t *)row + c->off;
	sqlite3_int64 v;
	struct user_data *data;
	uint32_t u32;
	bool b;

	switch (c->kind) {
	case COL_TEXT:
	case COL_REF:
		return text_read(st, at, (char *)p, c->size);
	case COL_UINT:
		v = sqlite3_column_int64(st, at);
		u32 = (uint32_t)v;
		memcpy(p, &u32, sizeof(u32));
		return v >= 0 && v <= UINT32_MAX;
	case COL_U64:
		v = sqlite3_column_int64(st, at);
		memcpy(p, &v, sizeof(v));
		return v >= 0;
	case COL_BOOL:
		v = sqlite3_column_int64(st, at);
		b = v != 0;
		memcpy(p, &b, sizeof(b));
		return v == 0 || v == 1;
	case COL_MAC:
		return mac_read(st, at, p);
	case COL_RAW:
		return bytes_read(st, at, p, c->size, c->size, &u32);
	case COL_DATA:
		data = (void *)p;
		return bytes_read(st, at, data->b, 0, sizeof(data->b), &data->len);
	}
	return false;
}

static int prepare(struct store *s, const char *sql, sqlite3_stmt **ret)
{
	return store_errno(sqlite3_prepare_v2(store_db(s), sql, -1, ret, NULL));
}

static int bind_cols(sqlite3_stmt *st, const struct net_table *t, size_t cnt, const void *row)
{
	for (size_t k = 0; k < cnt; k++)
		if (col_bind(st, (int)k + 1, &t->col[k], row) != SQLITE_OK)
			return -EINVAL;
	return 0;
}

/* One statement without an answer, with the first @cnt columns of @row bound. */
static int run(struct store *s, const char *sql, const struct net_table *t, size_t cnt,
	       const void *row)
{
	sqlite3_stmt *st = NULL;
	int r = prepare(s, sql, &st);

	if (r == 0)
		r = bind_cols(st, t, cnt, row);
	if (r == 0)
		r = store_errno(sqlite3_step(st));
	sqlite3_finalize(st);
	return r;
}

int store_net_put(struct store *s, const struct net_table *t, const void *row)
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
	return run(s, sql, t, t->col_cnt, row);
}

int store_net_delete(struct store *s, const struct net_table *t, const void *row)
{
	char sql[SQL_MAX] = "";
	int r;

	sql_add(sql, "DELETE FROM %s", t->name);
	sql_where_key(sql, t);
	r = run(s, sql, t, t->key_cnt, row);
	if (r < 0)
		return r;
	return sqlite3_changes(store_db(s)) > 0 ? 0 : -ENOENT;
}

static bool row_read(sqlite3_stmt *st, const struct net_table *t, void *row)
{
	bool good = true;

	memset(row, 0, t->row_bytes);
	for (size_t k = 0; k < t->col_cnt; k++)
		good = col_read(st, (int)k, &t->col[k], row) && good;
	return good;
}

int store_net_get(struct store *s, const struct net_table *t, void *row)
{
	char sql[SQL_MAX] = "SELECT ";
	sqlite3_stmt *st = NULL;
	int r, rc;

	sql_cols(sql, t);
	sql_add(sql, " FROM %s", t->name);
	sql_where_key(sql, t);
	r = prepare(s, sql, &st);
	if (r == 0)
		r = bind_cols(st, t, t->key_cnt, row);
	if (r == 0) {
		rc = sqlite3_step(st);
		if (rc == SQLITE_ROW)
			r = row_read(st, t, row) ? 0 : -EUCLEAN;
		else
			r = rc == SQLITE_DONE ? -ENOENT : store_errno(rc);
	}
	sqlite3_finalize(st);
	return r;
}

static int rows_read(sqlite3_stmt *st, const struct net_table *t, void **ret, size_t *ret_cnt)
{
	CLEANUP(free_p) char *list = NULL;
	size_t cnt = 0, cap = 0;
	int rc;

	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		if (cnt == cap) {
			size_t want = cap ? cap * 2 : 8;
			char *bigger = reallocarray(list, want, t->row_bytes);

			if (!bigger)
				return -ENOMEM;
			list = bigger;
			cap = want;
		}
		if (!row_read(st, t, list + cnt * t->row_bytes))
			return -EUCLEAN;
		cnt++;
	}
	if (rc != SQLITE_DONE)
		return store_errno(rc);
	*ret = cnt ? TAKE_PTR(list) : NULL;
	*ret_cnt = cnt;
	return 0;
}

/* The statement is kept: lists are read whenever something changes. */
int store_net_list(struct store *s, const struct net_table *t, void **ret, size_t *ret_cnt)
{
	sqlite3_stmt **st = store_list_stmt(s, t->idx);
	char sql[SQL_MAX] = "SELECT ";
	int r;

	if (!*st) {
		sql_cols(sql, t);
		sql_add(sql, " FROM %s ORDER BY %s", t->name, t->order);
		r = store_errno(sqlite3_prepare_v3(store_db(s), sql, -1, SQLITE_PREPARE_PERSISTENT,
						   st, NULL));
		if (r < 0)
			return r;
	}
	r = rows_read(*st, t, ret, ret_cnt);
	sqlite3_reset(*st);
	return r;
}
