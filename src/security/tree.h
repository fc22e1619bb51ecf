/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The key tree: root key → store key, log key, identity key, KMS store key, access key key, account keys. Each by HKDF-SHA-384 with an own name, so none of
 * them says anything about another. The root key itself is not kept.
 */

#include "base/attr.h"
#include "crypto/key.h"

enum {
	TREE_KEY_BYTES = 32,
	TREE_ID_MAX = 24, /* volume and account ids, NUL included */
};

struct tree {
	struct key *store, *log;
	struct key *identity; /* seals identity.sealed */
	struct key *kms;      /* of kms.store */
	struct key *api;      /* seals the secrets of access keys */
	struct key *accounts; /* parent of the account keys */
};

/* tree_init(): @root stays the caller's. Return: 0, -ENOMEM, -EIO. */
MUST_USE int tree_init(struct tree *t, const struct key *root);
void tree_done(struct tree *t);

/* tree_account_key(): of one account. @account: 1..TREE_ID_MAX-1 characters. Return: 0 and *ret (owned), -errno. */
MUST_USE int tree_account_key(const struct tree *t, const char *account, struct key **ret);

/* tree_id_ok(): 1..TREE_ID_MAX-1 of [a-z0-9-]: what ids of volumes, accounts and instances are made of. */
MUST_USE int tree_id_ok(const char *id);
