/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "jail_path.h"
#include "launcher.h"

/*
 * The state directory and who may do what in it. All of it is made before the launcher gives up CAP_CHOWN.
 *
 *   .          root:niterd    0710  niterd can reach its two directories, others see nothing
 *   niterd/    niterd:niterd  0700  the database
 *   images/    niterd:niterd  0700  what users uploaded; read by the launcher with niterd's uid
 *   volumes/   root:root      0700  volume files, 0600; a card gets one by descriptor
 *   security/  security       0700  sealed root key, secrets of the volumes
 */

/**
 * dir_detach() - the same directory as the root of a mount of its own, which hangs nowhere
 *
 * A process with an ordinary directory descriptor could walk out of its empty root by "..". From here ".."
 * leads nowhere. No device nodes, no programs and no links are followed in it.
 * @owner: who may read it
 * Return: descriptor, or -errno.
 */
static int dir_detach(int fd, uid_t owner)
{
	struct mount_attr attr = {
		.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC |
			    MOUNT_ATTR_NOSYMFOLLOW,
	};
	CLEANUP(fd_closep) int tree = -1;

	tree = (int)syscall(SYS_open_tree, fd, "",
			    AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0)
		return -errno;
	if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return -errno;
	/* What open_tree() gives can only be looked up from; this one can be read and synced too. */
	fs_user_set(owner);
	fd = jail_open(tree, ".", O_RDONLY | O_DIRECTORY, 0);
	fs_user_reset();
	return fd;
}

static int dir_failed(const char *name, int r)
{
	log_err("state.dir", "name=%s err=%d text=\"%s\"", name, r, strerrordesc_np(-r));
	return r;
}

static int sub_dir(int top, const char *name, uid_t owner, bool detach, int *ret)
{
	CLEANUP(fd_closep) int fd = -1;
	int r;

	fd = jail_dir(top, name, 0700, owner, owner);
	if (fd < 0)
		return dir_failed(name, fd);
	if (detach) {
		r = dir_detach(fd, owner);
		if (r < 0)
			return dir_failed(name, r);
		*ret = r;
		return 0;
	}
	*ret = TAKE_FD(fd);
	return 0;
}

int state_dir_open(struct launcher *l)
{
	CLEANUP(fd_closep) int top = -1, niterd = -1;
	int r;

	if (mkdir(l->state_path, 0710) < 0 && errno != EEXIST)
		return dir_failed(l->state_path, -errno);
	top = open(l->state_path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (top < 0)
		return dir_failed(l->state_path, -errno);
	/* Held for ever: two launchers on one state would hand out the same volume twice. */
	if (flock(top, LOCK_EX | LOCK_NB) < 0) {
		log_err("state.dir", "name=%s text=\"another niter-launcher uses this directory\"",
			l->state_path);
		return -EBUSY;
	}
	if (fchmod(top, 0710) < 0 || fchown(top, 0, UID_NITERD) < 0)
		return dir_failed(l->state_path, -errno);
	r = sub_dir(top, "niterd", UID_NITERD, false, &niterd);
	if (r == 0)
		r = sub_dir(top, "images", UID_NITERD, false, &l->images_fd);
	if (r == 0)
		r = sub_dir(top, "volumes", 0, false, &l->volumes_fd);
	if (r == 0)
		r = sub_dir(top, "security", UID_SECURITY, true, &l->security_fd);
	if (r < 0)
		return r;
	l->state_fd = dir_detach(top, 0);
	if (l->state_fd < 0)
		return dir_failed(l->state_path, l->state_fd);
	l->lock_fd = TAKE_FD(top);
	return 0;
}

int listener_open(const char *run_path, int *ret)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	CLEANUP(fd_closep) int fd = -1;
	int n;

	n = snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/niterd.sock", run_path);
	if (n < 0 || n >= (int)sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	if (mkdir(run_path, 0755) < 0 && errno != EEXIST)
		return -errno;
	if (chmod(run_path, 0755) < 0) /* whatever the umask: the socket's own mode decides */
		return -errno;
	if (unlink(sa.sun_path) < 0 && errno != ENOENT)
		return -errno;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (fchmod(fd, 0660) < 0) /* the socket file takes its mode from here at bind() */
		return -errno;
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || chmod(sa.sun_path, 0660) < 0)
		return -errno;
	if (listen(fd, 64) < 0)
		return -errno;
	*ret = TAKE_FD(fd);
	return 0;
}

/* #syscalls:launcher unlinkat */
void listener_remove(const char *run_path)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/niterd.sock", run_path);

	if (n > 0 && n < (int)sizeof(path) && unlinkat(AT_FDCWD, path, 0) < 0)
		log_warn("launcher.socket_left", "path=%s text=\"%s\"", path,
			 strerrordesc_np(errno));
}
