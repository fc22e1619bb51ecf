/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a network card that was taken over, another host that was taken over, and the network between hosts may try
 * against a wire, which relies on none of them.
 *
 *   wire_probes_test        every probe must be denied
 *   wire_probes_GUARD       the same, linked with tests/isolation/open-wire/GUARD.c in the place of one guard: the probes
 *                           which that guard stops must get through (so they prove something), all others must not
 *
 * Host 1 is ours: a1, a2 in one network, a3 in another. Host 2: b1, b3 likewise, and a gateway. For probes from host 2, its
 * wire is told whatever makes it send them.
 */

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "wire_rig.h"

enum { OTHER_VNI = RIG_VNI + 1, EVIL = 66 };

#define CHECK CTL_VPC_SOURCE_DEST_CHECK
#define MS ((uint64_t)1000000)

static struct rig a, b;
static struct rig_port *a1, *a2, *a3, *b1, *b3, *igw;

static void map_on(struct rig *r, uint32_t host_of_a, uint32_t host_of_b)
{
	must(rig_map(r, a1, 4, host_of_a) == 0 && rig_map(r, a2, 4, host_of_a) == 0);
	must(rig_map(r, a3, 4, host_of_a) == 0 && rig_map(r, b1, 4, host_of_b) == 0);
	must(rig_map(r, b3, 4, host_of_b) == 0 && rig_map(r, igw, 0, host_of_b) == 0);
}

static void world_new(void)
{
	unsigned i;

	rig_init(&a, 1);
	rig_init(&b, 2);
	a1 = rig_port(&a, 1, RIG_VNI, CHECK);
	a2 = rig_port(&a, 2, RIG_VNI, CHECK);
	a3 = rig_port(&a, 3, OTHER_VNI, CHECK);
	b1 = rig_port(&b, 1, RIG_VNI, CHECK);
	b3 = rig_port(&b, 3, OTHER_VNI, CHECK);
	igw = rig_port(&b, 9, RIG_VNI, CTL_VPC_GATEWAY);
	rig_peer(&a, &b);
	rig_peer(&b, &a);
	map_on(&a, 0, 2);
	map_on(&b, 1, 0);
	for (i = 0; i < 20; i++)
		rig_run(&a, &b, 10 * MS);
}

static void world_free(void)
{
	rig_done(&a);
	rig_done(&b);
}

/* Does anybody on either host get a frame with the tag EVIL? */
static bool evil_arrives(void)
{
	struct rig_port *const port[] = { a1, a2, a3, b1, b3, igw };
	bool evil = false;
	uint32_t tag;
	size_t i;

	rig_run(&a, &b, MS);
	for (i = 0; i < ARRAY_SIZE(port); i++)
		while ((tag = rig_recv(port[i], NULL)))
			evil |= tag == EVIL;
	return evil;
}

static struct rig_frame frame(const struct rig_port *from, const struct rig_port *to)
{
	struct rig_frame f = { .src = from->mac, .dst = to->mac, .tag = EVIL };

	memcpy(f.src_ip, from->ip, 4);
	memcpy(f.dst_ip, to->ip, 4);
	return f;
}

static bool sent(struct rig_port *p, struct rig_frame f)
{
	rig_send(p, &f);
	return evil_arrives();
}

/* ---- a card of ours was taken over ---- */

static bool card_mac_of_neighbour(struct rig_port *to)
{
	struct rig_frame f = frame(a1, to);

	f.src = a2->mac;
	return sent(a1, f);
}

static bool card_mac_to_neighbour(void)
{
	return card_mac_of_neighbour(a2);
}

static bool card_mac_to_other_host(void)
{
	return card_mac_of_neighbour(b1);
}

static bool card_ip_of_neighbour(void)
{
	struct rig_frame f = frame(a1, b1);

	memcpy(f.src_ip, a2->ip, 4);
	return sent(a1, f);
}

static bool card_ip_on_same_host(void)
{
	struct rig_frame f = frame(a1, a2);

	memcpy(f.src_ip, b1->ip, 4);
	return sent(a1, f);
}

static bool card_ip_of_metadata(void)
{
	struct rig_frame f = frame(a1, a2);

	memcpy(f.src_ip, (uint8_t[]){ 169, 254, 169, 254 }, 4);
	return sent(a1, f);
}

static bool gateway_ip_inside(void)
{
	struct rig_frame f = frame(igw, a1);

	memcpy(f.src_ip, b1->ip, 4);
	return sent(igw, f);
}

static bool card_other_network_same_host(void)
{
	return sent(a1, frame(a1, a3));
}

static bool card_other_network_other_host(void)
{
	return sent(a1, frame(a1, b3));
}

static bool card_ethertype(unsigned type, uint64_t dst)
{
	struct rig_frame f = frame(a1, a2);

	f.type = type;
	if (dst)
		f.dst = dst;
	return sent(a1, f);
}

static bool card_arp(void)
{
	return card_ethertype(0x0806, 0);
}

static bool card_arp_broadcast(void)
{
	return card_ethertype(0x0806, 0xffffffffffff);
}

static bool card_vlan(void)
{
	return card_ethertype(0x8100, 0);
}

static bool card_multicast(void)
{
	return card_ethertype(0, 0x01005e0000fb);
}

static bool card_unknown_mac(void)
{
	return card_ethertype(0, 0x0600000000ee);
}

/* ---- host 2 was taken over ---- */

static bool host_mac(uint64_t mac)
{
	struct rig_frame f = frame(b1, a1);
	struct rig_port evil = *b1;

	evil.mac = f.src = mac;
	must(rig_unmap(&b, a2, 4, 1) == 0); /* it forgets whose it is */
	must(rig_port_set(&b, &evil, 0) == 0);
	memcpy(f.src_ip, b1->ip, 4);
	return sent(b1, f);
}

static bool host_mac_of_ours(void)
{
	return host_mac(a2->mac);
}

static bool host_mac_of_nobody(void)
{
	return host_mac(0x0600000000fe);
}

static bool host_ip(const uint8_t ip[4])
{
	struct rig_frame f = frame(b1, a1);

	must(rig_port_set(&b, b1, 0) == 0);
	memcpy(f.src_ip, ip, 4);
	return sent(b1, f);
}

static bool host_ip_of_ours(void)
{
	return host_ip(a2->ip);
}

static bool host_ip_of_nobody(void)
{
	return host_ip((uint8_t[]){ 172, 31, 200, 1 });
}

static bool host_ip_of_the_outside(void)
{
	return host_ip((uint8_t[]){ 8, 8, 8, 8 });
}

static bool host_gateway_inside(void)
{
	struct rig_frame f = frame(igw, a1);

	must(rig_port_set(&b, igw, 0) == 0); /* no gateway by its own rules */
	memcpy(f.src_ip, (uint8_t[]){ 172, 31, 200, 1 }, 4);
	return sent(igw, f);
}

static bool host_unknown_destination(void)
{
	struct rig_port nobody = *a2;
	struct rig_frame f;

	nobody.mac = 0x0600000000ee;
	must(rig_map(&b, &nobody, 4, 1) == 0);
	f = frame(b1, &nobody);
	return sent(b1, f);
}

/* ---- the network ---- */

static uint8_t d[2048];
static size_t d_len;

/* What host 2 sends for one good frame to a1; it does not arrive yet. */
static void caught(uint32_t tag)
{
	struct rig_frame f = frame(b1, a1);
	ssize_t n;

	f.tag = tag;
	rig_send(b1, &f);
	rig_run(&b, NULL, MS);
	n = recv(a.w.udp.fd, d, sizeof(d), MSG_DONTWAIT);
	must(n > 0);
	d_len = (size_t)n;
}

static bool injected(void)
{
	static uint8_t copy[UDP_RX_BYTES];
	struct udp_addr from;

	must(udp_addr_make(&a.w.udp, 4, (uint8_t[16]){ 127, 0, 0, 1 }, b.udp_port, &from) == 0);
	memcpy(copy, d, d_len);
	ingress_datagram(&a.w, copy, d_len, &from);
	port_kicks(&a.w);
	return evil_arrives();
}

static bool network_replay(void)
{
	caught(EVIL);
	must(injected()); /* the first time it is honest */
	return injected();
}

static bool network_late_beyond_the_window(void)
{
	unsigned i;

	caught(EVIL);
	for (i = 0; i < 4200; i++) {
		rig_send_to(b1, a1, 1, 0);
		if (i % 50 == 49)
			must(!evil_arrives());
	}
	return injected();
}

static bool network_flip(size_t byte)
{
	caught(EVIL);
	d[byte] ^= 0x40;
	return injected();
}

static bool network_flipped_payload(void)
{
	return network_flip(90);
}

static bool network_flipped_tag(void)
{
	caught(EVIL);
	d[d_len - 1] ^= 1;
	return injected();
}

static bool network_flipped_number(void)
{
	return network_flip(6);
}

static bool network_clear(void)
{
	/* The frame itself, behind an SPI that exists: there is no way in for it. */
	static uint8_t f[PACKET_RING_FRAME_MAX];
	struct rig_frame want = frame(b1, a1);
	unsigned len = rig_frame_make(&want, f);

	caught(1);
	memcpy(d + 8, f, len);
	d_len = (8 + len + 3) & ~(size_t)3;
	return injected();
}

/* ---- all of them ---- */

static const struct {
	const char *guard, *name;
	bool (*gets_through)(void);
} probe[] = {
#define P(guard, f)                                                                                \
	{                                                                                          \
#guard, #f, f                                                                      \
	}
	P(guard_src_mac, card_mac_to_neighbour),
	P(guard_src_mac, card_mac_to_other_host),
	P(guard_src_ip, card_ip_of_neighbour),
	P(guard_src_ip, card_ip_on_same_host),
	P(guard_src_ip, card_ip_of_metadata),
	P(guard_src_ip, gateway_ip_inside),
	P(map_key, card_other_network_same_host),
	P(map_key, card_other_network_other_host),
	P(inner, card_arp),
	P(inner, card_vlan),
	P(nothing, card_arp_broadcast), /* two guards, and no way to flood */
	P(nothing, card_multicast),
	P(nothing, card_unknown_mac),
	P(guard_peer_mac, host_mac_of_ours),
	P(guard_peer_mac, host_mac_of_nobody),
	P(guard_peer_ip, host_ip_of_ours),
	P(guard_peer_ip, host_ip_of_nobody),
	P(guard_peer_ip, host_ip_of_the_outside),
	P(guard_peer_ip, host_gateway_inside),
	P(nothing, host_unknown_destination),
	P(replay, network_replay),
	P(replay, network_late_beyond_the_window),
	P(packet_gcm, network_flipped_payload),
	P(packet_gcm, network_flipped_tag),
	P(packet_gcm, network_flipped_number),
	P(nothing, network_clear),
};

static bool honest(void)
{
	rig_send_to(a1, a2, EVIL, 0);
	if (!evil_arrives())
		return false;
	rig_send_to(a1, b1, EVIL, 0);
	if (!evil_arrives())
		return false;
	rig_send_to(b3, a3, EVIL, 0);
	return evil_arrives();
}

int main(int argc, char **argv)
{
	const char *off = argc > 1 ? argv[1] : "";
	unsigned i, bad = 0, opened = 0;

	world_new();
	must(honest());
	world_free();
	for (i = 0; i < ARRAY_SIZE(probe); i++) {
		bool want = strcmp(probe[i].guard, off) == 0, got;

		world_new();
		got = probe[i].gets_through();
		world_free();
		opened += want;
		if (got == want)
			continue;
		bad++;
		(void)printf("%s (%s): %s\n", probe[i].name, probe[i].guard,
			     got ? "gets through"
				 : "is denied without its guard, too: it proves nothing");
	}
	(void)printf("%u probes, %u denied, %u through%s%s\n", i, i - opened - bad, opened,
		     *off ? ", without " : "", off);
	return bad || (*off && !opened);
}
