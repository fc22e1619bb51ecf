/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The last doors a program closes behind itself, in this order, before it reads a foreign byte.
 *
 * niter-launcher starts a program in new user, mount, pid, ipc, uts, net and cgroup namespaces, as uid 0 of
 * that user namespace (an own, powerless uid on the host), with exactly the descriptors it may hold.
 * The program then calls sandbox_enter() once:
 *   sandbox_fds       every descriptor not in the list is closed; RLIMIT_NOFILE becomes exact
 *   sandbox_fs        pivot into an empty read-only tmpfs; the old root is gone
 *   sandbox_user      all capability sets emptied, bounding set too; no_new_privs; not dumpable; no core; MDWE
 *   sandbox_syscalls  the seccomp allow-list of this program (default: kill the process)
 * A stage that fails ends the start; nothing goes on half-jailed.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct sock_filter;

/* One per program, made by tools/seccomp-gen from the "#syscalls:NAME" comments: seccomp_NAME.h */
struct sandbox_profile {
	const char *name;
	const struct sock_filter *filter; /* the kernel's classic BPF */
	unsigned short filter_len;        /* instructions */
};

struct sandbox_conf {
	const struct sandbox_profile *profile;
	unsigned nofile_max;  /* RLIMIT_NOFILE after start: descriptors this program may ever hold at once */
	const int *keep_fds;  /* open now and wanted; all others are closed. 0..2 are always kept */
	size_t keep_cnt;
	bool threads; /* filter goes to all threads (SECCOMP_FILTER_FLAG_TSYNC) */
};

/**
 * sandbox_enter() - all four stages
 *
 * When the process is not pid 1 of its own pid namespace with CAP_SYS_ADMIN in its user namespace (that is:
 * not started by the launcher), sandbox_fs is skipped only if NITER_UNJAILED=1 is set in the environment
 * (native tests), with a warning in the log; otherwise -EPERM.
 * Return: 0, or -errno with the failing stage logged.
 */
MUST_USE int sandbox_enter(const struct sandbox_conf *conf);

/**
 * sandbox_filter_load() - only the filter; sandbox_enter() does it for everyone but the launcher
 * @flags:   SECCOMP_FILTER_FLAG_…
 *
 * Needs no_new_privs or CAP_SYS_ADMIN. Two files provide it: sandbox_kill.c loads the profile as it is;
 * sandbox_log.c, chosen by the meson option seccomp_log, lets a call that is not declared pass and be logged by
 * the kernel: for test runs that look for missing declarations, never for a host that carries anything.
 * Return: 0, -EBUSY when a thread could not follow, -errno.
 */
MUST_USE int sandbox_filter_load(const struct sandbox_profile *profile, unsigned flags);
