/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * irq_ops without KVM: remembers routes and irqfds, and can say which message a signal would become.
 */

#include <stdbool.h>
#include <stdint.h>

#include "hypervisor/irq.h"

enum { IRQ_FAKE_GSIS = 128, IRQ_FAKE_FIRST = 24 };

struct irq_fake {
	struct {
		bool used;
		uint64_t addr;
		uint32_t data;
		int event_fd; /* -1: no irqfd */
		unsigned delivered;
	} gsi[IRQ_FAKE_GSIS];
	uint32_t next;
	int fail_add; /* errno the next irqfd_add gives */
};

struct irq_if irq_fake_init(struct irq_fake *q);
/* irq_fake_run(): takes signals out of attached eventfds, as KVM does. */
void irq_fake_run(struct irq_fake *q);
/* GSIs and irqfds still in use. */
unsigned irq_fake_used(const struct irq_fake *q);
unsigned irq_fake_attached(const struct irq_fake *q);
