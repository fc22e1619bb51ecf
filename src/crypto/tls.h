/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * TLS for servers on non-blocking sockets: libssl with TLS 1.2 and 1.3, forward-secret ciphers only, no renegotiation, no
 * client certificates. Also the self-signed certificate such a server begins with.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"

struct tls_server;
struct tls;

enum { TLS_CERTIFICATE_YEARS = 10 };

/* tls_init(): call before sandbox_enter() and before any other function here: libssl asks how much memory there is, once. */
MUST_USE int tls_init(void);

/**
 * tls_certificate_make() - a key (P-256) and a certificate of itself
 * @names: host names and addresses it is for
 * @ret:   PEM, key first (owned: free(); a secret); NUL-terminated
 * spec: rfc-5280 §4.2.1.6 (names)
 * Return: 0, -EINVAL for a name that is none, -EIO.
 */
MUST_USE int tls_certificate_make(const char *const *names, size_t cnt, char **ret);
/* tls_certificate_covers(): is the certificate in @pem good today for every name? */
bool tls_certificate_covers(const char *pem, const char *const *names, size_t cnt);
/* tls_certificate_of(): only the certificate in @pem, as PEM. Return: 0 and *ret (owned), -EINVAL. */
MUST_USE int tls_certificate_of(const char *pem, char **ret);

/* tls_server_new(): @pem: key and certificate. Return: 0 and *ret (owned: tls_server_free()), -EINVAL, -ENOMEM. */
MUST_USE int tls_server_new(const char *pem, struct tls_server **ret);
void tls_server_free(struct tls_server *s);

/* tls_new(): @fd is borrowed until tls_free(). */
MUST_USE int tls_new(struct tls_server *s, int fd, struct tls **ret);
void tls_free(struct tls *t);

/* All: -EAGAIN: when the socket is ready, tls_wants_write() says for what. -EPROTO: the client broke TLS or the connection. */
MUST_USE int tls_handshake(struct tls *t);
/* tls_read(): Return: bytes, 0 when the client has said that it is done. */
MUST_USE ssize_t tls_read(struct tls *t, void *buf, size_t cap);
/* tls_write(): Return: bytes, maybe fewer than @len. After -EAGAIN the same bytes come again. */
MUST_USE ssize_t tls_write(struct tls *t, const void *buf, size_t len);
bool tls_wants_write(const struct tls *t);
/* tls_pending(): are there decrypted bytes that no event will tell of? */
bool tls_pending(const struct tls *t);
/* tls_goodbye(): says that nothing more comes; the answer is not waited for. */
void tls_goodbye(struct tls *t);
