/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "security/kms_store.h"

enum { KMS_STORE_ID_BYTES = 16 };

struct kms_record {
	uint8_t id[KMS_ID_BYTES];
	char account[KMS_STORE_ACCOUNT_MAX];
	enum ctl_kms_state state;
	uint64_t generation;
};

/* Where a half stands: bound to it. */
struct kms_place {
	const uint8_t *store_id; /* KMS_STORE_ID_BYTES */
	uint32_t slot;
	uint8_t half; /* 0, 1 */
};

MUST_USE int kms_header_encode(const uint8_t id[KMS_STORE_ID_BYTES], const struct key *mac_key,
			       uint8_t ret[KMS_STORE_HEADER_BYTES]);
/* Return: 0, -EKEYREJECTED, -ENOTSUP newer, -EIO. */
MUST_USE int kms_header_decode(const uint8_t b[KMS_STORE_HEADER_BYTES], const struct key *mac_key,
			       uint8_t ret_id[KMS_STORE_ID_BYTES]);

MUST_USE int kms_half_encode(const struct kms_record *rec, const struct key *material,
			     const struct key *store_key, const struct kms_place *place,
			     uint8_t ret[KMS_STORE_HALF_BYTES]);
/* Return: 1 whole (*ret, *ret_material owned), 0 empty, -EBADMSG neither, -EIO, -ENOMEM. */
MUST_USE int kms_half_decode(const uint8_t b[KMS_STORE_HALF_BYTES], const struct key *store_key,
			     const struct kms_place *place, struct kms_record *ret,
			     struct key **ret_material);
