/* SPDX-License-Identifier: Apache-2.0 */

#include "ena_rig.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"

static uint8_t pkt[70000], want[ENA_FRAME_MAX];

static struct ena_driver_offload partial(bool ipv6, bool tcp)
{
	return (struct ena_driver_offload){ .l4_csum = true,
					    .l4_partial = true,
					    .ipv6 = ipv6,
					    .tcp = tcp,
					    .l3_off = 14,
					    .l3_len = ipv6 ? 40 : 20 };
}

static struct ena_driver_offload tso(bool ipv6, uint16_t mss)
{
	return (struct ena_driver_offload){ .tso = true,
					    .l3_csum = !ipv6,
					    .l4_csum = true,
					    .ipv6 = ipv6,
					    .tcp = true,
					    .l3_off = 14,
					    .l3_len = ipv6 ? 40 : 20,
					    .l4_words = 8,
					    .mss = mss };
}

/* Where the L4 checksum lies. */
static size_t check_at(const struct ena_driver_offload *o)
{
	return (size_t)o->l3_off + o->l3_len + (o->tcp ? 16u : 6u);
}

/* One raw data descriptor of queue 0. */
static void desc_put(uint32_t flags, uint32_t ctrl, uint64_t at, uint32_t len, unsigned req_id)
{
	struct ena_driver_ring *r = &rig.d.q[0].tx;
	struct ena_tx_desc d = {
		{ len | flags | (ena_driver_phase(r) ? ENA_TX0_PHASE : 0) | (req_id >> 10) << 16,
		  ctrl | (req_id & 0x3ff) << 22, (uint32_t)at, (uint32_t)(at >> 32) & 0xffff }
	};

	ena_driver_desc(r, &d);
}

static void meta_put(uint32_t flags, const struct ena_driver_offload *o)
{
	struct ena_driver_ring *r = &rig.d.q[0].tx;
	struct ena_tx_desc d = { { ENA_TX0_META | ENA_META0_EXT_VALID | ENA_META0_EXTENDED |
					   ENA_META0_STORE | flags |
					   ((uint32_t)o->mss >> 10 & 0xf) << 16 |
					   (ena_driver_phase(r) ? ENA_TX0_PHASE : 0),
				   0,
				   o->l3_len | (uint32_t)o->l3_off << 8 |
					   (uint32_t)o->l4_words << 16 | (uint32_t)o->mss << 22,
				   0 } };

	ena_driver_desc(r, &d);
}

static void ring(void)
{
	ena_driver_ring_db(&rig.d, &rig.d.q[0].tx);
	rig_turn();
}

/* A small good packet in guest memory. */
static uint64_t small(size_t *ret_len)
{
	uint64_t at = rig_alloc(4096);

	*ret_len = rig_packet(rig_p(at), false, false, 30, 5);
	return at;
}

static void tx__frames_arrive_whole_however_cut(void **state)
{
	static const size_t payload[] = { 0, 1, 17, 100, 600, 900, 1471, 1472, 8900 };
	static const size_t piece[] = { 700, 701, 4096, 9000 };
	unsigned i, k;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(payload); i++) {
		for (k = 0; k < ARRAY_SIZE(piece); k++) {
			size_t len = rig_packet(pkt, i % 2, false, payload[i], i);

			rig_frames_clear();
			rig_tx(i % RIG_PAIRS, pkt, len, piece[k], NULL);
			assert_int_equal(rig.frame_cnt, 1);
			assert_int_equal(rig.frame[0].len, len);
			assert_memory_equal(rig.frame[0].b, pkt, len);
			assert_int_equal(rig.frame[0].flags,
					 0); /* the guest's own checksum: not ours */
			assert_int_equal(rig.frame[0].queue, i % RIG_PAIRS);
			assert_int_equal(ena_driver_tx_reap(&rig.d, i % RIG_PAIRS), 1);
		}
	}
	assert_int_equal(rig.e->stats.tx_drops, 0);
}

static void tx__header_in_tiny_pieces(void **state)
{
	size_t len = rig_packet(pkt, false, true, 100, 3);

	(void)state;
	rig_tx(0, pkt, len, 10, NULL);
	assert_int_equal(rig.frame_cnt, 1);
	assert_memory_equal(rig.frame[0].b, pkt, len);
}

static void tx__ring_wraps_and_phases_turn(void **state)
{
	size_t len = rig_packet(pkt, false, false, 40, 9);
	unsigned i;

	(void)state;
	for (i = 0; i < 3 * RIG_DEPTH + 5; i++) {
		rig_tx(1, pkt, len, 30, NULL);
		assert_int_equal(ena_driver_tx_reap(&rig.d, 1), 1);
		assert_int_equal(rig.frame_cnt, 1);
		rig_frames_clear();
	}
}

static void tx__partial_checksums(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < 64; i++) {
		bool ipv6 = i & 1, tcp = i & 2;
		struct ena_driver_offload o = partial(ipv6, tcp);
		size_t len = rig_packet(pkt, ipv6, tcp, 700 * (i / 16) + i, i), k;
		uint64_t sum;

		memcpy(want, pkt, len);
		/* What the stack leaves there: the folded sum of the pseudo header, not inverted. */
		sum = (uint64_t)(tcp ? 6 : 17) + (len - 14 - o.l3_len);
		for (k = 14 + (ipv6 ? 8 : 12); k < 14u + o.l3_len; k += 2)
			sum += be16_load(pkt + k);
		while (sum >> 16)
			sum = (sum & 0xffff) + (sum >> 16);
		be16_store(pkt + check_at(&o), (uint16_t)sum);
		rig_frames_clear();
		rig_tx(0, pkt, len, 4096, &o);
		assert_int_equal(rig.frame_cnt, 1);
		assert_int_equal(rig.frame[0].flags, ENA_FRAME_L4_OK);
		assert_memory_equal(rig.frame[0].b, want, len);
		(void)ena_driver_tx_reap(&rig.d, 0);
	}
}

static void tx__full_checksums(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < 8; i++) {
		bool ipv6 = i & 1, tcp = i & 2;
		struct ena_driver_offload o = partial(ipv6, tcp);
		size_t len = rig_packet(pkt, ipv6, tcp, 1000 + i, i);

		memcpy(want, pkt, len);
		o.l4_partial = false;
		o.l3_csum = !ipv6;
		be16_store(pkt + check_at(&o), 0x1234);
		if (!ipv6)
			be16_store(pkt + 24, 0x4321);
		rig_frames_clear();
		rig_tx(0, pkt, len, 4096, &o);
		assert_int_equal(rig.frame_cnt, 1);
		assert_memory_equal(rig.frame[0].b, want, len);
		(void)ena_driver_tx_reap(&rig.d, 0);
	}
}

static void tx__segments(void **state)
{
	struct ena_driver_offload o = tso(false, 1448);
	size_t len = rig_packet(pkt, false, true, 60000, 1), payload = 0;
	unsigned i;

	(void)state;
	pkt[14 + 20 + 13] = 0x80 | 0x18 | 0x01; /* CWR, PSH, ACK, FIN */
	rig_tx(0, pkt, len, 4096, &o);
	assert_int_equal(rig.frame_cnt, 42);
	assert_int_equal(ena_driver_tx_reap(&rig.d, 0), 1);
	for (i = 0; i < 42; i++) {
		const struct rig_frame *f = &rig.frame[i];
		struct offload_class c;
		uint8_t flags = f->b[14 + 20 + 13];

		assert_int_equal(f->seg_idx, i);
		assert_int_equal(f->seg_cnt, 42);
		assert_int_equal(f->flags, ENA_FRAME_L4_OK);
		assert_int_equal(f->len, i < 41 ? 66 + 1448 : 66 + 60000 - 41 * 1448);
		offload_classify(f->b, f->len, f->len, &c);
		assert_true(c.tcp && !c.l3_bad);
		assert_true(offload_verify(&c, f->b, f->len, NULL));
		assert_int_equal(be16_load(f->b + 18), (uint16_t)(0xfffe + i));
		assert_int_equal(be32_load(f->b + 38), 0xfffffff1 + 1448 * i);
		assert_int_equal(flags, 0x10 | (i == 0 ? 0x80 : 0) | (i == 41 ? 0x09 : 0));
		assert_memory_equal(f->b + 66, pkt + 66 + payload, f->len - 66);
		payload += f->len - 66;
	}
	assert_int_equal(payload, 60000);
}

static void tx__meta_is_cached_until_it_changes(void **state)
{
	struct ena_driver_offload o = tso(true, 1000);
	size_t len = rig_packet(pkt, true, true, 3000, 1);
	uint16_t tail;

	(void)state;
	rig_tx(0, pkt, len, 4096, &o);
	assert_int_equal(rig.frame_cnt, 3);
	tail = rig.d.q[0].tx.tail;
	rig_tx(0, pkt, len, 4096, &o);
	assert_int_equal((uint16_t)(rig.d.q[0].tx.tail - tail), 1); /* no meta descriptor */
	assert_int_equal(rig.frame_cnt, 6);
	rig_tx(0, pkt, 200, 4096, NULL); /* plain ones in between change nothing */
	rig_tx(0, pkt, len, 4096, &o);
	assert_int_equal(rig.frame_cnt, 10);
	o.mss = 500;
	rig_tx(0, pkt, len, 4096, &o);
	assert_int_equal(rig.frame_cnt, 16);
	assert_int_equal(rig.e->stats.tx_drops, 0);
}

static void tx__meta_cache_is_empty_after_creation(void **state)
{
	struct ena_driver_offload o = tso(false, 1000);
	size_t len = rig_packet(pkt, false, true, 3000, 1);

	(void)state;
	rig_tx(0, pkt, len, 4096, &o);
	assert_int_equal(rig.frame_cnt, 3);
	assert_int_equal(ena_driver_down(&rig.d), 0);
	assert_int_equal(ena_driver_up(&rig.d, RIG_PAIRS, RIG_DEPTH), 0);
	rig.d.q[0].meta = o; /* the driver thinks the device knows */
	rig_tx(0, pkt, len, 4096, &o);
	assert_int_equal(rig.frame_cnt, 3);
	assert_int_equal(rig.e->stats.tx_drops, 1);
	assert_int_equal(ena_driver_tx_reap(&rig.d, 0), 1);
}

static void tx__meta_alone_is_only_stored(void **state)
{
	struct ena_driver_offload o = tso(false, 1000);
	size_t len = rig_packet(pkt, false, true, 3000, 1);

	(void)state;
	meta_put(ENA_TX0_FIRST, &o);
	ring();
	assert_int_equal(ena_driver_tx_reap(&rig.d, 0), 0);
	rig.d.q[0].meta = o;
	rig_tx(0, pkt, len, 4096, &o);
	assert_int_equal(rig.frame_cnt, 3);
}

static void tx__packet_rung_in_two_goes(void **state)
{
	size_t len;
	uint64_t at = small(&len);

	(void)state;
	desc_put(ENA_TX0_FIRST, 0, at, 20, 3);
	ring();
	assert_int_equal(rig.frame_cnt, 0);
	desc_put(ENA_TX0_LAST, 0, at + 20, (uint32_t)len - 20, 0);
	ring();
	assert_int_equal(rig.frame_cnt, 1);
	assert_memory_equal(rig.frame[0].b, rig_p(at), len);
}

/* The tail says how far descriptors are whole; the phase bits alone would say more. */
static void tx__entries_behind_the_doorbell_are_not_looked_at(void **state)
{
	size_t len;
	uint64_t at = small(&len);
	uint16_t tail;

	(void)state;
	desc_put(ENA_TX0_FIRST | ENA_TX0_LAST, 0, at, (uint32_t)len, 0);
	tail = rig.d.q[0].tx.tail;
	desc_put(ENA_TX0_FIRST | ENA_TX0_LAST, 0, RIG_NOWHERE, (uint32_t)len, 1);
	rig_reg_write(rig.d.q[0].tx.db_off, tail);
	rig_turn();
	assert_int_equal(rig.frame_cnt, 1);
	assert_true(ena_running(rig.e));
}

/* ---- lies about a packet: dropped, counted, completed ---- */

static void assert_dropped(const struct ena_driver_offload *o, size_t len)
{
	uint64_t drops = rig.e->stats.tx_drops;

	rig_frames_clear();
	rig_tx(0, pkt, len, 5000, o);
	assert_int_equal(rig.frame_cnt, 0);
	assert_int_equal(rig.e->stats.tx_drops, drops + 1);
	assert_int_equal(ena_driver_tx_reap(&rig.d, 0), 1);
	assert_true(ena_running(rig.e));
}

static void lie__mss_zero(void **state)
{
	struct ena_driver_offload o = tso(false, 0);

	(void)state;
	assert_dropped(&o, rig_packet(pkt, false, true, 3000, 1));
	o.mss = OFFLOAD_MSS_MIN - 1;
	assert_dropped(&o, rig_packet(pkt, false, true, 3000, 1));
	o.mss = 1;
	assert_dropped(&o, rig_packet(pkt, false, true, 60000, 1));
	rig_alive();
}

static void lie__segments_longer_than_a_frame(void **state)
{
	struct ena_driver_offload o = tso(false, ENA_MTU_MAX - 52 + 1);

	(void)state;
	assert_dropped(&o, rig_packet(pkt, false, true, 30000, 1));
	o.mss = 16383;
	assert_dropped(&o, rig_packet(pkt, false, true, 30000, 1));
	o.mss = ENA_MTU_MAX - 52;
	rig_tx(0, pkt, rig_packet(pkt, false, true, 30000, 1), 5000, &o);
	assert_int_equal(rig.frame_cnt, 4);
	assert_int_equal(rig.frame[0].len, ENA_FRAME_MAX);
}

static void lie__headers_longer_than_the_packet(void **state)
{
	struct ena_driver_offload o = tso(false, 1000);
	size_t len = rig_packet(pkt, false, true, 3000, 1);

	(void)state;
	assert_dropped(&o, 65);
	assert_dropped(&o, 60);
	assert_dropped(&o, 20);
	o.l4_words = 63;
	assert_dropped(&o, len);
	o.l3_len = 255;
	o.l3_off = 255;
	assert_dropped(&o, len);
	assert_dropped(&o, 300);
	rig_alive();
}

/* CVE-2024-3567 class: a checksum of bytes that are not there. */
static void lie__checksum_beyond_the_packet(void **state)
{
	static const uint8_t off[] = { 0, 13, 14, 60, 100, 200, 255 };
	static const uint8_t len3[] = { 0, 4, 19, 20, 24, 40, 60, 200, 255 };
	unsigned i, k, n, v;

	(void)state;
	for (v = 0; v < 8; v++) {
		struct ena_driver_offload o = partial(v & 1, v & 2);
		size_t len = rig_packet(pkt, v & 1, v & 2, 8, 1);

		o.l4_partial = v & 4;
		for (i = 0; i < ARRAY_SIZE(off); i++) {
			for (k = 0; k < ARRAY_SIZE(len3); k++) {
				if (off[i] == 14 && len3[k] == (v & 1 ? 40 : 20))
					continue;
				o.l3_off = off[i];
				o.l3_len = len3[k];
				assert_dropped(&o, len);
			}
		}
		o = partial(v & 1, v & 2);
		for (n = 14; n < 14u + o.l3_len + (v & 2 ? 20 : 8); n++)
			assert_dropped(&o, n);
	}
	rig_alive();
}

/* Aimed at bytes the port has decided about: TCP flags, by way of an identification that looks like an IPv4 header. */
static void lie__checksum_aimed_at_another_field(void **state)
{
	struct ena_driver_offload o = partial(false, false);
	size_t len = rig_packet(pkt, false, true, 200, 1);

	(void)state;
	be16_store(pkt + 18, 0x4500);
	o.l3_off = 18;
	assert_dropped(&o, len);
	pkt[15] = 0x45;
	o.l3_off = 15;
	assert_dropped(&o, len);
	len = rig_packet(pkt, true, true, 200, 1);
	pkt[15] = 0x45; /* flow label */
	assert_dropped(&o, len);
	/* UDP's field of what is not UDP. */
	len = rig_packet(pkt, false, false, 200, 1);
	pkt[14 + 9] = 1;
	o = partial(false, false);
	assert_dropped(&o, len);
}

static void lie__extension_headers(void **state)
{
	struct ena_driver_offload o = partial(true, true);
	size_t len = rig_packet(pkt, true, true, 200, 1);

	(void)state;
	/* Room for a destination options header of 8 bytes: 56 bytes of IP. */
	memmove(pkt + 62, pkt + 54, len - 54);
	len += 8;
	memset(pkt + 54, 0, 8);
	pkt[20] = 60;
	pkt[54] = 6;
	o.l3_len = 48;
	rig_tx(0, pkt, len, 4096, &o);
	assert_int_equal(rig.frame_cnt, 1);
	(void)ena_driver_tx_reap(&rig.d, 0);
	pkt[55] = 1; /* 16 bytes, it says */
	assert_dropped(&o, len);
	pkt[55] = 255; /* more than is in view */
	assert_dropped(&o, len);
	pkt[55] = 0;
	pkt[54] = 60; /* and another one where TCP begins */
	assert_dropped(&o, len);
	pkt[54] = 44; /* a fragment */
	assert_dropped(&o, len);
}

static void lie__segmentation_without_payload(void **state)
{
	struct ena_driver_offload o = tso(false, 1000);

	(void)state;
	assert_dropped(&o, rig_packet(pkt, false, true, 0, 1));
	o = tso(true, 1000);
	assert_dropped(&o, rig_packet(pkt, true, true, 0, 1));
}

static void lie__protocols_that_are_not_there(void **state)
{
	struct ena_driver_offload o = tso(true, 1000);
	size_t len = rig_packet(pkt, false, true, 3000, 1);
	uint64_t at = rig_alloc(4096);
	unsigned l3, l4, n = 0;

	(void)state;
	assert_dropped(&o, len); /* IPv6, says the guest */
	o = tso(false, 1000);
	o.tcp = false;
	assert_dropped(&o, len); /* segmentation of UDP */
	len = rig_packet(pkt, false, false, 2000, 1);
	o.tcp = true;
	assert_dropped(&o, len); /* TCP, says the guest */
	o = partial(false, true);
	assert_dropped(&o, len);
	o.tcp = false;
	o.l4_partial = false;
	pkt[14 + 9] = 47;
	assert_dropped(&o, len); /* the whole checksum of something else */

	/* A fragment: the rest of its transport packet is elsewhere. */
	len = rig_packet(pkt, false, true, 2000, 1);
	be16_store(pkt + 20, 0x2000);
	o = tso(false, 1000);
	assert_dropped(&o, len);
	o = partial(false, true);
	assert_dropped(&o, len);

	/* Numbers that mean nothing. */
	rig_frames_clear();
	memcpy(rig_p(at), pkt, 100);
	for (l3 = 0; l3 < 16; l3++) {
		for (l4 = 0; l4 < 32; l4++) {
			if ((l3 == ENA_L3_IPV4 || l3 == ENA_L3_IPV6) &&
			    (l4 == ENA_L4_TCP || l4 == ENA_L4_UDP))
				continue;
			desc_put(ENA_TX0_FIRST | ENA_TX0_LAST,
				 l3 | l4 << 8 | ENA_TX1_L4_CSUM | ENA_TX1_TSO, at, 100, 1);
			ring();
			rig.d.q[0].tx.head++;
			n++;
		}
	}
	assert_int_equal(rig.frame_cnt, 0);
	assert_true(ena_running(rig.e));
	assert_true(n > 400);
}

static void lie__lengths(void **state)
{
	uint64_t at = rig_alloc(70000), drops = rig.e->stats.tx_drops;
	unsigned i;

	(void)state;
	rig.same_memory = true;
	desc_put(ENA_TX0_FIRST | ENA_TX0_LAST, 0, at, 0, 1);  /* nothing */
	desc_put(ENA_TX0_FIRST | ENA_TX0_LAST, 0, at, 13, 2); /* no Ethernet header */
	desc_put(ENA_TX0_FIRST, 0, at, 100, 3);               /* an empty piece */
	desc_put(ENA_TX0_LAST, 0, at, 0, 0);
	desc_put(ENA_TX0_FIRST | ENA_TX0_LAST, 0, at, ENA_FRAME_MAX + 1, 4);
	desc_put(ENA_TX0_FIRST | ENA_TX0_LAST, 0, at, 65535, 5);
	for (i = 0; i < ENA_TX_DESCS_MAX; i++) /* 2 MiB */
		desc_put((i ? 0 : ENA_TX0_FIRST) | (i == ENA_TX_DESCS_MAX - 1 ? ENA_TX0_LAST : 0),
			 0, at, 65535, 6);
	ring();
	assert_int_equal(rig.frame_cnt, 0);
	assert_int_equal(rig.e->stats.tx_drops, drops + 6);
	assert_true(ena_running(rig.e));
	desc_put(ENA_TX0_FIRST | ENA_TX0_LAST, 0, at, 14, 7);
	desc_put(ENA_TX0_FIRST | ENA_TX0_LAST, 0, at, ENA_FRAME_MAX, 8);
	ring();
	assert_int_equal(rig.frame_cnt, 2);
}

/* ---- what no driver writes: the device fails, and only it ---- */

static void break__doorbell_beyond_the_ring(void **state)
{
	(void)state;
	rig_reg_write(rig.d.q[0].tx.db_off, RIG_DEPTH + 1);
	rig_turn();
	rig_assert_fatal_and_recover();
	rig_reg_write(rig.d.q[1].tx.db_off, (uint16_t)(rig.d.q[1].tx.tail - 1));
	rig_turn();
	rig_assert_fatal_and_recover();
	rig_reg_write(rig.d.q[1].tx.db_off, 0xffffffff);
	rig_turn();
	rig_assert_fatal_and_recover();
}

static void break__doorbell_over_stale_entries(void **state)
{
	(void)state;
	rig_reg_write(rig.d.q[0].tx.db_off, 1);
	rig_turn();
	rig_assert_fatal_and_recover();
}

static void break__never_a_last_descriptor(void **state)
{
	uint64_t at = rig_alloc(4096);
	unsigned i;

	(void)state;
	desc_put(ENA_TX0_FIRST, 0, at, 100, 1);
	for (i = 1; i < RIG_DEPTH; i++)
		desc_put(0, 0, at, 100, 0);
	ring();
	assert_int_equal(rig.frame_cnt, 0);
	rig_assert_fatal_and_recover();
}

static void break__first_twice(void **state)
{
	uint64_t at = rig_alloc(4096);

	(void)state;
	desc_put(ENA_TX0_FIRST, 0, at, 100, 1);
	desc_put(ENA_TX0_FIRST | ENA_TX0_LAST, 0, at, 100, 2);
	ring();
	rig_assert_fatal_and_recover();
	desc_put(ENA_TX0_LAST, 0, at, 100, 2); /* ... or never */
	ring();
	rig_assert_fatal_and_recover();
}

static void break__meta_in_mid_packet(void **state)
{
	struct ena_driver_offload o = tso(false, 1000);
	uint64_t at = rig_alloc(4096);

	(void)state;
	desc_put(ENA_TX0_FIRST, 0, at, 100, 1);
	meta_put(ENA_TX0_FIRST, &o);
	ring();
	rig_assert_fatal_and_recover();
	meta_put(0, &o); /* not the first */
	ring();
	rig_assert_fatal_and_recover();
}

static void break__request_id_beyond_the_ring(void **state)
{
	size_t len;
	uint64_t at = small(&len);

	(void)state;
	desc_put(ENA_TX0_FIRST | ENA_TX0_LAST, 0, at, (uint32_t)len, RIG_DEPTH);
	ring();
	rig_assert_fatal_and_recover();
	desc_put(ENA_TX0_FIRST | ENA_TX0_LAST, 0, at, (uint32_t)len, 0xffff);
	ring();
	rig_assert_fatal_and_recover();
}

/* One id for all: the guest confuses itself, nobody else. */
static void tx__request_id_twice_in_flight(void **state)
{
	size_t len;
	uint64_t at = small(&len);
	unsigned i;

	(void)state;
	rig.same_memory = true;
	for (i = 0; i < RIG_DEPTH; i++)
		desc_put(ENA_TX0_FIRST | ENA_TX0_LAST, 0, at, (uint32_t)len, 9);
	ring();
	assert_int_equal(rig.frame_cnt, RIG_DEPTH);
	assert_true(ena_running(rig.e));
}

static void break__payload_outside_memory(void **state)
{
	static const uint64_t at[] = {
		RIG_NOWHERE,  RIG_RAM_BYTES / 2 - 50,           RIG_RAM_BYTES / 2,
		RIG_HIGH - 1, RIG_HIGH + RIG_RAM_BYTES / 2 - 1, 0xffffffffffff
	};
	size_t len;
	uint64_t good = small(&len);
	unsigned i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(at); i++) {
		rig_frames_clear();
		desc_put(ENA_TX0_FIRST | ENA_TX0_LAST, 0, at[i], 100, 1);
		ring();
		assert_int_equal(rig.frame_cnt, 0);
		rig_assert_fatal_and_recover();
		/* Headers are there, the rest is not. */
		desc_put(ENA_TX0_FIRST, 0, good, ENA_HDR_MAX, 1);
		desc_put(ENA_TX0_LAST, 0, at[i], 1000, 0);
		rig_frames_clear();
		ring();
		assert_int_equal(rig.frame_cnt, 0); /* reserved, never committed */
		rig_assert_fatal_and_recover();
		good = small(&len);
	}
}

static void break__ring_outside_memory(void **state)
{
	(void)state;
	rig.e->txq[0].sq.base.v = RIG_NOWHERE;
	rig_reg_write(rig.d.q[0].tx.db_off, 1);
	rig_turn();
	rig_assert_fatal_and_recover();
	rig.e->cq[0].base.v = RIG_RAM_BYTES / 2 - 64; /* ends in nowhere */
	for (unsigned i = 0; i < 9 && ena_running(rig.e); i++) {
		size_t len;
		uint64_t at = small(&len);

		desc_put(ENA_TX0_FIRST | ENA_TX0_LAST, 0, at, (uint32_t)len, i);
		ring();
	}
	rig_assert_fatal_and_recover();
}

/* ---- port ---- */

static void port__may_rewrite_headers(void **state)
{
	struct ena_driver_offload o = tso(false, 1448);
	size_t len = rig_packet(pkt, false, true, 5000, 1);
	struct offload_class c;

	(void)state;
	rig.rewrite_mac = true;
	rig_tx(0, pkt, len, 4096, &o);
	rig_tx(0, pkt, 300, 4096, NULL);
	assert_int_equal(rig.frame_cnt, 5);
	assert_memory_equal(rig.frame[0].b, "\2\2\2\2\2\2\6\1\2\3\4\5", 12);
	assert_memory_equal(rig.frame[4].b, "\2\2\2\2\2\2\6\1\2\3\4\5", 12);
	offload_classify(rig.frame[2].b, rig.frame[2].len, rig.frame[2].len, &c);
	assert_true(c.tcp && offload_verify(&c, rig.frame[2].b, rig.frame[2].len, NULL));
}

static void port__refused_frames_are_counted_and_completed(void **state)
{
	struct ena_driver_offload o = tso(false, 1448);
	size_t len = rig_packet(pkt, false, true, 5000, 1);

	(void)state;
	rig.refuse = -EPERM;
	rig_tx(0, pkt, len, 4096, &o);
	assert_int_equal(rig.frame_cnt, 0);
	assert_int_equal(rig.e->stats.tx_drops, 4);
	assert_int_equal(ena_driver_tx_reap(&rig.d, 0), 1);
	assert_int_equal(rig.flushes, 0);
	rig.refuse = 0;
	rig_alive();
}

static void port__without_room_the_queue_waits_and_goes_on(void **state)
{
	struct ena_driver_offload o = tso(false, 1448);
	size_t len = rig_packet(pkt, false, true, 20000, 1), sum = 0;
	unsigned i;

	(void)state;
	rig.room = 3;
	rig_tx(0, pkt, len, 4096,
	       &o); /* memory of the payload stays as it is: nothing is allocated meanwhile */
	assert_int_equal(rig.frame_cnt, 3);
	assert_int_equal(ena_driver_tx_reap(&rig.d, 0), 0);
	assert_false(ena_arm(rig.e)); /* it sleeps */
	assert_true(ena_wake_ns(rig.e) <= rig.now_ns + ENA_TX_STALL_NS);
	rig.room = 4;
	rig_turn();
	assert_int_equal(rig.frame_cnt, 7);
	rig.room = UINT32_MAX;
	rig_turn();
	assert_int_equal(rig.frame_cnt, 14);
	assert_int_equal(ena_driver_tx_reap(&rig.d, 0), 1);
	for (i = 0; i < 14; i++) {
		assert_memory_equal(rig.frame[i].b + 66, pkt + 66 + sum, rig.frame[i].len - 66);
		sum += rig.frame[i].len - 66;
	}
	assert_int_equal(sum, 20000);
	assert_int_equal(rig.e->stats.tx_drops, 0);
}

static void port__stalled_for_long_everything_completes(void **state)
{
	size_t len = rig_packet(pkt, false, false, 100, 1);
	unsigned i;

	(void)state;
	rig.same_memory = true;
	rig.room = 0;
	for (i = 0; i < 100; i++)
		rig_tx(0, pkt, len, 4096, NULL);
	assert_int_equal(ena_driver_tx_reap(&rig.d, 0), 0);
	rig.now_ns += ENA_TX_STALL_NS;
	rig_turn();
	assert_int_equal(ena_driver_tx_reap(&rig.d, 0), 100);
	assert_int_equal(rig.e->stats.tx_drops, 100);
	assert_true(ena_wake_ns(rig.e) > rig.now_ns);
	/* Another queue, too, and later traffic goes at once. */
	rig.room = UINT32_MAX;
	rig_alive();
	assert_int_equal(rig.e->stats.tx_drops, 100);
}

static void port__one_turn_is_bounded(void **state)
{
	struct ena_driver_offload o = tso(false, OFFLOAD_MSS_MIN);
	size_t len = rig_packet(pkt, false, true, 60000, 1);
	unsigned turns = 0;
	bool did;

	(void)state;
	rig.refuse = -EPERM; /* 1875 frames each, not kept */
	rig_tx(0, pkt, len, 4096, &o);
	rig.reserves = 0;
	desc_put(ENA_TX0_FIRST | ENA_TX0_LAST, 0, rig_alloc(4096), 60, 5);
	rig_tx(0, pkt, 100, 4096, NULL);
	rig.reserves = 0;
	{
		struct ena_driver_sg sg[15];

		for (unsigned i = 0; i < 15; i++)
			sg[i] = (struct ena_driver_sg){ rig_alloc(4096), 4000 };
		memcpy(rig_p(sg[0].at), pkt, 4000);
		assert_true(ena_driver_tx(&rig.d, 0, sg, 15, &o) >= 0);
	}
	ena_driver_ring_db(&rig.d, &rig.d.q[0].tx);
	do {
		unsigned before = rig.reserves;

		did = ena_service(rig.e, ++rig.now_ns);
		assert_true(rig.reserves - before <= ENA_TX_TURN_MAX);
		turns++;
	} while (did);
	assert_true(turns > 1875 / ENA_TX_TURN_MAX);
}

static void destroy__in_mid_packet(void **state)
{
	struct ena_driver_offload o = tso(false, 1448);
	size_t len = rig_packet(pkt, false, true, 20000, 1);
	unsigned i;

	(void)state;
	for (i = 0; i < 20; i++) {
		rig.room = i;
		rig_frames_clear();
		rig_tx(i % RIG_PAIRS, pkt, len, 4096, &o);
		assert_int_equal(ena_driver_down(&rig.d), 0);
		rig.room = UINT32_MAX;
		rig_turn();
		assert_int_equal(ena_driver_up(&rig.d, RIG_PAIRS, RIG_DEPTH), 0);
		rig_alive();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_RIG(tx__frames_arrive_whole_however_cut),
		IN_RIG(tx__header_in_tiny_pieces),
		IN_RIG(tx__ring_wraps_and_phases_turn),
		IN_RIG(tx__partial_checksums),
		IN_RIG(tx__full_checksums),
		IN_RIG(tx__segments),
		IN_RIG(tx__meta_is_cached_until_it_changes),
		IN_RIG(tx__meta_cache_is_empty_after_creation),
		IN_RIG(tx__meta_alone_is_only_stored),
		IN_RIG(tx__packet_rung_in_two_goes),
		IN_RIG(tx__entries_behind_the_doorbell_are_not_looked_at),
		IN_RIG(lie__mss_zero),
		IN_RIG(lie__segments_longer_than_a_frame),
		IN_RIG(lie__headers_longer_than_the_packet),
		IN_RIG(lie__checksum_beyond_the_packet),
		IN_RIG(lie__checksum_aimed_at_another_field),
		IN_RIG(lie__extension_headers),
		IN_RIG(lie__segmentation_without_payload),
		IN_RIG(lie__protocols_that_are_not_there),
		IN_RIG(lie__lengths),
		IN_RIG(break__doorbell_beyond_the_ring),
		IN_RIG(break__doorbell_over_stale_entries),
		IN_RIG(break__never_a_last_descriptor),
		IN_RIG(break__first_twice),
		IN_RIG(break__meta_in_mid_packet),
		IN_RIG(break__request_id_beyond_the_ring),
		IN_RIG(tx__request_id_twice_in_flight),
		IN_RIG(break__payload_outside_memory),
		IN_RIG(break__ring_outside_memory),
		IN_RIG(port__may_rewrite_headers),
		IN_RIG(port__refused_frames_are_counted_and_completed),
		IN_RIG(port__without_room_the_queue_waits_and_goes_on),
		IN_RIG(port__stalled_for_long_everything_completes),
		IN_RIG(port__one_turn_is_bounded),
		IN_RIG(destroy__in_mid_packet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
