/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * root.sealed: what is needed, besides the TPM itself and an unchanged boot, to get the root key back.
 * Nothing in it is secret. docs/wire/security-store.md has the table.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum {
	SEALED_VERSION = 1,
	SEALED_PCR_CNT = 4,
	SEALED_PCR_BYTES = 32, /* SHA-256 bank */
	SEALED_NAME_MAX = 68,  /* TPM2B_NAME */
	SEALED_BLOB_MAX = 400, /* TPM2B_PUBLIC, TPM2B_PRIVATE as the TPM marshals them */
	SEALED_FILE_MAX = 2048,
};

/*
 * What the seal is bound to: 4 = the image that booted, 7 = secure boot state, 11 = kernel, initramfs and boot
 * phase, 12 = command line overrides. In this order everywhere.
 */
extern const uint8_t sealed_pcr_idx[SEALED_PCR_CNT];

struct sealed_blob {
	uint16_t len;
	uint8_t b[SEALED_BLOB_MAX];
};

struct sealed {
	bool lab;
	uint8_t pcr[SEALED_PCR_CNT]
		   [SEALED_PCR_BYTES]; /* when it was sealed: to say later which one differs */
	uint16_t srk_name_len;
	uint8_t srk_name
		[SEALED_NAME_MAX]; /* of the storage root key it was sealed under: names the TPM */
	struct sealed_blob pub, priv;
	struct sealed_blob
		creation; /* TPM2B_CREATION_DATA: which PCRs stood where when it was made */
	struct sealed_blob ticket; /* TPMT_TK_CREATION: the TPM's own word for that */
};

/**
 * sealed_encode() - the file's bytes
 * Return: their count, -EMSGSIZE when @cap is too small, -EIO.
 */
MUST_USE int sealed_encode(const struct sealed *s, void *buf, size_t cap);

/**
 * sealed_decode() - the parser; takes any bytes
 * Return: 0, -EPROTO not such a file or damaged, -ENOTSUP a version this program does not know.
 */
MUST_USE int sealed_decode(const void *buf, size_t len, struct sealed *ret);
