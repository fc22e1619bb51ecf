/* SPDX-License-Identifier: Apache-2.0 */

/*
 * account.*: who may use the EC2 API. A secret access key is in one answer and nowhere else; the security process makes
 * it, so those answers wait for it, and only then is anything recorded.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "controller/core_accounts.h"
#include "controller/front/auth.h"
#include "controller/front/front.h"
#include "controller/niterd.h"

/* What was asked of the security process. The client may be gone when it answers. */
struct asked {
	struct daemon *d;
	uint32_t seq;        /* op.seq of who waits */
	bool fresh;          /* the account is made along with its key */
	struct account a;    /* fresh */
	struct access_key k; /* without its secret */
};

static uint32_t last_seq;

static struct conn *who_waits(const struct asked *q)
{
	for (size_t k = 0; k < ARRAY_SIZE(q->d->conn); k++) {
		struct conn *c = q->d->conn[k];

		if (c && !c->broken && c->op.kind == OP_ACCOUNT && c->op.seq == q->seq)
			return c;
	}
	return NULL;
}

static json_t *json_of_key(const struct access_key *k)
{
	return json_pack("{s:s,s:I}", "id", k->id, "created_ms", (json_int_t)k->created_ms);
}

static json_t *json_of_account(struct daemon *d, const struct account *a)
{
	json_t *keys = json_array();
	const struct access_key *k;
	struct store_iter it;

	store_each_of(d->core.st, &tbl_access_keys, "account", a->id, &it);
	while ((k = store_next(&it)))
		(void)json_array_append_new(keys, json_of_key(k));
	return json_pack("{s:s,s:s,s:I,s:o}", "id", a->id, "name", a->name, "created_ms",
			 (json_int_t)a->created_ms, "access_keys", keys);
}

/* The one answer that holds a secret. */
static void secret_answer(struct conn *c, const struct asked *q, const char *secret)
{
	const struct account *a = store_find(c->d->core.st, &tbl_accounts, q->k.account);
	char address[FRONT_ADDRESS_MAX];

	front_address(c->d, address);
	conn_result(c, json_pack("{s:o*,s:s,s:s,s:s,s:s}", "account",
				 a ? json_of_account(c->d, a) : NULL, "access_key_id", q->k.id,
				 "secret_access_key", secret, "region", c->d->core.place.region,
				 "api", address));
}

static int record(struct asked *q, const struct ctl_api_key *m, struct fault *f)
{
	int r;

	if (m->err < 0)
		return fault_internal(f, m->err, "making a secret access key");
	if (m->secret.len != CTL_API_SECRET_BYTES || m->sealed.len > sizeof(q->k.sealed))
		return fault_internal(f, EPROTO, "making a secret access key");
	memcpy(q->k.sealed, m->sealed.b, m->sealed.len);
	q->k.sealed_len = (uint16_t)m->sealed.len;
	if (!q->fresh)
		return core_access_key_add(&q->d->core, &q->k, f);
	r = core_account_add(&q->d->core, &q->a, &q->k, f);
	q->d->net_dirty = r == 0 || q->d->net_dirty;
	return r;
}

static void made(void *ptr, int err, const struct ctl_msg *m)
{
	struct asked *q = ptr;
	struct conn *c = who_waits(q);
	char secret[CTL_API_SECRET_BYTES + 1] = "";
	struct fault f;
	int r = err;

	/* Nobody would ever know the secret: then there is no key either. */
	if (!c) {
		free(q);
		return;
	}
	turn_end(q->d);
	if (err < 0)
		(void)!fault_set(&f, EAGAIN, "ServiceUnavailable", "see niter host status",
				 "the security process does not answer");
	else
		r = record(q, &m->u.api_key, &f);
	if (r < 0) {
		conn_fault(c, &f);
	} else {
		memcpy(secret, m->u.api_key.secret.b, CTL_API_SECRET_BYTES);
		log_info("account.key", "account=%s key=%s", q->k.account, q->k.id);
		secret_answer(c, q, secret);
	}
	mem_wipe(secret, sizeof(secret));
	free(q);
}

/* Asks for the secret of *draft; the answer comes later. */
static void secret_ask(struct conn *c, const struct asked *draft)
{
	struct ctl_api_key_create m = { .account_id = "" };
	struct asked *q = malloc(sizeof(*q));
	struct fault f;
	int r = q ? 0 : -ENOMEM;

	if (q) {
		*q = *draft;
		q->d = c->d;
		q->seq = ++last_seq;
		memcpy(m.account_id, q->k.account, sizeof(m.account_id));
		memcpy(m.access_key_id, q->k.id, sizeof(m.access_key_id));
		c->op.kind = OP_ACCOUNT;
		c->op.seq = q->seq;
		r = security_link_ask(&c->d->security, CTL_API_KEY_CREATE, &m, made, q);
	}
	if (r == 0)
		return;
	free(q);
	if (r == -ENOTCONN)
		(void)!fault_set(&f, ENOTCONN, "ServiceUnavailable", "see niter host status",
				 "there is no security process to make a secret access key");
	else
		(void)!fault_internal(&f, r, "asking the security process");
	conn_fault(c, &f);
}

void account_create(struct conn *c, const json_t *params)
{
	char name[MODEL_NAME_MAX] = "";
	const struct param table[] = { { "name", PARAM_TEXT, true, name, sizeof(name) } };
	struct asked q = { .fresh = true };
	struct fault f;

	if (!params_take(c, params, table, ARRAY_SIZE(table)))
		return;
	if (core_account_draw(&c->d->core, name, &q.a, &f) < 0 ||
	    core_access_key_draw(&c->d->core, q.a.id, &q.k, &f) < 0) {
		conn_fault(c, &f);
		return;
	}
	secret_ask(c, &q);
}

void account_list(struct conn *c, const json_t *params)
{
	const struct account *a;
	struct store_iter it;
	json_t *all;

	if (!params_take(c, params, NULL, 0))
		return;
	all = json_array();
	store_each(c->d->core.st, &tbl_accounts, &it);
	while ((a = store_next(&it)))
		(void)json_array_append_new(all, json_of_account(c->d, a));
	conn_result(c, json_pack("{s:o}", "accounts", all));
}

/* The material of what was the account's own KMS key is of no use to anybody now. */
static void kms_dropped(UNUSED void *ptr, int err, const struct ctl_msg *m)
{
	if (err == 0)
		err = m->u.kms_answer.err;
	if (err < 0)
		log_warn("account.kms_key", "err=%d text=\"not destroyed\"", err);
}

static void account_forgotten(struct conn *c, const struct account *a, struct ctl_kms_key *kms,
			      const struct access_key *keys, size_t key_cnt)
{
	for (size_t k = 0; k < key_cnt; k++)
		auth_forget(c->d, keys[k].id);
	if (kms->key_id[0] &&
	    security_link_ask(&c->d->security, CTL_KMS_KEY_DESTROY, kms, kms_dropped, NULL) < 0)
		log_warn("account.kms_key", "key=%s text=\"not destroyed\"", kms->key_id);
	log_info("account.removed", "account=%s", a->id);
	c->d->net_dirty = true;
	conn_result(c, json_pack("{s:s}", "removed", a->id));
}

void account_rm(struct conn *c, const json_t *params)
{
	char ref[MODEL_NAME_MAX] = "";
	const struct param table[] = { { "account", PARAM_TEXT, true, ref, sizeof(ref) } };
	struct access_key keys[ACCESS_KEYS_MAX];
	struct ctl_kms_key kms = { .key_id = "" };
	const struct kms_key *own;
	const struct access_key *k;
	struct store_iter it;
	struct account a;
	struct fault f;
	size_t cnt = 0;

	if (!params_take(c, params, table, ARRAY_SIZE(table)))
		return;
	if (core_account_find(&c->d->core, ref, &a, &f) < 0) {
		conn_fault(c, &f);
		return;
	}
	store_each_of(c->d->core.st, &tbl_access_keys, "account", a.id, &it);
	while (cnt < ARRAY_SIZE(keys) && (k = store_next(&it)))
		keys[cnt++] = *k;
	store_each_of(c->d->core.st, &tbl_kms_keys, "account", a.id, &it);
	while ((own = store_next(&it))) {
		snprintf(kms.account_id, sizeof(kms.account_id), "%s", a.id);
		snprintf(kms.key_id, sizeof(kms.key_id), "%s", own->id);
	}
	if (core_account_rm(&c->d->core, &a, &f) < 0)
		conn_fault(c, &f);
	else
		account_forgotten(c, &a, &kms, keys, cnt);
}

void account_key_create(struct conn *c, const json_t *params)
{
	char ref[MODEL_NAME_MAX] = "";
	const struct param table[] = { { "account", PARAM_TEXT, true, ref, sizeof(ref) } };
	struct asked q = { .fresh = false };
	struct account a;
	struct fault f;

	if (!params_take(c, params, table, ARRAY_SIZE(table)))
		return;
	if (core_account_find(&c->d->core, ref, &a, &f) < 0 ||
	    core_access_key_draw(&c->d->core, a.id, &q.k, &f) < 0) {
		conn_fault(c, &f);
		return;
	}
	secret_ask(c, &q);
}

void account_key_rm(struct conn *c, const json_t *params)
{
	char id[MODEL_NAME_MAX] = "";
	const struct param table[] = { { "access_key_id", PARAM_TEXT, true, id, sizeof(id) } };
	struct access_key gone;
	struct fault f;

	if (!params_take(c, params, table, ARRAY_SIZE(table)))
		return;
	if (core_access_key_rm(&c->d->core, id, &gone, &f) < 0) {
		conn_fault(c, &f);
		return;
	}
	auth_forget(c->d, gone.id);
	log_info("account.key_removed", "account=%s key=%s", gone.account, gone.id);
	conn_result(c, json_pack("{s:s}", "removed", gone.id));
}
