/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Ciphertext blobs of KMS: what Encrypt and GenerateDataKey give, and Decrypt takes. docs/wire/kms-blob.md has the table.
 * A blob says which key made it; everything else about it is bound and said by whoever opens it: the account and the
 * encryption context.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "crypto/key.h"
#include "keys/box.h"

enum {
	KMS_ID_BYTES = 16, /* a UUID */
	KMS_ID_TEXT = 37,  /* the same as text; with NUL */
	KMS_MATERIAL_BYTES = 32,
	KMS_CONTEXT_BYTES = 32,
	KMS_PLAIN_MAX = 4096,
	KMS_BLOB_HEAD_BYTES = 24,
	KMS_BLOB_OVERHEAD = KMS_BLOB_HEAD_BYTES + BOX_OVERHEAD,
};

/* kms_id_parse(): lower-case hex, 8-4-4-4-12. Return: 0, -EINVAL. kms_id_text(): the opposite. */
MUST_USE int kms_id_parse(const char *text, uint8_t ret[KMS_ID_BYTES]);
void kms_id_text(const uint8_t id[KMS_ID_BYTES], char ret[KMS_ID_TEXT]);

/* Whose and for what. */
struct kms_use {
	const char *account;
	const uint8_t *id;      /* KMS_ID_BYTES */
	const uint8_t *context; /* KMS_CONTEXT_BYTES: SHA-256 of the canonical encryption context */
};

/* kms_blob_seal(): @ret: @len + KMS_BLOB_OVERHEAD bytes. Return: 0, -EINVAL, -ENOMEM, -EIO. */
MUST_USE int kms_blob_seal(const struct key *material, const struct kms_use *use, const void *plain,
			   size_t len, uint8_t *ret);

/* kms_blob_id(): which key made it, as it says. Return: 0, -EBADMSG it is none of ours, or of a version that is not known. */
MUST_USE int kms_blob_id(const void *blob, size_t len, uint8_t ret[KMS_ID_BYTES]);

/* kms_blob_open(): @ret: @len - KMS_BLOB_OVERHEAD bytes. Return: 0, -EBADMSG for everything that is wrong, -EINVAL, -ENOMEM, -EIO. */
MUST_USE int kms_blob_open(const struct key *material, const struct kms_use *use, const void *blob,
			   size_t len, void *ret);
