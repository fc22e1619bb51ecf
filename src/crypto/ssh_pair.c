/* SPDX-License-Identifier: Apache-2.0 */

/* New pairs. The private half exists as libcrypto's object and as the text that is handed out; both are wiped. */

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/crypto_pkey.h"
#include "crypto/ssh_key_priv.h"

enum { ED25519_BYTES = 32, OPENSSH_MAX = 512, OPENSSH_LINE = 70 };

static void bio_freep(BIO **b)
{
	BIO_free(*b);
}

static void pkcs8_freep(PKCS8_PRIV_KEY_INFO **p)
{
	PKCS8_PRIV_KEY_INFO_free(*p);
}

static int fail(int err)
{
	ERR_clear_error();
	return err;
}

/* PKCS #1 in PEM: "BEGIN RSA PRIVATE KEY". */
static int rsa_text(EVP_PKEY *k, char ret[SSH_PRIVATE_MAX])
{
	CLEANUP(bio_freep) BIO *b = BIO_new(BIO_s_secmem());
	int len;

	if (!b || PEM_write_bio_PrivateKey_traditional(b, k, NULL, NULL, 0, NULL, NULL) != 1)
		return fail(-EIO);
	len = BIO_read(b, ret, SSH_PRIVATE_MAX - 1);
	if (len <= 0 || BIO_pending(b) > 0)
		return fail(-EMSGSIZE);
	ret[len] = '\0';
	return 0;
}

static int rsa_fingerprint(EVP_PKEY *k, char ret[SSH_FINGERPRINT_MAX])
{
	CLEANUP(pkcs8_freep) PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(k);
	uint8_t sum[EVP_MAX_MD_SIZE], *der = NULL;
	int len = info ? i2d_PKCS8_PRIV_KEY_INFO(info, &der) : -1;
	int r = -EIO;

	if (len > 0 && EVP_Digest(der, (size_t)len, sum, NULL, EVP_sha1(), NULL) == 1)
		r = 0;
	if (len > 0)
		OPENSSL_clear_free(der, (size_t)len);
	if (r == 0)
		ssh_hex(sum, SHA_DIGEST_LENGTH, ret);
	return fail(r);
}

static int rsa_pair(char ret_private[SSH_PRIVATE_MAX], struct ssh_public *ret_public,
		    char ret_fingerprint[SSH_FINGERPRINT_MAX])
{
	CLEANUP(pkey_freep) EVP_PKEY *k = EVP_RSA_gen(SSH_RSA_BITS);
	int r;

	if (!k)
		return fail(-EIO);
	r = ssh_blob_rsa(k, ret_public);
	if (r == 0)
		r = rsa_fingerprint(k, ret_fingerprint);
	return r < 0 ? r : rsa_text(k, ret_private);
}

/* spec: openssh-key-v1: no cipher; the private part is padded to 8 bytes with 1, 2, 3 … */
static int openssh_text(const uint8_t seed[ED25519_BYTES], const uint8_t public[ED25519_BYTES],
			const struct ssh_public *p, char ret[SSH_PRIVATE_MAX])
{
	static const char begin[] = "-----BEGIN OPENSSH PRIVATE KEY-----\n";
	static const char end[] = "\n-----END OPENSSH PRIVATE KEY-----\n";
	uint8_t all[OPENSSH_MAX], part[OPENSSH_MAX / 2], check[4];
	struct wr w = wr_init(all, sizeof(all)), in = wr_init(part, sizeof(part));
	size_t n = sizeof(begin) - 1;

	if (RAND_bytes(check, sizeof(check)) != 1)
		return fail(-EIO);
	wr_bytes(&in, check, sizeof(check));
	wr_bytes(&in, check, sizeof(check));
	ssh_string(&in, "ssh-ed25519", 11);
	ssh_string(&in, public, ED25519_BYTES);
	wr_be32(&in, 2 * ED25519_BYTES);
	wr_bytes(&in, seed, ED25519_BYTES);
	wr_bytes(&in, public, ED25519_BYTES);
	ssh_string(&in, "", 0); /* comment */
	for (uint8_t pad = 1; in.len % 8 != 0; pad++)
		wr_u8(&in, pad);

	wr_bytes(&w, "openssh-key-v1", 15);
	ssh_string(&w, "none", 4);
	ssh_string(&w, "none", 4);
	ssh_string(&w, "", 0);
	wr_be32(&w, 1);
	ssh_string(&w, p->blob, p->len);
	ssh_string(&w, part, in.len);

	memcpy(ret, begin, n);
	n += ssh_base64(all, w.len, OPENSSH_LINE, ret + n);
	memcpy(ret + n, end, sizeof(end));
	mem_wipe(all, sizeof(all));
	mem_wipe(part, sizeof(part));
	return w.bad || in.bad ? -EMSGSIZE : 0;
}

static int ed25519_pair(char ret_private[SSH_PRIVATE_MAX], struct ssh_public *ret_public,
			char ret_fingerprint[SSH_FINGERPRINT_MAX])
{
	CLEANUP(pkey_freep) EVP_PKEY *k = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	uint8_t seed[ED25519_BYTES], public[ED25519_BYTES];
	size_t seed_len = sizeof(seed), public_len = sizeof(public);
	int r;

	if (!k || EVP_PKEY_get_raw_private_key(k, seed, &seed_len) != 1 ||
	    EVP_PKEY_get_raw_public_key(k, public, &public_len) != 1)
		return fail(-EIO);
	ssh_blob_ed25519(public, ret_public);
	r = ssh_public_fingerprint(ret_public, ret_fingerprint);
	if (r == 0)
		r = openssh_text(seed, public, ret_public, ret_private);
	mem_wipe(seed, sizeof(seed));
	return r;
}

int ssh_pair_new(enum ssh_key_type t, char ret_private[SSH_PRIVATE_MAX],
		 struct ssh_public *ret_public, char ret_fingerprint[SSH_FINGERPRINT_MAX])
{
	if (t == SSH_KEY_RSA)
		return rsa_pair(ret_private, ret_public, ret_fingerprint);
	return ed25519_pair(ret_private, ret_public, ret_fingerprint);
}
