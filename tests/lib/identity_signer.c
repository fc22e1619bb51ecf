/* SPDX-License-Identifier: Apache-2.0 */
#include "identity_signer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/attr.h"

struct identity_signer {
	EVP_PKEY *key;
	X509 *cert;
};

enum { DAY_S = 24 * 60 * 60 };

static X509 *cert_new(EVP_PKEY *key)
{
	X509 *x = X509_new();
	X509_NAME *name;

	must(x);
	must(X509_set_version(x, 2) == 1);
	must(ASN1_INTEGER_set(X509_get_serialNumber(x), 1) == 1);
	must(X509_gmtime_adj(X509_getm_notBefore(x), -DAY_S) &&
	     X509_gmtime_adj(X509_getm_notAfter(x), DAY_S));
	name = X509_get_subject_name(x);
	must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1,
					-1, 0) == 1);
	must(X509_set_issuer_name(x, name) == 1 && X509_set_pubkey(x, key) == 1);
	must(X509_sign(x, key, EVP_sha256()) > 0);
	return x;
}

struct identity_signer *identity_signer_new(const char *cert_path)
{
	struct identity_signer *s = calloc(1, sizeof(*s));
	FILE *f = fopen(cert_path, "w");

	must(s && f);
	s->key = EVP_RSA_gen(2048);
	must(s->key);
	s->cert = cert_new(s->key);
	must(PEM_write_X509(f, s->cert) == 1);
	must(fclose(f) == 0);
	return s;
}

void identity_signer_free(struct identity_signer *s)
{
	if (!s)
		return;
	X509_free(s->cert);
	EVP_PKEY_free(s->key);
	free(s);
}

static void raw_sign(const struct identity_signer *s, const struct ctl_sign_identity *q,
		     struct ctl_bytes_wrapped *ret)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t len = sizeof(ret->b);

	must(ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, s->key) == 1);
	must(EVP_DigestSign(ctx, ret->b, &len, q->document.b, q->document.len) == 1);
	ret->len = (uint16_t)len;
	EVP_MD_CTX_free(ctx);
}

static void pkcs7_sign(const struct identity_signer *s, const struct ctl_sign_identity *q,
		       struct ctl_bytes_chunk *ret)
{
	BIO *in = BIO_new_mem_buf(q->document.b, q->document.len);
	unsigned char *der = NULL;
	PKCS7 *p7;
	int len;

	must(in);
	p7 = PKCS7_sign(s->cert, s->key, NULL, in, PKCS7_BINARY | PKCS7_NOCERTS | PKCS7_NOSMIMECAP);
	must(p7);
	len = i2d_PKCS7(p7, &der);
	must(len > 0 && len <= (int)sizeof(ret->b));
	memcpy(ret->b, der, (size_t)len);
	ret->len = (uint16_t)len;
	OPENSSL_free(der);
	PKCS7_free(p7);
	BIO_free(in);
}

void identity_sign(const struct identity_signer *s, const struct ctl_sign_identity *q,
		   struct ctl_signed *ret)
{
	memset(ret, 0, sizeof(*ret));
	raw_sign(s, q, &ret->signature);
	pkcs7_sign(s, q, &ret->pkcs7);
}
