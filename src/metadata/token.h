/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Session tokens (IMDSv2). A token is base64 of: version, when it expires, a serial number, and an authenticator of
 * these and the instance id under a key that lives in this process only. Nothing is stored for a token, so
 * any number of them costs nothing, and all of them die with the process.
 *
 *   0  8  version, 1      8  8  expiry, ns of the monotonic clock      16  8  serial      24  16  SipHash-2-4-128
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "metadata/siphash.h"

enum {
	TOKEN_BYTES = 40,
	TOKEN_CHARS = 56, /* (40 + 2) / 3 * 4 */
	TOKEN_ID_MAX = 24,
	TOKEN_TTL_MAX_S = 21600,
};

struct tokens {
	uint8_t key[SIPHASH_KEY_BYTES];
	char instance_id[TOKEN_ID_MAX]; /* zero-padded */
	uint64_t serial;
};

/* tokens_init(): draws the key. Once, before the jail. Return: 0, -errno. */
MUST_USE int tokens_init(struct tokens *t);
/* tokens_bind(): tokens are this instance's from now on. */
void tokens_bind(struct tokens *t, const char *instance_id);
/* token_make(): a token that is good for @ttl_s seconds; TOKEN_CHARS characters, not terminated. */
void token_make(struct tokens *t, unsigned ttl_s, uint64_t now_ns, char ret[TOKEN_CHARS]);
/* token_check(): is this text a token of ours that has not expired? Constant time in the authenticator. */
bool token_check(const struct tokens *t, const char *text, size_t len, uint64_t now_ns);

/* What token_check() rests on, apart so that a test can take each away (tests/isolation). */
int token_key_draw(uint8_t key[SIPHASH_KEY_BYTES]);
bool token_expired(uint64_t expiry_ns, uint64_t now_ns);
bool token_equal(const char *a, const char *b);
void token_mac(const struct tokens *t, const uint8_t claim[24], uint8_t ret[SIPHASH_BYTES]);
