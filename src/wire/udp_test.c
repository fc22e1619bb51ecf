/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "wire/udp.h"

static struct udp a, b;
static struct udp_addr to_b;

static int bound(sa_family_t family, uint16_t *ret_port)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr *sa = family == AF_INET6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
	socklen_t len = family == AF_INET6 ? sizeof(v6) : sizeof(v4);
	int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, sa, len) < 0 || getsockname(fd, sa, &len) < 0)
		return -1;
	*ret_port = ntohs(family == AF_INET6 ? v6.sin6_port : v4.sin_port);
	return fd;
}

static int open_pair(sa_family_t family_a, sa_family_t family_b, unsigned addr_family)
{
	static const uint8_t v4[16] = { 127, 0, 0, 1 }, v6[16] = { [15] = 1 };
	uint16_t port;
	int fd;

	assert_int_equal(udp_init(&a), 0);
	assert_int_equal(udp_init(&b), 0);
	fd = bound(family_a, &port);
	if (fd < 0)
		return -1;
	assert_int_equal(udp_open(&a, fd, 1500), 0);
	fd = bound(family_b, &port);
	if (fd < 0)
		return -1;
	assert_int_equal(udp_open(&b, fd, 1500), 0);
	assert_int_equal(udp_addr_make(&a, addr_family, addr_family == 4 ? v4 : v6, port, &to_b),
			 0);
	return 0;
}

static int setup(void **state)
{
	(void)state;
	return open_pair(AF_INET, AF_INET, 4);
}

static int teardown(void **state)
{
	(void)state;
	udp_done(&a);
	udp_done(&b);
	return 0;
}

static void put(struct udp_addr *to, uint8_t tag, size_t len)
{
	uint8_t *p = udp_reserve(&a);

	assert_non_null(p);
	memset(p, tag, len);
	udp_commit(&a, to, len);
}

/* All that comes, in order: lengths and first bytes. */
static unsigned take(size_t *len, uint8_t *tag, unsigned cap)
{
	const struct udp_addr *from;
	unsigned n = 0, tries;
	uint8_t *p;
	size_t l;

	for (tries = 0; tries < 20; tries++) {
		while (udp_receive(&b))
			while ((p = udp_next(&b, &l, &from))) {
				assert_true(n < cap);
				assert_int_equal(p[0], l ? p[l - 1] : 0);
				len[n] = l;
				tag[n++] = p[0];
			}
		(void)usleep(500);
	}
	return n;
}

static void runs__of_equal_and_one_shorter_datagrams(void **state)
{
	static const size_t sizes[] = { 700, 700, 700, 300, 700, 800, 800, 1, 1, 64 };
	size_t len[16];
	uint8_t tag[16];
	unsigned i;

	(void)state;
	for (i = 0; i < 10; i++)
		put(&to_b, (uint8_t)(i + 1), sizes[i]);
	assert_int_equal(a.run_cnt, 5); /* 700 700 700 300 | 700 | 800 800 1 | 1 | 64 */
	udp_flush(&a, 1);
	assert_false(udp_pending(&a));
	assert_int_equal(take(len, tag, 16), 10);
	for (i = 0; i < 10; i++) {
		assert_int_equal(len[i], sizes[i]);
		assert_int_equal(tag[i], i + 1);
	}
	assert_int_equal(a.cnt.tx_errors, 0);
}

static void runs__without_segmentation_go_one_by_one(void **state)
{
	size_t len[64];
	uint8_t tag[64];
	unsigned i;

	(void)state;
	a.no_gso_until_ns = 100;
	for (i = 0; i < 40; i++)
		put(&to_b, (uint8_t)(i + 1), i == 39 ? 10 : 500);
	assert_int_equal(a.run_cnt, 1);
	udp_flush(&a, 50);
	assert_int_equal(take(len, tag, 64), 40);
	assert_int_equal(len[38], 500);
	assert_int_equal(len[39], 10);
	assert_int_equal(a.cnt.tx_runs, 1); /* the last one alone */
}

/* A run that the kernel refuses as a whole: a segment larger than the run is long, in a run of two. */
static void runs__that_the_kernel_will_not_cut_are_sent_all_the_same(void **state)
{
	size_t len[64];
	uint8_t tag[64];
	unsigned i;

	(void)state;
	a.mtu = 65535; /* we were told wrongly */
	b.mtu = 65535;
	for (i = 0; i < 6; i++)
		put(&to_b, (uint8_t)(i + 1), 9400);
	assert_int_equal(a.run_cnt, 1);
	assert_int_equal(setsockopt(a.fd, SOL_SOCKET, SO_NO_CHECK, &(int){ 1 }, sizeof(int)), 0);
	udp_flush(&a, 1); /* without checksums it cuts nothing: EINVAL */
	assert_int_equal(take(len, tag, 64), 6);
	assert_true(a.no_gso_until_ns > 1);
	assert_int_equal(a.cnt.tx_errors, 0);
}

static void full__says_so_and_keeps_what_it_has(void **state)
{
	unsigned i = 0;

	(void)state;
	while (udp_reserve(&a)) {
		put(&to_b, 1, i++ % 2 ? 9000 : 8000); /* no two alike: a run each */
		assert_true(i < 1000);
	}
	assert_in_range(i, 55, 65);
	udp_forget(&a, &to_b);
	udp_flush(&a, 1);
	assert_non_null(udp_reserve(&a));
	assert_int_equal(a.cnt.tx_calls, 0); /* forgotten ones are not sent */
}

static void errors__of_one_host_leave_the_others_alone(void **state)
{
	static const uint8_t nowhere[16] = { 255, 255, 255, 255 };
	struct udp_addr bad;
	size_t len[16];
	uint8_t tag[16];
	unsigned i;

	(void)state;
	/* Sending to the broadcast address is refused (EACCES). */
	assert_int_equal(udp_addr_make(&a, 4, nowhere, 9, &bad), 0);
	put(&to_b, 1, 100);
	for (i = 0; i < 3; i++)
		put(&bad, 9, 100);
	put(&to_b, 2, 100);
	put(&to_b, 3, 100);
	udp_flush(&a, 1);
	assert_int_equal(take(len, tag, 16), 3);
	assert_int_equal(tag[2], 3);
	assert_int_equal(a.cnt.tx_errors, 3);
	assert_int_equal(a.no_gso_until_ns, 0);
}

static void ipv6__sockets_reach_both_families(void **state)
{
	size_t len[4];
	uint8_t tag[4];

	(void)state;
	if (open_pair(AF_INET6, AF_INET6, 6) < 0)
		skip();
	put(&to_b, 1, 100);
	udp_flush(&a, 1);
	assert_int_equal(take(len, tag, 4), 1);
	(void)teardown(NULL);
	assert_int_equal(open_pair(AF_INET6, AF_INET, 4), 0); /* IPv4 through it */
	put(&to_b, 2, 100);
	udp_flush(&a, 1);
	assert_int_equal(take(len, tag, 4), 1);
}

static void address__of_another_family_than_the_socket_is_refused(void **state)
{
	static const uint8_t v6[16] = { [15] = 1 };
	struct udp_addr x, y;

	(void)state;
	assert_int_equal(udp_addr_make(&a, 6, v6, 1, &x), -EAFNOSUPPORT);
	assert_int_equal(udp_addr_make(&a, 0, v6, 1, &x), -EAFNOSUPPORT);
	assert_int_equal(udp_addr_make(&a, 4, v6, 1, &x), 0);
	assert_int_equal(udp_addr_make(&a, 4, v6, 2, &y), 0);
	assert_true(udp_addr_equal(&x, &x));
	assert_false(udp_addr_equal(&x, &y));
	x.len = y.len = 0;
	assert_false(udp_addr_equal(&x, &y));
}

static void open__refuses_what_is_no_udp_socket(void **state)
{
	int fd[2];

	(void)state;
	assert_int_equal(pipe(fd), 0);
	assert_int_equal(udp_open(&a, fd[0], 1500), -ENOTSOCK);
	assert_int_equal(close(fd[0]), -1); /* it was taken all the same */
	assert_int_equal(close(fd[1]), 0);
	assert_int_equal(udp_open(&a, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), 1500),
			 -EPROTOTYPE);
	assert_int_equal(udp_open(&a, socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), 1500),
			 -EPROTOTYPE);
	assert_true(a.fd >= 0); /* the one it had */
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(runs__of_equal_and_one_shorter_datagrams),
		T(runs__without_segmentation_go_one_by_one),
		T(runs__that_the_kernel_will_not_cut_are_sent_all_the_same),
		T(full__says_so_and_keeps_what_it_has),
		T(errors__of_one_host_leave_the_others_alone),
		cmocka_unit_test_teardown(ipv6__sockets_reach_both_families, teardown),
		T(address__of_another_family_than_the_socket_is_refused),
		T(open__refuses_what_is_no_udp_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
