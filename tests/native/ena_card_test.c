/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The network card's program, in its jail, as a guest with the stock driver sees it: the real ENA device behind vfio-user,
 * the real VPC engine, and the test as wire. What launcher and niterd see is network_card_test.c.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/log.h"
#include "cards/network/ena.h"
#include "cards/network/offload.h"
#include "ena_client.h"
#include "network_host.h"
#include "vpc/vpc.h"

enum { PAIRS = 2, DEPTH = 256, WAIT_MS = 10000, QUIET_MS = 100 };
#define RAM_BYTES ((uint64_t)32 << 20)

static const char *program;
static struct network_host host;
static const uint8_t mac[2][6] = { { 0x06, 1, 2, 3, 4, 5 }, { 0x06, 0xa, 0xb, 0xc, 0xd, 0xe } };
static const char *const id[2] = { "eni-0123456789abcdef0", "eni-0123456789abcdef1" };

struct nic {
	struct network_port port;
	struct ena_client guest;
};
static struct nic nic[2];

/* ---- world ---- */

static void configure(struct nic *n, uint8_t addr)
{
	static struct ctl_vpc_rules rules;
	struct ctl_vpc_routes routes = { .route_cnt = 1,
					 .route = { { .family = CTL_IPV4,
						      .prefix = 16,
						      .addr = { 172, 31, 0, 0 },
						      .target = CTL_ROUTE_LOCAL } } };
	struct ctl_vpc_interface i;

	rules.rule_cnt = 2;
	memcpy(rules.interface_id, n->port.id, sizeof(rules.interface_id));
	memcpy(routes.interface_id, n->port.id, sizeof(routes.interface_id));
	rules.rule[0] = (struct ctl_vpc_rule){ .egress = 1, .proto = 255, .family = CTL_IPV4 };
	rules.rule[1] = (struct ctl_vpc_rule){ .egress = 0, .proto = 255, .family = CTL_IPV4 };
	network_interface(&n->port, addr, &i);
	i.mtu = 9001;
	assert_int_equal(network_host_tell(&host, CTL_VPC_INTERFACE_SET, &i), 0);
	assert_int_equal(network_host_tell(&host, CTL_VPC_RULES_SET, &rules), 0);
	assert_int_equal(network_host_tell(&host, CTL_VPC_ROUTES_SET, &routes), 0);
}

static int setup(void **state)
{
	static struct ctl_vpc_mappings maps = { .vni = 0x1001, .mapping_cnt = 2 };
	unsigned i;

	(void)state;
	assert_int_equal(network_host_start(&host, program, NULL, PAIRS), 0);
	for (i = 0; i < 2; i++) {
		maps.mapping[i] =
			(struct ctl_vpc_mapping){ .family = CTL_IPV4,
						  .addr = { 172, 31, 0, (uint8_t)(5 + i) } };
		memcpy(maps.mapping[i].mac, mac[i], 6);
	}
	assert_int_equal(network_host_tell(&host, CTL_VPC_MAPPINGS_ADD, &maps), 0);
	for (i = 0; i < 2; i++) {
		assert_int_equal(network_host_add(&host, id[i], mac[i], 9001, &nic[i].port), 0);
		configure(&nic[i], (uint8_t)(5 + i));
		assert_int_equal(
			ena_client_open(&nic[i].guest, TAKE_FD(nic[i].port.vfio), RAM_BYTES), 0);
		assert_int_equal(ena_client_up(&nic[i].guest, PAIRS, DEPTH), 0);
	}
	return 0;
}

static int teardown(void **state)
{
	unsigned i;
	int status;

	(void)state;
	for (i = 0; i < 2; i++)
		ena_client_close(&nic[i].guest);
	status = network_host_stop(&host);
	for (i = 0; i < 2; i++)
		network_port_done(&nic[i].port);
	if (status)
		print_error("the card ended with %d\n", status);
	return status;
}

/* The wire takes the next frame of a port. Return: its length, 0 none came. */
static size_t wire_take(struct nic *n, uint8_t *buf, uint32_t *flags, int timeout_ms)
{
	uint64_t end = clock_ns() + (uint64_t)timeout_ms * 1000000;
	struct packet pkt;

	for (;;) {
		int r = packet_ring_peek(n->port.ring, &pkt);

		assert_true(r >= 0);
		if (r) {
			memcpy(buf, pkt.data, pkt.len);
			*flags = pkt.flags;
			packet_ring_consume(n->port.ring);
			if (packet_ring_release(n->port.ring))
				fd_event_signal(n->port.to_card);
			return pkt.len;
		}
		if (clock_ns() >= end)
			return 0;
		usleep(100);
	}
}

static void wire_give(struct nic *n, const uint8_t *p, size_t len, uint32_t flags)
{
	uint64_t end = clock_ns() + (uint64_t)WAIT_MS * 1000000;
	uint8_t *to;

	while (!(to = packet_ring_reserve(n->port.ring, (uint32_t)len))) {
		assert_true(clock_ns() < end);
		usleep(100);
	}
	memcpy(to, p, len);
	packet_ring_commit(n->port.ring, (uint32_t)len, flags);
	if (packet_ring_publish(n->port.ring))
		fd_event_signal(n->port.to_card);
}

/* ---- packets ---- */

static uint8_t pkt[66000], got[16384];

/* TCP or UDP from interface @from to the other, to the router's MAC. Return: bytes. */
static size_t packet(unsigned from, bool tcp, size_t payload, unsigned port)
{
	size_t l4_hdr = tcp ? 20 : 8, i;
	uint8_t *ip = pkt + 14, *l4 = ip + 20;

	memset(pkt, 0, 14 + 20 + l4_hdr);
	vpc_router_mac(0x1001, pkt);
	memcpy(pkt + 6, mac[from], 6);
	be16_store(pkt + 12, 0x0800);
	ip[0] = 0x45;
	be16_store(ip + 2, (uint16_t)(20 + l4_hdr + payload));
	ip[6] = 0x40;
	ip[8] = 64;
	ip[9] = tcp ? 6 : 17;
	memcpy(ip + 12,
	       (uint8_t[]){ 172, 31, 0, (uint8_t)(5 + from), 172, 31, 0, (uint8_t)(6 - from) }, 8);
	be16_store(ip + 10, checksum_fold(checksum_add(0, ip, 20)));
	be16_store(l4, (uint16_t)port);
	be16_store(l4 + 2, 5201);
	if (tcp) {
		l4[12] = 0x50;
		l4[13] = 0x02; /* SYN: a new connection, data and all */
	} else {
		be16_store(l4 + 4, (uint16_t)(8 + payload));
	}
	for (i = 0; i < payload; i++)
		l4[l4_hdr + i] = (uint8_t)(port + i * 3 + (i >> 8));
	be16_store(
		l4 + (tcp ? 16 : 6),
		checksum_fold(checksum_add(checksum_pseudo4(be32_load(ip + 12), be32_load(ip + 16),
							    ip[9], (uint16_t)(l4_hdr + payload)),
					   l4, l4_hdr + payload)));
	return 14 + 20 + l4_hdr + payload;
}

/* From guest @from over the "wire" to the other guest, UDP. */
static void pass(unsigned from, unsigned q, size_t payload, unsigned port)
{
	size_t len = packet(from, false, payload, port), n;
	struct ena_driver_rx rx;
	uint32_t flags;

	assert_int_equal(ena_client_send(&nic[from].guest, q, pkt, len, 4096, NULL), 0);
	n = wire_take(&nic[from], got, &flags, WAIT_MS);
	assert_int_equal(n, len);
	assert_memory_equal(got, mac[1 - from], 6); /* rewritten: it knows where it goes */
	assert_memory_equal(got + 12, pkt + 12, len - 12);
	wire_give(&nic[1 - from], got, n, flags);
	memset(got, 0, sizeof(got));
	assert_int_equal(ena_client_recv(&nic[1 - from].guest, got, sizeof(got), &rx, WAIT_MS), 1);
	assert_int_equal(rx.len, len);
	assert_memory_equal(got + 12, pkt + 12, len - 12);
	assert_true(rx.status & ENA_RXC_L4_CHECKED);
	assert_false(rx.status & (ENA_RXC_L4_CSUM_ERR | ENA_RXC_L3_CSUM_ERR));
}

static void alive(void)
{
	pass(0, 0, 100, 4000);
	pass(1, 1, 100, 4001);
}

/* ---- tests ---- */

static void ena__frames_pass_between_two_guests(void **state)
{
	static const size_t payload[] = { 0, 1, 18, 512, 1400, 3700, 8000, 9001 - 28 };
	unsigned i;

	(void)state;
	for (i = 0; i < 64; i++)
		pass(i % 2, i / 2 % PAIRS, payload[i % ARRAY_SIZE(payload)], 1000 + i);
}

static void ena__segments_reach_the_wire(void **state)
{
	struct ena_driver_offload o = { .tso = true,
					.l3_csum = true,
					.l4_csum = true,
					.tcp = true,
					.l3_off = 14,
					.l3_len = 20,
					.l4_words = 5,
					.mss = 1460 };
	size_t len = packet(0, true, 60000, 7000), sum = 0, n;
	uint32_t flags;

	(void)state;
	pkt[47] = 0x12; /* not a lone SYN: that carries no such payload */
	pkt[47] = 0x02;
	assert_int_equal(ena_client_send(&nic[0].guest, 0, pkt, len, 4096, &o), 0);
	while (sum < 60000) {
		struct offload_class c;

		n = wire_take(&nic[0], got, &flags, WAIT_MS);
		assert_true(n > 54);
		assert_int_equal(flags, PACKET_L4_OK);
		offload_classify(got, n, n, &c);
		assert_true(c.tcp && !c.l3_bad && offload_verify(&c, got, n, NULL));
		assert_int_equal(be32_load(got + 38), sum);
		assert_memory_equal(got + 54, pkt + 54 + sum, n - 54);
		sum += n - 54;
	}
	assert_int_equal(sum, 60000);
}

static void ena__the_card_answers_arp(void **state)
{
	static const uint8_t request[42] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x06, 1, 2,    3, 4,   5,  8, 6,
		0,    1,    8,    0,    6,    4,    0,    1, 0x06, 1, 2,   3,  4, 5,
		172,  31,   0,    5,    0,    0,    0,    0, 0,    0, 172, 31, 0, 1,
	};
	struct ena_driver_rx rx;
	uint8_t router[6];

	(void)state;
	vpc_router_mac(0x1001, router);
	assert_int_equal(ena_client_send(&nic[0].guest, 0, request, sizeof(request), 4096, NULL),
			 0);
	assert_int_equal(ena_client_recv(&nic[0].guest, got, sizeof(got), &rx, WAIT_MS), 1);
	assert_memory_equal(got, mac[0], 6);
	assert_int_equal(be16_load(got + 12), 0x0806);
	assert_int_equal(be16_load(got + 20), 2);
	assert_memory_equal(got + 22, router, 6);
}

static void ena__spoofed_frames_stay(void **state)
{
	size_t len = packet(0, false, 100, 1);
	uint32_t flags;

	(void)state;
	pkt[11] ^= 1;
	assert_int_equal(ena_client_send(&nic[0].guest, 0, pkt, len, 4096, NULL), 0);
	(void)packet(0, false, 100, 1);
	pkt[29] = 77;
	be16_store(pkt + 24, 0);
	be16_store(pkt + 24, checksum_fold(checksum_add(0, pkt + 14, 20)));
	assert_int_equal(ena_client_send(&nic[0].guest, 0, pkt, len, 4096, NULL), 0);
	assert_int_equal(wire_take(&nic[0], got, &flags, QUIET_MS), 0);
	alive();
}

static void ena__keeps_alive(void **state)
{
	uint64_t end = clock_ns() + 3500000000u;
	struct ena_aenq_entry ev;
	unsigned n = 0;

	(void)state;
	while (clock_ns() < end) {
		(void)ena_client_irq_wait(&nic[0].guest, 0, 100);
		while (ena_driver_event(&nic[0].guest.d, &ev))
			n += ev.group == ENA_G_KEEP_ALIVE;
	}
	assert_in_range(n, 2, 5);
}

static void ena__reset_storm(void **state)
{
	struct ena_client *g = &nic[0].guest;
	unsigned i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		ena_client_reg_write(g, ENA_REG_DEV_CTL, ENA_DEV_CTL_RESET | i << 28);
		ena_client_reg_write(g, ENA_REG_DEV_CTL, 0);
		ena_client_reg_write(g, ENA_REG_AQ_DB, i);
		if (i % 10 == 0) /* the neighbour does not notice */
			assert_int_equal(ena_client_reg(&nic[1].guest, ENA_REG_DEV_STS),
					 ENA_DEV_STS_READY);
	}
	assert_int_equal(ena_client_up(g, PAIRS, DEPTH), 0);
	alive();
	for (i = 0; i < 20; i++) {
		assert_int_equal(vu_client_reset(g->vu), 0);
		assert_int_equal(ena_client_up(g, PAIRS, DEPTH), 0);
	}
	alive();
}

/* The device fails, the program and the neighbour go on, a reset mends it. */
static void ena__hostile_descriptors(void **state)
{
	struct ena_client *g = &nic[0].guest;
	unsigned i, k;

	(void)state;
	for (i = 0; i < 8; i++) {
		struct ena_driver_ring *r = &g->d.q[0].tx;
		struct ena_tx_desc d = { { ENA_TX0_FIRST | ENA_TX0_LAST | 100, 0, 0x80000000, 0 } };

		if (i == 1)
			d.w[0] = ENA_TX0_FIRST | 100;
		if (i == 2)
			d.w[0] = 100;
		if (i == 3)
			d.w[3] = 0xffff;
		if (i == 4)
			d.w[1] = 0xffc00000;
		if (i == 5)
			d.w[0] |= ENA_TX0_META;
		for (k = 0; k < DEPTH; k++) {
			struct ena_tx_desc one = d;

			one.w[0] |= ena_driver_phase(r) ? ENA_TX0_PHASE : 0;
			if (i == 6)
				one.w[0] ^= ENA_TX0_PHASE;
			ena_driver_desc(r, &one);
		}
		if (i == 7)
			r->tail = 0x7777;
		ena_driver_ring_db(&g->d, r);
		for (k = 0; k < 5000 && !(ena_client_reg(g, ENA_REG_DEV_STS) & ENA_DEV_STS_FATAL);
		     k++)
			usleep(1000);
		assert_true(ena_client_reg(g, ENA_REG_DEV_STS) & ENA_DEV_STS_FATAL);
		assert_int_equal(ena_client_reg(&nic[1].guest, ENA_REG_DEV_STS), ENA_DEV_STS_READY);
		assert_int_equal(ena_client_up(g, PAIRS, DEPTH), 0);
		alive();
	}
}

static void ena__doorbell_noise(void **state)
{
	struct ena_client *g = &nic[0].guest;
	uint32_t s = 99;
	unsigned i;

	(void)state;
	for (i = 0; i < 20000; i++) {
		s = s * 1664525 + 1013904223;
		ena_client_reg_write(g, ENA_DB_OFF + (s >> 8) % ENA_DB_BYTES / 4 * 4, s);
	}
	assert_int_equal(ena_client_up(g, PAIRS, DEPTH), 0);
	alive();
}

/* The wire takes nothing: the guest's packets complete all the same, long before its driver would reset the device. */
static void ena__a_stuck_wire_does_not_hold_guest_memory(void **state)
{
	struct ena_client *g = &nic[0].guest;
	uint64_t begin = clock_ns(), longest = 0;
	size_t len = packet(0, false, 8000, 1);
	uint32_t flags;
	unsigned i;

	(void)state;
	for (i = 0; i < 300; i++) {
		uint64_t t = clock_ns();

		assert_int_equal(ena_client_send(g, 0, pkt, len, 4096, NULL), 0);
		if (clock_ns() - t > longest)
			longest = clock_ns() - t;
	}
	assert_true(longest < 2000000000u);
	assert_true(clock_ns() - begin < 15000000000u);
	while (wire_take(&nic[0], got, &flags, QUIET_MS))
		;
	alive();
}

static void ena__memory_goes_away(void **state)
{
	struct ena_client *g = &nic[0].guest;
	size_t len = packet(1, false, 100, 1);

	(void)state;
	assert_int_equal(vu_client_dma_unmap(g->vu, ENA_CLIENT_HIGH, RAM_BYTES / 2), 0);
	assert_int_equal(vu_client_dma_unmap(g->vu, 0, RAM_BYTES / 2), 0);
	wire_give(&nic[0], pkt, len, 0);
	ena_driver_ring_db(&g->d, &g->d.q[0].tx);
	usleep(100000);
	assert_int_equal(vu_client_dma_map(g->vu, 0, RAM_BYTES / 2, VU_DMA_READ | VU_DMA_WRITE,
					   g->ram_fd, 0),
			 0);
	assert_int_equal(vu_client_dma_map(g->vu, ENA_CLIENT_HIGH, RAM_BYTES / 2,
					   VU_DMA_READ | VU_DMA_WRITE, g->ram_fd, RAM_BYTES / 2),
			 0);
	assert_int_equal(ena_client_up(g, PAIRS, DEPTH), 0);
	alive();
}

static void ena__no_interrupt_is_lost(void **state)
{
	struct ena_driver_rx rx;
	unsigned i;
	size_t len;

	(void)state;
	for (i = 0; i < 3000; i++) {
		len = packet(1, false, 64, i % 50);
		memcpy(pkt, mac[0], 6);
		wire_give(&nic[0], pkt, len, PACKET_L4_OK);
		if (i % 3 == 0)
			usleep(i % 7 * 10);
		assert_int_equal(ena_client_recv(&nic[0].guest, got, sizeof(got), &rx, WAIT_MS), 1);
		assert_int_equal(rx.len, len);
	}
}

/* CVE-2020-16843 class: the guest has no buffers for a while. What came meanwhile is dropped soon, and then it goes on. */
static void ena__goes_on_after_the_guest_had_no_buffers(void **state)
{
	struct ena_client *g = &nic[0].guest;
	uint64_t begin = clock_ns();
	struct ena_driver_rx rx;
	unsigned i, q, n = 0;
	size_t len;

	(void)state;
	for (i = 0; i < 6000; i++) {
		len = packet(1, false, 64, i % 50);
		memcpy(pkt, mac[0], 6);
		wire_give(&nic[0], pkt, len, PACKET_L4_OK);
	}
	while (network_host_counter(&host, id[0], "rx_no_buffer") + 2 * DEPTH < 6000 &&
	       clock_ns() - begin < 10000000000u)
		usleep(1000);
	assert_true(clock_ns() - begin < 5000000000u);
	for (q = 0; q < PAIRS; q++) {
		while (ena_driver_rx(&g->d, q, got, sizeof(got), &rx) == 1)
			n++;
		ena_driver_rx_refill(&g->d, q);
		ena_driver_unmask(&g->d, q);
	}
	assert_in_range(n, DEPTH - 1, 2 * DEPTH);
	alive();
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(ena__frames_pass_between_two_guests),
		T(ena__segments_reach_the_wire),
		T(ena__the_card_answers_arp),
		T(ena__spoofed_frames_stay),
		T(ena__keeps_alive),
		T(ena__reset_storm),
		T(ena__hostile_descriptors),
		T(ena__doorbell_noise),
		T(ena__a_stuck_wire_does_not_hold_guest_memory),
		T(ena__memory_goes_away),
		T(ena__no_interrupt_is_lost),
		T(ena__goes_on_after_the_guest_had_no_buffers),
	};

	if (argc != 2)
		return 2;
	program = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
