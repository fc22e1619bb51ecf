/* SPDX-License-Identifier: Apache-2.0 */

#include "vpc/frame.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "net_frame.h"
#include "vpc/checksum.h"

static const uint8_t us[6] = { 6, 0, 0, 0, 0, 1 }, them[6] = { 6, 0, 0, 0, 0, 2 };
static struct net_frame in;
static struct frame f;
static enum frame_error why;

static enum frame_error parse(void)
{
	int r = frame_parse(in.b, in.len, in.len, &f, &why);

	assert_int_equal(r, why == FRAME_OK ? 0 : -EPROTO);
	return why;
}

static void udp(void)
{
	net_eth(&in, them, us, ETH_TYPE_IPV4);
	net_ipv4(&in, NET_IP(172, 31, 0, 5), NET_IP(172, 31, 0, 6), IP_UDP, 100);
	net_udp(&in, 1000, 53);
}

static void tcp(size_t l4_len)
{
	net_eth(&in, them, us, ETH_TYPE_IPV4);
	net_ipv4(&in, NET_IP(172, 31, 0, 5), NET_IP(172, 31, 0, 6), IP_TCP, l4_len);
	net_tcp(&in, 1000, 80, TCP_SYN);
}

static void frame_parse__finds_the_headers_of_udp(void **state)
{
	(void)state;
	udp();
	assert_int_equal(parse(), FRAME_OK);
	assert_int_equal(f.kind, FRAME_IPV4);
	assert_int_equal(f.proto, IP_UDP);
	assert_int_equal(f.l3, 14);
	assert_int_equal(f.l4, 34);
	assert_int_equal(f.l3_len, 120);
	assert_int_equal(f.l4_hdr, 8);
	assert_int_equal(f.src, NET_IP(172, 31, 0, 5));
	assert_int_equal(f.dst, NET_IP(172, 31, 0, 6));
	assert_int_equal(f.sport, 1000);
	assert_int_equal(f.dport, 53);
	assert_false(frame_is_fragment(&f));
	assert_int_equal(f.h_len, FRAME_HEADERS_MAX);
	assert_memory_equal(f.h, in.b, f.h_len);
	assert_memory_equal(frame_dst_mac(&f), them, 6);
	assert_memory_equal(frame_src_mac(&f), us, 6);
}

static void frame_parse__accepts_padding_but_no_missing_bytes(void **state)
{
	(void)state;
	udp();
	in.len += 6;
	assert_int_equal(parse(), FRAME_OK);
	assert_int_equal(f.l3_len, 120);
	in.len -= 7;
	assert_int_equal(parse(), FRAME_MALFORMED);
}

static void frame_parse__rejects_every_length_below_the_headers(void **state)
{
	size_t n;

	(void)state;
	for (n = 0; n < 54; n++) {
		tcp(20);
		in.len = n;
		assert_int_equal(parse(), FRAME_MALFORMED);
	}
	tcp(20);
	assert_int_equal(parse(), FRAME_OK);
}

static void frame_parse__is_content_with_headers_alone(void **state)
{
	(void)state;
	tcp(1400);
	assert_int_equal(frame_parse(in.b, 54, in.len, &f, &why), 0);
	assert_int_equal(f.h_len, 54);
	assert_int_equal(f.len, in.len);
	/* ... but not with less. */
	assert_int_equal(frame_parse(in.b, 53, in.len, &f, &why), -EPROTO);
	tcp(1400);
	in.b[46] = 15 << 4;
	assert_int_equal(frame_parse(in.b, 93, in.len, &f, &why), -EPROTO);
	assert_int_equal(frame_parse(in.b, 94, in.len, &f, &why), 0);
	assert_int_equal(f.l4_hdr, 60);
}

static void frame_parse__names_what_it_does_not_take(void **state)
{
	static const struct {
		uint16_t type;
		enum frame_error e;
	} t[] = {
		{ 0x8100, FRAME_VLAN },      { 0x88a8, FRAME_VLAN },
		{ 0x9100, FRAME_VLAN },      { 0x86dd, FRAME_IPV6 },
		{ 0x88cc, FRAME_ETHERTYPE }, { 0x0600, FRAME_ETHERTYPE },
		{ 0x0040, FRAME_ETHERTYPE }, { 0x8847, FRAME_ETHERTYPE },
		{ 0x6558, FRAME_ETHERTYPE },
	};
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		udp();
		net_put16(in.b + 12, t[i].type);
		assert_int_equal(parse(), t[i].e);
	}
}

static void frame_parse__rejects_a_header_that_is_not_plain_ipv4(void **state)
{
	(void)state;
	udp();
	in.b[14] = 0x55;
	net_ip_fix(&in);
	assert_int_equal(parse(), FRAME_MALFORMED);
	udp();
	in.b[14] = 0x44;
	net_ip_fix(&in);
	assert_int_equal(parse(), FRAME_MALFORMED);
	udp();
	in.b[14] = 0x46;
	net_ip_fix(&in);
	assert_int_equal(parse(), FRAME_OPTIONS);
	udp();
	in.b[24] ^= 1;
	assert_int_equal(parse(), FRAME_MALFORMED); /* checksum */
	udp();
	in.b[22] = 0;
	net_ip_fix(&in);
	assert_int_equal(parse(), FRAME_MALFORMED); /* TTL */
	udp();
	in.b[20] |= 0x80;
	net_ip_fix(&in);
	assert_int_equal(parse(), FRAME_MALFORMED); /* reserved bit */
	udp();
	net_put16(in.b + 16, 19);
	net_ip_fix(&in);
	assert_int_equal(parse(), FRAME_MALFORMED); /* total length */
}

static void frame_parse__checks_the_udp_length(void **state)
{
	(void)state;
	udp();
	net_put16(in.b + 38, 101);
	assert_int_equal(parse(), FRAME_MALFORMED);
	net_put16(in.b + 38, 7);
	assert_int_equal(parse(), FRAME_MALFORMED);
	net_put16(in.b + 38, 8);
	assert_int_equal(parse(), FRAME_OK);
}

static void frame_parse__checks_the_tcp_header_length(void **state)
{
	(void)state;
	tcp(60);
	in.b[46] = 15 << 4;
	assert_int_equal(parse(), FRAME_OK);
	assert_int_equal(f.l4_hdr, 60);
	in.b[46] = 4 << 4;
	assert_int_equal(parse(), FRAME_MALFORMED);
	tcp(59);
	in.b[46] = 15 << 4;
	assert_int_equal(parse(), FRAME_MALFORMED);
}

static void frame_parse__reads_icmp(void **state)
{
	(void)state;
	net_eth(&in, them, us, ETH_TYPE_IPV4);
	net_ipv4(&in, 1, 2, IP_ICMP, 8);
	net_icmp(&in, 8, 0, 0x1234);
	assert_int_equal(parse(), FRAME_OK);
	assert_int_equal(f.icmp_type, 8);
	assert_int_equal(f.sport, 0x1234);
	net_icmp(&in, 3, 4, 0x1234);
	assert_int_equal(parse(), FRAME_OK);
	assert_int_equal(f.icmp_type, 3);
	assert_int_equal(f.icmp_code, 4);
	assert_int_equal(f.sport, 0); /* these are no identifiers */
	net_ipv4(&in, 1, 2, IP_ICMP, 7);
	assert_int_equal(parse(), FRAME_MALFORMED);
}

static void frame_parse__a_first_fragment_has_its_whole_transport_header(void **state)
{
	(void)state;
	tcp(24);
	net_frag(&in, 7, 0, 1);
	assert_int_equal(parse(), FRAME_OK);
	assert_true(f.frag_more && f.l4 == 34 && f.frag_id == 7);
	tcp(16);
	net_frag(&in, 7, 0, 1);
	assert_int_equal(parse(), FRAME_TINY);
	tcp(24);
	in.b[46] = 8 << 4;
	net_frag(&in, 7, 0, 1);
	assert_int_equal(parse(), FRAME_TINY);
	/* UDP's length is that of the whole datagram. */
	udp();
	net_ipv4(&in, 1, 2, IP_UDP, 96);
	net_put16(in.b + 38, 4000);
	net_frag(&in, 7, 0, 1);
	assert_int_equal(parse(), FRAME_OK);
}

static void frame_parse__a_later_fragment_has_no_ports(void **state)
{
	(void)state;
	udp();
	net_frag(&in, 7, 96, 0);
	assert_int_equal(parse(), FRAME_OK);
	assert_int_equal(f.l4, 0);
	assert_int_equal(f.frag_off, 96);
	assert_int_equal(f.dport, 0);
}

static void frame_parse__rejects_fragments_that_cannot_be(void **state)
{
	(void)state;
	udp();
	net_frag(&in, 7, 96, 1); /* 100 bytes: not a multiple of 8 */
	assert_int_equal(parse(), FRAME_MALFORMED);
	udp();
	net_frag(&in, 7, 65528, 0); /* ends behind 64 KiB */
	assert_int_equal(parse(), FRAME_MALFORMED);
	net_eth(&in, them, us, ETH_TYPE_IPV4);
	net_ipv4(&in, 1, 2, IP_UDP, 0);
	net_frag(&in, 7, 96, 0); /* nothing in it */
	assert_int_equal(parse(), FRAME_MALFORMED);
	/* The very last bytes a datagram can have. */
	net_ipv4(&in, 1, 2, IP_UDP, 3);
	net_frag(&in, 7, 65512, 0);
	assert_int_equal(parse(), FRAME_OK);
	net_ipv4(&in, 1, 2, IP_UDP, 4);
	net_frag(&in, 7, 65512, 0);
	assert_int_equal(parse(), FRAME_MALFORMED);
}

static void frame_parse__arp_is_not_cut(void **state)
{
	(void)state;
	net_arp(&in, them, us, 1, us, 1, 2);
	assert_int_equal(parse(), FRAME_OK);
	assert_int_equal(f.kind, FRAME_ARP);
	in.len = 41;
	assert_int_equal(parse(), FRAME_MALFORMED);
}

static void frame_parse__rejects_what_no_ring_carries(void **state)
{
	(void)state;
	udp();
	in.len = 9216;
	assert_int_equal(parse(), FRAME_OK);
	assert_int_equal(frame_parse(in.b, 128, 9217, &f, &why), -EPROTO);
	assert_int_equal(frame_parse(in.b, 128, SIZE_MAX, &f, &why), -EPROTO);
}

static void vpc_addr_in__compares_the_prefix_only(void **state)
{
	struct vpc_addr a = vpc_ipv4(NET_IP(172, 31, 15, 255)), b = vpc_ipv4(NET_IP(172, 31, 0, 0)),
			six = a;

	(void)state;
	assert_true(vpc_addr_in(&a, &b, 20));
	assert_false(vpc_addr_in(&a, &b, 21));
	assert_true(vpc_addr_in(&a, &b, 0));
	assert_true(vpc_addr_in(&a, &a, 32));
	assert_false(vpc_addr_in(&a, &a, 33));
	six.family = VPC_IPV6;
	assert_false(vpc_addr_in(&six, &b, 0));
	assert_true(vpc_addr_in(&six, &six, 128));
	assert_false(vpc_addr_equal(&six, &a));
	assert_int_equal(vpc_addr_ipv4(&six), 0);
}

/* The plain algorithm of rfc-1071. */
static uint16_t sum_plain(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i < len; i++)
		sum += (uint32_t)p[i] << (i % 2 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void checksum__equals_the_plain_algorithm(void **state)
{
	uint8_t b[1600];
	uint32_t x = 1;
	size_t i, at;

	(void)state;
	for (i = 0; i < sizeof(b); i++) {
		x = x * 1664525 + 1013904223;
		b[i] = i % 5 ? (uint8_t)(x >> 24) : 0xff;
	}
	for (i = 0; i < 1500; i += i < 200 ? 1 : 37)
		for (at = 0; at < 9; at++)
			assert_int_equal(checksum_fold(checksum_add(0, b + at, i)),
					 sum_plain(b + at, i));
	/* In parts, split at even offsets. */
	assert_int_equal(checksum_fold(checksum_add(checksum_add(0, b, 702), b + 702, 801)),
			 sum_plain(b, 1503));
	memset(b, 0xff, sizeof(b));
	assert_int_equal(checksum_fold(checksum_add(0, b, sizeof(b))), 0);
	memset(b, 0, sizeof(b));
	assert_int_equal(checksum_fold(checksum_add(0, b, sizeof(b))), 0xffff);
}

static void checksum_pseudo4__is_the_header_that_is_not_there(void **state)
{
	static const uint8_t h[12] = { 172, 31, 0, 5, 10, 255, 254, 253, 0, 17, 0x12, 0x34 };

	(void)state;
	assert_int_equal(checksum_fold(checksum_pseudo4(NET_IP(172, 31, 0, 5),
							NET_IP(10, 255, 254, 253), 17, 0x1234)),
			 sum_plain(h, sizeof(h)));
}

static void checksum_update__follows_a_change(void **state)
{
	uint8_t b[20] = {
		0x45, 0, 0, 40, 0x12, 0x34, 0, 0, 64, 6, 0, 0, 172, 31, 0, 5, 8, 8, 8, 8
	};
	uint16_t check = sum_plain(b, 20);
	uint32_t v;

	(void)state;
	for (v = 0; v < 70000; v += 7) {
		uint32_t was = NET_IP(b[12], b[13], b[14], b[15]), to = v * 2654435761u;

		net_put32(b + 12, to);
		check = checksum_update32(check, was, to);
		assert_int_equal(check, sum_plain(b, 20));
	}
	check = checksum_update16(check, 0x4006, 0x3f06);
	b[8] = 63;
	assert_int_equal(check, sum_plain(b, 20));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frame_parse__finds_the_headers_of_udp),
		cmocka_unit_test(frame_parse__accepts_padding_but_no_missing_bytes),
		cmocka_unit_test(frame_parse__rejects_every_length_below_the_headers),
		cmocka_unit_test(frame_parse__is_content_with_headers_alone),
		cmocka_unit_test(frame_parse__names_what_it_does_not_take),
		cmocka_unit_test(frame_parse__rejects_a_header_that_is_not_plain_ipv4),
		cmocka_unit_test(frame_parse__checks_the_udp_length),
		cmocka_unit_test(frame_parse__checks_the_tcp_header_length),
		cmocka_unit_test(frame_parse__reads_icmp),
		cmocka_unit_test(frame_parse__a_first_fragment_has_its_whole_transport_header),
		cmocka_unit_test(frame_parse__a_later_fragment_has_no_ports),
		cmocka_unit_test(frame_parse__rejects_fragments_that_cannot_be),
		cmocka_unit_test(frame_parse__arp_is_not_cut),
		cmocka_unit_test(frame_parse__rejects_what_no_ring_carries),
		cmocka_unit_test(vpc_addr_in__compares_the_prefix_only),
		cmocka_unit_test(checksum__equals_the_plain_algorithm),
		cmocka_unit_test(checksum_pseudo4__is_the_header_that_is_not_there),
		cmocka_unit_test(checksum_update__follows_a_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
