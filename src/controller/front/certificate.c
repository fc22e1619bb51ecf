/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The key is this server's only, made where it is used and never sent anywhere; clients are given the certificate, which the
 * operator prints with "niter host certificate --api".
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "controller/front/front_priv.h"

enum { PEM_MAX = 16 * 1024, NAMES_MAX = 3 };

void certificate_free(char *pem)
{
	if (pem)
		mem_wipe(pem, strlen(pem));
	free(pem);
}

static void pem_freep(char **p)
{
	certificate_free(*p);
}

static int pem_read(const char *path, char **ret)
{
	CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	CLEANUP(pem_freep) char *pem = NULL;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size <= 0 || st.st_size > PEM_MAX)
		return -EINVAL;
	pem = calloc(1, (size_t)st.st_size + 1);
	if (!pem)
		return -ENOMEM;
	r = fd_read_full(fd, pem, (size_t)st.st_size);
	if (r == 0)
		*ret = TAKE_PTR(pem);
	return r;
}

/* #syscalls:niterd openat fsync rename unlink */
static int pem_write(const char *path, const char *pem)
{
	CLEANUP(fd_closep) int fd = -1;
	char new[128];
	int r;

	snprintf(new, sizeof(new), "%s.new", path);
	(void)unlink(new);
	fd = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = fd_write_full(fd, pem, strlen(pem));
	if (r == 0 && (fsync(fd) < 0 || rename(new, path) < 0))
		r = -errno;
	return r;
}

/* The listener's address, unless it listens on all. Return: whether @ret is one. #syscalls:niterd getsockname */
static bool listener_name(int listener, char ret[INET6_ADDRSTRLEN])
{
	struct sockaddr_storage sa = { 0 };
	const struct sockaddr_in *in = (const void *)&sa;
	const struct sockaddr_in6 *in6 = (const void *)&sa;
	socklen_t len = sizeof(sa);

	if (getsockname(listener, (struct sockaddr *)&sa, &len) < 0)
		return false;
	if (sa.ss_family == AF_INET && in->sin_addr.s_addr != htonl(INADDR_ANY))
		return inet_ntop(AF_INET, &in->sin_addr, ret, INET6_ADDRSTRLEN) != NULL;
	if (sa.ss_family == AF_INET6 && !IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr))
		return inet_ntop(AF_INET6, &in6->sin6_addr, ret, INET6_ADDRSTRLEN) != NULL;
	return false;
}

int certificate_open(const char *path, int listener, char **ret)
{
	CLEANUP(pem_freep) char *pem = NULL;
	char address[INET6_ADDRSTRLEN] = "";
	const char *names[NAMES_MAX] = { "localhost", "127.0.0.1", address };
	size_t cnt = listener_name(listener, address) ? 3 : 2;
	int r;

	if (path && pem_read(path, &pem) == 0 && tls_certificate_covers(pem, names, cnt)) {
		*ret = TAKE_PTR(pem);
		return 0;
	}
	certificate_free(TAKE_PTR(pem));
	r = tls_certificate_make(names, cnt, &pem);
	if (r == 0 && path)
		r = pem_write(path, pem);
	if (r < 0)
		return r;
	log_info("front.certificate", "path=%s text=\"made\"", path ? path : "-");
	*ret = TAKE_PTR(pem);
	return 0;
}

int front_certificate(struct daemon *d, char **ret)
{
	return d->front ? tls_certificate_of(d->front->pem, ret) : -ENOENT;
}
