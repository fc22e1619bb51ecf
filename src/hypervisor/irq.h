/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What PCI functions need from the interrupt side of the virtual machine. irq.c implements it on KVM; the tests of
 * pci.c and msix.c bring their own.
 *
 * A vector has one GSI for its whole life. KVM's routing table says which message (address, data) the GSI is, an
 * irqfd says which eventfd raises it. Masking a vector takes its irqfd away: signals stay in the eventfd and are
 * delivered when the irqfd comes back, because KVM looks at the counter when it is added.
 *
 * Called by any vCPU thread; implementations lock.
 */

#include <stdint.h>

#include "base/attr.h"

struct irq_ops {
	/* @cnt GSIs in a row that nobody else uses; at attach only. Return: 0, -ENOSPC. */
	int (*gsi_alloc)(void *ctx, unsigned cnt, uint32_t *ret_first);
	void (*gsi_free)(void *ctx, uint32_t first, unsigned cnt);

	/*
	 * The GSI now means this message. Address and data are the guest's, unchecked: KVM delivers an MSI with them and
	 * nothing else, so any value is harmless; implementations must not interpret them further.
	 */
	int (*msi_route)(void *ctx, uint32_t gsi, uint64_t addr, uint32_t data);

	/* Each signal of @event_fd (borrowed) raises @gsi. Return: 0, -errno. */
	int (*irqfd_add)(void *ctx, uint32_t gsi, int event_fd);
	int (*irqfd_del)(void *ctx, uint32_t gsi, int event_fd);
};

/* The two always travel together. */
struct irq_if {
	const struct irq_ops *ops;
	void *ctx; /* borrowed; outlives every user */
};
