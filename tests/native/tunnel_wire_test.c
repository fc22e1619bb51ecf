/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The wire and niter-security's own handshake together: two hosts, real datagrams, the test's clock.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tunnel_engine.h"
#include "wire_rig.h"

#define MS ((uint64_t)1000000)

static struct rig host[2];
static struct rig_port *port[2];
static struct tunnel_engine *engine[2];

static void peer_set(unsigned i)
{
	struct ctl_wire_peer p = { .peer = 2 - i, .family = CTL_IPV4, .addr = { 127, 0, 0, 1 } };

	p.port = host[!i].udp_port;
	memcpy(p.fingerprint, tunnel_engine_fingerprint(engine[!i]), sizeof(p.fingerprint));
	assert_int_equal(rig_request(&host[i], CTL_WIRE_PEER_SET, &p, sizeof(p)), 0);
}

static void host_start(unsigned i, uint64_t now_ns)
{
	rig_init(&host[i], (uint8_t)(i + 1));
	if (now_ns)
		host[i].now_ns = host[i].w.now_ns = now_ns;
	port[i] = rig_port(&host[i], 1, RIG_VNI, CTL_VPC_SOURCE_DEST_CHECK);
	tunnel_engine_attach(engine[i], host[i].sec.fd);
	host[i].sec.fd = -1; /* the fake one does not step */
}

static void map_all(unsigned i)
{
	assert_int_equal(rig_map(&host[i], port[i], 4, 0), 0);
	assert_int_equal(rig_map(&host[i], port[!i], 4, 2 - i), 0);
}

static int setup(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++) {
		rig_init(&host[i], 1); /* libcrypto is ready after it */
		rig_done(&host[i]);
		engine[i] = tunnel_engine_new();
		host_start(i, 0);
	}
	for (i = 0; i < 2; i++)
		peer_set(i);
	for (i = 0; i < 2; i++)
		map_all(i);
	return 0;
}

static int teardown(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++) {
		rig_done(&host[i]);
		tunnel_engine_free(engine[i]);
	}
	return 0;
}

static void run(uint64_t ns)
{
	bool did = true;

	rig_run(&host[0], &host[1], ns);
	while (did) {
		did = tunnel_engine_step(engine[0], host[0].now_ns);
		did |= tunnel_engine_step(engine[1], host[1].now_ns);
		rig_run(&host[0], &host[1], 0);
	}
}

/* One frame each way. Return: how many did not arrive. */
static unsigned exchange(uint32_t tag)
{
	unsigned lost;

	rig_send_to(port[0], port[1], tag, 0);
	rig_send_to(port[1], port[0], tag, 0);
	run(MS);
	lost = rig_recv(port[1], NULL) != tag;
	lost += rig_recv(port[0], NULL) != tag;
	return lost;
}

static void ready(void)
{
	unsigned i;

	for (i = 0; i < 1000 && !(host[0].w.tunnel[0].tx.esp && host[1].w.tunnel[0].tx.esp); i++)
		run(50 * MS);
	assert_true(i < 1000);
}

static void drain(void)
{
	while (rig_recv(port[0], NULL) || rig_recv(port[1], NULL))
		;
}

static void handshake__both_begin_and_one_epoch_comes_of_it(void **state)
{
	(void)state;
	ready();
	assert_int_equal(exchange(1), 0);
	assert_int_equal(host[0].w.peer[0].epoch, host[1].w.peer[0].epoch);
	assert_int_equal(host[0].w.peer[0].clock.state, PEER_READY);
	assert_int_equal(host[1].w.peer[0].clock.state, PEER_READY);
	assert_true(host[0].w.peer[0].epoch <= 2);
}

static void handshake__survives_a_network_that_loses_a_third(void **state)
{
	uint32_t i;

	(void)state;
	tunnel_engine_lose(engine[0], 33);
	tunnel_engine_lose(engine[1], 33);
	ready();
	for (i = 0; i < 200; i++) /* until both are in the same epoch for good */
		run(100 * MS);
	drain();
	assert_int_equal(exchange(1), 0);
	assert_int_equal(host[0].w.tunnel[0].tx.epoch, host[1].w.tunnel[0].tx.epoch);
	assert_int_equal(tunnel_engine_refused(engine[0]) + tunnel_engine_refused(engine[1]), 0);
}

static void rekey__two_hours_of_traffic_lose_nothing(void **state)
{
	uint64_t t;
	uint32_t tag = 0;

	(void)state;
	ready();
	drain();
	for (t = 0; t < 7200 * PEER_S; t += 250 * MS) {
		assert_int_equal(exchange(++tag), 0);
		run(249 * MS);
	}
	assert_in_range(host[0].w.peer[0].epoch, 8, 20);
	assert_int_equal(rig_stat(&host[0], "wire", "drop_unknown_spi"), 0);
	assert_int_equal(rig_stat(&host[1], "wire", "drop_unknown_spi"), 0);
	assert_int_equal(tunnel_engine_refused(engine[0]) + tunnel_engine_refused(engine[1]), 0);
}

static void rekey__on_a_network_that_loses_handshakes_loses_nothing(void **state)
{
	uint64_t t;
	uint32_t tag = 0;

	(void)state;
	ready();
	drain();
	tunnel_engine_lose(engine[0], 20);
	tunnel_engine_lose(engine[1], 20);
	for (t = 0; t < 3600 * PEER_S; t += 250 * MS) {
		assert_int_equal(exchange(++tag), 0);
		run(249 * MS);
	}
	assert_in_range(host[0].w.peer[0].epoch, 4, 40);
}

static void restart__of_either_end_is_over_in_seconds(void **state)
{
	unsigned i, k;

	(void)state;
	for (i = 0; i < 2; i++) {
		ready();
		drain();
		assert_int_equal(exchange(1), 0);
		rig_done(&host[i]);
		tunnel_engine_boot(engine[i]);
		host_start(i, host[!i].now_ns);
		peer_set(i);
		peer_set(!i); /* its socket has another port in this test */
		map_all(i);
		for (k = 0; k < 60; k++) {
			rig_send_to(port[!i], port[i], 7, 0);
			run(100 * MS);
		}
		drain();
		assert_int_equal(exchange(2), 0);
	}
}

static void stranger__with_the_right_address_and_the_wrong_key_gets_nothing(void **state)
{
	struct tunnel_engine *right = engine[1], *wrong = tunnel_engine_new();
	unsigned i;

	(void)state;
	rig_done(&host[1]);
	engine[1] = wrong;
	host_start(1, host[0].now_ns);
	peer_set(1);
	engine[1] = right;
	peer_set(0); /* host 1 still expects the right one */
	engine[1] = wrong;
	map_all(1);
	for (i = 0; i < 100; i++) {
		rig_send_to(port[0], port[1], 7, 0);
		rig_send_to(port[1], port[0], 7, 0);
		run(100 * MS);
	}
	assert_int_equal(rig_recv(port[0], NULL), 0);
	assert_int_equal(rig_recv(port[1], NULL), 0);
	assert_int_equal(host[0].w.peer[0].epoch, 0);
	assert_int_equal(host[1].w.peer[0].epoch, 0);
	assert_int_equal(tunnel_engine_keys(wrong), 0);
	tunnel_engine_free(right);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(handshake__both_begin_and_one_epoch_comes_of_it),
		T(handshake__survives_a_network_that_loses_a_third),
		T(rekey__two_hours_of_traffic_lose_nothing),
		T(rekey__on_a_network_that_loses_handshakes_loses_nothing),
		T(restart__of_either_end_is_over_in_seconds),
		T(stranger__with_the_right_address_and_the_wrong_key_gets_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
