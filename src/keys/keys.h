/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What is asked on niterd's channel, answered: secrets of access keys (api_key.h) and KMS (kms_blob.h). niter-security runs
 * it over its durable vault; niterd with the null launcher runs it in its own process, over vault_null.h.
 */

#include "base/attr.h"
#include "crypto/key.h"
#include "keys/kms_blob.h"
#include "proto/control.h"

/*
 * Where the material of KMS keys lies. Each function: 0 or -errno. Ids are checked.
 * create: a fresh random material, enabled; -EEXIST, -ENOSPC
 * read:   *ret owned; -ENOENT never there or destroyed, -EACCES another account's, -EBADMSG damaged
 * set_state, destroy: the same errors; durable when they return 0
 */
struct keys_vault {
	MUST_USE int (*create)(void *ptr, const char *account, const uint8_t id[KMS_ID_BYTES]);
	MUST_USE int (*read)(void *ptr, const char *account, const uint8_t id[KMS_ID_BYTES],
			     enum ctl_kms_state *ret_state, struct key **ret);
	MUST_USE int (*set_state)(void *ptr, const char *account, const uint8_t id[KMS_ID_BYTES],
				  enum ctl_kms_state state);
	MUST_USE int (*destroy)(void *ptr, const char *account, const uint8_t id[KMS_ID_BYTES]);
	void *ptr;
};

struct keys_answer {
	enum ctl_type type;
	union {
		struct ctl_api_key api_key;
		struct ctl_api_key_derived api_key_derived;
		struct ctl_kms_answer kms;
	} u;
};

struct keys {
	const struct key *api;          /* borrowed: seals secrets of access keys */
	const struct keys_vault *vault; /* borrowed */
	struct keys_answer answer;      /* of the request at hand; wiped */
	struct ctl_msg msg;             /* for keys_serve() */
};

/* keys_init(): @api, @vault: borrowed as long as @k is used. */
void keys_init(struct keys *k, const struct key *api, const struct keys_vault *vault);

/**
 * keys_answer() - one request
 * @ret: to be wiped by the caller once it is sent; an answer with an error holds no secret
 * Return: 0, -EPROTO the message is no request.
 */
MUST_USE int keys_answer(const struct keys *k, const struct ctl_msg *m, struct keys_answer *ret);

/* keys_serve(): receives one request on @fd and answers it. Return: 1, 0 the asker is gone, -EAGAIN, -EPROTO, -errno. */
MUST_USE int keys_serve(struct keys *k, int fd);

/**
 * keys_volume_key() - what a volume's key is wrapped under besides its own: a branch of a KMS key's material
 * @id: text
 * Return: 0 and *ret (owned, 32 bytes), -ENOKEY, -EKEYREVOKED disabled, -EKEYEXPIRED deletion scheduled, -EINVAL, -errno.
 */
MUST_USE int keys_volume_key(const struct keys *k, const char *account,
			     const uint8_t id[KMS_ID_BYTES], struct key **ret);
