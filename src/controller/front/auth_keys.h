/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Signing keys: derived by the security process from a sealed secret access key, kept here in locked memory for as
 * long as they are used. One belongs to an access key, a date, a region and a service; a second place is for names nobody
 * has, so that asking about one costs what asking about a real one costs.
 *
 * An entry is FREE, ASKED (exchanges wait for it), READY, or FAILED while those that waited are told.
 */

#include "controller/front/exchange.h"
#include "crypto/key.h"
#include "crypto/sigv4.h"

struct security_link;
struct auth_keys;

enum {
	AUTH_KEYS_KNOWN = 256,
	AUTH_KEYS_STRANGER = 64,
	AUTH_STRANGER_ASKS_S = 50, /* questions a second about names nobody has */
	AUTH_KEYS_RESERVE =
		AUTH_KEYS_KNOWN + 2, /* for key_reserve(): the decoy, and one that comes */
};

/* auth_keys_new(): @link: borrowed. Return: 0 and *ret (owned), -ENOMEM, -EIO. */
MUST_USE int auth_keys_new(struct security_link *link, struct auth_keys **ret);
/* auth_keys_free(): after security_link_close(): nobody may be waiting. NULL is fine. */
void auth_keys_free(struct auth_keys *a);

/**
 * auth_keys_get() - the key to verify @s with
 * @row:   of the access key that @s names; NULL: nobody has that name, the key will fit no signature
 * @other: any access key: asking with its sealed secret about a name nobody has looks like any other question.
 *         NULL: there is none
 * @x:     waits when the result is -EINPROGRESS: front_retry(@x) comes once the key is there or cannot be had
 *
 * Return: 0 and *ret (borrowed until anything else is called here), -EINPROGRESS, -EBUSY too much is under way,
 * -ENOTCONN or -ETIMEDOUT no security process, -EACCES it cannot open the sealed secret, -ENOMEM.
 */
MUST_USE int auth_keys_get(struct auth_keys *a, const struct access_key *row,
			   const struct access_key *other, const struct sigv4 *s,
			   struct exchange *x, const struct key **ret);

/* auth_keys_forget(): an access key is removed: its signing keys are wiped. */
void auth_keys_forget(struct auth_keys *a, const char *access_key_id);
/* auth_keys_cnt(): how many signing keys are held. */
size_t auth_keys_cnt(const struct auth_keys *a);
