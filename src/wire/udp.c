/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/udp.h"

#include <errno.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

enum {
	SEND_BATCH = 32,
	SOCKET_BUFFER = 4 << 20, /* asked for; the kernel gives what net.core.*mem_max allows */
	HEADERS_V4 = 28,
	HEADERS_V6 = 48,
};

#define NO_GSO_NS ((uint64_t)60 * 1000000000)

int udp_init(struct udp *u)
{
	void *p = NULL;
	int r;

	memset(u, 0, sizeof(*u));
	u->fd = -1;
	r = mem_zalloc_pages(UDP_TX_BYTES, &p);
	if (r < 0)
		return r;
	u->tx = p;
	r = mem_zalloc_pages((size_t)UDP_RX_MESSAGES * UDP_RX_BYTES, &p);
	if (r < 0)
		return r;
	u->rx = p;
	return 0;
}

void udp_done(struct udp *u)
{
	fd_closep(&u->fd);
	if (u->tx)
		mem_free_pages(u->tx, UDP_TX_BYTES);
	if (u->rx)
		mem_free_pages(u->rx, (size_t)UDP_RX_MESSAGES * UDP_RX_BYTES);
	u->tx = u->rx = NULL;
}

static int option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

/*
 * More room in the socket, as far as net.core.*mem_max allows; the launcher may have given it more than that already,
 * which asking would take away.
 */
static void buffer_grow(int fd, int name)
{
	socklen_t len = sizeof(int);
	int now = 0;

	if (getsockopt(fd, SOL_SOCKET, name, &now, &len) == 0 && now < SOCKET_BUFFER)
		(void)option(fd, SOL_SOCKET, name, SOCKET_BUFFER);
}

/*
 * Datagrams are never marked "do not fragment" and the path's MTU is not learned: a forged ICMP message could make it
 * 552 bytes. What is longer than the uplink's MTU leaves in IP fragments.
 * #syscalls:wire setsockopt getsockopt
 */
int udp_open(struct udp *u, int fd, uint16_t mtu)
{
	CLEANUP(fd_closep) int own = fd;
	socklen_t len = sizeof(int);
	int r, domain = 0, type = 0;

	if (getsockopt(own, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0 ||
	    getsockopt(own, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
		return -errno;
	if (type != SOCK_DGRAM || (domain != AF_INET && domain != AF_INET6))
		return -EPROTOTYPE;
	r = option(own, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
	if (r == 0 && domain == AF_INET6)
		r = option(own, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT);
	if (r < 0)
		return r;
	/* Each of these only makes it faster. */
	buffer_grow(own, SO_SNDBUF);
	buffer_grow(own, SO_RCVBUF);
	(void)option(own, SOL_UDP, UDP_GRO, 1);

	fd_closep(&u->fd);
	u->fd = TAKE_FD(own);
	u->family = (sa_family_t)domain;
	u->mtu = mtu;
	u->blocked = false;
	return 0;
}

int udp_addr_make(const struct udp *u, unsigned family, const uint8_t addr[16], uint16_t port,
		  struct udp_addr *ret)
{
	static const uint8_t v4_mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct udp_addr a;

	memset(&a, 0, sizeof(a));
	if (u->family == AF_INET && family == 4) {
		a.u.v4.sin_family = AF_INET;
		a.u.v4.sin_port = htons(port);
		memcpy(&a.u.v4.sin_addr, addr, 4);
		a.len = sizeof(a.u.v4);
	} else if (u->family == AF_INET6 && (family == 4 || family == 6)) {
		a.u.v6.sin6_family = AF_INET6;
		a.u.v6.sin6_port = htons(port);
		if (family == 4) {
			memcpy(a.u.v6.sin6_addr.s6_addr, v4_mapped, 12);
			memcpy(a.u.v6.sin6_addr.s6_addr + 12, addr, 4);
		} else {
			memcpy(a.u.v6.sin6_addr.s6_addr, addr, 16);
		}
		a.len = sizeof(a.u.v6);
	} else {
		return -EAFNOSUPPORT;
	}
	*ret = a;
	return 0;
}

bool udp_addr_equal(const struct udp_addr *a, const struct udp_addr *b)
{
	if (a->len != b->len || !a->len)
		return false;
	if (a->len == sizeof(a->u.v4))
		return a->u.v4.sin_port == b->u.v4.sin_port &&
		       a->u.v4.sin_addr.s_addr == b->u.v4.sin_addr.s_addr;
	return a->u.v6.sin6_port == b->u.v6.sin6_port &&
	       !memcmp(&a->u.v6.sin6_addr, &b->u.v6.sin6_addr, 16);
}

/* ---- out ---- */

bool udp_pending(const struct udp *u)
{
	return u->run_sent < u->run_cnt;
}

uint8_t *udp_reserve(struct udp *u)
{
	if (u->run_cnt == UDP_RUNS_MAX || UDP_TX_BYTES - u->tx_len < UDP_DATAGRAM_MAX)
		return NULL;
	return u->tx + u->tx_len;
}

static size_t udp_headers(const struct udp *u)
{
	return u->family == AF_INET6 ? HEADERS_V6 : HEADERS_V4;
}

/* May a datagram of @len bytes to @to become part of the last run? */
static bool run_fits(const struct udp *u, const struct udp_run *last, const struct udp_addr *to,
		     size_t len)
{
	return last->to == to && last->cnt < UDP_RUN_DATAGRAMS_MAX && len <= last->size &&
	       last->len == (uint32_t)last->size * last->cnt && /* all full so far */
	       last->len + len <= UDP_RUN_BYTES_MAX && last->size + udp_headers(u) <= u->mtu;
}

void udp_commit(struct udp *u, struct udp_addr *to, size_t len)
{
	struct udp_run *last = u->run_cnt > u->run_sent ? &u->run[u->run_cnt - 1] : NULL;

	must(len && len <= UDP_DATAGRAM_MAX);
	if (last && run_fits(u, last, to, len)) {
		last->len += (uint32_t)len;
		last->cnt++;
	} else {
		u->run[u->run_cnt++] = (struct udp_run){ .to = to,
							 .off = u->tx_len,
							 .len = (uint32_t)len,
							 .size = (uint16_t)len,
							 .cnt = 1 };
	}
	u->tx_len += (uint32_t)len;
	u->cnt.tx_datagrams++;
	u->cnt.tx_bytes += len;
	if (len + udp_headers(u) > u->mtu)
		u->cnt.tx_fragmented++;
}

void udp_forget(struct udp *u, const struct udp_addr *to)
{
	uint32_t i;

	for (i = u->run_sent; i < u->run_cnt; i++)
		if (u->run[i].to == to)
			u->run[i].to = NULL;
}

union segment_control {
	struct cmsghdr align;
	uint8_t b[CMSG_SPACE(sizeof(uint16_t))];
};

static void run_message(const struct udp_run *run, const struct udp *u, struct mmsghdr *m,
			struct iovec *iov, union segment_control *control)
{
	struct cmsghdr *c;

	*iov = (struct iovec){ u->tx + run->off, run->len };
	memset(m, 0, sizeof(*m));
	memset(control, 0, sizeof(*control));
	m->msg_hdr.msg_name = &run->to->u;
	m->msg_hdr.msg_namelen = run->to->len;
	m->msg_hdr.msg_iov = iov;
	m->msg_hdr.msg_iovlen = 1;
	if (run->cnt < 2)
		return;
	m->msg_hdr.msg_control = control->b;
	m->msg_hdr.msg_controllen = sizeof(control->b);
	c = CMSG_FIRSTHDR(&m->msg_hdr);
	c->cmsg_level = SOL_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(uint16_t));
	memcpy(CMSG_DATA(c), &run->size, sizeof(run->size));
}

/*
 * The first datagram of a run by itself; the run loses it.
 * Return: 1 it is gone (sent, or impossible), 0 the socket is full.
 */
static int run_send_one(struct udp *u, struct udp_run *run)
{
	struct udp_run one = *run;
	union segment_control control;
	struct mmsghdr m;
	struct iovec iov;

	one.cnt = 1;
	if (one.len > one.size)
		one.len = one.size;
	run_message(&one, u, &m, &iov, &control);
	u->cnt.tx_calls++;
	if (sendmmsg(u->fd, &m, 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return 0;
		u->cnt.tx_errors++;
		log_warn_limited("udp.send", "err=%d bytes=%u", errno, one.len);
	}
	run->off += one.len;
	run->len -= one.len;
	run->cnt--;
	return 1;
}

/*
 * What sendmmsg() said about the first run. Return: 1 go on, 0 the socket is full.
 */
static int run_failed(struct udp *u, struct udp_run *run, int err, uint64_t now_ns)
{
	if (err == EAGAIN || err == EINTR)
		return 0;
	if (run->cnt > 1 && (err == EINVAL || err == EIO || err == EMSGSIZE || err == EOPNOTSUPP)) {
		/* It will not cut this one: no checksum offload, or a smaller MTU than we were told. */
		if (now_ns >= u->no_gso_until_ns)
			log_warn("udp.no_segmentation", "err=%d size=%u mtu=%u", err, run->size,
				 u->mtu);
		u->no_gso_until_ns = now_ns + NO_GSO_NS;
		return 1;
	}
	u->cnt.tx_errors += run->cnt;
	log_warn_limited("udp.send", "err=%d bytes=%u", err, run->len);
	u->run_sent++;
	return 1;
}

/* Return: 1 go on, 0 the socket is full. */
static int send_batch(struct udp *u, uint64_t now_ns)
{
	union segment_control control[SEND_BATCH];
	struct mmsghdr m[SEND_BATCH];
	struct iovec iov[SEND_BATCH];
	unsigned n = 0;
	int r;

	for (; n < SEND_BATCH && u->run_sent + n < u->run_cnt; n++) {
		const struct udp_run *run = &u->run[u->run_sent + n];

		if (!run->to || (run->cnt > 1 && now_ns < u->no_gso_until_ns))
			break;
		run_message(run, u, &m[n], &iov[n], &control[n]);
	}
	must(n);
	u->cnt.tx_calls++;
	r = sendmmsg(u->fd, m, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (r < 0)
		return run_failed(u, &u->run[u->run_sent], errno, now_ns);
	u->cnt.tx_runs += (unsigned)r;
	u->run_sent += (uint32_t)r;
	return 1;
}

/* #syscalls:wire sendmmsg */
void udp_flush(struct udp *u, uint64_t now_ns)
{
	int go = 1;

	while (go && u->run_sent < u->run_cnt) {
		struct udp_run *run = &u->run[u->run_sent];

		if (!run->to || !run->cnt || u->fd < 0)
			u->run_sent++; /* forgotten, or sent one by one */
		else if (run->cnt > 1 && now_ns < u->no_gso_until_ns)
			go = run_send_one(u, run);
		else
			go = send_batch(u, now_ns);
	}
	u->blocked = !go;
	if (go)
		u->run_cnt = u->run_sent = u->tx_len = 0;
}

/* ---- in ---- */

/* How long the kernel says each joined datagram is; 0 when it joined none. */
static uint32_t gro_size(struct msghdr *h)
{
	struct cmsghdr *c;
	int size = 0;

	for (c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c))
		if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO &&
		    c->cmsg_len == CMSG_LEN(sizeof(size)))
			memcpy(&size, CMSG_DATA(c), sizeof(size));
	return size > 0 ? (uint32_t)size : 0;
}

/* #syscalls:wire recvmmsg */
bool udp_receive(struct udp *u)
{
	union {
		struct cmsghdr align;
		uint8_t b[CMSG_SPACE(sizeof(int))];
	} control[UDP_RX_MESSAGES];
	struct mmsghdr m[UDP_RX_MESSAGES];
	struct iovec iov[UDP_RX_MESSAGES];
	int i, n;

	u->rx_cnt = u->rx_idx = u->rx_off = 0;
	if (u->fd < 0)
		return false;
	memset(m, 0, sizeof(m));
	for (i = 0; i < UDP_RX_MESSAGES; i++) {
		iov[i] = (struct iovec){ u->rx + (size_t)i * UDP_RX_BYTES, UDP_RX_BYTES };
		m[i].msg_hdr.msg_name = &u->msg[i].from.u;
		m[i].msg_hdr.msg_namelen = sizeof(u->msg[i].from.u);
		m[i].msg_hdr.msg_iov = &iov[i];
		m[i].msg_hdr.msg_iovlen = 1;
		m[i].msg_hdr.msg_control = control[i].b;
		m[i].msg_hdr.msg_controllen = sizeof(control[i].b);
	}
	u->cnt.rx_calls++;
	n = recvmmsg(u->fd, m, UDP_RX_MESSAGES, MSG_DONTWAIT, NULL);
	for (i = 0; i < n; i++) {
		uint32_t size = gro_size(&m[i].msg_hdr);

		u->msg[i].len = m[i].msg_len;
		u->msg[i].size = size ? size : m[i].msg_len;
		u->msg[i].from.len = m[i].msg_hdr.msg_namelen;
	}
	u->rx_cnt = n > 0 ? (unsigned)n : 0;
	return n > 0;
}

uint8_t *udp_next(struct udp *u, size_t *ret_len, const struct udp_addr **ret_from)
{
	struct udp_msg *m;
	uint32_t left, off;

	while (u->rx_idx < u->rx_cnt && u->rx_off >= u->msg[u->rx_idx].len) {
		u->rx_idx++; /* empty datagrams come here too */
		u->rx_off = 0;
	}
	if (u->rx_idx == u->rx_cnt)
		return NULL;
	m = &u->msg[u->rx_idx];
	off = u->rx_off;
	left = m->len - off;
	*ret_len = left < m->size ? left : m->size;
	*ret_from = &m->from;
	u->rx_off += (uint32_t)*ret_len;
	u->cnt.rx_datagrams++;
	u->cnt.rx_bytes += *ret_len;
	return u->rx + (size_t)u->rx_idx * UDP_RX_BYTES + off;
}
