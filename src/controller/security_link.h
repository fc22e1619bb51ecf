/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Asking the security process: secrets of access keys and KMS (CTL_API_KEY_…, CTL_KMS_…). A question waits for its answer
 * without anybody waiting here: it has a function that is called exactly once, later, never from within the asking.
 * A few questions are under way at a time, the others queue; answers may come in any order. Packets that hold a secret are wiped when
 * they are sent.
 *
 * The other end is niter-security, on a channel that the launcher made. With the null launcher it is struct keys
 * (keys/keys.h) in this process, behind a socket pair of its own: niterd then holds the secrets itself, and says so.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/loop.h"
#include "proto/control.h"

enum {
	SECURITY_ASKED_MAX = 16,   /* questions under way: their answers fit in the socket */
	SECURITY_QUEUE_MAX = 1024, /* ... and those that wait for that */
	SECURITY_PATIENCE_S = 20,
};

/**
 * security_link_fn() - the answer
 * @err: 0, -ENOTCONN the security process is gone, -ETIMEDOUT; what is wrong with the question is in the answer itself
 * @m:   CTL_API_KEY, CTL_API_KEY_DERIVED or CTL_KMS_ANSWER, as the question has it; NULL with an error. Wiped afterwards
 */
typedef void security_link_fn(void *ptr, int err, const struct ctl_msg *m);

struct security_question;

struct security_link {
	struct loop *loop;    /* borrowed; NULL: there is no security process */
	struct loop_ref *ref; /* borrowed */
	int fd;               /* owned; -1: closed */
	uint32_t seq;
	uint32_t events;                               /* registered with the loop */
	struct security_question *asked, **asked_tail; /* owned, oldest first */
	struct security_question *queue, **queue_tail; /* owned, oldest first */
	size_t asked_cnt, queue_cnt;
};

/* security_link_init(): not connected; every question is -ENOTCONN. */
void security_link_init(struct security_link *l);
/* security_link_open(): @fd is taken, also on failure. @ref: what events on it carry. Return: 0, -errno. */
MUST_USE int security_link_open(struct security_link *l, struct loop *loop, struct loop_ref *ref,
				int fd);
/* security_link_close(): everybody who waits is told -ENOTCONN. */
void security_link_close(struct security_link *l);
bool security_link_is_open(const struct security_link *l);

/**
 * security_link_ask() - put a question
 * @body: the struct of @type
 * @ptr:  must stay valid until @fn is called
 * Return: 0: @fn will be called; -ENOTCONN, -EBUSY too many wait, -EINVAL not such a message, -ENOMEM: it will not.
 */
MUST_USE int security_link_ask(struct security_link *l, enum ctl_type type, const void *body,
			       security_link_fn *fn, void *ptr);

/* security_link_event(): its socket is ready. Calls functions of those who asked. */
void security_link_event(struct security_link *l, uint32_t events);
/* security_link_timers(): who waited too long is told. *next: the earliest time something else will be due. */
void security_link_timers(struct security_link *l, uint64_t now_ns, uint64_t *next);
