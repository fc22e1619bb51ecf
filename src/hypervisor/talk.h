/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * ctl_send() and ctl_recv() for a process that allocates nothing once its guest runs: one buffer, the main thread's.
 */

#include <stdint.h>

#include "base/attr.h"
#include "proto/control.h"

/* As ctl_send(), ctl_ack() without descriptors, ctl_recv(). */
MUST_USE int talk_send(int sock, enum ctl_type type, uint32_t seq, const void *body);
MUST_USE int talk_ack(int sock, uint32_t seq, int err, const char *text);
MUST_USE int talk_recv(int sock, struct ctl_msg *ret);
