/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "init.h"

enum { COPY_DEPTH_MAX = 16 };

static const char new_root[] = "/newroot";

/* Kernel file systems: they are moved along, never copied. */
static const struct {
	const char *path, *type, *options;
	unsigned long flags;
} kernel_mounts[] = {
	{ "/proc", "proc", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC },
	{ "/sys", "sysfs", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC },
	{ "/dev", "devtmpfs", "mode=0755", MS_NOSUID | MS_NOEXEC },
	{ "/run", "tmpfs", "mode=0755,size=16m", MS_NOSUID | MS_NODEV | MS_NOEXEC },
};

int init_mount_kernel(void)
{
	for (size_t n = 0; n < ARRAY_SIZE(kernel_mounts); n++) {
		if (mkdir(kernel_mounts[n].path, 0755) < 0 && errno != EEXIST)
			return -errno;
		if (mount(kernel_mounts[n].type, kernel_mounts[n].path, kernel_mounts[n].type,
			  kernel_mounts[n].flags, kernel_mounts[n].options) < 0)
			return -errno;
	}
	if (mount("cgroup2", "/sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) <
	    0)
		return -errno;
	return 0;
}

static int file_move(int from_dir, int to_dir, const char *name, const struct stat *st)
{
	CLEANUP(fd_closep) int from = openat(from_dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	CLEANUP(fd_closep) int to = -1;
	off_t left = st->st_size;
	ssize_t n;

	if (from < 0)
		return -errno;
	to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, st->st_mode & 0777);
	if (to < 0)
		return -errno;
	while (left > 0) {
		n = sendfile(to, from, NULL, (size_t)left);
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		left -= n;
	}
	return unlinkat(from_dir, name, 0) < 0 ? -errno : 0;
}

static int link_move(int from_dir, int to_dir, const char *name)
{
	char target[256];
	ssize_t len = readlinkat(from_dir, name, target, sizeof(target) - 1);

	if (len < 0)
		return -errno;
	target[len] = '\0';
	if (symlinkat(target, to_dir, name) < 0)
		return -errno;
	return unlinkat(from_dir, name, 0) < 0 ? -errno : 0;
}

static int tree_move(int from_fd, int to_dir, dev_t dev, unsigned depth);

static int entry_move(int from_dir, int to_dir, const char *name, dev_t dev, unsigned depth)
{
	struct stat st;
	int from, to, r;

	if (fstatat(from_dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISREG(st.st_mode))
		return file_move(from_dir, to_dir, name, &st);
	if (S_ISLNK(st.st_mode))
		return link_move(from_dir, to_dir, name);
	if (!S_ISDIR(st.st_mode))
		return 0;
	if (mkdirat(to_dir, name, st.st_mode & 0777) < 0 && errno != EEXIST)
		return -errno;
	if (st.st_dev != dev) /* a mount: moved, not copied */
		return 0;
	from = openat(from_dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (from < 0)
		return -errno;
	to = openat(to_dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (to < 0) {
		r = -errno;
		close(from);
		return r;
	}
	r = tree_move(from, to, dev, depth + 1);
	close(to);
	return r;
}

/* Takes @from_fd. The initramfs is ours: sorted by nobody, at most COPY_DEPTH_MAX deep. */
static int tree_move(int from_fd, int to_dir, dev_t dev, unsigned depth)
{
	DIR *d = fdopendir(from_fd);
	const struct dirent *e;
	int r = 0;

	if (!d) {
		close(from_fd);
		return -ENOMEM;
	}
	if (depth > COPY_DEPTH_MAX)
		r = -ELOOP;
	while (r == 0 && (e = readdir(d))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
		    (depth == 0 && strcmp(e->d_name, new_root + 1) == 0))
			continue;
		r = entry_move(dirfd(d), to_dir, e->d_name, dev, depth);
	}
	closedir(d);
	return r;
}

int init_move_root(void)
{
	CLEANUP(fd_closep) int to = -1;
	char target[64];
	struct stat st;
	int from, r;

	if (mkdir(new_root, 0755) < 0 && errno != EEXIST)
		return -errno;
	if (mount("tmpfs", new_root, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0)
		return -errno;
	to = open(new_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	from = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (to < 0 || from < 0 || fstat(from, &st) < 0)
		return -EIO;
	r = tree_move(from, to, st.st_dev, 0);
	if (r < 0)
		return r;
	for (size_t n = 0; n < ARRAY_SIZE(kernel_mounts); n++) {
		snprintf(target, sizeof(target), "%s%s", new_root, kernel_mounts[n].path);
		if (mount(kernel_mounts[n].path, target, NULL, MS_MOVE, NULL) < 0)
			return -errno;
	}
	if (chdir(new_root) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 ||
	    chdir("/") < 0)
		return -errno;
	return 0;
}

static const char state_dir[] = "/var/lib/niter";

int init_mount_state(const char *device)
{
	/* The device may still be on its way. */
	for (int n = 0; n < 100 && access(device, F_OK) < 0; n++)
		usleep(50000);
	if (mount(device, state_dir, "ext4", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME,
		  "discard") < 0)
		return -errno;
	return 0;
}

void init_unmount_state(void)
{
	sync();
	for (int n = 0; n < 20; n++) {
		if (umount2(state_dir, MNT_DETACH * (n == 19)) == 0 || errno == EINVAL)
			return;
		usleep(100000);
	}
	log_warn("init.state.busy", NULL);
}
