/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The network card's program, in its jail, as launcher and niterd see it. What the guest sees is ena_card_test.c.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "network_host.h"
#include "proto/vu_client.h"

static const char *program;
static struct network_host host;
static struct network_port port;
static const uint8_t mac[6] = { 0x06, 1, 2, 3, 4, 5 };
static const char id[] = "eni-0123456789abcdef0";

static int setup(void **state)
{
	(void)state;
	assert_int_equal(network_host_start(&host, program, NULL, 2), 0);
	assert_int_equal(network_host_add(&host, id, mac, 9001, &port), 0);
	return 0;
}

static int teardown(void **state)
{
	int status = network_host_stop(&host);

	(void)state;
	network_port_done(&port);
	if (status)
		print_error("the card ended with %d\n", status);
	return status;
}

static void network_card__shows_an_ena_function(void **state)
{
	CLEANUP(vu_client_freep) struct vu_client *c = NULL;
	const struct vu_client_info *i;

	(void)state;
	assert_int_equal(vu_client_new(TAKE_FD(port.vfio), 0, &c), 0);
	i = vu_client_info(c);
	assert_int_equal(le16_load(i->config), 0x1d0f);
	assert_int_equal(le16_load(i->config + 2), 0xec20);
	assert_int_equal(i->msix_cnt, 3); /* two queue pairs, for two vCPUs, and management */
}

static void network_card__an_interface_comes_once(void **state)
{
	struct network_port other;
	uint8_t group[6] = { 1, 2, 3, 4, 5, 6 };

	(void)state;
	assert_int_equal(network_host_add(&host, id, mac, 9001, &other), -EEXIST);
	assert_int_equal(network_host_add(&host, "eni-2", group, 9001, &other), -EINVAL);
	assert_int_equal(network_host_add(&host, "eni-2", mac, 100, &other), -EINVAL);
	assert_int_equal(network_host_add(&host, "eni-2", mac, 1500, &other), 0);
	network_port_done(&other);
}

static void network_card__has_a_bounded_number_of_interfaces(void **state)
{
	struct network_port more[CTL_INTERFACES_MAX];
	char name[CTL_ID_MAX];
	unsigned i;

	(void)state;
	for (i = 1; i < CTL_INTERFACES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "eni-%u", i);
		assert_int_equal(network_host_add(&host, name, mac, 1500, &more[i]), 0);
	}
	assert_int_equal(network_host_add(&host, "eni-more", mac, 1500, &more[0]), -ENOSPC);
	assert_true(network_host_counter(&host, "eni-7", "tx_frames") == 0);
	/* One that the hypervisor lets go of makes room. */
	network_port_done(&more[3]);
	for (i = 0; i < 2000 && network_host_counter(&host, "eni-3", "tx_frames") == 0; i++)
		usleep(1000);
	assert_int_equal(network_host_add(&host, "eni-more", mac, 1500, &more[3]), 0);
	for (i = 1; i < CTL_INTERFACES_MAX; i++)
		network_port_done(&more[i]);
}

static void network_card__takes_no_ring_that_could_shrink(void **state)
{
	struct ctl_netcard_interface_add add = { .interface_id = "eni-2", .mtu = 1500 };
	CLEANUP(fd_closep) int memfd = fd_memfd("ring", PACKET_RING_BYTES - 4096);
	CLEANUP(fd_closep) int ev = fd_eventfd();
	CLEANUP(fd_closep) int a = -1, b = -1;
	struct ctl_msg *m = &host.msg;
	int fds[4];

	(void)state;
	assert_int_equal(fd_socketpair(SOCK_STREAM, &a, &b), 0);
	memcpy(fds, (int[]){ memfd, ev, ev, a }, sizeof(fds));
	assert_int_equal(ctl_send(host.ctl, CTL_NETCARD_INTERFACE_ADD, 99, &add, fds, 4), 0);
	ctl_msg_done(m);
	assert_int_equal(ctl_recv(host.ctl, m), 1);
	assert_int_equal(m->u.ack.err, -EPROTO);
	assert_non_null(strstr(m->u.ack.text, "eni-2"));
}

static void network_card__hears_niterd_in_any_order(void **state)
{
	static struct ctl_vpc_rules rules = { .rule_cnt = 1 };
	struct ctl_vpc_routes routes = {
		.route_cnt = 1, .route = { { .family = CTL_IPV4, .target = CTL_ROUTE_LOCAL } }
	};
	static struct ctl_vpc_mappings maps = { .vni = 0x1001, .mapping_cnt = 2 };
	struct ctl_vpc_interface i;

	(void)state;
	memcpy(rules.interface_id, id, sizeof(id));
	memcpy(routes.interface_id, id, sizeof(id));
	rules.rule[0] = (struct ctl_vpc_rule){ .egress = 1, .proto = 255, .family = CTL_IPV4 };
	maps.mapping[0] = (struct ctl_vpc_mapping){ .family = CTL_IPV4, .addr = { 172, 31, 0, 6 } };
	maps.mapping[1] = (struct ctl_vpc_mapping){ .family = 0 };
	assert_int_equal(network_host_tell(&host, CTL_VPC_MAPPINGS_DEL, &maps), 0);
	assert_int_equal(network_host_tell(&host, CTL_VPC_RULES_SET, &rules), 0);
	assert_int_equal(network_host_tell(&host, CTL_VPC_MAPPINGS_ADD, &maps), 0);
	assert_int_equal(network_host_tell(&host, CTL_VPC_ROUTES_SET, &routes), 0);
	network_interface(&port, 5, &i);
	assert_int_equal(network_host_tell(&host, CTL_VPC_INTERFACE_SET, &i), 0);
	assert_int_equal(network_host_tell(&host, CTL_VPC_INTERFACE_SET, &i), 0);
}

static void network_card__refuses_what_contradicts_itself(void **state)
{
	static struct ctl_vpc_rules rules = { .rule_cnt = 1 };
	struct ctl_vpc_interface good, i;

	(void)state;
	network_interface(&port, 5, &good);
	i = good;
	i.mac[5] ^= 1;
	assert_int_equal(network_host_tell(&host, CTL_VPC_INTERFACE_SET, &i), -EINVAL);
	i = good;
	i.mtu = 9100;
	assert_int_equal(network_host_tell(&host, CTL_VPC_INTERFACE_SET, &i), -EINVAL);
	i = good;
	i.flags |= CTL_VPC_GATEWAY;
	assert_int_equal(network_host_tell(&host, CTL_VPC_INTERFACE_SET, &i), -EINVAL);
	i = good;
	i.address[0].addr[0] = 10;
	assert_int_equal(network_host_tell(&host, CTL_VPC_INTERFACE_SET, &i), -EINVAL);
	i = good;
	i.interface_id[5] ^= 1;
	assert_int_equal(network_host_tell(&host, CTL_VPC_INTERFACE_SET, &i), -ENOENT);
	memcpy(rules.interface_id, id, sizeof(id));
	rules.rule[0] = (struct ctl_vpc_rule){ .proto = 255, .family = CTL_IPV4, .prefix = 33 };
	assert_int_equal(network_host_tell(&host, CTL_VPC_RULES_SET, &rules), -EINVAL);
	assert_int_equal(network_host_tell(&host, CTL_VPC_INTERFACE_SET, &good), 0);
}

static void network_card__asks_no_guest_without_a_driver(void **state)
{
	struct ctl_vpc_interface i;
	struct ctl_vpc_probe m = { .interface_id = "eni-nobody" };

	(void)state;
	assert_int_equal(network_host_tell(&host, CTL_VPC_PROBE, &m), -ENOENT);
	network_interface(&port, 5, &i);
	assert_int_equal(network_host_tell(&host, CTL_VPC_INTERFACE_SET, &i), 0);
	memcpy(m.interface_id, id, sizeof(id));
	assert_int_equal(network_host_tell(&host, CTL_VPC_PROBE, &m), 0);
	assert_int_equal(host.msg.type, CTL_VPC_PROBED);
	assert_string_equal(host.msg.u.vpc_probed.interface_id, id);
	assert_int_equal(host.msg.u.vpc_probed.asked, 0);
	assert_int_equal(host.msg.u.vpc_probed.frames, 0);
}

static void frame_in(uint8_t *p, uint8_t to)
{
	memset(p, 0, 60);
	memcpy(p, mac, 6);
	p[12] = 8;
	p[14] = 0x45;
	p[17] = 46;
	p[22] = 64;
	p[23] = 17;
	memcpy(p + 26, (uint8_t[]){ 172, 31, 0, 6, 172, 31, 0, to }, 8);
}

/* Also while no driver is up: a full ring would stand in the wire's way. */
static void network_card__empties_its_ring_whatever_the_guest_does(void **state)
{
	unsigned i, n = 0;
	uint8_t *p;

	(void)state;
	while (n < 40000) {
		p = packet_ring_reserve(port.ring, 60);
		if (!p) {
			if (packet_ring_publish(port.ring))
				fd_event_signal(port.to_card);
			usleep(1000);
			continue;
		}
		frame_in(p, 5);
		packet_ring_commit(port.ring, 60, 0);
		n++;
	}
	if (packet_ring_publish(port.ring))
		fd_event_signal(port.to_card);
	for (i = 0; i < 5000; i++) {
		if (network_host_counter(&host, id, "rx_drop_unconfigured") == (long long)n)
			break;
		usleep(1000);
	}
	assert_int_equal(network_host_counter(&host, id, "rx_drop_unconfigured"), n);
}

static void network_card__outlives_a_wire_that_breaks_its_ring(void **state)
{
	unsigned i;
	uint8_t *p = packet_ring_reserve(port.ring, 60);

	(void)state;
	assert_non_null(p);
	packet_ring_commit(port.ring, 60, 0);
	le32_store(p - PACKET_RING_HDR_BYTES, 0x7fffffff); /* its length */
	assert_true(packet_ring_publish(port.ring));
	fd_event_signal(port.to_card);
	for (i = 0; i < 5000 && network_host_counter(&host, id, "ring_broken") != 1; i++)
		usleep(1000);
	assert_int_equal(network_host_counter(&host, id, "ring_broken"), 1);
}

static void network_card__outlives_noise_from_niterd_and_the_tap(void **state)
{
	uint8_t noise[200] = { 1, 2, 3 };
	unsigned i;

	(void)state;
	for (i = 1; i < 100; i++) {
		assert_int_equal(send(host.service, noise, i, 0), i);
		assert_int_equal(send(host.tap, noise, i, 0), i);
	}
	assert_int_equal(network_host_counter(&host, id, "tx_frames"), 0);
}

static void network_card__answers_arp_of_the_metadata_process(void **state)
{
	static const uint8_t request[42] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0xa9, 0xfe, 0xa9, 0xfe, 8,    6,
		0,    1,    8,    0,    6,    4,    0, 1, 2,    0,    0xa9, 0xfe, 0xa9, 0xfe,
		169,  254,  169,  254,  0,    0,    0, 0, 0,    0,    172,  31,   0,    5,
	};
	static const uint8_t sender[10] = { 2, 0, 0xa9, 0xfe, 0xa9, 1, 172, 31, 0, 5 };
	uint8_t got[100];

	(void)state;
	assert_int_equal(send(host.tap, request, sizeof(request), 0), sizeof(request));
	assert_int_equal(recv(host.tap, got, sizeof(got), 0), 60);
	assert_memory_equal(got, request + 6, 6);
	assert_memory_equal(got + 22, sender, sizeof(sender));
}

static void network_card__goes_on_without_niterd_and_tap(void **state)
{
	CLEANUP(vu_client_freep) struct vu_client *c = NULL;
	struct network_port other;

	(void)state;
	fd_closep(&host.service);
	fd_closep(&host.tap);
	assert_int_equal(network_host_add(&host, "eni-2", mac, 1500, &other), 0);
	assert_int_equal(vu_client_new(TAKE_FD(other.vfio), 0, &c), 0);
	network_port_done(&other);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(network_card__shows_an_ena_function),
		T(network_card__an_interface_comes_once),
		T(network_card__has_a_bounded_number_of_interfaces),
		T(network_card__takes_no_ring_that_could_shrink),
		T(network_card__hears_niterd_in_any_order),
		T(network_card__refuses_what_contradicts_itself),
		T(network_card__asks_no_guest_without_a_driver),
		T(network_card__empties_its_ring_whatever_the_guest_does),
		T(network_card__outlives_a_wire_that_breaks_its_ring),
		T(network_card__outlives_noise_from_niterd_and_the_tap),
		T(network_card__answers_arp_of_the_metadata_process),
		T(network_card__goes_on_without_niterd_and_tap),
	};

	if (argc != 2)
		return 2;
	program = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
