/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Connection tracking: its rules one by one, its fairness under flood, and random events beside a simple model that keeps
 * flows in a plain array.
 */

#include "vpc/conntrack.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "net_frame.h"

#define US NET_IP(172, 31, 0, 5)
#define THEM NET_IP(172, 31, 0, 6)

static const uint8_t seed[16] = { 1, 2, 3 };
static struct conntrack ct;
static uint32_t now_s;
static struct ct_ref ref;

static int setup(void **state)
{
	(void)state;
	now_s = 1000;
	return conntrack_init(&ct, seed);
}

static int teardown(void **state)
{
	(void)state;
	conntrack_done(&ct);
	return 0;
}

/* What the datapath does, with rules that allow everything. */
static bool see(enum vpc_direction dir, const struct frame *f)
{
	switch (conntrack_see(&ct, dir, f, now_s, &ref)) {
	case CT_KNOWN:
		return true;
	case CT_OPENS:
		return conntrack_open(&ct, dir, now_s, &ref) == 0;
	case CT_INVALID:
	case CT_BAD_ICMP:
		break;
	}
	return false;
}

static struct frame packet(enum vpc_direction dir, uint8_t proto, uint32_t remote, uint16_t lport,
			   uint16_t rport, uint8_t flags)
{
	struct frame f = { .kind = FRAME_IPV4,
			   .proto = proto,
			   .l3 = 14,
			   .l4 = 34,
			   .l3_len = 60,
			   .tcp_flags = flags };

	f.src = dir == VPC_TX ? US : remote;
	f.dst = dir == VPC_TX ? remote : US;
	f.sport = dir == VPC_TX ? lport : rport;
	f.dport = dir == VPC_TX ? rport : lport;
	return f;
}

static bool tcp(enum vpc_direction dir, uint8_t flags)
{
	struct frame f = packet(dir, IP_TCP, THEM, 40000, 80, flags);

	return see(dir, &f);
}

static bool udp_with(enum vpc_direction dir, uint32_t remote, uint16_t lport, uint16_t rport)
{
	struct frame f = packet(dir, IP_UDP, remote, lport, rport, 0);

	return see(dir, &f);
}

static enum ct_answer ask(enum vpc_direction dir, struct frame f)
{
	return conntrack_see(&ct, dir, &f, now_s, &ref);
}

static void handshake(void)
{
	assert_true(tcp(VPC_TX, TCP_SYN));
	assert_true(tcp(VPC_RX, TCP_SYN | TCP_ACK));
	assert_true(tcp(VPC_TX, TCP_ACK));
}

static void conntrack_tcp__lives_its_life(void **state)
{
	(void)state;
	handshake();
	assert_int_equal(ref.flow->state, CT_OPEN);
	assert_true(tcp(VPC_TX, TCP_ACK | TCP_PSH));
	assert_true(tcp(VPC_RX, TCP_ACK));
	assert_true(tcp(VPC_TX, TCP_FIN | TCP_ACK));
	assert_int_equal(ref.flow->state, CT_CLOSING);
	assert_true(tcp(VPC_RX, TCP_ACK));
	assert_true(tcp(VPC_TX, TCP_FIN | TCP_ACK)); /* again: still one side only */
	assert_int_equal(ref.flow->state, CT_CLOSING);
	assert_true(tcp(VPC_RX, TCP_FIN | TCP_ACK));
	assert_int_equal(ref.flow->state, CT_CLOSED);
	assert_true(tcp(VPC_TX, TCP_ACK));
	assert_int_equal(ct.cnt, 1);
}

static void conntrack_tcp__begins_with_a_syn_only(void **state)
{
	unsigned flags;

	(void)state;
	for (flags = 0; flags < 64; flags++) {
		enum ct_answer a = ask(VPC_TX, packet(VPC_TX, IP_TCP, THEM, 1, 2, (uint8_t)flags));
		bool syn = (flags & (TCP_SYN | TCP_ACK | TCP_FIN | TCP_RST)) == TCP_SYN;

		assert_int_equal(a, syn ? CT_OPENS : CT_INVALID);
	}
	assert_int_equal(ct.cnt, 0);
}

static void conntrack_tcp__nobody_skips_the_handshake(void **state)
{
	(void)state;
	assert_true(tcp(VPC_TX, TCP_SYN));
	assert_false(tcp(VPC_TX, TCP_ACK));
	assert_false(tcp(VPC_TX, TCP_FIN | TCP_ACK));
	assert_false(tcp(VPC_RX, TCP_SYN)); /* simultaneous open is not for us */
	assert_false(tcp(VPC_RX, TCP_FIN | TCP_ACK));
	assert_false(tcp(VPC_TX, TCP_SYN | TCP_ACK));
	assert_true(tcp(VPC_TX, TCP_SYN)); /* again */
	assert_true(tcp(VPC_RX, TCP_SYN | TCP_ACK));
	assert_int_equal(ref.flow->state, CT_SYN_ACK);
	assert_false(tcp(VPC_RX, TCP_FIN | TCP_ACK));
	assert_true(tcp(VPC_TX, TCP_ACK));
}

static void conntrack_tcp__an_open_one_takes_no_syn_from_the_other_side(void **state)
{
	(void)state;
	handshake();
	assert_false(tcp(VPC_RX, TCP_SYN));
	assert_true(tcp(VPC_TX, TCP_SYN)); /* its opener may have rebooted; the state stays */
	assert_int_equal(ref.flow->state, CT_OPEN);
	assert_false(tcp(VPC_TX, TCP_SYN | TCP_FIN));
	assert_false(tcp(VPC_RX, 0));
	assert_false(tcp(VPC_RX, TCP_FIN | TCP_PSH | 0x20)); /* "christmas tree" */
}

static void conntrack_tcp__a_refused_one_is_over(void **state)
{
	(void)state;
	assert_true(tcp(VPC_RX, TCP_SYN));
	assert_true(tcp(VPC_TX, TCP_RST | TCP_ACK));
	assert_int_equal(ref.flow->state, CT_CLOSED);
	assert_true(tcp(VPC_RX, TCP_ACK)); /* does not bring it to life: it never was */
	assert_int_equal(ref.flow->state, CT_CLOSED);
	now_s += CT_CLOSED_S;
	assert_false(tcp(VPC_RX, TCP_ACK));
}

static void conntrack_tcp__a_reset_that_nobody_believes_ends_nothing(void **state)
{
	(void)state;
	handshake();
	assert_true(tcp(VPC_RX, TCP_RST));
	assert_int_equal(ref.flow->state, CT_CLOSED);
	assert_true(tcp(VPC_RX, TCP_ACK)); /* the sender of the reset does not count */
	assert_int_equal(ref.flow->state, CT_CLOSED);
	assert_true(tcp(VPC_TX, TCP_ACK));
	assert_int_equal(ref.flow->state, CT_OPEN);
	assert_int_equal(ref.flow->list, CT_LIST_OPEN);
	/* One that is believed does. */
	assert_true(tcp(VPC_RX, TCP_RST));
	now_s += CT_CLOSED_S;
	assert_false(tcp(VPC_TX, TCP_ACK));
}

static void conntrack_tcp__ports_are_used_again(void **state)
{
	struct frame syn = packet(VPC_RX, IP_TCP, THEM, 40000, 80, TCP_SYN);

	(void)state;
	handshake();
	assert_true(tcp(VPC_TX, TCP_RST));
	/* A new one asks the rules again, and the old one stays until they have said yes. */
	assert_int_equal(ask(VPC_RX, syn), CT_OPENS);
	assert_int_equal(ct.cnt, 1);
	assert_int_equal(conntrack_open(&ct, VPC_RX, now_s, &ref), 0);
	assert_int_equal(ct.cnt, 1);
	assert_int_equal(ref.flow->state, CT_NEW);
	assert_int_equal(ref.flow->opener, VPC_RX);
}

static void conntrack_udp__both_directions_and_times(void **state)
{
	(void)state;
	assert_true(udp_with(VPC_TX, THEM, 5000, 53));
	assert_int_equal(ref.flow->list, CT_LIST_HALF_TX);
	now_s += CT_HALF_S - 1;
	assert_int_equal(ask(VPC_RX, packet(VPC_RX, IP_UDP, THEM, 5000, 53, 0)), CT_KNOWN);
	assert_int_equal(ref.flow->list, CT_LIST_REPLIED);
	now_s += CT_REPLIED_S - 1;
	assert_int_equal(ask(VPC_RX, packet(VPC_RX, IP_UDP, THEM, 5000, 53, 0)), CT_KNOWN);
	now_s += CT_REPLIED_S;
	assert_int_equal(ask(VPC_RX, packet(VPC_RX, IP_UDP, THEM, 5000, 53, 0)), CT_OPENS);
	assert_int_equal(ct.cnt, 0);
	assert_true(udp_with(VPC_TX, THEM, 5000, 53));
	now_s += CT_HALF_S;
	assert_int_equal(ask(VPC_RX, packet(VPC_RX, IP_UDP, THEM, 5000, 53, 0)), CT_OPENS);
	/* Another port is another flow. */
	assert_true(udp_with(VPC_TX, THEM, 5000, 53));
	assert_int_equal(ask(VPC_RX, packet(VPC_RX, IP_UDP, THEM, 5001, 53, 0)), CT_OPENS);
	assert_int_equal(ask(VPC_RX, packet(VPC_RX, IP_UDP, THEM + 1, 5000, 53, 0)), CT_OPENS);
	assert_int_equal(ask(VPC_RX, packet(VPC_RX, IP_TCP, THEM, 5000, 53, TCP_ACK)), CT_INVALID);
}

static struct frame icmp(enum vpc_direction dir, uint8_t type, uint16_t id)
{
	struct frame f = packet(dir, IP_ICMP, THEM, id, id, 0);

	f.icmp_type = type;
	return f;
}

static void conntrack_icmp__an_answer_needs_its_question(void **state)
{
	struct frame ping = icmp(VPC_TX, 8, 77);

	(void)state;
	assert_int_equal(ask(VPC_RX, icmp(VPC_RX, 0, 77)), CT_INVALID);
	assert_true(see(VPC_TX, &ping));
	assert_int_equal(ask(VPC_RX, icmp(VPC_RX, 0, 77)), CT_KNOWN);
	assert_int_equal(ask(VPC_RX, icmp(VPC_RX, 0, 78)), CT_INVALID);
	assert_int_equal(ask(VPC_TX, icmp(VPC_TX, 0, 77)), CT_INVALID);
	/* The other side's question with the same identifier is another one. */
	assert_int_equal(ask(VPC_RX, icmp(VPC_RX, 8, 77)), CT_OPENS);
}

static void conntrack_icmp__takes_only_what_it_knows(void **state)
{
	unsigned type;

	(void)state;
	for (type = 0; type < 256; type++) {
		enum ct_answer a = ask(VPC_TX, icmp(VPC_TX, (uint8_t)type, 1));

		assert_int_equal(a, type == 8 ? CT_OPENS : type == 0 ? CT_INVALID : CT_BAD_ICMP);
	}
}

/* An error in direction @dir that quotes @of. */
static struct frame error_about(enum vpc_direction dir, const struct net_frame *of,
				struct net_frame *ret)
{
	static const uint8_t mac[6] = { 6 };
	enum frame_error e;
	struct frame f;

	net_eth(ret, mac, mac, ETH_TYPE_IPV4);
	net_ipv4(ret, dir == VPC_TX ? US : NET_IP(9, 9, 9, 9), dir == VPC_TX ? THEM : US, IP_ICMP,
		 36);
	net_icmp(ret, 3, 1, 0);
	net_quote(ret, of);
	assert_int_equal(frame_parse(ret->b, ret->len, ret->len, &f, &e), 0);
	return f;
}

static void quoted_udp(struct net_frame *q, uint32_t src, uint32_t dst, uint16_t sport,
		       uint16_t dport)
{
	static const uint8_t mac[6] = { 6 };

	net_eth(q, mac, mac, ETH_TYPE_IPV4);
	net_ipv4(q, src, dst, IP_UDP, 20);
	net_udp(q, sport, dport);
}

static void conntrack_icmp__an_error_is_about_a_packet_that_was_sent(void **state)
{
	static struct net_frame q, e;

	(void)state;
	quoted_udp(&q, US, THEM, 5000, 53);
	assert_int_equal(ask(VPC_RX, error_about(VPC_RX, &q, &e)), CT_BAD_ICMP);
	assert_true(udp_with(VPC_TX, THEM, 5000, 53));
	assert_int_equal(ask(VPC_RX, error_about(VPC_RX, &q, &e)), CT_KNOWN);
	/* What we never sent: another port, another direction, another receiver. */
	quoted_udp(&q, US, THEM, 5001, 53);
	assert_int_equal(ask(VPC_RX, error_about(VPC_RX, &q, &e)), CT_BAD_ICMP);
	quoted_udp(&q, THEM, US, 53, 5000);
	assert_int_equal(ask(VPC_RX, error_about(VPC_RX, &q, &e)), CT_BAD_ICMP);
	quoted_udp(&q, THEM, US, 53, 5000);
	assert_int_equal(ask(VPC_TX, error_about(VPC_TX, &q, &e)),
			 CT_BAD_ICMP); /* nobody answered yet */
	assert_int_equal(ask(VPC_RX, packet(VPC_RX, IP_UDP, THEM, 5000, 53, 0)), CT_KNOWN);
	assert_int_equal(ask(VPC_TX, error_about(VPC_TX, &q, &e)), CT_KNOWN);
}

static void conntrack_icmp__a_quote_that_is_cut_or_odd_is_none(void **state)
{
	static struct net_frame q, e;
	struct frame f;

	(void)state;
	assert_true(udp_with(VPC_TX, THEM, 5000, 53));
	quoted_udp(&q, US, THEM, 5000, 53);
	f = error_about(VPC_RX, &q, &e);
	assert_int_equal(ask(VPC_RX, f), CT_KNOWN);
	f.l3_len--;
	assert_int_equal(ask(VPC_RX, f), CT_BAD_ICMP);
	f = error_about(VPC_RX, &q, &e);
	f.h_len = 69;
	assert_int_equal(ask(VPC_RX, f), CT_BAD_ICMP);
	f = error_about(VPC_RX, &q, &e);
	f.h[42] = 0x46;
	assert_int_equal(ask(VPC_RX, f), CT_BAD_ICMP);
	f = error_about(VPC_RX, &q, &e);
	f.h[49] = 1; /* a later fragment: its first bytes are no ports */
	assert_int_equal(ask(VPC_RX, f), CT_BAD_ICMP);
	f = error_about(VPC_RX, &q, &e);
	f.frag_more = true;
	assert_int_equal(ask(VPC_RX, f), CT_BAD_ICMP);
}

static void conntrack__time_ends_flows(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < 100; i++)
		assert_true(udp_with(VPC_TX, THEM, (uint16_t)(i + 1), 53));
	handshake();
	now_s += CT_HALF_S;
	assert_int_equal(conntrack_expire(&ct, now_s, 60), 60);
	assert_int_equal(conntrack_expire(&ct, now_s, 60), 40);
	assert_int_equal(ct.cnt, 1);
	now_s += CT_OPEN_S - CT_HALF_S - 1;
	assert_int_equal(conntrack_expire(&ct, now_s, 60), 0);
	now_s++;
	assert_int_equal(conntrack_expire(&ct, now_s, 60), 1);
	assert_int_equal(ct.cnt, 0);
	assert_true(ct.expired == 101);
}

static bool syn_from(uint32_t remote, uint16_t rport)
{
	struct frame f = packet(VPC_RX, IP_TCP, remote, 22, rport, TCP_SYN);

	return see(VPC_RX, &f);
}

static void conntrack__established_flows_survive_a_flood(void **state)
{
	const uint32_t cap = 256;
	unsigned i;

	(void)state;
	conntrack_limit(&ct, cap, now_s);
	handshake();
	for (i = 0; i < 50; i++)
		assert_true(udp_with(VPC_TX, THEM, (uint16_t)(6000 + i), 53));
	for (i = 0; i < 100000; i++)
		assert_true(syn_from(NET_IP(10, 0, 0, 0) + i, 5));
	assert_int_equal(ct.cnt, cap);
	assert_true(tcp(VPC_TX, TCP_ACK));
	/* Nor do the guest's own new ones suffer from what comes from outside. */
	for (i = 0; i < 50; i++)
		assert_int_equal(
			ask(VPC_RX, packet(VPC_RX, IP_UDP, THEM, (uint16_t)(6000 + i), 53, 0)),
			CT_KNOWN);
}

static void conntrack__the_one_who_floods_pays(void **state)
{
	const uint32_t cap = 256;
	struct frame ack = packet(VPC_TX, IP_TCP, THEM, 22, 7, TCP_SYN | TCP_ACK);
	unsigned i;

	(void)state;
	conntrack_limit(&ct, cap, now_s);
	for (i = 0; i < cap - 1; i++)
		assert_true(syn_from(NET_IP(10, 0, 0, 1), (uint16_t)(i + 1)));
	assert_true(syn_from(THEM, 7));
	/* A hundred tables full of somebody else's: the quiet one's handshake goes on. */
	for (i = 0; i < 100 * cap; i++)
		assert_true(syn_from(NET_IP(10, 0, 0, 1), (uint16_t)(i + 1000)));
	assert_true(see(VPC_TX, &ack));
	assert_int_equal(ct.cnt, cap);
}

static void conntrack__a_table_full_of_established_ones_refuses_until_one_is_idle(void **state)
{
	const uint32_t cap = 64;
	unsigned i;

	(void)state;
	conntrack_limit(&ct, cap, now_s);
	for (i = 0; i < cap; i++) {
		struct frame f = packet(VPC_RX, IP_TCP, THEM, 22, (uint16_t)(i + 1), TCP_SYN);

		assert_true(see(VPC_RX, &f));
		f = packet(VPC_TX, IP_TCP, THEM, 22, (uint16_t)(i + 1), TCP_SYN | TCP_ACK);
		assert_true(see(VPC_TX, &f));
		f = packet(VPC_RX, IP_TCP, THEM, 22, (uint16_t)(i + 1), TCP_ACK);
		assert_true(see(VPC_RX, &f));
	}
	assert_false(syn_from(THEM + 1, 9));
	now_s += CT_IDLE_S - 1;
	assert_false(syn_from(THEM + 1, 9));
	now_s++;
	assert_true(syn_from(THEM + 1, 9));
	assert_int_equal(ct.cnt, cap);
}

static void conntrack_limit__shrinks_the_table_in_the_same_order(void **state)
{
	unsigned i;

	(void)state;
	handshake();
	for (i = 0; i < 100; i++)
		assert_true(syn_from(THEM, (uint16_t)(i + 1)));
	conntrack_limit(&ct, 10, now_s);
	assert_int_equal(ct.cnt, 10);
	assert_true(tcp(VPC_TX, TCP_ACK));
	conntrack_clear(&ct);
	assert_int_equal(ct.cnt, 0);
	assert_false(tcp(VPC_TX, TCP_ACK));
	conntrack_limit(&ct, 0, now_s);
	assert_int_equal(ct.cap, VPC_CONNTRACK_DEFAULT);
	conntrack_limit(&ct, UINT32_MAX, now_s);
	assert_int_equal(ct.cap, VPC_CONNTRACK_MAX);
}

/* ---- beside a model ---- */

enum { MODEL_FLOWS = 64 * 3 };

static struct model_flow {
	bool used, answered, syn_ack, acked, fin[2], rst, was_open;
	int rst_dir, opener;
	uint32_t last_s;
} model[MODEL_FLOWS];

static uint32_t rnd_state;

static uint32_t rnd(uint32_t n)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 17;
	rnd_state ^= rnd_state << 5;
	return rnd_state % n;
}

static bool model_closed(const struct model_flow *m)
{
	return m->rst || (m->fin[0] && m->fin[1]);
}

static uint32_t model_timeout(const struct model_flow *m, bool is_tcp)
{
	if (!is_tcp)
		return m->answered ? CT_REPLIED_S : CT_HALF_S;
	if (model_closed(m))
		return CT_CLOSED_S;
	if (m->fin[0] || m->fin[1])
		return CT_CLOSING_S;
	return m->acked ? CT_OPEN_S : CT_HALF_S;
}

static bool model_udp(struct model_flow *m, int dir)
{
	if (!m->used)
		*m = (struct model_flow){ .used = true, .opener = dir };
	else if (dir != m->opener)
		m->answered = true;
	m->last_s = now_s;
	return true;
}

/* Written from the words of conntrack.h, not from its table. */
static bool model_tcp(struct model_flow *m, int dir, uint8_t flags)
{
	bool syn = flags == TCP_SYN, syn_ack = flags == (TCP_SYN | TCP_ACK), ack = flags == TCP_ACK;
	bool fin = flags == (TCP_FIN | TCP_ACK), rst = flags == TCP_RST, mine = m->opener == dir;

	if (!syn && !syn_ack && !ack && !fin && !rst)
		return false;
	if (!m->used || (model_closed(m) && syn)) {
		if (!syn)
			return false;
		*m = (struct model_flow){ .used = true, .opener = dir, .last_s = now_s };
		return true;
	}
	if (model_closed(m)) {
		if (syn_ack)
			return false;
		if (ack && m->was_open && m->rst && m->rst_dir != dir) {
			m->rst = m->was_open = false;
			m->fin[0] = m->fin[1] = false;
			m->acked = true;
			m->last_s = now_s;
		}
		return true;
	}
	if (syn && !mine)
		return false;
	if (syn_ack && (mine || m->fin[0] || m->fin[1]))
		return false;
	if (!m->acked && !m->fin[0] && !m->fin[1]) { /* in the handshake */
		if (ack && mine && !m->syn_ack)
			return false;
		if (fin && !(mine && m->syn_ack))
			return false;
	}
	m->last_s = now_s;
	if (rst) {
		m->was_open = m->acked || m->fin[0] || m->fin[1];
		m->rst = true;
		m->rst_dir = dir;
	}
	m->syn_ack |= syn_ack;
	m->acked |= ack && mine && m->syn_ack;
	if (fin)
		m->fin[dir] = true;
	return true;
}

static void model_step(void)
{
	static const uint8_t all[] = { TCP_SYN,          TCP_SYN | TCP_ACK, TCP_ACK, TCP_ACK,
				       TCP_ACK,          TCP_FIN | TCP_ACK, TCP_RST, 0,
				       TCP_SYN | TCP_FIN };
	uint32_t idx = rnd(MODEL_FLOWS), remote = THEM + idx / 64;
	bool is_tcp = idx % 2;
	int dir = (int)rnd(2);
	uint8_t flags = all[rnd(sizeof(all))];
	struct frame f = packet((enum vpc_direction)dir, is_tcp ? IP_TCP : IP_UDP, remote,
				(uint16_t)idx, 80, flags);
	struct model_flow *m = &model[idx];
	bool want, closed_before;
	uint32_t last = m->last_s;

	if (rnd(40) == 0)
		now_s += rnd(CT_REPLIED_S / 2);
	if (m->used && now_s - m->last_s >= model_timeout(m, is_tcp))
		*m = (struct model_flow){ 0 };
	closed_before = m->used && model_closed(m);
	want = is_tcp ? model_tcp(m, dir, flags) : model_udp(m, dir);
	if (closed_before && m->used && model_closed(m))
		m->last_s = last; /* a closed one gets no more time */
	assert_int_equal(see((enum vpc_direction)dir, &f), want);
}

static void conntrack__agrees_with_a_model(void **state)
{
	unsigned round, i, used;

	(void)state;
	for (round = 1; round <= 40; round++) {
		rnd_state = round * 2654435761u;
		memset(model, 0, sizeof(model));
		conntrack_clear(&ct);
		now_s = 1000;
		for (i = 0; i < 20000; i++)
			model_step();
		for (i = 0, used = 0; i < MODEL_FLOWS; i++)
			used += model[i].used &&
				now_s - model[i].last_s < model_timeout(&model[i], i % 2);
		(void)conntrack_expire(&ct, now_s, UINT32_MAX);
		assert_int_equal(ct.cnt, used);
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(conntrack_tcp__lives_its_life),
		T(conntrack_tcp__begins_with_a_syn_only),
		T(conntrack_tcp__nobody_skips_the_handshake),
		T(conntrack_tcp__an_open_one_takes_no_syn_from_the_other_side),
		T(conntrack_tcp__a_refused_one_is_over),
		T(conntrack_tcp__a_reset_that_nobody_believes_ends_nothing),
		T(conntrack_tcp__ports_are_used_again),
		T(conntrack_udp__both_directions_and_times),
		T(conntrack_icmp__an_answer_needs_its_question),
		T(conntrack_icmp__takes_only_what_it_knows),
		T(conntrack_icmp__an_error_is_about_a_packet_that_was_sent),
		T(conntrack_icmp__a_quote_that_is_cut_or_odd_is_none),
		T(conntrack__time_ends_flows),
		T(conntrack__established_flows_survive_a_flood),
		T(conntrack__the_one_who_floods_pays),
		T(conntrack__a_table_full_of_established_ones_refuses_until_one_is_idle),
		T(conntrack_limit__shrinks_the_table_in_the_same_order),
		T(conntrack__agrees_with_a_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
