/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The whole wire, two hosts of it, on rings and datagrams of their own: see tests/lib/wire_rig.h.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "wire_pair.h"

/* ---- one host ---- */

static void same_host__delivers_with_flag_and_counts(void **state)
{
	unsigned len = 0;

	(void)state;
	rig_send_to(a1, a2, 11, 1000);
	rig_run(&a, NULL, MS);
	assert_int_equal(rig_recv(a2, &len), 11);
	assert_int_equal(len, 1000);
	assert_int_equal(rig_recv(a1, NULL), 0);
	assert_int_equal(rig_stat(&a, "eni-1-1", "tx_frames"), 1);
	assert_int_equal(rig_stat(&a, "eni-1-1", "tx_bytes"), 1000);
	assert_int_equal(rig_stat(&a, "eni-1-2", "rx_frames"), 1);
	assert_int_equal(rig_stat(&a, "wire", "udp_tx_datagrams"), 0);
}

static void same_host__another_network_is_unreachable(void **state)
{
	struct rig_port *other = rig_port(&a, 3, RIG_VNI + 1, CHECK);

	(void)state;
	rig_send_to(a1, other, 1, 0);
	rig_send_to(other, a1, 2, 0);
	rig_run(&a, NULL, MS);
	assert_int_equal(rig_recv(other, NULL), 0);
	assert_int_equal(rig_recv(a1, NULL), 0);
	assert_int_equal(rig_stat(&a, "eni-1-1", "drop_unknown_destination"), 1);
	assert_int_equal(rig_stat(&a, "eni-1-3", "drop_unknown_destination"), 1);
}

/* What a card that was taken over may try; an honest twin after each. */
static void source__is_checked_again(void **state)
{
	static const struct {
		const char *counter;
		uint64_t src_xor, dst;
		uint8_t ip_xor;
		uint16_t type;
	} probe[] = {
		{ "drop_source_mac", 3, 0, 0, 0 },
		{ "drop_source_ip", 0, 0, 1, 0 },
		{ "drop_arp", 0, 0, 0, 0x0806 },
		{ "drop_ethertype", 0, 0, 0, 0x8100 },
		{ "drop_ethertype", 0, 0, 0, 0x88a8 },
		{ "drop_ethertype", 0, 0, 0, 0x0001 },
		{ "drop_group_address", 0, 0xffffffffffff, 0, 0 },
		{ "drop_group_address", 0, 0x01005e000001, 0, 0 },
		{ "drop_runt", 0, 0, 0, 0x86dd }, /* IPv4 inside */
		{ "drop_unknown_destination", 0, 0x0600000000ee, 0, 0 },
		{ "drop_unknown_destination", 0, 0x060000000101, 0, 0 }, /* itself */
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(probe); i++) {
		uint64_t before = rig_stat(&a, "eni-1-1", probe[i].counter);
		struct rig_frame f = { .src = a1->mac ^ probe[i].src_xor,
				       .dst = a2->mac,
				       .tag = 66,
				       .type = probe[i].type };

		if (probe[i].dst)
			f.dst = probe[i].dst;
		memcpy(f.src_ip, a1->ip, 4);
		f.src_ip[3] ^= probe[i].ip_xor;
		rig_send(a1, &f);
		rig_run(&a, NULL, MS);
		assert_int_equal(rig_recv(a2, NULL), 0);
		assert_int_equal(rig_recv(a1, NULL), 0);
		assert_int_equal(rig_stat(&a, "eni-1-1", probe[i].counter), before + 1);
		rig_send_to(a1, a2, 7, 0);
		rig_run(&a, NULL, MS);
		assert_int_equal(rig_recv(a2, NULL), 7);
	}
}

static void source__any_address_without_source_check(void **state)
{
	struct rig_frame f = { .src = a1->mac, .dst = a2->mac, .tag = 5, .src_ip = { 8, 8, 8, 8 } };

	(void)state;
	assert_int_equal(rig_port_set(&a, a1, 0), 0);
	rig_send(a1, &f);
	f.src ^= 3; /* the MAC is checked all the same */
	rig_send(a1, &f);
	rig_run(&a, NULL, MS);
	assert_int_equal(rig_recv(a2, NULL), 5);
	assert_int_equal(rig_recv(a2, NULL), 0);
	assert_int_equal(rig_stat(&a, "eni-1-1", "drop_source_mac"), 1);
}

static void gateway__speaks_for_the_outside_only(void **state)
{
	struct rig_port *igw = rig_port(&a, 9, RIG_VNI, CTL_VPC_GATEWAY);
	struct rig_frame f = {
		.src = igw->mac, .dst = a1->mac, .tag = 5, .src_ip = { 8, 8, 8, 8 }
	};

	(void)state;
	rig_send(igw, &f);
	memcpy(f.src_ip, a2->ip, 4);
	rig_send(igw, &f);
	rig_run(&a, NULL, MS);
	assert_int_equal(rig_recv(a1, NULL), 5);
	assert_int_equal(rig_recv(a1, NULL), 0);
	assert_int_equal(rig_stat(&a, igw->id, "drop_source_ip"), 1);
	rig_send_to(a1, igw, 6, 0);
	rig_run(&a, NULL, MS);
	assert_int_equal(rig_recv(igw, NULL), 6);
}

static void ring__full_drops_and_counts(void **state)
{
	unsigned i, got = 0;

	(void)state;
	for (i = 0; i < 200; i++) {
		rig_send_to(a1, a2, i + 1, 9000);
		rig_run(&a, NULL, MS);
	}
	while (rig_recv(a2, NULL) == got + 1)
		got++;
	assert_in_range(got, 100, 120); /* 1 MiB of 9000 */
	assert_int_equal(rig_stat(&a, "eni-1-2", "drop_ring_full"), 200 - got);
	rig_send_to(a1, a2, 999, 9000);
	rig_run(&a, NULL, MS);
	assert_int_equal(rig_recv(a2, NULL), 999);
}

static void ring__death_of_one_disturbs_nobody(void **state)
{
	struct rig_port *a3 = rig_port(&a, 3, RIG_VNI, CHECK);
	uint8_t *to;

	(void)state;
	/* A record that cannot be: the length lies in the 16 bytes before the frame. */
	to = packet_ring_reserve(a1->ring, 64);
	assert_non_null(to);
	packet_ring_commit(a1->ring, 64, 0);
	memset(to - PACKET_RING_HDR_BYTES, 0xff, PACKET_RING_HDR_BYTES);
	(void)!packet_ring_publish(a1->ring);
	fd_event_signal(a1->kick_fd);
	rig_send_to(a2, a3, 4, 0);
	rig_run(&a, NULL, MS);
	assert_int_equal(rig_recv(a3, NULL), 4);
	assert_int_equal(rig_stat(&a, "wire", "ports_dead"), 1);
	assert_int_equal(rig_stat(&a, "eni-1-1", "dead"), 1);
	/* To a dead port: dropped. */
	rig_send_to(a2, a1, 5, 0);
	rig_run(&a, NULL, MS);
	assert_int_equal(rig_stat(&a, "eni-1-1", "drop_ring_full"), 1);
	/* A new card under the same name. */
	assert_int_equal(rig_port_ring(&a, a1), 0);
	rig_send_to(a2, a1, 6, 0);
	rig_send_to(a1, a2, 7, 0);
	rig_run(&a, NULL, MS);
	assert_int_equal(rig_recv(a1, NULL), 6);
	assert_int_equal(rig_recv(a2, NULL), 7);
}

static int port_del_request(struct rig *r, const char *id)
{
	struct ctl_msg *m = &r->msg;

	memset(m, 0, sizeof(*m));
	m->type = CTL_WIRE_PORT_DEL;
	(void)snprintf(m->u.wire_port_ref.interface_id, CTL_ID_MAX, "%s", id);
	rig_control(r, m);
	return m->u.ack.err;
}

static void port__comes_and_goes_in_any_order(void **state)
{
	struct rig_port late = { .id = "eni-late",
				 .mac = 0x060000000077,
				 .ip = { 172, 31, 1, 7 },
				 .vni = RIG_VNI,
				 .kick_fd = -1,
				 .wait_fd = -1,
				 .mem_fd = -1 };

	(void)state;
	/* niterd first */
	assert_int_equal(rig_port_set(&a, &late, CHECK), 0);
	rig_send_to(a1, &late, 1, 0);
	rig_run(&a, NULL, MS);
	assert_int_equal(rig_stat(&a, "eni-late", "drop_ring_full"), 1);
	assert_int_equal(rig_port_ring(&a, &late), 0);
	rig_send_to(a1, &late, 2, 0);
	rig_run(&a, NULL, MS);
	assert_int_equal(rig_recv(&late, NULL), 2);
	/* gone, with frames in its ring and frames to it on their way */
	rig_send_to(&late, a1, 3, 0);
	rig_send_to(a1, &late, 4, 0);
	assert_int_equal(port_del_request(&a, "eni-late"), 0);
	rig_run(&a, NULL, MS);
	assert_int_equal(rig_recv(&late, NULL), 0);
	assert_int_equal(rig_recv(a1, NULL), 0);
	assert_int_equal(rig_stat(&a, "eni-1-1", "drop_unknown_destination"), 1);
	assert_int_equal(port_del_request(&a, "eni-late"), -ENOENT);
	/* launcher first */
	assert_int_equal(rig_port_ring(&a, &late), 0);
	rig_send_to(&late, a1, 5, 0);
	rig_run(&a, NULL, MS);
	assert_int_equal(rig_recv(a1, NULL), 0);
	assert_int_equal(rig_stat(&a, "eni-late", "drop_unconfigured"), 1);
	assert_int_equal(rig_port_set(&a, &late, CHECK), 0);
	rig_send_to(&late, a1, 6, 0);
	rig_run(&a, NULL, MS);
	assert_int_equal(rig_recv(a1, NULL), 6);
	packet_ring_freep(&late.ring);
	fd_closep(&late.kick_fd);
	fd_closep(&late.wait_fd);
	fd_closep(&late.mem_fd);
}

static void port__refuses_a_mac_that_another_one_has(void **state)
{
	struct rig_port twin = *a2;

	(void)state;
	memcpy(twin.id, "eni-twin", 9);
	assert_int_equal(rig_port_set(&a, &twin, CHECK), -EEXIST);
	twin.vni++; /* in another network it is nobody's */
	assert_int_equal(rig_port_set(&a, &twin, CHECK), 0);
	/* ... and a port that changes its network leaves the old one */
	twin.vni = RIG_VNI;
	twin.mac ^= 0x10;
	assert_int_equal(rig_port_set(&a, &twin, CHECK), 0);
	assert_int_equal(port_del_request(&a, "eni-twin"), 0);
	assert_int_equal(rig_stat(&a, "wire", "mappings"), 2);
}

static void port__table_full_of_unused_ones_makes_room(void **state)
{
	struct rig_port p = { .vni = RIG_VNI };
	unsigned i;

	(void)state;
	for (i = 0; i < WIRE_PORTS_MAX + 10; i++) {
		(void)snprintf(p.id, sizeof(p.id), "eni-x%u", i);
		p.mac = 0x06aa00000000 | i;
		assert_int_equal(rig_port_set(&a, &p, CHECK), 0);
	}
	rig_send_to(a1, a2, 3, 0); /* those with a ring are never the ones */
	rig_run(&a, NULL, MS);
	assert_int_equal(rig_recv(a2, NULL), 3);
}

static void mapping__refuses_nonsense(void **state)
{
	struct rig_port p = *b1;

	(void)state;
	p.vni = 0;
	assert_int_equal(rig_map(&a, &p, 4, 0), -EINVAL);
	p.vni = 1 << 24;
	assert_int_equal(rig_map(&a, &p, 4, 0), -EINVAL);
	p.vni = (1 << 24) - 1;
	assert_int_equal(rig_map(&a, &p, 4, 0), 0);
	p.mac = 0;
	assert_int_equal(rig_map(&a, &p, 4, 0), -EINVAL);
	p.mac = 0x010000000000;
	assert_int_equal(rig_map(&a, &p, 4, 0), -EINVAL);
	assert_int_equal(rig_map(&a, b1, 5, 0), -EINVAL);
}

static void mapping__of_unknown_networks_and_hosts_leave_nothing_behind(void **state)
{
	uint64_t before = rig_stat(&a, "wire", "mappings");
	unsigned i, used = 0;
	struct rig_port p = *b1;

	(void)state;
	for (i = 0; i < 300; i++) {
		p.vni = 0x2000 + i;
		assert_int_equal(rig_map(&a, &p, 4, 77), 0);
	}
	assert_int_equal(rig_stat(&a, "wire", "mappings"), before + 600);
	for (i = 0; i < 300; i++) {
		p.vni = 0x2000 + i;
		assert_int_equal(rig_unmap(&a, &p, 4, 77), 0);
	}
	rig_run(&a, NULL, MS);
	assert_int_equal(rig_stat(&a, "wire", "mappings"), before);
	for (i = 0; i < WIRE_TUNNELS_MAX; i++)
		used += a.w.tunnel[i].peer_id != 0;
	assert_int_equal(used, 0);
}

static void mapping__deletes_only_what_it_names(void **state)
{
	struct rig_port moved = *b1;

	(void)state;
	map_all();
	moved.mac ^= 0x40;
	assert_int_equal(rig_map(&a, &moved, 4, 2), 0); /* the address has another owner now */
	assert_int_equal(rig_unmap(&a, b1, 4, 2), 0);   /* too late */
	settle();
	rig_send_to(a1, &moved, 1, 0);
	rig_run(&a, &b, MS);
	assert_int_equal(rig_stat(&a, "wire", "esp_tx_frames"), 1);
	rig_send_to(a1, b1, 1, 0); /* its MAC is nowhere */
	rig_run(&a, &b, MS);
	assert_int_equal(rig_stat(&a, "eni-1-1", "drop_unknown_destination"), 1);
}

/* ---- two hosts ---- */

static void two_hosts__deliver(void **state)
{
	unsigned len = 0;

	(void)state;
	map_all();
	settle();
	rig_send_to(a1, b1, 21, 1300);
	rig_send_to(b1, a1, 22, 34);
	rig_send_to(b1, a2, 23, 0);
	rig_run(&a, &b, MS);
	assert_int_equal(rig_recv(b1, &len), 21);
	assert_int_equal(len, 1300);
	assert_int_equal(rig_recv(a2, NULL), 23);
	assert_int_equal(rig_stat(&b, "wire", "esp_rx_frames"), 1);
	assert_int_equal(a.sec.twice + b.sec.twice, 0);
}

static void two_hosts__the_first_packet_waits_for_keys(void **state)
{
	(void)state;
	map_all();
	rig_send_to(a1, b1, 1, 0);
	rig_send_to(a1, b1, 2, 0);
	settle();
	assert_int_equal(rig_recv(b1, NULL), 1);
	assert_int_equal(rig_recv(b1, NULL), 2);
	assert_int_equal(rig_stat(&a, "wire", "frames_held"), 2);
}

static void two_hosts__what_waits_is_bounded_and_expires(void **state)
{
	unsigned i;

	(void)state;
	a.sec.silent = b.sec.silent = true;
	map_all();
	for (i = 0; i < 3 * WIRE_HELD_MAX; i++)
		rig_send_to(a1, b1, i + 1, 0);
	rig_run(&a, &b, MS);
	assert_int_equal(rig_stat(&a, "eni-1-1", "drop_no_keys"), 2 * WIRE_HELD_MAX);
	rig_run(&a, &b, WIRE_HELD_NS + MS);
	assert_int_equal(rig_stat(&a, "eni-1-1", "drop_no_keys"), 3 * WIRE_HELD_MAX);
	a.sec.silent = b.sec.silent = false;
	for (i = 0; i < 100; i++)
		rig_run(&a, &b, 100 * MS);
	assert_int_equal(rig_recv(b1, NULL), 0);
	rig_send_to(a1, b1, 77, 0);
	rig_run(&a, &b, MS);
	assert_int_equal(rig_recv(b1, NULL), 77);
}

static void two_hosts__a_peer_set_after_its_mappings_works_as_well(void **state)
{
	(void)state;
	assert_int_equal(rig_map(&a, b1, 4, 2), 0);
	assert_int_equal(rig_map(&b, a1, 4, 1), 0);
	rig_send_to(a1, b1, 1, 0);
	rig_run(&a, &b, MS);
	rig_peer(&b, &a);
	rig_peer(&a, &b);
	settle();
	assert_int_equal(rig_recv(b1, NULL), 1);
}

static void two_hosts__no_network_in_common_means_no_handshake(void **state)
{
	(void)state;
	rig_peer(&a, &b);
	rig_peer(&b, &a);
	settle();
	assert_int_equal(a.sec.starts + b.sec.starts, 0);
	assert_int_equal(rig_map(&a, b1, 4, 2), 0);
	rig_run(&a, &b, MS);
	assert_true(a.sec.starts > 0); /* twin */
}

static void two_hosts__a_gateway_elsewhere_brings_the_outside_in(void **state)
{
	struct rig_port *igw = rig_port(&b, 9, RIG_VNI, CTL_VPC_GATEWAY);
	struct rig_frame f = {
		.src = igw->mac, .dst = a1->mac, .tag = 5, .src_ip = { 8, 8, 8, 8 }
	};

	(void)state;
	map_all();
	assert_int_equal(rig_map(&a, igw, 0, 2), 0);
	settle();
	rig_send(igw, &f);
	rig_run(&a, &b, MS);
	assert_int_equal(rig_recv(a1, NULL), 5);
	rig_send_to(a1, igw, 6, 0);
	rig_run(&a, &b, MS);
	assert_int_equal(rig_recv(igw, NULL), 6);
	/* An instance of that host may not. */
	assert_int_equal(rig_port_set(&b, b1, 0), 0);
	f.src = b1->mac;
	rig_send(b1, &f);
	rig_run(&a, &b, MS);
	assert_int_equal(rig_recv(a1, NULL), 0);
	assert_int_equal(rig_stat(&a, "wire", "drop_source_ip"), 1);
	/* A gateway that is no more. */
	assert_int_equal(rig_unmap(&a, igw, 0, 2), 0);
	f.src = igw->mac;
	rig_send(igw, &f);
	rig_run(&a, &b, MS);
	assert_int_equal(rig_recv(a1, NULL), 0);
	assert_int_equal(rig_stat(&a, "wire", "drop_source_mac"), 1);
}

/* The other host was taken over: its wire checks nothing. Its ports may say what they like. */
static void ingress__another_host_speaks_for_its_own_only(void **state)
{
	struct rig_frame f = { .dst = a1->mac, .tag = 66 };
	struct rig_port evil = *b1;

	(void)state;
	map_all();
	settle();
	/* for an address of ours */
	assert_int_equal(rig_port_set(&b, b1, 0), 0);
	f.src = b1->mac;
	memcpy(f.src_ip, a2->ip, 4);
	rig_send(b1, &f);
	rig_run(&a, &b, MS);
	assert_int_equal(rig_recv(a1, NULL), 0);
	assert_int_equal(rig_stat(&a, "wire", "drop_source_ip"), 1);
	/* for a MAC of ours, and for one that nobody has */
	evil.mac = a2->mac;
	assert_int_equal(rig_unmap(&b, a2, 4, 1), 0);
	assert_int_equal(rig_port_set(&b, &evil, 0), 0);
	f.src = evil.mac;
	rig_send(b1, &f);
	rig_run(&a, &b, MS);
	evil.mac = 0x0600000000fe;
	assert_int_equal(rig_port_set(&b, &evil, 0), 0);
	f.src = evil.mac;
	rig_send(b1, &f);
	rig_run(&a, &b, MS);
	assert_int_equal(rig_recv(a1, NULL), 0);
	assert_int_equal(rig_stat(&a, "wire", "drop_source_mac"), 2);
	/* to somebody who is not here */
	assert_int_equal(rig_port_set(&b, b1, CHECK), 0);
	f = (struct rig_frame){ .src = b1->mac, .dst = 0x0600000000ee, .tag = 66 };
	memcpy(f.src_ip, b1->ip, 4);
	evil.mac = f.dst;
	evil.ip[3] = 99;
	assert_int_equal(rig_map(&b, &evil, 4, 1), 0);
	rig_send(b1, &f);
	rig_run(&a, &b, MS);
	assert_int_equal(rig_stat(&a, "wire", "drop_unknown_destination"), 1);
	rig_send_to(b1, a1, 8, 0); /* twin */
	rig_run(&a, &b, MS);
	assert_int_equal(rig_recv(a1, NULL), 8);
}

static void ingress__a_forwarder_of_the_same_host_may_speak_for_its_neighbour(void **state)
{
	struct rig_port *b2 = rig_port(&b, 2, RIG_VNI, CHECK);
	struct rig_frame f = { .src = b1->mac, .dst = a1->mac, .tag = 9 };

	(void)state;
	map_all();
	assert_int_equal(rig_map(&a, b2, 4, 2), 0);
	settle();
	assert_int_equal(rig_port_set(&b, b1, 0), 0);
	memcpy(f.src_ip, b2->ip, 4);
	rig_send(b1, &f);
	rig_run(&a, &b, MS);
	assert_int_equal(rig_recv(a1, NULL), 9);
}

/* One datagram as @from's wire would have received it. Return: its bytes. */
static size_t capture(struct rig *from, uint8_t *buf, size_t cap)
{
	ssize_t n = recv(from->w.udp.fd, buf, cap, MSG_DONTWAIT);

	return n < 0 ? 0 : (size_t)n;
}

static void inject(struct rig *to, const uint8_t *buf, size_t len)
{
	static uint8_t copy[UDP_RX_BYTES];
	struct udp_addr from;
	uint8_t addr[16] = { 127, 0, 0, 1 };

	must(udp_addr_make(&to->w.udp, 4, addr, b.udp_port, &from) == 0);
	memcpy(copy, buf, len);
	to->w.now_ns = to->now_ns;
	ingress_datagram(&to->w, copy, len, &from);
	port_kicks(&to->w);
}

static void ingress__flips_replays_and_strangers_are_dropped(void **state)
{
	uint8_t d[2048];
	size_t len, i;

	(void)state;
	map_all();
	settle();
	rig_send_to(b1, a1, 31, 0);
	rig_run(&b, NULL, MS);
	len = capture(&a, d, sizeof(d));
	assert_true(len > 98);
	for (i = 8 * 8; i < 8 * len; i++) { /* every bit after SPI and number */
		d[i / 8] ^= (uint8_t)(1 << i % 8);
		inject(&a, d, len);
		d[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	assert_int_equal(rig_stat(&a, "wire", "drop_icv"), 8 * (len - 8));
	for (i = 0; i < len; i++) /* every shorter one */
		inject(&a, d, i);
	assert_int_equal(rig_recv(a1, NULL), 0);
	d[0] ^= 1;
	inject(&a, d, len);
	d[0] ^= 1;
	assert_true(rig_stat(&a, "wire", "drop_unknown_spi") >= 1);
	assert_int_equal(rig_recv(a1, NULL), 0);
	inject(&a, d, len);
	assert_int_equal(rig_recv(a1, NULL), 31); /* none of that used it up */
	for (i = 0; i < 3; i++)
		inject(&a, d, len);
	assert_int_equal(rig_recv(a1, NULL), 0);
	assert_int_equal(rig_stat(&a, "wire", "drop_replay"), 3);
}

static void ingress__reordering_up_to_the_window(void **state)
{
	enum { FIRST = 5 };
	static uint8_t d[FIRST][2048];
	size_t len[FIRST];
	unsigned i;

	(void)state;
	map_all();
	settle();
	for (i = 0; i < FIRST; i++) {
		rig_send_to(b1, a1, 100 + i, 0);
		rig_run(&b, NULL, MS);
		len[i] = capture(&a, d[i], sizeof(d[i]));
		assert_true(len[i] > 0);
	}
	inject(&a, d[4], len[4]);
	inject(&a, d[2], len[2]); /* late, but inside the window */
	assert_int_equal(rig_recv(a1, NULL), 104);
	assert_int_equal(rig_recv(a1, NULL), 102);
	for (i = 0; i < 4096; i++) { /* now it moves on */
		rig_send_to(b1, a1, 1000 + i, 0);
		rig_run(&a, &b, 0);
		assert_int_equal(rig_recv(a1, NULL), 1000 + i);
	}
	inject(&a, d[0], len[0]);
	inject(&a, d[3], len[3]);
	assert_int_equal(rig_recv(a1, NULL), 0);
	assert_int_equal(rig_stat(&a, "wire", "drop_replay"), 2);
}

static void ingress__garbage_is_counted_and_nothing_else(void **state)
{
	uint8_t d[1500] = { 0 };
	unsigned i;

	(void)state;
	map_all();
	settle();
	inject(&a, d, 0);
	inject(&a, d, 3);
	d[0] = 0xff;
	inject(&a, d, 1);
	assert_int_equal(rig_stat(&a, "wire", "keepalives"), 1);
	inject(&a, d, 1500);
	d[0] = 0;
	d[3] = 77; /* a reserved SPI */
	inject(&a, d, 1500);
	assert_int_equal(rig_stat(&a, "wire", "drop_runt"), 3);
	d[3] = 0;
	inject(&a, d, 4);    /* a marker and nothing else */
	inject(&a, d, 1300); /* longer than any handshake message */
	assert_int_equal(rig_stat(&a, "wire", "drop_handshake_size"), 2);
	for (i = 0; i < 200; i++)
		inject(&a, d, 50);
	assert_int_equal(rig_stat(&a, "wire", "drop_handshake_rate"), 200 - WIRE_HANDSHAKES_PER_S);
	b.udp_port ^= 1;
	inject(&a, d, 50);
	b.udp_port ^= 1;
	assert_int_equal(rig_stat(&a, "wire", "drop_handshake_stranger"), 1);
	rig_run(&a, &b, MS);
	rig_send_to(b1, a1, 8, 0);
	rig_run(&a, &b, MS);
	assert_int_equal(rig_recv(a1, NULL), 8);
}

static void batches__are_cut_and_joined_by_the_kernel(void **state)
{
	unsigned i, len;

	(void)state;
	map_all();
	settle();
	for (i = 0; i < 60; i++)
		rig_send_to(a1, b1, i + 1, 1000);
	rig_send_to(a1, b1, 61, 500); /* the last of a run may be shorter */
	rig_send_to(a1, b1, 62, 1000);
	rig_run(&a, &b, MS);
	for (i = 0; i < 62; i++) {
		assert_int_equal(rig_recv(b1, &len), i + 1);
		assert_int_equal(len, i == 60 ? 500 : 1000);
	}
	assert_int_equal(rig_stat(&a, "wire", "udp_tx_errors"), 0);
	assert_true(rig_stat(&a, "wire", "udp_tx_runs") <= 5);
}

static void batches__longer_than_the_uplink_leave_in_fragments(void **state)
{
	unsigned i, len;

	(void)state;
	map_all();
	settle();
	for (i = 0; i < 5; i++)
		rig_send_to(a1, b1, i + 1, 9014);
	rig_run(&a, &b, MS);
	for (i = 0; i < 5; i++) {
		assert_int_equal(rig_recv(b1, &len), i + 1);
		assert_int_equal(len, 9014);
	}
	assert_int_equal(rig_stat(&a, "wire", "udp_tx_fragmented"), 5);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(same_host__delivers_with_flag_and_counts),
		T(same_host__another_network_is_unreachable),
		T(source__is_checked_again),
		T(source__any_address_without_source_check),
		T(gateway__speaks_for_the_outside_only),
		T(ring__full_drops_and_counts),
		T(ring__death_of_one_disturbs_nobody),
		T(port__comes_and_goes_in_any_order),
		T(port__refuses_a_mac_that_another_one_has),
		T(port__table_full_of_unused_ones_makes_room),
		T(mapping__refuses_nonsense),
		T(mapping__of_unknown_networks_and_hosts_leave_nothing_behind),
		T(mapping__deletes_only_what_it_names),
		T(two_hosts__deliver),
		T(two_hosts__the_first_packet_waits_for_keys),
		T(two_hosts__what_waits_is_bounded_and_expires),
		T(two_hosts__a_peer_set_after_its_mappings_works_as_well),
		T(two_hosts__no_network_in_common_means_no_handshake),
		T(two_hosts__a_gateway_elsewhere_brings_the_outside_in),
		T(ingress__another_host_speaks_for_its_own_only),
		T(ingress__a_forwarder_of_the_same_host_may_speak_for_its_neighbour),
		T(ingress__flips_replays_and_strangers_are_dropped),
		T(ingress__reordering_up_to_the_window),
		T(ingress__garbage_is_counted_and_nothing_else),
		T(batches__are_cut_and_joined_by_the_kernel),
		T(batches__longer_than_the_uplink_leave_in_fragments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
