/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/num.h"
#include "crypto/tls.h"

static const char *const names[] = { "localhost", "127.0.0.1", "2001:db8::1" };

static void certificate(char **ret)
{
	assert_int_equal(tls_certificate_make(names, ARRAY_SIZE(names), ret), 0);
}

static void tls_certificate_make__is_for_its_names_only(void **state)
{
	static const char *const good[] = { "127.0.0.1", "localhost" },
				 *const other[] = { "127.0.0.2" },
				 *const host[] = { "example.com" };
	char *pem, *only;

	(void)state;
	certificate(&pem);
	assert_true(tls_certificate_covers(pem, names, ARRAY_SIZE(names)));
	assert_true(tls_certificate_covers(pem, good, ARRAY_SIZE(good)));
	assert_false(tls_certificate_covers(pem, other, 1));
	assert_false(tls_certificate_covers(pem, host, 1));
	assert_false(tls_certificate_covers("nonsense", good, 1));
	assert_int_equal(tls_certificate_of(pem, &only), 0);
	assert_null(strstr(only, "PRIVATE"));
	assert_non_null(strstr(pem, only));
	free(only);
	free(pem);
	assert_int_equal(tls_certificate_of("nonsense", &only), -EINVAL);
}

/* A name becomes part of a configuration line: what could end it is no name. */
static void tls_certificate_make__refuses_names_that_say_more(void **state)
{
	static const char *const bad[] = { "a,DNS:b", "", "a b", "*.example.com", "a\nb", "@x" };
	char *pem;

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(bad); k++)
		assert_int_equal(tls_certificate_make(&bad[k], 1, &pem), -EINVAL);
	assert_int_equal(tls_certificate_make(NULL, 0, &pem), -EINVAL);
}

static void tls_server_new__needs_key_and_certificate_of_one_kind(void **state)
{
	char *a, *b, *only, *mixed;
	struct tls_server *s;

	(void)state;
	certificate(&a);
	certificate(&b);
	assert_int_equal(tls_server_new(a, &s), 0);
	tls_server_free(s);
	assert_int_equal(tls_certificate_of(b, &only), 0);
	assert_int_equal(tls_server_new(only, &s), -EINVAL);
	/* The key of one, the certificate of the other. */
	mixed = strndup(a, (size_t)(strstr(a, "-----BEGIN CERT") - a));
	mixed = realloc(mixed, strlen(mixed) + strlen(only) + 1);
	strcat(mixed, only);
	assert_int_equal(tls_server_new(mixed, &s), -EINVAL);
	assert_int_equal(tls_server_new("", &s), -EINVAL);
	free(mixed);
	free(only);
	free(b);
	free(a);
}

struct pair {
	struct tls_server *server;
	struct tls *t;
	SSL_CTX *ctx;
	SSL *client;
	int fd[2];
};

static void pair_open(struct pair *p)
{
	char *pem, *only;
	BIO *bio;
	X509 *cert;

	certificate(&pem);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p->fd), 0);
	assert_int_equal(tls_server_new(pem, &p->server), 0);
	assert_int_equal(tls_new(p->server, p->fd[0], &p->t), 0);
	assert_int_equal(tls_certificate_of(pem, &only), 0);
	bio = BIO_new_mem_buf(only, -1);
	cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	p->ctx = SSL_CTX_new(TLS_client_method());
	assert_int_equal(X509_STORE_add_cert(SSL_CTX_get_cert_store(p->ctx), cert), 1);
	SSL_CTX_set_verify(p->ctx, SSL_VERIFY_PEER, NULL);
	p->client = SSL_new(p->ctx);
	assert_int_equal(SSL_set_fd(p->client, p->fd[1]), 1);
	assert_int_equal(SSL_set1_host(p->client, "localhost"), 1);
	SSL_set_connect_state(p->client);
	X509_free(cert);
	BIO_free(bio);
	free(only);
	free(pem);
}

static void pair_close(struct pair *p)
{
	SSL_free(p->client);
	SSL_CTX_free(p->ctx);
	tls_free(p->t);
	tls_server_free(p->server);
	close(p->fd[0]);
	close(p->fd[1]);
}

static void handshake(struct pair *p)
{
	int r = -EAGAIN, c = 0;

	for (int k = 0; k < 20 && (r != 0 || c != 1); k++) {
		c = SSL_do_handshake(p->client);
		if (r != 0)
			r = tls_handshake(p->t);
		assert_true(r == 0 || r == -EAGAIN);
	}
	assert_int_equal(r, 0);
	assert_int_equal(c, 1);
}

static void tls_read__gets_what_was_sent_and_the_end(void **state)
{
	struct pair p;
	char buf[16];

	(void)state;
	pair_open(&p);
	handshake(&p);
	assert_int_equal(tls_read(p.t, buf, sizeof(buf)), -EAGAIN);
	assert_false(tls_wants_write(p.t));
	assert_int_equal(SSL_write(p.client, "hello, server", 13), 13);
	assert_int_equal(tls_read(p.t, buf, 5), 5);
	assert_memory_equal(buf, "hello", 5);
	assert_true(tls_pending(p.t));
	assert_int_equal(tls_read(p.t, buf, sizeof(buf)), 8);
	assert_false(tls_pending(p.t));
	assert_int_equal(tls_write(p.t, "hello, client", 13), 13);
	assert_int_equal(SSL_read(p.client, buf, sizeof(buf)), 13);
	(void)SSL_shutdown(p.client);
	assert_int_equal(tls_read(p.t, buf, sizeof(buf)), 0);
	tls_goodbye(p.t);
	pair_close(&p);
}

/* Or a client that sends nothing else would keep the server in one call. */
static void tls_read__returns_after_each_change_of_keys(void **state)
{
	enum { CHANGES = 5 };
	struct pair p;
	char buf[16];
	int left = 0;

	(void)state;
	pair_open(&p);
	handshake(&p);
	assert_int_equal(tls_read(p.t, buf, sizeof(buf)), -EAGAIN);
	for (int k = 0; k < CHANGES; k++) {
		assert_int_equal(SSL_key_update(p.client, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
		assert_int_equal(SSL_do_handshake(p.client), 1);
	}
	assert_int_equal(SSL_write(p.client, "hello", 5), 5);
	for (int k = 0; k < CHANGES; k++) {
		assert_int_equal(tls_read(p.t, buf, sizeof(buf)), -EAGAIN);
		assert_false(tls_wants_write(p.t));
		/* An event will tell of what is left. */
		assert_int_equal(ioctl(p.fd[0], FIONREAD, &left), 0);
		assert_true(left > 0);
	}
	assert_int_equal(tls_read(p.t, buf, sizeof(buf)), 5);
	assert_memory_equal(buf, "hello", 5);
	pair_close(&p);
}

static bool padded;

/* Bytes each of which begins one more ClientHello when a record begins with it. */
static int padding_add(SSL *ssl, unsigned type, const unsigned char **out, size_t *len, int *alert,
		       void *arg)
{
	static unsigned char ones[32 * 1024];

	(void)ssl;
	(void)type;
	(void)alert;
	(void)arg;
	memset(ones, SSL3_MT_CLIENT_HELLO, sizeof(ones));
	*out = ones;
	*len = sizeof(ones);
	return padded;
}

/* TLS 1.2: each wish for new keys is refused with an alert, which OpenSSL does without an end. */
static void tls_read__returns_before_it_has_refused_all_wishes(void **state)
{
	struct pair p;
	char buf[16];
	int left = 0, calls = 0;

	(void)state;
	padded = false;
	pair_open(&p);
	assert_int_equal(SSL_CTX_set_max_proto_version(p.ctx, TLS1_2_VERSION), 1);
	assert_int_equal(SSL_set_max_proto_version(p.client, TLS1_2_VERSION), 1);
	assert_int_equal(
		SSL_CTX_add_client_custom_ext(p.ctx, 1000, padding_add, NULL, NULL, NULL, NULL), 1);
	SSL_free(p.client);
	p.client = SSL_new(p.ctx);
	assert_int_equal(SSL_set_fd(p.client, p.fd[1]), 1);
	SSL_set_connect_state(p.client);
	handshake(&p);
	padded = true;
	assert_int_equal(SSL_set_max_send_fragment(p.client, 512), 1);
	assert_int_equal(SSL_renegotiate(p.client), 1);
	assert_int_equal(SSL_do_handshake(p.client), -1);
	assert_int_equal(tls_read(p.t, buf, sizeof(buf)), -EAGAIN);
	assert_int_equal(ioctl(p.fd[0], FIONREAD, &left), 0);
	assert_true(left > 0);
	for (; left > 0 && calls < 100; calls++) {
		assert_int_equal(tls_read(p.t, buf, sizeof(buf)), -EAGAIN);
		assert_int_equal(ioctl(p.fd[0], FIONREAD, &left), 0);
	}
	assert_int_equal(left, 0);
	pair_close(&p);
}

static void tls_write__waits_for_a_client_that_does_not_read(void **state)
{
	static char big[1 << 20];
	struct pair p;
	ssize_t n = 0, sent = 0;

	(void)state;
	pair_open(&p);
	handshake(&p);
	for (int k = 0; k < 1000 && n >= 0; k++) {
		n = tls_write(p.t, big, sizeof(big));
		sent += n > 0 ? n : 0;
	}
	assert_int_equal(n, -EAGAIN);
	assert_true(tls_wants_write(p.t));
	/* From a buffer at another place, too, once it reads. */
	for (ssize_t got = 0; got < sent; got += n) {
		static char buf[16384];

		n = SSL_read(p.client, buf, sizeof(buf));
		assert_true(n > 0);
	}
	assert_true(tls_write(p.t, big, sizeof(big)) > 0);
	pair_close(&p);
}

static void tls_handshake__refuses_what_is_not_tls(void **state)
{
	struct pair p;

	(void)state;
	pair_open(&p);
	assert_int_equal(write(p.fd[1], "\x16\x03\x01\x00\x05GET / HTTP", 15), 15);
	assert_int_equal(tls_handshake(p.t), -EPROTO);
	pair_close(&p);
	pair_open(&p);
	assert_int_equal(shutdown(p.fd[1], SHUT_WR), 0);
	assert_int_equal(tls_handshake(p.t), -EPROTO);
	pair_close(&p);
}

static int setup(void **state)
{
	(void)state;
	return tls_init();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tls_certificate_make__is_for_its_names_only),
		cmocka_unit_test(tls_certificate_make__refuses_names_that_say_more),
		cmocka_unit_test(tls_server_new__needs_key_and_certificate_of_one_kind),
		cmocka_unit_test(tls_read__gets_what_was_sent_and_the_end),
		cmocka_unit_test(tls_read__returns_after_each_change_of_keys),
		cmocka_unit_test(tls_read__returns_before_it_has_refused_all_wishes),
		cmocka_unit_test(tls_write__waits_for_a_client_that_does_not_read),
		cmocka_unit_test(tls_handshake__refuses_what_is_not_tls),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
