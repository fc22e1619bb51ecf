/* SPDX-License-Identifier: Apache-2.0 */
#include "security/tree.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/kdf.h"

static int tree_derive(const struct key *from, const char *name, const char *context,
		       struct key **ret)
{
	uint8_t b[64];
	struct wr info = wr_init(b, sizeof(b));

	wr_bytes(&info, name, strlen(name));
	if (context) {
		wr_u8(&info, (uint8_t)strlen(context));
		wr_bytes(&info, context, strlen(context));
	}
	if (info.bad)
		return -EINVAL;
	return kdf_hkdf_sha384(from, NULL, 0, b, info.len, TREE_KEY_BYTES, ret);
}

int tree_init(struct tree *t, const struct key *root)
{
	struct tree new = { 0 };
	int r;

	r = tree_derive(root, "niter/store/v1", NULL, &new.store);
	if (r == 0)
		r = tree_derive(root, "niter/log/v1", NULL, &new.log);
	if (r == 0)
		r = tree_derive(root, "niter/identity/v1", NULL, &new.identity);
	if (r == 0)
		r = tree_derive(root, "niter/kms-store/v1", NULL, &new.kms);
	if (r == 0)
		r = tree_derive(root, "niter/api-keys/v1", NULL, &new.api);
	if (r == 0)
		r = tree_derive(root, "niter/accounts/v1", NULL, &new.accounts);
	if (r < 0) {
		tree_done(&new);
		return r;
	}
	*t = new;
	return 0;
}

void tree_done(struct tree *t)
{
	key_freep(&t->store);
	key_freep(&t->log);
	key_freep(&t->identity);
	key_freep(&t->kms);
	key_freep(&t->api);
	key_freep(&t->accounts);
}

int tree_account_key(const struct tree *t, const char *account, struct key **ret)
{
	if (!tree_id_ok(account))
		return -EINVAL;
	return tree_derive(t->accounts, "niter/account/v1", account, ret);
}

int tree_id_ok(const char *id)
{
	size_t len = strnlen(id, TREE_ID_MAX);

	if (!len || len == TREE_ID_MAX)
		return 0;
	return strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}
