/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Interrupts of the machine: the in-kernel PIC, IOAPIC and PIT with their fixed routes, and the GSIs that MSI-X
 * vectors get (irq.h is how PCI sees this).
 */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <linux/kvm.h>

#include "base/attr.h"
#include "hypervisor/irq.h"

enum {
	IRQ_GSI_MSI_FIRST = 24, /* above the IOAPIC's pins */
	IRQ_MSI_MAX = 24 * 64,  /* functions × MSIX_VECTORS_MAX */
	IRQ_FIXED_MAX = 40,
};

struct irq_msi {
	bool used;   /* somebody owns the GSI */
	bool routed; /* it has a message */
	uint32_t data;
	uint64_t addr;
};

struct irqs {
	int vm_fd;
	pthread_mutex_t lock; /* all below */
	struct irq_msi msi[IRQ_MSI_MAX];
	/* What KVM_SET_GSI_ROUTING wants, in one piece. */
	struct {
		uint32_t nr, flags;
		struct kvm_irq_routing_entry entry[IRQ_FIXED_MAX + IRQ_MSI_MAX];
	} table;
	/* The chips as they were made: what a reset puts back. */
	struct kvm_irqchip chip0[3];
	struct kvm_pit_state2 pit0;
};

/* irqs_init(): makes the chips; before the first vCPU. Return: 0, -errno. */
MUST_USE int irqs_init(struct irqs *q, int vm_fd);
/* irqs_reset(): the chips as after irqs_init(); routes stay with their owners. vCPUs stopped. Return: 0, -errno. */
MUST_USE int irqs_reset(struct irqs *q);
/* irqs_if(): for pci_root_new(). */
struct irq_if irqs_if(struct irqs *q);
