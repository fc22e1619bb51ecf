/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_fuzz_world.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

struct wire_fuzz_world world;

static void make(void)
{
	static const uint8_t localhost[16] = { 127, 0, 0, 1 };
	struct rig *r = &world.rig;
	struct ctl_wire_peer p = {
		.peer = 2, .family = CTL_IPV4, .addr = { 127, 0, 0, 1 }, .port = 9
	};

	must(setenv("NITER_LOG", "err", 1) == 0); /* NOLINT(concurrency-mt-unsafe): one thread */
	log_init("fuzz");
	rig_init(r, 1);
	world.p1 = rig_port(r, 1, RIG_VNI, CTL_VPC_SOURCE_DEST_CHECK);
	world.p2 = rig_port(r, 2, RIG_VNI, CTL_VPC_SOURCE_DEST_CHECK);
	world.other = rig_port(r, 3, RIG_VNI + 1, CTL_VPC_SOURCE_DEST_CHECK);
	rig_port_name(&world.far, 2, 1, RIG_VNI);
	rig_port_name(&world.far_gateway, 2, 9, RIG_VNI);
	memset(p.fingerprint, 2, sizeof(p.fingerprint));
	must(rig_request(r, CTL_WIRE_PEER_SET, &p, sizeof(p)) == 0);
	must(rig_map(r, world.p1, 4, 0) == 0 && rig_map(r, world.p2, 4, 0) == 0);
	must(rig_map(r, &world.far, 4, 2) == 0 && rig_map(r, &world.far_gateway, 0, 2) == 0);
	must(udp_addr_make(&r->w.udp, 4, localhost, 9, &world.peer) == 0);
	must(udp_addr_make(&r->w.udp, 4, localhost, 10, &world.stranger) == 0);
	world.keys = (struct ctl_tun_key){ .peer = 2,
					   .epoch = 1,
					   .vni = RIG_VNI,
					   .tx = { .spi = 0x1111, .key = { 1 } },
					   .rx = { .spi = 0x2222, .key = { 2 } } };
}

static void far_keys(void)
{
	struct esp_sa sa = { .vni = RIG_VNI, .now_ns = world.rig.w.now_ns };
	struct key *k = NULL;

	esp_tx_freep(&world.peer_tx);
	esp_rx_freep(&world.peer_rx);
	must(key_new_from(world.keys.rx.key, 32, &k) == 0);
	sa.spi = world.keys.rx.spi;
	sa.key = k;
	must(esp_tx_new(&sa, &world.peer_tx) == 0);
	key_free(k);
	must(key_new_from(world.keys.tx.key, 32, &k) == 0);
	sa.spi = world.keys.tx.spi;
	sa.key = k;
	must(esp_rx_new(&sa, &world.peer_rx) == 0);
	key_free(k);
}

void world_fresh(void)
{
	struct wire *w = &world.rig.w;
	uint32_t t;

	if (!world.p1)
		make();
	w->now_ns = world.rig.now_ns += 2 * PEER_S;
	t = tunnel_get(w, 2, RIG_VNI);
	tunnel_peer_forget(w, 0, false);
	must(tunnel_install(w, &w->tunnel[t], &world.keys) == 0);
	w->now_ns += WIRE_SWITCH_FIRST_NS;
	tunnel_tick(w, &w->tunnel[t]);
	must(w->tunnel[t].tx.esp);
	w->udp.run_cnt = w->udp.run_sent = w->udp.tx_len = 0;
	far_keys();
	while (ctl_recv(world.rig.sec.fd, &world.rig.msg) == 1)
		ctl_msg_done(&world.rig.msg);
}

unsigned world_delivered(struct rig_port *p, uint8_t *buf, size_t *ret_len)
{
	struct packet pkt;
	unsigned n = 0;

	while (packet_ring_peek(p->ring, &pkt) == 1) {
		n++;
		*ret_len = pkt.len;
		packet_ring_copy(buf, pkt.data, pkt.len);
		packet_ring_consume(p->ring);
		(void)!packet_ring_release(p->ring);
	}
	return n;
}
