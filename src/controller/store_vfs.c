/* SPDX-License-Identifier: Apache-2.0 */

/*
 * SQLite in a jail. niterd's root directory is empty; its working directory is the state directory, a mount of its
 * own without a parent that the launcher made (docs/decisions/0007-niterd-state-directory.md). getcwd() fails
 * there, and SQLite wants it only to make names absolute. So this layer is SQLite's unix one with one function
 * replaced: a relative name is its own full name.
 */

#include <string.h>

#include <sqlite3.h>

#include "controller/store_priv.h"

static sqlite3_vfs vfs;

static int full_pathname(UNUSED sqlite3_vfs *v, const char *name, int cap, char *ret)
{
	size_t len = strlen(name);

	if (cap <= 0 || len >= (size_t)cap)
		return SQLITE_CANTOPEN;
	memcpy(ret, name, len + 1);
	return SQLITE_OK;
}

const char *store_vfs_init(void)
{
	sqlite3_vfs *unix_vfs = sqlite3_vfs_find("unix");

	if (vfs.zName)
		return vfs.zName;
	if (!unix_vfs)
		return NULL;
	vfs = *unix_vfs;
	vfs.pNext = NULL;
	vfs.zName = "niter";
	vfs.xFullPathname = full_pathname;
	if (sqlite3_vfs_register(&vfs, 0) != SQLITE_OK)
		return NULL;
	return vfs.zName;
}
