/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/front/auth_replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { WAYS = 4, SETS = AUTH_REPLAY_MAX / WAYS, KEPT_BYTES = 16 };

/* A signature is as good as random to all but its signer, so its bytes are the hash. */
struct seen {
	uint8_t signature[KEPT_BYTES];
	uint64_t conn;
	uint64_t end_s; /* 0: free */
};

struct auth_replay {
	struct seen seen[SETS][WAYS];
};

int auth_replay_new(struct auth_replay **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

void auth_replay_free(struct auth_replay *a)
{
	free(a);
}

bool auth_replay_first(struct auth_replay *a, const uint8_t signature[HASH_SHA256_BYTES],
		       uint64_t conn, uint64_t now_s, uint64_t end_s)
{
	struct seen *set = a->seen[(signature[30] << 8 | signature[31]) % SETS], *room = set;

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
