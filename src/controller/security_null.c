/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/security_null.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"

enum { ROOT_BYTES = 32, ANSWERS_PER_WAKE = 16, KEYS_ALIVE = 32 };

int security_null_init(struct security_null *n, const struct key *root, int *ret_fd)
{
	CLEANUP(key_freep) struct key *drawn = NULL;
	int r;

	memset(n, 0, sizeof(*n));
	n->fd = -1;
	r = key_reserve(KEYS_ALIVE);
	if (r == 0 && !root)
		r = key_new_random(ROOT_BYTES, &drawn);
	if (r == 0)
		r = vault_null_init(&n->vault, root ? root : drawn);
	if (r == 0)
		r = fd_socketpair(SOCK_SEQPACKET | SOCK_NONBLOCK, &n->fd, ret_fd);
	if (r < 0)
		return r;
	keys_init(&n->keys, n->vault.api, &n->vault.vault);
	return 0;
}

int security_null_open(struct security_null *n, struct loop *loop, struct loop_ref *ref)
{
	int r = loop_add(loop, n->fd, EPOLLIN, ref);

	if (r == 0)
		n->loop = loop;
	return r;
}

void security_null_event(struct security_null *n)
{
	int r = 1;

	for (int k = 0; r > 0 && k < ANSWERS_PER_WAKE && n->fd >= 0; k++)
		r = keys_serve(&n->keys, n->fd);
	if (r > 0 || r == -EAGAIN)
		return;
	log_warn("security_null.closed", "err=%d", r);
	security_null_done(n);
}

void security_null_done(struct security_null *n)
{
	if (n->fd >= 0 && n->loop)
		loop_del(n->loop, n->fd);
	fd_closep(&n->fd);
	vault_null_done(&n->vault);
}
