/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Pages. A token is base64 of: version (1 byte), time of the last object (8), length of its id (2), the id, and the
 * first 16 bytes of an HMAC of that and of what was asked. The key is made once per database and kept in it, so
 * tokens outlive a restart.
 */

#include "controller/ec2/page.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "controller/base64.h"
#include "controller/ec2/call_priv.h"
#include "crypto/hash.h"

enum {
	TOKEN_VERSION = 1,
	TOKEN_HEAD = 11,
	TOKEN_MAC = 16,
	TOKEN_MAX = TOKEN_HEAD + PAGE_ID_MAX + TOKEN_MAC,
};

#define PAGE_KEY "page-key"

static const char *const digest_without[] = { "MaxResults", "NextToken", NULL };

static int key_make(struct core *core, struct setting *s)
{
	uint8_t raw[32];
	int r;

	snprintf(s->name, sizeof(s->name), "%s", PAGE_KEY);
	r = core->env.random(core->env.ptr, raw, sizeof(raw));
	for (size_t i = 0; r == 0 && i < sizeof(raw); i++)
		snprintf(s->value + i * 2, 3, "%02x", raw[i]);
	return r < 0 ? r : store_put(core->st, &tbl_settings, s);
}

/* The key: the text of a setting, made when it is needed first. */
static int key_get(struct core *core, struct key **ret)
{
	const struct setting *s = store_find(core->st, &tbl_settings, PAGE_KEY);
	struct setting made = { .name = "" };
	int r = 0;

	if (!s) {
		r = key_make(core, &made);
		s = &made;
	}
	return r < 0 ? r : key_new_from(s->value, strlen(s->value), ret);
}

/* HMAC-SHA-256 of the head of a token and of what was asked. */
static int token_mac(struct ec2_call *c, const uint8_t *token, size_t len, const uint8_t digest[32],
		     uint8_t ret[HASH_SHA256_BYTES])
{
	CLEANUP(key_freep) struct key *k = NULL;
	uint8_t msg[TOKEN_MAX + 32];
	int r;

	r = key_get(c->core, &k);
	if (r < 0)
		return r;
	memcpy(msg, digest, 32);
	memcpy(msg + 32, token, len);
	return hash_hmac_sha256(k, msg, 32 + len, ret);
}

static int refuse_token(struct ec2_call *c)
{
	return ec2_refuse(c, "InvalidNextToken", "The token is not one of this request");
}

static int token_open(struct ec2_call *c, struct page *p, const char *text)
{
	uint8_t raw[TOKEN_MAX], mac[HASH_SHA256_BYTES];
	ssize_t len = base64_decode(text, raw, sizeof(raw));
	size_t id_len;
	int r;

	if (len < TOKEN_HEAD + TOKEN_MAC || raw[0] != TOKEN_VERSION)
		return refuse_token(c);
	id_len = le16_load(raw + 9);
	if (id_len >= sizeof(p->after_id) || (size_t)len != TOKEN_HEAD + id_len + TOKEN_MAC)
		return refuse_token(c);
	r = token_mac(c, raw, TOKEN_HEAD + id_len, p->digest, mac);
	if (r < 0)
		return fault_internal(&c->fault, r, "checking the token");
	if (!mem_equal_ct(mac, raw + TOKEN_HEAD + id_len, TOKEN_MAC))
		return refuse_token(c);
	p->after = true;
	p->after_ms = le64_load(raw + 1);
	memcpy(p->after_id, raw + TOKEN_HEAD, id_len);
	p->after_id[id_len] = '\0';
	return 0;
}

int page_begin(struct ec2_call *c, struct page *p, uint64_t min, uint64_t max)
{
	const char *token = query_str(&c->in, "NextToken");
	int r;

	*p = (struct page){ .max = query_u64(&c->in, "MaxResults", min, max, 0) };
	if (query_failed(&c->q))
		return -EINVAL;
	if (p->max == 0 && !token)
		return 0;
	r = ec2_call_digest(c, digest_without, p->digest);
	if (r < 0)
		return fault_internal(&c->fault, r, "reading the request");
	return token ? token_open(c, p, token) : 0;
}

bool page_take(struct page *p, uint64_t created_ms, const char *id)
{
	if (p->after) {
		if (created_ms < p->after_ms ||
		    (created_ms == p->after_ms && strcmp(id, p->after_id) <= 0))
			return false;
	}
	if (p->max > 0 && p->taken == p->max) {
		p->more = true;
		return false;
	}
	p->taken++;
	p->last_ms = created_ms;
	snprintf(p->last_id, sizeof(p->last_id), "%s", id);
	return true;
}

bool page_full(const struct page *p)
{
	return p->more;
}

void page_end(struct ec2_call *c, struct page *p)
{
	uint8_t raw[TOKEN_MAX], mac[HASH_SHA256_BYTES];
	size_t id_len = strlen(p->last_id);

	if (!p->more)
		return;
	raw[0] = TOKEN_VERSION;
	le64_store(raw + 1, p->last_ms);
	le16_store(raw + 9, (uint16_t)id_len);
	memcpy(raw + TOKEN_HEAD, p->last_id, id_len);
	if (token_mac(c, raw, TOKEN_HEAD + id_len, p->digest, mac) < 0) {
		c->out.failed = true; /* an answer without its token would look whole */
		return;
	}
	memcpy(raw + TOKEN_HEAD + id_len, mac, TOKEN_MAC);
	xml_base64(&c->out, "nextToken", raw, TOKEN_HEAD + id_len + TOKEN_MAC);
}
