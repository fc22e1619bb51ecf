/* SPDX-License-Identifier: Apache-2.0 */
#include "hypervisor/msix.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "irq_fake.h"

enum { VECTORS = 5 };

struct fix {
	struct irq_fake q;
	struct msix *m;
};

static int setup(void **state)
{
	static struct fix f;
	struct irq_if irq = irq_fake_init(&f.q);

	assert_int_equal(msix_new(&irq, VECTORS, &f.m), 0);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fix *f = *state;

	msix_freep(&f->m);
	assert_int_equal(irq_fake_used(&f->q), 0);
	assert_int_equal(irq_fake_attached(&f->q), 0);
	return 0;
}

static void entry_set(struct fix *f, unsigned v, uint64_t addr, uint32_t data, bool masked)
{
	uint8_t b[8];

	le64_store(b, addr);
	msix_table_access(f->m, v * 16UL, b, 8, true);
	le32_store(b, data);
	msix_table_access(f->m, v * 16UL + 8, b, 4, true);
	le32_store(b, masked);
	msix_table_access(f->m, v * 16UL + 12, b, 4, true);
}

static uint64_t pending(struct fix *f)
{
	uint8_t b[8];

	msix_pba_access(f->m, 0, b, 8, false);
	return le64_load(b);
}

static void msix__unmasked_vector_is_routed(void **state)
{
	struct fix *f = *state;

	entry_set(f, 2, 0xfee01000, 0x4021, false);
	assert_int_equal(irq_fake_attached(&f->q), 0); /* MSI-X is off */
	msix_control(f->m, true, false);
	assert_int_equal(irq_fake_attached(&f->q), 1);
	assert_int_equal(f->q.gsi[2].addr, 0xfee01000);
	assert_int_equal(f->q.gsi[2].data, 0x4021);
	fd_event_signal(msix_fds(f->m)[2]);
	irq_fake_run(&f->q);
	assert_int_equal(f->q.gsi[2].delivered, 1);
}

/* What Linux does when an interrupt moves: mask, write, unmask. */
static void msix__a_moved_vector_loses_nothing(void **state)
{
	struct fix *f = *state;

	entry_set(f, 0, 0xfee00000, 1, false);
	msix_control(f->m, true, false);
	entry_set(f, 0, 0xfee00000, 1, true);
	fd_event_signal(msix_fds(f->m)[0]);
	assert_int_equal(pending(f), 1);
	assert_int_equal(f->q.gsi[0].delivered, 0);
	entry_set(f, 0, 0xfee02000, 2, true);
	entry_set(f, 0, 0xfee02000, 2, false);
	assert_int_equal(f->q.gsi[0].delivered, 1);
	assert_int_equal(f->q.gsi[0].addr, 0xfee02000);
	assert_int_equal(pending(f), 0);
	irq_fake_run(&f->q);
	assert_int_equal(f->q.gsi[0].delivered, 1); /* once */
}

static void msix__an_unmasked_entry_may_be_rewritten(void **state)
{
	struct fix *f = *state;

	msix_control(f->m, true, false);
	entry_set(f, 1, 0xfee00000, 1, false);
	entry_set(f, 1, 0xfee03000, 9, false);
	assert_int_equal(f->q.gsi[1].addr, 0xfee03000);
	assert_int_equal(f->q.gsi[1].data, 9);
	assert_int_equal(irq_fake_attached(&f->q), 1);
}

static void msix__function_mask_holds_all_back(void **state)
{
	struct fix *f = *state;

	entry_set(f, 0, 0xfee00000, 1, false);
	entry_set(f, 4, 0xfee00000, 2, false);
	msix_control(f->m, true, true);
	assert_int_equal(irq_fake_attached(&f->q), 0);
	fd_event_signal(msix_fds(f->m)[4]);
	assert_int_equal(pending(f), 1 << 4);
	msix_control(f->m, true, false);
	assert_int_equal(irq_fake_attached(&f->q), 2);
	assert_int_equal(f->q.gsi[4].delivered, 1);
	assert_int_equal(f->q.gsi[0].delivered, 0);
}

static void msix__turning_on_drops_stale_signals(void **state)
{
	struct fix *f = *state;

	fd_event_signal(msix_fds(f->m)[0]);
	assert_int_equal(pending(f), 0); /* off: nothing is pending */
	entry_set(f, 0, 0xfee00000, 1, false);
	msix_control(f->m, true, false);
	assert_int_equal(f->q.gsi[0].delivered, 0);
	/* also when a device made the eventfd blocking: no waiting */
	msix_control(f->m, false, false);
	assert_int_equal(fcntl(msix_fds(f->m)[0], F_SETFL, 0), 0);
	msix_control(f->m, true, false);
	assert_int_equal(fcntl(msix_fds(f->m)[0], F_SETFL, O_NONBLOCK), 0);
}

static void msix__reset_masks_everything(void **state)
{
	struct fix *f = *state;
	uint8_t b[4];

	entry_set(f, 0, 0xfee00000, 1, false);
	msix_control(f->m, true, false);
	msix_reset(f->m);
	assert_int_equal(irq_fake_attached(&f->q), 0);
	msix_table_access(f->m, 12, b, 4, false);
	assert_int_equal(le32_load(b), 1);
}

static void msix__failing_irqfd_leaves_the_vector_down(void **state)
{
	struct fix *f = *state;

	f->q.fail_add = ENOMEM;
	entry_set(f, 0, 0xfee00000, 1, false);
	msix_control(f->m, true, false);
	assert_int_equal(irq_fake_attached(&f->q), 0);
	f->q.fail_add = 0;
	entry_set(f, 0, 0xfee00000, 1, false);
	assert_int_equal(irq_fake_attached(&f->q), 1);
}

/* Row 11 at the hypervisor: no access of any size at any place reaches past five vectors. */
static void s26_row11__guest_access_stays_inside_the_table(void **state)
{
	struct fix *f = *state;
	uint8_t b[8];
	uint64_t off;
	size_t len;

	msix_control(f->m, true, false);
	for (off = VECTORS * 16; off < 4096; off++) {
		for (len = 1; len <= 8; len *= 2) {
			memset(b, 0, sizeof(b));
			msix_table_access(f->m, off, b, len, true);
			memset(b, 0xaa, sizeof(b));
			msix_table_access(f->m, off, b, len, false);
			assert_int_equal(b[0], 0);
			msix_pba_access(f->m, off, b, len, true);
			msix_pba_access(f->m, off, b, len, false);
			assert_int_equal(b[0], 0);
		}
	}
	assert_int_equal(irq_fake_attached(&f->q), 0);
}

static void msix_new__rejects_bad_counts(void **state UNUSED)
{
	static struct irq_fake q;
	struct irq_if irq = irq_fake_init(&q);
	struct msix *m;

	assert_int_equal(msix_new(&irq, 0, &m), -EINVAL);
	assert_int_equal(msix_new(&irq, MSIX_VECTORS_MAX + 1, &m), -EINVAL);
	q.next = IRQ_FAKE_FIRST + IRQ_FAKE_GSIS - 2;
	assert_int_equal(msix_new(&irq, 3, &m), -ENOSPC);
	assert_int_equal(irq_fake_used(&q), 0);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(msix__unmasked_vector_is_routed),
		T(msix__a_moved_vector_loses_nothing),
		T(msix__an_unmasked_entry_may_be_rewritten),
		T(msix__function_mask_holds_all_back),
		T(msix__turning_on_drops_stale_signals),
		T(msix__reset_masks_everything),
		T(msix__failing_irqfd_leaves_the_vector_down),
		T(s26_row11__guest_access_stays_inside_the_table),
		cmocka_unit_test(msix_new__rejects_bad_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
