/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Client tokens: a request that is sent twice is carried out once. The row is written in the transaction of what it
 * stands for, so there is never one without the other. It is kept a day and an hour; each new one removes a few that
 * are older.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/ec2/call_priv.h"

enum { EXPIRE_AT_ONCE = 8 };

static const char *const digest_without[] = { "ClientToken", "DryRun", NULL };

const char *token_read(struct ec2_call *c)
{
	const char *token = query_str(&c->in, "ClientToken");
	bool plain = true;

	if (!token)
		return NULL;
	for (const char *p = token; *p; p++)
		plain = plain && *p >= 0x20 && *p <= 0x7e;
	if (plain && strlen(token) < EC2_TOKEN_MAX)
		return token;
	query_refuse(&c->in, "InvalidParameterValue",
		     "The client token must be at most %d printable ASCII characters",
		     EC2_TOKEN_MAX - 1);
	return NULL;
}

static int digest_hex(const struct ec2_call *c, char ret[MODEL_SHA_HEX])
{
	uint8_t sum[32];
	int r;

	r = ec2_call_digest(c, digest_without, sum);
	for (size_t i = 0; r == 0 && i < sizeof(sum); i++)
		snprintf(ret + i * 2, 3, "%02x", sum[i]);
	return r;
}

static void row_key(const struct ec2_call *c, const char *token, struct client_token *ret)
{
	*ret = (struct client_token){ .created_ms = 0 };
	snprintf(ret->account, sizeof(ret->account), "%s", c->account);
	snprintf(ret->action, sizeof(ret->action), "%s", c->action);
	snprintf(ret->token, sizeof(ret->token), "%s", token);
}

static bool row_old(const struct client_token *row, uint64_t now)
{
	return row->created_ms < now && now - row->created_ms > EC2_TOKEN_KEPT_MS;
}

int token_seen(struct ec2_call *c, const char *token, char ret_result[MODEL_NAME_MAX])
{
	struct client_token row;
	char digest[MODEL_SHA_HEX];
	int r;

	row_key(c, token, &row);
	r = store_get(c->core->st, &tbl_client_tokens, &row);
	if (r == -ENOENT || (r == 0 && row_old(&row, c->core->env.now_ms(c->core->env.ptr))))
		return 0;
	if (r == 0)
		r = digest_hex(c, digest);
	if (r < 0)
		return fault_internal(&c->fault, r, "looking for the client token");
	if (strcmp(digest, row.digest) != 0)
		return ec2_refuse(c, "IdempotentParameterMismatch",
				  "The client token was used before with other parameters");
	snprintf(ret_result, MODEL_NAME_MAX, "%s", row.result);
	return 1;
}

/* Rows come oldest first. */
static int tokens_expire(struct ec2_call *c, uint64_t now)
{
	const struct client_token *row;
	struct client_token old;
	struct store_iter i;
	int r = 0;

	for (int k = 0; k < EXPIRE_AT_ONCE && r == 0; k++) {
		store_each(c->core->st, &tbl_client_tokens, &i);
		row = store_next(&i);
		if (!row || !row_old(row, now))
			break;
		old = *row;
		r = store_delete(c->core->st, &tbl_client_tokens, &old);
	}
	return r;
}

int token_keep(struct ec2_call *c, const char *token)
{
	struct client_token row;
	int r;

	row_key(c, token, &row);
	row.created_ms = c->core->env.now_ms(c->core->env.ptr);
	snprintf(row.result, sizeof(row.result), "%s", c->token_result);
	r = digest_hex(c, row.digest);
	if (r == 0)
		r = tokens_expire(c, row.created_ms);
	if (r == 0)
		r = store_put(c->core->st, &tbl_client_tokens, &row);
	return r < 0 ? fault_internal(&c->fault, r, "recording the client token") : 0;
}
