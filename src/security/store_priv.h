/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "security/store.h"

enum { STORE_ID_BYTES = 16 };

enum store_op { STORE_OP_NONE = 0, STORE_OP_ADD = 1, STORE_OP_REMOVE = 2 };

struct store_header {
	uint8_t id[STORE_ID_BYTES]; /* of this store, random */
	uint64_t generation;        /* the valid copy with the greater one counts */
	uint32_t op;                /* enum store_op: what is being done ... */
	uint32_t slot;              /* ... to which slot */
	struct store_log_mark log;
};

struct store_record {
	char volume[TREE_ID_MAX], account[TREE_ID_MAX];
};

/* One copy of the header. @mac_key: derived from the store key. decode: -EBADMSG damaged, -ENOTSUP newer. */
MUST_USE int store_header_encode(const struct store_header *h, const struct key *mac_key,
				 uint8_t ret[STORE_HEADER_BYTES]);
MUST_USE int store_header_decode(const uint8_t b[STORE_HEADER_BYTES], const struct key *mac_key,
				 struct store_header *ret);

/**
 * store_record_decode() - one slot
 * Return: 1 whole (*ret, *ret_secret owned), 0 empty, -EBADMSG neither: then *ret holds the ids as they stand there,
 * if they look like ids, -EIO.
 */
MUST_USE int store_record_decode(const uint8_t b[STORE_RECORD_BYTES], const struct key *store_key,
				 const uint8_t id[STORE_ID_BYTES], uint32_t slot,
				 struct store_record *ret, struct key **ret_secret);
MUST_USE int store_record_encode(const struct store_record *rec, const struct key *secret,
				 const struct key *store_key, const uint8_t id[STORE_ID_BYTES],
				 uint32_t slot, uint8_t ret[STORE_RECORD_BYTES]);
