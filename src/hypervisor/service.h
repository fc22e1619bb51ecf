/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/attr.h"
#include "proto/control.h"

struct vm;

/**
 * service_handle() - one request of niterd on the instance's service socket, answered on it
 * @m: decoded; the caller frees it
 *
 * Return: 0, -EPROTO (not a request of this socket), -errno of the answer.
 */
MUST_USE int service_handle(struct vm *vm, int sock, const struct ctl_msg *m);

/* service_last_words(): the guest has ended; the end of its console goes into the socket, unasked (seq 0). */
void service_last_words(struct vm *vm, int sock);

/* process_cpu_us(): CPU time of this process so far. */
uint64_t process_cpu_us(void);
