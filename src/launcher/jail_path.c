/* SPDX-License-Identifier: Apache-2.0 */
#include "jail_path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

/* #syscalls:launcher openat2 */
int jail_open(int dir, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd;

	if ((flags & O_CREAT) && (flags & O_TMPFILE) != O_TMPFILE)
		flags |= O_EXCL | O_NOFOLLOW;
	how.flags = (unsigned)(flags | O_CLOEXEC);
	how.mode = mode;
	do
		fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));
	while (fd < 0 && errno == EAGAIN); /* a rename raced with the walk */
	return fd < 0 ? -errno : (int)fd;
}

/* #syscalls:launcher newfstatat fstat fcntl */
int jail_open_file(int dir, const char *path, int flags)
{
	CLEANUP(fd_closep) int fd = -1;
	struct stat st;

	/* O_NONBLOCK: a planted fifo must not stop the launcher. */
	fd = jail_open(dir, path, flags | O_NONBLOCK | O_NOCTTY, 0);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EPROTO;
	if (fcntl(fd, F_SETFL, flags) < 0)
		return -errno;
	return TAKE_FD(fd);
}

/* The directory behind an O_PATH descriptor, opened as its owner: root itself may not look into it. */
static int dir_reopen(int path_fd, uid_t uid)
{
	int fd;

	fs_user_set(uid);
	fd = jail_open(path_fd, ".", O_RDONLY | O_DIRECTORY, 0);
	fs_user_reset();
	return fd;
}

int jail_dir(int dir, const char *name, mode_t mode, uid_t uid, gid_t gid)
{
	CLEANUP(fd_closep) int at = -1, fd = -1;
	struct stat st;

	if (mkdirat(dir, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	at = jail_open(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
	if (at < 0)
		return at;
	if (fstat(at, &st) < 0)
		return -errno;
	fd = dir_reopen(at, st.st_uid);
	if (fd < 0)
		return fd;
	/* The mode first: once it belongs to someone else, only CAP_FOWNER could change it. */
	if ((st.st_mode & 07777) != mode && fchmod(fd, mode) < 0)
		return -errno;
	if ((st.st_uid != uid || st.st_gid != gid) && fchown(fd, uid, gid) < 0)
		return -errno;
	return TAKE_FD(fd);
}

/* #syscalls:launcher setfsuid setfsgid */
void fs_user_set(uid_t uid)
{
	(void)setfsgid(uid);
	(void)setfsuid(uid);
}

void fs_user_reset(void)
{
	(void)setfsuid(0);
	(void)setfsgid(0);
}
