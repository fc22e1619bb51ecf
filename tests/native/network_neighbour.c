/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Two instances, a network card each, the same contract. One keeps its queue full for ever; the other sends nine tenths of
 * its contract, frame by frame, first alone and then beside the flood. What is proved is proved in virtual time
 * (src/vpc/limit_test.c); this says how it looks on a clock.
 *
 *   network-neighbour PROGRAM SECONDS
 *
 * Prints one JSON object: the victim's frames that arrived per frame it wanted to send, and its 99th percentile from
 * doorbell to ring, alone and beside the flood; what the flooder got, per its contract. Ends with 1 if the flooder got more
 * than its contract and its burst: that is not a matter of the machine. The rest depends on how busy the machine is.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "ena_client.h"
#include "net_frame.h"
#include "network_host.h"
#include "vpc/limit.h"
#include "vpc/vpc.h"

enum { DEPTH = 256, FRAME = 1514, SAMPLES_MAX = 1 << 17, SPAN_US = 1000 };
#define RAM_BYTES ((uint64_t)16 << 20)
#define BPS ((uint64_t)80000000)
#define NS_PER_S ((uint64_t)1000000000)

static const uint8_t peer_mac[6] = { 0x06, 1, 2, 3, 4, 9 };
static const char id[] = "eni-0123456789abcdef0";

struct instance {
	struct network_host host;
	struct network_port port;
	struct ena_client guest;
	uint8_t mac[6];
	uint64_t arrived; /* frames at the wire */
};

static struct instance victim = { .mac = { 0x06, 1, 2, 3, 4, 5 } },
		       flooder = { .mac = { 0x06, 1, 2, 3, 4, 7 } };
static _Atomic bool stop;
static uint64_t sample_ns[SAMPLES_MAX];

static void tell(struct instance *n)
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
	network_interface(&n->port, 5, &i);
	i.bps_baseline = BPS;
	must(network_host_tell(&n->host, CTL_VPC_MAPPINGS_ADD, &maps) == 0);
	must(network_host_tell(&n->host, CTL_VPC_RULES_SET, &rules) == 0);
	must(network_host_tell(&n->host, CTL_VPC_ROUTES_SET, &routes) == 0);
	must(network_host_tell(&n->host, CTL_VPC_INTERFACE_SET, &i) == 0);
}

static void start(struct instance *n, const char *program)
{
	static struct net_frame f;
	uint8_t router[6];

	must(network_host_start(&n->host, program, NULL, 1) == 0);
	must(network_host_add(&n->host, id, n->mac, 9001, &n->port) == 0);
	must(ena_client_open(&n->guest, TAKE_FD(n->port.vfio), RAM_BYTES) == 0);
	must(ena_client_up(&n->guest, 1, DEPTH) == 0);
	tell(n);
	vpc_router_mac(0x1001, router);
	net_eth(&f, router, n->mac, ETH_TYPE_IPV4);
	net_ipv4(&f, NET_IP(172, 31, 0, 5), NET_IP(172, 31, 0, 6), IP_UDP, FRAME - 34);
	net_udp(&f, 4000, 5201);
	must(f.len == FRAME);
	memcpy(ena_client_p(&n->guest, n->guest.send_at), f.b, f.len);
}

static void end(struct instance *n)
{
	ena_client_close(&n->guest);
	must(network_host_stop(&n->host) == 0);
	network_port_done(&n->port);
}

/* Return: a frame was put. */
static bool put(struct instance *n)
{
	const struct ena_driver_sg sg = { n->guest.send_at, FRAME };

	must(ena_driver_tx_reap(&n->guest.d, 0) >= 0);
	return ena_driver_tx(&n->guest.d, 0, &sg, 1, NULL) >= 0;
}

static unsigned take(struct instance *n)
{
	struct packet pkt;
	unsigned cnt = 0;

	while (packet_ring_peek(n->port.ring, &pkt) == 1) {
		packet_ring_consume(n->port.ring);
		cnt++;
	}
	if (cnt && packet_ring_release(n->port.ring))
		fd_event_signal(n->port.to_card);
	n->arrived += cnt;
	return cnt;
}

static void *flood(void *arg)
{
	struct instance *n = arg;

	while (!stop) {
		unsigned cnt = 0;

		while (put(n))
			cnt++;
		if (cnt)
			ena_driver_ring_db(&n->guest.d, &n->guest.d.q[0].tx);
		(void)take(n);
		usleep(SPAN_US / 2);
	}
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Return: frames that arrived per frame wanted; *ret_p99_us. */
static double send_paced(struct instance *n, double seconds, double *ret_p99_us)
{
	uint64_t gap = NS_PER_S * FRAME * 8 * 10 / 9 / BPS, begin = clock_ns(), due = begin;
	uint64_t last = begin + (uint64_t)(seconds * (double)NS_PER_S), wanted = 0,
		 before = n->arrived, sent_ns, now;
	size_t samples = 0;

	while ((now = clock_ns()) < last) {
		if (now < due) {
			usleep((unsigned)((due - now) / 1000 + 1));
			continue;
		}
		due += gap;
		wanted++;
		sent_ns = clock_ns();
		if (!put(n))
			continue;
		ena_driver_ring_db(&n->guest.d, &n->guest.d.q[0].tx);
		while (!take(n) && clock_ns() < sent_ns + NS_PER_S / 10)
			;
		if (samples < SAMPLES_MAX)
			sample_ns[samples++] = clock_ns() - sent_ns;
	}
	qsort(sample_ns, samples, sizeof(sample_ns[0]), by_value);
	*ret_p99_us = samples ? (double)sample_ns[samples * 99 / 100] / 1000 : 0;
	return wanted ? (double)(n->arrived - before) / (double)wanted : 0;
}

int main(int argc, char **argv)
{
	double seconds = argc > 2 ? strtod(argv[2], NULL) : 1, alone, beside, p99_alone, p99_beside,
	       got, most;
	uint64_t begin, ns;
	pthread_t t;

	if (argc < 2)
		return 2;
	start(&victim, argv[1]);
	start(&flooder, argv[1]);
	alone = send_paced(&victim, seconds, &p99_alone);
	begin = clock_ns();
	must(pthread_create(&t, NULL, flood, &flooder) == 0);
	beside = send_paced(&victim, seconds, &p99_beside);
	stop = true;
	must(pthread_join(t, NULL) == 0);
	(void)take(&flooder);
	ns = clock_ns() - begin;
	got = (double)flooder.arrived * FRAME * 8;
	most = (double)BPS * (double)ns / (double)NS_PER_S;
	printf("{\"seconds\": %.1f, \"contract_bps\": %llu, \"victim_sends_of_contract\": 0.9, "
	       "\"victim_alone\": %.4f, "
	       "\"victim_beside\": %.4f, \"victim_p99_us_alone\": %.1f, \"victim_p99_us_beside\": "
	       "%.1f, "
	       "\"flooder_of_contract\": %.4f}\n",
	       seconds, (unsigned long long)BPS, alone, beside, p99_alone, p99_beside, got / most);
	end(&victim);
	end(&flooder);
	/* What may go at once, and the frame that goes into debt. */
	return got <= most + (LIMIT_PEAK_BYTES_MIN + FRAME) * 8 ? 0 : 1;
}
