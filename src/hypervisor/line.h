/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

/*
 * A legacy interrupt line (UART, SCI). irq.c drives the in-kernel irqchip; tests bring their own line_set().
 * The owner of a line calls with its own lock held, so that levels reach the chip in order.
 */
struct line {
	int vm_fd;
	unsigned gsi;
	bool level; /* last set */
};

/* line_set(): nothing happens when the level is already that. */
void line_set(struct line *l, bool level);
