/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One thread, one epoll. Ready descriptors carry a typed reference which the caller dispatches in one
 * switch; no callback registers a callback.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct loop_ref {
	int type;  /* the program's own enum */
	void *ptr; /* borrowed; must outlive loop_del() */
};

struct loop_event {
	struct loop_ref *ref; /* the one given to loop_add() */
	uint32_t events;      /* EPOLLIN ... */
};

struct loop {
	int epfd;
};

enum { LOOP_EVENTS_MAX = 64 };

MUST_USE int loop_init(struct loop *l);
void loop_done(struct loop *l);
/* @ref is borrowed until loop_del(). @events: EPOLLIN etc., level-triggered. */
MUST_USE int loop_add(struct loop *l, int fd, uint32_t events, struct loop_ref *ref);
MUST_USE int loop_mod(struct loop *l, int fd, uint32_t events, struct loop_ref *ref);
void loop_del(struct loop *l, int fd);
/* @timeout_ms: -1 waits for ever. Return: number of events, 0 on time-out (or EINTR), -errno. */
MUST_USE int loop_wait(struct loop *l, struct loop_event ev[LOOP_EVENTS_MAX], int timeout_ms);
