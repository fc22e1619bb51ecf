/* SPDX-License-Identifier: Apache-2.0 */

/* What a request asks for, as one number: for client tokens and for the tokens of pages. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "controller/ec2/call_priv.h"
#include "crypto/hash.h"

static bool name_left_out(const char *name, const char *const *left_out)
{
	if (strncmp(name, "X-Amz-", 6) == 0)
		return true;
	for (; *left_out; left_out++)
		if (strcmp(name, *left_out) == 0)
			return true;
	return false;
}

static uint8_t *text_add(uint8_t *out, const char *s)
{
	size_t len = strlen(s);

	le32_store(out, (uint32_t)len);
	memcpy(out + 4, s, len);
	return out + 4 + len;
}

int ec2_call_digest(const struct ec2_call *c, const char *const *left_out, uint8_t ret[32])
{
	CLEANUP(free_p) uint8_t *buf = NULL;
	size_t len = 4 + strlen(c->account);
	uint8_t *out;

	for (size_t i = 0; i < c->q.cnt; i++)
		len += 8 + strlen(c->q.param[i].name) + strlen(c->q.param[i].value);
	buf = malloc(len);
	if (!buf)
		return -ENOMEM;
	out = text_add(buf, c->account);
	for (size_t i = 0; i < c->q.cnt; i++) {
		const struct query_param *p = &c->q.param[i];

		if (p->value[0] == '\0' || name_left_out(p->name, left_out))
			continue;
		out = text_add(out, p->name);
		out = text_add(out, p->value);
	}
	return hash_sha256(buf, (size_t)(out - buf), ret);
}
