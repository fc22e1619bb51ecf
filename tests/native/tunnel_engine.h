/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * niter-security's own tunnel code (src/security/tunnel.c) at the end of a wire's channel, without the process around
 * it: same answers as src/security/channel_tunnel.c, but the test's clock, and messages can get lost.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "proto/control.h"

struct tunnel_engine;

/* tunnel_engine_new(): a host with a fresh identity. tunnel_engine_boot(): the same host, everything else forgotten. */
struct tunnel_engine *tunnel_engine_new(void);
void tunnel_engine_boot(struct tunnel_engine *e);
void tunnel_engine_free(struct tunnel_engine *e);
const uint8_t *tunnel_engine_fingerprint(const struct tunnel_engine *e);
/* tunnel_engine_attach(): @fd is borrowed. */
void tunnel_engine_attach(struct tunnel_engine *e, int fd);
/* tunnel_engine_lose(): @per_cent of the handshake messages, either way. */
void tunnel_engine_lose(struct tunnel_engine *e, unsigned per_cent);
/* tunnel_engine_step(): everything that is there. Return: true if there was something. */
bool tunnel_engine_step(struct tunnel_engine *e, uint64_t now_ns);
/* Keys given out; asked for a second time. */
unsigned tunnel_engine_keys(const struct tunnel_engine *e);
unsigned tunnel_engine_refused(const struct tunnel_engine *e);
