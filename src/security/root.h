/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The root key of this host: made once, sealed in the TPM, got back once a boot.
 *
 *   root.sealed absent, volumes.store absent   first boot: make, seal, write, open again as a proof
 *   root.sealed there                          unseal it; whatever fails, no other key takes its place
 *   root.sealed absent, volumes.store there    refused: its key is lost, a fresh one would hide that
 *
 * In every case PCR 11 is extended before the key is used, so nothing unseals a second time in this boot.
 */

#include <stdbool.h>

#include "base/attr.h"
#include "crypto/key.h"

#define ROOT_FILE "root.sealed"
#define STORE_FILE "volumes.store"
#define RELEASE_LOG_FILE "releases.log"
#define KMS_STORE_FILE "kms.store"

enum { ROOT_TEXT_MAX = 400, ROOT_WHY_MAX = 48 };

/* For a person. */
struct root_refusal {
	char why[ROOT_WHY_MAX];   /* a few words for the status: "no TPM 2.0" */
	char text[ROOT_TEXT_MAX]; /* one line: what, and what to do */
};

/**
 * root_open() - the key by which everything else is derived
 * @dir:     the store directory
 * @tpm_fd:  the TPM, or -1
 * @lab:     this boot is not measured: the key is another one, and never usable in a measured boot
 * @ret:     owned; on success only
 * @ret_refusal: filled on failure
 *
 * Return: 0, -ENODEV no TPM, -EACCES the PCRs differ, -EALREADY it was unsealed in this boot before,
 * -EKEYREJECTED another TPM or a forged file, -EPERM lab and production mixed, -ENOKEY root.sealed is lost,
 * -EBADMSG root.sealed is damaged, -ENOTSUP from a newer version, -EIO the TPM failed, -errno of the file system.
 */
MUST_USE int root_open(int dir, int tpm_fd, bool lab, struct key **ret,
		       struct root_refusal *ret_refusal);
