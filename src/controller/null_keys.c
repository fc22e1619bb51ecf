/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Access keys and KMS of a niterd without a host. The root of all secrets is 32 random bytes in the state directory, or
 * is forgotten with the process when there is none.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/random.h"
#include "controller/core_accounts.h"
#include "controller/core_net.h"
#include "controller/niterd.h"
#include "controller/security_null.h"
#include "keys/api_key.h"

enum { ROOT_BYTES = 32 };
#define ROOT_FILE "null-root"

static struct {
	struct security_null engine;
	struct loop_ref ref;
	bool there;
} keys;

static int root_make(int dir, uint8_t root[ROOT_BYTES])
{
	CLEANUP(fd_closep)
	int fd = openat(dir, ROOT_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return -errno;
	r = random_bytes(root, ROOT_BYTES);
	if (r == 0)
		r = fd_write_full(fd, root, ROOT_BYTES);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(dir, ROOT_FILE, 0);
	return r;
}

static int root_read(int dir, struct key **ret)
{
	CLEANUP(fd_closep) int fd = openat(dir, ROOT_FILE, O_RDONLY | O_CLOEXEC);
	uint8_t root[ROOT_BYTES];
	int r;

	if (fd < 0 && errno != ENOENT)
		return -errno;
	r = fd < 0 ? root_make(dir, root) : fd_read_full(fd, root, sizeof(root));
	if (r < 0) {
		mem_wipe(root, sizeof(root));
		return r;
	}
	return key_new_take(root, sizeof(root), ret);
}

int null_keys_init(const struct null_options *o, int state_fd, int *ret_link, int *ret_engine)
{
	CLEANUP(key_freep) struct key *root = NULL;
	int r = o->state ? root_read(state_fd, &root) : 0;

	if (r == 0)
		r = security_null_init(&keys.engine, root, ret_link);
	if (r < 0)
		return r;
	keys.there = true;
	*ret_engine = keys.engine.fd;
	return 0;
}

void null_keys_event(void)
{
	security_null_event(&keys.engine);
}

void null_keys_done(void)
{
	if (keys.there)
		security_null_done(&keys.engine);
	keys.there = false;
}

static int account_ensure(struct core *c, const char *id)
{
	struct account a = { .created_ms = c->env.now_ms(c->env.ptr) };
	struct fault f;
	struct vpc v;
	int r = 0;

	memcpy(a.id, id, sizeof(a.id));
	snprintf(a.name, sizeof(a.name), "account-%s", id);
	if (!store_find(c->st, &tbl_accounts, id))
		r = store_put(c->st, &tbl_accounts, &a);
	if (r == 0 && core_vpc_default(c, id, &v) < 0)
		r = core_vpc_default_add(c, id, &v, &f);
	return r;
}

static bool has_key(struct core *c, const char *account)
{
	struct store_iter it;

	store_each_of(c->st, &tbl_access_keys, "account", account, &it);
	return store_next(&it) != NULL;
}

static void key_print(const struct access_key *k, const uint8_t *secret)
{
	null_print(STDOUT_FILENO, "account %s\n", k->account);
	null_print(STDOUT_FILENO, "export AWS_ACCESS_KEY_ID=%s\n", k->id);
	null_print(STDOUT_FILENO, "export AWS_SECRET_ACCESS_KEY=%.*s\n", CTL_API_SECRET_BYTES,
		   (const char *)secret);
}

/* The key of the command line, whatever it was before; else one that is made once. */
static int owner_ensure(struct core *c, const struct null_owner *w)
{
	struct access_key k = { .created_ms = c->env.now_ms(c->env.ptr) };
	const struct key *api = keys.engine.vault.api;
	uint8_t secret[API_SECRET_BYTES];
	struct fault f;
	int r = account_ensure(c, w->account);

	if (r < 0 || (!w->secret && has_key(c, w->account)))
		return r;
	memcpy(k.account, w->account, sizeof(k.account));
	memcpy(k.id, w->access_key_id, sizeof(k.id));
	if (w->secret) {
		memcpy(secret, w->secret, sizeof(secret));
		r = api_key_seal(api, k.account, k.id, secret, k.sealed);
	} else {
		r = core_access_key_draw(c, w->account, &k, &f);
		if (r == 0)
			r = api_key_new(api, k.account, k.id, secret, k.sealed);
	}
	k.sealed_len = API_SEALED_BYTES;
	if (r == 0)
		r = store_put(c->st, &tbl_access_keys, &k);
	if (r == 0)
		key_print(&k, secret);
	mem_wipe(secret, sizeof(secret));
	return r;
}

int null_keys_start(struct daemon *d, const struct null_options *o)
{
	struct null_owner first = { .secret = o->secret };
	int r;

	keys.ref.type = REF_SECURITY_NULL;
	memcpy(first.account, o->account, sizeof(first.account));
	if (o->access_key_id)
		snprintf(first.access_key_id, sizeof(first.access_key_id), "%s", o->access_key_id);
	r = security_null_open(&keys.engine, &d->loop, &keys.ref);
	if (r == 0)
		r = store_begin(d->core.st);
	if (r < 0)
		return r;
	r = owner_ensure(&d->core, &first);
	for (size_t n = 0; r == 0 && n < o->owner_cnt; n++)
		r = owner_ensure(&d->core, &o->owner[n]);
	if (r == 0)
		r = store_commit(d->core.st);
	if (r < 0)
		store_rollback(d->core.st);
	return r;
}
