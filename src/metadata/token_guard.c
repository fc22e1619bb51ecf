/* SPDX-License-Identifier: Apache-2.0 */

/* The four things a token's worth rests on. A file of its own: tests/isolation/metadata_sabotage.c replaces each. */

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/random.h"
#include "metadata/token.h"

/* Before the jail: getrandom is not on the list. */
int token_key_draw(uint8_t key[SIPHASH_KEY_BYTES])
{
	return random_bytes(key, SIPHASH_KEY_BYTES);
}

bool token_expired(uint64_t expiry_ns, uint64_t now_ns)
{
	return now_ns >= expiry_ns;
}

bool token_equal(const char *a, const char *b)
{
	return mem_equal_ct(a, b, TOKEN_CHARS);
}

void token_mac(const struct tokens *t, const uint8_t claim[24], uint8_t ret[SIPHASH_BYTES])
{
	uint8_t msg[24 + TOKEN_ID_MAX];

	memcpy(msg, claim, 24);
	memcpy(msg + 24, t->instance_id, TOKEN_ID_MAX);
	siphash128(t->key, msg, sizeof(msg), ret);
}
