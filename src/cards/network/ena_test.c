/* SPDX-License-Identifier: Apache-2.0 */

#include "ena_rig.h"

#include <errno.h>
#include <string.h>

static void probe__runs_the_drivers_sequence(void **state)
{
	struct ena_aenq_entry ev;

	(void)state;
	assert_int_equal(ena_driver_probe(&rig.d), 0);
	assert_true(ena_running(rig.e));
	assert_memory_equal(rig.d.attributes.attributes.mac, "\x06\x01\x02\x03\x04\x05", 6);
	assert_int_equal(rig.d.attributes.attributes.max_mtu, ENA_MTU_MAX);
	assert_int_equal(rig.d.queues_ext.queues_ext.tx_sq_num, RIG_PAIRS);
	assert_true(rig.d.queues_ext.queues_ext.header_max <= 255);
	assert_true(rig.d.queues_ext.queues_ext.tx_descs >= 19);
	rig_turn();
	/* The link is only learnt from an event. */
	assert_int_equal(ena_driver_event(&rig.d, &ev), 1);
	assert_int_equal(ev.group, ENA_G_LINK);
	assert_int_equal(ev.link_flags, 1);
	assert_true(rig.irqs[0] >= 1);
	assert_int_equal(ena_driver_up(&rig.d, RIG_PAIRS, RIG_DEPTH), 0);
	rig_alive();
}

static void reset__bit_mirrors_control(void **state)
{
	(void)state;
	assert_int_equal(rig_reg(ENA_REG_DEV_STS), ENA_DEV_STS_READY);
	rig_reg_write(ENA_REG_DEV_CTL, ENA_DEV_CTL_RESET | 9u << 28);
	assert_int_equal(rig_reg(ENA_REG_DEV_STS), ENA_DEV_STS_READY | ENA_DEV_STS_RESETTING);
	/* Registers of rings are not taken meanwhile. */
	rig_reg_write(ENA_REG_AQ_CAPS, 64u << 16 | 32);
	rig_reg_write(ENA_REG_AQ_DB, 1);
	assert_int_equal(rig_reg(ENA_REG_DEV_STS), ENA_DEV_STS_READY | ENA_DEV_STS_RESETTING);
	rig_reg_write(ENA_REG_DEV_CTL, 0);
	assert_int_equal(rig_reg(ENA_REG_DEV_STS), ENA_DEV_STS_READY);
	assert_int_equal(rig.e->regs.aq_caps, 0);
}

static void reset__tells_the_link_again_and_forgets_all(void **state)
{
	struct ena_aenq_entry ev;
	unsigned i;

	(void)state;
	for (i = 0; i < 3; i++) {
		assert_int_equal(ena_driver_probe(&rig.d), 0);
		assert_int_equal(rig.e->cq[0].depth, 0);
		assert_int_equal(rig.e->rxq[0].sq.depth, 0);
		rig_turn();
		assert_int_equal(ena_driver_event(&rig.d, &ev), 1);
		assert_int_equal(ev.group, ENA_G_LINK);
		assert_int_equal(ena_driver_up(&rig.d, RIG_PAIRS, RIG_DEPTH), 0);
		rig_alive();
	}
}

static void reset__writes_nothing_afterwards(void **state)
{
	uint8_t p[128];
	size_t len = rig_packet(p, false, false, 20, 1);
	static uint8_t before[RIG_RAM_BYTES];

	(void)state;
	assert_int_equal(rig_rx(p, len, 0), 0); /* in the buffer, its completion not yet written */
	rig_reg_write(ENA_REG_DEV_CTL, ENA_DEV_CTL_RESET);
	memcpy(before, rig.ram, RIG_RAM_BYTES);
	ena_rx_flush(rig.e);
	assert_int_equal(rig_rx(p, len, 0), -ENETDOWN);
	rig.now_ns += 5000000000;
	rig_turn();
	ena_link_set(rig.e, false);
	assert_memory_equal(before, rig.ram, RIG_RAM_BYTES);
}

static void reset__storm_leaves_the_device_well(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		rig_reg_write(ENA_REG_DEV_CTL, ENA_DEV_CTL_RESET | i << 28);
		if (i % 3)
			rig_reg_write(ENA_REG_DEV_CTL, 0);
		rig_reg_write(ENA_REG_AQ_DB, i);
		rig_reg_write(ENA_REG_AENQ_HEAD_DB, i);
	}
	rig_turn();
	assert_int_equal(ena_driver_probe(&rig.d), 0);
	assert_int_equal(ena_driver_up(&rig.d, RIG_PAIRS, RIG_DEPTH), 0);
	rig_alive();
}

static void registers__odd_accesses_are_dropped(void **state)
{
	uint8_t b[16];

	(void)state;
	memset(b, 0xff, sizeof(b));
	ena_access(rig.e, 0, ENA_REG_DEV_CTL, b, 2, true);
	ena_access(rig.e, 0, ENA_REG_DEV_CTL + 2, b, 4, true);
	ena_access(rig.e, 0, ENA_REG_DEV_CTL, b, 16, true);
	ena_access(rig.e, 4, ENA_REG_DEV_CTL, b, 4, true);
	assert_int_equal(rig_reg(ENA_REG_DEV_STS), ENA_DEV_STS_READY);
	/* Eight bytes are two registers. */
	memset(b, 0, sizeof(b));
	ena_access(rig.e, 0, ENA_REG_VERSION, b, 8, false);
	assert_int_equal(b[1], 2);
	assert_int_equal(b[6], 1);
	/* Behind the doorbells there is nothing. */
	ena_access(rig.e, 0, 0x2000, b, 4, true);
	ena_access(rig.e, 0, 16384 - 4, b, 4, true);
}

static void start__refuses_bad_admin_queues(void **state)
{
	static const struct {
		uint64_t aq, acq;
		uint32_t aq_caps, acq_caps;
	} bad[] = {
		{ 0x1000, 0x2000, 0, 0 },
		{ 0x1000, 0x2000, 64u << 16 | 0, 64u << 16 | 0 },
		{ 0x1000, 0x2000, 64u << 16 | 1, 64u << 16 | 1 },
		{ 0x1000, 0x2000, 64u << 16 | 33, 64u << 16 | 33 },
		{ 0x1000, 0x2000, 64u << 16 | 2048, 64u << 16 | 2048 },
		{ 0x1000, 0x2000, 64u << 16 | 65535, 64u << 16 | 65535 },
		{ 0x1000, 0x2000, 32u << 16 | 32, 32u << 16 | 32 },
		{ 0x1000, 0x2000, 64u << 16 | 32, 64u << 16 | 16 },
		{ 0x1020, 0x2000, 64u << 16 | 32, 64u << 16 | 32 },
		{ 0x1000, 0x2008, 64u << 16 | 32, 64u << 16 | 32 },
	};
	unsigned i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(ena_driver_reset(&rig.d, 0), 0);
		rig_reg_write(ENA_REG_AQ_BASE_LO, (uint32_t)bad[i].aq);
		rig_reg_write(ENA_REG_ACQ_BASE_LO, (uint32_t)bad[i].acq);
		rig_reg_write(ENA_REG_AQ_CAPS, bad[i].aq_caps);
		rig_reg_write(ENA_REG_ACQ_CAPS, bad[i].acq_caps);
		rig_reg_write(ENA_REG_AQ_DB, 1);
		rig_turn();
		assert_int_equal(rig.e->state, ENA_FATAL);
	}
	rig_assert_fatal_and_recover();
}

static void start__admin_queue_outside_memory_fails_the_device(void **state)
{
	static const uint64_t at[] = { RIG_NOWHERE, RIG_RAM_BYTES / 2, RIG_HIGH - 64,
				       UINT64_MAX - 63, (uint64_t)1 << 48 };
	unsigned i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(at); i++) {
		assert_int_equal(ena_driver_reset(&rig.d, 0), 0);
		rig_reg_write(ENA_REG_AQ_BASE_LO, (uint32_t)at[i]);
		rig_reg_write(ENA_REG_AQ_BASE_HI, (uint32_t)(at[i] >> 32));
		rig_reg_write(ENA_REG_ACQ_BASE_LO, 0x2000);
		rig_reg_write(ENA_REG_AQ_CAPS, 64u << 16 | 32);
		rig_reg_write(ENA_REG_ACQ_CAPS, 64u << 16 | 32);
		rig_reg_write(ENA_REG_AQ_DB, 1);
		rig_turn();
		assert_int_equal(rig.e->state, ENA_FATAL);
	}
	rig_assert_fatal_and_recover();
}

/* CVE-2026-5747 class: registers rewritten while the queue is in use. */
static void start__registers_are_fixed_while_running(void **state)
{
	struct ena_acq_entry a;

	(void)state;
	rig_reg_write(ENA_REG_AQ_BASE_LO, 0xdeadbec0);
	rig_reg_write(ENA_REG_AQ_CAPS, 64u << 16 | 1024);
	rig_reg_write(ENA_REG_ACQ_BASE_HI, 7);
	rig_reg_write(ENA_REG_AENQ_BASE_LO, 0x40);
	rig_reg_write(ENA_REG_AENQ_CAPS, 64u << 16 | 1024);
	assert_int_equal(rig.e->admin.depth, 32);
	assert_int_equal(rig.e->aenq.depth, 16);
	assert_int_equal(ena_driver_get(&rig.d, ENA_F_AENQ, 0, &a), 0);
	rig_alive();
}

static void admin_doorbell__beyond_the_queue_fails_the_device(void **state)
{
	(void)state;
	rig_reg_write(ENA_REG_AQ_DB, (uint16_t)(rig.d.aq_tail + ENA_DRIVER_ADMIN_DEPTH + 1));
	rig_turn();
	rig_assert_fatal_and_recover();
	rig_reg_write(ENA_REG_AQ_DB, (uint16_t)(rig.d.aq_tail - 1));
	rig_turn();
	rig_assert_fatal_and_recover();
}

static void admin_doorbell__over_stale_entries_fails_the_device(void **state)
{
	(void)state;
	rig_reg_write(ENA_REG_AQ_DB, (uint16_t)(rig.d.aq_tail + 1));
	rig_turn();
	rig_assert_fatal_and_recover();
}

static void aenq__keeps_alive_every_second(void **state)
{
	struct ena_aenq_entry ev;
	unsigned i, n = 0;

	(void)state;
	ena_rx_dropped(rig.e, 3);
	for (i = 0; i < 50; i++) {
		assert_true(ena_wake_ns(rig.e) <= rig.now_ns + ENA_KEEP_ALIVE_NS);
		rig.now_ns += 100000000;
		rig_turn();
		while (ena_driver_event(&rig.d, &ev)) {
			assert_int_equal(ev.group, ENA_G_KEEP_ALIVE);
			assert_int_equal(ev.keep_alive.rx_drops_lo, 3);
			n++;
		}
	}
	assert_in_range(n, 4, 6);
}

static void aenq__never_overwrites_what_was_not_given_back(void **state)
{
	struct ena_aenq_entry ev;
	unsigned i, n = 0;

	(void)state;
	for (i = 0; i < 40; i++) {
		rig.now_ns += ENA_KEEP_ALIVE_NS;
		rig_turn();
	}
	ena_link_set(rig.e, false); /* no room: it waits */
	while (ena_driver_event(&rig.d, &ev)) {
		assert_int_equal(ev.group, ENA_G_KEEP_ALIVE);
		n++;
	}
	assert_int_equal(n, ENA_DRIVER_AENQ_DEPTH);
	rig_turn();
	assert_int_equal(ena_driver_event(&rig.d, &ev), 1);
	assert_int_equal(ev.group, ENA_G_LINK);
	assert_int_equal(ev.link_flags, 0);
}

static void aenq__doorbell_that_cannot_be_fails_the_device(void **state)
{
	static const uint16_t by[] = { 17, 0xffff, 0x8000, 15 };
	unsigned i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(by); i++) {
		/* head is given back + 16 already */
		rig_reg_write(ENA_REG_AENQ_HEAD_DB, (uint16_t)(rig.d.aenq_head + by[i]));
		rig_turn();
		rig_assert_fatal_and_recover();
	}
}

static void aenq__only_enabled_groups(void **state)
{
	const uint32_t none[2] = { 0, 0 }, bad[2] = { 0, 1u << 5 };
	struct ena_aenq_entry ev;

	(void)state;
	assert_int_equal(ena_driver_set(&rig.d, ENA_F_AENQ, 0, bad, 2), ENA_ST_ILLEGAL);
	assert_int_equal(ena_driver_set(&rig.d, ENA_F_AENQ, 0, none, 2), 0);
	while (ena_driver_event(&rig.d, &ev))
		;
	rig.now_ns += 10 * ENA_KEEP_ALIVE_NS;
	ena_link_set(rig.e, false);
	rig_turn();
	assert_int_equal(ena_driver_event(&rig.d, &ev), 0);
	assert_true(ena_wake_ns(rig.e) == UINT64_MAX);
}

static void admin_irq__respects_the_mask(void **state)
{
	(void)state;
	rig_reg_write(ENA_REG_INTR_MASK, ENA_INTR_MASK_ADMIN);
	assert_int_equal(ena_driver_get(&rig.d, ENA_F_AENQ, 0, NULL), 0);
	assert_int_equal(rig.irqs[0], 0);
	rig_reg_write(ENA_REG_INTR_MASK, 0);
	assert_int_equal(rig.irqs[0], 1);
	rig_reg_write(ENA_REG_INTR_MASK, 0);
	assert_int_equal(rig.irqs[0], 1);
}

static void io_irq__masks_itself_until_either_register_is_written(void **state)
{
	uint8_t p[128];
	size_t len = rig_packet(p, false, false, 20, 1);
	unsigned v, q;

	(void)state;
	rig_tx(2, p, len, len, NULL);
	assert_int_equal(rig.irqs[3], 1);
	rig_tx(2, p, len, len, NULL);
	assert_int_equal(rig.irqs[3], 1);
	/* Posted since: raised at once. */
	ena_driver_unmask(&rig.d, 2);
	rig_turn();
	assert_int_equal(rig.irqs[3], 2);
	ena_driver_unmask(&rig.d, 2);
	rig_turn();
	assert_int_equal(rig.irqs[3], 2);
	/* One for both directions, by the other register, once per batch. */
	rig_tx(2, p, len, len, NULL);
	assert_int_equal(rig.irqs[3], 3);
	rig_reg_write(rig.d.q[2].rx.unmask_off, ENA_UNMASK | 0x1234);
	rig_turn();
	rig_tx(2, p, len, len, NULL);
	assert_int_equal(rig.irqs[3], 4);
	/* A value without the bit unmasks nothing. */
	rig_reg_write(rig.d.q[2].rx.unmask_off, 0x1234);
	rig_turn();
	rig_tx(2, p, len, len, NULL);
	assert_int_equal(rig.irqs[3], 4);

	memset(rig.irqs, 0, sizeof(rig.irqs));
	for (q = 0; q < RIG_PAIRS; q++)
		ena_driver_unmask(&rig.d, q);
	rig_turn();
	memset(rig.irqs, 0, sizeof(rig.irqs));
	for (q = 0; q < RIG_PAIRS; q++)
		ena_driver_unmask(&rig.d, q);
	rig_turn();
	for (v = 0; v < 8; v++)
		assert_int_equal(rig_rx(p, len, 0), 0);
	ena_rx_flush(rig.e);
	for (v = 1, q = 0; v <= RIG_PAIRS; v++)
		q += rig.irqs[v];
	assert_int_equal(q, 1);
}

static void arm__sees_every_kind_of_work(void **state)
{
	uint8_t p[128];
	size_t len = rig_packet(p, false, false, 20, 1);
	struct ena_driver_sg sg = { rig_alloc(len), (uint16_t)len };

	(void)state;
	assert_false(ena_arm(rig.e));
	ena_driver_unmask(&rig.d, 1);
	assert_true(ena_arm(rig.e));
	rig_turn();
	assert_false(ena_arm(rig.e));
	memcpy(rig_p(sg.at), p, len);
	assert_true(ena_driver_tx(&rig.d, 3, &sg, 1, NULL) >= 0);
	assert_false(ena_arm(rig.e)); /* not rung */
	ena_driver_ring_db(&rig.d, &rig.d.q[3].tx);
	assert_true(ena_arm(rig.e));
	/* While the memory map changes nothing is fetched. */
	assert_int_equal(ena_quiesce(rig.e, false), 0);
	assert_false(ena_arm(rig.e));
	assert_false(ena_service(rig.e, ++rig.now_ns));
	assert_int_equal(rig_rx(p, len, 0), -ENOBUFS);
	assert_int_equal(rig.frame_cnt, 0);
	ena_resume(rig.e);
	rig_turn();
	assert_int_equal(rig.frame_cnt, 1);
}

static void pci__is_what_the_driver_wants(void **state)
{
	struct pci_config_conf c;

	(void)state;
	ena_pci(8, &c);
	assert_int_equal(pci_config_conf_check(&c), 0);
	assert_int_equal(c.vendor, 0x1d0f);
	assert_int_equal(c.device, 0xec20);
	assert_int_equal(c.class_code, 0x020000);
	assert_true(c.revision & 1);
	assert_int_equal(c.msix.vector_cnt, 9);
	assert_int_equal(c.bar[2].size, 0); /* the driver claims 0 and 2 */
	assert_true(c.msix.table_bar != 0 && c.msix.table_bar != 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_RIG_OFF(probe__runs_the_drivers_sequence),
		IN_RIG_OFF(reset__bit_mirrors_control),
		IN_RIG(reset__tells_the_link_again_and_forgets_all),
		IN_RIG(reset__writes_nothing_afterwards),
		IN_RIG(reset__storm_leaves_the_device_well),
		IN_RIG_OFF(registers__odd_accesses_are_dropped),
		IN_RIG(start__refuses_bad_admin_queues),
		IN_RIG(start__admin_queue_outside_memory_fails_the_device),
		IN_RIG(start__registers_are_fixed_while_running),
		IN_RIG(admin_doorbell__beyond_the_queue_fails_the_device),
		IN_RIG(admin_doorbell__over_stale_entries_fails_the_device),
		IN_RIG(aenq__keeps_alive_every_second),
		IN_RIG(aenq__never_overwrites_what_was_not_given_back),
		IN_RIG(aenq__doorbell_that_cannot_be_fails_the_device),
		IN_RIG(aenq__only_enabled_groups),
		IN_RIG(admin_irq__respects_the_mask),
		IN_RIG(io_irq__masks_itself_until_either_register_is_written),
		IN_RIG(arm__sees_every_kind_of_work),
		cmocka_unit_test(pci__is_what_the_driver_wants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
