/* SPDX-License-Identifier: Apache-2.0 */

#include "volume/luks2.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/random.h"
#include "crypto/hash.h"
#include "volume/base64.h"

enum {
	MAGIC_BYTES = 6,
	VERSION = 2,
	LABEL_BYTES = 48,
	ALG_BYTES = 32,
	SALT_BYTES = 64,
	SUBSYSTEM_BYTES = 48,
	PADDING_BYTES = 184,
	CSUM_OFF = 448, /* of the checksum in the binary header */
	CSUM_BYTES = 64,
	TOKEN_VERSION = 1,
};

#define CIPHER "aes-xts-plain64"
#define TOKEN_TYPE "niter"

static const uint8_t magic[2][MAGIC_BYTES] = {
	[LUKS2_PRIMARY] = { 'L', 'U', 'K', 'S', 0xba, 0xbe },
	[LUKS2_SECONDARY] = { 'S', 'K', 'U', 'L', 0xba, 0xbe },
};

/* jansson.h has json_decrefp(). */
#define CLEANUP_JSON CLEANUP(json_decrefp)

/* ---- checks that hold for parse and build ---- */

/* text_ok() - NUL-terminated inside its array, not empty, nothing but [A-Za-z0-9._:-] */
static bool text_ok(const char *s, size_t cap)
{
	size_t len = strnlen(s, cap);

	return len > 0 && len < cap &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-") ==
		       len;
}

int luks2_params_check(const struct vol_params *p)
{
	if (strncmp(p->cipher, CIPHER, sizeof(p->cipher)) != 0 || p->sector_bytes != VOL_UNIT_BYTES)
		return -ENOTSUP;
	if (!text_ok(p->volume_id, sizeof(p->volume_id)) ||
	    !text_ok(p->key_id, sizeof(p->key_id)) || !text_ok(p->uuid, sizeof(p->uuid)))
		return -EBADMSG;
	if (p->payload_off % VOL_UNIT_BYTES || p->payload_off < LUKS2_BOTH_BYTES ||
	    p->payload_off > VOL_SIZE_MAX)
		return -EBADMSG;
	if (!p->size || p->size % VOL_UNIT_BYTES || p->size > VOL_SIZE_MAX)
		return -EBADMSG;
	if (!p->wrapped_len || p->wrapped_len > VOL_WRAPPED_MAX)
		return -EBADMSG;
	if (p->digest_iterations < LUKS2_DIGEST_ITERATIONS ||
	    p->digest_iterations > LUKS2_ITERATIONS_MAX)
		return -EBADMSG;
	if (p->salt_len < 16 || p->salt_len > VOL_SALT_MAX || p->digest_len != HASH_SHA256_BYTES)
		return -EBADMSG;
	return 0;
}

/* checksum() - SHA-256 over the copy with the checksum field zero */
static int checksum(const uint8_t copy[LUKS2_COPY_BYTES], uint8_t ret[HASH_SHA256_BYTES])
{
	uint8_t *tmp;
	int r;

	tmp = malloc(LUKS2_COPY_BYTES);
	if (!tmp)
		return -ENOMEM;
	memcpy(tmp, copy, LUKS2_COPY_BYTES);
	memset(tmp + CSUM_OFF, 0, CSUM_BYTES);
	r = hash_sha256(tmp, LUKS2_COPY_BYTES, ret);
	free(tmp);
	return r;
}

/* ---- binary header ---- */

/* spec: luks2-1.1.2 §2.2: 4096 bytes, big-endian; the fields end at 512. */
static int bin_parse(const uint8_t copy[LUKS2_COPY_BYTES], enum luks2_copy which,
		     struct vol_params *p)
{
	struct rd in = rd_init(copy, LUKS2_BIN_BYTES);
	uint8_t m[MAGIC_BYTES], label[LABEL_BYTES], salt[SALT_BYTES], subsystem[SUBSYSTEM_BYTES];
	uint8_t padding[PADDING_BYTES], csum[CSUM_BYTES], rest[LUKS2_BIN_BYTES - 512];
	uint8_t want[CSUM_BYTES] = { 0 }, zero[LUKS2_BIN_BYTES - 512] = { 0 };
	char alg[ALG_BYTES];
	uint16_t version;
	uint64_t hdr_size, hdr_offset;
	int r;

	rd_bytes(&in, m, sizeof(m));
	version = rd_be16(&in);
	hdr_size = rd_be64(&in); /* bytes of the whole copy */
	p->seqid = rd_be64(&in);
	rd_bytes(&in, label, sizeof(label));
	rd_bytes(&in, alg, sizeof(alg));
	rd_bytes(&in, salt, sizeof(salt));
	rd_bytes(&in, p->uuid, sizeof(p->uuid));
	rd_bytes(&in, subsystem, sizeof(subsystem));
	hdr_offset = rd_be64(&in); /* bytes: where this copy is */
	rd_bytes(&in, padding, sizeof(padding));
	rd_bytes(&in, csum, sizeof(csum));
	rd_bytes(&in, rest, sizeof(rest));
	if (in.bad || memcmp(m, magic[which], sizeof(m)) != 0)
		return -EBADMSG;

	r = checksum(copy, want);
	if (r < 0)
		return r;
	if (memcmp(want, csum, sizeof(want)) != 0)
		return version == VERSION && hdr_size != LUKS2_COPY_BYTES ? -ENOTSUP : -EBADMSG;

	/* The bytes are what somebody wrote; now whether they make sense. */
	if (version != VERSION || hdr_size != LUKS2_COPY_BYTES ||
	    strncmp(alg, "sha256", sizeof(alg)) != 0)
		return -ENOTSUP;
	if (hdr_offset != (which == LUKS2_PRIMARY ? 0 : LUKS2_COPY_BYTES) || !p->seqid)
		return -EBADMSG;
	if (memcmp(padding, zero, sizeof(padding)) != 0 || memcmp(rest, zero, sizeof(rest)) != 0)
		return -EBADMSG;
	return 0;
}

static int bin_build(const struct vol_params *p, enum luks2_copy which, const uint8_t salt[64],
		     uint8_t copy[LUKS2_COPY_BYTES])
{
	struct wr out = wr_init(copy, LUKS2_BIN_BYTES);
	char label[LABEL_BYTES] = { 0 }, alg[ALG_BYTES] = "sha256",
	     subsystem[SUBSYSTEM_BYTES] = TOKEN_TYPE;
	uint8_t csum[HASH_SHA256_BYTES];
	int r;

	memcpy(label, p->volume_id, strnlen(p->volume_id, sizeof(p->volume_id)));
	wr_bytes(&out, magic[which], MAGIC_BYTES);
	wr_be16(&out, VERSION);
	wr_be64(&out, LUKS2_COPY_BYTES);
	wr_be64(&out, p->seqid);
	wr_bytes(&out, label, sizeof(label));
	wr_bytes(&out, alg, sizeof(alg));
	wr_bytes(&out, salt, SALT_BYTES);
	wr_bytes(&out, p->uuid, sizeof(p->uuid));
	wr_bytes(&out, subsystem, sizeof(subsystem));
	wr_be64(&out, which == LUKS2_PRIMARY ? 0 : LUKS2_COPY_BYTES);
	wr_zero(&out, PADDING_BYTES);
	must(!out.bad && out.len == CSUM_OFF);
	wr_zero(&out, LUKS2_BIN_BYTES - CSUM_OFF);
	must(!out.bad);

	r = checksum(copy, csum);
	if (r < 0)
		return r;
	memcpy(copy + CSUM_OFF, csum, sizeof(csum));
	return 0;
}

/* ---- JSON ---- */

/* json_shape() - one text, zeroes behind it, not nested deeper than the limit. Return: its length, or -EBADMSG. */
static int json_shape(const uint8_t *area)
{
	size_t len = strnlen((const char *)area, LUKS2_JSON_BYTES);
	unsigned depth = 0;
	bool in_string = false;

	if (len == LUKS2_JSON_BYTES)
		return -EBADMSG;
	for (size_t i = len; i < LUKS2_JSON_BYTES; i++) {
		if (area[i])
			return -EBADMSG;
	}
	for (size_t i = 0; i < len; i++) {
		if (in_string) {
			if (area[i] == '\\')
				i++;
			else if (area[i] == '"')
				in_string = false;
		} else if (area[i] == '"') {
			in_string = true;
		} else if (area[i] == '{' || area[i] == '[') {
			if (++depth > LUKS2_DEPTH_MAX)
				return -EBADMSG;
		} else if ((area[i] == '}' || area[i] == ']') && depth) {
			depth--;
		}
	}
	return (int)len;
}

/* get_text() - member @name, a string that fits @cap with its NUL */
static int get_text(const json_t *o, const char *name, char *ret, size_t cap)
{
	const json_t *v = json_object_get(o, name);
	size_t len;

	if (!json_is_string(v))
		return -EBADMSG;
	len = json_string_length(v);
	if (len >= cap || strlen(json_string_value(v)) != len)
		return -EBADMSG;
	memset(ret, 0, cap);
	memcpy(ret, json_string_value(v), len);
	return 0;
}

static bool text_is(const json_t *o, const char *name, const char *want)
{
	const json_t *v = json_object_get(o, name);

	return json_is_string(v) && strcmp(json_string_value(v), want) == 0;
}

/* get_u64() - LUKS2 writes 64-bit numbers as decimal strings */
static int get_u64(const json_t *o, const char *name, uint64_t *ret)
{
	char text[24];
	uint64_t v = 0;
	int r;

	r = get_text(o, name, text, sizeof(text));
	if (r < 0)
		return r;
	if (!text[0] || (text[0] == '0' && text[1]))
		return -EBADMSG;
	for (const char *c = text; *c; c++) {
		if (*c < '0' || *c > '9' || !mul_u64(v, 10, &v) ||
		    !add_u64(v, (uint64_t)(*c - '0'), &v))
			return -EBADMSG;
	}
	*ret = v;
	return 0;
}

static int get_int(const json_t *o, const char *name, uint32_t max, uint32_t *ret)
{
	const json_t *v = json_object_get(o, name);

	if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > max)
		return -EBADMSG;
	*ret = (uint32_t)json_integer_value(v);
	return 0;
}

static int get_base64(const json_t *o, const char *name, uint8_t *ret, size_t cap,
		      uint16_t *ret_len)
{
	const json_t *v = json_object_get(o, name);
	size_t len;

	if (!json_is_string(v) || strlen(json_string_value(v)) != json_string_length(v) ||
	    base64_decode(json_string_value(v), ret, cap, &len) < 0)
		return -EBADMSG;
	*ret_len = (uint16_t)len;
	return 0;
}

/* spec: luks2-1.1.2 §3.3 (segments). One, and it is crypt. */
static int segment_parse(const json_t *root, uint64_t backing_size, struct vol_params *p)
{
	const json_t *segments = json_object_get(root, "segments"), *s;
	uint64_t tweak;
	int r;

	if (!json_is_object(segments))
		return -EBADMSG;
	s = json_object_get(segments, "0");
	if (json_object_size(segments) != 1 || !json_is_object(s) || !text_is(s, "type", "crypt") ||
	    json_object_get(s, "integrity") || json_object_get(s, "flags"))
		return -ENOTSUP;
	r = get_text(s, "encryption", p->cipher, sizeof(p->cipher));
	if (r < 0)
		return r;
	r = get_int(s, "sector_size", VOL_UNIT_BYTES, &p->sector_bytes);
	if (r < 0)
		return r;
	r = get_u64(s, "iv_tweak", &tweak);
	if (r < 0)
		return r;
	r = get_u64(s, "offset", &p->payload_off);
	if (r < 0)
		return r;
	if (tweak != 0 || text_is(s, "size", "dynamic"))
		return -ENOTSUP;
	r = get_u64(s, "size", &p->size);
	if (r < 0)
		return r;
	return range_ok(p->payload_off, p->size, backing_size) ? 0 : -EBADMSG;
}

/* spec: luks2-1.1.2 §3.4 (digests). The one that belongs to segment 0. */
static int digest_parse(const json_t *root, struct vol_params *p)
{
	const json_t *digests = json_object_get(root, "digests"), *d, *segs;
	int r;

	if (!json_is_object(digests))
		return -EBADMSG;
	d = json_object_get(digests, "0");
	if (json_object_size(digests) != 1 || !json_is_object(d))
		return -ENOTSUP;
	segs = json_object_get(d, "segments");
	if (!json_is_array(segs) || json_array_size(segs) != 1 ||
	    !json_is_string(json_array_get(segs, 0)) ||
	    strcmp(json_string_value(json_array_get(segs, 0)), "0") != 0)
		return -EBADMSG;
	if (!text_is(d, "type", "pbkdf2") || !text_is(d, "hash", "sha256"))
		return -ENOTSUP;
	r = get_int(d, "iterations", LUKS2_ITERATIONS_MAX, &p->digest_iterations);
	if (r < 0)
		return r;
	r = get_base64(d, "salt", p->salt, sizeof(p->salt), &p->salt_len);
	if (r < 0)
		return r;
	return get_base64(d, "digest", p->digest, sizeof(p->digest), &p->digest_len);
}

/* Exactly one token is ours; others are somebody else's business. */
static int token_parse(const json_t *root, struct vol_params *p)
{
	json_t *tokens = json_object_get(root, "tokens"), *v;
	const json_t *t = NULL;
	const char *name;
	uint32_t version;
	int r;

	if (!json_is_object(tokens))
		return -EBADMSG;
	json_object_foreach(tokens, name, v)
	{
		if (!text_is(v, "type", TOKEN_TYPE))
			continue;
		if (t)
			return -EBADMSG;
		t = v;
	}
	if (!t)
		return -ENOTSUP;
	r = get_int(t, "version", UINT16_MAX, &version);
	if (r < 0)
		return r;
	if (version != TOKEN_VERSION)
		return -ENOTSUP;
	r = get_text(t, "volume_id", p->volume_id, sizeof(p->volume_id));
	if (r < 0)
		return r;
	r = get_text(t, "key_id", p->key_id, sizeof(p->key_id));
	if (r < 0)
		return r;
	return get_base64(t, "wrapped_key", p->wrapped, sizeof(p->wrapped), &p->wrapped_len);
}

/* The keyslot area ends where the payload begins, or before; a requirement is a feature we do not have. */
static int config_parse(const json_t *root, const struct vol_params *p)
{
	const json_t *c = json_object_get(root, "config"), *req;
	uint64_t json_size, keyslots_size;
	int r;

	if (!json_is_object(c) || !json_is_object(json_object_get(root, "keyslots")))
		return -EBADMSG;
	req = json_object_get(c, "requirements");
	if (req && json_object_size(req))
		return -ENOTSUP;
	r = get_u64(c, "json_size", &json_size);
	if (r < 0)
		return r;
	r = get_u64(c, "keyslots_size", &keyslots_size);
	if (r < 0)
		return r;
	if (json_size != LUKS2_JSON_BYTES || p->payload_off < LUKS2_BOTH_BYTES ||
	    keyslots_size > p->payload_off - LUKS2_BOTH_BYTES)
		return -EBADMSG;
	return 0;
}

/*
 * hash_seed() - jansson seeds its hash tables from /dev/urandom when nobody has; in the jail there is none
 *
 * #syscalls:* getrandom
 */
static int hash_seed(void)
{
	size_t seed = 0;

	if (random_bytes(&seed, sizeof(seed)) < 0)
		return -EIO;
	json_object_seed(seed | 1); /* 0 would mean /dev/urandom; only the first call counts */
	return 0;
}

static int json_parse(const uint8_t *area, uint64_t backing_size, struct vol_params *p)
{
	CLEANUP_JSON json_t *root = NULL;
	int len, r;

	len = json_shape(area);
	if (len < 0)
		return len;
	r = hash_seed();
	if (r < 0)
		return r;
	root = json_loadb((const char *)area, (size_t)len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(root))
		return -EBADMSG;

	r = token_parse(root, p);
	if (r < 0)
		return r;
	r = segment_parse(root, backing_size, p);
	if (r < 0)
		return r;
	r = digest_parse(root, p);
	if (r < 0)
		return r;
	return config_parse(root, p);
}

static int json_build(const struct vol_params *p, uint8_t area[LUKS2_JSON_BYTES])
{
	char wrapped[BASE64_CHARS(VOL_WRAPPED_MAX)], salt[BASE64_CHARS(VOL_SALT_MAX)];
	char digest[BASE64_CHARS(VOL_DIGEST_MAX)];
	int n;

	base64_encode(p->wrapped, p->wrapped_len, wrapped);
	base64_encode(p->salt, p->salt_len, salt);
	base64_encode(p->digest, p->digest_len, digest);

	/* No string in here needs escaping: luks2_params_check() has seen to that. */
	memset(area, 0, LUKS2_JSON_BYTES);
	n = snprintf((char *)area, LUKS2_JSON_BYTES,
		     "{\"keyslots\":{},"
		     "\"tokens\":{\"0\":{\"type\":\"%s\",\"keyslots\":[],\"version\":%d,\"volume_"
		     "id\":\"%s\","
		     "\"key_id\":\"%s\",\"wrapped_key\":\"%s\"}},"
		     "\"segments\":{\"0\":{\"type\":\"crypt\",\"offset\":\"%" PRIu64
		     "\",\"size\":\"%" PRIu64
		     "\",\"iv_tweak\":\"0\",\"encryption\":\"%s\",\"sector_size\":%" PRIu32 "}},"
		     "\"digests\":{\"0\":{\"type\":\"pbkdf2\",\"keyslots\":[],\"segments\":[\"0\"],"
		     "\"hash\":\"sha256\",\"iterations\":%" PRIu32
		     ",\"salt\":\"%s\",\"digest\":\"%s\"}},"
		     "\"config\":{\"json_size\":\"%d\",\"keyslots_size\":\"%" PRIu64 "\"}}",
		     TOKEN_TYPE, TOKEN_VERSION, p->volume_id, p->key_id, wrapped, p->payload_off,
		     p->size, p->cipher, p->sector_bytes, p->digest_iterations, salt, digest,
		     LUKS2_JSON_BYTES, p->payload_off - LUKS2_BOTH_BYTES);
	return n > 0 && n < LUKS2_JSON_BYTES ? 0 : -EINVAL;
}

/* ---- one copy ---- */

int luks2_parse(const uint8_t copy[LUKS2_COPY_BYTES], enum luks2_copy which, uint64_t backing_size,
		struct vol_params *ret)
{
	struct vol_params p = { 0 };
	int r;

	r = bin_parse(copy, which, &p);
	if (r < 0)
		return r;
	r = json_parse(copy + LUKS2_BIN_BYTES, backing_size, &p);
	if (r < 0)
		return r;
	r = luks2_params_check(&p);
	if (r < 0)
		return r;

	*ret = p;
	return 0;
}

int luks2_build(const struct vol_params *p, enum luks2_copy which, const uint8_t salt[64],
		uint8_t ret[LUKS2_COPY_BYTES])
{
	int r;

	if (luks2_params_check(p) < 0 || !p->seqid)
		return -EINVAL;
	r = json_build(p, ret + LUKS2_BIN_BYTES);
	if (r < 0)
		return r;
	return bin_build(p, which, salt, ret);
}
