/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The guards: one function for each thing that keeps a token, or what it opens, from those who should not have it. Each returns
 * 0 to go on, or the status to answer. They are one file so that tests/isolation can take away one at a time, by
 * linking, and show that its probe would then succeed.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bucket.h"
#include "metadata/imds.h"

/* One request, one meaning: no body, no second length, no transfer coding. spec: rfc-9112 §6 */
MUST_USE int guard_framing(const struct http_request *req);
/* The service may be switched off. */
MUST_USE int guard_enabled(const struct imds *m);
/* Only our own names: a page in a browser whose name was rebound to our address sends its own. */
MUST_USE int guard_host(const struct imds *m, const struct http_request *req);
/* GET reads, PUT makes tokens; nothing else. @token_path: the request is for the token's path. */
MUST_USE int guard_method(const struct http_request *req, bool token_path);
/* A request that a proxy passed on gets no token. */
MUST_USE int guard_forwarded(const struct http_request *req);
/* @ret: seconds, 1 … TOKEN_TTL_MAX_S */
MUST_USE int guard_ttl(const struct http_request *req, unsigned *ret);
/* Is the token needed, and is it one? */
MUST_USE int guard_token(const struct imds *m, const struct http_request *req, uint64_t now_ns);
/* One token in a request, not two of which somebody else sees the other. */
MUST_USE int guard_token_once(const struct http_request *req);
/* The answer with a token travels @hops hops. From now on on this connection. Return: 0, -errno. */
MUST_USE int guard_hop_limit(int fd, uint8_t hops);
/* Return: 0: go on; else nanoseconds until the next request is served. */
uint64_t guard_rate(struct bucket *b, uint64_t now_ns);
/* Has this connection had its time? */
bool guard_late(uint64_t deadline_ns, uint64_t now_ns);
