/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One HTTP request and its answer, between the front (connections, TLS) and the services behind it. A connection
 * has one exchange at a time; pipelined requests wait. An answer may come later, but it must come: exchange_reply() is
 * called exactly once. When the client goes away first, the exchange stays until its reply, which then goes nowhere.
 *
 * Answers leave when the turn in which they were given is durable (front_turn_end()).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "controller/model.h"

struct daemon;
struct front_conn;

struct http_span {
	const char *p;
	size_t len;
};

struct http_header {
	struct http_span name, value; /* value without blanks around it; name as sent */
};

enum {
	HTTP_HEADERS_MAX = 64,
	HTTP_HEAD_BYTES_MAX = 16 * 1024,
	HTTP_BODY_BYTES_MAX = 1024 * 1024,
};

/* A request, checked for form (http.c). Spans point into the connection's buffer and live until the reply. */
struct http_request {
	struct http_span method, target; /* as sent: target begins with "/" */
	struct http_span path,
		query;  /* of the target, raw; query without "?", empty when there is none */
	unsigned minor; /* HTTP/1.minor */
	bool close;
	struct http_header header[HTTP_HEADERS_MAX]; /* in order, duplicates kept */
	size_t header_cnt;
	const char *body;
	size_t body_len;
};

/* http_header_find(): the only header of this name (any case); NULL when there is none. *ret_cnt: how many there are. */
const struct http_header *http_header_find(const struct http_request *r, const char *name,
					   size_t *ret_cnt);

struct exchange {
	struct daemon *d;
	struct front_conn *conn;        /* front's; NULL once the client is gone */
	const struct http_request *req; /* NULL once the client is gone */
	uint64_t conn_number;           /* of all connections there ever were: never used again */
	bool tls;
	char peer[64];            /* address of the client, for the audit log */
	char request_id[40];      /* UUID, in every answer */
	char service[16];         /* of the credential scope: "ec2", "sts", "kms" */
	char account[CTL_ID_MAX]; /* empty until authenticated */
	char access_key_id[CTL_ID_MAX];
	char action[64];           /* "RunInstances"; for the audit log */
	char code[MODEL_CODE_MAX]; /* error code of the answer, for the audit log; empty: success */
	bool changes;              /* for the audit log */
	bool secret; /* request or answer holds a secret: the front wipes them when the answer is sent */
	void *kept; /* of whoever works on it while it waits; freed with free() after the reply */
};

/**
 * exchange_reply() - ends it
 * @type: Content-Type, a literal
 * @body: malloc()ed, taken; NULL with @len 0
 * Headers Date, Content-Length, x-amzn-requestid are the front's. @x is gone afterwards.
 */
void exchange_reply(struct exchange *x, unsigned status, const char *type, char *body, size_t len);
