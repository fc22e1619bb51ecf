/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "controller/niterd.h"

/* front_alone(): the daemon; its loop and its front are the caller's to open. */
struct daemon *front_alone(void);
/* front_alone_step(): one turn of its loop. Return: events, -errno. */
int front_alone_step(struct daemon *d, int timeout_ms);
