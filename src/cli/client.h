/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A conversation with niterd: over its unix socket, or over a control port of a simulated server. docs/wire/api.md.
 * Errors are printed here, once, as one line that says what and what to do.
 */

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct client;
struct progress;

/**
 * client_open() - connect and say hello
 *
 * $NITER_SOCKET, else a control port of the simulated server of $NITER_HOME, else /run/niter/niterd.sock.
 * Return: 0 and *ret (owned: client_free()), or CLI_FAILED with the line printed.
 */
MUST_USE int client_open(struct client **ret);
/* client_try(): the same for somebody who waits until the host is ready: prints nothing. Return: 0, -errno. */
MUST_USE int client_try(struct client **ret, int timeout_ms);
void client_free(struct client *c);
void client_freep(struct client **c);

/**
 * client_call() - one request, its progress, its answer
 * @params:     consumed; NULL for none
 * @p:          where progress is shown; NULL: nowhere
 * @ret_result: owned by the caller; NULL: not wanted
 * Return: 0, or CLI_FAILED with the line printed.
 */
MUST_USE int client_call(struct client *c, const char *method, json_t *params, struct progress *p,
			 json_t **ret_result);
/* client_call_once(): client_open(), client_call(), client_free(). */
MUST_USE int client_call_once(const char *method, json_t *params, struct progress *p,
			      json_t **ret_result);

/* For image.put: client_begin() waits for "ready"; then frames; then client_end() for the answer. */
MUST_USE int client_begin(struct client *c, const char *method, json_t *params);
/* client_write(): raw bytes. Return: 0, CLI_FAILED: niterd has said why, or is gone; client_end() prints it. */
MUST_USE int client_write(struct client *c, const void *p, size_t len);
MUST_USE int client_end(struct client *c, struct progress *p, json_t **ret_result);
