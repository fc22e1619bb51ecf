/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * File descriptors, and messages that carry them.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"

enum {
	FD_MSG_FDS_MAX = 32, /* descriptors in one message */
};

/* fd_closep() for CLEANUP: closes *fd if >= 0 and sets it to -1; errno is kept. */
void fd_closep(int *fd);

/* A set of received descriptors. Those still >= 0 are closed by fd_list_done(). */
struct fd_list {
	int fd[FD_MSG_FDS_MAX];
	unsigned cnt;
};

void fd_list_done(struct fd_list *l);
/* fd_list_take(): descriptor idx, which the caller owns from now on; -EPROTO if there is none. */
MUST_USE int fd_list_take(struct fd_list *l, unsigned idx);

/**
 * fd_msg_send() - one whole message with descriptors on a SOCK_SEQPACKET or SOCK_STREAM socket
 * @fds:    borrowed: the receiver gets copies; at most FD_MSG_FDS_MAX
 *
 * Blocks or not as the socket does. Uses sendmsg with MSG_NOSIGNAL.
 * Return: 0, or -errno (-EAGAIN, -EPIPE; -EIO on a short write).
 */
MUST_USE int fd_msg_send(int sock, const void *buf, size_t len, const int *fds, unsigned fd_cnt);

/**
 * fd_msg_recv() - one message (SEQPACKET) or what is there (STREAM, at most @cap bytes)
 * @ret_fds:  every descriptor that came, owned, close-on-exec, also when the result is an error
 *
 * Return: bytes received, 0 at end of file, -EPROTO when data or descriptors were truncated
 * (what came is closed), or -errno.
 */
MUST_USE ssize_t fd_msg_recv(int sock, void *buf, size_t cap, struct fd_list *ret_fds);

/* fd_read_full() / fd_write_full(): all bytes or an error; -ENODATA when the file ends early. */
MUST_USE int fd_read_full(int fd, void *buf, size_t len);
MUST_USE int fd_write_full(int fd, const void *buf, size_t len);
MUST_USE int fd_pread_full(int fd, void *buf, size_t len, uint64_t off);
MUST_USE int fd_pwrite_full(int fd, const void *buf, size_t len, uint64_t off);

/* fd_socketpair(): SOCK_SEQPACKET (or other @type) unix pair, close-on-exec. */
MUST_USE int fd_socketpair(int type, int *ret_a, int *ret_b);

/* fd_eventfd(): non-blocking, close-on-exec counter. fd_event_signal() adds 1; fd_event_clear() reads it. */
MUST_USE int fd_eventfd(void);
void fd_event_signal(int fd);
void fd_event_clear(int fd);

/**
 * fd_memfd_check() - is this the sealed shared memory that a peer promised?
 * @min_len: bytes it must have at least
 *
 * Checks that it is a memfd with F_SEAL_SHRINK and that its size is enough, so that a peer
 * cannot truncate it under us (SIGBUS).
 * Return: 0, -EPROTO if it is not, -errno.
 */
MUST_USE int fd_memfd_check(int fd, uint64_t min_len);

/* fd_memfd(): memfd of @len bytes, sealed against shrinking and growing, close-on-exec. */
MUST_USE int fd_memfd(const char *name, uint64_t len);
