/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Requests that say they are signed. The input is a request as text: "METHOD PATH QUERY\n", header lines "NAME:VALUE\n",
 * an empty line, the body. What the parser takes is written again by a plain second implementation of the canonical
 * request: with the signature that follows from it the request is accepted, with any other it is not.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/crypto.h"
#include "crypto/sigv4.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct key *key; /* the signing key of everybody */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	must(crypto_init() == 0);
	must(key_new_from("0123456789abcdef0123456789abcdef", SIGV4_KEY_BYTES, &key) == 0);
	return 0;
}

/* A text that grows. */
struct out {
	char *p;
	size_t len;
};

static void out_add(struct out *o, const char *p, size_t len)
{
	o->p = realloc(o->p, o->len + len + 1);
	must(o->p);
	if (len > 0)
		memcpy(o->p + o->len, p, len);
	o->len += len;
	o->p[o->len] = '\0';
}

static void out_str(struct out *o, const char *s)
{
	out_add(o, s, strlen(s));
}

static void out_encoded(struct out *o, const uint8_t *p, size_t len)
{
	static const char plain[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
	char escape[8];

	for (size_t i = 0; i < len; i++) {
		if (p[i] && strchr(plain, p[i])) {
			out_add(o, (const char *)p + i, 1);
			continue;
		}
		snprintf(escape, sizeof(escape), "%%%02X", p[i]);
		out_str(o, escape);
	}
}

/* What is before @sep, and what is behind it. */
static bool part_next(struct sigv4_span *rest, char sep, struct sigv4_span *ret)
{
	const char *at;

	if (!rest->p)
		return false;
	at = rest->len ? memchr(rest->p, sep, rest->len) : NULL;
	*ret = (struct sigv4_span){ rest->p, at ? (size_t)(at - rest->p) : rest->len };
	*rest = at ? (struct sigv4_span){ at + 1, rest->len - ret->len - 1 }
		   : (struct sigv4_span){ NULL, 0 };
	return true;
}

static bool is(struct sigv4_span s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.p, text, s.len) == 0;
}

static void path_model(struct out *o, struct sigv4_span path)
{
	static struct sigv4_span all[SIGV4_SEGMENTS_MAX];
	struct sigv4_span s, rest = path;
	bool slash = path.len > 0 && path.p[path.len - 1] == '/';
	size_t cnt = 0;

	while (part_next(&rest, '/', &s)) {
		if (s.len == 0 || is(s, "."))
			continue;
		if (!is(s, ".."))
			all[cnt++] = s;
		else if (cnt > 0)
			cnt--;
	}
	for (size_t k = 0; k < cnt; k++) {
		out_str(o, "/");
		out_encoded(o, (const uint8_t *)all[k].p, all[k].len);
	}
	if (cnt == 0 || slash)
		out_str(o, "/");
}

static void decode_model(struct sigv4_span s, struct out *o)
{
	for (size_t i = 0; i < s.len; i++) {
		char hex[3] = "", c = s.p[i];

		if (c == '%') {
			memcpy(hex, s.p + i + 1, 2);
			c = (char)strtoul(hex, NULL, 16);
			i += 2;
		} else if (c == '+') {
			c = ' ';
		}
		out_add(o, &c, 1);
	}
}

struct pair {
	struct out name, value; /* encoded */
};

static int pair_compare(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	int d = strcmp(x->name.p, y->name.p);

	return d ? d : strcmp(x->value.p, y->value.p);
}

static void query_model(struct out *o, struct sigv4_span query)
{
	static struct pair all[SIGV4_QUERY_MAX];
	struct sigv4_span s, rest = query;
	size_t cnt = 0, said = 0;

	while (part_next(&rest, '&', &s)) {
		struct sigv4_span value = s, name;
		struct out raw = { NULL, 0 };

		if (s.len == 0)
			continue;
		(void)part_next(&value, '=', &name);
		memset(&all[cnt], 0, sizeof(all[cnt]));
		out_str(&raw, "");
		decode_model(name, &raw);
		out_str(&all[cnt].name, "");
		out_encoded(&all[cnt].name, (uint8_t *)raw.p, raw.len);
		raw.len = 0;
		if (value.p)
			decode_model(value, &raw);
		out_str(&all[cnt].value, "");
		out_encoded(&all[cnt].value, (uint8_t *)raw.p, raw.len);
		free(raw.p);
		cnt++;
	}
	qsort(all, cnt, sizeof(all[0]), pair_compare);
	for (size_t k = 0; k < cnt; k++) {
		if (strcmp(all[k].name.p, "X-Amz-Signature") != 0) {
			out_str(o, said++ ? "&" : "");
			out_str(o, all[k].name.p);
			out_str(o, "=");
			out_str(o, all[k].value.p);
		}
		free(all[k].name.p);
		free(all[k].value.p);
	}
}

static void value_model(struct out *o, struct sigv4_span v)
{
	bool blank = false, any = false;

	for (size_t i = 0; i < v.len; i++) {
		if (v.p[i] == ' ' || v.p[i] == '\t') {
			blank = true;
			continue;
		}
		if (blank && any)
			out_str(o, " ");
		blank = false;
		any = true;
		out_add(o, v.p + i, 1);
	}
}

static void headers_model(struct out *o, const struct sigv4_request *r, struct sigv4_span names)
{
	struct sigv4_span name;

	while (part_next(&names, ';', &name)) {
		size_t said = 0;

		out_add(o, name.p, name.len);
		out_str(o, ":");
		for (size_t k = 0; k < r->header_cnt; k++) {
			if (r->header[k].name.len != name.len ||
			    strncasecmp(r->header[k].name.p, name.p, name.len) != 0)
				continue;
			out_str(o, said++ ? "," : "");
			value_model(o, r->header[k].value);
		}
		must(said > 0); /* else it would not have been taken */
		out_str(o, "\n");
	}
}

static void hex_add(struct out *o, const uint8_t *p, size_t len)
{
	char two[4];

	for (size_t i = 0; i < len; i++) {
		snprintf(two, sizeof(two), "%02x", p[i]);
		out_str(o, two);
	}
}

/* The signature as the specification has it, step by step. */
static void signature_model(const struct sigv4_request *r, const struct sigv4 *s,
			    uint8_t ret[HASH_SHA256_BYTES])
{
	struct out canon = { NULL, 0 }, string = { NULL, 0 };
	uint8_t digest[HASH_SHA256_BYTES], same[HASH_SHA256_BYTES];

	out_add(&canon, r->method.p, r->method.len);
	out_str(&canon, "\n");
	path_model(&canon, r->path);
	out_str(&canon, "\n");
	query_model(&canon, r->query);
	out_str(&canon, "\n");
	headers_model(&canon, r, s->signed_headers);
	out_str(&canon, "\n");
	out_add(&canon, s->signed_headers.p, s->signed_headers.len);
	out_str(&canon, "\n");
	must(hash_sha256(r->body.p, r->body.len, digest) == 0);
	if (s->payload.len > 0)
		out_add(&canon, s->payload.p, s->payload.len);
	else
		hex_add(&canon, digest, sizeof(digest));
	must(hash_sha256(canon.p, canon.len, digest) == 0);
	sigv4_canonical_hash(r, s, same);
	must(memcmp(digest, same, sizeof(digest)) == 0);

	out_str(&string, "AWS4-HMAC-SHA256\n");
	out_str(&string, s->time);
	out_str(&string, "\n");
	out_str(&string, s->date);
	out_str(&string, "/");
	out_add(&string, s->region.p, s->region.len);
	out_str(&string, "/");
	out_add(&string, s->service.p, s->service.len);
	out_str(&string, "/aws4_request\n");
	hex_add(&string, digest, sizeof(digest));
	must(hash_hmac_sha256(key, string.p, string.len, ret) == 0);
	free(canon.p);
	free(string.p);
}

/* Is the body what x-amz-content-sha256 says it is? */
static bool payload_model(const struct sigv4_request *r, const struct sigv4 *s)
{
	uint8_t digest[HASH_SHA256_BYTES];
	struct out hex = { NULL, 0 };
	bool same;

	if (s->payload.len == 0 || is(s->payload, "UNSIGNED-PAYLOAD"))
		return true;
	must(hash_sha256(r->body.p, r->body.len, digest) == 0);
	hex_add(&hex, digest, sizeof(digest));
	same = is(s->payload, hex.p);
	free(hex.p);
	return same;
}

static bool names_have(struct sigv4_span names, struct sigv4_span name)
{
	struct sigv4_span one;

	while (part_next(&names, ';', &one))
		if (one.len == name.len && strncasecmp(one.p, name.p, name.len) == 0)
			return true;
	return false;
}

static void check(const struct sigv4_request *r)
{
	static const struct sigv4_span host = { "host", 4 };
	uint8_t right[HASH_SHA256_BYTES];
	struct sigv4 s;
	int err = sigv4_parse(r, &s);

	must(err == 0 || err == -EPROTO || err == -ENODATA);
	if (err < 0)
		return;
	must(names_have(s.signed_headers, host));
	for (size_t k = 0; k < r->header_cnt; k++)
		if (r->header[k].name.len > 6 && strncasecmp(r->header[k].name.p, "x-amz-", 6) == 0)
			must(names_have(s.signed_headers, r->header[k].name));
	must(memcmp(s.date, s.time, 8) == 0 && memcmp(s.scope.p, s.date, 8) == 0);
	must(!s.presigned || (s.expires_s >= 1 && s.expires_s <= SIGV4_EXPIRES_MAX_S));
	must(r->unsigned_payload || !is(s.payload, "UNSIGNED-PAYLOAD"));
	must(sigv4_time_check(&s, s.time_s) == 0);

	signature_model(r, &s, right);
	memcpy(s.signature, right, sizeof(right));
	must(sigv4_verify(r, &s, key) == (payload_model(r, &s) ? 0 : -EBADMSG));
	s.signature[r->query.len % sizeof(right)] ^= (uint8_t)(1 << r->path.len % 8);
	must(sigv4_verify(r, &s, key) == -EKEYREJECTED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sigv4_header header[SIGV4_HEADERS_MAX];
	struct sigv4_span rest = { (const char *)data, size }, line;
	struct sigv4_request r = { .header = header };

	if (size == 0 || !part_next(&rest, '\n', &line))
		return 0;
	(void)part_next(&line, ' ', &r.method);
	(void)part_next(&line, ' ', &r.path);
	if (line.p)
		r.query = line;
	while (part_next(&rest, '\n', &line) && line.len > 0) {
		struct sigv4_header h = { { NULL, 0 }, { "", 0 } };

		(void)part_next(&line, ':', &h.name);
		if (line.p)
			h.value = line;
		if (r.header_cnt < SIGV4_HEADERS_MAX)
			header[r.header_cnt++] = h;
	}
	r.body = rest.p ? rest : (struct sigv4_span){ "", 0 };
	if (!r.path.p)
		r.path = r.body;
	if (!r.query.p)
		r.query = (struct sigv4_span){ "", 0 };
	check(&r);
	r.unsigned_payload = true;
	check(&r);
	return 0;
}
