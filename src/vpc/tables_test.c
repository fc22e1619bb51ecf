/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Rules, routes and mappings.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "net_frame.h"
#include "vpc/route.h"
#include "vpc/secgroup.h"
#include "vpc/vpc_priv.h"

#define REMOTE NET_IP(10, 1, 2, 3)

static struct secgroup g;

static struct frame to(uint8_t proto, uint16_t dport)
{
	return (struct frame){ .kind = FRAME_IPV4,
			       .proto = proto,
			       .src = NET_IP(172, 31, 0, 5),
			       .dst = REMOTE,
			       .sport = 999,
			       .dport = dport };
}

static bool allows_with(struct vpc_rule r, struct frame f)
{
	assert_int_equal(secgroup_set(&g, &r, 1), 0);
	return secgroup_allows(&g, VPC_TX, &f);
}

static void secgroup__without_rules_allows_nothing(void **state)
{
	struct frame f = to(IP_TCP, 80);

	(void)state;
	assert_int_equal(secgroup_set(&g, NULL, 0), 0);
	assert_false(secgroup_allows(&g, VPC_TX, &f));
	assert_false(secgroup_allows(&g, VPC_RX, &f));
}

static void secgroup__matches_the_ports_of_a_range(void **state)
{
	struct vpc_rule r = { .egress = true, .proto = IP_TCP, .port_min = 80, .port_max = 90 };

	(void)state;
	r.addr = vpc_ipv4(0);
	assert_true(allows_with(r, to(IP_TCP, 80)));
	assert_true(allows_with(r, to(IP_TCP, 90)));
	assert_false(allows_with(r, to(IP_TCP, 79)));
	assert_false(allows_with(r, to(IP_TCP, 91)));
	assert_false(allows_with(r, to(IP_UDP, 80)));
}

static void secgroup__matches_the_remote_side(void **state)
{
	struct vpc_rule r = { .egress = true, .proto = VPC_PROTO_ALL, .prefix = 24 };
	struct frame f = to(IP_UDP, 53);

	(void)state;
	r.addr = vpc_ipv4(REMOTE & 0xffffff00);
	assert_true(allows_with(r, f));
	r.addr = vpc_ipv4((REMOTE & 0xffffff00) + 256);
	assert_false(allows_with(r, f));
	/* Coming in, the remote side is the source. */
	r.egress = false;
	r.addr = vpc_ipv4(REMOTE & 0xffffff00);
	assert_int_equal(secgroup_set(&g, &r, 1), 0);
	assert_false(secgroup_allows(&g, VPC_TX, &f));
	assert_false(secgroup_allows(&g, VPC_RX, &f));
	f.src = REMOTE;
	assert_true(secgroup_allows(&g, VPC_RX, &f));
}

static void secgroup__matches_type_and_code_of_icmp(void **state)
{
	struct vpc_rule r = {
		.egress = true, .proto = IP_ICMP, .port_min = 8, .port_max = VPC_PORT_ALL
	};
	struct frame f = to(IP_ICMP, 0);

	(void)state;
	r.addr = vpc_ipv4(0);
	f.icmp_type = 8;
	assert_true(allows_with(r, f));
	f.icmp_type = 13;
	assert_false(allows_with(r, f));
	r.port_min = VPC_PORT_ALL;
	assert_true(allows_with(r, f));
	r.port_max = 1;
	assert_false(allows_with(r, f));
	f.icmp_code = 1;
	assert_true(allows_with(r, f));
}

static void secgroup__other_protocols_go_by_number(void **state)
{
	struct vpc_rule r = { .egress = true, .proto = 47, .port_min = 5, .port_max = 5 };

	(void)state;
	r.addr = vpc_ipv4(0);
	assert_true(allows_with(r, to(47, 0)));
	assert_false(allows_with(r, to(50, 0)));
}

static void secgroup__ipv6_rules_match_no_ipv4(void **state)
{
	struct vpc_rule r = { .egress = true,
			      .proto = VPC_PROTO_ALL,
			      .addr = { .family = VPC_IPV6 } };

	(void)state;
	assert_false(allows_with(r, to(IP_TCP, 80)));
}

static void secgroup_set__refuses_all_or_nothing(void **state)
{
	static struct vpc_rule r[VPC_RULES_MAX + 1];
	struct frame f = to(IP_TCP, 80);
	size_t i;

	(void)state;
	for (i = 0; i < VPC_RULES_MAX + 1; i++)
		r[i] = (struct vpc_rule){ .egress = true,
					  .proto = VPC_PROTO_ALL,
					  .addr = vpc_ipv4(0) };
	assert_int_equal(secgroup_set(&g, r, VPC_RULES_MAX + 1), -EINVAL);
	assert_int_equal(secgroup_set(&g, r, VPC_RULES_MAX), 0);
	r[VPC_RULES_MAX - 1].prefix = 33;
	assert_int_equal(secgroup_set(&g, r, VPC_RULES_MAX), -EINVAL);
	r[0].addr.family = 5;
	assert_int_equal(secgroup_set(&g, r, 1), -EINVAL);
	r[0] = (struct vpc_rule){
		.proto = IP_UDP, .port_min = 2, .port_max = 1, .addr = vpc_ipv4(0)
	};
	assert_int_equal(secgroup_set(&g, r, 1), -EINVAL);
	assert_true(secgroup_allows(&g, VPC_TX, &f)); /* the old ones stand */
}

/* ---- routes ---- */

static struct route_table t;

static int target_of(uint32_t dst)
{
	struct vpc_addr a = vpc_ipv4(dst);
	const struct vpc_route *r = route_find(&t, &a);

	return r ? r->target : 0;
}

static void route__the_longest_prefix_wins(void **state)
{
	struct vpc_route r[4] = {
		{ .prefix = 0, .target = VPC_ROUTE_MAC, .mac = { 6 } },
		{ .prefix = 16, .target = VPC_ROUTE_LOCAL },
		{ .prefix = 32, .target = VPC_ROUTE_BLACKHOLE },
		{ .addr = { .family = VPC_IPV6 }, .target = VPC_ROUTE_LOCAL },
	};

	(void)state;
	r[0].addr = vpc_ipv4(0);
	r[1].addr = vpc_ipv4(NET_IP(172, 31, 0, 0));
	r[2].addr = vpc_ipv4(NET_IP(172, 31, 9, 9));
	assert_int_equal(route_table_set(&t, r, 4), 0);
	assert_int_equal(target_of(NET_IP(8, 8, 8, 8)), VPC_ROUTE_MAC);
	assert_int_equal(target_of(NET_IP(172, 31, 9, 8)), VPC_ROUTE_LOCAL);
	assert_int_equal(target_of(NET_IP(172, 31, 9, 9)), VPC_ROUTE_BLACKHOLE);
	assert_int_equal(route_table_set(&t, r + 1, 2), 0);
	assert_int_equal(target_of(NET_IP(8, 8, 8, 8)), 0);
}

static void route_table_set__refuses_what_makes_no_sense(void **state)
{
	static struct vpc_route r[VPC_ROUTES_MAX + 1];
	struct vpc_route good = { .target = VPC_ROUTE_LOCAL };
	size_t i;

	(void)state;
	good.addr = vpc_ipv4(0);
	for (i = 0; i < VPC_ROUTES_MAX + 1; i++)
		r[i] = good;
	assert_int_equal(route_table_set(&t, r, VPC_ROUTES_MAX + 1), -EINVAL);
	assert_int_equal(route_table_set(&t, r, VPC_ROUTES_MAX), 0);
	r[0].target = 9;
	assert_int_equal(route_table_set(&t, r, 1), -EINVAL);
	r[0] = good;
	r[0].target = VPC_ROUTE_MAC;
	r[0].mac[0] = 1; /* a group */
	assert_int_equal(route_table_set(&t, r, 1), -EINVAL);
	r[0] = good;
	r[0].prefix = 33;
	assert_int_equal(route_table_set(&t, r, 1), -EINVAL);
	r[0].addr.family = 0;
	r[0].prefix = 0;
	assert_int_equal(route_table_set(&t, r, 1), -EINVAL);
	assert_int_equal(target_of(1), VPC_ROUTE_LOCAL);
}

/* ---- mappings ---- */

static const uint8_t seed[16] = { 7 };

static void mac_of(uint32_t n, uint8_t ret[6])
{
	memset(ret, 6, 6);
	memcpy(ret + 2, &n, 4);
}

static void vpc_map__keeps_networks_apart(void **state)
{
	CLEANUP(vpc_map_freep) struct vpc_map *m = NULL;
	struct vpc_addr a = vpc_ipv4(REMOTE), six = { .family = VPC_IPV6 };
	uint8_t mac[6], got[6];

	(void)state;
	assert_int_equal(vpc_map_new(4, seed, &m), 0);
	mac_of(1, mac);
	assert_int_equal(vpc_map_add(m, 1, &a, mac), 0);
	assert_int_equal(vpc_map_find(m, 2, &a, got), -ENOENT);
	memcpy(six.b, a.b, 4);
	assert_int_equal(vpc_map_find(m, 1, &six, got), -ENOENT);
	assert_int_equal(vpc_map_find(m, 1, &a, got), 0);
	assert_memory_equal(got, mac, 6);
	mac_of(2, mac);
	assert_int_equal(vpc_map_add(m, 1, &a, mac), 0); /* another MAC for a known address */
	assert_int_equal(vpc_map_find(m, 1, &a, got), 0);
	assert_memory_equal(got, mac, 6);
	assert_int_equal(vpc_map_cnt(m), 1);
	assert_int_equal(vpc_map_del(m, 2, &a), -ENOENT);
	assert_int_equal(vpc_map_del(m, 1, &a), 0);
	assert_int_equal(vpc_map_find(m, 1, &a, got), -ENOENT);
}

static void vpc_map__is_bounded(void **state)
{
	CLEANUP(vpc_map_freep) struct vpc_map *m = NULL;
	struct vpc_addr a, none = { 0 };
	uint8_t mac[6] = { 6 };
	uint32_t i;

	(void)state;
	assert_int_equal(vpc_map_new(0, seed, &m), -EINVAL);
	assert_int_equal(vpc_map_new(VPC_MAPPINGS_MAX + 1, seed, &m), -EINVAL);
	assert_int_equal(vpc_map_new(100, seed, &m), 0);
	assert_int_equal(vpc_map_add(m, 1, &none, mac), -EINVAL);
	for (i = 0; i < 100; i++) {
		a = vpc_ipv4(i);
		assert_int_equal(vpc_map_add(m, 1, &a, mac), 0);
	}
	a = vpc_ipv4(100);
	assert_int_equal(vpc_map_add(m, 1, &a, mac), -ENOSPC);
	a = vpc_ipv4(99);
	assert_int_equal(vpc_map_add(m, 1, &a, mac), 0);
}

/* Random changes beside a plain array; small, so that runs of used slots meet and holes get filled. */
static void vpc_map__agrees_with_a_model(void **state)
{
	enum { ADDRS = 128, CAP = 100 };
	CLEANUP(vpc_map_freep) struct vpc_map *m = NULL;
	uint32_t has[ADDRS] = { 0 }, x = 12345, i, k, cnt = 0;
	uint8_t mac[6], got[6];

	(void)state;
	assert_int_equal(vpc_map_new(CAP, seed, &m), 0);
	for (i = 1; i < 30000; i++) {
		struct vpc_addr a;
		int want;

		x = x * 1664525 + 1013904223;
		k = x >> 16 & (ADDRS - 1);
		a = vpc_ipv4(k / 2);
		if (x >> 30) {
			want = has[k] || cnt < CAP ? 0 : -ENOSPC;
			mac_of(i, mac);
			assert_int_equal(vpc_map_add(m, k % 2, &a, mac), want);
			cnt += want == 0 && !has[k];
			if (want == 0)
				has[k] = i;
		} else {
			assert_int_equal(vpc_map_del(m, k % 2, &a), has[k] ? 0 : -ENOENT);
			cnt -= has[k] != 0;
			has[k] = 0;
		}
		assert_int_equal(vpc_map_cnt(m), cnt);
		k = i & (ADDRS - 1);
		a = vpc_ipv4(k / 2);
		assert_int_equal(vpc_map_find(m, k % 2, &a, got), has[k] ? 0 : -ENOENT);
		mac_of(has[k], mac);
		if (has[k])
			assert_memory_equal(got, mac, 6);
	}
}

/* A table of known values is not what matters here: that nobody can choose collisions is. */
static void vpc_hash__depends_on_every_bit(void **state)
{
	struct vpc_hash_key key = { { 1, 2 } };
	uint64_t w[2] = { 3, 4 }, base = vpc_hash(&key, w, 2);
	unsigned i, diff = 0;

	(void)state;
	for (i = 0; i < 128; i++) {
		w[i / 64] ^= (uint64_t)1 << i % 64;
		diff += (unsigned)__builtin_popcountll(base ^ vpc_hash(&key, w, 2));
		w[i / 64] ^= (uint64_t)1 << i % 64;
	}
	assert_in_range(diff, 128 * 28, 128 * 36); /* half of 64 bits each time */
	key.k[1] ^= 1;
	assert_true(vpc_hash(&key, w, 2) != base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(secgroup__without_rules_allows_nothing),
		cmocka_unit_test(secgroup__matches_the_ports_of_a_range),
		cmocka_unit_test(secgroup__matches_the_remote_side),
		cmocka_unit_test(secgroup__matches_type_and_code_of_icmp),
		cmocka_unit_test(secgroup__other_protocols_go_by_number),
		cmocka_unit_test(secgroup__ipv6_rules_match_no_ipv4),
		cmocka_unit_test(secgroup_set__refuses_all_or_nothing),
		cmocka_unit_test(route__the_longest_prefix_wins),
		cmocka_unit_test(route_table_set__refuses_what_makes_no_sense),
		cmocka_unit_test(vpc_map__keeps_networks_apart),
		cmocka_unit_test(vpc_map__is_bounded),
		cmocka_unit_test(vpc_map__agrees_with_a_model),
		cmocka_unit_test(vpc_hash__depends_on_every_bit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
