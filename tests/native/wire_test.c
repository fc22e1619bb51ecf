/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Two hosts' real niter-wire in their jails, with a network between them in the test's hand. argv[1]: the program.
 *
 *   card a1 ─ring─┐                                          ┌─ring─ card b1
 *   card a2 ─ring─┤ niter-wire A ──UDP── test ──UDP── niter-wire B ┤
 *   card a3 ─ring─┘ (a3: another network)                    └─ring─ card b3
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/log.h"
#include "wire_host.h"

enum { VNI = 0x1001, OTHER_VNI = 0x1002, PATIENCE_MS = 10000, UPLINK_MTU = 1500 };

#define CHECK CTL_VPC_SOURCE_DEST_CHECK

static const char *program;
static struct wire_host a, b;
static struct net net;
static struct rig_port *a1, *a2, *a3, *b1, *b3;

static void map_all(struct wire_host *h, uint32_t other)
{
	assert_int_equal(wire_host_map(h, a1, 4, h == &a ? 0 : other), 0);
	assert_int_equal(wire_host_map(h, a2, 4, h == &a ? 0 : other), 0);
	assert_int_equal(wire_host_map(h, a3, 4, h == &a ? 0 : other), 0);
	assert_int_equal(wire_host_map(h, b1, 4, h == &b ? 0 : other), 0);
	assert_int_equal(wire_host_map(h, b3, 4, h == &b ? 0 : other), 0);
}

static void configure(void)
{
	assert_int_equal(wire_host_peer(&a, &b, net.port_a), 0);
	assert_int_equal(wire_host_peer(&b, &a, net.port_b), 0);
	map_all(&a, 2);
	map_all(&b, 1);
}

/* Frames between all pairs of hosts arrive: keys are there. */
static void settle(void);

static int setup(void **state)
{
	(void)state;
	assert_int_equal(wire_host_start(&a, program, 1, UPLINK_MTU, NULL), 0);
	assert_int_equal(wire_host_start(&b, program, 2, UPLINK_MTU, NULL), 0);
	net_init(&net, &a, &b);
	a1 = wire_host_port(&a, 1, VNI, CHECK);
	a2 = wire_host_port(&a, 2, VNI, CHECK);
	a3 = wire_host_port(&a, 3, OTHER_VNI, CHECK);
	b1 = wire_host_port(&b, 1, VNI, CHECK);
	b3 = wire_host_port(&b, 3, OTHER_VNI, CHECK);
	configure();
	settle();
	return 0;
}

/* No (key, IV) pair was on the network twice: every SPI is one key (the hosts' lists say so), and its IVs differ. */
static int seen_order(const void *x, const void *y)
{
	const struct net_seen *s = x, *t = y;

	if (s->spi != t->spi)
		return s->spi < t->spi ? -1 : 1;
	return s->iv < t->iv ? -1 : s->iv > t->iv;
}

static void ivs_never_repeat(void)
{
	size_t i;

	qsort(net.seen, net.seen_cnt, sizeof(*net.seen), seen_order);
	for (i = 1; i < net.seen_cnt; i++)
		assert_true(seen_order(&net.seen[i - 1], &net.seen[i]) != 0);
}

static int teardown(void **state)
{
	(void)state;
	ivs_never_repeat();
	assert_false(net.clear);
	assert_int_equal(a.sec.twice + b.sec.twice, 0);
	assert_int_equal(wire_host_done(&a), 0);
	assert_int_equal(wire_host_done(&b), 0);
	net_done(&net);
	return 0;
}

/* ---- waiting ---- */

struct expect {
	struct rig_port *port;
	uint32_t tag;
	unsigned got;
};

static bool arrived(void *arg)
{
	struct expect *e = arg;
	uint32_t tag;

	while ((tag = rig_recv(e->port, NULL))) {
		e->got++;
		if (tag == e->tag)
			return true;
	}
	return false;
}

/* Return: 0 it came, -ETIMEDOUT. */
static int wait_tag(struct rig_port *p, uint32_t tag, unsigned ms)
{
	struct expect e = { p, tag, 0 };

	return wire_world_run(&net, arrived, &e, ms);
}

/* What was sent before must not arrive: this one, sent after it, does, and nothing else came. */
static void only(struct rig_port *from, struct rig_port *to, uint32_t tag)
{
	struct expect e = { to, tag, 0 };

	rig_send_to(from, to, tag, 0);
	assert_int_equal(wire_world_run(&net, arrived, &e, PATIENCE_MS), 0);
	assert_int_equal(e.got, 1);
}

static void settle(void)
{
	struct rig_port *const pair[][2] = { { a1, b1 }, { b1, a2 }, { a3, b3 }, { b3, a3 } };
	unsigned i, try;

	for (i = 0; i < ARRAY_SIZE(pair); i++) {
		for (try = 0; try < 50; try++) {
			rig_send_to(pair[i][0], pair[i][1], 1, 0);
			if (wait_tag(pair[i][1], 1, 200) == 0)
				break;
		}
		assert_true(try < 50);
		(void)wait_tag(pair[i][1], 0xffffffff, 20); /* the other tries */
	}
}

/* ---- the jail ---- */

static void status_value(const char *name, char *ret, size_t cap)
{
	char path[64], line[256];
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", a.pid);
	f = fopen(path, "re");
	assert_non_null(f);
	ret[0] = '\0';
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ':')
			(void)snprintf(ret, cap, "%s", line + strlen(name) + 2);
	(void)fclose(f);
	ret[strcspn(ret, "\n")] = '\0';
}

static void jail__holds_no_right_and_only_its_descriptors(void **state)
{
	static const char *const none[] = { "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb" };
	unsigned i, sockets = 0, events = 0, polls = 0, others = 0;
	char v[128], path[64], to[64];
	struct dirent *e;
	ssize_t n;
	DIR *d;

	(void)state;
	if (geteuid() != 0)
		skip();
	for (i = 0; i < ARRAY_SIZE(none); i++) {
		status_value(none[i], v, sizeof(v));
		assert_string_equal(v, "0000000000000000");
	}
	status_value("NoNewPrivs", v, sizeof(v));
	assert_string_equal(v, "1");
	status_value("Seccomp", v, sizeof(v));
	assert_string_equal(v, "2");
	(void)snprintf(path, sizeof(path), "/proc/%d/fd", a.pid);
	d = opendir(path);
	assert_non_null(d);
	while ((e = readdir(d))) {
		n = readlinkat(dirfd(d), e->d_name, to, sizeof(to) - 1);
		if (n < 0 || atoi(e->d_name) < 3)
			continue;
		to[n] = '\0';
		sockets += !strncmp(to, "socket:", 7);
		events += !strcmp(to, "anon_inode:[eventfd]");
		polls += !strcmp(to, "anon_inode:[eventpoll]");
		others += strncmp(to, "socket:", 7) && strncmp(to, "anon_inode:", 11);
	}
	(void)closedir(d);
	assert_int_equal(sockets, 4); /* control, service, tunnel channel, UDP */
	assert_int_equal(events, 6);  /* two for each port */
	assert_int_equal(polls, 1);
	assert_int_equal(others, 0); /* the rings' memory is mapped, not open */
	(void)snprintf(path, sizeof(path), "/proc/%d/root", a.pid);
	d = opendir(path);
	assert_non_null(d);
	for (i = 0; readdir(d); i++)
		;
	(void)closedir(d);
	assert_int_equal(i, 2); /* . and .. */
}

/* ---- delivery ---- */

static void delivery__same_host_and_other_host(void **state)
{
	unsigned len;

	(void)state;
	only(a1, a2, 11);
	only(a1, b1, 12);
	only(b1, a2, 13);
	for (len = 38; len <= 9216; len += 1529) {
		rig_send_to(a1, b1, len, len);
		assert_int_equal(wait_tag(b1, len, PATIENCE_MS), 0);
		rig_send_to(a1, a2, len, len);
		assert_int_equal(wait_tag(a2, len, PATIENCE_MS), 0);
	}
	assert_true(net.esp > 0 && net.handshakes > 0);
	assert_int_equal(net.others, 0);
}

static void delivery__networks_do_not_meet(void **state)
{
	(void)state;
	rig_send_to(a1, a3, 66, 0);
	rig_send_to(a1, b3, 66, 0);
	rig_send_to(a3, b1, 66, 0);
	rig_send_to(b3, a1, 66, 0);
	only(b3, a3, 1);
	only(a3, b3, 2);
	only(b1, a1, 3);
	only(a1, b1, 4);
	assert_int_equal(wire_host_stat(&a, a1->id, "drop_unknown_destination"), 2);
	assert_int_equal(wire_host_stat(&a, a3->id, "drop_unknown_destination"), 1);
	assert_int_equal(wire_host_stat(&b, b3->id, "drop_unknown_destination"), 1);
}

static void probe(struct rig_frame f, const char *counter)
{
	uint64_t before = wire_host_stat(&a, a1->id, counter);

	f.tag = 66;
	rig_send(a1, &f);
	only(a1, a2, 1);
	only(a1, b1, 1);
	assert_int_equal(wire_host_stat(&a, a1->id, counter), before + 1);
}

static void spoofing__goes_nowhere(void **state)
{
	struct rig_frame f = { .src = a1->mac, .src_ip = { 172, 31, 1, 1 } };

	(void)state;
	f.dst = b1->mac;
	f.src = a2->mac;
	probe(f, "drop_source_mac");
	f.src = a1->mac;
	f.src_ip[3] = 2;
	probe(f, "drop_source_ip");
	f.dst = a2->mac;
	probe(f, "drop_source_ip");
	f.src_ip[3] = 1;
	f.type = 0x0806;
	probe(f, "drop_arp");
	f.type = 0;
	f.dst = 0xffffffffffff;
	probe(f, "drop_group_address");
	f.dst = 0x3333000000fb;
	probe(f, "drop_group_address");
	f.dst = 0x0600000000ee;
	probe(f, "drop_unknown_destination");
	f.dst = b1->mac;
	f.type = 0x8100;
	probe(f, "drop_ethertype");
}

/* ---- the network lies ---- */

static void network__flipped_bits_are_dropped(void **state)
{
	unsigned bit, cnt = 0;

	(void)state;
	net.fate = NET_FLIP;
	for (bit = 0; bit < 8 * 16 + 64; bit += 7) { /* ICV and the end of the ciphertext */
		net.flip_at = bit;
		rig_send_to(a1, b1, 66, 0);
		assert_int_equal(wait_tag(b1, 66, 20), -ETIMEDOUT);
		cnt++;
	}
	net.fate = NET_PASS;
	only(a1, b1, 5);
	assert_int_equal(wire_host_stat(&b, "wire", "drop_icv"), cnt);
}

static void network__replays_are_dropped(void **state)
{
	unsigned i;

	(void)state;
	net.fate = NET_TWICE;
	for (i = 0; i < 10; i++)
		only(a1, b1, 100 + i);
	net.fate = NET_PASS;
	only(a1, b1, 5);
	assert_int_equal(wire_host_stat(&b, "wire", "drop_replay"), 10);
}

static void network__reordering_beyond_the_window_is_dropped(void **state)
{
	unsigned i;

	(void)state;
	net.fate = NET_KEEP;
	for (i = 0; i < 3; i++)
		rig_send_to(a1, b1, 200 + i, 0);
	assert_int_equal(wait_tag(b1, 0xffffffff, 50), -ETIMEDOUT);
	assert_int_equal(net.kept_cnt, 3);
	net.fate = NET_PASS;
	only(a1, b1, 5);
	net_send(&net, &net.kept[1]); /* late */
	assert_int_equal(wait_tag(b1, 201, PATIENCE_MS), 0);
	for (i = 0; i < 4200; i++) {
		rig_send_to(a1, b1, 1000 + i, 0);
		if (i % 50 == 49)
			assert_int_equal(wait_tag(b1, 1000 + i, PATIENCE_MS), 0);
	}
	net_send(&net, &net.kept[0]); /* too late */
	net_send(&net, &net.kept[2]);
	only(a1, b1, 6);
	assert_int_equal(wire_host_stat(&b, "wire", "drop_replay"), 2);
}

static void network__garbage_harms_nobody(void **state)
{
	static struct net_datagram d;
	unsigned i, k, x = 1;

	(void)state;
	for (i = 0; i < 2000; i++) {
		d.to_b = true;
		d.len = i % 1600;
		for (k = 0; k < d.len; k++)
			d.b[k] = (uint8_t)((x = x * 1664525 + 1013904223) >> 24);
		if (i & 1)
			memset(d.b, 0, d.len < 4 ? d.len : 4); /* a "handshake" */
		net_send(&net, &d);
		if (i % 25 == 24) /* its socket holds no more */
			(void)wire_world_run(&net, NULL, NULL, 3);
	}
	only(a1, b1, 5);
	only(b1, a1, 6);
	/* Those of a length that ESP can have. */
	assert_in_range(wire_host_stat(&b, "wire", "drop_unknown_spi"), 400, 500);
	assert_true(wire_host_stat(&b, "wire", "drop_handshake_rate") > 100);
}

/* ---- keys ---- */

/* Frames both ways for @ms, at most a few under way. Return: those that did not arrive. */
static unsigned traffic(unsigned ms, unsigned *sent)
{
	uint64_t end_ns = clock_ns() + (uint64_t)ms * 1000000;
	unsigned lost = 0, i;

	while (clock_ns() < end_ns) {
		for (i = 0; i < 8; i++) {
			rig_send_to(a1, b1, ++*sent, 600);
			rig_send_to(b1, a1, *sent, 200);
		}
		lost += wait_tag(b1, *sent, 3000) != 0;
		lost += wait_tag(a1, *sent, 3000) != 0;
	}
	return lost;
}

static void rekey__under_traffic_loses_nothing(void **state)
{
	struct ctl_tun_peer_ref b_ = { .peer = 2 };
	unsigned sent = 0, i, before = a.sec.given_cnt;

	(void)state;
	assert_int_equal(traffic(100, &sent), 0);
	for (i = 0; i < 3; i++) {
		tunnel_fake_renew(&a.sec, b_.peer); /* as if a quarter of an hour had passed */
		assert_int_equal(traffic(1200, &sent), 0);
	}
	assert_int_equal(traffic(4000, &sent), 0);         /* beyond every switch */
	assert_int_equal(a.sec.given_cnt, before + 3 * 2); /* for both networks */
	assert_int_equal(wire_host_stat(&a, "wire", "drop_unknown_spi"), 0);
	assert_int_equal(wire_host_stat(&b, "wire", "drop_unknown_spi"), 0);
	assert_int_equal(wire_host_stat(&b, "wire", "esp_rx_frames"),
			 wire_host_stat(&a, "wire", "esp_tx_frames"));
}

static void restart__under_traffic_costs_seconds_and_repeats_no_nonce(void **state)
{
	static struct ctl_tun_key keys[TUNNEL_FAKE_GIVEN];
	unsigned sent = 0, round, i, k, cnt = 0, try;

	(void)state;
	for (round = 0; round < 2; round++) {
		assert_int_equal(traffic(200, &sent), 0);
		for (i = 0; i < b.sec.given_cnt; i++)
			keys[cnt++] = b.sec.key[i];
		wire_host_kill(&b);
		assert_int_equal(wire_host_restart(&b, NULL), 0);
		for (i = 0; i < b.port_cnt; i++) {
			assert_int_equal(wire_host_port_ring(&b, &b.port[i]), 0);
			assert_int_equal(wire_host_port_set(&b, &b.port[i], CHECK), 0);
		}
		assert_int_equal(wire_host_peer(&b, &a, net.port_b), 0);
		map_all(&b, 1);
		for (try = 0; try < 300; try++) {
			rig_send_to(a1, b1, 7777777, 0);
			rig_send_to(b1, a1, 1, 0);
			if (wait_tag(b1, 7777777, 100) == 0)
				break;
		}
		assert_true(
			try <
			300); /* how long it takes, the test with a clock of its own says: tunnel_wire_test */
		settle();
		while (rig_recv(a1, NULL) || rig_recv(b1, NULL))
			;
		assert_int_equal(traffic(200, &sent), 0);
	}
	for (i = 0; i < b.sec.given_cnt; i++)
		keys[cnt++] = b.sec.key[i];
	/* Neither a key nor an SPI came twice in its three lives; teardown looks at the IVs. */
	for (i = 0; i < cnt; i++)
		for (k = 0; k < i; k++) {
			assert_true(memcmp(keys[i].tx.key, keys[k].tx.key, 32) != 0);
			assert_true(keys[i].tx.spi != keys[k].tx.spi);
		}
}

/* ---- rings ---- */

static void ring__death_of_one_disturbs_nobody(void **state)
{
	uint8_t *to = packet_ring_reserve(a2->ring, 64);
	unsigned try;

	(void)state;
	assert_non_null(to);
	packet_ring_commit(a2->ring, 64, 0);
	memset(to - PACKET_RING_HDR_BYTES, 0xff, PACKET_RING_HDR_BYTES);
	(void)!packet_ring_publish(a2->ring);
	fd_event_signal(a2->kick_fd);
	only(a1, b1, 5);
	only(b1, a1, 6);
	for (try = 0; try < 100 && !wire_host_stat(&a, a2->id, "dead"); try++)
		(void)usleep(10000);
	assert_int_equal(wire_host_stat(&a, a2->id, "dead"), 1);
	rig_send_to(b1, a2, 66, 0);
	only(b1, a1, 7);
	assert_int_equal(wire_host_port_ring(&a, a2), 0); /* a new card */
	only(b1, a2, 8);
	only(a2, a1, 9);
}

static void ring__that_is_no_ring_is_refused(void **state)
{
	CLEANUP(fd_closep) int fd = fd_memfd("small", 4096), ev = fd_eventfd();
	struct ctl_wire_port_ref ref = { .interface_id = "eni-bad" };

	(void)state;
	assert_int_equal(ctl_send(a.ctl, CTL_WIRE_PORT_ADD, 99, &ref, (int[]){ fd, ev, ev }, 3), 0);
	ctl_msg_done(&a.msg);
	assert_int_equal(ctl_recv(a.ctl, &a.msg), 1);
	assert_true(a.msg.u.ack.err < 0 && a.msg.seq == 99);
	only(a1, b1, 5);
}

static void port__deleted_with_frames_in_flight(void **state)
{
	unsigned i, n;

	(void)state;
	for (n = 0; n < 20; n++) {
		for (i = 0; i < 40; i++) {
			rig_send_to(a2, b1, 1, 1000);
			rig_send_to(b1, a2, 1, 1000);
			rig_send_to(a1, a2, 1, 1000);
		}
		assert_int_equal(wire_host_port_del(&a, a2), 0);
		(void)wire_world_run(&net, NULL, NULL, 2);
		while (rig_recv(b1, NULL) || rig_recv(a1, NULL))
			;
		assert_int_equal(wire_host_port_ring(&a, a2), 0);
		assert_int_equal(wire_host_port_set(&a, a2, CHECK), 0);
		while (rig_recv(a2, NULL))
			;
	}
	(void)wire_world_run(&net, NULL, NULL, 20);
	while (rig_recv(b1, NULL) || rig_recv(a2, NULL))
		;
	only(b1, a2, 8);
	only(a2, b1, 9);
}

/* ---- what the binary does not contain ---- */

static void binary__has_no_key_export(void **state)
{
	CLEANUP(fd_closep) int fd = open(program, O_RDONLY | O_CLOEXEC);
	static uint8_t buf[8 << 20];
	ssize_t n;

	(void)state;
	if (getenv("NITER_LAB_BUILD"))
		skip();
	assert_true(fd >= 0);
	n = read(fd, buf, sizeof(buf));
	assert_true(n > 4096 && n < (ssize_t)sizeof(buf));
	assert_non_null(memmem(buf, (size_t)n, "tunnel.exhausted",
			       16)); /* twin: event names are found like this */
	assert_null(memmem(buf, (size_t)n, "key_export.sa", 13));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(jail__holds_no_right_and_only_its_descriptors),
		T(delivery__same_host_and_other_host),
		T(delivery__networks_do_not_meet),
		T(spoofing__goes_nowhere),
		T(network__flipped_bits_are_dropped),
		T(network__replays_are_dropped),
		T(network__reordering_beyond_the_window_is_dropped),
		T(network__garbage_harms_nobody),
		T(rekey__under_traffic_loses_nothing),
		T(restart__under_traffic_costs_seconds_and_repeats_no_nonce),
		T(ring__death_of_one_disturbs_nobody),
		T(ring__that_is_no_ring_is_refused),
		T(port__deleted_with_frames_in_flight),
		cmocka_unit_test(binary__has_no_key_export),
	};

	if (argc != 2) {
		(void)fprintf(stderr, "usage: wire-test NITER-WIRE\n");
		return 2;
	}
	program = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
