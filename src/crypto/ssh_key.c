/* SPDX-License-Identifier: Apache-2.0 */

/* Public keys: reading, writing, fingerprints. */

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/md5.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/crypto_pkey.h"
#include "crypto/hash.h"
#include "crypto/ssh_key_priv.h"

enum { ED25519_BYTES = 32 };

static void bn_freep(BIGNUM **b)
{
	BN_free(*b);
}

static void bio_freep(BIO **b)
{
	BIO_free(*b);
}

static void bld_freep(OSSL_PARAM_BLD **b)
{
	OSSL_PARAM_BLD_free(*b);
}

static void params_freep(OSSL_PARAM **p)
{
	OSSL_PARAM_free(*p);
}

static void pkey_ctx_freep(EVP_PKEY_CTX **c)
{
	EVP_PKEY_CTX_free(*c);
}

static int fail(int err)
{
	ERR_clear_error();
	return err;
}

const char *ssh_key_type_name(enum ssh_key_type t)
{
	return t == SSH_KEY_RSA ? "rsa" : "ed25519";
}

/* ---- text ---- */

size_t ssh_base64(const uint8_t *p, size_t len, size_t line, char *ret)
{
	static const char abc[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t n = 0, in_line = 0;

	for (size_t i = 0; i < len; i += 3) {
		size_t left = len - i;
		uint32_t v = (uint32_t)p[i] << 16;

		v |= left > 1 ? (uint32_t)p[i + 1] << 8 : 0;
		v |= left > 2 ? p[i + 2] : 0;
		for (unsigned k = 0; k < 4; k++) {
			if (line && in_line == line) {
				ret[n++] = '\n';
				in_line = 0;
			}
			ret[n++] = k <= left ? abc[v >> (18 - 6 * k) & 63] : '=';
			in_line++;
		}
	}
	ret[n] = '\0';
	return n;
}

static int digit_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '/')
		return c == '+' ? 62 : 63;
	return -1;
}

/* Base64 with padding, line ends skipped. Return: bytes, -EBADMSG. */
static ptrdiff_t base64_read(const char *s, size_t len, uint8_t *ret, size_t cap)
{
	size_t n = 0, digits = 0, pad = 0;
	uint32_t v = 0;

	for (size_t i = 0; i < len; i++) {
		int d = digit_value(s[i]);

		if (s[i] == '\n' || s[i] == '\r')
			continue;
		if (s[i] == '=' && digits % 4 + pad >= 2 && pad < 2) {
			pad++;
			continue;
		}
		if (d < 0 || pad > 0)
			return -EBADMSG;
		v = v << 6 | (uint32_t)d;
		if (digits++ % 4 == 0)
			continue;
		if (n == cap)
			return -EBADMSG;
		ret[n++] = (uint8_t)(v >> (6 - 2 * ((digits - 1) % 4)));
	}
	if ((digits + pad) % 4 != 0 || digits % 4 == 1)
		return -EBADMSG;
	/* Bits behind the last byte: one key is written in one way. */
	if ((digits % 4 == 2 && (v & 15)) || (digits % 4 == 3 && (v & 3)))
		return -EBADMSG;
	return (ptrdiff_t)n;
}

void ssh_hex(const uint8_t *p, size_t len, char *ret)
{
	for (size_t i = 0; i < len; i++)
		snprintf(ret + i * 3, 4, "%02x%s", p[i], i + 1 < len ? ":" : "");
}

/* ---- blobs ---- */

void ssh_string(struct wr *w, const void *p, size_t len)
{
	wr_be32(w, (uint32_t)len);
	wr_bytes(w, p, len);
}

/* A positive number, with a zero in front when its first bit is set. */
static void write_mpint(struct wr *w, const BIGNUM *n)
{
	uint8_t buf[SSH_RSA_BITS_MAX / 8 + 1] = { 0 };
	int len = BN_num_bytes(n);

	if (len <= 0 || (size_t)len >= sizeof(buf)) {
		w->bad = true;
		return;
	}
	BN_bn2bin(n, buf + 1);
	if (buf[1] & 0x80)
		ssh_string(w, buf, (size_t)len + 1);
	else
		ssh_string(w, buf + 1, (size_t)len);
}

int ssh_blob_rsa(const EVP_PKEY *k, struct ssh_public *ret)
{
	CLEANUP(bn_freep) BIGNUM *n = NULL, *e = NULL;
	struct wr w = wr_init(ret->blob, sizeof(ret->blob));
	int bits;

	if (EVP_PKEY_get_bn_param(k, OSSL_PKEY_PARAM_RSA_N, &n) != 1 ||
	    EVP_PKEY_get_bn_param(k, OSSL_PKEY_PARAM_RSA_E, &e) != 1)
		return fail(-EIO);
	bits = BN_num_bits(n);
	if (bits < SSH_RSA_BITS_MIN || bits > SSH_RSA_BITS_MAX || !BN_is_odd(n) || !BN_is_odd(e) ||
	    BN_is_one(e) || BN_num_bits(e) > 64)
		return -EBADMSG;
	ssh_string(&w, "ssh-rsa", 7);
	write_mpint(&w, e);
	write_mpint(&w, n);
	if (w.bad)
		return -EBADMSG;
	ret->type = SSH_KEY_RSA;
	ret->len = w.len;
	return 0;
}

void ssh_blob_ed25519(const uint8_t key[32], struct ssh_public *ret)
{
	struct wr w = wr_init(ret->blob, sizeof(ret->blob));

	ssh_string(&w, "ssh-ed25519", 11);
	ssh_string(&w, key, ED25519_BYTES);
	ret->type = SSH_KEY_ED25519;
	ret->len = w.len;
}

/* One string of a blob, in place. */
static struct rd read_string(struct rd *r)
{
	uint32_t len = rd_be32(r);
	struct rd s = rd_init(r->p, len <= r->left ? len : 0);

	rd_skip(r, len);
	return s;
}

static bool string_is(const struct rd *s, const char *text)
{
	return s->left == strlen(text) && memcmp(s->p, text, s->left) == 0;
}

/* libcrypto's key of two numbers. */
static int rsa_pkey(const struct rd *n, const struct rd *e, EVP_PKEY **ret)
{
	CLEANUP(bn_freep) BIGNUM *bn = BN_bin2bn(n->p, (int)n->left, NULL);
	CLEANUP(bn_freep) BIGNUM *be = BN_bin2bn(e->p, (int)e->left, NULL);
	CLEANUP(bld_freep) OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	CLEANUP(params_freep) OSSL_PARAM *params = NULL;
	CLEANUP(pkey_ctx_freep) EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);

	if (!bn || !be || !bld || !c ||
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn) != 1 ||
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, be) != 1)
		return fail(-EIO);
	params = OSSL_PARAM_BLD_to_param(bld);
	if (!params || EVP_PKEY_fromdata_init(c) != 1 ||
	    EVP_PKEY_fromdata(c, ret, EVP_PKEY_PUBLIC_KEY, params) != 1)
		return fail(-EBADMSG);
	return 0;
}

/* The blob is made anew from what was read, and must be the same: no second way to write a number. */
static int blob_read(const uint8_t *p, size_t len, struct ssh_public *ret, EVP_PKEY **ret_rsa)
{
	struct rd r = rd_init(p, len), name = read_string(&r), a = read_string(&r), b;
	struct ssh_public made = { .len = 0 };
	int rc;

	*ret_rsa = NULL;
	if (string_is(&name, "ssh-ed25519")) {
		if (r.bad || r.left > 0 || a.left != ED25519_BYTES)
			return -EBADMSG;
		ssh_blob_ed25519(a.p, ret);
		return 0;
	}
	b = read_string(&r);
	if (r.bad || r.left > 0 || !string_is(&name, "ssh-rsa") || len > SSH_BLOB_MAX)
		return -EBADMSG;
	rc = rsa_pkey(&b, &a, ret_rsa);
	if (rc == 0)
		rc = ssh_blob_rsa(*ret_rsa, &made);
	if (rc == 0 && (made.len != len || memcmp(made.blob, p, len) != 0))
		rc = -EBADMSG;
	if (rc == 0)
		*ret = made;
	return rc;
}

static int base64_blob_read(const char *s, size_t len, struct ssh_public *ret)
{
	CLEANUP(pkey_freep) EVP_PKEY *rsa = NULL;
	uint8_t blob[SSH_BLOB_MAX];
	ptrdiff_t n = base64_read(s, len, blob, sizeof(blob));

	return n < 0 ? -EBADMSG : blob_read(blob, (size_t)n, ret, &rsa);
}

/* ---- what people have ---- */

/* "ssh-rsa AAAA… comment", one line. */
static int line_read(const char *s, size_t len, struct ssh_public *ret)
{
	const char *end = s + len, *blob, *blob_end;
	size_t name_len;
	int r;

	while (end > s && (end[-1] == '\n' || end[-1] == '\r' || end[-1] == ' '))
		end--;
	blob = memchr(s, ' ', (size_t)(end - s));
	if (!blob || memchr(s, '\n', (size_t)(end - s)))
		return -EBADMSG;
	name_len = (size_t)(blob - s);
	while (blob < end && *blob == ' ')
		blob++;
	blob_end = memchr(blob, ' ', (size_t)(end - blob));
	r = base64_blob_read(blob, (size_t)((blob_end ? blob_end : end) - blob), ret);
	if (r < 0)
		return r;
	/* The name in front is the name inside, which is a string behind its length. */
	if (name_len != (ret->type == SSH_KEY_RSA ? 7U : 11U) ||
	    memcmp(s, ret->blob + 4, name_len) != 0)
		return -EBADMSG;
	return 0;
}

/* spec: rfc-4716 §3.3: headers, each a line with a colon, and lines that end in a backslash go on. Return: bytes. */
static size_t headers_len(const char *s, size_t len)
{
	bool more = false;
	size_t at = 0;

	while (at < len) {
		const char *line = s + at, *eol = memchr(line, '\n', len - at);
		size_t n = eol ? (size_t)(eol - line) : 0, text;

		if (!eol || (!more && !memchr(line, ':', n)))
			return at;
		text = n > 0 && line[n - 1] == '\r' ? n - 1 : n;
		more = text > 0 && line[text - 1] == '\\';
		at += n + 1;
	}
	return at;
}

static int rfc4716_read(const char *s, size_t len, struct ssh_public *ret)
{
	static const char begin[] = "---- BEGIN SSH2 PUBLIC KEY ----";
	static const char tail[] = "---- END SSH2 PUBLIC KEY ----";
	const char *end = memmem(s, len, tail, sizeof(tail) - 1);

	s += sizeof(begin) - 1;
	if (!end || end < s || (*s != '\n' && *s != '\r'))
		return -EBADMSG;
	while (s < end && (*s == '\n' || *s == '\r'))
		s++;
	s += headers_len(s, (size_t)(end - s));
	return base64_blob_read(s, (size_t)(end - s), ret);
}

static int pkey_read(EVP_PKEY *k, struct ssh_public *ret)
{
	uint8_t raw[ED25519_BYTES];
	size_t len = sizeof(raw);

	if (!k)
		return fail(-EBADMSG);
	if (EVP_PKEY_is_a(k, "RSA"))
		return ssh_blob_rsa(k, ret);
	if (!EVP_PKEY_is_a(k, "ED25519") || EVP_PKEY_get_raw_public_key(k, raw, &len) != 1 ||
	    len != sizeof(raw))
		return fail(-EBADMSG);
	ssh_blob_ed25519(raw, ret);
	return 0;
}

static int pem_read(const void *p, size_t len, struct ssh_public *ret)
{
	CLEANUP(bio_freep) BIO *b = BIO_new_mem_buf(p, (int)len);
	CLEANUP(pkey_freep) EVP_PKEY *k = b ? PEM_read_bio_PUBKEY(b, NULL, NULL, NULL) : NULL;

	return pkey_read(k, ret);
}

static int der_read(const uint8_t *p, size_t len, struct ssh_public *ret)
{
	const uint8_t *at = p;
	CLEANUP(pkey_freep) EVP_PKEY *k = d2i_PUBKEY(NULL, &at, (long)len);

	if (k && at != p + len)
		return -EBADMSG;
	return pkey_read(k, ret);
}

static bool begins(const char *s, size_t len, const char *with)
{
	size_t n = strlen(with);

	return len >= n && memcmp(s, with, n) == 0;
}

int ssh_public_read(const void *material, size_t len, struct ssh_public *ret)
{
	struct ssh_public p = { .len = 0 };
	const char *s = material;
	int r;

	if (len == 0 || len > SSH_MATERIAL_MAX)
		return -EBADMSG;
	if (begins(s, len, "ssh-"))
		r = line_read(s, len, &p);
	else if (begins(s, len, "---- BEGIN SSH2 PUBLIC KEY ----"))
		r = rfc4716_read(s, len, &p);
	else if (begins(s, len, "-----BEGIN PUBLIC KEY-----"))
		r = pem_read(s, len, &p);
	else
		r = der_read(material, len, &p);
	if (r == 0)
		*ret = p;
	return r;
}

void ssh_public_line(const struct ssh_public *p, char ret[SSH_LINE_MAX])
{
	size_t n = (size_t)snprintf(ret, SSH_LINE_MAX, "ssh-%s ", ssh_key_type_name(p->type));

	(void)ssh_base64(p->blob, p->len, 0, ret + n);
}

int ssh_public_fingerprint(const struct ssh_public *p, char ret[SSH_FINGERPRINT_MAX])
{
	CLEANUP(pkey_freep) EVP_PKEY *rsa = NULL;
	uint8_t sum[EVP_MAX_MD_SIZE], *der = NULL;
	struct ssh_public again;
	int len, r;

	if (p->type == SSH_KEY_ED25519) {
		r = hash_sha256(p->blob, p->len, sum);
		if (r == 0)
			(void)ssh_base64(sum, HASH_SHA256_BYTES, 0, ret);
		return r;
	}
	r = blob_read(p->blob, p->len, &again, &rsa);
	if (r < 0)
		return r;
	len = i2d_PUBKEY(rsa, &der);
	r = len > 0 && EVP_Digest(der, (size_t)len, sum, NULL, EVP_md5(), NULL) == 1 ? 0 : -EIO;
	OPENSSL_free(der);
	if (r == 0)
		ssh_hex(sum, MD5_DIGEST_LENGTH, ret);
	return fail(r);
}
