/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * How the launcher, as root, opens files in directories that less trusted processes may write to: always
 * relative to a directory descriptor, never through a link, never upwards (security page, bug class 21).
 */

#include <sys/types.h>

#include "base/attr.h"

/**
 * jail_open() - openat2() that refuses every symbolic link, magic link and ".." above @dir
 * @flags: O_CLOEXEC is added. With O_CREAT, O_EXCL and O_NOFOLLOW are added too: nothing existing is reused.
 *
 * Return: descriptor, or -errno (-ELOOP or -EXDEV: somebody planted a link).
 */
MUST_USE int jail_open(int dir, const char *path, int flags, mode_t mode);

/* jail_open_file(): as above, and what is there must be a plain file. -EPROTO if it is anything else. */
MUST_USE int jail_open_file(int dir, const char *path, int flags);

/**
 * jail_dir() - make or check a directory below @dir and open it
 * Makes it with @mode and owner @uid:@gid when it is missing; an existing one must be a directory. Its owner and
 * mode are corrected where they differ and this process may do that; otherwise -EPERM.
 * Return: O_DIRECTORY descriptor, or -errno.
 */
MUST_USE int jail_dir(int dir, const char *name, mode_t mode, uid_t uid, gid_t gid);

/*
 * fs_user_set(): file access as @uid (also the group) until fs_user_reset(). The effective uid stays 0, so
 * other rights stay. It stands in for CAP_DAC_READ_SEARCH, which the launcher does not have: files of one
 * child are reached with that child's uid and with nobody else's.
 */
void fs_user_set(uid_t uid);
void fs_user_reset(void);
