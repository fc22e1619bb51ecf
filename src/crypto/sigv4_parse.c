/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a request says of its signature: the Authorization header, or the parameters of a signed query.
 *
 * spec: sigv4 (Add the signature to the request; Authenticating requests)
 */

#include <assert.h>
#include <errno.h>

#include "crypto/sigv4_priv.h"

enum {
	METHOD_MAX = 16,
	SIGNATURE_HEX = 2 * HASH_SHA256_BYTES,
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static struct sigv4_span trimmed(struct sigv4_span s)
{
	while (s.len > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = (struct sigv4_span){ s.p + 1, s.len - 1 };
	while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return s;
}

static bool name_good(struct sigv4_span s, size_t max, bool key_id)
{
	if (s.len == 0 || s.len > max)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (!(is_digit(c) || (c >= 'a' && c <= 'z') ||
		      (key_id ? c >= 'A' && c <= 'Z' : c == '-')))
			return false;
	}
	return true;
}

/* "AKIDEXAMPLE/20261122/us-east-1/ec2/aws4_request" */
static int credential_read(struct sigv4 *s, struct sigv4_span v, struct sigv4_span *ret_date)
{
	s->access_key_id = span_cut(&v, '/');
	s->scope = v;
	*ret_date = span_cut(&v, '/');
	s->region = span_cut(&v, '/');
	s->service = span_cut(&v, '/');
	if (!span_is(v, SIGV4_TERMINATOR))
		return -EPROTO;
	if (!name_good(s->access_key_id, SIGV4_KEY_ID_MAX, true) ||
	    !name_good(s->region, SIGV4_NAME_MAX, false) ||
	    !name_good(s->service, SIGV4_NAME_MAX, false))
		return -EPROTO;
	return 0;
}

static int signature_read(struct sigv4 *s, struct sigv4_span v)
{
	if (v.len != SIGNATURE_HEX)
		return -EPROTO;
	for (size_t i = 0; i < v.len; i++)
		if (sigv4_hex_digit(v.p[i]) < 0 || (v.p[i] >= 'A' && v.p[i] <= 'F'))
			return -EPROTO;
	for (size_t i = 0; i < HASH_SHA256_BYTES; i++)
		s->signature[i] = (uint8_t)(sigv4_hex_digit(v.p[2 * i]) << 4 |
					    sigv4_hex_digit(v.p[2 * i + 1]));
	return 0;
}

/* Headers of which a request may have one only. */
static const char *const once[] = { "authorization",
				    "host",
				    "date",
				    "x-amz-date",
				    "x-amz-content-sha256",
				    "x-amz-target",
				    "x-amz-security-token",
				    "content-type",
				    "content-length" };
enum {
	ONCE_AUTHORIZATION,
	ONCE_HOST,
	ONCE_DATE,
	ONCE_AMZ_DATE,
	ONCE_SHA256,
	ONCE_TARGET,
	ONCE_TOKEN
};

struct found {
	const struct sigv4_header *once[ARRAY_SIZE(once)];
};

static struct sigv4_span value_of(const struct found *f, unsigned which)
{
	return f->once[which] ? trimmed(f->once[which]->value) : (struct sigv4_span){ NULL, 0 };
}

/* A byte that would end a line of the canonical request, or that no header has. */
static bool value_good(struct sigv4_span v)
{
	for (size_t i = 0; i < v.len; i++)
		if (((unsigned char)v.p[i] < 0x20 && v.p[i] != '\t') || v.p[i] == 0x7f)
			return false;
	return true;
}

static int headers_look(const struct sigv4_request *r, struct found *ret)
{
	if (r->header_cnt > SIGV4_HEADERS_MAX)
		return -EPROTO;
	memset(ret, 0, sizeof(*ret));
	for (size_t k = 0; k < r->header_cnt; k++) {
		const struct sigv4_header *h = &r->header[k];

		if (!value_good(h->value))
			return -EPROTO;
		for (size_t n = 0; n < ARRAY_SIZE(once); n++) {
			if (!span_is_name(h->name, (struct sigv4_span){ once[n], strlen(once[n]) }))
				continue;
			if (ret->once[n])
				return -EPROTO;
			ret->once[n] = h;
		}
	}
	return 0;
}

/* Every name in lower case, once, and there; host and all x-amz-* among them. */
static int signed_headers_check(const struct sigv4_request *r, struct sigv4_span names)
{
	static const struct sigv4_span host = { "host", 4 };
	uint64_t seen = 0; /* a bit per header of the request */
	bool host_seen = false;

	static_assert(SIGV4_HEADERS_MAX <= 64, "a bit each");
	if (names.len == 0 || names.p[names.len - 1] == ';')
		return -EPROTO;
	while (names.len > 0) {
		struct sigv4_span name = span_cut(&names, ';');
		uint64_t mine = 0;

		for (size_t k = 0; k < r->header_cnt; k++)
			if (span_is_name(r->header[k].name, name))
				mine |= (uint64_t)1 << k;
		if (mine == 0 || (seen & mine))
			return -EPROTO;
		seen |= mine;
		host_seen = host_seen || (name.len == host.len && span_is_name(host, name));
	}
	for (size_t k = 0; k < r->header_cnt; k++) {
		struct sigv4_span head = { r->header[k].name.p, 6 };
		static const struct sigv4_span amz = { "x-amz-", 6 };

		if (r->header[k].name.len > amz.len && span_is_name(head, amz) && !(seen >> k & 1))
			return -EPROTO;
	}
	return host_seen ? 0 : -EPROTO;
}

/* "AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…", in any order, each once. */
static int authorization_read(struct sigv4 *s, struct sigv4_span v, struct sigv4_span *ret_date)
{
	static const struct sigv4_span none = { NULL, 0 };
	struct sigv4_span algorithm = span_cut(&v, ' '), credential = none, signature = none;
	int r;

	if (!span_is(algorithm, SIGV4_ALGORITHM))
		return -EPROTO;
	while (v.len > 0) {
		struct sigv4_span value = trimmed(span_cut(&v, ',')), name = span_cut(&value, '=');
		struct sigv4_span *to = span_is(name, "Credential")      ? &credential
					: span_is(name, "SignedHeaders") ? &s->signed_headers
					: span_is(name, "Signature")     ? &signature
									 : NULL;

		if (!to || to->len > 0 || value.len == 0)
			return -EPROTO;
		*to = value;
	}
	if (credential.len == 0 || s->signed_headers.len == 0 || signature.len == 0)
		return -EPROTO;
	r = credential_read(s, credential, ret_date);
	return r < 0 ? r : signature_read(s, signature);
}

/* Parameters of a signed query; in the order of names[] below. */
enum { Q_ALGORITHM, Q_CREDENTIAL, Q_DATE, Q_EXPIRES, Q_HEADERS, Q_SIGNATURE, Q_TOKEN, Q_CNT };
struct signed_query {
	struct sigv4_span v[Q_CNT]; /* decoded; p NULL: not there */
};

/* Decodes @v behind what @s->text holds already. */
static int text_decode(struct sigv4 *s, size_t *len, struct sigv4_span v, struct sigv4_span *ret)
{
	size_t from = *len;

	for (size_t i = 0; i < v.len; i++) {
		if (*len == sizeof(s->text))
			return -EPROTO;
		s->text[*len] = v.p[i] == '+' ? ' ' : v.p[i];
		if (v.p[i] == '%') { /* checked by sigv4_query_check() */
			s->text[*len] = (char)(sigv4_hex_digit(v.p[i + 1]) << 4 |
					       sigv4_hex_digit(v.p[i + 2]));
			i += 2;
		}
		(*len)++;
	}
	*ret = (struct sigv4_span){ s->text + from, *len - from };
	return value_good(*ret) ? 0 : -EPROTO;
}

/* Names may be encoded too: "X%2DAmz-Date" is one of them. Longer ones are none. */
static int query_name(struct sigv4_span name)
{
	static const char *const names[Q_CNT] = { "X-Amz-Algorithm",     "X-Amz-Credential",
						  "X-Amz-Date",          "X-Amz-Expires",
						  "X-Amz-SignedHeaders", "X-Amz-Signature",
						  "X-Amz-Security-Token" };
	char text[24];
	size_t len = 0;

	for (size_t i = 0; i < name.len && len < sizeof(text); i++) {
		text[len] = name.p[i];
		if (name.p[i] == '%') {
			text[len] = (char)(sigv4_hex_digit(name.p[i + 1]) << 4 |
					   sigv4_hex_digit(name.p[i + 2]));
			i += 2;
		}
		len++;
	}
	for (int k = 0; k < Q_CNT; k++)
		if (span_is((struct sigv4_span){ text, len }, names[k]))
			return k;
	return -1;
}

static int query_look(struct sigv4 *s, struct sigv4_span query, struct signed_query *ret)
{
	size_t len = 0;
	int r;

	memset(ret, 0, sizeof(*ret));
	while (query.len > 0) {
		struct sigv4_span value = span_cut(&query, '&'), name = span_cut(&value, '=');
		int which = query_name(name);

		if (which < 0)
			continue;
		if (ret->v[which].p)
			return -EPROTO;
		r = text_decode(s, &len, value, &ret->v[which]);
		if (r < 0)
			return r;
	}
	return 0;
}

static int signed_query_read(struct sigv4 *s, const struct signed_query *q,
			     struct sigv4_span *ret_date)
{
	unsigned expires = 0;
	int r;

	for (int k = 0; k < Q_CNT; k++)
		if (k != Q_TOKEN && q->v[k].len == 0)
			return -EPROTO;
	if (!span_is(q->v[Q_ALGORITHM], SIGV4_ALGORITHM))
		return -EPROTO;
	if (q->v[Q_EXPIRES].len > 6 ||
	    sigv4_number(q->v[Q_EXPIRES].p, q->v[Q_EXPIRES].len, SIGV4_EXPIRES_MAX_S, &expires) <
		    0 ||
	    expires == 0)
		return -EPROTO;
	s->presigned = true;
	s->expires_s = expires;
	s->signed_headers = q->v[Q_HEADERS];
	s->token = q->v[Q_TOKEN];
	r = credential_read(s, q->v[Q_CREDENTIAL], ret_date);
	if (r == 0)
		r = signature_read(s, q->v[Q_SIGNATURE]);
	return r < 0 ? r : sigv4_time_basic(s, q->v[Q_DATE]);
}

static int header_form_read(struct sigv4 *s, const struct found *f, struct sigv4_span *ret_date)
{
	int r = authorization_read(s, value_of(f, ONCE_AUTHORIZATION), ret_date);

	if (r < 0)
		return r;
	s->token = value_of(f, ONCE_TOKEN);
	if (f->once[ONCE_AMZ_DATE])
		return sigv4_time_basic(s, value_of(f, ONCE_AMZ_DATE));
	if (!f->once[ONCE_DATE])
		return -EPROTO;
	r = sigv4_time_http(s, value_of(f, ONCE_DATE));
	return r < 0 ? sigv4_time_basic(s, value_of(f, ONCE_DATE)) : r;
}

static int payload_read(const struct sigv4_request *r, struct sigv4 *s, const struct found *f)
{
	if (!f->once[ONCE_SHA256])
		return 0;
	s->payload = value_of(f, ONCE_SHA256);
	if (span_is(s->payload, SIGV4_UNSIGNED))
		return r->unsigned_payload ? 0 : -EPROTO;
	if (s->payload.len != SIGNATURE_HEX)
		return -EPROTO;
	for (size_t i = 0; i < s->payload.len; i++)
		if (sigv4_hex_digit(s->payload.p[i]) < 0)
			return -EPROTO;
	return 0;
}

int sigv4_parse(const struct sigv4_request *r, struct sigv4 *ret)
{
	struct sigv4_span date = { NULL, 0 };
	struct signed_query q;
	struct found f;
	bool in_query;
	int err = headers_look(r, &f);

	memset(ret, 0, offsetof(struct sigv4, text));
	if (err < 0 || sigv4_query_check(r->query) < 0 || query_look(ret, r->query, &q) < 0)
		return -EPROTO;
	in_query = q.v[Q_ALGORITHM].p || q.v[Q_SIGNATURE].p;
	if (!in_query && !f.once[ONCE_AUTHORIZATION])
		return -ENODATA;
	if (in_query && f.once[ONCE_AUTHORIZATION])
		return -EPROTO;
	err = in_query ? signed_query_read(ret, &q, &date) : header_form_read(ret, &f, &date);
	if (err < 0)
		return err;
	if (!span_is(date, ret->date) || r->method.len == 0 || r->method.len > METHOD_MAX)
		return -EPROTO;
	for (size_t i = 0; i < r->method.len; i++)
		if (r->method.p[i] < 'A' || r->method.p[i] > 'Z')
			return -EPROTO;
	if (payload_read(r, ret, &f) < 0 || sigv4_path_check(r->path) < 0)
		return -EPROTO;
	return signed_headers_check(r, ret->signed_headers);
}
