/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loop.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/fd.h"

/* #syscalls:* epoll_create1 */
int loop_init(struct loop *l)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0)
		return -errno;
	l->epfd = fd;
	return 0;
}

void loop_done(struct loop *l)
{
	fd_closep(&l->epfd);
}

/* #syscalls:* epoll_ctl */
static int loop_ctl(struct loop *l, int op, int fd, uint32_t events, struct loop_ref *ref)
{
	struct epoll_event e;

	memset(&e, 0, sizeof(e));
	e.events = events;
	e.data.ptr = ref;
	return epoll_ctl(l->epfd, op, fd, &e) < 0 ? -errno : 0;
}

int loop_add(struct loop *l, int fd, uint32_t events, struct loop_ref *ref)
{
	return loop_ctl(l, EPOLL_CTL_ADD, fd, events, ref);
}

int loop_mod(struct loop *l, int fd, uint32_t events, struct loop_ref *ref)
{
	return loop_ctl(l, EPOLL_CTL_MOD, fd, events, ref);
}

void loop_del(struct loop *l, int fd)
{
	(void)loop_ctl(l, EPOLL_CTL_DEL, fd, 0, NULL); /* not there: nothing to do */
}

/* #syscalls:* epoll_wait epoll_pwait */
int loop_wait(struct loop *l, struct loop_event ev[LOOP_EVENTS_MAX], int timeout_ms)
{
	struct epoll_event e[LOOP_EVENTS_MAX];
	int i, n;

	n = epoll_wait(l->epfd, e, LOOP_EVENTS_MAX, timeout_ms);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (i = 0; i < n; i++)
		ev[i] = (struct loop_event){ .ref = e[i].data.ptr, .events = e[i].events };
	return n;
}
