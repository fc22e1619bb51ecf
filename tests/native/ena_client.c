/* SPDX-License-Identifier: Apache-2.0 */

#include "ena_client.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"

enum { PAGE = 4096, BAR0 = 0, DB_OFF = 0x1000, POLL_MS = 1 };

/* ---- the driver's way to the device ---- */

uint32_t ena_client_reg(struct ena_client *c, unsigned off)
{
	uint32_t v = 0;

	(void)!vu_client_read(c->vu, BAR0, off, &v, sizeof(v));
	return v;
}

void ena_client_reg_write(struct ena_client *c, unsigned off, uint32_t v)
{
	_Atomic uint32_t *p;

	if (off < DB_OFF || !c->doorbells) {
		(void)!vu_client_write(c->vu, BAR0, off, &v, sizeof(v));
		return;
	}
	c->rings++;
	p = (_Atomic uint32_t *)c->doorbells->mem + (off - DB_OFF) / 4;
	atomic_store_explicit(p, v, memory_order_release);
	fd_event_signal(c->doorbells->event_fd);
}

uint64_t ena_client_alloc(struct ena_client *c, size_t len)
{
	uint64_t half = c->ram_bytes / 2, at = c->next;

	len = align_up(len, PAGE);
	if (at < half && at + len > half)
		at = half; /* never across the hole */
	if (at + len > c->ram_bytes)
		return 0;
	c->next = at + len;
	memset(c->ram + at, 0, len);
	return at < half ? at : at - half + ENA_CLIENT_HIGH;
}

void *ena_client_p(struct ena_client *c, uint64_t at)
{
	uint64_t half = c->ram_bytes / 2;

	if (at < half)
		return c->ram + at;
	if (at >= ENA_CLIENT_HIGH && at - ENA_CLIENT_HIGH < half)
		return c->ram + half + (at - ENA_CLIENT_HIGH);
	return NULL;
}

static uint32_t op_read(void *ctx, unsigned off)
{
	return ena_client_reg(ctx, off);
}

static void op_write(void *ctx, unsigned off, uint32_t v)
{
	ena_client_reg_write(ctx, off, v);
}

static uint64_t op_alloc(void *ctx, size_t len)
{
	return ena_client_alloc(ctx, len);
}

static void *op_mem(void *ctx, uint64_t at)
{
	return ena_client_p(ctx, at);
}

static bool op_wait(void *ctx, unsigned vector)
{
	struct ena_client *c = ctx;

	(void)ena_client_irq_wait(c, vector, POLL_MS);
	return !vu_client_lost(c->vu);
}

static const struct ena_driver_ops driver_ops = { op_read, op_write, op_alloc, op_mem, op_wait };

/* ---- life ---- */

static int irqs_set(struct ena_client *c)
{
	unsigned i;

	c->vector_cnt = (unsigned)min_u64(vu_client_info(c->vu)->msix_cnt, ENA_CLIENT_VECTORS_MAX);
	for (i = 0; i < c->vector_cnt; i++) {
		c->irq_fd[i] = fd_eventfd();
		if (c->irq_fd[i] < 0)
			return c->irq_fd[i];
	}
	return vu_client_irqs_set(c->vu, c->irq_fd, c->vector_cnt);
}

static int ram_give(struct ena_client *c)
{
	const unsigned rw = VU_DMA_READ | VU_DMA_WRITE;
	uint64_t half = c->ram_bytes / 2;
	int r;

	r = vu_client_dma_map(c->vu, 0, half, rw, c->ram_fd, 0);
	return r < 0 ? r : vu_client_dma_map(c->vu, ENA_CLIENT_HIGH, half, rw, c->ram_fd, half);
}

int ena_client_open(struct ena_client *c, int sock, uint64_t ram_bytes)
{
	const struct vu_client_shadow *w;
	unsigned cnt, i;
	void *p;
	int r;

	memset(c, 0, sizeof(*c));
	c->ram_fd = -1;
	for (i = 0; i < ENA_CLIENT_VECTORS_MAX; i++)
		c->irq_fd[i] = -1;
	c->d.ops = &driver_ops;
	c->d.ctx = c;
	r = vu_client_new(sock, ENA_CLIENT_TIMEOUT_MS, &c->vu);
	if (r < 0)
		return r;
	c->ram_bytes = ram_bytes;
	r = c->ram_fd = fd_memfd("guest", ram_bytes);
	if (r < 0)
		return r;
	p = mmap(NULL, ram_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, c->ram_fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	c->ram = p;
	c->next = PAGE; /* address 0 means "none" here */

	w = vu_client_shadows(c->vu, &cnt);
	if (cnt == 1 && w->region == BAR0 && w->off == DB_OFF && w->mem)
		c->doorbells = w;
	r = ram_give(c);
	return r < 0 ? r : irqs_set(c);
}

void ena_client_close(struct ena_client *c)
{
	unsigned i;

	vu_client_freep(&c->vu);
	for (i = 0; i < ENA_CLIENT_VECTORS_MAX; i++)
		fd_closep(&c->irq_fd[i]);
	if (c->ram)
		(void)munmap(c->ram, c->ram_bytes);
	c->ram = NULL;
	fd_closep(&c->ram_fd);
}

static int link_wait(struct ena_client *c)
{
	uint64_t end = clock_ns() + (uint64_t)ENA_CLIENT_TIMEOUT_MS * 1000000;
	struct ena_aenq_entry ev;

	while (clock_ns() < end) {
		while (ena_driver_event(&c->d, &ev))
			if (ev.group == ENA_G_LINK && ev.link_flags & 1)
				return 0;
		(void)ena_client_irq_wait(c, 0, POLL_MS);
	}
	return -ETIMEDOUT;
}

int ena_client_up(struct ena_client *c, unsigned queues, uint16_t depth)
{
	int r;

	r = ena_driver_probe(&c->d);
	if (r == 0)
		r = link_wait(c);
	if (r == 0)
		r = ena_driver_up(&c->d, queues, depth);
	if (r == 0 && !c->send_at) {
		c->send_at = ena_client_alloc(c, ENA_CLIENT_SEND_MAX);
		r = c->send_at ? 0 : -ENOMEM;
	}
	return r;
}

bool ena_client_irq_wait(struct ena_client *c, unsigned vector, int timeout_ms)
{
	struct pollfd p = { .fd = c->irq_fd[vector], .events = POLLIN };

	if (poll(&p, 1, timeout_ms) != 1)
		return false;
	fd_event_clear(p.fd);
	return true;
}

/* ---- traffic ---- */

int ena_client_send(struct ena_client *c, unsigned q, const void *p, size_t len, size_t piece,
		    const struct ena_driver_offload *o)
{
	uint64_t end = clock_ns() + (uint64_t)ENA_CLIENT_TIMEOUT_MS * 1000000;
	struct ena_driver_sg sg[ENA_DRIVER_SG_MAX];
	unsigned n = 0;
	size_t done;
	int r;

	if (len > ENA_CLIENT_SEND_MAX || len > piece * ENA_DRIVER_SG_MAX)
		return -EMSGSIZE;
	memcpy(ena_client_p(c, c->send_at), p, len);
	for (done = 0; done < len; done += piece)
		sg[n++] = (struct ena_driver_sg){ c->send_at + done,
						  (uint16_t)min_u64(piece, len - done) };
	r = ena_driver_tx(&c->d, q, sg, n, o);
	if (r < 0)
		return r;
	ena_driver_ring_db(&c->d, &c->d.q[q].tx);
	while (clock_ns() < end) {
		r = ena_driver_tx_reap(&c->d, q);
		if (r) {
			ena_driver_unmask(&c->d, q);
			return r < 0 ? r : 0;
		}
		(void)ena_client_irq_wait(c, q + 1, POLL_MS);
	}
	return -ETIMEDOUT;
}

int ena_client_recv(struct ena_client *c, void *buf, size_t cap, struct ena_driver_rx *rx,
		    int timeout_ms)
{
	uint64_t end = clock_ns() + (uint64_t)timeout_ms * 1000000;
	struct pollfd p[ENA_DRIVER_QUEUES_MAX];
	unsigned i;

	for (;;) {
		for (i = 0; i < c->d.queue_cnt; i++) {
			int r = ena_driver_rx(&c->d, i, buf, cap, rx);

			if (r <= 0)
				continue;
			ena_driver_rx_refill(&c->d, i);
			return r;
		}
		if (clock_ns() >= end)
			return 0;
		for (i = 0; i < c->d.queue_cnt; i++) {
			fd_event_clear(c->irq_fd[i + 1]);
			ena_driver_unmask(&c->d, i);
			p[i] = (struct pollfd){ .fd = c->irq_fd[i + 1], .events = POLLIN };
		}
		(void)poll(p, c->d.queue_cnt, 10);
	}
}
