/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core_accounts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "controller/core_net.h"
#include "controller/ids.h"

#define ACCOUNT_FIRST 100000000000U /* the smallest number of twelve digits */
#define ACCOUNT_CNT 900000000000U
enum { KEY_RANDOM_BYTES = 10, DRAWS_MAX = 16 };

static uint64_t now_ms(struct core *c)
{
	return c->env.now_ms(c->env.ptr);
}

int core_accounts_init(struct core *c)
{
	const struct account def = { .id = MODEL_ACCOUNT_DEFAULT,
				     .name = "default",
				     .created_ms = now_ms(c) };

	return store_find(c->st, &tbl_accounts, def.id) ? 0 : store_put(c->st, &tbl_accounts, &def);
}

/* Numbers are not given twice; a store that held them all would be full long before. */
static int account_id(struct core *c, char ret[CTL_ID_MAX])
{
	uint8_t rnd[8];
	int r = 0;

	for (unsigned k = 0; r == 0 && k < DRAWS_MAX; k++) {
		r = c->env.random(c->env.ptr, rnd, sizeof(rnd));
		snprintf(ret, CTL_ID_MAX, "%llu",
			 (unsigned long long)(ACCOUNT_FIRST + le64_load(rnd) % ACCOUNT_CNT));
		if (r == 0 && !store_find(c->st, &tbl_accounts, ret))
			return 0;
	}
	return r < 0 ? r : -EEXIST;
}

static int key_id(struct core *c, char ret[CTL_ID_MAX])
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	uint8_t rnd[KEY_RANDOM_BYTES];
	int r = 0;

	for (unsigned k = 0; r == 0 && k < DRAWS_MAX; k++) {
		char *p = ret + snprintf(ret, CTL_ID_MAX, "AKIA");
		unsigned bits = 0, have = 0;

		r = c->env.random(c->env.ptr, rnd, sizeof(rnd));
		for (size_t i = 0; i < sizeof(rnd); i++) {
			bits = (bits << 8 | rnd[i]) & 0xffff;
			for (have += 8; have >= 5; have -= 5)
				*p++ = alphabet[bits >> (have - 5) & 31];
		}
		*p = '\0';
		if (r == 0 && !store_find(c->st, &tbl_access_keys, ret))
			return 0;
	}
	return r < 0 ? r : -EEXIST;
}

static const struct account *account_named(struct core *c, const char *name)
{
	const struct account *a;
	struct store_iter it;

	store_each(c->st, &tbl_accounts, &it);
	while ((a = store_next(&it)))
		if (strcmp(a->name, name) == 0)
			return a;
	return NULL;
}

static int name_check(struct core *c, const char *name, struct fault *f)
{
	const struct account *old;
	bool digits = name[strspn(name, "0123456789")] == '\0';

	if (!name_valid(name) || digits)
		return fault_set(f, EINVAL, "InvalidParameterValue",
				 "use up to 63 letters, digits, dots, dashes and underscores, not "
				 "digits alone",
				 "an account cannot have that name");
	old = account_named(c, name);
	if (old)
		return fault_set(f, EEXIST, "InvalidParameterValue", "see niter account ls",
				 "account %s is called \"%s\" already", old->id, name);
	if (store_cnt(c->st, &tbl_accounts) >= ACCOUNTS_MAX)
		return fault_set(f, EDQUOT, "ResourceLimitExceeded",
				 "remove one with niter account rm",
				 "there can be at most %d accounts", ACCOUNTS_MAX);
	return 0;
}

int core_account_draw(struct core *c, const char *name, struct account *ret, struct fault *f)
{
	struct account a = { .created_ms = now_ms(c) };
	int r = name_check(c, name, f);

	if (r < 0)
		return r;
	snprintf(a.name, sizeof(a.name), "%s", name);
	r = account_id(c, a.id);
	if (r < 0)
		return fault_internal(f, r, "choosing an account's number");
	*ret = a;
	return 0;
}

static int keys_check(struct core *c, const char *account, struct fault *f)
{
	struct store_iter it;
	size_t cnt = 0;

	store_each_of(c->st, &tbl_access_keys, "account", account, &it);
	while (store_next(&it))
		cnt++;
	if (cnt < ACCESS_KEYS_MAX)
		return 0;
	return fault_set(f, EDQUOT, "ResourceLimitExceeded", "remove one with niter account key rm",
			 "an account can have at most %d access keys", ACCESS_KEYS_MAX);
}

int core_access_key_draw(struct core *c, const char *account, struct access_key *ret,
			 struct fault *f)
{
	struct access_key k = { .created_ms = now_ms(c) };
	int r = keys_check(c, account, f);

	if (r < 0)
		return r;
	snprintf(k.account, sizeof(k.account), "%s", account);
	r = key_id(c, k.id);
	if (r < 0)
		return fault_internal(f, r, "choosing an access key's name");
	*ret = k;
	return 0;
}

static int add(struct core *c, const struct account *a, const struct access_key *k, struct fault *f)
{
	struct vpc v;
	int r = 0;

	/* Somebody else may have been faster since the names were drawn. */
	if (a)
		r = name_check(c, a->name, f);
	else if (!store_find(c->st, &tbl_accounts, k->account))
		r = fault_set(f, ENOENT, "InvalidParameterValue", "see niter account ls",
			      "account %s has been removed", k->account);
	else
		r = keys_check(c, k->account, f);
	if (r < 0)
		return r;
	if (a)
		r = store_put(c->st, &tbl_accounts, a);
	if (r == 0)
		r = store_put(c->st, &tbl_access_keys, k);
	if (r < 0)
		return fault_internal(f, r, "recording the account");
	return a ? core_vpc_default_add(c, a->id, &v, f) : 0;
}

static int add_transact(struct core *c, const struct account *a, const struct access_key *k,
			struct fault *f)
{
	int r = store_begin(c->st);

	if (r < 0)
		return fault_internal(f, r, "beginning");
	r = add(c, a, k, f);
	if (r == 0) {
		r = store_commit(c->st);
		if (r < 0)
			r = fault_internal(f, r, "recording the account");
	}
	if (r < 0)
		store_rollback(c->st);
	return r;
}

int core_account_add(struct core *c, const struct account *a, const struct access_key *k,
		     struct fault *f)
{
	return add_transact(c, a, k, f);
}

int core_access_key_add(struct core *c, const struct access_key *k, struct fault *f)
{
	return add_transact(c, NULL, k, f);
}

int core_account_find(struct core *c, const char *ref, struct account *ret, struct fault *f)
{
	const struct account *a = store_find(c->st, &tbl_accounts, ref);
	char safe[MODEL_NAME_MAX * 4];

	if (!a)
		a = account_named(c, ref);
	if (!a) {
		log_escape(safe, sizeof(safe), ref, strlen(ref));
		return fault_set(f, ENOENT, "InvalidParameterValue",
				 "run niter account ls to see those there are",
				 "there is no account \"%s\"", safe);
	}
	*ret = *a;
	return 0;
}

static int left(const char *what, const char *id, const char *remedy, struct fault *f)
{
	return fault_set(f, EBUSY, "DependencyViolation", remedy, "the account still has %s %s",
			 what, id);
}

/* Instances, what they are made of, and keys: what an account must have given up. */
static int things_check(struct core *c, const char *account, struct fault *f)
{
	const struct instance *i;
	const struct volume *v;
	const struct image *m;
	const struct key_pair *p;
	const struct kms_key *k;
	struct store_iter it;

	store_each_of(c->st, &tbl_instances, "account", account, &it);
	while ((i = store_next(&it)))
		if (i->state != INSTANCE_TERMINATED)
			return left("instance", i->id, "terminate it first", f);
	store_each_of(c->st, &tbl_volumes, "account", account, &it);
	if ((v = store_next(&it)))
		return left("volume", v->id, "delete it first", f);
	store_each_of(c->st, &tbl_images, "account", account, &it);
	if ((m = store_next(&it)))
		return left("image", m->id, "remove it first", f);
	store_each_of(c->st, &tbl_key_pairs, "account", account, &it);
	if ((p = store_next(&it)))
		return left("key pair", p->id, "delete it first", f);
	store_each_of(c->st, &tbl_kms_keys, "account", account, &it);
	while ((k = store_next(&it)))
		if (!k->by_service)
			return left("KMS key", k->id, "schedule its deletion and wait for it", f);
	return 0;
}

/* Networks: everything but the default one as it was made. */
static int networks_check(struct core *c, const char *account, struct fault *f)
{
	const struct interface *n;
	const struct vpc *v;
	const struct group *g;
	struct store_iter it;

	store_each_of(c->st, &tbl_interfaces, "account", account, &it);
	if ((n = store_next(&it)))
		return left("network interface", n->id, "delete it first", f);
	store_each_of(c->st, &tbl_vpcs, "account", account, &it);
	while ((v = store_next(&it)))
		if (!v->is_default)
			return left("network", v->id, "delete it first", f);
	store_each_of(c->st, &tbl_groups, "account", account, &it);
	while ((g = store_next(&it)))
		if (strcmp(g->name, "default") != 0)
			return left("security group", g->id, "delete it first", f);
	return 0;
}

/* The default network, with subnets that are empty now. */
static int network_drop(struct core *c, const char *account, struct fault *f)
{
	const struct subnet *s;
	struct store_iter it;
	struct subnet row;
	struct vpc v;
	int r = 0;

	if (core_vpc_default(c, account, &v) < 0)
		return 0;
	for (;;) {
		store_each_of(c->st, &tbl_subnets, "vpc_id", v.id, &it);
		s = store_next(&it);
		if (!s)
			break;
		row = *s;
		r = core_subnet_rm(c, &row, f);
		if (r < 0)
			return r;
	}
	return core_vpc_rm(c, &v, f);
}

/* Every row of @t that is the account's. */
static int rows_drop(struct core *c, const struct store_table *t, const char *account)
{
	static union { /* big; one thread */
		struct instance i;
		struct access_key k;
		struct client_token token;
		struct tag tag;
		struct kms_key kms;
	} row;
	static const size_t bytes[] = { sizeof(row.i), sizeof(row.k), sizeof(row.token),
					sizeof(row.tag), sizeof(row.kms) };
	const struct store_table *const tables[] = { &tbl_instances, &tbl_access_keys,
						     &tbl_client_tokens, &tbl_tags, &tbl_kms_keys };
	struct store_iter it;
	const void *p;
	size_t which = 0;
	int r;

	while (tables[which] != t)
		must(++which < ARRAY_SIZE(tables));
	for (;;) {
		store_each_of(c->st, t, "account", account, &it);
		p = store_next(&it);
		if (!p)
			return 0;
		memcpy(&row, p, bytes[which]);
		r = store_delete(c->st, t, &row);
		if (r < 0)
			return r;
	}
}

static int drop(struct core *c, const struct account *a, struct fault *f)
{
	int r = network_drop(c, a->id, f);

	if (r < 0)
		return r;
	r = rows_drop(c, &tbl_instances, a->id);
	if (r == 0)
		r = rows_drop(c, &tbl_access_keys, a->id);
	if (r == 0)
		r = rows_drop(c, &tbl_client_tokens, a->id);
	if (r == 0)
		r = rows_drop(c, &tbl_tags, a->id);
	if (r == 0)
		r = rows_drop(c, &tbl_kms_keys, a->id);
	if (r == 0)
		r = store_delete(c->st, &tbl_accounts, a);
	return r < 0 ? fault_internal(f, r, "forgetting the account") : 0;
}

int core_account_rm(struct core *c, const struct account *a, struct fault *f)
{
	int r;

	if (strcmp(a->id, MODEL_ACCOUNT_DEFAULT) == 0)
		return fault_set(f, EBUSY, "OperationNotPermitted", NULL,
				 "account %s is the host's own and stays", a->id);
	r = things_check(c, a->id, f);
	if (r == 0)
		r = networks_check(c, a->id, f);
	if (r < 0)
		return r;
	r = store_begin(c->st);
	if (r < 0)
		return fault_internal(f, r, "beginning");
	r = drop(c, a, f);
	if (r == 0) {
		r = store_commit(c->st);
		if (r < 0)
			r = fault_internal(f, r, "forgetting the account");
	}
	if (r < 0)
		store_rollback(c->st);
	return r;
}

int core_access_key_rm(struct core *c, const char *id, struct access_key *ret, struct fault *f)
{
	const struct access_key *k = store_find(c->st, &tbl_access_keys, id);
	char safe[MODEL_NAME_MAX * 4];
	int r;

	if (!k) {
		log_escape(safe, sizeof(safe), id, strlen(id));
		return fault_set(f, ENOENT, "InvalidParameterValue",
				 "run niter account ls to see those there are",
				 "there is no access key \"%s\"", safe);
	}
	*ret = *k;
	r = store_delete(c->st, &tbl_access_keys, ret);
	return r < 0 ? fault_internal(f, r, "forgetting the access key") : 0;
}
