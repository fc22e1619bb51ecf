/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Keys of two hosts' wires: renewal, limits, restart, and what outlives what. See tests/lib/wire_rig.h.
 */

#include <errno.h>
#include <string.h>

#include "wire_pair.h"

static void traffic(uint32_t *sent, uint32_t *lost)
{
	unsigned i;

	for (i = 0; i < 5; i++) {
		rig_send_to(a1, b1, ++*sent, 0);
		rig_send_to(b1, a2, ++*sent, 0);
	}
	rig_run(&a, &b, 20 * MS);
	for (i = 0; i < 5; i++) {
		*lost += rig_recv(b1, NULL) == 0;
		*lost += rig_recv(a2, NULL) == 0;
	}
}

static void rekey__every_quarter_of_an_hour_without_loss(void **state)
{
	uint32_t sent = 0, lost = 0, i;

	(void)state;
	map_all();
	settle();
	for (i = 0; i < 4; i++) {
		uint64_t t;

		for (t = 0; t < PEER_RENEW_NS; t += 5 * PEER_S) {
			rig_run(&a, &b, 5 * PEER_S - 20 * MS);
			traffic(&sent, &lost);
		}
		for (t = 0; t < 20 * PEER_S; t += 20 * MS)
			traffic(&sent, &lost);
	}
	assert_int_equal(lost, 0);
	assert_true(a.w.peer[0].epoch >= 4);
	assert_int_equal(a.w.peer[0].epoch, b.w.peer[0].epoch);
	assert_int_equal(a.sec.twice + b.sec.twice, 0);
	assert_int_equal(rig_stat(&a, "wire", "drop_unknown_spi"), 0);
	/* What was installed and is not in use any more is wiped: one key each way is left, or two while they change. */
	assert_in_range(rig_stat(&a, "wire", "keys_installed") * 2 -
				rig_stat(&a, "wire", "keys_wiped"),
			2, 4);
}

static void rekey__waits_for_the_end_that_is_late(void **state)
{
	uint32_t sent = 0, lost = 0, before, i;
	int late;

	(void)state;
	map_all();
	settle();
	before = b.w.peer[0].epoch;
	rig_run(&a, &b, 2 * PEER_S);
	peer_event(&a.w, &a.w.peer[0], PEER_EV_RENEW);
	rig_run(&a, NULL,
		MS); /* a's niter-security has asked; what b's answers, it hears only in 2.6 seconds */
	late = a.sec.fd;
	a.sec.fd = -1;
	for (i = 0; i < 130; i++)
		traffic(&sent, &lost);
	assert_true(b.w.peer[0].epoch > before);
	assert_int_equal(a.w.peer[0].epoch, before);
	assert_int_equal(b.w.tunnel[0].tx.epoch, before);
	a.sec.fd = late;
	for (i = 0; i < 800; i++)
		traffic(&sent, &lost);
	assert_int_equal(lost, 0);
	assert_int_equal(a.w.tunnel[0].tx.epoch, a.w.peer[0].epoch);
	assert_int_equal(b.w.tunnel[0].tx.epoch, a.w.peer[0].epoch);
	assert_int_equal(a.w.tunnel[0].rx_spi[1], 0); /* what is over is wiped */
	assert_int_equal(b.w.tunnel[0].rx_spi[1], 0);
}

static void rekey__soft_limit_asks_for_it(void **state)
{
	uint32_t before, sent = 0, lost = 0, i;
	struct ctl_tun_sa *sa = &a.sec.key[0].tx;
	struct key *k = NULL;
	struct esp_sa high;

	(void)state;
	map_all();
	settle();
	before = a.w.peer[0].epoch;
	/* The same key again, with a counter as after 2^28 packets. */
	assert_int_equal(key_new_from(sa->key, sizeof(sa->key), &k), 0);
	high = (struct esp_sa){ .spi = sa->spi,
				.vni = RIG_VNI,
				.key = k,
				.now_ns = a.now_ns,
				.seq = (uint32_t)ESP_SOFT_PACKETS - 3 };
	memcpy(high.salt, sa->salt, 4);
	esp_tx_freep(&a.w.tunnel[0].tx.esp);
	assert_int_equal(esp_tx_new(&high, &a.w.tunnel[0].tx.esp), 0);
	key_free(k);
	rig_run(&a, &b, 2 * PEER_S);
	assert_int_equal(a.w.peer[0].epoch, before);
	for (i = 0; i < 300; i++)
		traffic(&sent, &lost);
	assert_int_equal(lost, 0);
	assert_true(a.w.peer[0].epoch > before);
	assert_int_equal(a.w.peer[0].clock.state, PEER_READY);
}

static void rekey__hard_limit_refuses_until_new_keys_come(void **state)
{
	struct ctl_tun_sa *sa = &a.sec.key[0].tx;
	struct key *k = NULL;
	struct esp_sa high;
	unsigned i;

	(void)state;
	map_all();
	settle();
	assert_int_equal(key_new_from(sa->key, sizeof(sa->key), &k), 0);
	high = (struct esp_sa){
		.spi = sa->spi, .vni = RIG_VNI, .key = k, .now_ns = a.now_ns, .seq = ESP_SEQ_MAX - 2
	};
	memcpy(high.salt, sa->salt, 4);
	esp_tx_freep(&a.w.tunnel[0].tx.esp);
	assert_int_equal(esp_tx_new(&high, &a.w.tunnel[0].tx.esp), 0);
	key_free(k);
	a.sec.silent = b.sec.silent = true; /* and none come */
	for (i = 0; i < 10; i++)
		rig_send_to(a1, b1, i + 1, 0);
	rig_run(&a, &b, MS);
	assert_int_equal(rig_recv(b1, NULL), 1);
	assert_int_equal(rig_recv(b1, NULL), 2);
	assert_int_equal(rig_recv(b1, NULL), 0);
	assert_int_equal(rig_stat(&a, "eni-1-1", "drop_key_exhausted"), 8);
	assert_int_equal(rig_stat(&a, "wire", "esp_tx_frames"), 2);
	a.sec.silent = b.sec.silent = false;
	for (i = 0; i < 50; i++)
		rig_run(&a, &b, 100 * MS);
	rig_send_to(a1, b1, 99, 0);
	rig_run(&a, &b, MS);
	assert_int_equal(rig_recv(b1, NULL), 99);
}

static void restart__of_one_end_costs_seconds_and_repeats_no_key(void **state)
{
	struct rig_port saved = *b1;
	unsigned i, j, got = 0;
	uint64_t t;

	(void)state;
	map_all();
	settle();
	rig_done(&b);
	rig_init(&b, 2);
	b1 = rig_port(&b, 1, saved.vni, CHECK);
	rig_peer(&a, &b); /* its socket has another port here; on a host it is the same */
	rig_peer(&b, &a);
	b.now_ns = b.w.now_ns = a.now_ns;
	assert_int_equal(rig_map(&b, a1, 4, 1), 0);
	for (t = 0; t < 6 * PEER_S; t += 100 * MS) {
		rig_send_to(a1, b1, 1 + (uint32_t)(t / MS), 0);
		rig_send_to(b1, a1, 1, 0);
		rig_run(&a, &b, 100 * MS);
		while (rig_recv(b1, NULL))
			got++;
	}
	assert_in_range(got, 20, 60);
	rig_send_to(a1, b1, 4242, 0);
	rig_run(&a, &b, MS);
	assert_int_equal(rig_recv(b1, NULL), 4242);
	/* a's niter-security gave out every key of both lives */
	for (i = 0; i < a.sec.given_cnt; i++)
		for (j = 0; j < i; j++)
			assert_true(memcmp(a.sec.key[i].tx.key, a.sec.key[j].tx.key, 32) != 0);
	assert_int_equal(a.sec.twice, 0);
}

static void restart__strange_packets_make_the_one_that_knows_nothing_ask(void **state)
{
	unsigned i;

	(void)state;
	map_all();
	settle();
	/* b forgets its keys and does not know it. */
	tunnel_peer_forget(&b.w, 0, false);
	for (i = 0; i < 100; i++) {
		rig_send_to(a1, b1, 1, 0);
		rig_run(&a, &b, 100 * MS);
	}
	assert_true(rig_stat(&b, "wire", "drop_unknown_spi") > 0);
	rig_send_to(a1, b1, 55, 0);
	while (rig_recv(b1, NULL))
		;
	rig_run(&a, &b, MS);
	assert_int_equal(rig_recv(b1, NULL), 55);
}

static void security__gone_is_survived(void **state)
{
	(void)state;
	map_all();
	settle();
	tunnel_fake_done(&a.sec);
	keys_closed(&a.w);
	rig_run(&a, &b, 1000 * PEER_S);
	rig_send_to(a1, b1, 5, 0);
	rig_run(&a, &b, MS);
	assert_int_equal(rig_recv(b1, NULL), 5);
}

/* The launcher replaces the channel: niter-security on this side forgets, traffic goes on, new keys come. */
static void security__another_channel_costs_no_packet(void **state)
{
	uint32_t sent = 0, lost = 0, before, i;

	(void)state;
	map_all();
	settle();
	traffic(&sent, &lost);
	before = b.w.peer[0].epoch;
	rig_channel(&a);
	for (i = 0; i < 300; i++)
		traffic(&sent, &lost);
	assert_int_equal(lost, 0);
	assert_true(b.w.peer[0].epoch > before);
	assert_int_equal(a.w.peer[0].epoch, b.w.peer[0].epoch);
}

static void peer__another_fingerprint_under_the_same_name_gets_new_keys(void **state)
{
	struct ctl_wire_peer p = {
		.peer = 2, .family = CTL_IPV4, .addr = { 127, 0, 0, 1 }, .port = b.udp_port
	};

	(void)state;
	map_all();
	settle();
	memset(p.fingerprint, 9, sizeof(p.fingerprint));
	assert_int_equal(rig_request(&a, CTL_WIRE_PEER_SET, &p, sizeof(p)), 0);
	assert_null(a.w.tunnel[0].tx.esp);
	assert_int_equal(a.w.tunnel[0].rx_spi[0], 0);
}

static void peer__removed_takes_its_keys_along(void **state)
{
	struct ctl_wire_peer_ref ref = { .peer = 2 };
	uint32_t i;

	(void)state;
	map_all();
	settle();
	rig_send_to(a1, b1, 1, 0);
	rig_run(&a, NULL, MS);
	assert_int_equal(rig_request(&a, CTL_WIRE_PEER_DEL, &ref, sizeof(ref)), 0);
	for (i = 0; i < WIRE_RX_SLOTS; i++)
		assert_int_equal(a.w.rx[i].spi, 0);
	rig_send_to(a1, b1, 2, 0);
	rig_run(&a, &b, MS);
	assert_int_equal(rig_recv(b1, NULL), 1);
	assert_int_equal(rig_recv(b1, NULL), 0);
	assert_int_equal(rig_request(&a, CTL_WIRE_PEER_DEL, &ref, sizeof(ref)), -ENOENT);
	/* ... and it comes back */
	rig_peer(&a, &b);
	for (i = 0; i < 50; i++)
		rig_run(&a, &b, 100 * MS);
	assert_int_equal(rig_recv(b1, NULL), 2); /* it had waited for keys */
	rig_send_to(a1, b1, 3, 0);
	rig_run(&a, &b, MS);
	assert_int_equal(rig_recv(b1, NULL), 3);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(rekey__every_quarter_of_an_hour_without_loss),
		T(rekey__waits_for_the_end_that_is_late),
		T(rekey__soft_limit_asks_for_it),
		T(rekey__hard_limit_refuses_until_new_keys_come),
		T(restart__of_one_end_costs_seconds_and_repeats_no_key),
		T(restart__strange_packets_make_the_one_that_knows_nothing_ask),
		T(security__gone_is_survived),
		T(security__another_channel_costs_no_packet),
		T(peer__another_fingerprint_under_the_same_name_gets_new_keys),
		T(peer__removed_takes_its_keys_along),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
