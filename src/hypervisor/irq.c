/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>

#include "hypervisor/irqs.h"
#include "hypervisor/line.h"

enum { PIC_PINS = 8, IOAPIC_PINS = 24, PIN_CASCADE = 2, GSI_TIMER = 0 };

/* #syscalls-include <linux/kvm.h> */

static void fixed_add(struct irqs *q, uint32_t gsi, uint32_t chip, uint32_t pin)
{
	q->table.entry[q->table.nr++] = (struct kvm_irq_routing_entry){
		.gsi = gsi,
		.type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = { .irqchip = chip, .pin = pin },
	};
}

/* A PC's wiring: every ISA line goes to both controllers, the timer to the IOAPIC's pin 2. */
static void table_fixed(struct irqs *q)
{
	uint32_t i;

	q->table.nr = 0;
	for (i = 0; i < 2 * PIC_PINS; i++)
		if (i != PIN_CASCADE)
			fixed_add(q, i,
				  i < PIC_PINS ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE,
				  i % PIC_PINS);
	for (i = 0; i < IOAPIC_PINS; i++)
		if (i != PIN_CASCADE)
			fixed_add(q, i, KVM_IRQCHIP_IOAPIC, i == GSI_TIMER ? PIN_CASCADE : i);
}

/* #syscalls:hypervisor,hypervisor-run,hypervisor-vcpu ioctl(KVM_SET_GSI_ROUTING) */
static int table_set(struct irqs *q)
{
	uint32_t i;

	table_fixed(q);
	for (i = 0; i < IRQ_MSI_MAX; i++) {
		if (!q->msi[i].routed)
			continue;
		q->table.entry[q->table.nr++] = (struct kvm_irq_routing_entry){
			.gsi = IRQ_GSI_MSI_FIRST + i,
			.type = KVM_IRQ_ROUTING_MSI,
			.u.msi = { .address_lo = (uint32_t)q->msi[i].addr,
				   .address_hi = (uint32_t)(q->msi[i].addr >> 32),
				   .data = q->msi[i].data },
		};
	}
	return ioctl(q->vm_fd, KVM_SET_GSI_ROUTING, &q->table) < 0 ? -errno : 0;
}

/* #syscalls:hypervisor,hypervisor-run ioctl(KVM_GET_IRQCHIP|KVM_SET_IRQCHIP|KVM_GET_PIT2|KVM_SET_PIT2) */
static int chips_capture(struct irqs *q)
{
	uint32_t i;

	for (i = 0; i < 3; i++) {
		q->chip0[i].chip_id = i;
		if (ioctl(q->vm_fd, KVM_GET_IRQCHIP, &q->chip0[i]) < 0)
			return -errno;
	}
	return ioctl(q->vm_fd, KVM_GET_PIT2, &q->pit0) < 0 ? -errno : 0;
}

/* #syscalls:hypervisor ioctl(KVM_CREATE_IRQCHIP|KVM_CREATE_PIT2) */
int irqs_init(struct irqs *q, int vm_fd)
{
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };
	int r;

	q->vm_fd = vm_fd;
	if (pthread_mutex_init(&q->lock, NULL))
		return -ENOMEM;
	if (ioctl(vm_fd, KVM_CREATE_IRQCHIP, 0) < 0)
		return -errno;
	if (ioctl(vm_fd, KVM_CREATE_PIT2, &pit) < 0)
		return -errno;
	r = table_set(q);
	return r < 0 ? r : chips_capture(q);
}

int irqs_reset(struct irqs *q)
{
	uint32_t i;

	for (i = 0; i < 3; i++)
		if (ioctl(q->vm_fd, KVM_SET_IRQCHIP, &q->chip0[i]) < 0)
			return -errno;
	return ioctl(q->vm_fd, KVM_SET_PIT2, &q->pit0) < 0 ? -errno : 0;
}

/* #syscalls:hypervisor,hypervisor-run,hypervisor-vcpu ioctl(KVM_IRQ_LINE) */
void line_set(struct line *l, bool level)
{
	struct kvm_irq_level irq = { .irq = l->gsi, .level = level };

	if (l->level == level)
		return;
	l->level = level;
	/* Cannot fail for a line that exists; a lost level would show as a silent device, not as damage. */
	(void)ioctl(l->vm_fd, KVM_IRQ_LINE, &irq);
}

static int gsi_alloc(void *ctx, unsigned cnt, uint32_t *ret_first)
{
	struct irqs *q = ctx;
	uint32_t i, run = 0;
	int r = -ENOSPC;

	pthread_mutex_lock(&q->lock);
	for (i = 0; i < IRQ_MSI_MAX && run < cnt; i++)
		run = q->msi[i].used ? 0 : run + 1;
	if (cnt && run == cnt) {
		*ret_first = IRQ_GSI_MSI_FIRST + i - cnt;
		for (run = i - cnt; run < i; run++)
			q->msi[run].used = true;
		r = 0;
	}
	pthread_mutex_unlock(&q->lock);
	return r;
}

/* A GSI of ours, or NULL. */
static struct irq_msi *msi_of(struct irqs *q, uint32_t gsi)
{
	uint32_t idx = gsi - IRQ_GSI_MSI_FIRST;

	return idx < IRQ_MSI_MAX && q->msi[idx].used ? &q->msi[idx] : NULL;
}

static void gsi_free(void *ctx, uint32_t first, unsigned cnt)
{
	struct irqs *q = ctx;
	struct irq_msi *m;

	pthread_mutex_lock(&q->lock);
	for (; cnt; cnt--, first++) {
		m = msi_of(q, first);
		if (m)
			memset(m, 0, sizeof(*m));
	}
	(void)table_set(q); /* fewer entries than before */
	pthread_mutex_unlock(&q->lock);
}

static int msi_route(void *ctx, uint32_t gsi, uint64_t addr, uint32_t data)
{
	struct irqs *q = ctx;
	struct irq_msi *m, old;
	int r = 0;

	pthread_mutex_lock(&q->lock);
	m = msi_of(q, gsi);
	must(m);
	if (!m->routed || m->addr != addr || m->data != data) {
		old = *m;
		m->routed = true;
		m->addr = addr;
		m->data = data;
		r = table_set(q);
		if (r < 0)
			*m = old;
	}
	pthread_mutex_unlock(&q->lock);
	return r;
}

/* #syscalls:hypervisor,hypervisor-run,hypervisor-vcpu ioctl(KVM_IRQFD) */
static int irqfd_set(struct irqs *q, uint32_t gsi, int event_fd, uint32_t flags)
{
	struct kvm_irqfd fd = { .fd = (uint32_t)event_fd, .gsi = gsi, .flags = flags };

	return ioctl(q->vm_fd, KVM_IRQFD, &fd) < 0 ? -errno : 0;
}

static int irqfd_add(void *ctx, uint32_t gsi, int event_fd)
{
	return irqfd_set(ctx, gsi, event_fd, 0);
}

static int irqfd_del(void *ctx, uint32_t gsi, int event_fd)
{
	return irqfd_set(ctx, gsi, event_fd, KVM_IRQFD_FLAG_DEASSIGN);
}

/* No ioeventfd: a KVM ioctl more for every vCPU thread, and the doorbells that matter carry a value. */
static const struct irq_ops irqs_ops = {
	.gsi_alloc = gsi_alloc,
	.gsi_free = gsi_free,
	.msi_route = msi_route,
	.irqfd_add = irqfd_add,
	.irqfd_del = irqfd_del,
};

struct irq_if irqs_if(struct irqs *q)
{
	return (struct irq_if){ .ops = &irqs_ops, .ctx = q };
}
