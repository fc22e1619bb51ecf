/* SPDX-License-Identifier: Apache-2.0 */

#include "nvme_client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"

enum { PAGE = 4096, BAR0 = 0 };

static int irqs_set(struct nvme_client *c)
{
	int fd[NVME_CLIENT_QUEUES_MAX];
	unsigned i;

	c->vector_cnt = (unsigned)min_u64(vu_client_info(c->vu)->msix_cnt, NVME_CLIENT_QUEUES_MAX);
	for (i = 0; i < c->vector_cnt; i++) {
		fd[i] = c->q[i].irq_fd = fd_eventfd();
		if (fd[i] < 0)
			return fd[i];
	}
	return vu_client_irqs_set(c->vu, fd, c->vector_cnt);
}

static int ram_give(struct nvme_client *c)
{
	uint64_t half = c->ram_bytes / 2;
	int r;

	r = vu_client_dma_map(c->vu, 0, half, VU_DMA_READ | VU_DMA_WRITE, c->ram_fd, 0);
	if (r == 0)
		r = vu_client_dma_map(c->vu, NVME_CLIENT_HIGH, half, VU_DMA_READ | VU_DMA_WRITE,
				      c->ram_fd, half);
	return r;
}

int nvme_client_open(struct nvme_client *c, int sock, uint64_t ram_bytes)
{
	const struct vu_client_shadow *w;
	unsigned cnt, i;
	void *p;
	int r;

	memset(c, 0, sizeof(*c));
	c->ram_fd = -1;
	for (i = 0; i < NVME_CLIENT_QUEUES_MAX; i++)
		c->q[i].irq_fd = -1;
	r = vu_client_new(sock, NVME_CLIENT_TIMEOUT_MS, &c->vu);
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
	nvme_client_forget(c);

	w = vu_client_shadows(c->vu, &cnt);
	if (cnt == 1 && w->region == BAR0 && w->off == NVME_REG_DBS && w->mem)
		c->doorbells = w;
	r = ram_give(c);
	return r < 0 ? r : irqs_set(c);
}

void nvme_client_close(struct nvme_client *c)
{
	unsigned i;

	vu_client_freep(&c->vu);
	for (i = 0; i < NVME_CLIENT_QUEUES_MAX; i++)
		fd_closep(&c->q[i].irq_fd);
	if (c->ram)
		(void)munmap(c->ram, c->ram_bytes);
	c->ram = NULL;
	fd_closep(&c->ram_fd);
}

/* ---- memory ---- */

uint64_t nvme_client_alloc(struct nvme_client *c, size_t len)
{
	uint64_t half = c->ram_bytes / 2, at = c->next;

	len = align_up(len, PAGE);
	if (at < half && at + len > half)
		at = half; /* never across the hole */
	if (at + len > c->ram_bytes)
		return 0;
	c->next = at + len;
	memset(c->ram + at, 0, len);
	return at < half ? at : at - half + NVME_CLIENT_HIGH;
}

void nvme_client_forget(struct nvme_client *c)
{
	c->next = PAGE; /* address 0 means "none" here */
}

void *nvme_client_p(struct nvme_client *c, uint64_t at)
{
	uint64_t half = c->ram_bytes / 2;

	if (at < half)
		return c->ram + at;
	if (at >= NVME_CLIENT_HIGH && at - NVME_CLIENT_HIGH < half)
		return c->ram + half + (at - NVME_CLIENT_HIGH);
	return NULL;
}

/* ---- registers ---- */

uint32_t nvme_client_reg32(struct nvme_client *c, unsigned off)
{
	uint32_t v = 0;

	(void)!vu_client_read(c->vu, BAR0, off, &v, sizeof(v));
	return v;
}

uint64_t nvme_client_reg64(struct nvme_client *c, unsigned off)
{
	uint64_t lo = nvme_client_reg32(c, off);

	return lo | (uint64_t)nvme_client_reg32(c, off + 4) << 32;
}

void nvme_client_reg32_write(struct nvme_client *c, unsigned off, uint32_t v)
{
	(void)!vu_client_write(c->vu, BAR0, off, &v, sizeof(v));
}

void nvme_client_reg64_write(struct nvme_client *c, unsigned off, uint64_t v)
{
	nvme_client_reg32_write(c, off, (uint32_t)v);
	nvme_client_reg32_write(c, off + 4, (uint32_t)(v >> 32));
}

int nvme_client_csts_wait(struct nvme_client *c, uint32_t mask, uint32_t want)
{
	uint64_t end = clock_ns() + NVME_CLIENT_TIMEOUT_MS * (uint64_t)1000000;

	while ((nvme_client_reg32(c, NVME_REG_CSTS) & mask) != want) {
		if (clock_ns() > end)
			return -ETIMEDOUT;
		(void)usleep(200);
	}
	return 0;
}

/* ---- life ---- */

static int queue_make(struct nvme_client *c, unsigned qid, uint16_t depth)
{
	struct nvme_client_queue *q = &c->q[qid];
	int irq_fd = q->irq_fd;

	memset(q, 0, sizeof(*q));
	q->irq_fd = irq_fd;
	q->sq_at = nvme_client_alloc(c, depth * sizeof(struct nvme_sqe));
	q->cq_at = nvme_client_alloc(c, depth * sizeof(struct nvme_cqe));
	if (!q->sq_at || !q->cq_at)
		return -ENOMEM;
	q->size = depth;
	q->sqe = nvme_client_p(c, q->sq_at);
	q->cqe = nvme_client_p(c, q->cq_at);
	q->phase = true;
	return 0;
}

int nvme_client_enable(struct nvme_client *c, uint16_t depth)
{
	unsigned i;
	int r;

	c->db_shadow = c->db_event = NULL;
	for (i = 1; i < NVME_CLIENT_QUEUES_MAX; i++)
		c->q[i].size = 0;
	r = queue_make(c, 0, depth);
	if (r < 0)
		return r;
	nvme_client_reg32_write(c, NVME_REG_AQA,
				(uint32_t)(depth - 1) << 16 | (uint32_t)(depth - 1));
	nvme_client_reg64_write(c, NVME_REG_ASQ, c->q[0].sq_at);
	nvme_client_reg64_write(c, NVME_REG_ACQ, c->q[0].cq_at);
	nvme_client_reg32_write(c, NVME_REG_CC, 0x00460000);
	nvme_client_reg32_write(c, NVME_REG_CC, 0x00460001);
	return nvme_client_csts_wait(c, NVME_CSTS_RDY | NVME_CSTS_CFS, NVME_CSTS_RDY);
}

int nvme_client_disable(struct nvme_client *c)
{
	uint32_t cc = nvme_client_reg32(c, NVME_REG_CC) & ~(NVME_CC_EN | 0xc000u);

	nvme_client_reg32_write(c, NVME_REG_CC, cc);
	return nvme_client_csts_wait(c, NVME_CSTS_RDY | NVME_CSTS_CFS, 0);
}

int nvme_client_queues(struct nvme_client *c, unsigned cnt, uint16_t depth)
{
	struct nvme_sqe set = { .opc = NVME_ADM_SET_FEATURES,
				.cdw10 = NVME_FEAT_QUEUES,
				.cdw11 = (cnt - 1) << 16 | (cnt - 1) };
	uint32_t granted;
	unsigned i;
	int r;

	if (nvme_client_do(c, 0, set, &granted))
		return -EIO;
	cnt = (unsigned)min_u64(cnt, (granted & 0xffff) + 1);
	for (i = 1; i <= cnt; i++) {
		struct nvme_sqe cq = { .opc = NVME_ADM_CREATE_CQ,
				       .cdw10 = (uint32_t)(depth - 1) << 16 | i,
				       .cdw11 = i << 16 | 3 };
		struct nvme_sqe sq = { .opc = NVME_ADM_CREATE_SQ,
				       .cdw10 = (uint32_t)(depth - 1) << 16 | i,
				       .cdw11 = i << 16 | 1 };

		r = queue_make(c, i, depth);
		if (r < 0)
			return r;
		cq.prp1 = c->q[i].cq_at;
		sq.prp1 = c->q[i].sq_at;
		if (nvme_client_do(c, 0, cq, NULL) || nvme_client_do(c, 0, sq, NULL))
			return -EIO;
	}
	return (int)cnt;
}

uint16_t nvme_client_dbbuf(struct nvme_client *c)
{
	uint64_t shadow = nvme_client_alloc(c, PAGE), event = nvme_client_alloc(c, PAGE);
	struct nvme_sqe sqe = { .opc = NVME_ADM_DBBUF_CONFIG, .prp1 = shadow, .prp2 = event };
	uint32_t *p = nvme_client_p(c, shadow);
	uint16_t status;
	unsigned i;

	/* Queues that are up keep their place. */
	for (i = 1; i < NVME_CLIENT_QUEUES_MAX; i++) {
		p[2 * i] = c->q[i].rung;
		p[2 * i + 1] = c->q[i].head;
	}
	status = nvme_client_do(c, 0, sqe, NULL);
	if (!status) {
		c->db_shadow = p;
		c->db_event = nvme_client_p(c, event);
	}
	return status;
}

/* ---- commands ---- */

uint16_t nvme_client_put(struct nvme_client *c, unsigned qid, struct nvme_sqe sqe)
{
	struct nvme_client_queue *q = &c->q[qid];

	sqe.cid = q->next_cid++;
	q->sqe[q->tail] = sqe;
	q->tail = (uint16_t)((q->tail + 1) % q->size);
	return sqe.cid;
}

void nvme_client_doorbell(struct nvme_client *c, unsigned slot, uint32_t v)
{
	_Atomic uint32_t *p;

	c->rings++;
	if (!c->doorbells) {
		nvme_client_reg32_write(c, NVME_REG_DBS + slot * 4, v);
		return;
	}
	p = (_Atomic uint32_t *)c->doorbells->mem + slot;
	atomic_store_explicit(p, v, memory_order_release);
	fd_event_signal(c->doorbells->event_fd);
}

/* nvme_dbbuf_update_and_check_event() of Linux. */
static void slot_write(struct nvme_client *c, unsigned qid, unsigned slot, uint16_t v)
{
	uint16_t old, event;

	if (!qid || !c->db_shadow) {
		nvme_client_doorbell(c, slot, v);
		return;
	}
	atomic_thread_fence(memory_order_release);
	old = (uint16_t)c->db_shadow[slot];
	__atomic_store_n(&c->db_shadow[slot], v, __ATOMIC_RELEASE);
	atomic_thread_fence(memory_order_seq_cst);
	event = (uint16_t)__atomic_load_n(&c->db_event[slot], __ATOMIC_RELAXED);
	if ((uint16_t)(v - event - 1) < (uint16_t)(v - old))
		nvme_client_doorbell(c, slot, v);
}

void nvme_client_ring(struct nvme_client *c, unsigned qid)
{
	struct nvme_client_queue *q = &c->q[qid];

	q->rung = q->tail;
	slot_write(c, qid, 2 * qid, q->tail);
}

unsigned nvme_client_reap(struct nvme_client *c, unsigned qid, struct nvme_cqe *ret, unsigned max)
{
	struct nvme_client_queue *q = &c->q[qid];
	unsigned n;

	for (n = 0; n < max; n++) {
		uint16_t status = __atomic_load_n(&q->cqe[q->head].status_phase, __ATOMIC_ACQUIRE);

		if ((status & 1) != q->phase)
			break;
		memcpy(&ret[n], (const void *)(uintptr_t)&q->cqe[q->head], sizeof(ret[n]));
		if (++q->head == q->size) {
			q->head = 0;
			q->phase = !q->phase;
		}
	}
	if (n)
		slot_write(c, qid, 2 * qid + 1, q->head);
	return n;
}

int nvme_client_wait(struct nvme_client *c, unsigned qid, struct nvme_cqe *ret, int timeout_ms)
{
	struct pollfd p = { .fd = c->q[qid].irq_fd, .events = POLLIN };
	uint64_t end = clock_ns() + (uint64_t)timeout_ms * 1000000, now;

	for (;;) {
		if (nvme_client_reap(c, qid, ret, 1))
			return 0;
		now = clock_ns();
		if (now >= end)
			return -ETIMEDOUT;
		if (poll(&p, 1, (int)((end - now) / 1000000) + 1) == 1)
			fd_event_clear(p.fd);
	}
}

uint16_t nvme_client_do(struct nvme_client *c, unsigned qid, struct nvme_sqe sqe, uint32_t *ret_dw0)
{
	struct nvme_cqe cqe;
	uint16_t cid;

	cid = nvme_client_put(c, qid, sqe);
	nvme_client_ring(c, qid);
	if (nvme_client_wait(c, qid, &cqe, NVME_CLIENT_TIMEOUT_MS) < 0 || cqe.cid != cid)
		return NVME_CLIENT_NO_ANSWER;
	if (ret_dw0)
		*ret_dw0 = cqe.dw0;
	return nvme_client_status(&cqe);
}

void nvme_client_prps(struct nvme_client *c, struct nvme_sqe *sqe, uint64_t at, size_t len,
		      uint64_t list_at)
{
	uint64_t second = align_down(at, PAGE) + PAGE,
		 *list = list_at ? nvme_client_p(c, list_at) : NULL;
	size_t first = PAGE - at % PAGE, left, i;

	sqe->prp1 = at;
	sqe->prp2 = 0;
	if (len <= first)
		return;
	left = len - first;
	if (left <= PAGE) {
		sqe->prp2 = second;
		return;
	}
	sqe->prp2 = list_at;
	for (i = 0; i * PAGE < left; i++)
		list[i] = second + i * PAGE;
}

uint16_t nvme_client_identify(struct nvme_client *c, uint8_t cns, uint32_t nsid, uint64_t at)
{
	struct nvme_sqe sqe = { .opc = NVME_ADM_IDENTIFY, .nsid = nsid, .cdw10 = cns };

	nvme_client_prps(c, &sqe, at, NVME_DATA_BYTES, 0);
	return nvme_client_do(c, 0, sqe, NULL);
}

uint16_t nvme_client_rw(struct nvme_client *c, unsigned qid, bool write, uint64_t lba, uint32_t cnt,
			uint64_t at, uint64_t list_at, bool fua)
{
	struct nvme_sqe sqe = {
		.opc = write ? NVME_IO_WRITE : NVME_IO_READ,
		.nsid = NVME_NSID,
		.cdw10 = (uint32_t)lba,
		.cdw11 = (uint32_t)(lba >> 32),
		.cdw12 = (cnt - 1) | (fua ? 1u << 30 : 0),
	};

	nvme_client_prps(c, &sqe, at, (size_t)cnt * NVME_LBA_BYTES, list_at);
	return nvme_client_do(c, qid, sqe, NULL);
}

uint16_t nvme_client_flush(struct nvme_client *c, unsigned qid)
{
	return nvme_client_do(c, qid, (struct nvme_sqe){ .opc = NVME_IO_FLUSH, .nsid = NVME_NSID },
			      NULL);
}
