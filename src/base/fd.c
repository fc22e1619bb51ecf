/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"

/* What programs do with descriptors after they are jailed. Making new ones is in fd_new.c. */

/* #syscalls:* close */
void fd_closep(int *fd)
{
	int e = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = e;
}

void fd_list_done(struct fd_list *l)
{
	unsigned i;

	for (i = 0; i < l->cnt; i++)
		fd_closep(&l->fd[i]);
	l->cnt = 0;
}

int fd_list_take(struct fd_list *l, unsigned idx)
{
	if (idx >= l->cnt || l->fd[idx] < 0)
		return -EPROTO;
	return TAKE_FD(l->fd[idx]);
}

/* Room for the descriptors of one message, aligned for its header. */
union fd_cmsg {
	struct cmsghdr hdr;
	char b[CMSG_SPACE(sizeof(int) * FD_MSG_FDS_MAX)];
};

/* #syscalls:* sendmsg */
int fd_msg_send(int sock, const void *buf, size_t len, const int *fds, unsigned fd_cnt)
{
	union fd_cmsg cm;
	struct iovec iov;
	struct msghdr mh;
	ssize_t n;

	if (fd_cnt > FD_MSG_FDS_MAX)
		return -EINVAL;
	memset(&mh, 0, sizeof(mh));
	memcpy(&iov.iov_base, &buf, sizeof(buf)); /* sendmsg() only reads, its struct cannot say so */
	iov.iov_len = len;
	mh.msg_iov = &iov;
	mh.msg_iovlen = 1;
	if (fd_cnt) {
		memset(&cm, 0, sizeof(cm));
		mh.msg_control = &cm;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * fd_cnt);
		cm.hdr.cmsg_level = SOL_SOCKET;
		cm.hdr.cmsg_type = SCM_RIGHTS;
		cm.hdr.cmsg_len = CMSG_LEN(sizeof(int) * fd_cnt);
		memcpy(CMSG_DATA(&cm.hdr), fds, sizeof(int) * fd_cnt);
	}
	do
		n = sendmsg(sock, &mh, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

/* Takes ownership of every descriptor in the control data before anything is judged. */
static void cmsg_collect(struct msghdr *mh, struct fd_list *ret_fds)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		size_t cnt, i;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		cnt = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < cnt; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (ret_fds->cnt < FD_MSG_FDS_MAX)
				ret_fds->fd[ret_fds->cnt++] = fd;
			else
				close(fd);
		}
	}
}

/* #syscalls:* recvmsg */
ssize_t fd_msg_recv(int sock, void *buf, size_t cap, struct fd_list *ret_fds)
{
	struct iovec iov = { .iov_base = buf, .iov_len = cap };
	union fd_cmsg cm;
	struct msghdr mh;
	ssize_t n;

	ret_fds->cnt = 0;
	memset(&mh, 0, sizeof(mh));
	mh.msg_iov = &iov;
	mh.msg_iovlen = 1;
	mh.msg_control = &cm;
	mh.msg_controllen = sizeof(cm);
	do
		n = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	cmsg_collect(&mh, ret_fds);
	if (mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		fd_list_done(ret_fds);
		return -EPROTO;
	}
	return n;
}

/* #syscalls:* read */
int fd_read_full(int fd, void *buf, size_t len)
{
	char *p = buf;

	while (len) {
		ssize_t n = read(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENODATA;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* #syscalls:* write */
int fd_write_full(int fd, const void *buf, size_t len)
{
	const char *p = buf;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static bool off_ok(uint64_t off, size_t len)
{
	return range_ok(off, len, INT64_MAX);
}

/* #syscalls:* pread64 */
int fd_pread_full(int fd, void *buf, size_t len, uint64_t off)
{
	char *p = buf;

	if (!off_ok(off, len))
		return -EINVAL;
	while (len) {
		ssize_t n = pread(fd, p, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENODATA;
		p += n;
		off += (size_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* #syscalls:* pwrite64 */
int fd_pwrite_full(int fd, const void *buf, size_t len, uint64_t off)
{
	const char *p = buf;

	if (!off_ok(off, len))
		return -EINVAL;
	while (len) {
		ssize_t n = pwrite(fd, p, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		p += n;
		off += (size_t)n;
		len -= (size_t)n;
	}
	return 0;
}

void fd_event_signal(int fd)
{
	uint64_t one = 1;
	ssize_t n;

	do /* EAGAIN: the counter is full, so the reader wakes anyway */
		n = write(fd, &one, sizeof(one));
	while (n < 0 && errno == EINTR);
}

void fd_event_clear(int fd)
{
	uint64_t cnt;
	ssize_t n;

	do
		n = read(fd, &cnt, sizeof(cnt));
	while (n < 0 && errno == EINTR);
}

/* #syscalls:* fcntl(F_GET_SEALS) fstat newfstatat */
int fd_memfd_check(int fd, uint64_t min_len)
{
	struct stat st;
	int seals;

	seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0)
		return errno == EINVAL ? -EPROTO : -errno;
	if (!(seals & F_SEAL_SHRINK))
		return -EPROTO;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size < 0 || (uint64_t)st.st_size < min_len)
		return -EPROTO;
	return 0;
}
