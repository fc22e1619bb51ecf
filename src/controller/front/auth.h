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
 * Return: 0, -EACCES with @f (codes of EC2; the service's own spelling is auth_fault_code()), -EINPROGRESS: the security
 * process was asked, front_retry(@x) is called when the key is there.
 */
MUST_USE int auth_check(struct exchange *x, struct fault *f);
