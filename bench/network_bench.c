/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From guest to guest in one thread, each stage timed by itself: see network.py. Reads lines "WHAT BYTES SECONDS",
 * answers each with a line of JSON.
 *
 *   guest 1 → card (ENA, VPC engine) → ring → wire → UDP on the loopback → wire → ring → card → guest 2
 *             card_tx                         wire_tx                      wire_rx       card_rx
 *
 * Linked twice: network-bench with the real cipher, network-bench-null with packet_gcm_null.c.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "crypto/packet_gcm.h"
#include "network_baseline.h"
#include "network_card.h"
#include "wire_rig.h"

enum { SIDES = 2, BATCH = 128, TSO_BATCH = 4, HOLD_MAX = 100000 };
enum stage { CARD_TX, WIRE_TX, WIRE_RX, CARD_RX, STAGES };

static const char *const stage_name[STAGES] = { "card_tx", "wire_tx", "wire_rx", "card_rx" };
static struct rig host[SIDES];
static struct bench_card *card[SIDES];
static struct port *wire_port[SIDES];

static void port_make(unsigned i)
{
	struct rig_port name;
	struct packet_ring *ring = NULL;
	struct port *p;
	int fds[3];

	rig_port_name(&name, (uint8_t)(i + 1), 1, BENCH_CARD_VNI);
	bench_card_fds(card[i], fds);
	must(packet_ring_map(fds[0], PACKET_RING_B, &ring) == 0);
	p = wire_port[i] = port_get(&host[i].w, name.id);
	must(p && port_ring_set(&host[i].w, p, ring, dup(fds[1]), dup(fds[2])) == 0);
	must(rig_port_set(&host[i], &name, CTL_VPC_SOURCE_DEST_CHECK) == 0);
	must(rig_map(&host[i], &name, 4, 0) == 0 && rig_map(&host[!i], &name, 4, i + 1) == 0);
}

static void wire_work(unsigned i)
{
	struct wire *w = &host[i].w;

	w->now_ns = clock_ns();
	port_activate(w, wire_port[i]);
	w->udp_ready = true;
	while (wire_turn(w))
		;
}

static void wires_settle(void)
{
	unsigned k;

	for (k = 0; k < 100; k++)
		rig_run(&host[0], &host[1], 50000000);
	must(host[0].w.tunnel[0].tx.esp && host[1].w.tunnel[0].tx.esp);
}

/* One packet from one guest to the other, untimed. */
static void carry(unsigned from, enum bench_packet kind)
{
	(void)bench_card_send(card[from], kind, 1, 64);
	bench_card_work(card[from], clock_ns());
	wire_work(from);
	wire_work(!from);
	bench_card_work(card[!from], clock_ns());
	must(bench_card_reap(card[!from]) == 1 && bench_card_reap(card[from]) == 0);
}

struct result {
	uint64_t frames, sends, ns[STAGES], guest_ns;
};

/* Nanoseconds of a packet in each batch: the median is what a batch takes that nobody interrupts. */
static struct bench_series series[STAGES], total_series;

static uint64_t lap(uint64_t *t)
{
	uint64_t now = clock_ns(), d = now - *t;

	*t = now;
	return d;
}

static void round_run(enum bench_packet kind, unsigned frame, struct result *r)
{
	uint64_t t = clock_ns();

	r->sends += bench_card_send(card[0], kind, kind == BENCH_TSO ? TSO_BATCH : BATCH, frame);
	r->guest_ns += lap(&t);
	bench_card_work(card[0], t);
	r->ns[CARD_TX] += lap(&t);
	wire_work(0);
	r->ns[WIRE_TX] += lap(&t);
	wire_work(1);
	r->ns[WIRE_RX] += lap(&t);
	bench_card_work(card[1], t);
	r->ns[CARD_RX] += lap(&t);
	r->frames += bench_card_reap(card[1]);
	(void)bench_card_reap(card[0]);
	r->guest_ns += lap(&t);
}

static void batch_note(const struct result *was, const struct result *is)
{
	uint64_t frames = is->frames - was->frames, total = 0;
	unsigned i;

	if (!frames)
		return;
	for (i = 0; i < STAGES; i++) {
		uint64_t ns = is->ns[i] - was->ns[i];

		bench_series_add(&series[i], (double)ns / (double)frames);
		total += ns;
	}
	bench_series_add(&total_series, (double)total / (double)frames);
}

static void path_bench(enum bench_packet kind, unsigned frame, double seconds)
{
	uint64_t end_ns, before = rig_stat(&host[0], "wire", "esp_tx_frames"), left, total = 0;
	struct result r = { .frames = 0 }, warm = { .frames = 0 }, was;
	unsigned i;

	host[0].w.udp.mtu = host[1].w.udp.mtu = frame > 1422 ? 9100 : 1500;
	for (i = 0; i < 20; i++)
		round_run(kind, frame, &warm);
	end_ns = clock_ns() + (uint64_t)(seconds * 1e9);
	for (i = 0; i < STAGES; i++)
		bench_series_clear(&series[i]);
	bench_series_clear(&total_series);
	while (clock_ns() < end_ns) {
		was = r;
		round_run(kind, frame, &r);
		batch_note(&was, &r);
	}
	left = rig_stat(&host[0], "wire", "esp_tx_frames") - before;
	if (!r.frames) {
		bench_card_describe(card[0]);
		bench_card_describe(card[1]);
		exit(1);
	}
	for (i = 0; i < STAGES; i++)
		total += r.ns[i];
	(void)printf("{\"frames\": %llu, \"sends\": %llu, \"lost\": %lld, \"ns_total\": %.2f, "
		     "\"ns_mean\": %.2f, "
		     "\"ns_guest\": %.2f",
		     (unsigned long long)r.frames, (unsigned long long)r.sends,
		     (long long)(left - r.frames - warm.frames), bench_series_median(&total_series),
		     (double)total / (double)r.frames, (double)r.guest_ns / (double)r.frames);
	for (i = 0; i < STAGES; i++)
		(void)printf(", \"ns_%s\": %.2f", stage_name[i], bench_series_median(&series[i]));
	(void)printf("}\n");
}

int main(void)
{
	char line[128], what[32];
	unsigned bytes, i;
	double seconds;

	must(setenv("NITER_LOG", "err", 0) == 0); /* NOLINT(concurrency-mt-unsafe): one thread */
	log_init("network-bench");
	for (i = 0; i < SIDES; i++) {
		rig_init(&host[i], (uint8_t)(i + 1));
		card[i] = bench_card_new((uint8_t)(i + 1), (uint8_t)(2 - i));
	}
	rig_peer(&host[0], &host[1]);
	rig_peer(&host[1], &host[0]);
	for (i = 0; i < SIDES; i++)
		port_make(i);
	wires_settle();
	carry(0, BENCH_SYN);
	carry(1, BENCH_SYN_ACK);
	carry(0, BENCH_ACK);
	(void)printf("{\"pid\": %d, \"cipher\": \"%s\"}\n", getpid(), packet_gcm_name());
	(void)fflush(stdout);
	while (fgets(line, sizeof(line), stdin) &&
	       sscanf(line, "%31s %u %lf", what, &bytes, &seconds) == 3) {
		if (!strcmp(what, "udp"))
			path_bench(BENCH_UDP, bytes, seconds);
		else if (!strcmp(what, "tso"))
			path_bench(BENCH_TSO, bytes, seconds);
		else if (!strcmp(what, "openssl"))
			baseline_openssl(bytes, seconds);
		else if (!strcmp(what, "ceiling"))
			baseline_ipsec_mb(bytes, seconds);
		else
			return 2;
		(void)fflush(stdout);
	}
	return 0;
}
