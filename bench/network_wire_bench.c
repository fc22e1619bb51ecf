/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Two real niter-wire processes in their jails, and the cards at their rings played: see network.py. Reads lines "WHAT
 * BYTES SECONDS", answers each with a line of JSON.
 *   stream   as many frames as the rings take, one way
 *   echo     one frame there, one back, and again: what sleeping and waking costs
 */

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "network_baseline.h"
#include "wire_host.h"

enum { VNI = 0x1001, BURST = 64 };

static struct wire_host host[2];
static struct rig_port *port[2];
static struct net nothing; /* only for its loop: the wires send to each other directly */
static struct bench_series series;

/* CPU time of a process, nanoseconds. */
static uint64_t cpu_ns(pid_t pid)
{
	unsigned long long ns = 0;
	char path[64];
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	f = fopen(path, "re");
	must(f && fscanf(f, "%llu", &ns) == 1);
	(void)fclose(f);
	return ns;
}

static void wait_frame(struct rig_port *p)
{
	struct pollfd pf = { .fd = p->wait_fd, .events = POLLIN };

	if (packet_ring_arm(p->ring))
		return;
	(void)poll(&pf, 1, 10);
	fd_event_clear(p->wait_fd);
}

static bool frame_put(struct rig_port *p, const uint8_t *frame, unsigned len)
{
	uint8_t *to = packet_ring_reserve(p->ring, len);

	if (!to)
		return false;
	memcpy(to, frame, len);
	packet_ring_commit(p->ring, len, PACKET_L4_OK);
	return true;
}

static unsigned frames_take(struct rig_port *p, unsigned max)
{
	struct packet pkt;
	unsigned n = 0;

	while (n < max && packet_ring_peek(p->ring, &pkt) == 1) {
		packet_ring_consume(p->ring);
		n++;
	}
	if (n && packet_ring_release(p->ring))
		fd_event_signal(p->kick_fd);
	return n;
}

static unsigned frame_make(unsigned from, unsigned len, uint8_t *ret)
{
	struct rig_frame f = {
		.src = port[from]->mac, .dst = port[!from]->mac, .tag = 1, .len = len
	};

	memcpy(f.src_ip, port[from]->ip, 4);
	memcpy(f.dst_ip, port[!from]->ip, 4);
	return rig_frame_make(&f, ret);
}

static void stream(unsigned bytes, double seconds)
{
	static uint8_t frame[PACKET_RING_FRAME_MAX];
	unsigned len = frame_make(0, bytes, frame), i;
	uint64_t got = 0, sent = 0, lost = 0, start = clock_ns(),
		 end = start + (uint64_t)(seconds * 1e9);
	uint64_t cpu[2], moved = start;

	for (i = 0; i < 2; i++)
		cpu[i] = cpu_ns(host[i].pid);
	while (clock_ns() < end) {
		unsigned n = 0, took;

		/* Not more under way than the socket holds. */
		while (n < BURST && sent - got < 4 * BURST && frame_put(port[0], frame, len))
			n++;
		sent += n;
		if (n && packet_ring_publish(port[0]->ring))
			fd_event_signal(port[0]->kick_fd);
		took = frames_take(port[1], 4 * BURST);
		got += took;
		if (n || took) {
			moved = clock_ns();
		} else if (clock_ns() - moved > 200000000) {
			lost += sent - got; /* they will not come any more */
			sent = got;
		} else {
			wait_frame(port[1]);
		}
	}
	for (i = 0; i < 2; i++)
		cpu[i] = cpu_ns(host[i].pid) - cpu[i];
	must(got);
	(void)printf("{\"frames\": %llu, \"lost\": %llu, \"pps\": %.0f, \"cpu_ns_tx\": %.1f, "
		     "\"cpu_ns_rx\": %.1f}\n",
		     (unsigned long long)got, (unsigned long long)lost,
		     (double)got * 1e9 / (double)(clock_ns() - start), (double)cpu[0] / (double)got,
		     (double)cpu[1] / (double)got);
	(void)wire_world_run(&nothing, NULL, NULL, 20);
	while (frames_take(port[1], BURST))
		;
}

static void echo(unsigned bytes, double seconds)
{
	static uint8_t frame[2][PACKET_RING_FRAME_MAX];
	uint64_t end = clock_ns() + (uint64_t)(seconds * 1e9), t = clock_ns();
	unsigned len = frame_make(0, bytes, frame[0]), i;

	(void)frame_make(1, bytes, frame[1]);
	bench_series_clear(&series);
	while (t < end) {
		uint64_t now;

		for (i = 0; i < 2; i++) {
			must(frame_put(port[i], frame[i], len));
			if (packet_ring_publish(port[i]->ring))
				fd_event_signal(port[i]->kick_fd);
			while (!frames_take(port[!i], 1))
				wait_frame(port[!i]);
		}
		now = clock_ns();
		bench_series_add(&series, (double)(now - t) / 1e3);
		t = now;
	}
	(void)printf("{\"round_trips\": %u, \"us_median\": %.1f}\n", series.cnt,
		     bench_series_median(&series));
}

static bool delivered(void *arg)
{
	(void)arg;
	rig_send_to(port[0], port[1], 1, 0);
	return rig_recv(port[1], NULL) != 0;
}

int main(int argc, char **argv)
{
	char line[128], what[32];
	unsigned bytes, i, k;
	double seconds;

	must(argc == 2);
	log_init("network-wire-bench");
	for (i = 0; i < 2; i++)
		must(wire_host_start(&host[i], argv[1], (uint8_t)(i + 1), 1500, NULL) == 0);
	net_init(&nothing, &host[0], &host[1]);
	for (i = 0; i < 2; i++)
		port[i] = wire_host_port(&host[i], 1, VNI, CTL_VPC_SOURCE_DEST_CHECK);
	for (i = 0; i < 2; i++) {
		must(wire_host_peer(&host[i], &host[!i], host[!i].udp_port) == 0);
		for (k = 0; k < 2; k++)
			must(wire_host_map(&host[i], port[k], 4, i == k ? 0 : k + 1) == 0);
	}
	must(wire_world_run(&nothing, delivered, NULL, 20000) == 0);
	(void)wire_world_run(&nothing, NULL, NULL, 4000); /* keys are settled */
	while (frames_take(port[1], BURST))
		;
	(void)printf("{\"pid\": [%d, %d]}\n", host[0].pid, host[1].pid);
	(void)fflush(stdout);
	while (fgets(line, sizeof(line), stdin) &&
	       sscanf(line, "%31s %u %lf", what, &bytes, &seconds) == 3) {
		if (!strcmp(what, "stream"))
			stream(bytes, seconds);
		else if (!strcmp(what, "echo"))
			echo(bytes, seconds);
		else
			return 2;
		(void)fflush(stdout);
	}
	for (i = 0; i < 2; i++)
		must(wire_host_done(&host[i]) == 0);
	net_done(&nothing);
	return 0;
}
