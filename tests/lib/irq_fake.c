/* SPDX-License-Identifier: Apache-2.0 */
#include "irq_fake.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/fd.h"

static int gsi_alloc(void *ctx, unsigned cnt, uint32_t *ret_first)
{
	struct irq_fake *q = ctx;
	unsigned i;

	if (q->next + cnt > IRQ_FAKE_FIRST + IRQ_FAKE_GSIS)
		return -ENOSPC;
	*ret_first = q->next;
	for (i = 0; i < cnt; i++)
		q->gsi[q->next - IRQ_FAKE_FIRST + i].used = true;
	q->next += cnt;
	return 0;
}

static void gsi_free(void *ctx, uint32_t first, unsigned cnt)
{
	struct irq_fake *q = ctx;
	unsigned i;

	for (i = 0; i < cnt; i++)
		q->gsi[first - IRQ_FAKE_FIRST + i].used = false;
}

static int msi_route(void *ctx, uint32_t gsi, uint64_t addr, uint32_t data)
{
	struct irq_fake *q = ctx;

	q->gsi[gsi - IRQ_FAKE_FIRST].addr = addr;
	q->gsi[gsi - IRQ_FAKE_FIRST].data = data;
	return 0;
}

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static int irqfd_add(void *ctx, uint32_t gsi, int event_fd)
{
	struct irq_fake *q = ctx;

	if (q->fail_add)
		return -q->fail_add;
	must(q->gsi[gsi - IRQ_FAKE_FIRST].event_fd < 0);
	q->gsi[gsi - IRQ_FAKE_FIRST].event_fd = event_fd;
	if (readable(event_fd)) /* KVM delivers what waits, and leaves the counter as it is */
		q->gsi[gsi - IRQ_FAKE_FIRST].delivered++;
	return 0;
}

static int irqfd_del(void *ctx, uint32_t gsi, int event_fd)
{
	struct irq_fake *q = ctx;

	must(q->gsi[gsi - IRQ_FAKE_FIRST].event_fd == event_fd);
	q->gsi[gsi - IRQ_FAKE_FIRST].event_fd = -1;
	return 0;
}

static const struct irq_ops fake_ops = {
	.gsi_alloc = gsi_alloc,
	.gsi_free = gsi_free,
	.msi_route = msi_route,
	.irqfd_add = irqfd_add,
	.irqfd_del = irqfd_del,
};

struct irq_if irq_fake_init(struct irq_fake *q)
{
	unsigned i;

	memset(q, 0, sizeof(*q));
	q->next = IRQ_FAKE_FIRST;
	for (i = 0; i < IRQ_FAKE_GSIS; i++)
		q->gsi[i].event_fd = -1;
	return (struct irq_if){ &fake_ops, q };
}

void irq_fake_run(struct irq_fake *q)
{
	unsigned i;

	for (i = 0; i < IRQ_FAKE_GSIS; i++) {
		if (q->gsi[i].event_fd < 0 || !readable(q->gsi[i].event_fd))
			continue;
		fd_event_clear(q->gsi[i].event_fd);
		q->gsi[i].delivered++;
	}
}

unsigned irq_fake_used(const struct irq_fake *q)
{
	unsigned i, cnt = 0;

	for (i = 0; i < IRQ_FAKE_GSIS; i++)
		cnt += q->gsi[i].used;
	return cnt;
}

unsigned irq_fake_attached(const struct irq_fake *q)
{
	unsigned i, cnt = 0;

	for (i = 0; i < IRQ_FAKE_GSIS; i++)
		cnt += q->gsi[i].event_fd >= 0;
	return cnt;
}
