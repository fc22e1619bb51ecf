/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * TCP ports of this machine that lead to the host. A hosted host is this machine, so there is nothing to do; a
 * simulated server sits behind QEMU's user network, which is asked through its monitor to lead the same port in.
 */

#include "base/attr.h"

/* host_port_open(): idempotent. Return: 0, or CLI_FAILED with the line printed. */
MUST_USE int host_port_open(unsigned port);
/* host_port_close(): best effort. */
void host_port_close(unsigned port);
/* host_port_check(): a port that a program of this machine listens on would be taken from it. Return: as host_port_open(). */
MUST_USE int host_port_check(unsigned port);
/* host_port_free(): a port of this machine nobody uses, if the host is simulated; 0: the host may choose. */
unsigned host_port_free(void);

/* host_port_api(): @want if it is free on 127.0.0.1; @want 0: HOST_API_PORT, or else any. Return: the port, 0 with a line printed. */
unsigned host_port_api(unsigned want);
