/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Signature Version 4 of an HTTP request (AWS4-HMAC-SHA256): who signed it, when, for which region and service, and is
 * it so. A server parses, checks the time, finds the signing key of (access key, date, region, service), verifies;
 * a client signs. Both write the same canonical request, piece by piece into a hash: no allocation, no limit on sizes
 * but those below.
 *
 * Stricter than some servers, as nothing that signs correctly notices: host and every x-amz-* header that is there must be
 * signed; headers that say something once (host, date, x-amz-target, …) may not come twice; a header signature
 * and a signed query exclude each other; signatures and hashes are lower-case hex.
 * Paths are normalized (dot segments, double slashes) and encoded once more than on the wire, as all services but S3
 * have it. In a query "+" is a blank.
 *
 * spec: sigv4 (Create a signed AWS API request)
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "crypto/hash.h"
#include "crypto/key.h"

enum {
	SIGV4_HEADERS_MAX = 64,
	SIGV4_QUERY_MAX = 256,    /* parameters of a query */
	SIGV4_SEGMENTS_MAX = 256, /* of a path */
	SIGV4_URL_MAX = 65535,    /* bytes of a path, of a query */
	SIGV4_SECRET_MAX = 60,    /* bytes of a secret access key */
	SIGV4_KEY_BYTES = HASH_SHA256_BYTES,
	SIGV4_KEY_ID_MAX = 128,
	SIGV4_NAME_MAX = 32, /* of a region, of a service */
	SIGV4_SKEW_S = 300,
	SIGV4_EXPIRES_MAX_S = 604800,
	SIGV4_AUTHORIZATION_MAX = 2048, /* room for what sigv4_sign() writes */
};

struct sigv4_span {
	const char *p; /* borrowed */
	size_t len;
};

struct sigv4_header {
	struct sigv4_span name, value;
};

/* A request as it is on the wire; everything is somebody else's bytes. */
struct sigv4_request {
	struct sigv4_span method, path, query; /* query without "?"; all raw */
	const struct sigv4_header *header;     /* in order, duplicates kept */
	size_t header_cnt;
	struct sigv4_span body;
	bool unsigned_payload; /* the body may be left out of the signature: the transport protects it, or the service says so */
};

/* What a request says of its signature. Spans point into the request or into text. */
struct sigv4 {
	struct sigv4_span access_key_id, region, service;
	struct sigv4_span scope; /* "20261122/us-east-1/ec2/aws4_request" */
	struct sigv4_span token; /* X-Amz-Security-Token; len 0: none */
	char date[9];            /* "20261122" */
	char time[17];           /* "20261122T094516Z" */
	uint64_t time_s;         /* the same since 1970 */
	bool presigned;          /* signed query, valid for expires_s */
	uint32_t expires_s;
	uint8_t signature[HASH_SHA256_BYTES];
	/* for sigv4_verify() */
	struct sigv4_span signed_headers; /* "host;x-amz-date" */
	struct sigv4_span payload;        /* value of x-amz-content-sha256; len 0: none */
	char text[1024];                  /* what a signed query says, decoded */
};

/**
 * sigv4_parse() - read the signature of a request; decides nothing about time, key and signature
 * Return: 0, -ENODATA the request is not signed at all, -EPROTO it is not signed as it must be.
 */
MUST_USE int sigv4_parse(const struct sigv4_request *r, struct sigv4 *ret);

/* sigv4_time_check(): Return: 0, -ETIME signed more than SIGV4_SKEW_S away from @now_s, or expired. */
MUST_USE int sigv4_time_check(const struct sigv4 *s, uint64_t now_s);

/**
 * sigv4_verify() - did the owner of the key sign this request?
 * @s: of sigv4_parse() of this same request
 * @k: SIGV4_KEY_BYTES of sigv4_derive()
 *
 * Takes the same time whatever is wrong with the signature.
 * Return: 0, -EKEYREJECTED no, -EBADMSG it signed another body.
 */
MUST_USE int sigv4_verify(const struct sigv4_request *r, const struct sigv4 *s,
			  const struct key *k);

/**
 * sigv4_derive() - the signing key of a day, a region and a service
 * @secret: secret access key, at most SIGV4_SECRET_MAX bytes
 * @date:   "20261122"
 * Return: 0 and *ret (owned), -EINVAL, -ENOMEM.
 */
MUST_USE int sigv4_derive(const struct key *secret, const char *date, const char *region,
			  const char *service, struct key **ret);

/**
 * sigv4_sign() - the Authorization header of a request
 * @r:      host and x-amz-date must be among the headers; all of them will be signed, and each name comes once
 * @secret: secret access key
 * @ret:    @cap bytes, SIGV4_AUTHORIZATION_MAX are enough; with NUL; undefined on failure
 * Return: 0, -EINVAL, -EMSGSIZE, -ENOMEM.
 */
MUST_USE int sigv4_sign(const struct sigv4_request *r, const char *access_key_id,
			const struct key *secret, const char *region, const char *service,
			char *ret, size_t cap);

/* sigv4_canonical_hash(): of the canonical request, for looking for a disagreement. */
void sigv4_canonical_hash(const struct sigv4_request *r, const struct sigv4 *s,
			  uint8_t ret[HASH_SHA256_BYTES]);
