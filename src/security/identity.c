/* SPDX-License-Identifier: Apache-2.0 */
#include "security/identity.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "crypto/gcm.h"
#include "crypto/kdf.h"
#include "security/dir.h"

/* spec: docs/wire/security-store.md "identity.sealed" */
enum {
	MAGIC_BYTES = 8,
	SALT_BYTES = 32,
	SECRET_BYTES = P384_SCALAR_BYTES + 2 * RSA_PRIME_BYTES,
	NAME_FP_BYTES = 8, /* of the fingerprint, in the certificate's name */
	NAME_MAX_BYTES = 64,
};

static const uint8_t magic[MAGIC_BYTES] = { 'N', 'I', 'T', 'E', 'R', 'I', 'D', '\n' };

void identity_done(struct identity *id)
{
	key_freep(&id->host);
	rsa_done(&id->rsa);
	memset(id, 0, sizeof(*id));
}

static int file_key(const struct key *key, const uint8_t salt[SALT_BYTES], struct key **ret)
{
	static const char info[] = "niter/identity-file/v1";

	return kdf_hkdf_sha384(key, salt, SALT_BYTES, info, sizeof(info) - 1, GCM_KEY_BYTES, ret);
}

/* The three secrets, one behind the other, straight into and out of the file's bytes: none on the stack. */
static void secrets_put(const struct identity *id, uint8_t *b)
{
	memcpy(b, key_bytes(id->host), P384_SCALAR_BYTES);
	memcpy(b + P384_SCALAR_BYTES, key_bytes(id->rsa.p), RSA_PRIME_BYTES);
	memcpy(b + P384_SCALAR_BYTES + RSA_PRIME_BYTES, key_bytes(id->rsa.q), RSA_PRIME_BYTES);
}

static int secrets_take(const uint8_t *b, struct identity *id)
{
	int r;

	r = key_new_from(b, P384_SCALAR_BYTES, &id->host);
	if (r == 0)
		r = key_new_from(b + P384_SCALAR_BYTES, RSA_PRIME_BYTES, &id->rsa.p);
	if (r == 0)
		r = key_new_from(b + P384_SCALAR_BYTES + RSA_PRIME_BYTES, RSA_PRIME_BYTES,
				 &id->rsa.q);
	return r;
}

int identity_encode(const struct identity *id, const struct key *key,
		    uint8_t ret[IDENTITY_FILE_MAX])
{
	struct wr out = wr_init(ret, IDENTITY_FILE_MAX);
	CLEANUP(key_freep) struct key *k = NULL;
	uint8_t salt[SALT_BYTES], tag[GCM_TAG_BYTES];
	uint8_t *secrets;
	size_t aad_len;
	int r;

	r = tunnel_random(salt, sizeof(salt));
	if (r == 0)
		r = file_key(key, salt, &k);
	if (r < 0)
		return r;
	wr_bytes(&out, magic, sizeof(magic));
	wr_le16(&out, IDENTITY_VERSION);
	wr_le16(&out, 0);
	wr_bytes(&out, salt, sizeof(salt));
	wr_le16(&out, (uint16_t)id->cert_len);
	wr_bytes(&out, id->cert, id->cert_len);
	aad_len = out.len;
	wr_zero(&out, SECRET_BYTES);
	if (out.bad)
		return -EMSGSIZE;
	secrets = ret + aad_len;
	secrets_put(id, secrets);
	r = gcm_seal_once(k, ret, aad_len, secrets, SECRET_BYTES, secrets, tag);
	if (r < 0) {
		mem_wipe(secrets, SECRET_BYTES);
		return r;
	}
	wr_bytes(&out, tag, sizeof(tag));
	return out.bad ? -EMSGSIZE : (int)out.len;
}

/* Decrypts in @plain, which the caller wipes. */
static int open_in(const uint8_t *b, size_t len, const struct key *key, uint8_t plain[SECRET_BYTES],
		   struct identity *id)
{
	struct rd in = rd_init(b, len);
	CLEANUP(key_freep) struct key *k = NULL;
	uint8_t m[MAGIC_BYTES], salt[SALT_BYTES], tag[GCM_TAG_BYTES];
	uint16_t version, flags;
	size_t aad_len;
	int r;

	rd_bytes(&in, m, sizeof(m));
	version = rd_le16(&in);
	flags = rd_le16(&in);
	rd_bytes(&in, salt, sizeof(salt));
	id->cert_len = rd_le16(&in);
	if (in.bad || memcmp(m, magic, sizeof(m)) != 0)
		return -EBADMSG;
	if (version != IDENTITY_VERSION)
		return -ENOTSUP;
	if (flags || id->cert_len > sizeof(id->cert))
		return -EBADMSG;
	rd_bytes(&in, id->cert, id->cert_len);
	aad_len = len - in.left;
	rd_bytes(&in, plain, SECRET_BYTES);
	rd_bytes(&in, tag, sizeof(tag));
	if (in.bad || in.left)
		return -EBADMSG;
	r = file_key(key, salt, &k);
	if (r < 0)
		return r;
	r = gcm_open_once(k, b, aad_len, plain, SECRET_BYTES, tag, plain);
	return r < 0 ? r : secrets_take(plain, id);
}

int identity_decode(const uint8_t *b, size_t len, const struct key *key, struct identity *ret)
{
	struct identity id = { .host = NULL };
	uint8_t plain[SECRET_BYTES];
	int r;

	r = open_in(b, len, key, plain, &id);
	mem_wipe(plain, sizeof(plain));
	if (r == 0)
		r = tunnel_identity_init(&id.tunnel, id.host);
	if (r < 0) {
		identity_done(&id);
		return r;
	}
	*ret = id;
	return 0;
}

static int identity_make(struct identity *id)
{
	char name[NAME_MAX_BYTES];
	char hex[2 * NAME_FP_BYTES + 1];
	uint8_t pub[P384_PUBLIC_BYTES];
	unsigned i;
	int r;

	r = p384_new(&id->host, pub);
	if (r == 0)
		r = tunnel_identity_init(&id->tunnel, id->host);
	if (r == 0)
		r = rsa_new(&id->rsa);
	if (r < 0)
		return r;
	for (i = 0; i < NAME_FP_BYTES; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", id->tunnel.fingerprint[i]);
	(void)snprintf(name, sizeof(name), "instance identity of host %s", hex);
	r = rsa_certificate(&id->rsa, name, id->cert);
	if (r < 0)
		return r;
	id->cert_len = (size_t)r;
	return 0;
}

static int identity_create(int dir, const struct key *key, struct identity *ret)
{
	struct identity id = { .host = NULL };
	uint8_t b[IDENTITY_FILE_MAX];
	int len = -EIO, r;

	r = identity_make(&id);
	if (r == 0)
		len = identity_encode(&id, key, b);
	if (r == 0)
		r = len < 0 ? len : dir_write_new(dir, IDENTITY_FILE, b, (size_t)len);
	if (r < 0) {
		identity_done(&id);
		return r;
	}
	*ret = id;
	return 0;
}

int identity_open(int dir, const struct key *key, struct identity *ret, bool *ret_new)
{
	uint8_t b[IDENTITY_FILE_MAX];
	int len;

	len = dir_read(dir, IDENTITY_FILE, b, sizeof(b));
	*ret_new = len == -ENOENT;
	if (len == -ENOENT)
		return identity_create(dir, key, ret);
	if (len == -EFBIG)
		return -EBADMSG;
	if (len < 0)
		return len;
	return identity_decode(b, (size_t)len, key, ret);
}
