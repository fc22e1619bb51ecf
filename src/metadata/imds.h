/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What is answered to a request: the rules of IMDSv2, without I/O and without a clock of its own.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "metadata/http.h"
#include "metadata/token.h"
#include "metadata/tree.h"

enum { IMDS_BODY_MAX = TREE_VALUE_MAX, IMDS_DOMAIN_MAX = 64 };

struct imds_options {
	bool set; /* niterd has spoken */
	bool enabled;
	bool tokens_optional;
	uint8_t hop_limit;
	char domain[IMDS_DOMAIN_MAX];
};

struct imds {
	struct imds_options options;
	struct tokens tokens;
	const struct tree *tree; /* the one being served; NULL: none yet */
};

/**
 * imds_answer() - carry out one request
 * @req:   syntactically good; meaning is checked here, in the order of docs/wire/metadata.md
 * @body:  IMDS_BODY_MAX bytes; filled up to @ret->body_len
 * @ret:   status and head of the answer. ret->ttl_s > 0: a token, the connection's hop limit has to be set
 */
void imds_answer(struct imds *m, const struct http_request *req, uint64_t now_ns, char *body,
		 struct http_answer *ret);

/* imds_refuse(): the answer to bytes that are no request; the connection closes after it. */
void imds_refuse(int status, char *body, struct http_answer *ret);
