/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Who asks? Signature Version 4 of a request, before anything else of it is read. Accounts and keys: core_accounts.h */

#include "controller/fault.h"
#include "controller/front/exchange.h"

/**
 * auth_check() - verify the signature; sets service, account, access_key_id of @x
 *
 * Signing keys are derived by the security process and kept for their day (a bounded cache, locked memory), so a secret
 * access key never comes here. An unknown key costs the same time and gives the same error as a wrong signature.
 * Return: 0, -EACCES with @f (codes of EC2; route.c knows the service's own spelling), -EINPROGRESS: the security
 * process was asked, front_retry(@x) is called when the key is there.
 */
MUST_USE int auth_check(struct exchange *x, struct fault *f);

/**
 * auth_replay_check() - may this request change something?
 *
 * Called once, by the dispatcher of an action that changes something and has no ClientToken, before it does. Somebody who
 * overheard a request and sends it again on a connection of his own is refused; a client that meant it signs again, as
 * all do after this refusal (RequestLimitExceeded).
 * Return: 0, -EALREADY with @f.
 */
MUST_USE int auth_replay_check(struct exchange *x, struct fault *f);

/* auth_forget(): an access key was removed. */
void auth_forget(struct daemon *d, const char *access_key_id);
/* auth_free(): after security_link_close(), which tells everybody who waits. */
void auth_free(struct daemon *d);
