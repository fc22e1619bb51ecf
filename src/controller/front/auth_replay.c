/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/front/auth_replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "crypto/sha256.h"

enum { WAYS = 4, SETS = AUTH_REPLAY_MAX / WAYS, KEPT_BYTES = 16, SALT_BYTES = 16 };

struct seen {
	uint8_t signature[KEPT_BYTES];
	uint64_t conn;
	uint64_t end_s; /* 0: free */
};

struct auth_replay {
	uint8_t salt[SALT_BYTES];
	struct seen seen[SETS][WAYS];
};

int auth_replay_new(struct auth_replay **ret)
{
	struct auth_replay *a = calloc(1, sizeof(*a));
	int r = a ? random_bytes(a->salt, sizeof(a->salt)) : -ENOMEM;

	if (r < 0) {
		free(a);
		return r;
	}
	*ret = a;
	return 0;
}

void auth_replay_free(struct auth_replay *a)
{
	free(a);
}

/* Its signer can choose a signature's bytes, and could push out of a set what it wants forgotten: salted, they say nothing. */
static struct seen *set_of(struct auth_replay *a, const uint8_t signature[HASH_SHA256_BYTES])
{
	uint8_t digest[HASH_SHA256_BYTES];
	struct sha256 h;

	sha256_init(&h);
	sha256_add(&h, a->salt, sizeof(a->salt));
	sha256_add(&h, signature, HASH_SHA256_BYTES);
	sha256_final(&h, digest);
	return a->seen[(digest[0] << 8 | digest[1]) % SETS];
}

bool auth_replay_first(struct auth_replay *a, const uint8_t signature[HASH_SHA256_BYTES],
		       uint64_t conn, uint64_t now_s, uint64_t end_s)
{
	struct seen *set = set_of(a, signature), *room = set;

	for (size_t k = 0; k < WAYS; k++) {
		if (set[k].end_s >= now_s && set[k].end_s > 0 &&
		    memcmp(set[k].signature, signature, KEPT_BYTES) == 0)
			return set[k].conn == conn;
		if (set[k].end_s < room->end_s)
			room = &set[k]; /* free, over, or the first to be */
	}
	memcpy(room->signature, signature, KEPT_BYTES);
	room->conn = conn;
	room->end_s = end_s;
	return true;
}
