/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The API's port: HTTP and, when a connection's first byte is that of a TLS record, HTTPS.
 *
 *   front.c      the listener, room for connections, time limits
 *   conn.c       one connection: bytes in, bytes out, one request after the other
 *   http.c       is it a request?
 *   auth.c       whose is it?
 *   route.c      who answers it? refusals in the service's own form
 *   exchange.c   the answer
 *   audit.c      one line for each
 *   certificate.c  the server's name and key
 */

#include "controller/front/exchange.h"

struct front;

enum {
	FRONT_ADDRESS_MAX = 64,
	FRONT_CONN_MAX = 1024,
	FRONT_EXCHANGES_MAX = 2048, /* requests under way, those whose clients have gone included */
};

/**
 * front_new() - begins to listen
 * @listener: listening socket, non-blocking, taken, also on failure
 * @files:    certificate and audit log are kept below the working directory; false: nothing is kept
 */
MUST_USE int front_new(struct daemon *d, int listener, bool files);
void front_free(struct daemon *d);

/* Events of the loop: REF_FRONT and REF_FRONT_CONN. */
void front_accept(struct daemon *d);
void front_conn_event(struct front_conn *c, uint32_t events);
/* front_again(): goes on with connections of whose bytes no event will tell. Before the events of a turn. */
void front_again(struct daemon *d);
/* front_timers(): time limits; frees what ended. At the end of a turn, when no event refers to it any more. */
void front_timers(struct daemon *d, uint64_t now_ns, uint64_t *next);

/* front_turn_end(): the answers given so far leave. @durable: false: those given in a turn are InternalError instead. */
void front_turn_end(struct daemon *d, bool durable);

/* front_address(): where it listens, "10.0.2.15:8773"; empty: nowhere. */
void front_address(const struct daemon *d, char ret[FRONT_ADDRESS_MAX]);
/* front_port(): its port; 0: none. */
unsigned front_port(const struct daemon *d);

/* front_certificate(): PEM, for clients that must trust it. Return: 0 and *ret (owned), -ENOENT: no listener, -errno. */
MUST_USE int front_certificate(struct daemon *d, char **ret);

/* front_audit(): the last lines of the audit log, at most @max bytes. Return: 0 and *ret (owned), -ENOENT: no listener, -errno. */
MUST_USE int front_audit(struct daemon *d, size_t max, char **ret);

/* front_retry(): @x goes on where auth_check() said -EINPROGRESS. */
void front_retry(struct exchange *x);
