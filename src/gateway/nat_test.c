/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/nat.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/num.h"
#include "vpc/vpc.h"

/*
 * Sums are judged by computing them anew over the whole packet, with none of the code under test.
 */

#define VPC_A 0xac1f0005u     /* 172.31.0.5 */
#define OUTSIDE_A 0x64400702u /* 100.64.7.2 */
#define WORLD 0x08080808u
#define NOW 1000000000u

enum { L3 = 14, L4 = 34, DF = 0x4000, MF = 0x2000 };

static const uint8_t port_mac[6] = { 6, 0, 0, 0, 0, 1 }, guest_mac[6] = { 6, 0, 0, 0, 0, 5 };
static struct nat n;
static uint8_t f[NAT_FRAME_MAX];
static size_t len;

static uint16_t sum_of(uint32_t sum, const uint8_t *p, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static uint32_t pseudo(const uint8_t *ip, size_t l4_len)
{
	return (uint32_t)be16_load(ip + 12) + be16_load(ip + 14) + be16_load(ip + 16) +
	       be16_load(ip + 18) + ip[9] + (uint32_t)l4_len;
}

static unsigned sum_at(uint8_t proto)
{
	return proto == IP_TCP ? 16 : proto == IP_UDP ? 6 : 2;
}

/* Every byte of the packet counts, the sum itself included: then the result is zero. */
static bool l4_right(const uint8_t *ip)
{
	size_t bytes = be16_load(ip + 2) - 20u;

	return sum_of(ip[9] == IP_ICMP ? 0 : pseudo(ip, bytes), ip + 20, bytes) == 0;
}

static void sums_put(uint8_t *ip)
{
	size_t bytes = be16_load(ip + 2) - 20u;
	uint8_t *at = ip + 20 + sum_at(ip[9]);

	be16_store(ip + 10, 0);
	be16_store(ip + 10, sum_of(0, ip, 20));
	be16_store(at, 0);
	be16_store(at, sum_of(ip[9] == IP_ICMP ? 0 : pseudo(ip, bytes), ip + 20, bytes));
}

static void ip_put(uint8_t *ip, uint8_t proto, uint32_t src, uint32_t dst, size_t l4_len)
{
	size_t i;

	memset(ip, 0, 20);
	ip[0] = 0x45;
	be16_store(ip + 2, (uint16_t)(20 + l4_len));
	be16_store(ip + 4, 0x1234);
	ip[8] = 64;
	ip[9] = proto;
	be32_store(ip + 12, src);
	be32_store(ip + 16, dst);
	for (i = 0; i < l4_len; i++)
		ip[20 + i] = (uint8_t)(i * 37 + 11);
	if (proto == IP_TCP)
		ip[20 + 12] = 5 << 4;
	if (proto == IP_UDP)
		be16_store(ip + 24, (uint16_t)l4_len);
	if (proto == IP_ICMP) {
		ip[20] = 8;
		ip[21] = 0;
	}
	sums_put(ip);
}

static void frame_put(bool out, uint8_t proto, uint32_t src, uint32_t dst, size_t l4_len)
{
	memcpy(f, out ? port_mac : nat_outside_mac, 6);
	memcpy(f + 6, out ? guest_mac : nat_host_mac, 6);
	be16_store(f + 12, 0x0800);
	ip_put(f + L3, proto, src, dst, l4_len);
	len = L4 + l4_len;
}

/* After a change of the header by the test itself. */
static void header_sum(void)
{
	be16_store(f + L3 + 10, 0);
	be16_store(f + L3 + 10, sum_of(0, f + L3, 20));
}

static int setup(void **state)
{
	(void)state;
	nat_init(&n, port_mac, NOW);
	assert_int_equal(nat_add(&n, VPC_A, guest_mac, OUTSIDE_A), 0);
	return 0;
}

static void dropped(bool out, enum nat_count why)
{
	uint64_t before = n.count[why];

	assert_int_equal(out ? nat_out(&n, f, &len, NOW) : nat_in(&n, f, &len, NOW), NAT_DROP);
	assert_int_equal(n.count[why], before + 1);
}

static void header_is(uint32_t src, uint32_t dst, uint8_t ttl)
{
	assert_int_equal(sum_of(0, f + L3, 20), 0);
	assert_int_equal(be32_load(f + L3 + 12), src);
	assert_int_equal(be32_load(f + L3 + 16), dst);
	assert_int_equal(f[L3 + 8], ttl);
}

static void out__gives_every_protocol_its_outside_address_and_right_sums(void **state)
{
	static const uint8_t protos[] = { IP_TCP, IP_UDP, IP_ICMP };
	size_t i, bytes;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(protos); i++)
		for (bytes = 20; bytes < 1480; bytes += 243) {
			frame_put(true, protos[i], VPC_A, WORLD, bytes);
			assert_int_equal(nat_out(&n, f, &len, NOW), NAT_PASS);
			header_is(OUTSIDE_A, WORLD, 63);
			assert_true(l4_right(f + L3));
			assert_memory_equal(f, nat_host_mac, 6);
			assert_memory_equal(f + 6, nat_outside_mac, 6);
			assert_int_equal(len, L4 + bytes);
		}
}

static void in__gives_every_protocol_its_inside_address_and_right_sums(void **state)
{
	static const uint8_t protos[] = { IP_TCP, IP_UDP, IP_ICMP };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(protos); i++) {
		frame_put(false, protos[i], WORLD, OUTSIDE_A, 101);
		assert_int_equal(nat_in(&n, f, &len, NOW), NAT_PASS);
		header_is(WORLD, VPC_A, 63);
		assert_true(l4_right(f + L3));
		assert_memory_equal(f, guest_mac, 6);
		assert_memory_equal(f + 6, port_mac, 6);
	}
}

static void both__leave_payload_alone_and_cut_padding(void **state)
{
	uint8_t want[200];

	(void)state;
	frame_put(true, IP_UDP, VPC_A, WORLD, 9);
	memcpy(want, f + L4 + 8, 1);
	memset(f + len, 0xee, 17);
	len += 17;
	assert_int_equal(nat_out(&n, f, &len, NOW), NAT_PASS);
	assert_int_equal(len, L4 + 9);
	assert_memory_equal(f + L4 + 8, want, 1);
	assert_true(l4_right(f + L3));
}

static void addresses__without_an_entry_are_dropped(void **state)
{
	(void)state;
	frame_put(true, IP_UDP, VPC_A + 1, WORLD, 20);
	dropped(true, NAT_DROP_UNKNOWN);
	frame_put(true, IP_UDP, OUTSIDE_A, WORLD, 20);
	dropped(true, NAT_DROP_UNKNOWN);
	frame_put(false, IP_UDP, WORLD, OUTSIDE_A + 1, 20);
	dropped(false, NAT_DROP_UNKNOWN);
	frame_put(false, IP_UDP, WORLD, OUTSIDE_A + 0x100, 20); /* the same last byte */
	dropped(false, NAT_DROP_UNKNOWN);
	frame_put(false, IP_UDP, WORLD, VPC_A, 20);
	dropped(false, NAT_DROP_UNKNOWN);
}

static void addresses__nobody_routes_are_dropped(void **state)
{
	static const uint32_t bad[] = { 0x00000001, 0x7f000001, 0xa9fea9fe, 0xe0000001,
					0xffffffff };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		frame_put(true, IP_UDP, VPC_A, bad[i], 20);
		dropped(true, NAT_DROP_ADDRESS);
		frame_put(false, IP_UDP, bad[i], OUTSIDE_A, 20);
		dropped(false, NAT_DROP_ADDRESS);
	}
}

static void frames__for_somebody_else_or_of_another_kind_are_dropped(void **state)
{
	(void)state;
	frame_put(true, IP_UDP, VPC_A, WORLD, 20);
	f[5] ^= 1;
	dropped(true, NAT_DROP_MAC);
	frame_put(true, IP_UDP, VPC_A, WORLD, 20);
	be16_store(f + 12, 0x86dd);
	dropped(true, NAT_DROP_KIND);
	frame_put(true, IP_UDP, VPC_A, WORLD, 20);
	f[L3 + 10] ^= 1;
	dropped(true, NAT_DROP_MALFORMED);
	frame_put(true, IP_UDP, VPC_A, WORLD, 20);
	len--;
	dropped(true, NAT_DROP_MALFORMED);
	frame_put(true, IP_UDP, VPC_A, WORLD, 24);
	f[L3] = 0x46; /* options */
	header_sum();
	dropped(true, NAT_DROP_MALFORMED);
}

static void udp__without_a_sum_stays_without(void **state)
{
	(void)state;
	frame_put(true, IP_UDP, VPC_A, WORLD, 20);
	be16_store(f + L4 + 6, 0);
	assert_int_equal(nat_out(&n, f, &len, NOW), NAT_PASS);
	assert_int_equal(be16_load(f + L4 + 6), 0);
}

static void udp__sum_never_becomes_none(void **state)
{
	uint8_t *word = f + L4 + 8;

	(void)state;
	/* What the sum will be goes into a word of the payload: then it will be zero. */
	frame_put(true, IP_UDP, OUTSIDE_A, WORLD, 20);
	be16_store(word, 0);
	sums_put(f + L3);
	be16_store(word, be16_load(f + L4 + 6));
	be32_store(f + L3 + 12, VPC_A);
	sums_put(f + L3);
	assert_int_equal(nat_out(&n, f, &len, NOW), NAT_PASS);
	assert_int_equal(be16_load(f + L4 + 6), 0xffff);
	assert_true(l4_right(f + L3));
}

static void sums__that_were_wrong_stay_wrong(void **state)
{
	(void)state;
	frame_put(true, IP_TCP, VPC_A, WORLD, 60);
	f[L4 + 30] ^= 0x10;
	assert_int_equal(nat_out(&n, f, &len, NOW), NAT_PASS);
	assert_false(l4_right(f + L3));
}

static void fragments__are_translated_each(void **state)
{
	uint8_t whole[60], part[24];

	(void)state;
	frame_put(true, IP_UDP, VPC_A, WORLD, 48);
	memcpy(whole, f + L4, 48);
	/* first: 24 bytes with the header; the sum is that of the whole */
	be16_store(f + L3 + 2, 20 + 24);
	be16_store(f + L3 + 6, MF);
	header_sum();
	len = L4 + 24;
	assert_int_equal(nat_out(&n, f, &len, NOW), NAT_PASS);
	header_is(OUTSIDE_A, WORLD, 63);
	memcpy(part, f + L4, 24);
	/* second: nothing in it changes */
	frame_put(true, IP_UDP, VPC_A, WORLD, 24);
	memcpy(f + L4, whole + 24, 24);
	be16_store(f + L3 + 6, 24 / 8);
	header_sum();
	assert_int_equal(nat_out(&n, f, &len, NOW), NAT_PASS);
	header_is(OUTSIDE_A, WORLD, 63);
	assert_memory_equal(f + L4, whole + 24, 24);
	/* together they are a right datagram */
	memcpy(f + L4, part, 24);
	memcpy(f + L4 + 24, whole + 24, 24);
	be16_store(f + L3 + 2, 20 + 48);
	assert_true(l4_right(f + L3));
}

/* An error of this type about a packet of @proto from @inner_src to @inner_dst, of which @quoted bytes are told. */
static void error_put(bool out, uint8_t type, uint8_t proto, uint32_t inner_src, uint32_t inner_dst,
		      size_t quoted)
{
	uint8_t inner[200];

	ip_put(inner, proto, inner_src, inner_dst, 100);
	frame_put(out, IP_ICMP, out ? VPC_A : WORLD, out ? WORLD : OUTSIDE_A, 8 + quoted);
	memset(f + L4, 0, 8);
	f[L4] = type;
	memcpy(f + L4 + 8, inner, quoted);
	sums_put(f + L3);
}

static void icmp_error__tells_of_the_packet_as_its_sender_knows_it(void **state)
{
	static const uint8_t protos[] = { IP_TCP, IP_UDP, IP_ICMP };
	size_t i, quoted;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(protos); i++)
		for (quoted = 20; quoted <= 120; quoted += 4) {
			uint8_t *inner = f + L4 + 8;

			error_put(true, 3, protos[i], WORLD, VPC_A, quoted);
			assert_int_equal(nat_out(&n, f, &len, NOW), NAT_PASS);
			header_is(OUTSIDE_A, WORLD, 63);
			assert_true(l4_right(f + L3));
			assert_int_equal(be32_load(inner + 12), WORLD);
			assert_int_equal(be32_load(inner + 16), OUTSIDE_A);
			assert_int_equal(sum_of(0, inner, 20), 0);
			if (quoted == 120)
				assert_true(l4_right(inner));

			error_put(false, 11, protos[i], OUTSIDE_A, WORLD, quoted);
			assert_int_equal(nat_in(&n, f, &len, NOW), NAT_PASS);
			assert_true(l4_right(f + L3));
			assert_int_equal(be32_load(inner + 12), VPC_A);
			assert_int_equal(sum_of(0, inner, 20), 0);
			if (quoted == 120)
				assert_true(l4_right(inner));
		}
}

static void icmp_error__about_somebody_elses_packet_is_dropped(void **state)
{
	(void)state;
	error_put(true, 3, IP_UDP, WORLD, VPC_A + 1, 28);
	dropped(true, NAT_DROP_ICMP);
	error_put(false, 3, IP_UDP, OUTSIDE_A + 1, WORLD, 28);
	dropped(false, NAT_DROP_ICMP);
	error_put(true, 3, IP_UDP, WORLD, VPC_A, 19); /* no whole header */
	dropped(true, NAT_DROP_ICMP);
	error_put(true, 5, IP_UDP, WORLD, VPC_A, 28); /* a redirect */
	dropped(true, NAT_DROP_ICMP);
	error_put(false, 5, IP_UDP, OUTSIDE_A, WORLD, 28);
	dropped(false, NAT_DROP_ICMP);
}

/* The buffer holds an error of the gateway to the guest about the packet that @sent began with. */
static void error_is(uint8_t type, uint8_t code, uint16_t mtu, const uint8_t *sent)
{
	header_is((OUTSIDE_A & 0xffffff00) | 1, VPC_A, 64);
	assert_true(l4_right(f + L3));
	assert_int_equal(f[L4], type);
	assert_int_equal(f[L4 + 1], code);
	assert_int_equal(be16_load(f + L4 + 6), mtu);
	assert_memory_equal(f + L4 + 8, sent, 28);
	assert_memory_equal(f, guest_mac, 6);
	assert_memory_equal(f + 6, port_mac, 6);
	assert_int_equal(len, L4 + 8 + 28);
}

static void too_big__with_df_tells_the_sender_the_mtu(void **state)
{
	uint8_t sent[28];

	(void)state;
	frame_put(true, IP_TCP, VPC_A, WORLD, 1481);
	be16_store(f + L3 + 6, DF);
	header_sum();
	memcpy(sent, f + L3, sizeof(sent));
	assert_int_equal(nat_out(&n, f, &len, NOW), NAT_BACK);
	error_is(3, 4, 1500, sent);
	/* one byte less, or without DF, it goes on */
	frame_put(true, IP_TCP, VPC_A, WORLD, 1480);
	be16_store(f + L3 + 6, DF);
	header_sum();
	assert_int_equal(nat_out(&n, f, &len, NOW), NAT_PASS);
	frame_put(true, IP_TCP, VPC_A, WORLD, 8900);
	assert_int_equal(nat_out(&n, f, &len, NOW), NAT_PASS);
}

static void ttl__at_its_end_tells_the_sender(void **state)
{
	uint8_t sent[28];

	(void)state;
	frame_put(true, IP_UDP, VPC_A, WORLD, 40);
	f[L3 + 8] = 1;
	header_sum();
	memcpy(sent, f + L3, sizeof(sent));
	assert_int_equal(nat_out(&n, f, &len, NOW), NAT_BACK);
	error_is(11, 0, 0, sent);
	frame_put(true, IP_UDP, VPC_A, WORLD, 40);
	f[L3 + 8] = 2;
	header_sum();
	assert_int_equal(nat_out(&n, f, &len, NOW), NAT_PASS);
	header_is(OUTSIDE_A, WORLD, 1);
	frame_put(false, IP_UDP, WORLD, OUTSIDE_A, 40);
	f[L3 + 8] = 1;
	header_sum();
	dropped(false, NAT_DROP_SILENT);
}

static void errors__are_never_about_errors_and_not_without_end(void **state)
{
	int i, told = 0;

	(void)state;
	error_put(true, 3, IP_UDP, WORLD, VPC_A, 28);
	f[L3 + 8] = 1;
	header_sum();
	dropped(true, NAT_DROP_SILENT);
	frame_put(true, IP_UDP, VPC_A, WORLD, 40); /* a later fragment */
	be16_store(f + L3 + 6, 3);
	f[L3 + 8] = 1;
	header_sum();
	dropped(true, NAT_DROP_SILENT);
	for (i = 0; i < 1000; i++) {
		frame_put(true, IP_UDP, VPC_A, WORLD, 40);
		f[L3 + 8] = 1;
		header_sum();
		told += nat_out(&n, f, &len, NOW) == NAT_BACK;
	}
	assert_int_equal(told, 50);
}

static void arp_put(uint32_t target)
{
	static const uint8_t head[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2,   0,  0x64, 0x40, 0,
					1,    8,    6,    0,    1,    8,    0,   6,  4,    0,    1,
					2,    0,    0x64, 0x40, 0,    1,    100, 64, 7,    1 };

	memset(f, 0, 60);
	memcpy(f, head, sizeof(head));
	be32_store(f + 38, target);
	len = 60;
}

static void arp__answers_for_addresses_with_an_entry_only(void **state)
{
	(void)state;
	arp_put(OUTSIDE_A);
	assert_int_equal(nat_in(&n, f, &len, NOW), NAT_BACK);
	assert_int_equal(len, 42);
	assert_memory_equal(f, nat_host_mac, 6);
	assert_memory_equal(f + 6, nat_outside_mac, 6);
	assert_int_equal(be16_load(f + 20), 2);
	assert_memory_equal(f + 22, nat_outside_mac, 6);
	assert_int_equal(be32_load(f + 28), OUTSIDE_A);
	assert_memory_equal(f + 32, nat_host_mac, 6);
	assert_int_equal(be32_load(f + 38), 0x64400701u);
	arp_put(OUTSIDE_A + 1);
	dropped(false, NAT_DROP_UNKNOWN);
	arp_put(0);
	dropped(false, NAT_DROP_UNKNOWN);
	arp_put(OUTSIDE_A);
	f[21] = 2; /* an answer, not a question */
	dropped(false, NAT_DROP_UNKNOWN);
	arp_put(OUTSIDE_A); /* from the network there is no ARP */
	dropped(true, NAT_DROP_KIND);
}

static void table__replaces_and_forgets(void **state)
{
	static const uint8_t multicast[6] = { 1, 0, 0, 0, 0, 1 };
	uint32_t i;

	(void)state;
	assert_int_equal(nat_add(&n, VPC_A, guest_mac, OUTSIDE_A + 1), 0); /* moves */
	assert_int_equal(n.cnt, 1);
	frame_put(false, IP_UDP, WORLD, OUTSIDE_A, 20);
	dropped(false, NAT_DROP_UNKNOWN);
	assert_int_equal(nat_add(&n, VPC_A + 9, guest_mac, OUTSIDE_A + 1),
			 0); /* given to another */
	assert_int_equal(n.cnt, 1);
	frame_put(true, IP_UDP, VPC_A, WORLD, 20);
	dropped(true, NAT_DROP_UNKNOWN);
	assert_int_equal(nat_del(&n, VPC_A, OUTSIDE_A + 1), -ENOENT);
	assert_int_equal(nat_del(&n, VPC_A + 9, OUTSIDE_A + 1), 0);
	assert_int_equal(nat_del(&n, VPC_A + 9, OUTSIDE_A + 1), -ENOENT);
	assert_int_equal(n.cnt, 0);
	assert_int_equal(nat_add(&n, 0x7f000001, guest_mac, OUTSIDE_A), -EINVAL);
	assert_int_equal(nat_add(&n, VPC_A, guest_mac, 0), -EINVAL);
	assert_int_equal(nat_add(&n, VPC_A, multicast, OUTSIDE_A), -EINVAL);
	/* full, in an order that is not theirs */
	for (i = 0; i < 253; i++)
		assert_int_equal(nat_add(&n, VPC_A + i * 7919 % 65536, guest_mac, 0x64400002u + i),
				 0);
	assert_int_equal(n.cnt, 253);
	for (i = 0; i < 253; i++) {
		frame_put(true, IP_UDP, VPC_A + i * 7919 % 65536, WORLD, 20);
		assert_int_equal(nat_out(&n, f, &len, NOW), NAT_PASS);
		assert_int_equal(be32_load(f + L3 + 12), 0x64400002u + i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(out__gives_every_protocol_its_outside_address_and_right_sums,
				       setup),
		cmocka_unit_test_setup(in__gives_every_protocol_its_inside_address_and_right_sums,
				       setup),
		cmocka_unit_test_setup(both__leave_payload_alone_and_cut_padding, setup),
		cmocka_unit_test_setup(addresses__without_an_entry_are_dropped, setup),
		cmocka_unit_test_setup(addresses__nobody_routes_are_dropped, setup),
		cmocka_unit_test_setup(frames__for_somebody_else_or_of_another_kind_are_dropped,
				       setup),
		cmocka_unit_test_setup(udp__without_a_sum_stays_without, setup),
		cmocka_unit_test_setup(udp__sum_never_becomes_none, setup),
		cmocka_unit_test_setup(sums__that_were_wrong_stay_wrong, setup),
		cmocka_unit_test_setup(fragments__are_translated_each, setup),
		cmocka_unit_test_setup(icmp_error__tells_of_the_packet_as_its_sender_knows_it,
				       setup),
		cmocka_unit_test_setup(icmp_error__about_somebody_elses_packet_is_dropped, setup),
		cmocka_unit_test_setup(too_big__with_df_tells_the_sender_the_mtu, setup),
		cmocka_unit_test_setup(ttl__at_its_end_tells_the_sender, setup),
		cmocka_unit_test_setup(errors__are_never_about_errors_and_not_without_end, setup),
		cmocka_unit_test_setup(arp__answers_for_addresses_with_an_entry_only, setup),
		cmocka_unit_test_setup(table__replaces_and_forgets, setup),
	};

	return cmocka_run_group_tests_name("gateway nat", tests, NULL, NULL);
}
