/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The DHCP server, asked in the words of dhclient (ISC 4.4), systemd-networkd (252) and udhcpc (busybox 1.35): their option
 * lists in their order, with their padding.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "net_frame.h"
#include "vpc/vpc_priv.h"

#define US NET_IP(172, 31, 0, 5)
#define ROUTER NET_IP(172, 31, 0, 1)

enum {
	XID = 0x3903f326,
	BOOTP = 42,
	OPTIONS = 42 + 240,
	DISCOVER = 1,
	OFFER,
	REQUEST,
	DECLINE,
	ACK,
	NAK,
	RELEASE,
	INFORM
};

static const uint8_t mac[6] = { 6, 1, 1, 1, 1, 5 }, all[6] = { 255, 255, 255, 255, 255, 255 };
static uint8_t router_mac[6];
static struct vpc_map *map;
static struct vpc_port *port;
static struct vpc_interface conf;
static struct net_frame in;
static struct vpc_reply out;
static size_t at; /* end of the options written */

static int setup(void **state)
{
	static const uint8_t seed[16] = { 3 };

	(void)state;
	vpc_router_mac(0x1001, router_mac);
	memset(&conf, 0, sizeof(conf));
	conf.vni = 0x1001;
	memcpy(conf.mac, mac, 6);
	conf.mtu = 8900;
	conf.source_dest_check = true;
	conf.vpc = vpc_ipv4(NET_IP(172, 31, 0, 0));
	conf.vpc_prefix = 16;
	conf.subnet = conf.vpc;
	conf.subnet_prefix = 20;
	conf.addr_cnt = 1;
	conf.addr[0] = vpc_ipv4(US);
	(void)snprintf(conf.hostname, sizeof(conf.hostname), "ip-172-31-0-5");
	(void)snprintf(conf.domain, sizeof(conf.domain), "ec2.internal");
	assert_int_equal(vpc_map_new(4, seed, &map), 0);
	assert_int_equal(vpc_port_new(map, seed, &port), 0);
	return vpc_port_set(port, &conf, 1);
}

static int teardown(void **state)
{
	(void)state;
	vpc_port_freep(&port);
	vpc_map_freep(&map);
	return 0;
}

/* ---- a client ---- */

static void opt(uint8_t code, const void *p, uint8_t len)
{
	in.b[at++] = code;
	in.b[at++] = len;
	memcpy(in.b + at, p, len);
	at += len;
}

static void opt_addr(uint8_t code, uint32_t v)
{
	uint8_t b[4];

	net_put32(b, v);
	opt(code, b, 4);
}

static void begin(uint8_t type, uint32_t src, uint32_t dst, uint32_t ciaddr)
{
	uint8_t *p = in.b + BOOTP;

	net_eth(&in, dst == UINT32_MAX ? all : router_mac, mac, 0x0800);
	net_ipv4(&in, src, dst, 17, 548);
	net_udp(&in, 68, 67);
	memcpy(p, "\x01\x01\x06", 3);
	net_put32(p + 4, XID);
	net_put32(p + 12, ciaddr);
	memcpy(p + 28, mac, 6);
	memcpy(p + 236, "\x63\x82\x53\x63", 4);
	at = OPTIONS;
	opt(53, &type, 1);
}

/* @min: BOOTP bytes the client pads to. */
static void end(size_t min)
{
	uint32_t src, dst;
	size_t len;

	in.b[at++] = 255;
	len = at - BOOTP < min ? min : at - BOOTP;
	src = (uint32_t)in.b[26] << 24 | (uint32_t)in.b[27] << 16 | (uint32_t)in.b[28] << 8 |
	      in.b[29];
	dst = (uint32_t)in.b[30] << 24 | (uint32_t)in.b[31] << 16 | (uint32_t)in.b[32] << 8 |
	      in.b[33];
	net_ipv4(&in, src, dst, 17, 8 + len);
	net_udp(&in, 68, 67);
}

static void dhclient(uint8_t type, uint32_t requested, uint32_t server)
{
	begin(type, 0, UINT32_MAX, 0);
	if (server)
		opt_addr(54, server);
	if (requested)
		opt_addr(50, requested);
	opt(12, "debian", 6);
	opt(55, "\x01\x1c\x02\x03\x0f\x06\x77\x0c\x2c\x2f\x1a\x79\x2a", 13);
	end(300);
}

static void networkd(uint8_t type, uint32_t requested, uint32_t server)
{
	begin(type, 0, UINT32_MAX, 0);
	opt(61, "\xff\xeb\x22\x0f\xb6\x00\x02\x00\x00\xab\x11\x75\xe2\x4f\x07\x33\x8d\x0a\xcf", 19);
	opt(55, "\x01\x03\x0c\x0f\x06\x21\x79\x2a\x1a\x77", 10);
	opt(57, "\x05\xc0", 2);
	if (server)
		opt_addr(54, server);
	if (requested)
		opt_addr(50, requested);
	opt(12, "debian", 6);
	end(0);
}

static void udhcpc(uint8_t type, uint32_t requested, uint32_t server)
{
	begin(type, 0, UINT32_MAX, 0);
	opt(61, "\x01\x06\x01\x01\x01\x01\x05", 7);
	if (requested)
		opt_addr(50, requested);
	if (server)
		opt_addr(54, server);
	opt(57, "\x02\x40", 2);
	opt(55, "\x01\x03\x06\x0c\x0f\x1c\x2a", 7);
	opt(60, "udhcp 1.35.0", 12);
	end(0);
}

static enum vpc_verdict ask(void)
{
	struct frame f;
	enum vpc_verdict v = vpc_tx(port, 1, in.b, FRAME_HEADERS_MAX, in.len, &f, &out);

	return v == VPC_DHCP ? vpc_dhcp(port, in.b, in.len, &out) : v;
}

/* ---- the answer ---- */

static const uint8_t *answer_opt(uint8_t code, uint8_t *ret_len)
{
	const uint8_t *p = out.b + OPTIONS, *stop = out.b + out.len;

	while (p < stop && *p != 255) {
		if (*p == 0) {
			p++;
			continue;
		}
		assert_true(stop - p >= 2 && stop - p - 2 >= p[1]);
		if (*p == code) {
			*ret_len = p[1];
			return p + 2;
		}
		p += 2 + p[1];
	}
	assert_true(p < stop);
	return NULL;
}

static void assert_opt(uint8_t code, const void *want, uint8_t len)
{
	uint8_t got = 0;
	const uint8_t *p = answer_opt(code, &got);

	assert_non_null(p);
	assert_int_equal(got, len);
	assert_memory_equal(p, want, len);
}

static void assert_no_opt(uint8_t code)
{
	uint8_t len;

	assert_null(answer_opt(code, &len));
}

static uint32_t answer32(size_t off)
{
	return (uint32_t)out.b[off] << 24 | (uint32_t)out.b[off + 1] << 16 |
	       (uint32_t)out.b[off + 2] << 8 | out.b[off + 3];
}

static void assert_sums(void)
{
	struct frame f;
	enum frame_error e;
	uint64_t sum;

	assert_int_equal(frame_parse(out.b, out.len, out.len, &f, &e),
			 0); /* the IP header's checksum, too */
	assert_int_equal(f.l3_len, out.len - 14);
	sum = checksum_pseudo4(f.src, f.dst, IP_UDP, (uint16_t)(f.l3_len - 20));
	assert_int_equal(checksum_fold(checksum_add(sum, out.b + 34, f.l3_len - 20u)), 0);
}

static void assert_answer(uint8_t type)
{
	assert_int_equal(ask(), VPC_REPLY);
	assert_sums();
	assert_memory_equal(out.b + 6, router_mac, 6);
	assert_int_equal(answer32(26), ROUTER);
	assert_memory_equal(out.b + 34, "\x00\x43\x00\x44", 4);
	assert_int_equal(out.b[BOOTP], 2);
	assert_int_equal(answer32(BOOTP + 4), XID);
	assert_memory_equal(out.b + BOOTP + 28, mac, 6);
	assert_true(out.len >= BOOTP + 300);
	assert_opt(53, &type, 1);
	assert_opt(54, "\xac\x1f\x00\x01", 4);
}

static void assert_lease(uint8_t type)
{
	assert_answer(type);
	assert_int_equal(answer32(BOOTP + 16), US);
	assert_opt(51, "\x00\x00\x0e\x10", 4);
	assert_opt(58, "\x00\x00\x07\x08", 4);
	assert_opt(59, "\x00\x00\x0c\x4e", 4);
	assert_opt(1, "\xff\xff\xf0\x00", 4);
	assert_opt(28, "\xac\x1f\x0f\xff", 4);
	assert_opt(3, "\xac\x1f\x00\x01", 4);
	assert_opt(6, "\xa9\xfe\xa9\xfd", 4);
	assert_opt(26, "\x22\xc4", 2);
	assert_opt(12, "ip-172-31-0-5", 13);
	assert_opt(15, "ec2.internal", 12);
	assert_no_opt(121);
	/* To the guest itself: it asked for no broadcast. */
	assert_memory_equal(out.b, mac, 6);
	assert_int_equal(answer32(30), US);
}

static void dhcp__discover_offer_request_ack(void **state)
{
	static void (*const client[])(uint8_t, uint32_t, uint32_t) = { dhclient, networkd, udhcpc };
	unsigned i;

	(void)state;
	for (i = 0; i < 3; i++) {
		client[i](DISCOVER, 0, 0);
		assert_lease(OFFER);
		client[i](REQUEST, US, ROUTER);
		assert_lease(ACK);
	}
	assert_true(vpc_port_counters(port)->dhcp_replies == 6);
}

static void dhcp__says_the_client_identifier_again(void **state)
{
	(void)state;
	networkd(DISCOVER, 0, 0);
	assert_lease(OFFER);
	assert_opt(61, in.b + OPTIONS + 5, 19);
	dhclient(DISCOVER, 0, 0);
	assert_lease(OFFER);
	assert_no_opt(61);
}

static void dhcp__answers_everybody_when_the_client_asks_for_that(void **state)
{
	(void)state;
	udhcpc(DISCOVER, 0, 0);
	in.b[BOOTP + 10] = 0x80;
	assert_answer(OFFER);
	assert_memory_equal(out.b, all, 6);
	assert_int_equal(answer32(30), UINT32_MAX);
	assert_int_equal(out.b[BOOTP + 10], 0x80);
}

static void dhcp__another_address_is_refused(void **state)
{
	(void)state;
	/* After a reboot with a lease from elsewhere. */
	dhclient(REQUEST, NET_IP(192, 168, 1, 9), 0);
	assert_answer(NAK);
	assert_int_equal(answer32(BOOTP + 16), 0);
	assert_int_equal(answer32(30), UINT32_MAX);
	assert_no_opt(51);
	assert_no_opt(3);
	dhclient(REQUEST, US, 0);
	assert_lease(ACK);
	/* It asks for one in DISCOVER: it gets its own. */
	dhclient(DISCOVER, NET_IP(192, 168, 1, 9), 0);
	assert_lease(OFFER);
}

static void dhcp__another_servers_client_is_left_alone(void **state)
{
	(void)state;
	dhclient(REQUEST, US, NET_IP(172, 31, 0, 2));
	assert_int_equal(ask(), VPC_DROP);
	assert_true(vpc_port_counters(port)->drop[VPC_TX][VPC_R_DHCP] == 1);
}

static void dhcp__renews_and_rebinds(void **state)
{
	(void)state;
	begin(REQUEST, US, ROUTER, US); /* RENEWING: to the server alone */
	opt(55, "\x01\x03", 2);
	end(0);
	assert_lease(ACK);
	assert_int_equal(answer32(BOOTP + 12), US);
	begin(REQUEST, US, UINT32_MAX, US); /* REBINDING */
	end(0);
	assert_lease(ACK);
	begin(REQUEST, US, ROUTER, NET_IP(172, 31, 0, 9));
	end(0);
	assert_answer(NAK);
}

static void dhcp__inform_gets_options_without_a_lease(void **state)
{
	(void)state;
	begin(INFORM, US, UINT32_MAX, US);
	end(300);
	assert_answer(ACK);
	assert_int_equal(answer32(BOOTP + 16), 0);
	assert_no_opt(51);
	assert_opt(6, "\xa9\xfe\xa9\xfd", 4);
}

static void dhcp__decline_and_release_change_nothing(void **state)
{
	(void)state;
	begin(DECLINE, 0, UINT32_MAX, 0);
	opt_addr(50, US);
	opt_addr(54, ROUTER);
	end(300);
	assert_int_equal(ask(), VPC_DROP);
	begin(RELEASE, US, ROUTER, US);
	opt_addr(54, ROUTER);
	end(300);
	assert_int_equal(ask(), VPC_DROP);
	dhclient(DISCOVER, 0, 0);
	assert_lease(OFFER);
}

static void dhcp__messages_of_a_server_get_nowhere(void **state)
{
	uint8_t type;

	(void)state;
	for (type = OFFER; type <= NAK; type++) {
		if (type == REQUEST || type == DECLINE)
			continue;
		dhclient(type, 0, 0);
		assert_int_equal(ask(), VPC_DROP);
	}
	/* From the server's port, to anybody. */
	dhclient(DISCOVER, 0, 0);
	net_put16(in.b + 34, 67);
	net_put16(in.b + 36, 68);
	net_put32(in.b + 26, US);
	net_ip_fix(&in);
	assert_int_equal(ask(), VPC_DROP);
}

static void dhcp__a_message_that_is_none_is_dropped(void **state)
{
	static const struct {
		size_t off;
		uint8_t v;
	} spoil[] = {
		{ BOOTP, 2 },      { BOOTP + 1, 6 },   { BOOTP + 2, 16 },  { BOOTP + 27, 1 },
		{ BOOTP + 33, 9 }, { BOOTP + 236, 0 }, { OPTIONS + 1, 2 }, { OPTIONS + 1, 255 },
	};
	unsigned i;
	size_t n;

	(void)state;
	for (i = 0; i < sizeof(spoil) / sizeof(spoil[0]); i++) {
		udhcpc(DISCOVER, 0, 0);
		in.b[spoil[i].off] = spoil[i].v;
		assert_int_equal(ask(), VPC_DROP);
	}
	/* Cut anywhere. */
	for (n = 8; n < 8 + 240 + 3; n++) {
		udhcpc(DISCOVER, 0, 0);
		net_ipv4(&in, 0, UINT32_MAX, 17, n);
		net_udp(&in, 68, 67);
		assert_int_equal(ask(), VPC_DROP);
	}
	udhcpc(DISCOVER, 0, 0);
	net_ipv4(&in, 0, UINT32_MAX, 17, n);
	net_udp(&in, 68, 67);
	assert_int_equal(ask(), VPC_REPLY); /* without its end mark: Postel's due */
	/* A client identifier longer than anybody's. */
	begin(DISCOVER, 0, UINT32_MAX, 0);
	opt(61, in.b, 65);
	end(0);
	assert_int_equal(ask(), VPC_DROP);
}

static void dhcp__the_longest_names_fit(void **state)
{
	(void)state;
	memset(conf.hostname, 'h', 63);
	memset(conf.domain, 'd', 63);
	assert_int_equal(vpc_port_set(port, &conf, 1), 0);
	begin(DISCOVER, 0, UINT32_MAX, 0);
	opt(61, in.b, 64);
	end(0);
	assert_answer(OFFER);
	assert_opt(12, conf.hostname, 63);
	assert_opt(15, conf.domain, 63);
	assert_true(out.len <= VPC_REPLY_MAX);
}

static void dhcp__a_flood_is_cut(void **state)
{
	unsigned i, n = 0;

	(void)state;
	for (i = 0; i < 3000; i++) {
		udhcpc(DISCOVER, 0, 0);
		n += ask() == VPC_REPLY;
	}
	assert_in_range(n, 1000, 1100);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(dhcp__discover_offer_request_ack),
		T(dhcp__says_the_client_identifier_again),
		T(dhcp__answers_everybody_when_the_client_asks_for_that),
		T(dhcp__another_address_is_refused),
		T(dhcp__another_servers_client_is_left_alone),
		T(dhcp__renews_and_rebinds),
		T(dhcp__inform_gets_options_without_a_lease),
		T(dhcp__decline_and_release_change_nothing),
		T(dhcp__messages_of_a_server_get_nowhere),
		T(dhcp__a_message_that_is_none_is_dropped),
		T(dhcp__the_longest_names_fit),
		T(dhcp__a_flood_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
