/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The canonical request, and what is signed of it: written in pieces into a hash. Parameters are put in order as they
 * stand in the request; they are decoded and encoded again while they are compared and written.
 *
 * spec: sigv4 (Create a canonical request)
 */

#include <errno.h>

#include "crypto/sha256.h"
#include "crypto/sigv4_priv.h"

/* Gathers the pieces: a hash takes big ones faster. */
struct canon {
	struct sha256 h;
	size_t len;
	char buf[512];
};

static void put(struct canon *c, const char *p, size_t len)
{
	if (len > sizeof(c->buf) - c->len) {
		sha256_add(&c->h, c->buf, c->len);
		c->len = 0;
	}
	if (len > sizeof(c->buf)) {
		sha256_add(&c->h, p, len);
		return;
	}
	if (len > 0)
		memcpy(c->buf + c->len, p, len);
	c->len += len;
}

static void put_char(struct canon *c, char v)
{
	if (c->len == sizeof(c->buf)) {
		sha256_add(&c->h, c->buf, c->len);
		c->len = 0;
	}
	c->buf[c->len++] = v;
}

static bool is_unreserved(unsigned char v)
{
	return (v >= 'A' && v <= 'Z') || (v >= 'a' && v <= 'z') || (v >= '0' && v <= '9') ||
	       v == '-' || v == '.' || v == '_' || v == '~';
}

static void put_encoded(struct canon *c, unsigned char v)
{
	static const char digits[] = "0123456789ABCDEF";

	if (is_unreserved(v)) {
		put_char(c, (char)v);
		return;
	}
	put_char(c, '%');
	put_char(c, digits[v >> 4]);
	put_char(c, digits[v & 15]);
}

void sigv4_hex(const uint8_t *p, size_t len, char *ret)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		ret[2 * i] = digits[p[i] >> 4];
		ret[2 * i + 1] = digits[p[i] & 15];
	}
}

int sigv4_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Path: empty and "." segments go, ".." takes the one before it along, a slash at the end stays. */
struct segments {
	struct {
		uint16_t at, len;
	} v[SIGV4_SEGMENTS_MAX];
	size_t cnt;
};

static int segments_read(struct sigv4_span path, struct segments *ret)
{
	struct sigv4_span rest = path;

	ret->cnt = 0;
	if (path.len > SIGV4_URL_MAX || (path.len > 0 && path.p[0] != '/'))
		return -EPROTO;
	while (rest.len > 0) {
		struct sigv4_span s = span_cut(&rest, '/');

		if (s.len == 0 || span_is(s, "."))
			continue;
		if (span_is(s, "..")) {
			ret->cnt -= ret->cnt > 0;
			continue;
		}
		if (ret->cnt == SIGV4_SEGMENTS_MAX)
			return -EPROTO;
		ret->v[ret->cnt].at = (uint16_t)(s.p - path.p);
		ret->v[ret->cnt++].len = (uint16_t)s.len;
	}
	return 0;
}

int sigv4_path_check(struct sigv4_span path)
{
	struct segments s;

	return segments_read(path, &s);
}

static void put_path(struct canon *c, struct sigv4_span path)
{
	struct segments s;

	if (path.len <= 1) { /* what every service but one has */
		put_char(c, '/');
		return;
	}
	must(segments_read(path, &s) == 0);
	for (size_t k = 0; k < s.cnt; k++) {
		put_char(c, '/');
		for (size_t i = 0; i < s.v[k].len; i++)
			put_encoded(c, (unsigned char)path.p[s.v[k].at + i]);
	}
	if (s.cnt == 0 || path.p[path.len - 1] == '/')
		put_char(c, '/');
}

struct param {
	uint16_t name, name_len, value, value_len; /* in the raw query */
};

struct params {
	struct sigv4_span query;
	size_t cnt;
	struct param v[SIGV4_QUERY_MAX];
};

/* One byte of a name or value, decoded; *s is moved on. The text was checked. */
static unsigned char decoded(struct sigv4_span *s)
{
	unsigned char v = (unsigned char)s->p[0];
	size_t len = 1;

	if (v == '+') {
		v = ' ';
	} else if (v == '%') {
		v = (unsigned char)(sigv4_hex_digit(s->p[1]) << 4 | sigv4_hex_digit(s->p[2]));
		len = 3;
	}
	s->p += len;
	s->len -= len;
	return v;
}

/* As strcmp() of both in their encoded forms: "%" sorts before everything that needs no encoding. */
static int encoded_compare(struct sigv4_span a, struct sigv4_span b)
{
	while (a.len > 0 && b.len > 0) {
		unsigned char x = decoded(&a), y = decoded(&b);

		if (x != y)
			return (is_unreserved(x) ? 256 + x : x) - (is_unreserved(y) ? 256 + y : y);
	}
	return (a.len > 0) - (b.len > 0);
}

static struct sigv4_span part(const struct params *q, uint16_t at, uint16_t len)
{
	return (struct sigv4_span){ q->query.p + at, len };
}

static int param_compare(const struct params *q, const struct param *a, const struct param *b)
{
	int d = encoded_compare(part(q, a->name, a->name_len), part(q, b->name, b->name_len));

	if (d != 0)
		return d;
	return encoded_compare(part(q, a->value, a->value_len), part(q, b->value, b->value_len));
}

/* Heapsort: no recursion, no memory, and no order of parameters makes it slow. */
static void sift(struct params *q, size_t at, size_t cnt)
{
	struct param v = q->v[at];
	size_t child = 2 * at + 1;

	for (; child < cnt; at = child, child = 2 * at + 1) {
		if (child + 1 < cnt && param_compare(q, &q->v[child], &q->v[child + 1]) < 0)
			child++;
		if (param_compare(q, &v, &q->v[child]) >= 0)
			break;
		q->v[at] = q->v[child];
	}
	q->v[at] = v;
}

static void params_sort(struct params *q)
{
	for (size_t k = q->cnt / 2; k > 0; k--)
		sift(q, k - 1, q->cnt);
	for (size_t k = q->cnt; k > 1; k--) {
		struct param last = q->v[k - 1];

		q->v[k - 1] = q->v[0];
		q->v[0] = last;
		sift(q, 0, k - 1);
	}
}

static bool percent_good(struct sigv4_span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] != '%')
			continue;
		if (s.len - i < 3 || sigv4_hex_digit(s.p[i + 1]) < 0 ||
		    sigv4_hex_digit(s.p[i + 2]) < 0)
			return false;
	}
	return true;
}

static int params_read(struct sigv4_span query, struct params *ret)
{
	struct sigv4_span rest = query;

	ret->query = query;
	ret->cnt = 0;
	if (query.len > SIGV4_URL_MAX || !percent_good(query))
		return -EPROTO;
	while (rest.len > 0) {
		struct sigv4_span value = span_cut(&rest, '&'), name;

		if (value.len == 0)
			continue;
		if (ret->cnt == SIGV4_QUERY_MAX)
			return -EPROTO;
		name = span_cut(&value, '=');
		/* "%2" and "6=" are not one escape that was cut in two: each part stands for itself. */
		if (!percent_good(name) || !percent_good(value))
			return -EPROTO;
		ret->v[ret->cnt++] = (struct param){
			.name = (uint16_t)(name.p - query.p),
			.name_len = (uint16_t)name.len,
			.value = (uint16_t)(value.p - query.p),
			.value_len = (uint16_t)value.len,
		};
	}
	return 0;
}

int sigv4_query_check(struct sigv4_span query)
{
	struct params q;

	return params_read(query, &q);
}

static void put_part(struct canon *c, struct sigv4_span s)
{
	while (s.len > 0)
		put_encoded(c, decoded(&s));
}

/* Everything but the signature itself, when that is one of the parameters. */
static void put_query(struct canon *c, struct sigv4_span query)
{
	static const struct sigv4_span signature = { "X-Amz-Signature", 15 };
	struct params q;
	bool first = true;

	if (query.len == 0)
		return;
	must(params_read(query, &q) == 0);
	params_sort(&q);
	for (size_t k = 0; k < q.cnt; k++) {
		struct sigv4_span name = part(&q, q.v[k].name, q.v[k].name_len);

		if (encoded_compare(name, signature) == 0)
			continue;
		if (!first)
			put_char(c, '&');
		first = false;
		put_part(c, name);
		put_char(c, '=');
		put_part(c, part(&q, q.v[k].value, q.v[k].value_len));
	}
}

static bool is_blank(char v)
{
	return v == ' ' || v == '\t';
}

/* Without blanks around it, runs of blanks inside as one. */
static void put_squeezed(struct canon *c, struct sigv4_span v)
{
	size_t from = 0, i = 0;
	bool first = true;

	while (i < v.len) {
		while (i < v.len && is_blank(v.p[i]))
			i++;
		for (from = i; i < v.len && !is_blank(v.p[i]);)
			i++;
		if (i == from)
			break;
		if (!first)
			put_char(c, ' ');
		first = false;
		put(c, v.p + from, i - from);
	}
}

static void put_headers(struct canon *c, const struct sigv4_request *r, struct sigv4_span names)
{
	while (names.len > 0) {
		struct sigv4_span name = span_cut(&names, ';');
		bool first = true;

		put(c, name.p, name.len);
		put_char(c, ':');
		for (size_t k = 0; k < r->header_cnt; k++) {
			if (!span_is_name(r->header[k].name, name))
				continue;
			if (!first)
				put_char(c, ',');
			first = false;
			put_squeezed(c, r->header[k].value);
		}
		put_char(c, '\n');
	}
}

void sigv4_canonical_hash(const struct sigv4_request *r, const struct sigv4 *s,
			  uint8_t ret[HASH_SHA256_BYTES])
{
	struct canon c;
	char hex[2 * HASH_SHA256_BYTES];

	c.len = 0;
	sha256_init(&c.h);
	put(&c, r->method.p, r->method.len);
	put_char(&c, '\n');
	put_path(&c, r->path);
	put_char(&c, '\n');
	put_query(&c, r->query);
	put_char(&c, '\n');
	put_headers(&c, r, s->signed_headers);
	put_char(&c, '\n');
	put(&c, s->signed_headers.p, s->signed_headers.len);
	put_char(&c, '\n');
	if (s->payload.len > 0) {
		put(&c, s->payload.p, s->payload.len);
	} else {
		struct sha256 h;
		uint8_t digest[HASH_SHA256_BYTES];

		sha256_init(&h);
		sha256_add(&h, r->body.p, r->body.len);
		sha256_final(&h, digest);
		sigv4_hex(digest, sizeof(digest), hex);
		put(&c, hex, sizeof(hex));
	}
	sha256_add(&c.h, c.buf, c.len);
	sha256_final(&c.h, ret);
}
