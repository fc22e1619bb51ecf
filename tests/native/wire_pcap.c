/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Two real niter-wire in their jails, frames of two networks both ways with a change of keys in between; what crossed goes into a
 * capture file, for a judge that has no code of ours (wire_tshark.py).
 *   wire-pcap NITER-WIRE FILE
 * prints one line per key:    sa SOURCE DESTINATION SPI KEY-AND-SALT VNI
 * and at last:                packets COUNT
 */

#include <stdio.h>
#include <string.h>

#include "wire_host.h"

enum { VNIS = 2, ROUNDS = 40, PATIENCE_MS = 20000 };

static struct wire_host host[2];
static struct rig_port *port[VNIS][2];
static struct net net;

static bool arrived(void *arg)
{
	return rig_recv(arg, NULL) != 0;
}

/* Frames of several lengths, one after the other, so that none is lost before the keys are there. */
static void exchange(unsigned round)
{
	unsigned v, i;

	for (v = 0; v < VNIS; v++)
		for (i = 0; i < 2; i++) {
			rig_send_to(port[v][i], port[v][!i], round + 1, 60 + round * 33);
			must(wire_world_run(&net, arrived, port[v][!i], PATIENCE_MS) == 0);
		}
}

static void sa_print(const char *src, const char *dst, const struct ctl_tun_sa *sa, uint32_t vni)
{
	unsigned i;

	(void)printf("sa %s %s 0x%08x 0x", src, dst, sa->spi);
	for (i = 0; i < sizeof(sa->key); i++)
		(void)printf("%02x", sa->key[i]);
	for (i = 0; i < sizeof(sa->salt); i++)
		(void)printf("%02x", sa->salt[i]);
	(void)printf(" %u\n", vni);
}

int main(int argc, char **argv)
{
	unsigned v, i, k;

	must(argc == 3);
	for (i = 0; i < 2; i++)
		must(wire_host_start(&host[i], argv[1], (uint8_t)(i + 1), 1500, NULL) == 0);
	net_init(&net, &host[0], &host[1]);
	net.pcap = fopen(argv[2], "we");
	must(net.pcap);
	net_pcap_begin(net.pcap);
	must(wire_host_peer(&host[0], &host[1], net.port_a) == 0 &&
	     wire_host_peer(&host[1], &host[0], net.port_b) == 0);
	for (v = 0; v < VNIS; v++) {
		for (i = 0; i < 2; i++)
			port[v][i] = wire_host_port(&host[i], v + 1, 0x1001 + 0x123450 * v,
						    CTL_VPC_SOURCE_DEST_CHECK);
		for (i = 0; i < 4; i++)
			must(wire_host_map(&host[i / 2], port[v][i % 2], 4,
					   i / 2 == i % 2 ? 0 : i % 2 + 1) == 0);
	}
	for (i = 0; i < ROUNDS; i++) {
		if (i == ROUNDS / 2) {
			tunnel_fake_renew(&host[0].sec, 2);
			(void)wire_world_run(&net, NULL, NULL,
					     4000); /* both send under the new ones then */
		}
		exchange(i);
	}
	must(fclose(net.pcap) == 0);
	net.pcap = NULL;
	for (k = 0; k < host[0].sec.given_cnt; k++) {
		const struct ctl_tun_key *key = &host[0].sec.key[k];

		sa_print("10.77.0.1", "10.77.0.2", &key->tx, key->vni);
		sa_print("10.77.0.2", "10.77.0.1", &key->rx, key->vni);
	}
	(void)printf("packets %llu\n", (unsigned long long)net.esp);
	must(wire_host_done(&host[0]) == 0 && wire_host_done(&host[1]) == 0);
	net_done(&net);
	return 0;
}
