/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "security/service.h"

/*
 * The wire's channel. While it is open there are peers, handshakes and secrets of tunnels; they end with it, so that a
 * wire that was started again cannot get a key its predecessor has used.
 */

/* channel_tunnel_open(): Return: 0, -ENOKEY this host has no identity, -errno. */
MUST_USE int channel_tunnel_open(struct service *s, struct channel *c);
/* channel_tunnel_close(): if @c is the wire's. */
void channel_tunnel_close(struct service *s, const struct channel *c);
/* channel_tunnel_flush(): what had no room before. Return: 1 nothing is left, -EAGAIN something is, -errno. */
MUST_USE int channel_tunnel_flush(struct service *s, struct channel *c);
/* channel_tunnel_answer(): one message. Return: 0, -errno: the channel is closed. */
MUST_USE int channel_tunnel_answer(struct service *s, struct channel *c, const struct ctl_msg *m);
