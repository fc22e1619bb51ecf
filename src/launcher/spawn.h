/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One child in its own namespaces, cgroup and uid, with exactly four descriptors:
 * 0 /dev/null, 1 and 2 a log pipe, 3 the control socket. Everything else comes to it by message.
 */

#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"

struct spawn_conf {
	const char *path; /* of the program */
	const char *name; /* its argv[0] */
	uid_t uid; /* on the host; uid 0 and gid 0 inside. Only this one id exists in its user namespace */
	int cgroup_fd;               /* born in it; -1: in the launcher's */
	int null_fd, log_fd, ctl_fd; /* borrowed */
	uint64_t memlock;            /* RLIMIT_MEMLOCK, bytes */
};

enum {
	SPAWN_EXIT_SETUP = 126, /* the child could not set itself up */
	SPAWN_EXIT_EXEC = 127,  /* the program could not be executed */
};

/**
 * spawn() - clone, map, let go
 * The child dies with the launcher. Signals are reset in it.
 * Return: 0 and *ret_pid, *ret_pidfd (owned), or -errno; nothing is left running then.
 */
MUST_USE int spawn(const struct spawn_conf *conf, pid_t *ret_pid, int *ret_pidfd);
