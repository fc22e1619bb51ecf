/* SPDX-License-Identifier: Apache-2.0 */

#include "ena_rig.h"

#include <errno.h>
#include <string.h>

static struct ena_aq_entry cq_cmd(unsigned words, uint16_t depth, uint32_t vector, uint64_t at)
{
	struct ena_aq_entry c = { .opcode = ENA_ADMIN_CREATE_CQ };

	c.create_cq.caps_1 = 1 << 5;
	c.create_cq.caps_2 = (uint8_t)words;
	c.create_cq.depth = depth;
	c.create_cq.vector = vector;
	c.create_cq.base_lo = (uint32_t)at;
	c.create_cq.base_hi = (uint16_t)(at >> 32);
	return c;
}

static struct ena_aq_entry sq_cmd(unsigned direction, uint16_t cq, uint16_t depth, uint64_t at)
{
	struct ena_aq_entry c = { .opcode = ENA_ADMIN_CREATE_SQ };

	c.create_sq.identity = (uint8_t)(direction << 5);
	c.create_sq.caps_2 = ENA_PLACEMENT_HOST;
	c.create_sq.caps_3 = 1;
	c.create_sq.cq_idx = cq;
	c.create_sq.depth = depth;
	c.create_sq.base_lo = (uint32_t)at;
	c.create_sq.base_hi = (uint16_t)(at >> 32);
	return c;
}

static uint8_t destroy(unsigned opcode, uint16_t idx, unsigned direction)
{
	struct ena_aq_entry c = { .opcode = (uint8_t)opcode };

	c.destroy_sq.sq_idx = idx; /* lies where destroy_cq.cq_idx does */
	c.destroy_sq.identity = (uint8_t)(direction << 5);
	return ena_driver_cmd(&rig.d, c, NULL);
}

static int probed(void **state)
{
	(void)rig_setup_off(state);
	assert_int_equal(ena_driver_probe(&rig.d), 0);
	return 0;
}
#define IN_PROBED(f) cmocka_unit_test_setup_teardown(f, probed, rig_teardown)

static void admin__answers_every_opcode(void **state)
{
	unsigned op;

	(void)state;
	for (op = 0; op < 256; op++) {
		struct ena_aq_entry c = { .opcode = (uint8_t)op };
		uint8_t st = ena_driver_cmd(&rig.d, c, NULL);

		assert_true(st != ENA_DRIVER_NO_ANSWER);
		if (op == 0 || (op > 4 && op < 8) || op == 10 || op > 11)
			assert_int_equal(st, ENA_ST_UNSUPPORTED);
	}
}

static void admin__unknown_features_are_unsupported(void **state)
{
	struct ena_acq_entry a;
	const uint32_t w[11] = { 0 };
	unsigned f;

	(void)state;
	for (f = 0; f < 256; f++) {
		bool said = f < 32 && rig.d.attributes.attributes.features & 1u << f;
		uint8_t st = ena_driver_get(&rig.d, (uint8_t)f, 0, &a);

		if (said && f != ENA_F_MTU && f != ENA_F_HOST_ATTR)
			assert_int_equal(st, 0);
		if (!said) {
			assert_int_equal(st, ENA_ST_UNSUPPORTED);
			assert_int_equal(ena_driver_set(&rig.d, (uint8_t)f, 0, w, 11),
					 ENA_ST_UNSUPPORTED);
		}
	}
}

/* Class 24: nothing of an earlier answer or of our stack. */
static void admin__answers_are_zero_behind_their_fields(void **state)
{
	struct ena_acq_entry a;
	unsigned i;

	(void)state;
	assert_int_equal(ena_driver_get(&rig.d, ENA_F_AENQ, 0, &a), 0);
	for (i = 2; i < 14; i++)
		assert_int_equal(a.w[i], 0);
	assert_int_equal(ena_driver_get(&rig.d, ENA_F_MAX_QUEUES_EXT, 0, &a), 0);
	for (i = 12; i < 14; i++)
		assert_int_equal(a.w[i], 0);
	assert_int_equal(ena_driver_get(&rig.d, 200, 0, &a), ENA_ST_UNSUPPORTED);
	for (i = 0; i < 14; i++)
		assert_int_equal(a.w[i], 0);
}

static void create_cq__limits(void **state)
{
	static const struct {
		unsigned words, depth, vector;
		uint64_t at;
	} bad[] = {
		{ 2, 0, 1, 0x10000 },     { 2, 1, 1, 0x10000 },
		{ 2, 3, 1, 0x10000 },     { 2, 2048, 1, 0x10000 },
		{ 4, 8192, 1, 0x10000 },  { 4, 1000, 1, 0x10000 },
		{ 4, 65535, 1, 0x10000 }, { 0, 256, 1, 0x10000 },
		{ 3, 256, 1, 0x10000 },   { 8, 256, 1, 0x10000 },
		{ 31, 256, 1, 0x10000 },  { 2, 256, 0, 0x10000 },
		{ 2, 256, 5, 0x10000 },   { 2, 256, 0xffffffff, 0x10000 },
		{ 2, 256, 1, 0x10004 },   { 4, 256, 1, 0x10020 },
	};
	unsigned i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(ena_driver_cmd(&rig.d,
						cq_cmd(bad[i].words, (uint16_t)bad[i].depth,
						       bad[i].vector, bad[i].at),
						NULL),
				 ENA_ST_ILLEGAL);
	/* One more than there are. */
	for (i = 0; i <= RIG_PAIRS; i++)
		assert_int_equal(ena_driver_cmd(&rig.d, cq_cmd(2, 1024, 1, 0x10000), NULL),
				 i < RIG_PAIRS ? ENA_ST_OK : ENA_ST_RESOURCES);
	for (i = 0; i <= RIG_PAIRS; i++)
		assert_int_equal(ena_driver_cmd(&rig.d, cq_cmd(4, 4096, 4, 0x10000), NULL),
				 i < RIG_PAIRS ? ENA_ST_OK : ENA_ST_RESOURCES);
}

static void create_sq__limits(void **state)
{
	struct ena_aq_entry c;
	unsigned i;

	(void)state;
	assert_int_equal(ena_driver_cmd(&rig.d, sq_cmd(1, 0, 256, 0x10000), NULL), ENA_ST_ILLEGAL);
	assert_int_equal(ena_driver_cmd(&rig.d, cq_cmd(2, 256, 1, 0x10000), NULL), 0);
	assert_int_equal(ena_driver_cmd(&rig.d, cq_cmd(4, 256, 1, 0x10000), NULL), 0);
	/* Wrong direction, index, depth, alignment; more entries than completions. */
	assert_int_equal(ena_driver_cmd(&rig.d, sq_cmd(2, 0, 256, 0x10000), NULL), ENA_ST_ILLEGAL);
	assert_int_equal(ena_driver_cmd(&rig.d, sq_cmd(1, ENA_RX_IDX, 256, 0x10000), NULL),
			 ENA_ST_ILLEGAL);
	for (i = 0; i < 8; i++)
		if (i != 1)
			assert_int_equal(ena_driver_cmd(&rig.d, sq_cmd(i, 0, 256, 0x10000), NULL),
					 ENA_ST_ILLEGAL);
	assert_int_equal(ena_driver_cmd(&rig.d, sq_cmd(1, 1, 256, 0x10000), NULL), ENA_ST_ILLEGAL);
	assert_int_equal(ena_driver_cmd(&rig.d, sq_cmd(1, 16, 256, 0x10000), NULL), ENA_ST_ILLEGAL);
	assert_int_equal(ena_driver_cmd(&rig.d, sq_cmd(1, 0xffff, 256, 0x10000), NULL),
			 ENA_ST_ILLEGAL);
	assert_int_equal(ena_driver_cmd(&rig.d, sq_cmd(1, 0, 512, 0x10000), NULL), ENA_ST_ILLEGAL);
	assert_int_equal(ena_driver_cmd(&rig.d, sq_cmd(1, 0, 0, 0x10000), NULL), ENA_ST_ILLEGAL);
	assert_int_equal(ena_driver_cmd(&rig.d, sq_cmd(1, 0, 100, 0x10000), NULL), ENA_ST_ILLEGAL);
	assert_int_equal(ena_driver_cmd(&rig.d, sq_cmd(1, 0, 256, 0x10008), NULL), ENA_ST_ILLEGAL);
	c = sq_cmd(1, 0, 256, 0x10000);
	c.create_sq.caps_2 = 3; /* low-latency queue */
	assert_int_equal(ena_driver_cmd(&rig.d, c, NULL), ENA_ST_UNSUPPORTED);
	c.create_sq.caps_2 = 1 | 2 << 4;
	assert_int_equal(ena_driver_cmd(&rig.d, c, NULL), ENA_ST_UNSUPPORTED);
	c.create_sq.caps_2 = 1;
	c.create_sq.caps_3 = 0;
	assert_int_equal(ena_driver_cmd(&rig.d, c, NULL), ENA_ST_UNSUPPORTED);

	assert_int_equal(ena_driver_cmd(&rig.d, sq_cmd(1, 0, 256, 0x10000), NULL), 0);
	assert_int_equal(ena_driver_cmd(&rig.d, sq_cmd(1, 0, 256, 0x10000), NULL),
			 ENA_ST_ILLEGAL); /* twice */
}

static void destroy__limits(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < 20; i++) {
		assert_int_equal(destroy(ENA_ADMIN_DESTROY_SQ, (uint16_t)i, 1), ENA_ST_ILLEGAL);
		assert_int_equal(destroy(ENA_ADMIN_DESTROY_CQ, (uint16_t)i, 0), ENA_ST_ILLEGAL);
	}
	assert_int_equal(ena_driver_cmd(&rig.d, cq_cmd(2, 256, 1, 0x10000), NULL), 0);
	assert_int_equal(ena_driver_cmd(&rig.d, sq_cmd(1, 0, 256, 0x10000), NULL), 0);
	assert_int_equal(destroy(ENA_ADMIN_DESTROY_CQ, 0, 0), ENA_ST_ILLEGAL); /* in use */
	assert_int_equal(destroy(ENA_ADMIN_DESTROY_SQ, 0, 2), ENA_ST_ILLEGAL); /* no RX queue */
	assert_int_equal(destroy(ENA_ADMIN_DESTROY_SQ, 0, 1), 0);
	assert_int_equal(destroy(ENA_ADMIN_DESTROY_SQ, 0, 1), ENA_ST_ILLEGAL);
	assert_int_equal(destroy(ENA_ADMIN_DESTROY_CQ, 0, 0), 0);
	assert_int_equal(destroy(ENA_ADMIN_DESTROY_CQ, 0, 0), ENA_ST_ILLEGAL);
}

static void queues__create_destroy_storm(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < 300; i++) {
		assert_int_equal(ena_driver_down(&rig.d), 0);
		assert_int_equal(ena_driver_up(&rig.d, 1 + i % RIG_PAIRS, RIG_DEPTH), 0);
	}
	assert_int_equal(ena_driver_down(&rig.d), 0);
	assert_int_equal(ena_driver_up(&rig.d, RIG_PAIRS, RIG_DEPTH), 0);
	rig_alive();
}

static void queues__doorbells_of_queues_that_are_not_there(void **state)
{
	unsigned off;

	(void)state;
	for (off = ENA_DB_OFF; off < ENA_DB_OFF + ENA_DB_BYTES; off += 4)
		rig_reg_write(off, 0xffffffff);
	rig_turn();
	assert_true(ena_running(rig.e));
	assert_int_equal(ena_driver_up(&rig.d, RIG_PAIRS, RIG_DEPTH), 0);
	rig_alive();
}

static void mtu__limits(void **state)
{
	static const uint32_t bad[] = { 0, 67, ENA_MTU_MAX + 1, 0xffffffff };
	uint32_t mtu = 68;
	unsigned i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(ena_driver_set(&rig.d, ENA_F_MTU, 0, &bad[i], 1), ENA_ST_ILLEGAL);
	assert_int_equal(ena_driver_set(&rig.d, ENA_F_MTU, 0, &mtu, 1), 0);
	mtu = ENA_MTU_MAX;
	assert_int_equal(ena_driver_set(&rig.d, ENA_F_MTU, 0, &mtu, 1), 0);
}

static void rss__key_is_left_alone_until_set_and_told_afterwards(void **state)
{
	const uint32_t w[] = { 0, ENA_RSS_TOEPLITZ, 0xffffffff };
	struct ena_rss_key *k = (struct ena_rss_key *)(void *)rig.d.buf;
	struct ena_acq_entry a;

	(void)state;
	assert_int_equal(ena_driver_reset(&rig.d, 0), 0);
	ena_driver_admin(&rig.d);
	memset(k, 0x5a, sizeof(*k));
	assert_int_equal(ena_driver_get(&rig.d, ENA_F_RSS_FUNCTION, sizeof(*k), &a), 0);
	assert_int_equal(a.rss_function.supported, ENA_RSS_TOEPLITZ);
	assert_int_equal(k->key[0], 0x5a);
	k->parts = ENA_RSS_KEY_PARTS;
	k->key[39] = 0x77;
	assert_int_equal(ena_driver_set(&rig.d, ENA_F_RSS_FUNCTION, sizeof(*k), w, 3), 0);
	memset(k, 0, sizeof(*k));
	assert_int_equal(ena_driver_get(&rig.d, ENA_F_RSS_FUNCTION, sizeof(*k), &a), 0);
	assert_int_equal(k->parts, ENA_RSS_KEY_PARTS);
	assert_int_equal(k->key[0], 0x5a);
	assert_int_equal(k->key[39], 0x77);
	assert_int_equal(a.rss_function.init_val, 0xffffffff);
}

static void rss__refuses_what_it_cannot(void **state)
{
	const uint32_t crc[] = { 0, 4, 0 }, toeplitz[] = { 0, ENA_RSS_TOEPLITZ, 0 }, sort = 0;
	const uint32_t small[] = { 0, 6, 0xffffffff, 0 }, whole[] = { 0, 7, 0xffffffff, 0 };
	const uint32_t far[] = { 0, 7, 128, ENA_RX_IDX }, tx[] = { 0, 7, 5, 2 };
	struct ena_rss_key *k = (struct ena_rss_key *)(void *)rig.d.buf;
	struct ena_rss_input *in = (struct ena_rss_input *)(void *)rig.d.buf;
	struct ena_rss_entry *t = (struct ena_rss_entry *)(void *)rig.d.buf;
	unsigned i;

	(void)state;
	assert_int_equal(ena_driver_set(&rig.d, ENA_F_RSS_FUNCTION, 0, crc, 3), ENA_ST_UNSUPPORTED);
	k->parts = 11;
	assert_int_equal(ena_driver_set(&rig.d, ENA_F_RSS_FUNCTION, sizeof(*k), toeplitz, 3),
			 ENA_ST_ILLEGAL);
	k->parts = ENA_RSS_KEY_PARTS;
	assert_int_equal(ena_driver_set(&rig.d, ENA_F_RSS_FUNCTION, sizeof(*k) - 1, toeplitz, 3),
			 ENA_ST_MALFORMED);

	assert_int_equal(ena_driver_get(&rig.d, ENA_F_RSS_INPUT, sizeof(*in), NULL), 0);
	in->selected[ENA_RSS_NOT_IP].fields |= ENA_RSS_L4_DP;
	assert_int_equal(ena_driver_set(&rig.d, ENA_F_RSS_INPUT, sizeof(*in), &sort, 1),
			 ENA_ST_ILLEGAL);
	assert_int_equal(ena_driver_set(&rig.d, ENA_F_RSS_INPUT, 0, &sort, 1), ENA_ST_MALFORMED);
	assert_int_equal(ena_driver_get(&rig.d, ENA_F_RSS_INPUT, sizeof(*in) - 1, NULL),
			 ENA_ST_MALFORMED);

	for (i = 0; i < 128; i++)
		t[i] = (struct ena_rss_entry){ .sq_idx = ENA_RX_IDX + 1 };
	assert_int_equal(ena_driver_set(&rig.d, ENA_F_RSS_TABLE, 512, small, 4), ENA_ST_ILLEGAL);
	assert_int_equal(ena_driver_set(&rig.d, ENA_F_RSS_TABLE, 511, whole, 4), ENA_ST_MALFORMED);
	assert_int_equal(ena_driver_set(&rig.d, ENA_F_RSS_TABLE, 0, far, 4), ENA_ST_ILLEGAL);
	assert_int_equal(ena_driver_set(&rig.d, ENA_F_RSS_TABLE, 0, tx, 4), ENA_ST_ILLEGAL);
	t[127].sq_idx = ENA_RX_IDX + RIG_PAIRS;
	assert_int_equal(ena_driver_set(&rig.d, ENA_F_RSS_TABLE, 512, whole, 4), ENA_ST_ILLEGAL);
	assert_int_equal(rig.e->rss.table[0], ENA_RX_IDX); /* nothing of it was taken */
	t[127].sq_idx = ENA_RX_IDX + 2;
	assert_int_equal(ena_driver_set(&rig.d, ENA_F_RSS_TABLE, 512, whole, 4), 0);
	memset(t, 0, 512);
	assert_int_equal(ena_driver_get(&rig.d, ENA_F_RSS_TABLE, 512, NULL), 0);
	assert_int_equal(t[0].sq_idx, ENA_RX_IDX + 1);
	assert_int_equal(t[127].sq_idx, ENA_RX_IDX + 2);
}

static void buffer__outside_memory_is_the_commands_fault(void **state)
{
	static const uint64_t at[] = { RIG_NOWHERE, RIG_RAM_BYTES / 2 - 8, 0xffffffffffff };
	unsigned i, op;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(at); i++) {
		for (op = ENA_ADMIN_GET_FEATURE; op <= ENA_ADMIN_SET_FEATURE; op++) {
			struct ena_aq_entry c = { .opcode = (uint8_t)op, .flags = 1 << 1 };

			c.ctrl.buf_len = 512;
			c.ctrl.buf_lo = (uint32_t)at[i];
			c.ctrl.buf_hi = (uint16_t)(at[i] >> 32);
			c.ctrl.feature.id = ENA_F_RSS_INPUT;
			assert_int_equal(ena_driver_cmd(&rig.d, c, NULL), ENA_ST_ILLEGAL);
		}
	}
	assert_true(ena_running(rig.e));
}

static uint8_t stats_get(uint8_t type, uint32_t want, uint32_t buf_len, struct ena_acq_entry *a)
{
	struct ena_aq_entry c = { .opcode = ENA_ADMIN_GET_STATS };

	c.ctrl.buf_len = buf_len;
	c.ctrl.buf_lo = (uint32_t)rig.d.buf_at;
	c.ctrl.buf_hi = (uint16_t)(rig.d.buf_at >> 32);
	c.ctrl.stats.type = type;
	c.ctrl.stats.metrics_lo = want;
	return ena_driver_cmd(&rig.d, c, a);
}

static void stats__count_since_the_guests_reset(void **state)
{
	struct ena_acq_entry a;

	(void)state;
	rig_alive();
	ena_rx_dropped(rig.e, 5);
	assert_int_equal(stats_get(ENA_STATS_BASIC, 0, 0, &a), 0);
	assert_int_equal(a.basic.tx_pkts_lo, RIG_PAIRS);
	assert_int_equal(a.basic.rx_pkts_lo, 1);
	assert_int_equal(a.basic.tx_bytes_lo, RIG_PAIRS * a.basic.rx_bytes_lo);
	assert_int_equal(a.basic.rx_drops_lo, 5);
	assert_int_equal(stats_get(1, 0, 0, &a), ENA_ST_UNSUPPORTED);
	assert_int_equal(stats_get(2, 0, 0, &a), ENA_ST_UNSUPPORTED);
	assert_int_equal(ena_driver_probe(&rig.d), 0);
	assert_int_equal(stats_get(ENA_STATS_BASIC, 0, 0, &a), 0);
	assert_int_equal(a.basic.tx_pkts_lo, 0);
	assert_int_equal(a.basic.rx_drops_lo, 0);
}

static void stats__metrics_are_packed(void **state)
{
	uint64_t *v = (uint64_t *)(void *)rig.d.buf;
	struct ena_acq_entry a;

	(void)state;
	rig.allowance = (struct ena_allowance){ 1, 2, 3, 4, 5, 6 };
	assert_int_equal(stats_get(ENA_STATS_METRICS, 0xffffffff, 0, &a), 0);
	assert_int_equal(a.metrics.reported_lo, 0x3f);
	memset(v, 0xee, 64);
	assert_int_equal(stats_get(ENA_STATS_METRICS, 0x3f, 512, &a), 0);
	assert_int_equal(v[0], 1);
	assert_int_equal(v[5], 6);
	assert_int_equal(v[6], 0xeeeeeeeeeeeeeeee);
	assert_int_equal(stats_get(ENA_STATS_METRICS, 0x24, 512, &a), 0);
	assert_int_equal(v[0], 3);
	assert_int_equal(v[1], 6);
	assert_int_equal(stats_get(ENA_STATS_METRICS, 0x3f, 47, &a), ENA_ST_MALFORMED);
}

/* A whole ring of commands at once, and more than a turn takes. */
static void admin__batch(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < ENA_DRIVER_ADMIN_DEPTH; i++) {
		struct ena_aq_entry c = { .opcode = ENA_ADMIN_GET_FEATURE,
					  .command_id = (uint16_t)i };

		c.flags = !(rig.d.aq_tail / ENA_DRIVER_ADMIN_DEPTH & 1);
		c.ctrl.feature.id = ENA_F_LINK;
		rig.d.aq[rig.d.aq_tail++ % ENA_DRIVER_ADMIN_DEPTH] = c;
	}
	rig_reg_write(ENA_REG_AQ_DB, rig.d.aq_tail);
	assert_true(ena_service(rig.e, ++rig.now_ns));
	assert_true(ena_arm(rig.e));
	rig_turn();
	assert_true(ena_running(rig.e));
	for (i = 0; i < ENA_DRIVER_ADMIN_DEPTH; i++) {
		const struct ena_acq_entry *a = &rig.d.acq[rig.d.acq_head % ENA_DRIVER_ADMIN_DEPTH];

		assert_int_equal(a->flags, !(rig.d.acq_head / ENA_DRIVER_ADMIN_DEPTH & 1));
		assert_int_equal(a->command_id, i);
		assert_int_equal(a->status, 0);
		assert_int_equal(a->link.mbps, 10000);
		rig.d.acq_head++;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_PROBED(admin__answers_every_opcode),
		IN_PROBED(admin__unknown_features_are_unsupported),
		IN_PROBED(admin__answers_are_zero_behind_their_fields),
		IN_PROBED(create_cq__limits),
		IN_PROBED(create_sq__limits),
		IN_PROBED(destroy__limits),
		IN_RIG(queues__create_destroy_storm),
		IN_PROBED(queues__doorbells_of_queues_that_are_not_there),
		IN_PROBED(mtu__limits),
		IN_PROBED(rss__key_is_left_alone_until_set_and_told_afterwards),
		IN_PROBED(rss__refuses_what_it_cannot),
		IN_PROBED(buffer__outside_memory_is_the_commands_fault),
		IN_RIG(stats__count_since_the_guests_reset),
		IN_PROBED(stats__metrics_are_packed),
		IN_PROBED(admin__batch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
