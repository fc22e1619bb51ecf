/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "base/mem.h"
#include "hypervisor/cmos.h"
#include "hypervisor/power.h"
#include "hypervisor/uart.h"

static struct uart u;
static struct power p;
static const uint64_t second = 1000000000;

static int uart_up(void **state)
{
	const struct line irq = { .gsi = 4 };

	(void)state;
	return uart_init(&u, &irq, 0);
}

static int uart_down(void **state)
{
	(void)state;
	mem_free_pages(u.ring, UART_RING_BYTES);
	return 0;
}

static int power_up(void **state)
{
	const struct line sci = { .gsi = 9 };

	(void)state;
	return power_init(&p, &sci);
}

static void say(const char *s, uint64_t now)
{
	while (*s)
		uart_write(&u, 0, (uint8_t)*s++, now);
}

static void uart__keeps_what_the_guest_prints(void **state)
{
	char buf[64] = { 0 };
	uint64_t off, end;

	(void)state;
	say("hello", 0);
	assert_int_equal(uart_console_read(&u, 0, buf, sizeof(buf), &off, &end), 5);
	assert_string_equal(buf, "hello");
	assert_int_equal(off, 0);
	assert_int_equal(end, 5);
	assert_int_equal(uart_console_read(&u, 3, buf, 1, &off, &end), 1);
	assert_int_equal(buf[0], 'l');
	assert_int_equal(off, 3);
	/* an offset nobody has reached yet is the end */
	assert_int_equal(uart_console_read(&u, UINT64_MAX, buf, sizeof(buf), &off, &end), 0);
	assert_int_equal(off, 5);
}

static void uart__ring_drops_the_oldest_and_says_so(void **state)
{
	uint64_t off, end, i;
	char buf[8];

	(void)state;
	for (i = 0; i < UART_RING_BYTES + 10; i++)
		uart_write(&u, 0, (uint8_t)i, i * second / 1000);
	assert_int_equal(uart_console_read(&u, 0, buf, sizeof(buf), &off, &end), sizeof(buf));
	assert_int_equal(off, 10);
	assert_int_equal(end, UART_RING_BYTES + 10);
	assert_int_equal((uint8_t)buf[0], 10);
}

/* sec 2.6: what a guest prints must not cost more than its share. */
static void uart__rate_is_bounded_and_the_loss_is_noted(void **state)
{
	static char buf[256];
	uint64_t off, end, i;
	size_t n;

	(void)state;
	for (i = 0; i < 3 * (uint64_t)UART_RATE; i++)
		uart_write(&u, 0, 'x', 0);
	n = uart_console_read(&u, UART_RATE - 2, buf, sizeof(buf) - 1, &off, &end);
	buf[n] = '\0';
	assert_true(end < UART_RATE + 100);
	assert_non_null(strstr(buf, "output was lost"));
	say("later", second);
	n = uart_console_read(&u, end, buf, sizeof(buf) - 1, &off, &end);
	assert_int_equal(n, 5);
	assert_memory_equal(buf, "later", 5);
}

static void uart__transmitter_interrupt_comes_and_goes(void **state)
{
	(void)state;
	uart_write(&u, 4, 0x08, 0); /* OUT2 opens the gate */
	assert_false(u.irq.level);
	uart_write(&u, 1, 0x02, 0);
	assert_true(u.irq.level);
	assert_int_equal(uart_read(&u, 2), 0x02);
	assert_false(u.irq.level);
	assert_int_equal(uart_read(&u, 2), 0x01);
	uart_write(&u, 0, 'a', 0);
	assert_true(u.irq.level);
	uart_write(&u, 1, 0, 0);
	assert_false(u.irq.level);
}

static void uart__gate_closed_means_no_interrupt(void **state)
{
	(void)state;
	uart_write(&u, 1, 0x02, 0);
	uart_write(&u, 0, 'a', 0);
	assert_false(u.irq.level);
}

/* What Linux's 8250 driver tries in order to find a 16550A. */
static void uart__answers_the_probe_of_linux_as_a_16550a(void **state)
{
	char buf[4];
	uint64_t off, end;

	(void)state;
	uart_write(&u, 1, 0, 0);
	assert_int_equal(uart_read(&u, 1), 0);
	uart_write(&u, 1, 0x0f, 0);
	assert_int_equal(uart_read(&u, 1), 0x0f);
	uart_write(&u, 4, 0x1a, 0); /* loop-back with OUT2 and RTS */
	assert_int_equal(uart_read(&u, 6) & 0xf0, 0x90);
	uart_write(&u, 0, 'x', 0); /* goes nowhere */
	uart_write(&u, 4, 0, 0);
	assert_int_equal(uart_console_read(&u, 0, buf, sizeof(buf), &off, &end), 0);
	uart_write(&u, 2, 1, 0);
	assert_int_equal(uart_read(&u, 2) >> 6, 3);
	uart_write(&u, 3, 0x80, 0); /* the divisor is not the data register */
	uart_write(&u, 0, 12, 0);
	assert_int_equal(uart_read(&u, 0), 12);
	uart_write(&u, 3, 0x03, 0);
	assert_int_equal(uart_read(&u, 0), 0);
	assert_int_equal(uart_read(&u, 5), 0x60);
	uart_write(&u, 7, 0x5a, 0);
	assert_int_equal(uart_read(&u, 7), 0x5a);
}

static void power__button_raises_the_sci_until_it_is_acknowledged(void **state)
{
	(void)state;
	power_button(&p);
	assert_false(p.sci.level); /* not enabled */
	assert_int_equal(power_write(&p, 2, 2, 1 << 8), POWER_NONE);
	assert_true(p.sci.level);
	assert_int_equal(power_read(&p, 0, 2, 0), 1 << 8);
	assert_int_equal(power_write(&p, 0, 2, 1 << 5), POWER_NONE); /* another bit */
	assert_true(p.sci.level);
	assert_int_equal(power_write(&p, 0, 2, 1 << 8), POWER_NONE);
	assert_false(p.sci.level);
}

static void power__soft_off_needs_the_right_type_and_the_enable_bit(void **state)
{
	(void)state;
	assert_int_equal(power_write(&p, 4, 2, 1 << 13 | 1 << 10), POWER_NONE);
	assert_int_equal(power_write(&p, 4, 2, 0), POWER_NONE);
	assert_int_equal(power_write(&p, 4, 2, 1 << 13), POWER_OFF);
	assert_int_equal(power_write(&p, 5, 1, 1 << 5), POWER_OFF);
	assert_int_equal(power_write(&p, 2, 4, 1U << 29), POWER_OFF);
	assert_int_equal(power_write(&p, 6, 2, 1 << 13), POWER_NONE);
	assert_int_equal(power_read(&p, 4, 2, 0), 1); /* SCI_EN; SLP_EN reads as zero */
}

static void power__timer_counts_at_its_rate(void **state)
{
	(void)state;
	assert_int_equal(power_read(&p, 8, 4, 0), 0);
	assert_int_equal(power_read(&p, 8, 4, second), 3579545);
	assert_int_equal(power_read(&p, 8, 4, 10000 * second), (uint32_t)(10000ULL * 3579545));
	assert_int_equal(power_read(&p, 0x40, 4, second), 0);
}

static void power__general_events_are_write_one_to_clear(void **state)
{
	(void)state;
	p.gpe_sts[0] = 3;
	assert_int_equal(power_write(&p, 0x28, 1, 2), POWER_NONE);
	assert_true(p.sci.level);
	assert_int_equal(power_write(&p, 0x20, 1, 2), POWER_NONE);
	assert_false(p.sci.level);
	assert_int_equal(power_read(&p, 0x20, 1, 0), 1);
	/* a write across the end of the block changes nothing beyond it */
	assert_int_equal(power_write(&p, 0x2f, 4, 0xffffffff), POWER_NONE);
}

static uint8_t clock_at(uint8_t idx, uint64_t now_s)
{
	struct cmos c;

	cmos_init(&c, 3ULL << 30, 1ULL << 30);
	cmos_index_write(&c, idx);
	return cmos_data_read(&c, now_s);
}

static void cmos__tells_the_time_in_bcd(void **state)
{
	const uint64_t leap = 1709210096; /* 2024-02-29 12:34:56 UTC, a Thursday */

	(void)state;
	assert_int_equal(clock_at(0, leap), 0x56);
	assert_int_equal(clock_at(2, leap), 0x34);
	assert_int_equal(clock_at(4, leap), 0x12);
	assert_int_equal(clock_at(6, leap), 5);
	assert_int_equal(clock_at(7, leap), 0x29);
	assert_int_equal(clock_at(8, leap), 0x02);
	assert_int_equal(clock_at(9, leap), 0x24);
	assert_int_equal(clock_at(0x32, leap), 0x20);
	assert_int_equal(clock_at(7, leap + 86400), 0x01);
	assert_int_equal(clock_at(8, leap + 86400), 0x03);
	assert_int_equal(clock_at(9, 0), 0x70);
	assert_int_equal(clock_at(0x0d, 0), 0x80);
}

static void cmos__tells_the_memory_size_for_firmware(void **state)
{
	(void)state;
	assert_int_equal(clock_at(0x34, 0) | clock_at(0x35, 0) << 8, (3072 - 16) * 16);
	assert_int_equal(clock_at(0x5b, 0) | clock_at(0x5c, 0) << 8 | clock_at(0x5d, 0) << 16,
			 1024 * 16);
	assert_int_equal(clock_at(0x7f, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(uart__keeps_what_the_guest_prints, uart_up,
						uart_down),
		cmocka_unit_test_setup_teardown(uart__ring_drops_the_oldest_and_says_so, uart_up,
						uart_down),
		cmocka_unit_test_setup_teardown(uart__rate_is_bounded_and_the_loss_is_noted,
						uart_up, uart_down),
		cmocka_unit_test_setup_teardown(uart__transmitter_interrupt_comes_and_goes, uart_up,
						uart_down),
		cmocka_unit_test_setup_teardown(uart__gate_closed_means_no_interrupt, uart_up,
						uart_down),
		cmocka_unit_test_setup_teardown(uart__answers_the_probe_of_linux_as_a_16550a,
						uart_up, uart_down),
		cmocka_unit_test_setup(power__button_raises_the_sci_until_it_is_acknowledged,
				       power_up),
		cmocka_unit_test_setup(power__soft_off_needs_the_right_type_and_the_enable_bit,
				       power_up),
		cmocka_unit_test_setup(power__timer_counts_at_its_rate, power_up),
		cmocka_unit_test_setup(power__general_events_are_write_one_to_clear, power_up),
		cmocka_unit_test(cmos__tells_the_time_in_bcd),
		cmocka_unit_test(cmos__tells_the_memory_size_for_firmware),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
