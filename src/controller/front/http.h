/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * HTTP/1.1 requests, read strictly: what two readers could understand in two ways is refused, and after a refusal the
 * connection ends, so nothing can be smuggled behind it. No I/O, no allocation. Bodies have a Content-Length or there
 * is none; Transfer-Encoding is not offered, which RFC 9112 allows a server to say with 501.
 *
 * spec: rfc-9112 §2.2 (lines), §3 (request line), §5 (fields), §6 (body)
 */

#include <sys/types.h>

#include "controller/front/exchange.h"

/* How far the request at the start of a buffer has been looked through. All zero before its first byte. */
struct http_reader {
	size_t scanned;  /* bytes of the head that are well-formed lines */
	size_t head_len; /* with its empty line; 0: not complete */
	size_t body_len;
	bool expects;       /* the client waits for "100 Continue" before it sends the body */
	unsigned status;    /* of a refusal: 400, 413, 417, 431, 501, 505 */
	const char *reason; /* of a refusal, for people; a literal */
};

/**
 * http_read() - is there a whole request at the start of @buf?
 * @r:    the same for every call about one request, of which @buf only gets longer
 * @ret:  its spans point into @buf; written only when the result is > 0
 *
 * Return: bytes of the request, body included; 0 more are needed; -EPROTO refused: @r says how.
 */
MUST_USE ssize_t http_read(struct http_reader *r, const char *buf, size_t len,
			   struct http_request *ret);

/* http_span_is(): case-insensitive. */
bool http_span_is(struct http_span s, const char *literal);

/* http_status_text(): "Not Found" of 404. */
const char *http_status_text(unsigned status);
