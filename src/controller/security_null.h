/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What stands in for niter-security when the launcher is null: the same engine (keys/keys.h) in this process, at the other
 * end of a socket pair. niterd then holds the root of all secrets itself: for simulations, never for a tenant.
 */

#include "base/attr.h"
#include "base/loop.h"
#include "crypto/key.h"
#include "keys/vault_null.h"

struct security_null {
	struct vault_null vault;
	struct keys keys;
	struct loop *loop;
	int fd; /* owned; -1: not there */
};

/**
 * security_null_init() - before the sandbox closes
 * @root:   32 bytes, the caller's: the same one finds secrets and KMS keys of an earlier run again; NULL: a random one
 * @ret_fd: for security_link_open(); owned by the caller
 * Return: 0, -errno.
 */
MUST_USE int security_null_init(struct security_null *n, const struct key *root, int *ret_fd);
/* security_null_open(): @ref: what events on it carry. Return: 0, -errno. */
MUST_USE int security_null_open(struct security_null *n, struct loop *loop, struct loop_ref *ref);
/* security_null_event(): answers what was asked. */
void security_null_event(struct security_null *n);
void security_null_done(struct security_null *n);
