/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Signatures of requests that changed something, remembered as long as they would be accepted again: who overhears such
 * a request and sends it once more changes nothing. Bounded: of too many in a few minutes the oldest are forgotten.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "crypto/hash.h"

struct auth_replay;

enum { AUTH_REPLAY_MAX = 32768 };

/* auth_replay_new(): Return: 0 and *ret (owned), -ENOMEM, -errno of random_bytes(). */
MUST_USE int auth_replay_new(struct auth_replay **ret);
void auth_replay_free(struct auth_replay *a);

/**
 * auth_replay_first() - is this the first time? It is remembered.
 * @conn:  who sends it: the same connection may repeat itself (two equal requests in one second have one signature)
 * @now_s: time now; @end_s: when the signature stops being accepted. Since 1970
 */
bool auth_replay_first(struct auth_replay *a, const uint8_t signature[HASH_SHA256_BYTES],
		       uint64_t conn, uint64_t now_s, uint64_t end_s);
