/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/vault_null.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/kdf.h"

enum { ROOT_BYTES = 32, STATE_DESTROYED = 0 };

/* Return: its place, or known_cnt. */
static size_t known_find(const struct vault_null *v, const uint8_t id[KMS_ID_BYTES])
{
	size_t i;

	for (i = 0; i < v->known_cnt; i++)
		if (memcmp(v->known[i].id, id, KMS_ID_BYTES) == 0)
			return i;
	return i;
}

static int known_set(struct vault_null *v, const uint8_t id[KMS_ID_BYTES], uint8_t state)
{
	size_t i = known_find(v, id);

	if (state == CTL_KMS_ENABLED) {
		if (i < v->known_cnt)
			v->known[i] = v->known[--v->known_cnt];
		return 0;
	}
	if (i == VAULT_NULL_KEYS_MAX)
		return -ENOSPC;
	memcpy(v->known[i].id, id, KMS_ID_BYTES);
	v->known[i].state = state;
	v->known_cnt += i == v->known_cnt;
	return 0;
}

static uint8_t state_of(const struct vault_null *v, const uint8_t id[KMS_ID_BYTES])
{
	size_t i = known_find(v, id);

	return i < v->known_cnt ? v->known[i].state : CTL_KMS_ENABLED;
}

static int null_create(void *ptr, UNUSED const char *account, const uint8_t id[KMS_ID_BYTES])
{
	return known_set(ptr, id, CTL_KMS_ENABLED);
}

static int null_read(void *ptr, const char *account, const uint8_t id[KMS_ID_BYTES],
		     enum ctl_kms_state *ret_state, struct key **ret)
{
	static const char name[] = "niter/null-kms-material/v1";
	struct vault_null *v = ptr;
	uint8_t b[96], state = state_of(v, id);
	struct wr info = wr_init(b, sizeof(b));

	if (state == STATE_DESTROYED)
		return -ENOENT;
	wr_bytes(&info, name, sizeof(name) - 1);
	wr_u8(&info, (uint8_t)strlen(account));
	wr_bytes(&info, account, strlen(account));
	wr_bytes(&info, id, KMS_ID_BYTES);
	if (info.bad)
		return -EINVAL;
	*ret_state = (enum ctl_kms_state)state;
	return kdf_hkdf_sha384(v->root, NULL, 0, b, info.len, KMS_MATERIAL_BYTES, ret);
}

static int null_set_state(void *ptr, UNUSED const char *account, const uint8_t id[KMS_ID_BYTES],
			  enum ctl_kms_state state)
{
	if (state_of(ptr, id) == STATE_DESTROYED)
		return -ENOENT;
	return known_set(ptr, id, (uint8_t)state);
}

static int null_destroy(void *ptr, UNUSED const char *account, const uint8_t id[KMS_ID_BYTES])
{
	return known_set(ptr, id, STATE_DESTROYED);
}

int vault_null_init(struct vault_null *v, const struct key *root)
{
	static const char api[] = "niter/null-api-keys/v1", kms[] = "niter/null-kms/v1";
	int r;

	memset(v, 0, sizeof(*v));
	v->vault = (struct keys_vault){ .create = null_create,
					.read = null_read,
					.set_state = null_set_state,
					.destroy = null_destroy,
					.ptr = v };
	if (key_len(root) != ROOT_BYTES)
		return -EINVAL;
	r = kdf_hkdf_sha384(root, NULL, 0, api, sizeof(api) - 1, ROOT_BYTES, &v->api);
	if (r == 0)
		r = kdf_hkdf_sha384(root, NULL, 0, kms, sizeof(kms) - 1, ROOT_BYTES, &v->root);
	if (r < 0)
		vault_null_done(v);
	return r;
}

void vault_null_done(struct vault_null *v)
{
	key_freep(&v->api);
	key_freep(&v->root);
}
