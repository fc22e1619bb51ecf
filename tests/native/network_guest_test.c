/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The network card's program, in its jail, with a guest that drives its ENA device: what the port does between device, VPC
 * engine, ring and metadata TAP. The device itself is ena_card_test.c.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/log.h"
#include "ena_client.h"
#include "net_frame.h"
#include "network_host.h"
#include "vpc/vpc.h"

#define US NET_IP(172, 31, 0, 5)
#define PEER NET_IP(172, 31, 0, 6)
#define ROUTER NET_IP(172, 31, 0, 1)

enum { DEPTH = 256, WAIT_MS = 10000, QUIET_MS = 100 };
#define RAM_BYTES ((uint64_t)16 << 20)

static const char *program;
static struct network_host host;
static struct network_port port;
static struct ena_client guest;
static const uint8_t mac[6] = { 0x06, 1, 2, 3, 4, 5 }, peer_mac[6] = { 0x06, 1, 2, 3, 4, 6 };
static const uint8_t all[6] = { 255, 255, 255, 255, 255, 255 };
static const char id[] = "eni-0123456789abcdef0";
static uint8_t router_mac[6];
static struct net_frame f;
static uint8_t got[NET_FRAME_MAX];

static int setup(void **state)
{
	(void)state;
	vpc_router_mac(0x1001, router_mac);
	assert_int_equal(network_host_start(&host, program, NULL, 1), 0);
	assert_int_equal(network_host_add(&host, id, mac, 9001, &port), 0);
	assert_int_equal(ena_client_open(&guest, TAKE_FD(port.vfio), RAM_BYTES), 0);
	assert_int_equal(ena_client_up(&guest, 1, DEPTH), 0);
	return 0;
}

static int teardown(void **state)
{
	int status;

	(void)state;
	ena_client_close(&guest);
	status = network_host_stop(&host);
	network_port_done(&port);
	if (status)
		print_error("the card ended with %d\n", status);
	return status;
}

static void configure(uint64_t bps, uint64_t pps)
{
	static struct ctl_vpc_rules rules = { .rule_cnt = 1 };
	struct ctl_vpc_routes routes = {
		.route_cnt = 1, .route = { { .family = CTL_IPV4, .target = CTL_ROUTE_LOCAL } }
	};
	static struct ctl_vpc_mappings maps = { .vni = 0x1001, .mapping_cnt = 1 };
	struct ctl_vpc_interface i;

	memcpy(rules.interface_id, id, sizeof(id));
	memcpy(routes.interface_id, id, sizeof(id));
	rules.rule[0] = (struct ctl_vpc_rule){ .egress = 1, .proto = 255, .family = CTL_IPV4 };
	maps.mapping[0] = (struct ctl_vpc_mapping){ .family = CTL_IPV4, .addr = { 172, 31, 0, 6 } };
	memcpy(maps.mapping[0].mac, peer_mac, 6);
	network_interface(&port, 5, &i);
	i.bps_baseline = bps;
	i.pps = pps;
	assert_int_equal(network_host_tell(&host, CTL_VPC_MAPPINGS_ADD, &maps), 0);
	assert_int_equal(network_host_tell(&host, CTL_VPC_RULES_SET, &rules), 0);
	assert_int_equal(network_host_tell(&host, CTL_VPC_ROUTES_SET, &routes), 0);
	assert_int_equal(network_host_tell(&host, CTL_VPC_INTERFACE_SET, &i), 0);
}

static void guest_send(void)
{
	assert_int_equal(ena_client_send(&guest, 0, f.b, f.len, 4096, NULL), 0);
}

/* The guest gets a frame. Return: its length, 0 none came. */
static size_t guest_recv(int timeout_ms)
{
	struct ena_driver_rx rx;
	int r = ena_client_recv(&guest, got, sizeof(got), &rx, timeout_ms);

	assert_true(r >= 0);
	return r ? rx.len : 0;
}

/* The wire takes a frame. Return: its length, 0 none came. */
static size_t wire_take(int timeout_ms)
{
	uint64_t end = clock_ns() + (uint64_t)timeout_ms * 1000000;
	struct packet pkt;
	int r;

	while ((r = packet_ring_peek(port.ring, &pkt)) == 0 && clock_ns() < end)
		usleep(100);
	assert_true(r >= 0);
	if (!r)
		return 0;
	memcpy(got, pkt.data, pkt.len);
	packet_ring_consume(port.ring);
	if (packet_ring_release(port.ring))
		fd_event_signal(port.to_card);
	return pkt.len;
}

static void wire_give(void)
{
	uint8_t *to = packet_ring_reserve(port.ring, (uint32_t)f.len);

	assert_non_null(to);
	memcpy(to, f.b, f.len);
	packet_ring_commit(port.ring, (uint32_t)f.len, PACKET_L4_OK);
	if (packet_ring_publish(port.ring))
		fd_event_signal(port.to_card);
}

static size_t tap_take(int timeout_ms)
{
	uint64_t end = clock_ns() + (uint64_t)timeout_ms * 1000000;
	ssize_t r;

	do {
		r = recv(host.tap, got, sizeof(got), MSG_DONTWAIT);
		if (r > 0)
			return (size_t)r;
		usleep(100);
	} while (clock_ns() < end);
	return 0;
}

static void udp_out(uint16_t sport, size_t payload)
{
	net_eth(&f, router_mac, mac, ETH_TYPE_IPV4);
	net_ipv4(&f, US, PEER, IP_UDP, 8 + payload);
	net_udp(&f, sport, 5201);
}

static void discover(void)
{
	net_eth(&f, all, mac, ETH_TYPE_IPV4);
	net_ipv4(&f, 0, UINT32_MAX, IP_UDP, 8 + 300);
	net_udp(&f, 68, 67);
	memcpy(f.b + 42, "\x01\x01\x06\x00\x39\x03\xf3\x26", 8);
	memcpy(f.b + 42 + 28, mac, 6);
	memcpy(f.b + 42 + 236, "\x63\x82\x53\x63\x35\x01\x01\xff", 8);
}

static void network_guest__hears_nothing_before_niterd_spoke(void **state)
{
	(void)state;
	discover();
	guest_send();
	udp_out(4000, 100);
	guest_send();
	assert_int_equal(guest_recv(QUIET_MS), 0);
	assert_int_equal(wire_take(QUIET_MS), 0);
	assert_int_equal(network_host_counter(&host, id, "tx_drop_unconfigured"), 2);
	configure(0, 0);
	guest_send();
	assert_int_equal(wire_take(WAIT_MS), f.len);
}

static void network_guest__gets_its_address(void **state)
{
	(void)state;
	configure(0, 0);
	discover();
	guest_send();
	assert_true(guest_recv(WAIT_MS) > 42 + 300 - 1);
	assert_memory_equal(got, mac, 6);
	assert_memory_equal(got + 6, router_mac, 6);
	assert_int_equal(be32_load(got + 42 + 16), US);
	assert_int_equal(wire_take(QUIET_MS), 0);
}

static void network_guest__speaks_with_the_metadata_process(void **state)
{
	(void)state;
	configure(0, 0);
	net_eth(&f, router_mac, mac, ETH_TYPE_IPV4);
	net_ipv4(&f, US, VPC_METADATA_ADDR, IP_TCP, 20);
	net_tcp(&f, 40000, 80, TCP_SYN);
	guest_send();
	assert_int_equal(tap_take(WAIT_MS), f.len);
	assert_memory_equal(got, vpc_metadata_mac, 6);
	assert_memory_equal(got + 6, f.b + 6, f.len - 6);
	net_eth(&f, vpc_metadata_router_mac, vpc_metadata_mac, ETH_TYPE_IPV4);
	net_ipv4(&f, VPC_METADATA_ADDR, US, IP_TCP, 20 + 1460);
	net_tcp(&f, 80, 40000, TCP_SYN | TCP_ACK);
	assert_int_equal(send(host.tap, f.b, f.len, 0), f.len);
	assert_int_equal(guest_recv(WAIT_MS), f.len);
	assert_memory_equal(got, mac, 6);
	assert_memory_equal(got + 6, router_mac, 6);
	assert_memory_equal(got + 12, f.b + 12, f.len - 12);
	assert_int_equal(wire_take(QUIET_MS), 0);
}

static void network_guest__its_resets_change_no_configuration(void **state)
{
	unsigned i;

	(void)state;
	configure(0, 0);
	udp_out(4000, 100);
	guest_send();
	assert_int_equal(wire_take(WAIT_MS), f.len);
	for (i = 0; i < 200; i++)
		assert_int_equal(ena_driver_reset(&guest.d, i % 8), 0);
	assert_int_equal(ena_client_up(&guest, 1, DEPTH), 0);
	/* The answer belongs to a flow of before. */
	net_eth(&f, mac, peer_mac, ETH_TYPE_IPV4);
	net_ipv4(&f, PEER, US, IP_UDP, 108);
	net_udp(&f, 5201, 4000);
	wire_give();
	assert_int_equal(guest_recv(WAIT_MS), f.len);
}

/* 40 Mbit/s, 400 frames of 1500 bytes: 600 kB, of which 64 KiB may go at once; the rest takes 107 ms. None is lost. */
static void network_guest__waits_for_its_bandwidth(void **state)
{
	uint64_t begin = clock_ns(), ms;
	unsigned i, n = 0;

	(void)state;
	configure(40000000, 0);
	for (i = 0; i < 400; i++) {
		udp_out((uint16_t)(4000 + i), 1458);
		guest_send();
		while (wire_take(0))
			n++;
	}
	while (n < 400 && wire_take(WAIT_MS))
		n++;
	ms = (clock_ns() - begin) / 1000000;
	assert_int_equal(n, 400);
	assert_true(ms >= 100); /* how much later is up to the machine */
	assert_true(network_host_counter(&host, id, "tx_limited") > 0);
	assert_int_equal(network_host_counter(&host, id, "device_tx_drops"), 0);
}

static void network_guest__frames_for_it_wait_in_the_ring(void **state)
{
	uint64_t begin, ms;
	unsigned i;

	(void)state;
	configure(0, 2000); /* packets a second, 64 at once */
	udp_out(4000, 100);
	guest_send();
	assert_int_equal(wire_take(WAIT_MS), f.len);
	net_eth(&f, mac, peer_mac, ETH_TYPE_IPV4);
	net_ipv4(&f, PEER, US, IP_UDP, 108);
	net_udp(&f, 5201, 4000);
	begin = clock_ns();
	for (i = 0; i < 240; i++)
		wire_give();
	for (i = 0; i < 240; i++)
		assert_int_equal(guest_recv(WAIT_MS), f.len);
	ms = (clock_ns() - begin) / 1000000;
	assert_true(ms >= 80); /* 176 frames behind the first 64 */
	assert_int_equal(network_host_counter(&host, id, "rx_no_buffer"), 0);
}

static void network_guest__without_buffers_loses_frames_and_stops_nobody(void **state)
{
	unsigned i, n = 0;

	(void)state;
	configure(0, 0);
	udp_out(4000, 100);
	guest_send();
	assert_int_equal(wire_take(WAIT_MS), f.len);
	net_eth(&f, mac, peer_mac, ETH_TYPE_IPV4);
	net_ipv4(&f, PEER, US, IP_UDP, 108);
	net_udp(&f, 5201, 4000);
	for (i = 0; i < 2 * DEPTH; i++)
		wire_give();
	for (i = 0; i < 5000 && network_host_counter(&host, id, "rx_frames") < 2 * DEPTH; i++)
		usleep(1000);
	assert_true(network_host_counter(&host, id, "rx_no_buffer") > 0);
	/* The guest wakes up, and all is as before. */
	while (guest_recv(QUIET_MS))
		n++;
	assert_in_range(n, 1, 2 * DEPTH);
	wire_give();
	assert_int_equal(guest_recv(WAIT_MS), f.len);
}

/* Both directions share the packet rate: a guest that sends without end must still hear. */
static void network_guest__that_floods_still_hears(void **state)
{
	struct ena_driver_sg sg = { guest.send_at, 60 };
	unsigned heard = 0, i;
	uint64_t end;

	(void)state;
	configure(0, 4000);
	udp_out(4000, 100);
	guest_send();
	assert_int_equal(wire_take(WAIT_MS), f.len);
	udp_out(4000, 18);
	memcpy(ena_client_p(&guest, guest.send_at), f.b, 60);
	net_eth(&f, mac, peer_mac, ETH_TYPE_IPV4);
	net_ipv4(&f, PEER, US, IP_UDP, 108);
	net_udp(&f, 5201, 4000);
	for (i = 0; i < 200; i++)
		wire_give();
	/* In this time 8000 packets may pass, and 8000 and more want to go out. */
	for (end = clock_ns() + 2000000000; clock_ns() < end && heard < 200;) {
		assert_true(ena_driver_tx_reap(&guest.d, 0) >= 0);
		for (i = 0; ena_driver_tx(&guest.d, 0, &sg, 1, NULL) >= 0; i++)
			;
		if (i)
			ena_driver_ring_db(&guest.d, &guest.d.q[0].tx);
		while (wire_take(0))
			;
		while (guest_recv(0))
			heard++;
		usleep(500);
	}
	assert_int_equal(heard, 200);
}

/* The wire takes nothing for a while; the ring fills in the middle of a batch. What fits arrives, and the card lives. */
static void network_guest__fills_the_ring_in_the_middle_of_a_batch(void **state)
{
	struct ena_driver_sg sg = { guest.send_at, 1500 };
	unsigned sent = 0, n = 0, i;
	uint64_t end;

	(void)state;
	configure(0, 0);
	udp_out(4000, 1458);
	memcpy(ena_client_p(&guest, guest.send_at), f.b, f.len);
	for (end = clock_ns() + 300000000; clock_ns() < end;) {
		assert_true(ena_driver_tx_reap(&guest.d, 0) >= 0);
		for (i = 0; ena_driver_tx(&guest.d, 0, &sg, 1, NULL) >= 0; i++)
			sent++;
		if (i)
			ena_driver_ring_db(&guest.d, &guest.d.q[0].tx);
		usleep(500);
	}
	assert_true(network_host_counter(&host, id, "ring_full") > 0);
	while (wire_take(QUIET_MS))
		n++;
	assert_true((uint64_t)sent * 1500 > PACKET_RING_DATA_BYTES);
	assert_true((uint64_t)n * 1600 > PACKET_RING_DATA_BYTES * 9 / 10);
	assert_true(ena_driver_tx_reap(&guest.d, 0) >= 0);
	guest_send();
	assert_int_equal(wire_take(WAIT_MS), f.len);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(network_guest__hears_nothing_before_niterd_spoke),
		T(network_guest__gets_its_address),
		T(network_guest__speaks_with_the_metadata_process),
		T(network_guest__its_resets_change_no_configuration),
		T(network_guest__waits_for_its_bandwidth),
		T(network_guest__frames_for_it_wait_in_the_ring),
		T(network_guest__that_floods_still_hears),
		T(network_guest__fills_the_ring_in_the_middle_of_a_batch),
		T(network_guest__without_buffers_loses_frames_and_stops_nobody),
	};

	if (argc != 2)
		return 2;
	program = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
