/* SPDX-License-Identifier: Apache-2.0 */
#include "hypervisor/msix.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "base/fd.h"
#include "base/log.h"

struct msix {
	pthread_mutex_t lock; /* guards all below */
	struct irq_if irq;
	uint32_t gsi; /* of vector 0 */
	struct msix_table table;
	bool enabled, masked; /* capability's control word */
	bool live[MSIX_VECTORS_MAX];
	struct msix_vector routed[MSIX_VECTORS_MAX]; /* what the route of a live vector says */
	int fd[MSIX_VECTORS_MAX];                    /* eventfds, owned; fixed */
	unsigned fd_cnt;
};

/* #syscalls:* eventfd2 */
int msix_new(const struct irq_if *irq, unsigned vector_cnt, struct msix **ret)
{
	CLEANUP(msix_freep) struct msix *m = NULL;
	int r;

	if (vector_cnt == 0)
		return -EINVAL;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	pthread_mutex_init(&m->lock, NULL);
	r = msix_table_init(&m->table, vector_cnt);
	if (r < 0)
		return r;
	for (; m->fd_cnt < vector_cnt; m->fd_cnt++) {
		r = fd_eventfd();
		if (r < 0)
			return r;
		m->fd[m->fd_cnt] = r;
	}
	r = irq->ops->gsi_alloc(irq->ctx, vector_cnt, &m->gsi);
	if (r < 0)
		return r;
	m->irq = *irq; /* from here on the GSIs are ours to free */
	*ret = TAKE_PTR(m);
	return 0;
}

/* #syscalls:* preadv2 */
static void signals_drop(int fd)
{
	uint64_t cnt;
	struct iovec iov = { .iov_base = &cnt, .iov_len = sizeof(cnt) };
	ssize_t n;

	/* The device has the same open file and may have made it blocking: never wait, whatever its flags say. */
	do
		n = preadv2(fd, &iov, 1, -1, RWF_NOWAIT);
	while (n < 0 && errno == EINTR);
}

static void vector_down(struct msix *m, unsigned v)
{
	if (!m->live[v])
		return;
	(void)m->irq.ops->irqfd_del(m->irq.ctx, m->gsi + v, m->fd[v]);
	m->live[v] = false;
}

static int vector_up(struct msix *m, unsigned v, const struct msix_vector *want)
{
	int r;

	r = m->irq.ops->msi_route(m->irq.ctx, m->gsi + v, want->addr, want->data);
	if (r < 0)
		return r;
	m->routed[v] = *want;
	if (m->live[v])
		return 0;
	r = m->irq.ops->irqfd_add(m->irq.ctx, m->gsi + v, m->fd[v]);
	if (r < 0)
		return r;
	m->live[v] = true;
	/* KVM has delivered what was pending when it took the eventfd; later signals it takes out itself. */
	signals_drop(m->fd[v]);
	return 0;
}

static void vector_update(struct msix *m, unsigned v)
{
	struct msix_vector want;
	int r;

	msix_vector_get(&m->table, v, &want);
	if (!m->enabled || m->masked || want.masked) {
		vector_down(m, v);
		return;
	}
	if (m->live[v] && want.addr == m->routed[v].addr && want.data == m->routed[v].data)
		return;
	r = vector_up(m, v, &want);
	if (r < 0)
		log_warn_limited("hv.msix.route_failed", "gsi=%u err=%d", m->gsi + v, -r);
}

static void update_all(struct msix *m)
{
	unsigned v;

	for (v = 0; v < m->fd_cnt; v++)
		vector_update(m, v);
}

void msix_free(struct msix *m)
{
	unsigned v;

	if (!m)
		return;
	for (v = 0; v < m->fd_cnt; v++) {
		vector_down(m, v);
		fd_closep(&m->fd[v]);
	}
	if (m->irq.ops)
		m->irq.ops->gsi_free(m->irq.ctx, m->gsi, m->fd_cnt);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

void msix_freep(struct msix **m)
{
	msix_free(*m);
	*m = NULL;
}

const int *msix_fds(const struct msix *m)
{
	return m->fd;
}

void msix_table_access(struct msix *m, uint64_t off, void *buf, size_t len, bool write)
{
	int v;

	pthread_mutex_lock(&m->lock);
	if (write) {
		v = msix_table_write(&m->table, off, buf, len);
		if (v >= 0)
			vector_update(m, (unsigned)v);
	} else {
		msix_table_read(&m->table, off, buf, len);
	}
	pthread_mutex_unlock(&m->lock);
}

/* A vector that is not live and has a signal waiting is pending. #syscalls:* poll */
static void pending_update(struct msix *m)
{
	struct pollfd p[MSIX_VECTORS_MAX];
	unsigned v;

	for (v = 0; v < m->fd_cnt; v++)
		p[v] = (struct pollfd){ .fd = m->fd[v], .events = POLLIN };
	if (poll(p, m->fd_cnt, 0) < 0)
		return;
	for (v = 0; v < m->fd_cnt; v++)
		msix_pending_set(&m->table, v, !m->live[v] && (p[v].revents & POLLIN));
}

void msix_pba_access(struct msix *m, uint64_t off, void *buf, size_t len, bool write)
{
	if (write)
		return;
	pthread_mutex_lock(&m->lock);
	if (m->enabled)
		pending_update(m);
	msix_pba_read(&m->table, off, buf, len);
	pthread_mutex_unlock(&m->lock);
}

void msix_control(struct msix *m, bool enabled, bool masked)
{
	unsigned v;

	pthread_mutex_lock(&m->lock);
	if (enabled && !m->enabled)
		for (v = 0; v < m->fd_cnt; v++)
			signals_drop(m->fd[v]);
	m->enabled = enabled;
	m->masked = masked;
	update_all(m);
	pthread_mutex_unlock(&m->lock);
}

void msix_reset(struct msix *m)
{
	pthread_mutex_lock(&m->lock);
	msix_table_reset(&m->table);
	m->enabled = false;
	m->masked = false;
	update_all(m);
	pthread_mutex_unlock(&m->lock);
}
