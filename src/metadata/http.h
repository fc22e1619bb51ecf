/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The little HTTP/1.1 that this process speaks: a request's head in, spans and a decoded path out. No I/O, no
 * allocation, no state but how far a head has been looked through. Requests have no bodies here.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

enum {
	HTTP_LINE_MAX = 2048, /* bytes of the request line */
	HTTP_HEAD_MAX = 8192, /* bytes of a whole head, its empty line included */
	HTTP_FIELDS_MAX = 64,
	HTTP_ANSWER_HEAD_MAX = 512,
};

/* Bytes of the request, borrowed from the buffer that was parsed. */
struct http_text {
	const char *p;
	size_t len;
};

enum http_method { HTTP_GET, HTTP_PUT, HTTP_OTHER };

/* The fields somebody here looks at; all others are only checked for form. */
enum http_field_id {
	HTTP_HOST,
	HTTP_TOKEN,
	HTTP_TTL,
	HTTP_FORWARDED_FOR,
	HTTP_LENGTH,
	HTTP_TRANSFER,
	HTTP_EXPECT,
	HTTP_CONNECTION,
	HTTP_FIELD_IDS,
};

struct http_field {
	unsigned cnt;           /* how often it came */
	struct http_text value; /* of the first one, without blanks around it */
};

struct http_request {
	enum http_method method;
	unsigned minor;             /* HTTP/1.minor: 0 or 1 */
	bool close;                 /* no further request follows on this connection */
	bool absolute;              /* the target named a host: authority */
	struct http_text authority; /* host and port of an absolute target */
	char path
		[HTTP_LINE_MAX]; /* decoded; segments joined by '/', none before or after; "" for "/" */
	struct http_field field[HTTP_FIELD_IDS];
};

/**
 * http_head_end() - where does the head at the start of @buf end?
 * @len:      bytes there
 * @scanned:  how far an earlier call on the same bytes got; 0 at first
 * @status:   what to answer when the result is -EPROTO
 *
 * Return: bytes of the head with its empty line; 0 when more bytes are needed; -EPROTO for a bare CR or LF, a
 * zero byte, a line or a head beyond its limit.
 */
MUST_USE int http_head_end(const char *buf, size_t len, size_t *scanned, int *status);

/**
 * http_parse() - understand a whole head
 * @head:    as long as http_head_end() said; the spans in @ret point into it
 * @status:  what to answer when the result is -EPROTO: 400, 431 or 505
 *
 * spec: rfc-9112 §3 (request line), §5 (fields); spec: rfc-9110 §5.6.2 (tokens)
 * Return: 0, -EPROTO.
 */
MUST_USE int http_parse(const char *head, size_t len, struct http_request *ret, int *status);

/**
 * http_target_parse() - a request target: origin form, or absolute form with scheme http
 * @ret:  absolute, authority and path are set
 *
 * %XX is decoded once. What could be read in two ways is refused: %2F, %00 and other control characters,
 * the segments "." and "..", '#', bytes above 0x7e that are not written as %XX.
 * spec: rfc-9112 §3.2; spec: rfc-3986 §2.1, §3.3
 * Return: 0, -EPROTO.
 */
MUST_USE int http_target_parse(struct http_text target, struct http_request *ret);

/* http_text_is(): case-insensitive comparison with a literal. */
bool http_text_is(struct http_text t, const char *literal);

struct http_answer {
	int status;
	const char *type; /* of the body */
	size_t body_len;
	unsigned ttl_s;    /* > 0: the answer to a token request */
	const char *allow; /* of a 405; else NULL */
	bool close;        /* the connection ends after it */
};

/**
 * http_answer_head() - the head of an answer
 * @buf:  HTTP_ANSWER_HEAD_MAX bytes
 *
 * Return: its bytes, empty line included.
 */
size_t http_answer_head(const struct http_answer *a, char buf[HTTP_ANSWER_HEAD_MAX]);

/* http_status_text(): "Not Found" of 404. */
const char *http_status_text(int status);
