/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/tls.h"

enum { SERIAL_BYTES = 16, NAMES_BYTES = 1024, DAY_S = 86400 };

static void bio_freep(BIO **p)
{
	BIO_free(*p);
}

static void x509_freep(X509 **p)
{
	X509_free(*p);
}

static void pkey_freep(EVP_PKEY **p)
{
	EVP_PKEY_free(*p);
}

static bool is_address(const char *name)
{
	struct in6_addr a;

	return inet_pton(AF_INET, name, &a) == 1 || inet_pton(AF_INET6, name, &a) == 1;
}

static int extension_add(X509 *cert, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;
	int ok;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = e ? X509_add_ext(cert, e, -1) : 0;
	X509_EXTENSION_free(e);
	return ok ? 0 : -EIO;
}

/* "DNS:localhost,IP:127.0.0.1". The names become part of a configuration line: only plain ones. */
static int names_write(const char *const *names, size_t cnt, char ret[NAMES_BYTES])
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:";
	size_t len = 0;

	for (size_t k = 0; k < cnt; k++) {
		int n;

		if (names[k][0] == '\0' || names[k][strspn(names[k], plain)] != '\0')
			return -EINVAL;
		n = snprintf(ret + len, NAMES_BYTES - len, "%s%s:%s", k ? "," : "",
			     is_address(names[k]) ? "IP" : "DNS", names[k]);
		if (n < 0 || (size_t)n >= NAMES_BYTES - len)
			return -EINVAL;
		len += (size_t)n;
	}
	return cnt ? 0 : -EINVAL;
}

static int serial_set(X509 *cert)
{
	uint8_t b[SERIAL_BYTES];
	BIGNUM *n;
	int ok;

	if (RAND_bytes(b, sizeof(b)) != 1)
		return -EIO;
	b[0] &= 0x7f; /* positive */
	n = BN_bin2bn(b, sizeof(b), NULL);
	ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert));
	BN_free(n);
	return ok ? 0 : -EIO;
}

/* A clock that was wrong when the server began must not make the certificate one of the future: a day is forgiven. */
static int fill(X509 *cert, EVP_PKEY *key, const char *names)
{
	X509_NAME *who = X509_get_subject_name(cert);

	if (X509_set_version(cert, X509_VERSION_3) != 1 || serial_set(cert) < 0 ||
	    !X509_gmtime_adj(X509_getm_notBefore(cert), -DAY_S) ||
	    !X509_time_adj_ex(X509_getm_notAfter(cert), TLS_CERTIFICATE_YEARS * 365, 0, NULL) ||
	    X509_NAME_add_entry_by_txt(who, "CN", MBSTRING_ASC, (const unsigned char *)"niter", -1,
				       -1, 0) != 1 ||
	    X509_set_issuer_name(cert, who) != 1 || X509_set_pubkey(cert, key) != 1)
		return -EIO;
	if (extension_add(cert, NID_basic_constraints, "critical,CA:FALSE") < 0 ||
	    extension_add(cert, NID_key_usage, "critical,digitalSignature") < 0 ||
	    extension_add(cert, NID_ext_key_usage, "serverAuth") < 0 ||
	    extension_add(cert, NID_subject_key_identifier, "hash") < 0 ||
	    extension_add(cert, NID_subject_alt_name, names) < 0)
		return -EIO;
	return X509_sign(cert, key, EVP_sha256()) > 0 ? 0 : -EIO;
}

/* What is in a memory BIO, as an own string. */
static int bio_take(BIO *bio, char **ret)
{
	char *p = NULL;
	long len = BIO_get_mem_data(bio, &p);
	char *s = len > 0 ? strndup(p, (size_t)len) : NULL;

	if (!s)
		return len > 0 ? -ENOMEM : -EIO;
	*ret = s;
	return 0;
}

int tls_certificate_make(const char *const *names, size_t cnt, char **ret)
{
	CLEANUP(pkey_freep) EVP_PKEY *key = NULL;
	CLEANUP(x509_freep) X509 *cert = NULL;
	CLEANUP(bio_freep) BIO *bio = NULL;
	char line[NAMES_BYTES];
	int r;

	r = names_write(names, cnt, line);
	if (r < 0)
		return r;
	key = EVP_EC_gen("P-256");
	cert = X509_new();
	bio = BIO_new(BIO_s_secmem());
	r = key && cert && bio ? fill(cert, key, line) : -EIO;
	if (r == 0 && (PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1 ||
		       PEM_write_bio_X509(bio, cert) != 1))
		r = -EIO;
	ERR_clear_error();
	return r < 0 ? r : bio_take(bio, ret);
}

static X509 *certificate_read(const char *pem)
{
	CLEANUP(bio_freep) BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

	ERR_clear_error();
	return cert;
}

bool tls_certificate_covers(const char *pem, const char *const *names, size_t cnt)
{
	CLEANUP(x509_freep) X509 *cert = certificate_read(pem);
	bool good = cert && X509_cmp_current_time(X509_get0_notBefore(cert)) < 0 &&
		    X509_cmp_current_time(X509_get0_notAfter(cert)) > 0;

	for (size_t k = 0; good && k < cnt; k++)
		good = is_address(names[k]) ? X509_check_ip_asc(cert, names[k], 0) == 1
					    : X509_check_host(cert, names[k], 0, 0, NULL) == 1;
	ERR_clear_error();
	return good;
}

int tls_certificate_of(const char *pem, char **ret)
{
	CLEANUP(x509_freep) X509 *cert = certificate_read(pem);
	CLEANUP(bio_freep) BIO *bio = BIO_new(BIO_s_mem());

	if (!cert || !bio || PEM_write_bio_X509(bio, cert) != 1) {
		ERR_clear_error();
		return -EINVAL;
	}
	return bio_take(bio, ret);
}
