/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Accounts and their access keys: who may ask. An account sees its own things only, and each has a default network of
 * its own. MODEL_ACCOUNT_DEFAULT is there from the first start and stays.
 *
 * The secret of an access key is made by the security process, which needs its name first: core_account_draw() and
 * core_access_key_draw() choose names and change nothing, core_account_add() and core_access_key_add() record what
 * has come of it. Every function that changes something is one transaction.
 */

#include "controller/core.h"

enum {
	ACCOUNTS_MAX = 1000,
	ACCESS_KEYS_MAX = 10, /* of one account */
	ACCOUNT_DIGITS = 12,
	ACCESS_KEY_CHARS = 20, /* "AKIA" and 16 of A-Z 2-7 */
};

/* core_accounts_init(): once at the start, after core_net_init(). */
MUST_USE int core_accounts_init(struct core *c);

/* core_account_draw(): may an account be called that? *ret: the row to be. */
MUST_USE int core_account_draw(struct core *c, const char *name, struct account *ret,
			       struct fault *f);
/* core_access_key_draw(): one more for @account, which need not be recorded yet; @ret->sealed is left to be filled. */
MUST_USE int core_access_key_draw(struct core *c, const char *account, struct access_key *ret,
				  struct fault *f);
/* core_account_add(): with its first access key and its default network. */
MUST_USE int core_account_add(struct core *c, const struct account *a, const struct access_key *k,
			      struct fault *f);
/* core_access_key_add(): of an account that must still be there. */
MUST_USE int core_access_key_add(struct core *c, const struct access_key *k, struct fault *f);

/* core_account_find(): by id or name. */
MUST_USE int core_account_find(struct core *c, const char *ref, struct account *ret,
			       struct fault *f);
/**
 * core_account_rm() - forgets an account, its access keys and its default network
 *
 * While anything else of it is left, that is named and nothing happens. Instances that were terminated are forgotten.
 * Return: 0, -EBUSY with @f.
 */
MUST_USE int core_account_rm(struct core *c, const struct account *a, struct fault *f);
/* core_access_key_rm(): *ret: what it was. */
MUST_USE int core_access_key_rm(struct core *c, const char *id, struct access_key *ret,
				struct fault *f);
