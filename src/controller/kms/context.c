/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/kms/context.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/hash.h"

static const char name[] = "niter/kms-context/v1";

enum { BUF_BYTES = sizeof(name) + 4 + KMS_CONTEXT_PAIRS_MAX * 8 + KMS_CONTEXT_BYTES_MAX };

struct pair {
	const char *key, *value;
	size_t value_len;
};

/* By bytes; names of one object differ. */
static int pair_cmp(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	return strcmp(x->key, y->key);
}

static int pairs_read(json_t *o, struct pair *pair, size_t *ret_cnt)
{
	size_t cnt = 0, bytes = 0;
	const char *key;
	json_t *v;

	json_object_foreach(o, key, v)
	{
		if (!json_is_string(v))
			return -EINVAL;
		bytes += strlen(key) + json_string_length(v);
		if (cnt == KMS_CONTEXT_PAIRS_MAX || bytes > KMS_CONTEXT_BYTES_MAX)
			return -E2BIG;
		pair[cnt++] = (struct pair){ key, json_string_value(v), json_string_length(v) };
	}
	*ret_cnt = cnt;
	return 0;
}

int kms_context_digest(json_t *o, uint8_t ret[KMS_CONTEXT_DIGEST])
{
	struct pair pair[KMS_CONTEXT_PAIRS_MAX];
	CLEANUP(free_p) uint8_t *b = NULL;
	size_t cnt = 0;
	struct wr out;
	int r;

	_Static_assert((int)KMS_CONTEXT_DIGEST == (int)HASH_SHA256_BYTES, "");
	if (o) {
		if (!json_is_object(o))
			return -EINVAL;
		r = pairs_read(o, pair, &cnt);
		if (r < 0)
			return r;
		qsort(pair, cnt, sizeof(pair[0]), pair_cmp);
	}
	b = malloc(BUF_BYTES);
	if (!b)
		return -ENOMEM;
	out = wr_init(b, BUF_BYTES);
	wr_bytes(&out, name, sizeof(name) - 1);
	wr_le32(&out, (uint32_t)cnt);
	for (size_t k = 0; k < cnt; k++) {
		wr_le32(&out, (uint32_t)strlen(pair[k].key));
		wr_bytes(&out, pair[k].key, strlen(pair[k].key));
		wr_le32(&out, (uint32_t)pair[k].value_len);
		wr_bytes(&out, pair[k].value, pair[k].value_len);
	}
	return out.bad ? -EIO : hash_sha256(b, out.len, ret);
}
