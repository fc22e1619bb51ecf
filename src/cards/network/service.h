/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What niterd tells the card on its service socket: what ports are, their rules and routes, who is where. Every message is
 * answered; one that makes no sense changes nothing. Order does not matter: a port is what it was told so far.
 */

#include "cards/network/port.h"

struct service {
	struct port *const *port; /* borrowed: CTL_INTERFACES_MAX of them, NULL: none */
	struct vpc_map *map;      /* borrowed */
	struct ctl_msg msg;       /* too large for the stack */
	struct vpc_rule rule[VPC_RULES_MAX];
	struct ctl_vpc_stats stats;
};

/* service_handle(): one message that came on @sock. Return: 0, -EPROTO: nothing niterd may say here; -errno of the socket. */
MUST_USE int service_handle(struct service *s, int sock, const struct ctl_msg *m, uint64_t now_ns);
