/* SPDX-License-Identifier: Apache-2.0 */
#include "network_card.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/num.h"
#include "cards/network/port.h"
#include "ena_driver.h"
#include "proto/gmem.h"

enum {
	RAM_BYTES = 64 << 20,
	PIECE = 4096,
	TSO_BYTES = 60 * 1024,
	HEADERS_UDP = 14 + 20 + 8,
	HEADERS_TCP = 14 + 20 + 20,
	SLOT_BYTES = 16 * 4096, /* a packet's place in guest memory */
	RULES = 20,
};

struct bench_card {
	struct port port;
	struct vpc_map *map;
	struct gmem *mem;
	uint8_t *ram;
	uint64_t next;
	int ring_fd, kick_fd, wait_fd;
	uint8_t host, other;
	uint64_t slot_at[BENCH_CARD_DEPTH];
	unsigned slot, slots;
	uint32_t seq;
	_Atomic uint32_t doorbells[ENA_DB_BYTES / 4];
	struct ena_driver d;
	uint8_t rx[ENA_FRAME_MAX];
	char text[16384];
};

static void irq(void *ctx, unsigned vector)
{
	(void)ctx;
	(void)vector;
}

/* ---- the driver's way to the device ---- */

static uint32_t op_read(void *ctx, unsigned off)
{
	struct bench_card *c = ctx;
	uint32_t v = 0;

	ena_access(c->port.ena, 0, off, &v, sizeof(v), false);
	return v;
}

/* Doorbells are stored by the hypervisor: here at once. */
static void op_write(void *ctx, unsigned off, uint32_t v)
{
	struct bench_card *c = ctx;

	ena_access(c->port.ena, 0, off, &v, sizeof(v), true);
}

static uint64_t op_alloc(void *ctx, size_t len)
{
	struct bench_card *c = ctx;
	uint64_t at = c->next;

	len = align_up(len, 4096);
	must(at + len <= RAM_BYTES);
	c->next += len;
	return at;
}

static void *op_mem(void *ctx, uint64_t at)
{
	struct bench_card *c = ctx;

	return c->ram + at;
}

static bool op_wait(void *ctx, unsigned vector)
{
	(void)vector;
	bench_card_work(ctx, 1000);
	return true;
}

static const struct ena_driver_ops driver_ops = { op_read, op_write, op_alloc, op_mem, op_wait };

/* ---- set-up ---- */

static void mac_of(uint8_t host, uint8_t mac[6])
{
	memcpy(mac, (uint8_t[6]){ 6, 0, 0, 0, host, 1 }, 6);
}

static struct vpc_addr addr(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	return (struct vpc_addr){ .family = VPC_IPV4, .b = { a, b, c, d } };
}

static void engine_set(struct bench_card *c)
{
	struct vpc_interface i = { .vni = BENCH_CARD_VNI,
				   .mtu = 9001,
				   .source_dest_check = true,
				   .vpc = addr(172, 31, 0, 0),
				   .vpc_prefix = 16,
				   .subnet = addr(172, 31, 0, 0),
				   .subnet_prefix = 16,
				   .hostname = "bench",
				   .domain = "ec2.internal",
				   .addr_cnt = 1 };
	struct vpc_route local = { .addr = addr(172, 31, 0, 0),
				   .prefix = 16,
				   .target = VPC_ROUTE_LOCAL };
	static struct vpc_rule rule[2 * RULES];
	struct vpc_addr other = addr(172, 31, c->other, 1);
	uint8_t mac[6];
	unsigned k;

	mac_of(c->host, i.mac);
	i.addr[0] = addr(172, 31, c->host, 1);
	must(vpc_port_set(c->port.vpc, &i, 1000) == 0);
	/* The one that matters comes last. */
	for (k = 0; k < 2 * RULES; k++)
		rule[k] = (struct vpc_rule){ .egress = k & 1,
					     .proto = IP_TCP,
					     .port_min = (uint16_t)(8000 + k),
					     .port_max = (uint16_t)(8000 + k),
					     .addr = addr(10, 0, 0, 0),
					     .prefix = 8 };
	for (k = 2 * RULES - 2; k < 2 * RULES; k++)
		rule[k] = (struct vpc_rule){ .egress = k & 1,
					     .proto = VPC_PROTO_ALL,
					     .port_max = VPC_PORT_ALL,
					     .addr = addr(172, 31, 0, 0),
					     .prefix = 16 };
	must(vpc_port_rules_set(c->port.vpc, rule, 2 * RULES) == 0);
	must(vpc_port_routes_set(c->port.vpc, &local, 1) == 0);
	mac_of(c->other, mac);
	must(vpc_map_add(c->map, BENCH_CARD_VNI, &other, mac) == 0);
	mac_of(c->host, mac);
	must(vpc_map_add(c->map, BENCH_CARD_VNI, &i.addr[0], mac) == 0);
}

static void memory_make(struct bench_card *c)
{
	int fd = fd_memfd("bench", RAM_BYTES);
	void *p;

	must(fd >= 0 && gmem_new(&c->mem) == 0);
	must(gmem_region_add(c->mem, (gpa_t){ 0 }, RAM_BYTES, GMEM_READ | GMEM_WRITE, fd, 0) == 0);
	p = mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	must(p != MAP_FAILED);
	c->ram = p;
	c->next = 4096;
	fd_closep(&fd);
}

struct bench_card *bench_card_new(uint8_t host, uint8_t other)
{
	static const uint8_t seed[16] = { 1 };
	struct ctl_netcard_interface_add add = { .interface_id = "eni-bench", .mtu = 9001 };
	struct port_conf pc = { .add = &add, .seed = seed, .tap_fd = -1 };
	struct ena_conf ec = {
		.name = "eni-bench", .mtu = 9001, .queue_pairs = 1, .irq = irq, .ops = &port_ops
	};
	struct bench_card *c = calloc(1, sizeof(*c));

	must(c && vpc_map_new(64, seed, &c->map) == 0);
	c->host = host;
	c->other = other;
	mac_of(host, add.mac);
	memory_make(c);
	c->ring_fd = packet_ring_fd_new();
	c->kick_fd = fd_eventfd();
	c->wait_fd = fd_eventfd();
	pc.map = c->map;
	pc.ring_fd = c->ring_fd;
	pc.kick_fd = c->kick_fd;
	pc.wait_fd = c->wait_fd;
	must(c->ring_fd >= 0 && port_init(&c->port, &pc) == 0);
	engine_set(c);
	memcpy(ec.mac, add.mac, 6);
	ec.mem = c->mem;
	ec.db_page = c->doorbells;
	ec.port = &c->port;
	must(ena_new(&ec, &c->port.ena) == 0);
	c->d.ops = &driver_ops;
	c->d.ctx = c;
	must(ena_driver_probe(&c->d) == 0 && ena_driver_up(&c->d, 1, BENCH_CARD_DEPTH) == 0);
	for (; c->slots < 256; c->slots++)
		c->slot_at[c->slots] = op_alloc(c, SLOT_BYTES);
	return c;
}

void bench_card_fds(const struct bench_card *c, int ret[3])
{
	ret[0] = c->ring_fd;
	ret[1] = c->wait_fd;
	ret[2] = c->kick_fd;
}

/* ---- packets ---- */

static size_t headers_put(struct bench_card *c, uint8_t *p, enum bench_packet kind, size_t len)
{
	bool tcp = kind != BENCH_UDP;
	struct wr w = wr_init(p, HEADERS_TCP);
	uint8_t mac[6];

	mac_of(c->other, mac);
	wr_bytes(&w, mac, 6);
	mac_of(c->host, mac);
	wr_bytes(&w, mac, 6);
	wr_be16(&w, 0x0800);
	wr_be16(&w, 0x4500);
	wr_be16(&w, (uint16_t)(len - 14));
	wr_be32(&w, 0x00004000);
	wr_be32(&w, tcp ? 0x40060000 : 0x40110000); /* the device does the checksums */
	wr_bytes(&w, (uint8_t[4]){ 172, 31, c->host, 1 }, 4);
	wr_bytes(&w, (uint8_t[4]){ 172, 31, c->other, 1 }, 4);
	wr_be16(&w, c->host == 1 ? 40000 : 5201);
	wr_be16(&w, c->host == 1 ? 5201 : 40000);
	if (!tcp) {
		wr_be16(&w, (uint16_t)(len - 34));
		wr_be16(&w, 0);
		return HEADERS_UDP;
	}
	wr_be32(&w, c->seq);
	wr_be32(&w, kind == BENCH_SYN ? 0 : 1);
	wr_u8(&w, 5 << 4);
	wr_u8(&w, kind == BENCH_SYN       ? TCP_SYN
		  : kind == BENCH_SYN_ACK ? TCP_SYN | TCP_ACK
					  : TCP_ACK);
	wr_be16(&w, 0xffff);
	wr_be32(&w, 0);
	c->seq += kind == BENCH_TSO ? (uint32_t)(len - HEADERS_TCP) : kind != BENCH_ACK;
	return HEADERS_TCP;
}

static int packet_put(struct bench_card *c, enum bench_packet kind, unsigned frame)
{
	struct ena_driver_offload o = {
		.l3_csum = true, .l4_csum = true, .l3_off = 14, .l3_len = 20
	};
	size_t len = kind == BENCH_TSO   ? HEADERS_TCP + TSO_BYTES
		     : kind == BENCH_UDP ? frame
					 : HEADERS_TCP,
	       off;
	struct ena_driver_sg sg[ENA_DRIVER_SG_MAX];
	uint64_t at = c->slot_at[c->slot++ % c->slots];
	unsigned n = 0;

	(void)headers_put(c, op_mem(c, at), kind, len);
	o.tcp = kind != BENCH_UDP;
	o.l4_words = o.tcp ? 5 : 2;
	o.tso = kind == BENCH_TSO;
	o.mss = o.tso ? (uint16_t)(frame - HEADERS_TCP) : 0;
	for (off = 0; off < len; off += PIECE)
		sg[n++] = (struct ena_driver_sg){ at + off, (uint16_t)min_u64(len - off, PIECE) };
	return ena_driver_tx(&c->d, 0, sg, n, &o);
}

unsigned bench_card_send(struct bench_card *c, enum bench_packet kind, unsigned cnt, unsigned frame)
{
	unsigned n;

	for (n = 0; n < cnt && packet_put(c, kind, frame) >= 0; n++)
		;
	ena_driver_ring_db(&c->d, &c->d.q[0].tx);
	return n;
}

void bench_card_work(struct bench_card *c, uint64_t now_ns)
{
	while (port_service(&c->port, now_ns))
		;
}

unsigned bench_card_reap(struct bench_card *c)
{
	struct ena_driver_rx rx;
	unsigned n = 0;

	while (ena_driver_rx(&c->d, 0, c->rx, sizeof(c->rx), &rx) == 1)
		n++;
	ena_driver_rx_refill(&c->d, 0);
	must(ena_driver_tx_reap(&c->d, 0) >= 0);
	ena_driver_unmask(&c->d, 0);
	return n;
}

uint64_t bench_card_drops(const struct bench_card *c)
{
	struct ena_stats s;

	ena_stats_get(c->port.ena, &s);
	return s.tx_drops + s.rx_drops;
}

void bench_card_describe(struct bench_card *c)
{
	(void)fprintf(stderr, "%.*s", (int)port_stats(&c->port, c->text, sizeof(c->text)), c->text);
}
