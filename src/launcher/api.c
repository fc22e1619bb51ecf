/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"
#include "launcher.h"

/*
 * The socket of the EC2 API. It is made here and outlives every niterd, so that clients' connections wait while a new one
 * starts; niterd itself can make no socket.
 */

enum { BACKLOG = 1024 };

int address_parse(const char *text, struct sockaddr_in *ret)
{
	const char *colon = strrchr(text, ':');
	char addr[INET_ADDRSTRLEN], *end;
	unsigned long port;

	if (!colon || (size_t)(colon - text) >= sizeof(addr))
		return -EINVAL;
	memcpy(addr, text, (size_t)(colon - text));
	addr[colon - text] = 0;
	port = strtoul(colon + 1, &end, 10);
	if (colon[1] < '0' || colon[1] > '9' || *end || port > UINT16_MAX)
		return -EINVAL;
	*ret = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	return inet_pton(AF_INET, addr, &ret->sin_addr) == 1 ? 0 : -EINVAL;
}

static int api_socket(const char *text)
{
	CLEANUP(fd_closep) int fd = -1;
	struct sockaddr_in sa;
	const int on = 1; /* the ends of an earlier host's connections do not count */
	int r;

	r = address_parse(text, &sa);
	if (r < 0)
		return r;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	return TAKE_FD(fd);
}

void api_open(struct launcher *l)
{
	if (!l->api)
		return;
	l->api_fd = api_socket(l->api);
	if (l->api_fd >= 0)
		return;
	log_err("api.socket",
		"text=\"no API on this host: TCP %s cannot be used (%s): see --api of "
		"niter-launcher\"",
		l->api, strerrordesc_np(-l->api_fd));
	l->api_fd = -1;
}
