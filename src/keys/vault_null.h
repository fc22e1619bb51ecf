/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * KMS keys of a niterd whose launcher is null: their material is derived from one root key, account and key id, so that a
 * given root finds them again after a restart and nothing has to be written. Which keys exist niterd knows alone;
 * states and ends that it told are remembered until the process ends. For simulations: nothing here is destroyed for good.
 */

#include "keys/keys.h"

enum { VAULT_NULL_KEYS_MAX = 4096 };

struct vault_null {
	struct keys_vault vault;
	struct key *api, *root; /* owned */
	struct {
		uint8_t id[KMS_ID_BYTES];
		uint8_t state;        /* enum ctl_kms_state; 0: destroyed */
	} known[VAULT_NULL_KEYS_MAX]; /* those that are not just enabled */
	size_t known_cnt;
};

/* vault_null_init(): @root: 32 bytes, the caller's. Return: 0, -EINVAL, -ENOMEM, -EIO. */
MUST_USE int vault_null_init(struct vault_null *v, const struct key *root);
void vault_null_done(struct vault_null *v);
