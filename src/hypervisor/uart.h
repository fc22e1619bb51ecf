/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The serial console: a 16550A that sends at once. What the guest writes goes into a ring of the last
 * UART_RING_BYTES; a reader (CTL_SVC_CONSOLE_READ) asks by offset since the instance's start and sees from the
 * answer what it missed. Nothing grows: older bytes are overwritten, and a guest that writes faster than
 * UART_RATE loses the surplus, with a note in the ring. There is no way in: nobody types at an instance.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bucket.h"
#include "hypervisor/line.h"

enum {
	UART_RING_BYTES = 1 << 20,
	UART_RATE = 1 << 20, /* bytes per second, and as many in a burst */
};

struct uart {
	pthread_mutex_t lock; /* all below: vCPU threads write, the loop reads */
	struct line irq;
	uint8_t ier, lcr, mcr, scr, fcr, dll, dlm;
	bool thre_pending; /* "transmitter empty" not yet told by IIR */
	uint8_t *ring;     /* UART_RING_BYTES */
	uint64_t total;    /* bytes since the start */
	struct bucket rate;
	bool muted; /* in a run of lost bytes */
};

/* uart_init(): @irq is copied. Return: 0, -errno. */
MUST_USE int uart_init(struct uart *u, const struct line *irq, uint64_t now_ns);
/* uart_reset(): the registers as after power-on; what was printed stays. */
void uart_reset(struct uart *u);

/* The guest's accesses; @reg 0 … 7. */
uint8_t uart_read(struct uart *u, unsigned reg);
void uart_write(struct uart *u, unsigned reg, uint8_t v, uint64_t now_ns);

/**
 * uart_console_read() - bytes the guest has printed
 * @off:     wanted from, any value
 * @ret_off: where the answer begins: @off, or later if the ring has moved on; never beyond @ret_end
 * @ret_end: bytes printed so far
 *
 * Return: bytes put into @buf, at most @cap.
 */
size_t uart_console_read(struct uart *u, uint64_t off, void *buf, size_t cap, uint64_t *ret_off,
			 uint64_t *ret_end);
