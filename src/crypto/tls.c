/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/tls.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "crypto/crypto_priv.h"

struct tls_server {
	SSL_CTX *ctx;
};

/* Of the socket in one call: two for each record, and no flight of a handshake is longer. */
enum { READS_MAX = 32 };

struct tls {
	SSL *ssl;
	unsigned reads; /* left in this call */
	bool wants_write;
};

static void ctx_freep(SSL_CTX **p)
{
	SSL_CTX_free(*p);
}

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

/* No certificate is asked for in a terminal. */
static int no_password(UNUSED char *buf, UNUSED int size, UNUSED int rw, UNUSED void *ptr)
{
	return -1;
}

/* Everything but the certificate. */
static int ctx_new(SSL_CTX **ret)
{
	CLEANUP(ctx_freep) SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (!ctx)
		return -ENOMEM;
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1 ||
	    SSL_CTX_set_num_tickets(ctx, 1) != 1)
		return -ENOSYS;
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					 SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	/* A read ends after each record, or a client that only changes keys would never let it end. */
	SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	*ret = TAKE_PTR(ctx);
	return 0;
}

/* #syscalls:start sysinfo */
int tls_init(void)
{
	SSL_CTX *ctx = NULL;
	int r;

	if (!OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL))
		return -ENOSYS;
	r = ctx_new(&ctx);
	SSL_CTX_free(ctx);
	ERR_clear_error();
	return r;
}

static int ctx_certificate_set(SSL_CTX *ctx, const char *pem)
{
	CLEANUP(bio_freep) BIO *bio = BIO_new_mem_buf(pem, -1);
	CLEANUP(pkey_freep) EVP_PKEY *key = NULL;
	CLEANUP(x509_freep) X509 *cert = NULL;

	if (!bio)
		return -ENOMEM;
	key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
	cert = PEM_read_bio_X509(bio, NULL, no_password, NULL);
	if (!key || !cert || SSL_CTX_use_certificate(ctx, cert) != 1 ||
	    SSL_CTX_use_PrivateKey(ctx, key) != 1 || SSL_CTX_check_private_key(ctx) != 1)
		return -EINVAL;
	return 0;
}

int tls_server_new(const char *pem, struct tls_server **ret)
{
	CLEANUP(ctx_freep) SSL_CTX *ctx = NULL;
	struct tls_server *s;
	int r;

	r = ctx_new(&ctx);
	if (r == 0)
		r = ctx_certificate_set(ctx, pem);
	ERR_clear_error();
	if (r < 0)
		return r;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->ctx = TAKE_PTR(ctx);
	*ret = s;
	return 0;
}

void tls_server_free(struct tls_server *s)
{
	if (!s)
		return;
	SSL_CTX_free(s->ctx);
	free(s);
}

/*
 * OpenSSL goes on by itself behind some records that hold no data, as wishes for new keys in TLS 1.2 are: for a client
 * that sends nothing else a call would not end. When it has read enough the socket seems empty; the loop comes back.
 */
static long on_bio(BIO *b, int oper, UNUSED const char *p, UNUSED size_t len, UNUSED int argi,
		   UNUSED long argl, int ret, UNUSED size_t *done)
{
	struct tls *t = (void *)BIO_get_callback_arg(b);

	if (oper != BIO_CB_READ)
		return ret;
	if (t->reads > 0) {
		t->reads--;
		return ret;
	}
	BIO_clear_retry_flags(b);
	BIO_set_retry_read(b);
	return -1;
}

int tls_new(struct tls_server *s, int fd, struct tls **ret)
{
	struct tls *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->ssl = SSL_new(s->ctx);
	if (!t->ssl || SSL_set_fd(t->ssl, fd) != 1) {
		tls_free(t);
		ERR_clear_error();
		return -ENOMEM;
	}
	BIO_set_callback_ex(SSL_get_rbio(t->ssl), on_bio);
	BIO_set_callback_arg(SSL_get_rbio(t->ssl), (char *)t);
	SSL_set_accept_state(t->ssl);
	*ret = t;
	return 0;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	SSL_free(t->ssl);
	free(t);
}

/* What a call's result means. The error queue is the thread's: it is emptied, or the next call would read this one's. */
static int outcome(struct tls *t, int n)
{
	int e = SSL_get_error(t->ssl, n);

	ERR_clear_error();
	t->wants_write = e == SSL_ERROR_WANT_WRITE;
	if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
		return -EAGAIN;
	return e == SSL_ERROR_ZERO_RETURN ? 0 : -EPROTO;
}

/* #syscalls:niterd read write */
int tls_handshake(struct tls *t)
{
	int n, r;

	t->reads = READS_MAX;
	n = SSL_do_handshake(t->ssl);
	if (n == 1)
		return 0;
	r = outcome(t, n);
	return r == 0 ? -EPROTO : r;
}

ssize_t tls_read(struct tls *t, void *buf, size_t cap)
{
	size_t n = 0;

	t->wants_write = false;
	t->reads = READS_MAX;
	return SSL_read_ex(t->ssl, buf, cap, &n) == 1 ? (ssize_t)n : outcome(t, 0);
}

ssize_t tls_write(struct tls *t, const void *buf, size_t len)
{
	size_t n = 0;
	int r;

	t->wants_write = false;
	t->reads = READS_MAX;
	if (SSL_write_ex(t->ssl, buf, len, &n) == 1)
		return (ssize_t)n;
	r = outcome(t, 0);
	return r == 0 ? -EPROTO : r;
}

bool tls_wants_write(const struct tls *t)
{
	return t->wants_write;
}

bool tls_pending(const struct tls *t)
{
	return SSL_has_pending(t->ssl) == 1;
}

void tls_goodbye(struct tls *t)
{
	(void)SSL_shutdown(t->ssl);
	ERR_clear_error();
}
