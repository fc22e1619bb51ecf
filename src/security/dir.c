/* SPDX-License-Identifier: Apache-2.0 */
#include "security/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

enum { NAME_MAX_BYTES = 64 };

/* #syscalls:security openat */
static int dir_openat(int dir, const char *name, int flags)
{
	int fd = openat(dir, name, flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);

	return fd < 0 ? -errno : fd;
}

/* Names made, renamed or gone are durable after this. The given descriptor may be O_PATH. #syscalls:security fsync */
static int dir_sync(int dir)
{
	CLEANUP(fd_closep) int fd = dir_openat(dir, ".", O_RDONLY | O_DIRECTORY);

	if (fd < 0)
		return fd;
	return fsync(fd) < 0 ? -errno : 0;
}

int dir_open(int dir, const char *name)
{
	return dir_openat(dir, name, O_RDWR);
}

int dir_open_or_create(int dir, const char *name)
{
	CLEANUP(fd_closep) int fd = dir_openat(dir, name, O_RDWR | O_CREAT);
	int r;

	if (fd < 0)
		return fd;
	r = dir_sync(dir);
	if (r < 0)
		return r;
	return TAKE_FD(fd);
}

int dir_read(int dir, const char *name, void *buf, size_t cap)
{
	CLEANUP(fd_closep) int fd = dir_openat(dir, name, O_RDONLY);
	size_t len = 0;
	ssize_t n;
	char more;

	if (fd < 0)
		return fd;
	while (len < cap) {
		n = read(fd, (char *)buf + len, cap - len);
		if (n < 0)
			return -errno;
		if (n == 0)
			return (int)len;
		len += (size_t)n;
	}
	n = read(fd, &more, 1);
	if (n < 0)
		return -errno;
	return n ? -EFBIG : (int)len;
}

/* #syscalls:security renameat unlinkat */
int dir_write_new(int dir, const char *name, const void *buf, size_t len)
{
	CLEANUP(fd_closep) int fd = -1;
	char tmp[NAME_MAX_BYTES];
	int r;

	r = snprintf(tmp, sizeof(tmp), "%s.new", name);
	if (r < 0 || (size_t)r >= sizeof(tmp))
		return -ENAMETOOLONG;
	fd = dir_openat(dir, tmp, O_WRONLY | O_CREAT | O_TRUNC);
	if (fd < 0)
		return fd;
	r = fd_write_full(fd, buf, len);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && renameat(dir, tmp, dir, name) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(dir, tmp, 0);
		return r;
	}
	return dir_sync(dir);
}
