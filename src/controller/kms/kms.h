/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The Key Management Service: JSON over HTTP in, questions to the security process out (security_link.h). What a key may do
 * follows from its row (core_kms.h); its material, and everything that is done with it, is the security process's. The
 * secrets in requests and answers pass through here: they are wiped, and never logged.
 *
 *	kms.c          which action; the answer
 *	request.c      members of a request
 *	actions.c      keys: create, describe, list, enable, disable, schedule and cancel their end
 *	crypt.c        encrypt, decrypt, data keys, random bytes
 *	sync.c         the security process is told the states, and destroys what is due
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "controller/model.h"

struct daemon;
struct kms_call;

struct kms {
	struct kms_call *changing; /* calls that change a key and wait, newest first */
	uint64_t sweep_ns;         /* next look for keys whose end has come */
	bool sweeping;             /* one is being destroyed */
	char sweep_id[MODEL_UUID_MAX];
	bool syncing;                 /* after the start: states are being told */
	char sync_id[MODEL_UUID_MAX]; /* the last one that was */
};

/* kms_init(): before anything else uses jansson: what it frees is wiped. */
void kms_init(void);
/* kms_start(): the security process is there, and the store. */
void kms_start(struct daemon *d);
void kms_timers(struct daemon *d, uint64_t now_ns, uint64_t *next);
/* kms_handle() is in front/services.h. */
