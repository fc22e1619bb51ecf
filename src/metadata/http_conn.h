/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A connection without its socket: bytes in, one answer at a time out. However the bytes are split when they
 * arrive, the answers are the same.
 */

#include "base/bucket.h"
#include "metadata/imds.h"

struct http_conn {
	size_t in_len;
	size_t scanned;          /* see http_head_end() */
	size_t out_off, out_end; /* of out: what is still to be sent */
	bool close;              /* after that the connection ends */
	char in[HTTP_HEAD_MAX];
	char out[HTTP_ANSWER_HEAD_MAX + IMDS_BODY_MAX];
};

enum http_step {
	STEP_MORE,   /* no whole request is there; c->in has room */
	STEP_ANSWER, /* out has an answer */
	STEP_TOKEN,  /* as STEP_ANSWER, and it is one that has to stay near: guard_hop_limit() */
	STEP_WAIT,   /* a request is there, but not its time: try again after *wait_ns */
};

/* http_conn_reset(): a new connection; the buffers keep their bytes. */
void http_conn_reset(struct http_conn *c);

/**
 * http_conn_step() - answer the next request, if one is there
 * @c:        nothing is left to be sent
 * @b:        how many requests a second
 * @wait_ns:  written for STEP_WAIT
 */
enum http_step http_conn_step(struct http_conn *c, struct imds *m, struct bucket *b,
			      uint64_t now_ns, uint64_t *wait_ns);
