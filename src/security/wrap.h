/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A volume's data key, wrapped, as it stands in the volume's header. docs/wire/wrapped-key.md has the table.
 *
 * With a KMS key in it, nothing opens it once that key's material is destroyed.
 *
 * The wrapping key is derived from the account's key and the volume's own secret (which only the store holds), with
 * a fresh salt: it seals one message in its life. Everything that says how the data key is to be used is bound to
 * it, and so is its place: another volume, account, cipher, sector size, offset or size is refused.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "crypto/key.h"

enum {
	WRAP_BYTES = 168,     /* version 1 */
	WRAP_BYTES_MAX = 184, /* version 2: under a KMS key, too */
	WRAP_KEY_BYTES = 64,  /* AES-256-XTS */
	WRAP_SECRET_BYTES = 32,
	WRAP_CIPHER_MAX = 64,
	WRAP_KMS_ID_BYTES = 16,
};

/* What the wrap binds besides the account. Strings end in NUL. */
struct wrap_use {
	const char *account, *volume; /* tree_id_ok() */
	const char *cipher;           /* at most WRAP_CIPHER_MAX - 1 */
	uint32_t sector_bytes;
	uint64_t payload_off, size; /* bytes */
	/* version 2; both or none */
	const uint8_t *kms_id;     /* WRAP_KMS_ID_BYTES */
	const struct key *kms_key; /* 32 bytes: a branch of its material */
};

/* wrap_data_key_new(): two independent draws; halves that are equal are refused. Return: 0, -EIO, -ENOMEM. */
MUST_USE int wrap_data_key_new(struct key **ret);

/**
 * wrap_seal() - wrap @data_key
 * @account_key: 32 bytes; @secret: the volume's, WRAP_SECRET_BYTES
 * Return: bytes written (WRAP_BYTES or WRAP_BYTES_MAX), -EINVAL (length of a key, equal halves, an id), -ENOMEM, -EIO.
 */
MUST_USE int wrap_seal(const struct key *account_key, const struct key *secret,
		       const struct wrap_use *use, const struct key *data_key,
		       uint8_t ret[WRAP_BYTES_MAX]);

/* wrap_kms_id(): which KMS key it says it needs. Return: 1 and the id, 0 none, -EPROTO, -ENOTSUP as wrap_open(). */
MUST_USE int wrap_kms_id(const void *blob, size_t len, uint8_t ret[WRAP_KMS_ID_BYTES]);

/**
 * wrap_open() - the opposite
 * @use:  with the KMS key that wrap_kms_id() found, if any: -EINVAL when just one of them knows of it
 * @blob: from a header nobody vouches for
 * Return: 0 and *ret (owned), -EPROTO not such a blob, -ENOTSUP newer version, -EKEYREJECTED wrapped under another
 * key (the commitment differs), -EBADMSG something bound was changed, -EINVAL, -ENOMEM, -EIO.
 */
MUST_USE int wrap_open(const struct key *account_key, const struct key *secret,
		       const struct wrap_use *use, const void *blob, size_t len, struct key **ret);
