/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Keys and signatures.
 *
 * spec: sigv4 (Create a string to sign; Calculate the signature)
 */

#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "crypto/sha256.h"
#include "crypto/sigv4_priv.h"

/* What is signed: algorithm, time, scope, hash of the canonical request. */
static void sign(const struct sigv4_request *r, const struct sigv4 *s, const struct key *k,
		 uint8_t ret[HASH_SHA256_BYTES])
{
	uint8_t digest[HASH_SHA256_BYTES];
	char hex[2 * sizeof(digest)];
	struct hmac_sha256 h;

	sigv4_canonical_hash(r, s, digest);
	sigv4_hex(digest, sizeof(digest), hex);
	hmac_sha256_init(&h, k);
	hmac_sha256_add(&h, SIGV4_ALGORITHM "\n", sizeof(SIGV4_ALGORITHM));
	hmac_sha256_add(&h, s->time, sizeof(s->time) - 1);
	hmac_sha256_add(&h, "\n", 1);
	hmac_sha256_add(&h, s->scope.p, s->scope.len);
	hmac_sha256_add(&h, "\n", 1);
	hmac_sha256_add(&h, hex, sizeof(hex));
	hmac_sha256_final(&h, ret);
}

/* Is the body the one whose hash was signed? Without x-amz-content-sha256 the signature itself says so. */
static bool payload_same(const struct sigv4_request *r, const struct sigv4 *s)
{
	uint8_t digest[HASH_SHA256_BYTES];
	char hex[2 * sizeof(digest)];
	struct sha256 h;

	if (s->payload.len != sizeof(hex))
		return true; /* none, or UNSIGNED-PAYLOAD where that is allowed: sigv4_parse() */
	sha256_init(&h);
	sha256_add(&h, r->body.p, r->body.len);
	sha256_final(&h, digest);
	sigv4_hex(digest, sizeof(digest), hex);
	return memcmp(hex, s->payload.p, sizeof(hex)) == 0; /* both are known to the sender */
}

int sigv4_verify(const struct sigv4_request *r, const struct sigv4 *s, const struct key *k)
{
	uint8_t want[HASH_SHA256_BYTES];
	bool good;

	if (key_len(k) != SIGV4_KEY_BYTES)
		return -EKEYREJECTED;
	sign(r, s, k, want);
	good = mem_equal_ct(want, s->signature, sizeof(want));
	mem_wipe(want, sizeof(want));
	if (!good)
		return -EKEYREJECTED;
	return payload_same(r, s) ? 0 : -EBADMSG;
}

/* *k becomes HMAC(*k, text). */
static int step(struct key **k, const char *text)
{
	struct key *next = NULL;
	struct hmac_sha256 h;
	int r = key_new_zero(SIGV4_KEY_BYTES, &next);

	if (r < 0)
		return r;
	hmac_sha256_init(&h, *k);
	hmac_sha256_add(&h, text, strlen(text));
	hmac_sha256_final(&h, key_bytes_mut(next));
	key_free(*k);
	*k = next;
	return 0;
}

int sigv4_derive(const struct key *secret, const char *date, const char *region,
		 const char *service, struct key **ret)
{
	CLEANUP(key_freep) struct key *k = NULL;
	int r;

	if (key_len(secret) > SIGV4_SECRET_MAX)
		return -EINVAL;
	r = key_new_zero(4 + key_len(secret), &k);
	if (r < 0)
		return r;
	memcpy(key_bytes_mut(k), "AWS4", 4);
	memcpy(key_bytes_mut(k) + 4, key_bytes(secret), key_len(secret));
	r = step(&k, date);
	if (r == 0)
		r = step(&k, region);
	if (r == 0)
		r = step(&k, service);
	if (r == 0)
		r = step(&k, SIGV4_TERMINATOR);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(k);
	return 0;
}

static int name_compare(struct sigv4_span a, struct sigv4_span b)
{
	int d = memcmp(a.p, b.p, a.len < b.len ? a.len : b.len);

	return d != 0 ? d : (a.len > b.len) - (a.len < b.len);
}

/* Names of all headers: lower case, in order, with ";" between. @low: room for the names. */
static int names_list(const struct sigv4_request *r, char *low, size_t cap, char *ret)
{
	struct sigv4_span name[SIGV4_HEADERS_MAX];
	size_t used = 0, len = 0;

	if (r->header_cnt > SIGV4_HEADERS_MAX || r->header_cnt == 0)
		return -EINVAL;
	for (size_t k = 0; k < r->header_cnt; k++) {
		struct sigv4_span from = r->header[k].name;
		size_t at = k;

		if (from.len + 1 > cap - used)
			return -EMSGSIZE;
		for (size_t i = 0; i < from.len; i++)
			low[used + i] =
				(char)(from.p[i] >= 'A' && from.p[i] <= 'Z' ? from.p[i] + 'a' - 'A'
									    : from.p[i]);
		from = (struct sigv4_span){ low + used, from.len };
		used += from.len + 1;
		for (; at > 0 && name_compare(from, name[at - 1]) < 0; at--)
			name[at] = name[at - 1];
		name[at] = from;
	}
	for (size_t k = 0; k < r->header_cnt; k++) {
		memcpy(ret + len, name[k].p, name[k].len);
		len += name[k].len;
		ret[len++] = k + 1 < r->header_cnt ? ';' : '\0';
	}
	return 0;
}

int sigv4_sign(const struct sigv4_request *r, const char *access_key_id, const struct key *secret,
	       const char *region, const char *service, char *ret, size_t cap)
{
	static const struct sigv4_span date_name = { "x-amz-date", 10 };
	CLEANUP(key_freep) struct key *k = NULL;
	char low[1024], names[1024];
	struct sigv4_header header[SIGV4_HEADERS_MAX];
	struct sigv4_request trial = *r;
	struct sigv4_span date = { "", 0 };
	uint8_t mac[HASH_SHA256_BYTES];
	struct sigv4 s;
	int n, err = names_list(r, low, sizeof(low), names);

	if (err < 0)
		return err;
	for (size_t i = 0; i < r->header_cnt; i++) {
		header[i] = r->header[i];
		if (span_is_name(r->header[i].name, date_name))
			date = r->header[i].value;
	}
	if (date.len != sizeof(s.time) - 1 || r->header_cnt == SIGV4_HEADERS_MAX)
		return -EINVAL;
	/* With a signature of zeroes it is read as a server reads it: what that would refuse is refused here. */
	n = snprintf(ret, cap,
		     SIGV4_ALGORITHM " Credential=%s/%.8s/%s/%s/" SIGV4_TERMINATOR
				     ", SignedHeaders=%s, Signature=%064d",
		     access_key_id, date.p, region, service, names, 0);
	if (n < 0 || (size_t)n >= cap)
		return -EMSGSIZE;
	header[trial.header_cnt++] =
		(struct sigv4_header){ { "authorization", 13 }, { ret, (size_t)n } };
	trial.header = header;
	if (sigv4_parse(&trial, &s) < 0)
		return -EINVAL;
	err = sigv4_derive(secret, s.date, region, service, &k);
	if (err < 0)
		return err;
	sign(&trial, &s, k, mac);
	sigv4_hex(mac, sizeof(mac), ret + n - 2 * sizeof(mac));
	return 0;
}
