/* SPDX-License-Identifier: Apache-2.0 */

/*
 * niter-gateway with the kernel's own NAT, in a network namespace of the test's own:
 *
 *   test --packet ring-- niter-gateway --TAP nitergw7-- [ kernel: forwarding, table "inet niter" ] --TAP up0-- test
 *   (a guest, 172.31.0.5)               100.64.7.1                               203.0.113.2        (the world)
 *
 * The devices and the table are made by the launcher's code. Every probe that must not get through is also tried without
 * the table, where it does: so the probe itself is sound.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/packet_ring.h"
#include "launcher/nft.h"
#include "launcher/nic.h"
#include "proto/control.h"

#define GUEST 0xac1f0005u   /* 172.31.0.5 */
#define OUTSIDE 0x64400702u /* 100.64.7.2 */
#define HOST_TAP 0x64400701u
#define HOST_UP 0xcb007102u /* 203.0.113.2 */
#define NEIGHBOUR 0xcb007109u
#define WORLD 0x08080808u

enum {
	L3 = 14,
	L4 = 34,
	FRAME_MAX = 9216,
	WAIT_MS = 2000,
	SILENCE_MS = 150,
	TCP = 6,
	ICMP = 1,
	SYN = 2,
	SYN_ACK = 18
};

static const char *gateway_path;
static const uint8_t port_mac[6] = { 6, 0, 0, 0, 0, 1 }, guest_mac[6] = { 6, 0, 0, 0, 0, 5 };
static const uint8_t host_mac[6] = { 2, 0, 0x64, 0x40, 0, 1 }, world_mac[6] = { 2, 2, 2, 2, 2, 2 };
static const uint8_t up_mac[6] = { 2, 3, 3, 3, 3, 3 };

static struct world {
	int nft, up, tap, ring_fd, kick, wait, service, ctl;
	pid_t pid;
	struct packet_ring *ring;
	struct nft_rules rules;
} w;

static uint8_t f[FRAME_MAX];
static size_t len;
static struct ctl_msg m;

static uint16_t sum_of(uint32_t sum, const uint8_t *p, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static uint16_t tcp_sum(const uint8_t *ip)
{
	size_t bytes = be16_load(ip + 2) - 20u;
	uint32_t pseudo = (uint32_t)be16_load(ip + 12) + be16_load(ip + 14) + be16_load(ip + 16) +
			  be16_load(ip + 18) + ip[9] + (uint32_t)bytes;

	return sum_of(pseudo, ip + 20, bytes);
}

/* A TCP segment with @data bytes behind it. */
static void tcp_put(const uint8_t dst_mac[6], const uint8_t src_mac[6], uint32_t src,
		    uint16_t sport, uint32_t dst, uint16_t dport, uint8_t flags, size_t data,
		    bool df)
{
	uint8_t *ip = f + L3, *tcp = f + L4;

	memset(f, 0, L4 + 20 + data);
	memcpy(f, dst_mac, 6);
	memcpy(f + 6, src_mac, 6);
	be16_store(f + 12, 0x0800);
	ip[0] = 0x45;
	be16_store(ip + 2, (uint16_t)(40 + data));
	be16_store(ip + 6, df ? 0x4000 : 0);
	ip[8] = 64;
	ip[9] = TCP;
	be32_store(ip + 12, src);
	be32_store(ip + 16, dst);
	be16_store(ip + 10, sum_of(0, ip, 20));
	be16_store(tcp, sport);
	be16_store(tcp + 2, dport);
	be32_store(tcp + 4, 1000);
	be32_store(tcp + 8, flags == SYN ? 0 : 1001);
	tcp[12] = 5 << 4;
	tcp[13] = flags;
	be16_store(tcp + 14, 1000);
	be16_store(tcp + 16, tcp_sum(ip));
	len = L4 + 20 + data;
}

static void guest_send(void)
{
	uint8_t *p = packet_ring_reserve(w.ring, (uint32_t)len);

	assert_non_null(p);
	memcpy(p, f, len);
	packet_ring_commit(w.ring, (uint32_t)len, PACKET_L4_OK);
	if (packet_ring_publish(w.ring))
		fd_event_signal(w.wait); /* what the gateway waits for */
}

/* Return: the next frame of the ring is in f. */
static bool guest_receive(int ms)
{
	uint64_t end = clock_ns() + (uint64_t)ms * 1000000;
	struct packet p;

	for (;;) {
		struct pollfd pfd = { .fd = w.kick, .events = POLLIN };

		if (packet_ring_peek(w.ring, &p) == 1) {
			len = p.len;
			packet_ring_copy(f, p.data, len);
			packet_ring_consume(w.ring);
			if (packet_ring_release(w.ring))
				fd_event_signal(w.wait);
			return true;
		}
		if (clock_ns() >= end)
			return false;
		if (packet_ring_arm(w.ring))
			continue;
		(void)poll(&pfd, 1, 10);
		fd_event_clear(w.kick);
	}
}

/* Whoever the kernel asks for, the world has it. */
static void arp_answer(void)
{
	uint8_t asked[4];

	memcpy(asked, f + 38, 4);
	memcpy(f + 32, f + 22, 10);
	memcpy(f + 22, world_mac, 6);
	memcpy(f + 28, asked, 4);
	f[21] = 2;
	memcpy(f, f + 6, 6);
	memcpy(f + 6, world_mac, 6);
	assert_int_equal(write(w.up, f, 42), 42);
}

/* Return: the next IPv4 frame that left by the uplink is in f. */
static bool world_receive(int ms)
{
	uint64_t end = clock_ns() + (uint64_t)ms * 1000000;

	while (clock_ns() < end) {
		struct pollfd p = { .fd = w.up, .events = POLLIN };
		ssize_t n;

		if (poll(&p, 1, 10) != 1)
			continue;
		n = read(w.up, f, sizeof(f));
		if (n >= 42 && be16_load(f + 12) == 0x0806 && f[21] == 1)
			arp_answer();
		if (n < L4 || be16_load(f + 12) != 0x0800)
			continue;
		len = (size_t)n;
		return true;
	}
	return false;
}

static void world_send(void)
{
	assert_int_equal(write(w.up, f, len), (ssize_t)len);
}

/* ---- set-up ---- */

static void gateway_exec(int ctl)
{
	char *argv[] = { strdup("niter-gateway"), NULL },
	     *env[] = { strdup("NITER_UNJAILED=1"), NULL };

	if (dup2(ctl, CTL_FD) < 0)
		_exit(98);
	execve(gateway_path, argv, env);
	_exit(99);
}

static void gateway_config(int service)
{
	struct ctl_gateway_config conf = { .gateway_id = "igw-00000000000000007" };
	int fds[5] = { w.ring_fd, w.kick, w.wait, w.tap, service };

	memcpy(conf.mac, port_mac, 6);
	assert_int_equal(ctl_send(w.ctl, CTL_GATEWAY_CONFIG, 1, &conf, fds, 5), 0);
	assert_int_equal(ctl_recv(w.ctl, &m), 1);
	assert_int_equal(m.type, CTL_ACK);
	assert_int_equal(m.u.ack.err, 0);
}

static void nat_pair(enum ctl_type type, int err)
{
	struct ctl_gateway_nat nat = { .vpc_addr = { 172, 31, 0, 5 },
				       .outside_addr = { 100, 64, 7, 2 } };

	memcpy(nat.vpc_mac, guest_mac, 6);
	assert_int_equal(ctl_send(w.service, type, 2, &nat, NULL, 0), 0);
	assert_int_equal(ctl_recv(w.service, &m), 1);
	assert_int_equal(m.type, CTL_ACK);
	assert_int_equal(m.u.ack.err, err);
}

static void devices_make(void)
{
	static const uint8_t tap_addr[4] = { 100, 64, 7, 1 }, up_addr[4] = { 203, 0, 113, 2 };

	assert_int_equal(nic_up("lo"), 0);
	w.tap = nic_tap("nitergw7");
	w.up = nic_tap("up0");
	assert_true(w.tap >= 0 && w.up >= 0);
	assert_int_equal(nic_mac_set("nitergw7", host_mac), 0);
	assert_int_equal(nic_mtu_set("nitergw7", 1500), 0);
	assert_int_equal(nic_address_add("nitergw7", tap_addr, 24), 0);
	assert_int_equal(nic_switch("ipv4", "nitergw7", "forwarding", 1, NULL), 0);
	assert_int_equal(nic_switch("ipv4", "nitergw7", "route_localnet", 1, NULL), 0);
	assert_int_equal(nic_up("nitergw7"), 0);
	assert_int_equal(nic_mac_set("up0", up_mac), 0);
	assert_int_equal(nic_address_add("up0", up_addr, 24), 0);
	assert_int_equal(nic_switch("ipv4", "up0", "forwarding", 1, NULL), 0);
	assert_int_equal(nic_up("up0"), 0);
	assert_int_equal(nic_route_default("up0"), 0);
}

static void rules_make(void)
{
	static const uint8_t mask[4] = { 255, 255, 255, 0 }, up_addr[4] = { 203, 0, 113, 2 };

	memset(&w.rules, 0, sizeof(w.rules));
	strcpy(w.rules.uplink, "up0");
	memcpy(w.rules.uplink_addr, up_addr, 4);
	memcpy(w.rules.uplink_mask, mask, 4);
	w.rules.only_guests = true;
	w.rules.forward_cnt = 1;
	w.rules.forward[0] =
		(struct nft_forward){ .host_port = 2222, .port = 22, .addr = { 100, 64, 7, 2 } };
	assert_int_equal(nft_apply(w.nft, &w.rules), 0);
}

static int setup(void **state)
{
	int ctl, service;

	(void)state;
	assert_int_equal(unshare(CLONE_NEWNET), 0); /* each test has its own */
	devices_make();
	w.nft = nft_open();
	assert_true(w.nft >= 0);
	rules_make();
	w.ring_fd = packet_ring_fd_new();
	assert_int_equal(packet_ring_map(w.ring_fd, PACKET_RING_B, &w.ring), 0);
	w.kick = fd_eventfd();
	w.wait = fd_eventfd();
	assert_int_equal(fd_socketpair(SOCK_SEQPACKET, &w.ctl, &ctl), 0);
	assert_int_equal(fd_socketpair(SOCK_SEQPACKET, &w.service, &service), 0);
	w.pid = fork();
	if (w.pid == 0)
		gateway_exec(ctl);
	close(ctl);
	gateway_config(service);
	close(service);
	nat_pair(CTL_GATEWAY_NAT_ADD, 0);
	return 0;
}

static int teardown(void **state)
{
	int status = -1;

	(void)state;
	close(w.ctl); /* told to end */
	assert_int_equal(waitpid(w.pid, &status, 0), w.pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	packet_ring_free(w.ring);
	close(w.service);
	close(w.ring_fd);
	close(w.kick);
	close(w.wait);
	close(w.tap);
	close(w.up);
	close(w.nft);
	return 0;
}

/* ---- tests ---- */

static void out__leaves_with_the_hosts_address_and_answers_come_back(void **state)
{
	uint16_t port;

	(void)state;
	tcp_put(port_mac, guest_mac, GUEST, 40000, WORLD, 80, SYN, 0, true);
	guest_send();
	assert_true(world_receive(WAIT_MS));
	assert_int_equal(be32_load(f + L3 + 12), HOST_UP);
	assert_int_equal(be32_load(f + L3 + 16), WORLD);
	assert_int_equal(f[L3 + 8], 62); /* gateway and host: two hops */
	assert_int_equal(tcp_sum(f + L3), 0);
	assert_int_equal(sum_of(0, f + L3, 20), 0);
	port = be16_load(f + L4);

	tcp_put(up_mac, world_mac, WORLD, 80, HOST_UP, port, SYN_ACK, 100, true);
	world_send();
	assert_true(guest_receive(WAIT_MS));
	assert_int_equal(be32_load(f + L3 + 12), WORLD);
	assert_int_equal(be32_load(f + L3 + 16), GUEST);
	assert_int_equal(be16_load(f + L4 + 2), 40000);
	assert_int_equal(tcp_sum(f + L3), 0);
	assert_int_equal(sum_of(0, f + L3, 20), 0);
	assert_memory_equal(f, guest_mac, 6);
	assert_memory_equal(f + 6, port_mac, 6);
	/* what nobody began does not come in */
	tcp_put(up_mac, world_mac, WORLD, 81, HOST_UP, port, SYN_ACK, 0, true);
	world_send();
	assert_false(guest_receive(SILENCE_MS));
}

static void forward__leads_to_the_instance_and_back(void **state)
{
	(void)state;
	tcp_put(up_mac, world_mac, WORLD, 5555, HOST_UP, 2222, SYN, 0, true);
	world_send();
	assert_true(guest_receive(WAIT_MS));
	assert_int_equal(be32_load(f + L3 + 12), WORLD); /* the guest sees who it is */
	assert_int_equal(be32_load(f + L3 + 16), GUEST);
	assert_int_equal(be16_load(f + L4 + 2), 22);
	assert_int_equal(tcp_sum(f + L3), 0);
	tcp_put(port_mac, guest_mac, GUEST, 22, WORLD, 5555, SYN_ACK, 0, true);
	guest_send();
	assert_true(world_receive(WAIT_MS));
	assert_int_equal(be32_load(f + L3 + 12), HOST_UP);
	assert_int_equal(be16_load(f + L4), 2222);
	assert_int_equal(tcp_sum(f + L3), 0);
	/* another port, and the instance's own address from outside, lead nowhere */
	tcp_put(up_mac, world_mac, WORLD, 5555, OUTSIDE, 22, SYN, 0, true);
	world_send();
	assert_false(guest_receive(SILENCE_MS));
}

/* Return: the guest's attempt had an effect that a guest or the world can see. */
static bool attempt(uint32_t dst, uint16_t port)
{
	static uint16_t sport = 41000;

	tcp_put(port_mac, guest_mac, GUEST, ++sport, dst, port, SYN, 0, true);
	guest_send();
	return guest_receive(SILENCE_MS) || world_receive(SILENCE_MS);
}

/* Addresses a guest must never reach. On the host itself somebody listens. */
static const struct {
	uint32_t addr;
	uint16_t port;
} forbidden[] = {
	{ HOST_TAP, 7777 }, /* the host, at its end of the device */
	{ HOST_UP, 7777 },  /* the host, at its own address */
	{ NEIGHBOUR, 80 },  /* the uplink's own network */
	{ 0x64400802, 80 }, /* another gateway's block */
};

static void guests__cannot_reach_the_host_or_its_network(void **state)
{
	static const uint8_t any[4];
	int listener;
	size_t i;

	(void)state;
	listener = nic_listen_tcp(any, 7777);
	assert_true(listener >= 0);
	for (i = 0; i < ARRAY_SIZE(forbidden); i++)
		if (attempt(forbidden[i].addr, forbidden[i].port))
			fail_msg("%08x can be reached", forbidden[i].addr);
	/* the gateway itself sends nothing there */
	assert_false(attempt(0x7f000001, 7777));
	assert_false(attempt(0xa9fea9fe, 80));
	/* the control: without the table every one of them is reached */
	assert_int_equal(nft_remove(w.nft), 0);
	for (i = 0; i < ARRAY_SIZE(forbidden); i++)
		if (!attempt(forbidden[i].addr, forbidden[i].port))
			fail_msg("%08x cannot be reached in any case", forbidden[i].addr);
	close(listener);
}

/* What the host sent towards the gateway: packets, or the question who has their address. */
static int tap_frames(void)
{
	uint8_t b[2048];
	int frames = 0;

	while (read(w.tap, b, sizeof(b)) > 0)
		frames += be16_load(b + 12) == 0x0800 || be16_load(b + 12) == 0x0806;
	return frames;
}

/* The gateway itself taken over by a guest: what it writes to its device meets the packet filter alone. */
static void filter__holds_against_a_gateway_that_was_taken_over(void **state)
{
	static const uint32_t to[] = { HOST_TAP,   HOST_UP,    NEIGHBOUR,
				       0x7f000001, 0xa9fea9fe, 0x64400802 };
	static const uint8_t any[4];
	size_t i;
	int listener;

	(void)state;
	listener = nic_listen_tcp(any, 7777);
	assert_int_equal(kill(w.pid, SIGSTOP), 0); /* the test takes its place */
	for (i = 0; i < ARRAY_SIZE(to); i++) {
		tcp_put(host_mac, world_mac, OUTSIDE, 42000, to[i], 7777, SYN, 0, true);
		assert_int_equal(write(w.tap, f, len), (ssize_t)len);
	}
	tcp_put(host_mac, world_mac, 0x0a000001, 42000, WORLD, 80, SYN, 0,
		true); /* a source that is not its own */
	assert_int_equal(write(w.tap, f, len), (ssize_t)len);
	assert_false(world_receive(SILENCE_MS));
	assert_int_equal(tap_frames(), 0);
	/* the control: without the table the host answers */
	assert_int_equal(nft_remove(w.nft), 0);
	tcp_put(host_mac, world_mac, OUTSIDE, 42001, HOST_UP, 7777, SYN, 0, true);
	assert_int_equal(write(w.tap, f, len), (ssize_t)len);
	assert_false(world_receive(SILENCE_MS));
	assert_true(tap_frames() > 0);
	assert_int_equal(kill(w.pid, SIGCONT), 0);
	close(listener);
}

static void host__reaches_forwarded_ports_itself(void **state)
{
	static const uint32_t from[] = { 0x7f000001, HOST_UP };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(from); i++) {
		struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(2222) };
		int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

		sa.sin_addr.s_addr = htonl(from[i]);
		(void)connect(s, (struct sockaddr *)&sa, sizeof(sa));
		assert_true(guest_receive(WAIT_MS));
		assert_int_equal(be32_load(f + L3 + 16), GUEST);
		assert_int_equal(be16_load(f + L4 + 2), 22);
		close(s);
	}
}

static void big__packets_are_cut_or_refused_with_the_mtu(void **state)
{
	bool more;
	size_t got = 0;

	(void)state;
	tcp_put(port_mac, guest_mac, GUEST, 40001, WORLD, 80, 16, 8000, true);
	guest_send();
	assert_true(guest_receive(WAIT_MS));
	assert_int_equal(f[L3 + 9], ICMP);
	assert_int_equal(be16_load(f + L4), 0x0304); /* fragmentation needed */
	assert_int_equal(be16_load(f + L4 + 6), 1500);
	assert_int_equal(be32_load(f + L3 + 12), HOST_TAP);
	assert_int_equal(be32_load(f + L3 + 16), GUEST);

	tcp_put(port_mac, guest_mac, GUEST, 40002, WORLD, 80, SYN, 0,
		true); /* so that the kernel knows it */
	guest_send();
	assert_true(world_receive(WAIT_MS));
	tcp_put(port_mac, guest_mac, GUEST, 40003, WORLD, 80, SYN, 4000, false);
	guest_send();
	do {
		assert_true(world_receive(WAIT_MS));
		assert_true(be16_load(f + L3 + 2) <= 1500);
		got += be16_load(f + L3 + 2) - 20u;
		more = be16_load(f + L3 + 6) & 0x2000;
	} while (more);
	assert_int_equal(got, 4020);
}

static void service__counts_and_forgets(void **state)
{
	(void)state;
	tcp_put(port_mac, guest_mac, GUEST, 40004, WORLD, 80, SYN, 0, true);
	guest_send();
	assert_true(world_receive(WAIT_MS));
	nat_pair(CTL_GATEWAY_NAT_DEL, 0);
	nat_pair(CTL_GATEWAY_NAT_DEL, -ENOENT);
	assert_false(attempt(WORLD, 80));
	assert_int_equal(ctl_send(w.service, CTL_VPC_STATS_READ, 3, NULL, NULL, 0), 0);
	assert_int_equal(ctl_recv(w.service, &m), 1);
	assert_int_equal(m.type, CTL_VPC_STATS);
	m.u.vpc_stats.lines.b[m.u.vpc_stats.lines.len] = 0;
	assert_non_null(strstr((char *)m.u.vpc_stats.lines.b, "igw-00000000000000007 out 1\n"));
	assert_non_null(
		strstr((char *)m.u.vpc_stats.lines.b, "igw-00000000000000007 drop_unknown 1\n"));
}

static void table__belongs_to_its_socket(void **state)
{
	int other = nft_open(), gone;

	(void)state;
	assert_true(other >= 0);
	assert_int_not_equal(nft_remove(other), 0);
	assert_int_not_equal(nft_apply(other, &w.rules), 0);
	gone = w.nft;
	w.nft = other;
	close(gone); /* as if the launcher had been killed */
	assert_int_equal(nft_apply(other, &w.rules), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			out__leaves_with_the_hosts_address_and_answers_come_back, setup, teardown),
		cmocka_unit_test_setup_teardown(forward__leads_to_the_instance_and_back, setup,
						teardown),
		cmocka_unit_test_setup_teardown(guests__cannot_reach_the_host_or_its_network, setup,
						teardown),
		cmocka_unit_test_setup_teardown(filter__holds_against_a_gateway_that_was_taken_over,
						setup, teardown),
		cmocka_unit_test_setup_teardown(host__reaches_forwarded_ports_itself, setup,
						teardown),
		cmocka_unit_test_setup_teardown(big__packets_are_cut_or_refused_with_the_mtu, setup,
						teardown),
		cmocka_unit_test_setup_teardown(service__counts_and_forgets, setup, teardown),
		cmocka_unit_test_setup_teardown(table__belongs_to_its_socket, setup, teardown),
	};
	int probe;

	if (argc != 2)
		return 2;
	gateway_path = argv[1];
	if (unshare(CLONE_NEWNET) < 0 || access("/dev/net/tun", R_OK | W_OK) < 0) {
		printf("skip: network namespaces and /dev/net/tun need root\n");
		return 77;
	}
	probe = nft_open();
	if (probe < 0 || nft_remove(probe) < 0) {
		printf("skip: this kernel has no nf_tables\n");
		return 77;
	}
	close(probe);
	return cmocka_run_group_tests_name("gateway", tests, NULL, NULL);
}
