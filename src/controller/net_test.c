/* SPDX-License-Identifier: Apache-2.0 */

/* Addresses and keys as text, free addresses, the difference between two pictures, and the rules a card gets. */

#include "controller/net_push.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/log.h"
#include "controller/core_net.h"
#include "controller/metadata.h"
#include "controller/net_text.h"

static void net_ipv4_parse__takes_addresses_and_rejects_the_rest(void **state)
{
	static const char *const bad[] = { "",          "1",        "1.2.3",    "1.2.3.4.5",
					   "1.2.3.256", "01.2.3.4", "1.2.3.4 ", " 1.2.3.4",
					   "1.2.3.4/5", "a.b.c.d",  "::1",      "1.2.3.-4" };
	char buf[NET_IPV4_TEXT];
	uint32_t a = 7;

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(bad); k++)
		assert_int_equal(net_ipv4_parse(bad[k], &a), -EINVAL);
	assert_int_equal(a, 7);
	assert_int_equal(net_ipv4_parse("172.31.0.5", &a), 0);
	assert_int_equal(a, 0xac1f0005);
	assert_string_equal(net_ipv4_text(buf, a), "172.31.0.5");
	assert_string_equal(net_ipv4_text(buf, UINT32_MAX), "255.255.255.255");
}

static void net_cidr_parse__takes_blocks_and_rejects_the_rest(void **state)
{
	static const char *const bad[] = { "",
					   "10.0.0.0",
					   "/8",
					   "10.0.0.0/",
					   "10.0.0.0/33",
					   "10.0.0.0/08",
					   "10.0.0.0/-1",
					   "10.0.0/8",
					   "10.0.0.0/8 ",
					   "10.0.0.0/8/8",
					   "::/0",
					   "1111.1111.1111.1111/8",
					   "010.0.0.0/8" };
	uint32_t a = 7;
	unsigned p = 7;

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(bad); k++)
		assert_int_equal(net_cidr_parse(bad[k], &a, &p), -EINVAL);
	assert_int_equal(p, 7);
	assert_int_equal(net_cidr_parse("10.1.2.3/8", &a, &p), 0);
	assert_int_equal(a, 0x0a010203);
	assert_int_equal(p, 8);
	assert_int_equal(net_cidr_parse("0.0.0.0/0", &a, &p), 0);
	assert_int_equal(p, 0);
	assert_int_equal(net_cidr_parse("255.255.255.255/32", &a, &p), 0);
	assert_int_equal(p, 32);
}

static void net_mac_parse__takes_macs_and_rejects_the_rest(void **state)
{
	static const char *const bad[] = { "",
					   "06:00:00:00:00",
					   "06:00:00:00:00:0",
					   "06:00:00:00:00:001",
					   "06:00:00:00:00:00:00",
					   "06-00-00-00-00-00",
					   "060000000000",
					   "06:00:00:00:00:0g",
					   ":06:00:00:00:00:00" };
	uint8_t m[NET_MAC_BYTES];
	char buf[NET_MAC_TEXT];

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(bad); k++)
		assert_int_equal(net_mac_parse(bad[k], m), -EINVAL);
	assert_int_equal(net_mac_parse("06:1a:2B:3c:4d:fF", m), 0);
	assert_string_equal(net_mac_text(buf, m), "06:1a:2b:3c:4d:ff");
}

static void net_fingerprint_parse__takes_colons_or_none(void **state)
{
	char text[2 * CTL_FINGERPRINT_BYTES + 1], colons[3 * CTL_FINGERPRINT_BYTES + 1] = "";
	uint8_t f[CTL_FINGERPRINT_BYTES], g[CTL_FINGERPRINT_BYTES];

	(void)state;
	for (size_t k = 0; k < sizeof(f); k++) {
		f[k] = (uint8_t)(k * 37 + 1);
		snprintf(colons + strlen(colons), 4, "%s%02X", k ? ":" : "", f[k]);
	}
	assert_int_equal(net_fingerprint_parse(net_fingerprint_text(text, f), g), 0);
	assert_memory_equal(f, g, sizeof(f));
	assert_int_equal(net_fingerprint_parse(colons, g), 0);
	assert_memory_equal(f, g, sizeof(f));
	text[63] = '\0';
	assert_int_equal(net_fingerprint_parse(text, g), -EINVAL);
	colons[2] = '-';
	assert_int_equal(net_fingerprint_parse(colons, g), -EINVAL);
}

/* Public keys that ssh-keygen made. */
static const char *const good_keys[] = {
	"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIY4ZBpXCFGg+6rAEAEi4eaZYVWA0xXYGyCQ3Xh6fSzL me@home",
	"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIY4ZBpXCFGg+6rAEAEi4eaZYVWA0xXYGyCQ3Xh6fSzL",
	"ecdsa-sha2-nistp256 "
	"AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7opKgwFB9nkt5YRrYMj"
	"NuG5N87uRgg6CLrbo5w"
	"AdT/y6v0mKV0U2w0WZ2YB/++Tpockg= a comment of words",
};

static void net_key_valid__takes_public_keys_and_rejects_the_rest(void **state)
{
	static const char *const bad[] = {
		"",
		"ssh-ed25519",
		"ssh-ed25519 ",
		"ssh-ed25519 AAAA",
		"AAAAC3NzaC1lZDI1NTE5AAAAIIY4ZBpXCFGg+6rAEAEi4eaZYVWA0xXYGyCQ3Xh6fSzL",
		/* another type than the blob's */
		"ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIIY4ZBpXCFGg+6rAEAEi4eaZYVWA0xXYGyCQ3Xh6fSzL",
		/* options of authorized_keys are not for everybody's login */
		"command=\"x\" ssh-ed25519 "
		"AAAAC3NzaC1lZDI1NTE5AAAAIIY4ZBpXCFGg+6rAEAEi4eaZYVWA0xXYGyCQ3Xh6fSzL",
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIY4ZBpXCFGg+6rAEAEi4eaZYVWA0xXYGyCQ3Xh6fSz",
		"ssh-ed25519 "
		"AAAAC3NzaC1lZDI1NTE5AAAAIIY4ZBpXCFGg+6rAEAEi4eaZYVWA0xXYGyCQ3Xh6fSzL\nssh-rsa x",
		"ssh-ed25519 "
		"AAAAC3NzaC1lZDI1NTE5AAAAIIY4ZBpXCFGg+6rAEAEi4eaZYVWA0xXYGyCQ3Xh6fSzL\x7f",
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIY4ZBpXCFGg+6rAEAEi4eaZYVWA0xXYGyCQ3Xh6fSzL!",
	};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(good_keys); k++)
		assert_true(net_key_valid(good_keys[k]));
	for (size_t k = 0; k < ARRAY_SIZE(bad); k++)
		assert_false(net_key_valid(bad[k]));
	assert_true(net_key_name_valid("my key"));
	assert_false(net_key_name_valid(""));
	assert_false(net_key_name_valid("a/b"));
	assert_false(net_key_name_valid("a\nb"));
}

/* ---- a network of three interfaces, two of them alive ---- */

static struct vpc vpc = {
	.id = "vpc-1", .addr = 0xac1f0000, .prefix = 16, .vni = 0x1001, .domain = "ec2.internal"
};
static struct subnet subnet = {
	.id = "subnet-1", .vpc_id = "vpc-1", .addr = 0xac1f0000, .prefix = 28
};
static struct group group = { .id = "sg-1", .vpc_id = "vpc-1", .name = "default" };
static struct group_rule rule[2] = {
	{ .id = "sgr-1",
	  .group_id = "sg-1",
	  .proto = 255,
	  .port_max = 65535,
	  .member_group_id = "sg-1" },
	{ .id = "sgr-2", .group_id = "sg-1", .egress = true, .proto = 255, .port_max = 65535 },
};
static struct interface ifs[3] = {
	{ .id = "eni-1",
	  .subnet_id = "subnet-1",
	  .instance_id = "i-1",
	  .addr = 0xac1f0004,
	  .mac = { 6, 1 },
	  .outside_idx = 2 },
	{ .id = "eni-2",
	  .subnet_id = "subnet-1",
	  .instance_id = "i-2",
	  .addr = 0xac1f0005,
	  .mac = { 6, 2 },
	  .outside_idx = 3 },
	{ .id = "eni-3",
	  .subnet_id = "subnet-1",
	  .instance_id = "i-3",
	  .addr = 0xac1f0006,
	  .mac = { 6, 3 } },
};
static struct interface_group member[3] = { { "eni-1", "sg-1" },
					    { "eni-2", "sg-1" },
					    { "eni-3", "sg-1" } };
static struct gateway gateway = { .id = "igw-1", .vpc_id = "vpc-1", .mac = { 2, 9 } };
static struct remote remote = { .vpc_id = "vpc-1", .addr = 0xac1f0007, .mac = { 6, 7 }, .peer = 1 };
static struct peer peer = { .number = 1, .name = "b", .addr = 0x0a4d0002, .port = 4500 };
static struct forward forward = { .host_port = 20000, .instance_id = "i-1", .port = 22 };
static struct net_live live[2] = { { "i-1", "t3.nano" }, { "i-2", "t3.nano" } };
static struct net_way_out way = { "igw-1", 0x64400500, 24 };

/* As loading does it. */
static void indexed(struct net *n)
{
	static struct net_member *last;

	free(last);
	n->member = NULL;
	assert_int_equal(net_index(n), 0);
	last = n->member;
}

static struct net_state state_of(void)
{
	struct net_state s = {
		.net = { .vpc = &vpc,
			 .vpc_cnt = 1,
			 .subnet = &subnet,
			 .subnet_cnt = 1,
			 .group = &group,
			 .group_cnt = 1,
			 .rule = rule,
			 .rule_cnt = 2,
			 .interface = ifs,
			 .interface_cnt = 3,
			 .membership = member,
			 .membership_cnt = 3,
			 .gateway = &gateway,
			 .gateway_cnt = 1,
			 .peer = &peer,
			 .peer_cnt = 1,
			 .remote = &remote,
			 .remote_cnt = 1,
			 .forward = &forward,
			 .forward_cnt = 1 },
		.live = live,
		.live_cnt = 2,
		.way_out = &way,
		.way_out_cnt = 1,
	};

	indexed(&s.net);
	return s;
}

static const struct net_item *item(const struct net_want *w, const char *key)
{
	for (size_t k = 0; k < w->item_cnt; k++)
		if (strcmp(w->item[k].key, key) == 0)
			return &w->item[k];
	return NULL;
}

static const struct ctl_msg *message_in(const struct net_want *w, const char *key,
					enum ctl_type type)
{
	static struct ctl_msg m;
	const struct net_item *it = item(w, key);

	must(it != NULL);
	assert_int_equal(ctl_decode(it->set, it->set_len, 0, &m), 0);
	assert_int_equal(m.type, type);
	return &m;
}

static const struct ctl_vpc_rules *rules_in(const struct net_want *w, const char *key)
{
	return &message_in(w, key, CTL_VPC_RULES_SET)->u.vpc_rules;
}

/* Does a rule of @m let TCP to @port in from @addr? */
static bool lets_in(const struct ctl_vpc_rules *m, uint32_t addr, unsigned port)
{
	for (unsigned k = 0; k < m->rule_cnt; k++) {
		const struct ctl_vpc_rule *r = &m->rule[k];

		if (!r->egress &&
		    (r->proto == 255 ||
		     (r->proto == 6 && port >= r->port_min && port <= r->port_max)) &&
		    net_inside(addr, be32_load(r->addr), r->prefix))
			return true;
	}
	return false;
}

static void net_want_card__opens_a_forwarded_port_to_the_outside_alone(void **state)
{
	struct net_state s = state_of();
	struct net_want w = { .item = NULL };
	const struct ctl_vpc_rules *m;
	uint32_t x = 12345;

	(void)state;
	assert_int_equal(net_want_card(&s, "i-1", &w), 0);
	m = rules_in(&w, "rules eni-1");
	assert_true(lets_in(m, 0xac1f0004,
			    80)); /* members of the group, stopped ones and other hosts' as well */
	assert_true(lets_in(m, 0xac1f0006, 80));
	assert_true(lets_in(m, 0xac1f0007, 80));
	assert_false(lets_in(m, 0xac1f0008, 22)); /* a neighbour that is no member */
	for (int k = 0; k < 100000; k++) {
		x = x * 1664525 + 1013904223;
		assert_int_equal(lets_in(m, x, 22),
				 x >> 16 != 0xac1f || (x >= 0xac1f0004 && x <= 0xac1f0007));
		assert_int_equal(lets_in(m, x, 23), x >= 0xac1f0004 && x <= 0xac1f0007);
	}
	net_want_done(&w);
	assert_int_equal(net_want_card(&s, "i-2", &w), 0);
	assert_false(lets_in(rules_in(&w, "rules eni-2"), 0x08080808, 22));
	net_want_done(&w);
	assert_int_equal(net_want_card(&s, "i-3", &w), 0); /* it does not live */
	assert_int_equal(w.item_cnt + w.map_cnt, 0);
}

static void net_want__speaks_of_what_lives(void **state)
{
	struct net_state s = state_of();
	struct net_want w = { .item = NULL };

	(void)state;
	assert_int_equal(net_want_wire(&s, &w), 0);
	assert_int_equal(w.item_cnt, 4); /* a host, two interfaces, the gateway's port */
	assert_non_null(item(&w, "peer 1"));
	assert_non_null(item(&w, "interface igw-1"));
	assert_null(item(&w, "interface eni-3"));
	assert_int_equal(w.map_cnt, 4);
	net_want_done(&w);
	assert_int_equal(net_want_gateway(&s, &way, &w), 0);
	assert_int_equal(w.item_cnt, 2);
	net_want_done(&w);
	assert_int_equal(net_want_forwards(&s, &w), 0);
	assert_int_equal(w.item_cnt, 1);
	net_want_done(&w);
	s.way_out_cnt = 0; /* the gateway is not there (yet) */
	assert_int_equal(net_want_forwards(&s, &w), 0);
	assert_int_equal(w.item_cnt, 0);
	assert_true(net_gateway_needed(&s, &gateway));
	s.live_cnt = 0;
	assert_false(net_gateway_needed(&s, &gateway));
	assert_int_equal(net_want_wire(&s, &w), 0);
	assert_int_equal(w.item_cnt, 1);
	assert_int_equal(w.map_cnt, 0); /* nobody here is in the network */
	net_want_done(&w);
}

/*
 * Two networks with the same addresses, of two accounts; the second has no way out. The first has a second subnet, with
 * an interface in two groups.
 *
 *	vpc-1 172.31.0.0/16  subnet-1  eni-1 (i-1) eni-2 (i-2) eni-3      igw-1
 *	                     subnet-2  eni-4 (i-4): sg-2, sg-3
 *	vpc-2 172.31.0.0/16  subnet-3  eni-5 (i-5), the address of eni-1: sg-4
 */
static struct net_state two_networks(void)
{
	static struct vpc vpcs[2];
	static struct subnet subnets[3];
	static struct interface all[5];
	static const struct group_rule rules[] = {
		{ .id = "sgr-3",
		  .group_id = "sg-2",
		  .proto = 1,
		  .port_min = 8,
		  .port_max = 65535,
		  .addr = 0x0a000000,
		  .prefix = 8 },
		{ .id = "sgr-4", .group_id = "sg-2", .proto = 50, .port_max = 65535, .prefix = 0 },
		{ .id = "sgr-5",
		  .group_id = "sg-3",
		  .proto = 6,
		  .port_min = 80,
		  .port_max = 81,
		  .member_group_id = "sg-1" },
		{ .id = "sgr-6",
		  .group_id = "sg-3",
		  .egress = true,
		  .proto = 17,
		  .port_min = 53,
		  .port_max = 53,
		  .addr = 0xc0000200,
		  .prefix = 24 },
		{ .id = "sgr-7",
		  .group_id = "sg-4",
		  .proto = 255,
		  .port_max = 65535,
		  .member_group_id = "sg-4" },
	};
	static const struct interface_group members[] = { { "eni-4", "sg-2" },
							  { "eni-4", "sg-3" },
							  { "eni-5", "sg-4" } };
	static const struct net_live alive[] = { { "i-1", "t3.nano" },
						 { "i-2", "t3.nano" },
						 { "i-4", "t3.nano" },
						 { "i-5", "t3.nano" } };
	static struct group_rule all_rules[7];
	static struct interface_group all_members[6];
	static struct group groups[4];
	static struct net_live lives[4];
	struct net_state s = state_of();

	vpcs[0] = vpcs[1] = vpc;
	snprintf(vpcs[1].id, sizeof(vpcs[1].id), "vpc-2");
	vpcs[1].vni = 0x1002;
	for (unsigned k = 0; k < 3; k++) {
		subnets[k] = subnet;
		snprintf(subnets[k].id, sizeof(subnets[k].id), "subnet-%u", k + 1);
	}
	subnets[1].addr = 0xac1f0100;
	snprintf(subnets[2].vpc_id, sizeof(subnets[2].vpc_id), "vpc-2");
	memcpy(all, ifs, sizeof(ifs));
	all[3] = (struct interface){ .id = "eni-4",
				     .subnet_id = "subnet-2",
				     .instance_id = "i-4",
				     .addr = 0xac1f0104,
				     .mac = { 6, 4 } };
	all[4] = (struct interface){ .id = "eni-5",
				     .subnet_id = "subnet-3",
				     .instance_id = "i-5",
				     .addr = 0xac1f0004,
				     .mac = { 6, 5 },
				     .outside_idx = 2 };
	memcpy(all_rules, rule, sizeof(rule));
	memcpy(all_rules + 2, rules, sizeof(rules));
	memcpy(all_members, member, sizeof(member));
	memcpy(all_members + 3, members, sizeof(members));
	for (unsigned k = 0; k < 4; k++) {
		groups[k] = group;
		snprintf(groups[k].id, sizeof(groups[k].id), "sg-%u", k + 1);
		if (k > 0)
			snprintf(groups[k].name, sizeof(groups[k].name), "g%u", k);
	}
	snprintf(groups[3].vpc_id, sizeof(groups[3].vpc_id), "vpc-2");
	memcpy(lives, alive, sizeof(lives));
	s.net.vpc = vpcs;
	s.net.vpc_cnt = 2;
	s.net.subnet = subnets;
	s.net.subnet_cnt = 3;
	s.net.interface = all;
	s.net.interface_cnt = 5;
	s.net.rule = all_rules;
	s.net.rule_cnt = 7;
	s.net.membership = all_members;
	s.net.membership_cnt = 6;
	s.net.group = groups;
	s.net.group_cnt = 4;
	s.live = lives;
	s.live_cnt = 4;
	indexed(&s.net);
	return s;
}

static void net_want_card__knows_its_network_alone(void **state)
{
	struct net_state s = two_networks();
	struct net_want w = { .item = NULL };
	const struct ctl_vpc_interface *m;
	const struct ctl_vpc_routes *r;

	(void)state;
	assert_int_equal(net_want_card(&s, "i-5", &w), 0);
	assert_int_equal(w.item_cnt, 3);
	m = &message_in(&w, "interface eni-5", CTL_VPC_INTERFACE_SET)->u.vpc_interface;
	assert_int_equal(m->vni, 0x1002);
	r = &message_in(&w, "routes eni-5", CTL_VPC_ROUTES_SET)->u.vpc_routes;
	assert_int_equal(r->route_cnt, 1); /* no way out, no route */
	assert_int_equal(r->route[0].target, CTL_ROUTE_LOCAL);
	assert_int_equal(rules_in(&w, "rules eni-5")->rule_cnt, 1); /* itself */
	assert_int_equal(w.map_cnt, 1);
	assert_int_equal(w.map[0].vni, 0x1002);
	assert_memory_equal(w.map[0].m.mac, s.net.interface[4].mac, NET_MAC_BYTES);
	net_want_done(&w);

	assert_int_equal(net_want_card(&s, "i-4", &w), 0);
	m = &message_in(&w, "interface eni-4", CTL_VPC_INTERFACE_SET)->u.vpc_interface;
	assert_int_equal(m->vni, 0x1001);
	assert_int_equal(be32_load(m->subnet_addr), 0xac1f0100);
	r = &message_in(&w, "routes eni-4", CTL_VPC_ROUTES_SET)->u.vpc_routes;
	assert_int_equal(r->route_cnt, 2);
	assert_memory_equal(r->route[1].mac, gateway.mac, NET_MAC_BYTES);
	assert_int_equal(w.map_cnt, 5); /* three living ones, another host's, the gateway */
	for (size_t k = 0; k < w.map_cnt; k++)
		assert_int_equal(w.map[k].vni, 0x1001);
	net_want_done(&w);
}

static void net_want_card__has_the_rules_of_each_of_its_groups(void **state)
{
	struct net_state s = two_networks();
	struct net_want w = { .item = NULL };
	const struct ctl_vpc_rules *m;
	unsigned icmp = 0, esp = 0, out = 0, web = 0;

	(void)state;
	assert_int_equal(net_want_card(&s, "i-4", &w), 0);
	m = rules_in(&w, "rules eni-4");
	for (unsigned k = 0; k < m->rule_cnt; k++) {
		const struct ctl_vpc_rule *r = &m->rule[k];

		icmp += r->proto == 1 && !r->egress && r->port_min == 8 && r->port_max == 65535 &&
			r->prefix == 8 && be32_load(r->addr) == 0x0a000000;
		esp += r->proto == 50 && !r->egress && r->prefix == 0;
		out += r->proto == 17 && r->egress && r->port_min == 53 && r->port_max == 53 &&
		       r->prefix == 24;
		web += r->proto == 6 && !r->egress && r->port_min == 80 && r->port_max == 81 &&
		       r->prefix == 32;
	}
	assert_int_equal(icmp, 1);
	assert_int_equal(esp, 1);
	assert_int_equal(out, 1);
	/* Members of sg-1: three interfaces, and what is on another host, since sg-1 is the default group. */
	assert_int_equal(web, 4);
	assert_int_equal(m->rule_cnt, 7);
	assert_true(lets_in(m, 0xac1f0005, 80));
	assert_false(lets_in(m, 0xac1f0104, 80)); /* itself is no member */
	assert_false(lets_in(m, 0xac1f0005, 82));
	net_want_done(&w);
}

static void net_want_wire__keeps_networks_apart(void **state)
{
	struct net_state s = two_networks();
	struct net_want w = { .item = NULL };
	size_t first = 0, second = 0;

	(void)state;
	assert_int_equal(net_want_wire(&s, &w), 0);
	assert_non_null(item(&w, "interface igw-1"));
	assert_non_null(item(&w, "interface eni-5"));
	assert_int_equal(w.item_cnt, 6); /* a host, four interfaces, one gateway's port */
	for (size_t k = 0; k < w.map_cnt; k++) {
		first += w.map[k].vni == 0x1001;
		second += w.map[k].vni == 0x1002;
	}
	assert_int_equal(first, 5);
	assert_int_equal(second, 1);
	net_want_done(&w);
	/* A number behind the first network's gateway is no number behind another's. */
	assert_int_equal(net_want_gateway(&s, &way, &w), 0);
	assert_int_equal(w.item_cnt, 2);
	assert_null(item(&w, "nat eni-5"));
	net_want_done(&w);
}

/* ---- what is read of a store for some instances, against everything ---- */

static uint64_t clock_of_store(void *ptr)
{
	(void)ptr;
	return 1795340715000;
}

static int random_of_store(void *ptr, void *buf, size_t len)
{
	static uint64_t x = 88172645463325252;

	(void)ptr;
	for (size_t k = 0; k < len; k++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		((uint8_t *)buf)[k] = (uint8_t)(x >> 24);
	}
	return 0;
}

static unsigned below(unsigned n)
{
	uint8_t b[2];

	assert_int_equal(random_of_store(NULL, b, sizeof(b)), 0);
	return (b[0] | (unsigned)b[1] << 8) % n;
}

enum { GROUPS = 5, PLACES = 4, INSTANCES = 24 };

/* Groups of a network with some rules, and a subnet. */
static void place_fill(struct core *c, const struct vpc *v, struct group g[GROUPS],
		       struct subnet *s)
{
	const struct net_block b = { v->addr | 0x8000, 24 };
	struct core_acts acts = { .v = NULL };
	struct fault f;

	assert_int_equal(core_subnet_add(c, v, &b, s, &f), 0);
	for (unsigned k = 0; k < GROUPS; k++) {
		char name[16];

		snprintf(name, sizeof(name), "g%u", k);
		assert_int_equal(core_group_add(c, v, name, "d", &g[k], &f), 0);
	}
	for (unsigned k = 0; k < GROUPS; k++)
		for (unsigned j = below(4); j > 0; j--) {
			struct group_rule r = { .egress = below(2),
						.proto = 6,
						.port_min = j,
						.port_max = j,
						.prefix = 0 };

			if (below(2))
				memcpy(r.member_group_id, g[below(GROUPS)].id, sizeof(g[0].id));
			assert_int_equal(core_rule_add(c, &g[k], &r, &acts, &f), 0);
		}
	core_acts_done(&acts);
}

static void instance_fill(struct core *c, unsigned number, const struct subnet *s,
			  const char *account, struct group g[GROUPS])
{
	const char *in[2] = { g[below(GROUPS)].id, g[below(GROUPS)].id };
	const struct core_interface_want want = {
		.account = account, .subnet_id = s->id, .group_id = in, .group_cnt = below(3)
	};
	struct instance i = { .state = INSTANCE_RUNNING };
	struct interface ni;
	struct fault f;

	snprintf(i.id, sizeof(i.id), "i-%017u", number);
	snprintf(i.account, sizeof(i.account), "%s", account);
	assert_int_equal(store_put(c->st, &tbl_instances, &i), 0);
	assert_int_equal(core_interface_add(c, &want, &ni, &f), 0);
	if (below(4))
		assert_int_equal(core_interface_attach(c, &ni, &i, 0, true, &f), 0);
}

static void store_fill(struct core *c)
{
	static const char *const account[] = { "123456789012", "210987654321" };
	static struct group g[PLACES][GROUPS];
	static struct subnet s[PLACES];
	struct fault f;

	assert_int_equal(core_net_init(c), 0);
	assert_int_equal(core_net_account(c, account[1]), 0);
	for (unsigned k = 0; k < PLACES; k++) {
		const struct net_block b = { 0x0a000000, 16 };
		struct vpc v;

		if (k < 2)
			assert_int_equal(core_vpc_default(c, account[k], &v), 0);
		else
			assert_int_equal(core_vpc_add(c, account[k - 2], &b, &v, &f), 0);
		place_fill(c, &v, g[k], &s[k]);
	}
	for (unsigned k = 0; k < INSTANCES; k++) {
		unsigned at = below(PLACES);

		instance_fill(c, k, &s[at], account[at & 1], g[at]);
	}
}

static void same_want(const struct net_want *a, const struct net_want *b)
{
	assert_int_equal(a->item_cnt, b->item_cnt);
	assert_int_equal(a->map_cnt, b->map_cnt);
	for (size_t k = 0; k < a->item_cnt; k++) {
		const struct net_item *x = &a->item[k], *y = item(b, x->key);

		must(y != NULL);
		assert_int_equal(x->set_len, y->set_len);
		/* Rules may come in another order. */
		if (strncmp(x->key, "rules ", 6) != 0)
			assert_memory_equal(x->set, y->set, x->set_len);
	}
	for (size_t k = 0; k < a->map_cnt; k++) {
		size_t at = 0;

		while (at < b->map_cnt && memcmp(&a->map[k], &b->map[at], sizeof(a->map[k])) != 0)
			at++;
		assert_true(at < b->map_cnt);
	}
}

static void net_load_of__leaves_out_only_what_nobody_is_told(void **state)
{
	static struct core c = { .env = { clock_of_store, random_of_store, NULL } };
	static struct net_live alive[INSTANCES];

	(void)state;
	for (int turn = 0; turn < 20; turn++) {
		const char *id[INSTANCES];
		struct net_state all = { .live = alive }, some = { .live = alive };
		struct net_want x = { .item = NULL }, y = { .item = NULL };

		c.place.region[0] = '\0';
		memset(c.hint, 0, sizeof(c.hint));
		assert_int_equal(store_open(":memory:", &c.st), 0);
		store_fill(&c);
		for (unsigned k = 0; k < INSTANCES; k++) {
			if (below(3))
				continue;
			id[all.live_cnt] = alive[all.live_cnt].id;
			snprintf(alive[all.live_cnt].id, CTL_ID_MAX, "i-%017u", k);
			snprintf(alive[all.live_cnt].type, CTL_NAME_MAX, "t3.nano");
			some.live_cnt = ++all.live_cnt;
		}
		assert_int_equal(net_load(c.st, &all.net), 0);
		assert_int_equal(net_load_of(c.st, id, some.live_cnt, &some.net), 0);
		assert_true(some.net.rule_cnt < all.net.rule_cnt);
		for (size_t k = 0; k < some.net.interface_cnt; k++)
			assert_string_not_equal(some.net.interface[k].instance_id, "");
		for (size_t k = 0; k < all.live_cnt; k++) {
			assert_int_equal(net_want_card(&all, alive[k].id, &x), 0);
			assert_int_equal(net_want_card(&some, alive[k].id, &y), 0);
			same_want(&x, &y);
			net_want_done(&x);
			net_want_done(&y);
		}
		assert_int_equal(net_want_wire(&all, &x), 0);
		assert_int_equal(net_want_wire(&some, &y), 0);
		same_want(&x, &y);
		net_want_done(&x);
		net_want_done(&y);
		net_done(&all.net);
		net_done(&some.net);
		store_free(c.st);
	}
}

/* ---- the difference, against a model: what a receiver of the messages has in the end ---- */

struct receiver {
	struct net_mapping map[64];
	size_t map_cnt, nat_cnt, messages;
	struct ctl_gateway_nat nat[64];
};

static int receive(void *ptr, struct net_item *it, uint8_t *packet, size_t len)
{
	struct receiver *r = ptr;
	static struct ctl_msg m;

	(void)it;
	r->messages++;
	assert_int_equal(ctl_decode(packet, len, 0, &m), 0);
	if (m.type == CTL_GATEWAY_NAT_ADD || m.type == CTL_GATEWAY_NAT_DEL) {
		size_t at = 0;

		while (at < r->nat_cnt &&
		       memcmp(r->nat[at].outside_addr, m.u.gateway_nat.outside_addr, 4) != 0)
			at++;
		if (m.type == CTL_GATEWAY_NAT_ADD) {
			assert_int_equal(at, r->nat_cnt); /* never two of one address */
			r->nat[r->nat_cnt++] = m.u.gateway_nat;
		} else {
			assert_true(at < r->nat_cnt);
			r->nat[at] = r->nat[--r->nat_cnt];
		}
		return 0;
	}
	assert_true(m.u.vpc_mappings.mapping_cnt > 0);
	for (unsigned k = 0; k < m.u.vpc_mappings.mapping_cnt; k++) {
		struct net_mapping x = { m.u.vpc_mappings.vni, m.u.vpc_mappings.mapping[k] };
		size_t at = 0;

		while (at < r->map_cnt &&
		       (r->map[at].vni != x.vni || memcmp(r->map[at].m.addr, x.m.addr, 16) != 0))
			at++;
		if (m.type == CTL_VPC_MAPPINGS_DEL) {
			assert_true(at < r->map_cnt);
			r->map[at] = r->map[--r->map_cnt];
		} else {
			r->map[at] = x;
			r->map_cnt += at == r->map_cnt;
		}
	}
	return 0;
}

static uint32_t rnd_state = 99;

static uint32_t rnd(uint32_t n)
{
	rnd_state = rnd_state * 1664525 + 1013904223;
	return (rnd_state >> 8) % n;
}

static void net_diff__leads_to_what_is_wanted(void **state)
{
	static struct receiver told;
	struct net_want old = { .item = NULL };
	struct interface some[8];
	struct net_live alive[8];

	(void)state;
	for (int turn = 0; turn < 2000; turn++) {
		struct net_state s = state_of();
		struct net_want want = { .item = NULL }, maps = { .item = NULL };
		size_t messages = told.messages;

		s.net.interface = some;
		s.net.interface_cnt = rnd(8);
		s.live = alive;
		s.live_cnt = s.net.interface_cnt;
		s.net.remote_cnt = rnd(2);
		for (size_t k = 0; k < s.net.interface_cnt; k++) {
			some[k] = ifs[0];
			snprintf(some[k].id, sizeof(some[k].id), "eni-%zu", k);
			snprintf(some[k].instance_id, sizeof(some[k].instance_id), "i-%zu", k);
			snprintf(alive[k].id, sizeof(alive[k].id), "i-%zu", k);
			snprintf(alive[k].type, sizeof(alive[k].type), "t3.nano");
			some[k].addr = 0xac1f0010 + (uint32_t)k;
			some[k].mac[5] = (uint8_t)rnd(3);
			some[k].outside_idx = 2 + ((unsigned)k + rnd(2)) % 8 + (unsigned)k * 8;
		}
		assert_int_equal(net_want_gateway(&s, &way, &want), 0);
		assert_int_equal(net_want_wire(&s, &maps), 0);
		want.map = maps.map; /* items of one, mappings of the other: both in one picture */
		want.map_cnt = maps.map_cnt;
		want.map_cap = maps.map_cap;
		maps.map = NULL;
		maps.map_cnt = 0;
		net_want_done(&maps);
		assert_int_equal(net_diff(&old, &want, receive, &told), 0);
		assert_int_equal(told.nat_cnt, s.net.interface_cnt);
		assert_int_equal(told.map_cnt, want.map_cnt);
		for (size_t k = 0; k < want.map_cnt; k++) {
			size_t at = 0;

			while (at < told.map_cnt &&
			       memcmp(&told.map[at].m, &want.map[k].m, sizeof(want.map[k].m)) != 0)
				at++;
			assert_true(at < told.map_cnt);
		}
		net_want_done(&old);
		old = want;
		/* Nothing changed: nothing is said. */
		messages = told.messages;
		memset(&want, 0, sizeof(want));
		assert_int_equal(net_want_gateway(&s, &way, &want), 0);
		want.map = calloc(old.map_cnt + 1, sizeof(*want.map));
		assert_non_null(want.map);
		memcpy(want.map, old.map, old.map_cnt * sizeof(*want.map));
		want.map_cnt = old.map_cnt;
		assert_int_equal(net_diff(&old, &want, receive, &told), 0);
		assert_int_equal(told.messages, messages);
		net_want_done(&want);
	}
	net_want_done(&old);
}

static int count_maps(void *ptr, struct net_item *it, uint8_t *packet, size_t len)
{
	static struct ctl_msg m;
	size_t *cnt = ptr;

	(void)it;
	assert_int_equal(ctl_decode(packet, len, 0, &m), 0);
	assert_in_range(m.u.vpc_mappings.mapping_cnt, 1, CTL_MAPPINGS_MAX);
	cnt[0]++;
	cnt[1] += m.u.vpc_mappings.mapping_cnt;
	return 0;
}

static void net_diff__fills_messages_and_never_overfills_them(void **state)
{
	struct net_want none = { .item = NULL }, want = { .item = NULL };
	size_t cnt[2] = { 0, 0 };

	(void)state;
	want.map_cnt = 2 * CTL_MAPPINGS_MAX + 1;
	want.map = calloc(want.map_cnt, sizeof(*want.map));
	assert_non_null(want.map);
	for (size_t k = 0; k < want.map_cnt; k++) {
		want.map[k].vni = 0x1001;
		want.map[k].m.family = CTL_IPV4;
		be32_store(want.map[k].m.addr, (uint32_t)k);
	}
	want.map[5].vni = 0x1002; /* a message speaks of one network */
	assert_int_equal(net_diff(&none, &want, count_maps, cnt), 0);
	assert_int_equal(cnt[0], 3);
	assert_int_equal(cnt[1], want.map_cnt);
	net_want_done(&want);
}

static int refuse_item(void *ptr, const char *path, const void *value, size_t len)
{
	unsigned *left = ptr;

	(void)path;
	(void)value;
	(void)len;
	return (*left)-- == 0 ? -ENOSPC : 0;
}

static void metadata_items__ends_at_the_first_refusal(void **state)
{
	struct net_state s = state_of();
	struct instance i = { .id = "i-1", .type = "t3.nano" };
	static const struct place place = PLACE_DEFAULT;
	struct metadata_source src = { .net = &s.net, .place = &place, .instance = &i };
	unsigned left = 3;

	(void)state;
	assert_int_equal(metadata_items(&src, refuse_item, &left), -ENOSPC);
	assert_int_equal(left, UINT32_MAX); /* asked once more than it agreed, and no further */
	snprintf(i.id, sizeof(i.id), "i-9");
	assert_int_equal(metadata_items(&src, refuse_item, &left), -EUCLEAN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(net_ipv4_parse__takes_addresses_and_rejects_the_rest),
		cmocka_unit_test(net_cidr_parse__takes_blocks_and_rejects_the_rest),
		cmocka_unit_test(net_mac_parse__takes_macs_and_rejects_the_rest),
		cmocka_unit_test(net_fingerprint_parse__takes_colons_or_none),
		cmocka_unit_test(net_key_valid__takes_public_keys_and_rejects_the_rest),
		cmocka_unit_test(net_want_card__opens_a_forwarded_port_to_the_outside_alone),
		cmocka_unit_test(net_want__speaks_of_what_lives),
		cmocka_unit_test(net_want_card__knows_its_network_alone),
		cmocka_unit_test(net_want_card__has_the_rules_of_each_of_its_groups),
		cmocka_unit_test(net_want_wire__keeps_networks_apart),
		cmocka_unit_test(net_load_of__leaves_out_only_what_nobody_is_told),
		cmocka_unit_test(net_diff__leads_to_what_is_wanted),
		cmocka_unit_test(net_diff__fills_messages_and_never_overfills_them),
		cmocka_unit_test(metadata_items__ends_at_the_first_refusal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
