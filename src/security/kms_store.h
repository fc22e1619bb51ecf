/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * kms.store: the material of KMS keys, and nowhere else: with a key's slot overwritten everything it encrypted is noise.
 * docs/wire/security-store.md has the tables.
 *
 * A slot holds its key twice, each half sealed on its own with a generation; the valid half with the greater one counts.
 * A new key is there when both halves are durable; a change of state is written over the older half; an end
 * overwrites the older half first. So after a crash a key is as it was before, or as it was to be, never without its
 * material. Material stays on disk until it is asked for; memory holds ids and states only.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "crypto/key.h"
#include "keys/keys.h"

enum {
	KMS_STORE_VERSION = 1,
	KMS_STORE_SLOTS_MAX = 4096,
	KMS_STORE_HEADER_BYTES = 4096,
	KMS_STORE_HALF_BYTES = 512,
	KMS_STORE_SLOT_BYTES = 2 * KMS_STORE_HALF_BYTES,
	KMS_STORE_ACCOUNT_MAX = 24,
};

struct kms_store; /* opaque */

/* kms_store_image_new(): the bytes of an empty store. Return: 0, -EIO. */
MUST_USE int kms_store_image_new(const struct key *store_key, uint8_t ret[KMS_STORE_HEADER_BYTES]);

/**
 * kms_store_open() - read and check everything, finish what a crash interrupted
 * @fd: taken: the store's, also on failure
 * Return: 0 and *ret (owned), -EKEYREJECTED made under another root key, or its header damaged, -ENOTSUP newer version,
 * -ENOMEM, -errno.
 */
MUST_USE int kms_store_open(int fd, const struct key *store_key, struct kms_store **ret);
void kms_store_free(struct kms_store *s);
void kms_store_freep(struct kms_store **s);

unsigned kms_store_key_cnt(const struct kms_store *s);
unsigned kms_store_damaged_cnt(const struct kms_store *s);

/* kms_store_vault(): the store as keys.h wants it; borrowed, as long as @s. */
const struct keys_vault *kms_store_vault(const struct kms_store *s);
