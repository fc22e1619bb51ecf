/* SPDX-License-Identifier: Apache-2.0 */

#include "ena_rig.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"

static uint8_t pkt[ENA_FRAME_MAX + 16], got[16384];

/* The frame at the head of whichever queue has one. Return: the queue, -1 none. */
static int take(struct ena_driver_rx *rx)
{
	unsigned q;

	for (q = 0; q < RIG_PAIRS; q++) {
		int r = ena_driver_rx(&rig.d, q, got, sizeof(got), rx);

		assert_true(r >= 0);
		if (r)
			return (int)q;
	}
	return -1;
}

static void rx__frames_of_every_length(void **state)
{
	static const size_t payload[] = { 0,
					  1,
					  18,
					  86,
					  87,
					  500,
					  1472,
					  ENA_DRIVER_RX_BYTES - 42,
					  ENA_DRIVER_RX_BYTES - 41,
					  2 * ENA_DRIVER_RX_BYTES - 42,
					  2 * ENA_DRIVER_RX_BYTES - 41,
					  ENA_MTU_MAX - 28 };
	struct ena_driver_rx rx;
	unsigned i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(payload); i++) {
		size_t len = rig_packet(pkt, false, false, payload[i], i);
		int q;

		assert_int_equal(rig_rx(pkt, len, 0), 0);
		assert_int_equal(take(&rx), -1); /* not before the flush */
		ena_rx_flush(rig.e);
		q = take(&rx);
		assert_true(q >= 0);
		assert_int_equal(rx.len, len);
		assert_memory_equal(got, pkt, len);
		assert_int_equal(rx.descs, (len + ENA_DRIVER_RX_BYTES - 1) / ENA_DRIVER_RX_BYTES);
		assert_int_equal(rx.status & 0x1f, ENA_L3_IPV4);
		assert_int_equal(rx.status >> 8 & 0x1f, ENA_L4_UDP);
		assert_int_equal(rx.status & (ENA_RXC_L4_CHECKED | ENA_RXC_L4_CSUM_ERR |
					      ENA_RXC_L3_CSUM_ERR),
				 ENA_RXC_L4_CHECKED);
		ena_driver_rx_refill(&rig.d, (unsigned)q);
	}
	assert_int_equal(rig.e->stats.rx_frames, ARRAY_SIZE(payload));
}

static void rx__too_long_is_refused(void **state)
{
	(void)state;
	memset(pkt, 0, sizeof(pkt));
	assert_int_equal(rig_rx(pkt, ENA_FRAME_MAX, 0), 0);
	assert_int_equal(rig_rx(pkt, ENA_FRAME_MAX + 1, 0), -EMSGSIZE);
}

static void rx__ring_wraps_through_all_phases(void **state)
{
	size_t len = rig_packet(pkt, false, false, 4000, 3); /* two buffers */
	struct ena_driver_rx rx;
	unsigned i;
	int q;

	(void)state;
	for (i = 0; i < 3 * RIG_DEPTH; i++) {
		assert_int_equal(rig_rx(pkt, len, 0), 0);
		ena_rx_flush(rig.e);
		q = take(&rx);
		assert_true(q >= 0);
		assert_int_equal(rx.len, len);
		assert_memory_equal(got, pkt, len);
		ena_driver_rx_refill(&rig.d, (unsigned)q);
	}
}

static void rx__says_what_it_verified(void **state)
{
	struct ena_driver_rx rx;
	unsigned v;

	(void)state;
	for (v = 0; v < 64; v++) {
		bool ipv6 = v & 1, tcp = v & 2, bad_l4 = v & 4, claimed = v & 8, bad_l3 = v & 16,
		     odd = v & 32;
		size_t len = rig_packet(pkt, ipv6, tcp, 900 + odd, v);
		int q;

		if (bad_l4)
			pkt[len - 1] ^= 0x40;
		if (bad_l3 && !ipv6)
			pkt[24] ^= 1;
		assert_int_equal(rig_rx(pkt, len, claimed ? ENA_FRAME_L4_OK : 0), 0);
		ena_rx_flush(rig.e);
		q = take(&rx);
		assert_true(q >= 0);
		assert_int_equal(rx.status & 0x1f, ipv6 ? ENA_L3_IPV6 : ENA_L3_IPV4);
		assert_int_equal(rx.status >> 8 & 0x1f, tcp ? ENA_L4_TCP : ENA_L4_UDP);
		assert_true(rx.status & ENA_RXC_L4_CHECKED);
		assert_int_equal(!!(rx.status & ENA_RXC_L4_CSUM_ERR), bad_l4 && !claimed);
		assert_int_equal(!!(rx.status & ENA_RXC_L3_CSUM_ERR), bad_l3 && !ipv6);
		ena_driver_rx_refill(&rig.d, (unsigned)q);
	}
}

static void rx__other_frames_are_not_checked(void **state)
{
	struct ena_driver_rx rx;
	size_t len = rig_packet(pkt, false, false, 100, 1);

	(void)state;
	be16_store(pkt + 20, 0x2000); /* first fragment */
	assert_int_equal(rig_rx(pkt, len, 0), 0);
	be16_store(pkt + 12, 0x0806);
	assert_int_equal(rig_rx(pkt, 42, 0), 0);
	ena_rx_flush(rig.e);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(take(&rx) >= 0);
		assert_int_equal(rx.status & (ENA_RXC_L4_CHECKED | 0x1f00), 0);
		assert_int_equal(rx.status & 0x1f, rx.len == 42 ? 0 : ENA_L3_IPV4);
		assert_int_equal(!!(rx.status & ENA_RXC_IPV4_FRAG), rx.len != 42);
	}
}

static void rx__flows_spread_and_stay(void **state)
{
	unsigned cnt[RIG_PAIRS] = { 0 }, i, k;
	struct ena_driver_rx rx;

	(void)state;
	for (i = 0; i < 200; i++) {
		size_t len = rig_packet(pkt, i & 1, i & 2, 20, i);
		uint32_t hash = 0;
		int q = -1;

		for (k = 0; k < 2; k++) {
			assert_int_equal(rig_rx(pkt, len, 0), 0);
			ena_rx_flush(rig.e);
			if (k)
				assert_int_equal(take(&rx), q);
			else
				q = take(&rx);
			assert_true(q >= 0);
			if (k)
				assert_int_equal(rx.hash, hash);
			hash = rx.hash;
			ena_driver_rx_refill(&rig.d, (unsigned)q);
		}
		/* The table of the driver: entry i is queue i modulo their number. */
		assert_int_equal(q, hash % 128 % RIG_PAIRS);
		cnt[q]++;
	}
	for (i = 0; i < RIG_PAIRS; i++)
		assert_in_range(cnt[i], 20, 80);
}

static void rx__without_buffers_nothing_is_lost_silently(void **state)
{
	size_t len = rig_packet(pkt, false, false, 100, 1);
	struct ena_driver_rx rx;
	unsigned n = 0;
	int r, q;

	(void)state;
	while ((r = rig_rx(pkt, len, 0)) == 0)
		n++;
	assert_int_equal(r, -ENOBUFS);
	assert_int_equal(n, RIG_DEPTH - 1);
	assert_int_equal(rig_rx(pkt, len, 0), -ENOBUFS);
	ena_rx_dropped(rig.e, 1);
	ena_rx_flush(rig.e);
	q = take(&rx);
	while (take(&rx) == q)
		n--;
	assert_int_equal(n, 1);
	assert_int_equal(rig_rx(pkt, len, 0), -ENOBUFS);
	ena_driver_rx_refill(&rig.d, (unsigned)q);
	assert_int_equal(rig_rx(pkt, len, 0), 0);
	assert_int_equal(rig.e->stats.rx_drops, 1);
}

/* The last buffers are enough for a small frame, not for a long one; nothing is used up by the attempt. */
static void rx__long_frame_waits_small_one_passes(void **state)
{
	size_t small = rig_packet(pkt, false, false, 100, 1);
	static uint8_t big[ENA_FRAME_MAX];
	size_t len = rig_packet(big, false, false, 8000, 1);
	unsigned i;

	(void)state;
	for (i = 0; i < RIG_DEPTH - 3; i++)
		assert_int_equal(rig_rx(pkt, small, 0), 0);
	assert_int_equal(rig_rx(big, len, 0), -ENOBUFS); /* three, and there are two */
	assert_int_equal(rig_rx(pkt, small, 0), 0);
	assert_int_equal(rig_rx(pkt, small, 0), 0);
	assert_int_equal(rig_rx(pkt, small, 0), -ENOBUFS);
}

static void rx__before_the_driver_is_up(void **state)
{
	size_t len = rig_packet(pkt, false, false, 100, 1);

	(void)state;
	assert_int_equal(rig_rx(pkt, len, 0), -ENETDOWN);
	assert_int_equal(ena_driver_probe(&rig.d), 0);
	assert_int_equal(rig_rx(pkt, len, 0), -ENETDOWN);
	ena_rx_flush(rig.e);
}

static void rx__queue_of_the_table_is_gone(void **state)
{
	size_t len = rig_packet(pkt, false, false, 100, 1);
	struct ena_driver_rx rx;
	unsigned i;

	(void)state;
	/* All but queue 2 are destroyed; the table still names them. */
	for (i = 0; i < RIG_PAIRS; i++) {
		struct ena_aq_entry c = { .opcode = ENA_ADMIN_DESTROY_SQ };

		c.destroy_sq.sq_idx = rig.d.q[i].rx.idx;
		c.destroy_sq.identity = ENA_DIRECTION_RX << 5;
		if (i != 2)
			assert_int_equal(ena_driver_cmd(&rig.d, c, NULL), 0);
	}
	for (i = 0; i < 20; i++) {
		len = rig_packet(pkt, false, false, 100, i);
		assert_int_equal(rig_rx(pkt, len, 0), 0);
	}
	ena_rx_flush(rig.e);
	for (i = 0; i < 20; i++)
		assert_int_equal(take(&rx), 2);
}

/* ---- hostile rings ---- */

/* One raw RX descriptor at the tail of queue @q's ring. */
static void desc_put(unsigned q, uint64_t at, uint16_t len, uint16_t req_id, bool bad_phase)
{
	struct ena_driver_ring *r = &rig.d.q[q].rx;
	struct ena_rx_desc d = { .length = len,
				 .ctrl = (uint8_t)(ENA_RX_FIRST | ENA_RX_LAST |
						   (ena_driver_phase(r) != bad_phase)),
				 .req_id = req_id,
				 .addr_lo = (uint32_t)at,
				 .addr_hi = (uint16_t)(at >> 32) };

	ena_driver_desc(r, &d);
}

/* Only queue 0, with an empty RX ring. */
static void one_empty_queue(void)
{
	assert_int_equal(ena_driver_down(&rig.d), 0);
	assert_int_equal(ena_driver_cq_make(&rig.d, &rig.d.q[0].rx, true, RIG_DEPTH, 1), 0);
	assert_int_equal(ena_driver_sq_make(&rig.d, &rig.d.q[0].rx, true, RIG_DEPTH), 0);
}

static void break__buffer_outside_memory(void **state)
{
	static const uint64_t at[] = { RIG_NOWHERE, RIG_RAM_BYTES / 2 - 20, RIG_HIGH - 1,
				       0xffffffffffff };
	size_t len = rig_packet(pkt, false, false, 100, 1);
	unsigned i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(at); i++) {
		one_empty_queue();
		desc_put(0, at[i], 2000, 1, false);
		ena_driver_ring_db(&rig.d, &rig.d.q[0].rx);
		assert_int_equal(rig_rx(pkt, len, 0), -EPROTO);
		rig_assert_fatal_and_recover();
	}
}

static void break__request_id_beyond_the_ring(void **state)
{
	size_t len = rig_packet(pkt, false, false, 100, 1);

	(void)state;
	one_empty_queue();
	desc_put(0, rig_alloc(4096), 2000, RIG_DEPTH, false);
	ena_driver_ring_db(&rig.d, &rig.d.q[0].rx);
	assert_int_equal(rig_rx(pkt, len, 0), -EPROTO);
	rig_assert_fatal_and_recover();
}

static void break__stale_entries(void **state)
{
	size_t len = rig_packet(pkt, false, false, 100, 1);

	(void)state;
	one_empty_queue();
	desc_put(0, rig_alloc(4096), 2000, 1, true);
	ena_driver_ring_db(&rig.d, &rig.d.q[0].rx);
	assert_int_equal(rig_rx(pkt, len, 0), -EPROTO);
	rig_assert_fatal_and_recover();
}

static void break__doorbells(void **state)
{
	static const uint32_t by[] = { RIG_DEPTH + 1, 0xffff, 0x8000, 0xffff0000 + RIG_DEPTH + 7 };
	size_t len = rig_packet(pkt, false, false, 100, 1);
	unsigned i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(by); i++) {
		one_empty_queue();
		rig_reg_write(rig.d.q[0].rx.db_off, by[i]);
		assert_int_equal(rig_rx(pkt, len, 0), -EPROTO);
		rig_assert_fatal_and_recover();
	}
}

static void break__completion_ring_outside_memory(void **state)
{
	size_t len = rig_packet(pkt, false, false, 100, 1);
	unsigned i;

	(void)state;
	rig.e->cq[ENA_RX_IDX].base.v = RIG_NOWHERE;
	rig.e->cq[ENA_RX_IDX + 1].base.v = RIG_NOWHERE;
	rig.e->cq[ENA_RX_IDX + 2].base.v = RIG_NOWHERE;
	rig.e->cq[ENA_RX_IDX + 3].base.v = RIG_NOWHERE;
	for (i = 0; i < 10; i++)
		assert_int_equal(rig_rx(pkt, len, 0), 0);
	ena_rx_flush(rig.e);
	rig_assert_fatal_and_recover();
}

/* Buffers of one byte: a frame would need hundreds. It is dropped, nothing is used up. */
static void hostile__tiny_buffers(void **state)
{
	size_t len = rig_packet(pkt, false, false, 100, 1);
	struct ena_driver_rx rx;
	unsigned i;

	(void)state;
	one_empty_queue();
	for (i = 0; i < RIG_DEPTH - 1; i++)
		desc_put(0, rig.d.q[0].rx_buf[i], 1, (uint16_t)i, false);
	ena_driver_ring_db(&rig.d, &rig.d.q[0].rx);
	for (i = 0; i < 100; i++)
		assert_int_equal(rig_rx(pkt, len, 0), -EMSGSIZE);
	assert_int_equal(rig_rx(pkt, 14, 0), -EMSGSIZE);
	ena_rx_flush(rig.e);
	assert_int_equal(take(&rx), -1);
	assert_true(ena_running(rig.e));
}

/* The same request id, the same buffer, again and again: the guest's own confusion. */
static void hostile__one_buffer_for_all(void **state)
{
	size_t len = rig_packet(pkt, false, false, 100, 1);
	unsigned i;

	(void)state;
	one_empty_queue();
	for (i = 0; i < RIG_DEPTH; i++)
		desc_put(0, rig.d.q[0].rx_buf[3], 2000, 3, false);
	ena_driver_ring_db(&rig.d, &rig.d.q[0].rx);
	for (i = 0; i < RIG_DEPTH; i++)
		assert_int_equal(rig_rx(pkt, len, 0), 0);
	ena_rx_flush(rig.e);
	assert_int_equal(rig_rx(pkt, len, 0), -ENOBUFS);
	assert_true(ena_running(rig.e));
}

/* Buffers over the completion ring and over the descriptors themselves. */
static void hostile__buffers_over_the_rings(void **state)
{
	size_t len = rig_packet(pkt, false, false, 1400, 1);
	unsigned i;

	(void)state;
	one_empty_queue();
	for (i = 0; i < RIG_DEPTH; i++)
		desc_put(0, i % 2 ? rig.d.q[0].rx.at : rig.d.q[0].rx.cq_at, 1500, (uint16_t)i,
			 false);
	ena_driver_ring_db(&rig.d, &rig.d.q[0].rx);
	for (i = 0; i < RIG_DEPTH && rig_rx(pkt, len, 0) == 0; i++)
		ena_rx_flush(rig.e);
	/* It has been writing over its own descriptors: fail or go on, but nothing else. */
	if (rig.e->state == ENA_FATAL)
		rig_assert_fatal_and_recover();
	assert_true(ena_running(rig.e));
}

static void rx__length_zero_is_64_kib(void **state)
{
	size_t len = rig_packet(pkt, false, false, 8000, 1);
	uint64_t at = rig_alloc(65536);

	(void)state;
	one_empty_queue();
	desc_put(0, at, 0, 5, false);
	ena_driver_ring_db(&rig.d, &rig.d.q[0].rx);
	assert_int_equal(rig_rx(pkt, len, 0), 0);
	ena_rx_flush(rig.e);
	assert_memory_equal(rig_p(at), pkt, len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_RIG(rx__frames_of_every_length),
		IN_RIG(rx__too_long_is_refused),
		IN_RIG(rx__ring_wraps_through_all_phases),
		IN_RIG(rx__says_what_it_verified),
		IN_RIG(rx__other_frames_are_not_checked),
		IN_RIG(rx__flows_spread_and_stay),
		IN_RIG(rx__without_buffers_nothing_is_lost_silently),
		IN_RIG(rx__long_frame_waits_small_one_passes),
		IN_RIG_OFF(rx__before_the_driver_is_up),
		IN_RIG(rx__queue_of_the_table_is_gone),
		IN_RIG(break__buffer_outside_memory),
		IN_RIG(break__request_id_beyond_the_ring),
		IN_RIG(break__stale_entries),
		IN_RIG(break__doorbells),
		IN_RIG(break__completion_ring_outside_memory),
		IN_RIG(hostile__tiny_buffers),
		IN_RIG(hostile__one_buffer_for_all),
		IN_RIG(hostile__buffers_over_the_rings),
		IN_RIG(rx__length_zero_is_64_kib),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
