/* SPDX-License-Identifier: Apache-2.0 */
#include "metadata/token.h"

#include <string.h>

#include "base/bytes.h"
#include "metadata/base64.h"

enum { VERSION = 1, CLAIM_BYTES = 24, NS_PER_S = 1000000000 };

static int digit_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* The claim is 24 bytes: 32 characters without padding. Return: false when a character is none of base64's. */
static bool claim_decode(const char *text, uint8_t ret[CLAIM_BYTES])
{
	size_t i, k;

	for (i = 0; i < CLAIM_BYTES / 3; i++) {
		uint32_t v = 0;

		for (k = 0; k < 4; k++) {
			int d = digit_value(text[4 * i + k]);

			if (d < 0)
				return false;
			v = v << 6 | (uint32_t)d;
		}
		ret[3 * i] = (uint8_t)(v >> 16);
		ret[3 * i + 1] = (uint8_t)(v >> 8);
		ret[3 * i + 2] = (uint8_t)v;
	}
	return true;
}

static void token_write(const struct tokens *t, const uint8_t claim[CLAIM_BYTES],
			char ret[TOKEN_CHARS])
{
	uint8_t raw[TOKEN_BYTES];

	memcpy(raw, claim, CLAIM_BYTES);
	token_mac(t, claim, raw + CLAIM_BYTES);
	must(base64_write(raw, sizeof(raw), 0, ret) == TOKEN_CHARS);
}

int tokens_init(struct tokens *t)
{
	memset(t, 0, sizeof(*t));
	return token_key_draw(t->key);
}

void tokens_bind(struct tokens *t, const char *instance_id)
{
	size_t len = strlen(instance_id);

	must(len < sizeof(t->instance_id));
	memset(t->instance_id, 0, sizeof(t->instance_id));
	memcpy(t->instance_id, instance_id, len);
}

void token_make(struct tokens *t, unsigned ttl_s, uint64_t now_ns, char ret[TOKEN_CHARS])
{
	uint8_t claim[CLAIM_BYTES];

	le64_store(claim, VERSION);
	le64_store(claim + 8, now_ns + (uint64_t)ttl_s * NS_PER_S);
	le64_store(claim + 16, ++t->serial);
	token_write(t, claim, ret);
}

/*
 * The whole text is made again from the claim and compared: there is one way to write a token, and padding or
 * spare bits that differ are no second one.
 */
bool token_check(const struct tokens *t, const char *text, size_t len, uint64_t now_ns)
{
	uint8_t claim[CLAIM_BYTES];
	char expected[TOKEN_CHARS];

	if (len != TOKEN_CHARS || !claim_decode(text, claim) || le64_load(claim) != VERSION)
		return false;
	token_write(t, claim, expected);
	return token_equal(expected, text) && !token_expired(le64_load(claim + 8), now_ns);
}
