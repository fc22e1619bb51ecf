/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Starts a program of ours as the launcher's spawn() does: namespaces of its own, one uid, the control socket at CTL_FD. */

#include <sys/types.h>

#include "base/attr.h"

/**
 * jailed_start() - as root in the jail; without root in none, and with NITER_UNJAILED=1
 * @program: path; @name: its argv[0]
 * @uid:     the host uid that is 0 in the jail; the group too
 * @ctl:     the program's end of the control socket; borrowed
 * @env:     NAME=VALUE strings, at most 8, ends with NULL; may be NULL
 * Return: 0 and *ret, -errno.
 */
MUST_USE int jailed_start(const char *program, const char *name, uid_t uid, int ctl,
			  const char *const *env, pid_t *ret);

/* jailed_wait(): the caller has closed the control socket. Return: the exit status, or -signal; 0 if there is none. */
int jailed_wait(pid_t *pid);
