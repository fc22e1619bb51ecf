/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Queries over UDP and TCP. One query, one answer; what a TCP client does not take at once is lost with its connection:
 * an answer is a few hundred bytes and fits into any window.
 */

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "metadata/guard.h"
#include "metadata/metadata.h"

#define S_NS 1000000000ull

enum { DATAGRAMS_PER_WAKE = 32, ACCEPTS_PER_WAKE = 8, QUERY_S = 5 };

void dns_server_init(struct dns_server *s, struct loop *loop, uint64_t now_ns)
{
	unsigned i;

	s->loop = loop;
	s->udp = -1;
	s->listener = -1;
	s->udp_ref = (struct loop_ref){ REF_DNS_UDP, s };
	s->listener_ref = (struct loop_ref){ REF_DNS_LISTENER, s };
	bucket_init(&s->rate, DNS_RATE, DNS_RATE_BURST, now_ns);
	for (i = 0; i < DNS_CONNS_MAX; i++) {
		s->peer[i].fd = -1;
		s->peer[i].ref = (struct loop_ref){ REF_DNS_CONN, &s->peer[i] };
	}
}

int dns_server_listen(struct dns_server *s, int udp, int listener)
{
	int r;

	must(s->udp < 0 && s->listener < 0);
	s->udp = udp;
	s->listener = listener;
	r = buffers_set(listener);
	if (r == 0)
		r = loop_add(s->loop, udp, EPOLLIN, &s->udp_ref);
	if (r == 0)
		r = loop_add(s->loop, listener, EPOLLIN, &s->listener_ref);
	return r;
}

/* #syscalls:metadata recvfrom sendto */
void dns_server_udp(struct dns_server *s, uint64_t now_ns)
{
	uint8_t in[DNS_QUERY_MAX + 1], out[DNS_UDP_MAX];
	unsigned k;

	for (k = 0; k < DATAGRAMS_PER_WAKE; k++) {
		struct sockaddr_in from;
		socklen_t from_len = sizeof(from);
		ssize_t n =
			recvfrom(s->udp, in, sizeof(in), 0, (struct sockaddr *)&from, &from_len);
		size_t len;

		if (n < 0)
			return;
		if (n > DNS_QUERY_MAX || from_len != sizeof(from) || guard_rate(&s->rate, now_ns))
			continue;
		len = dns_answer(&s->zone, in, (size_t)n, true, out, sizeof(out));
		if (len)
			(void)!sendto(s->udp, out, len, MSG_NOSIGNAL, (struct sockaddr *)&from,
				      sizeof(from));
	}
}

/* ---- TCP: two bytes of length before each message. spec: rfc-7766 §8 ---- */

static void peer_close(struct dns_server *s, struct dns_peer *p)
{
	loop_del(s->loop, p->fd);
	fd_closep(&p->fd);
}

static struct dns_peer *place_find(struct dns_server *s)
{
	struct dns_peer *oldest = &s->peer[0];
	unsigned i;

	for (i = 0; i < DNS_CONNS_MAX; i++) {
		if (s->peer[i].fd < 0)
			return &s->peer[i];
		if (s->peer[i].deadline_ns < oldest->deadline_ns)
			oldest = &s->peer[i];
	}
	return oldest;
}

/* #syscalls:metadata accept4 */
void dns_server_accept(struct dns_server *s, uint64_t now_ns)
{
	unsigned k;

	for (k = 0; k < ACCEPTS_PER_WAKE; k++) {
		int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct dns_peer *p;

		if (fd < 0)
			return;
		p = place_find(s);
		if (p->fd >= 0)
			peer_close(s, p);
		p->fd = fd;
		p->in_len = 0;
		p->deadline_ns = now_ns + QUERY_S * S_NS;
		if (loop_add(s->loop, fd, EPOLLIN, &p->ref) < 0)
			peer_close(s, p);
	}
}

/* Return: 1 answered, 0 not whole yet, -errno: the connection ends. */
static int query_take(struct dns_server *s, struct dns_peer *p, uint64_t now_ns)
{
	uint8_t out[2 + DNS_UDP_MAX];
	size_t len, n;

	if (p->in_len < 2)
		return 0;
	len = be16_load(p->in);
	if (len > DNS_QUERY_MAX)
		return -EPROTO;
	if (p->in_len < 2 + len)
		return 0;
	if (guard_rate(&s->rate, now_ns))
		return -EBUSY;

	n = dns_answer(&s->zone, p->in + 2, len, false, out + 2, DNS_UDP_MAX);
	p->in_len -= 2 + len;
	memmove(p->in, p->in + 2 + len, p->in_len);
	if (n == 0)
		return -EPROTO;
	be16_store(out, (uint16_t)n);
	if (send(p->fd, out, 2 + n, MSG_NOSIGNAL) != (ssize_t)(2 + n))
		return -EPIPE;
	p->deadline_ns = now_ns + QUERY_S * S_NS;
	return 1;
}

void dns_server_ready(struct dns_server *s, struct dns_peer *p, uint64_t now_ns)
{
	ssize_t n;
	int r;

	if (p->fd < 0)
		return;
	n = recv(p->fd, p->in + p->in_len, sizeof(p->in) - p->in_len, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		p->in_len += (size_t)n;
	do {
		r = n > 0 ? query_take(s, p, now_ns) : -ECONNRESET;
	} while (r > 0);
	if (r < 0)
		peer_close(s, p);
}

uint64_t dns_server_tick(struct dns_server *s, uint64_t now_ns)
{
	uint64_t next = UINT64_MAX;
	unsigned i;

	for (i = 0; i < DNS_CONNS_MAX; i++) {
		struct dns_peer *p = &s->peer[i];

		if (p->fd < 0)
			continue;
		if (guard_late(p->deadline_ns, now_ns))
			peer_close(s, p);
		else
			next = min_u64(next, p->deadline_ns);
	}
	return next;
}
