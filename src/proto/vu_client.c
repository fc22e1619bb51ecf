/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/vu_client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"

enum {
	SHADOWS_MAX = 16,
	OWNED_FDS_MAX = SHADOWS_MAX,
	ACCESS_MAX_BYTES = 8,
	ERRNO_MAX = 4095,
	MSIX_WIRE_MAX = 2048, /* vectors the PCI format allows */
	REGIONS_WIRE_MAX = 64,
	IRQS_WIRE_MAX = 64,
	SHM_PAGE = 4096,

	/* MSI-X capability, as the card's configuration space has it */
	MSIX_CAP_BYTES = 12,
	MSIX_CAP_CTRL = 2,
	MSIX_CTRL_SIZE = 0x7ff,
};

/* Memory behind a shadow, page-aligned. */
struct shadow_map {
	void *p;
	size_t len;
};

struct vu_client {
	pthread_mutex_t lock; /* guards everything below but what vu_client_new() fixed for good */
	int sock;             /* owned; open until vu_client_free(), also when lost */
	bool lost;
	uint16_t msg_id;
	struct vu_msg in;
	uint8_t out[VU_MSG_MAX_BYTES];

	/* fixed by vu_client_new() */
	unsigned access_ms;
	struct vu_version peer;
	struct vu_client_info info;
	struct vu_client_shadow shadow[SHADOWS_MAX];
	struct shadow_map map[SHADOWS_MAX];
	unsigned shadow_cnt;
	int owned_fd[OWNED_FDS_MAX]; /* eventfds; a shadow borrows from here */
	unsigned owned_cnt;
};

/*
 * Call with the lock held. The descriptor stays open but dead, so that a loop that watches it sees the hang-up, and
 * no number is used twice.
 *
 * #syscalls:* shutdown
 */
static void lose_locked(struct vu_client *c)
{
	if (c->lost)
		return;
	c->lost = true;
	shutdown(c->sock, SHUT_RDWR);
	vu_msg_done(&c->in);
}

/* #syscalls:* poll futex
 * Return: 0 ready, -ETIMEDOUT, -errno. */
static int wait_for(int sock, short events, uint64_t deadline_ns)
{
	for (;;) {
		struct pollfd p = { .fd = sock, .events = events };
		uint64_t now = clock_ns();
		int n;

		if (now >= deadline_ns)
			return -ETIMEDOUT;
		n = poll(&p, 1, (int)((deadline_ns - now) / 1000000 + 1));
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static int send_all(struct vu_client *c, size_t len, const int *fds, unsigned fd_cnt,
		    uint64_t deadline_ns)
{
	int r;

	for (;;) {
		r = fd_msg_send(c->sock, c->out, len, fds, fd_cnt);
		if (r != -EAGAIN)
			return r;
		r = wait_for(c->sock, POLLOUT, deadline_ns);
		if (r < 0)
			return r;
	}
}

static int recv_all(struct vu_client *c, uint64_t deadline_ns)
{
	int r;

	vu_msg_done(&c->in);
	for (;;) {
		r = vu_msg_recv(&c->in, c->sock);
		if (r == 0)
			return -ENOTCONN;
		if (r != -EAGAIN)
			return r;
		r = wait_for(c->sock, POLLIN, deadline_ns);
		if (r < 0)
			return r;
	}
}

/* Is this the answer to what we asked? spec: vfio-user "Header" */
static int reply_check(const struct vu_client *c, uint16_t cmd, unsigned fds_max)
{
	const struct vu_hdr *h = &c->in.hdr;

	if (h->msg_id != c->msg_id || h->cmd != cmd || (h->flags & VU_F_TYPE_MASK) != VU_F_REPLY)
		return -EPROTO;
	if (c->in.fds.cnt > fds_max)
		return -EPROTO;
	if ((h->flags & VU_F_ERROR) && (h->size != VU_HDR_BYTES || c->in.fds.cnt))
		return -EPROTO;
	return 0;
}

/* What one request needs besides its body. */
struct call {
	uint16_t cmd;
	const int *fds; /* borrowed, sent along */
	unsigned fd_cnt;
	unsigned reply_fds_max;
	unsigned ms; /* 0: the ordinary deadline */
};

static struct wr body_begin(struct vu_client *c)
{
	return wr_init(c->out + VU_HDR_BYTES, sizeof(c->out) - VU_HDR_BYTES);
}

static int exchange(struct vu_client *c, const struct call *call, const struct wr *body)
{
	uint64_t deadline = clock_ns() + (uint64_t)(call->ms ? call->ms : c->access_ms) * 1000000;
	struct vu_hdr h = { .msg_id = ++c->msg_id, .cmd = call->cmd };
	struct wr hdr = wr_init(c->out, VU_HDR_BYTES);
	int r;

	must(!body->bad);
	h.size = (uint32_t)(VU_HDR_BYTES + body->len);
	vu_hdr_write(&hdr, &h);
	r = send_all(c, h.size, call->fds, call->fd_cnt, deadline);
	if (r < 0)
		return r;
	r = recv_all(c, deadline);
	if (r < 0)
		return r;
	return reply_check(c, call->cmd, call->reply_fds_max);
}

/*
 * Sends the body built in ->out and waits for the answer, which is then in ->in until the next call. Lock held.
 * Any failure here is the card's end; an error it *answered* is not.
 * Return: 0, -ENOTCONN lost already, -EPROTO, -ETIMEDOUT, or the error the card answered.
 */
static int ask(struct vu_client *c, const struct call *call, const struct wr *body,
	       struct rd *ret_reply)
{
	const struct vu_hdr *h = &c->in.hdr;
	int r;

	if (c->lost)
		return -ENOTCONN;
	r = exchange(c, call, body);
	if (r < 0) {
		lose_locked(c);
		return r == -EPIPE || r == -ECONNRESET ? -ENOTCONN : r;
	}
	*ret_reply = vu_msg_body(&c->in);
	if (h->flags & VU_F_ERROR)
		return h->error && h->error <= ERRNO_MAX ? -(int)h->error : -EIO;
	return 0;
}

/* The parser of a reply did not like it: @r becomes the end of the connection. */
static int judged(struct vu_client *c, int r)
{
	if (r < 0)
		lose_locked(c);
	return r;
}

static int hello(struct vu_client *c)
{
	struct vu_version v = {
		.major = VU_VERSION_MAJOR,
		.minor = VU_VERSION_MINOR,
		.max_msg_fds = VU_FDS_MAX,
		.max_data_xfer_size = VU_XFER_MAX_BYTES,
		.max_dma_maps = VU_DMA_MAPS_MAX,
		.pgsizes = SHM_PAGE,
	};
	struct call call = { .cmd = VU_VERSION };
	struct wr out = body_begin(c);
	struct rd in;
	int r;

	vu_version_write(&out, &v);
	r = ask(c, &call, &out, &in);
	if (r < 0)
		return r;
	if (vu_version_parse(&in, &c->peer) < 0 || c->peer.major != VU_VERSION_MAJOR ||
	    c->peer.minor > VU_VERSION_MINOR || c->peer.max_data_xfer_size < ACCESS_MAX_BYTES)
		return judged(c, -EPROTO);
	return 0;
}

static int device_info_get(struct vu_client *c, unsigned *ret_regions)
{
	struct vu_device_info v = { .argsz = VU_DEVICE_INFO_BYTES };
	struct call call = { .cmd = VU_DEVICE_GET_INFO };
	struct wr out = body_begin(c);
	struct rd in;
	int r;

	vu_device_info_write(&out, &v);
	r = ask(c, &call, &out, &in);
	if (r < 0)
		return r;
	if (vu_device_info_parse(&in, &v) < 0 || !(v.flags & VU_DEVICE_PCI) ||
	    v.region_cnt <= VU_REGION_CONFIG || v.region_cnt > REGIONS_WIRE_MAX ||
	    v.irq_cnt <= VU_IRQ_MSIX || v.irq_cnt > IRQS_WIRE_MAX)
		return judged(c, -EPROTO);
	c->info.resets = v.flags & VU_DEVICE_RESETS;
	*ret_regions = v.region_cnt;
	return 0;
}

static bool region_ok(unsigned idx, const struct vu_region_info *v)
{
	if (v->index != idx)
		return false;
	if (idx == VU_REGION_CONFIG)
		return v->size >= PCI_CFG_LEGACY_BYTES && v->size <= PCI_CFG_BYTES;
	if (idx > VU_REGION_BAR5)
		return true; /* not used, whatever it is */
	return !v->size || (is_pow2(v->size) && v->size <= VU_CLIENT_BAR_MAX_BYTES);
}

/* Descriptors for mapping are allowed by the protocol; we take none and close them. */
static int region_info_get(struct vu_client *c, unsigned idx)
{
	struct vu_region_info v = { .argsz = VU_REGION_INFO_BYTES, .index = idx };
	struct call call = { .cmd = VU_GET_REGION_INFO, .reply_fds_max = VU_AREAS_MAX };
	struct wr out = body_begin(c);
	struct rd in;
	int r;

	vu_region_info_write(&out, &v);
	r = ask(c, &call, &out, &in);
	if (r < 0)
		return r;
	if (vu_region_info_parse(&in, &v) < 0 || !region_ok(idx, &v))
		return judged(c, -EPROTO);
	if (idx <= VU_REGION_BAR5 || idx == VU_REGION_CONFIG) {
		c->info.region_size[idx] = v.size;
		c->info.region_flags[idx] = v.flags;
	}
	return 0;
}

static int irq_info_get(struct vu_client *c, unsigned *ret_cnt)
{
	struct vu_irq_info v = { .argsz = VU_IRQ_INFO_BYTES, .index = VU_IRQ_MSIX };
	struct call call = { .cmd = VU_GET_IRQ_INFO };
	struct wr out = body_begin(c);
	struct rd in;
	int r;

	vu_irq_info_write(&out, &v);
	r = ask(c, &call, &out, &in);
	if (r < 0)
		return r;
	if (vu_irq_info_parse(&in, &v) < 0 || v.index != VU_IRQ_MSIX || v.cnt > MSIX_WIRE_MAX ||
	    (v.cnt && !(v.flags & VU_IRQ_EVENTFD)))
		return judged(c, -EPROTO);
	*ret_cnt = v.cnt;
	return 0;
}

static int region_read(struct vu_client *c, unsigned region, uint64_t off, void *buf, size_t len)
{
	struct vu_region_access v = { .off = off, .region = region, .len = (uint32_t)len };
	struct call call = { .cmd = VU_REGION_READ };
	struct wr out = body_begin(c);
	struct rd in;
	int r;

	vu_region_access_write(&out, false, &v);
	r = ask(c, &call, &out, &in);
	if (r < 0)
		return r;
	if (vu_region_access_parse(&in, true, &v) < 0 || v.off != off || v.region != region ||
	    v.len != len)
		return judged(c, -EPROTO);
	memcpy(buf, v.data, len);
	return 0;
}

static int config_get(struct vu_client *c)
{
	size_t step = (size_t)min_u64(c->peer.max_data_xfer_size, PCI_CFG_LEGACY_BYTES);
	size_t at;
	int r;

	for (at = 0; at < PCI_CFG_LEGACY_BYTES; at += step) {
		size_t len = (size_t)min_u64(step, PCI_CFG_LEGACY_BYTES - at);

		r = region_read(c, VU_REGION_CONFIG, at, c->info.config + at, len);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Vectors are what interrupt info and capability both promise, cut to what we carry. */
static int msix_cnt_set(struct vu_client *c, unsigned irq_cnt)
{
	int cap = pci_caps_find(c->info.config, PCI_CAP_MSIX, MSIX_CAP_BYTES);
	unsigned cnt;

	if (cap == -ENOENT)
		return 0;
	if (cap < 0)
		return judged(c, cap);
	cnt = (le16_load(c->info.config + cap + MSIX_CAP_CTRL) & MSIX_CTRL_SIZE) + 1U;
	cnt = (unsigned)min_u64(cnt, irq_cnt);
	c->info.msix_cnt = (unsigned)min_u64(cnt, MSIX_VECTORS_MAX);
	return 0;
}

/* Owns descriptor @idx of the message from now on; one that an earlier entry named is not taken twice. */
static int event_fd_own(struct vu_client *c, int *taken, unsigned idx)
{
	int fd, r;

	if (taken[idx] >= 0)
		return taken[idx];
	if (c->owned_cnt == OWNED_FDS_MAX)
		return -EPROTO;
	fd = fd_list_take(&c->in.fds, idx);
	if (fd < 0)
		return fd;
	c->owned_fd[c->owned_cnt++] = fd;
	r = vu_eventfd_check(fd);
	if (r < 0)
		return r;
	taken[idx] = fd;
	return fd;
}

/*
 * The memory must be ours to touch for ever: sealed against shrinking, and of ordinary pages (a huge page that is not
 * there would be a SIGBUS).
 *
 * #syscalls:* fstat newfstatat mmap
 */
static int shadow_mmap(int fd, uint64_t off, uint64_t len, struct shadow_map *ret, void **ret_mem)
{
	uint64_t from = align_down(off, SHM_PAGE);
	struct stat st;
	void *p;
	int r;

	if (off > INT64_MAX - len || off % 4)
		return -EPROTO;
	r = fd_memfd_check(fd, off + len);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_blksize != SHM_PAGE)
		return -EPROTO;
	p = mmap(NULL, (size_t)(off + len - from), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		 (off_t)from);
	if (p == MAP_FAILED)
		return -errno;
	ret->p = p;
	ret->len = (size_t)(off + len - from);
	*ret_mem = (uint8_t *)p + (off - from);
	return 0;
}

static bool shadow_overlaps(const struct vu_client *c, unsigned region, const struct vu_io_fd *e)
{
	unsigned i;

	for (i = 0; i < c->shadow_cnt; i++) {
		const struct vu_client_shadow *w = &c->shadow[i];

		if (w->region == region && e->off < w->off + w->size && w->off < e->off + e->size)
			return true;
	}
	return false;
}

/* A kind we do not use is left out: its writes go by message, as the protocol allows always. */
static bool io_fd_wanted(const struct vu_io_fd *e)
{
	if (e->flags || !e->size)
		return false;
	return e->type == VU_IO_FD_SHADOW || e->type == VU_IO_FD_IOEVENTFD;
}

static int shadow_add(struct vu_client *c, unsigned region, const struct vu_io_fd *e, int *taken)
{
	struct vu_client_shadow *w = &c->shadow[c->shadow_cnt];
	int r;

	if (!range_ok(e->off, e->size, c->info.region_size[region]) || (e->off | e->size) % 4 ||
	    shadow_overlaps(c, region, e))
		return -EPROTO;
	if (e->fd_idx >= c->in.fds.cnt)
		return -EPROTO;
	r = event_fd_own(c, taken, e->fd_idx);
	if (r < 0)
		return r;
	*w = (struct vu_client_shadow){
		.region = region, .off = e->off, .size = e->size, .event_fd = r
	};
	if (e->type == VU_IO_FD_SHADOW) {
		if (e->shadow_fd_idx >= c->in.fds.cnt || c->in.fds.fd[e->shadow_fd_idx] < 0)
			return -EPROTO;
		r = shadow_mmap(c->in.fds.fd[e->shadow_fd_idx], e->shadow_off, e->size,
				&c->map[c->shadow_cnt], &w->mem);
		if (r < 0)
			return r;
	}
	c->shadow_cnt++;
	return 0;
}

static int shadows_get(struct vu_client *c, unsigned region)
{
	struct vu_io_fds v = {
		.argsz = VU_IO_FDS_BYTES + VU_IO_FDS_MAX * VU_IO_FD_BYTES,
		.index = region,
	};
	struct call call = { .cmd = VU_GET_REGION_IO_FDS, .reply_fds_max = VU_FDS_MAX };
	struct wr out = body_begin(c);
	int taken[FD_MSG_FDS_MAX];
	struct rd in;
	unsigned i;
	int r;

	memset(taken, 0xff, sizeof(taken));
	vu_io_fds_request_write(&out, &v);
	r = ask(c, &call, &out, &in);
	if (r < 0)
		return c->lost ? r : 0; /* a server need not know this message */
	if (vu_io_fds_reply_parse(&in, &v) < 0 || v.index != region)
		return judged(c, -EPROTO);
	for (i = 0; i < v.cnt; i++) {
		if (!io_fd_wanted(&v.io[i]) || c->shadow_cnt == SHADOWS_MAX)
			continue;
		r = shadow_add(c, region, &v.io[i], taken);
		if (r < 0)
			return judged(c, r);
	}
	return 0;
}

static int attach(struct vu_client *c)
{
	unsigned regions, irqs, i;
	int r;

	r = hello(c);
	if (r < 0)
		return r;
	r = device_info_get(c, &regions);
	if (r < 0)
		return r;
	for (i = 0; i < VU_REGIONS && i < regions; i++) {
		r = region_info_get(c, i);
		if (r < 0)
			return r;
	}
	r = irq_info_get(c, &irqs);
	if (r < 0)
		return r;
	r = config_get(c);
	if (r < 0)
		return r;
	r = msix_cnt_set(c, irqs);
	for (i = 0; r == 0 && i <= VU_REGION_BAR5; i++)
		if (c->info.region_size[i])
			r = shadows_get(c, i);
	return r;
}

/* #syscalls:* fcntl(F_GETFL|F_SETFL) */
/* #syscalls-include <fcntl.h> */
int vu_client_new(int sock, unsigned access_ms, struct vu_client **ret)
{
	CLEANUP(vu_client_freep) struct vu_client *c = NULL;
	CLEANUP(fd_closep) int fd = sock;
	int fl, r;

	fl = fcntl(fd, F_GETFL);
	if (fl < 0 || fcntl(fd, F_SETFL, fl | O_NONBLOCK) < 0)
		return -errno;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	pthread_mutex_init(&c->lock, NULL);
	c->sock = TAKE_FD(fd);
	c->access_ms = access_ms ? access_ms : (unsigned)VU_CLIENT_ACCESS_MS;
	vu_msg_init(&c->in);
	pthread_mutex_lock(&c->lock);
	r = attach(c);
	pthread_mutex_unlock(&c->lock);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(c);
	return 0;
}

/* #syscalls:* munmap */
void vu_client_free(struct vu_client *c)
{
	unsigned i;

	if (!c)
		return;
	vu_msg_done(&c->in);
	for (i = 0; i < SHADOWS_MAX; i++)
		if (c->map[i].p)
			munmap(c->map[i].p, c->map[i].len);
	for (i = 0; i < c->owned_cnt; i++)
		fd_closep(&c->owned_fd[i]);
	fd_closep(&c->sock);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

void vu_client_freep(struct vu_client **c)
{
	vu_client_free(*c);
	*c = NULL;
}

const struct vu_client_info *vu_client_info(const struct vu_client *c)
{
	return &c->info;
}

const struct vu_client_shadow *vu_client_shadows(const struct vu_client *c, unsigned *ret_cnt)
{
	*ret_cnt = c->shadow_cnt;
	return c->shadow;
}

/* A reply without payload. */
static int ask_plain(struct vu_client *c, const struct call *call, const struct wr *body)
{
	struct rd in;
	int r;

	r = ask(c, call, body, &in);
	if (r == 0 && in.left)
		return judged(c, -EPROTO);
	return r;
}

int vu_client_dma_map(struct vu_client *c, uint64_t gpa, uint64_t len, unsigned dma_flags, int fd,
		      uint64_t fd_off)
{
	struct vu_dma_map v = {
		.argsz = VU_DMA_MAP_BYTES,
		.flags = dma_flags,
		.fd_off = fd_off,
		.addr = gpa,
		.size = len,
	};
	struct call call = { .cmd = VU_DMA_MAP, .fds = &fd, .fd_cnt = 1 };
	struct wr out;
	int r;

	pthread_mutex_lock(&c->lock);
	out = body_begin(c);
	vu_dma_map_write(&out, &v);
	r = c->peer.max_msg_fds ? ask_plain(c, &call, &out) : -ENOTSUP;
	pthread_mutex_unlock(&c->lock);
	return r;
}

static int dma_unmap_locked(struct vu_client *c, uint64_t gpa, uint64_t len)
{
	struct vu_dma_unmap v = { .argsz = VU_DMA_UNMAP_BYTES, .addr = gpa, .size = len };
	struct call call = { .cmd = VU_DMA_UNMAP, .ms = VU_CLIENT_DRAIN_MS };
	struct wr out = body_begin(c);
	struct rd in;
	int r;

	vu_dma_unmap_write(&out, &v);
	r = ask(c, &call, &out, &in);
	if (r < 0)
		return r;
	if (vu_dma_unmap_parse(&in, &v) < 0 || v.addr != gpa || v.size != len)
		return judged(c, -EPROTO);
	return 0;
}

int vu_client_dma_unmap(struct vu_client *c, uint64_t gpa, uint64_t len)
{
	int r;

	pthread_mutex_lock(&c->lock);
	r = dma_unmap_locked(c, gpa, len);
	pthread_mutex_unlock(&c->lock);
	return r;
}

static int irqs_set_some(struct vu_client *c, const int *fds, unsigned start, unsigned cnt)
{
	struct vu_irq_set v = {
		.argsz = VU_IRQ_SET_BYTES,
		.flags = VU_IRQ_ACTION_TRIGGER | (cnt ? VU_IRQ_DATA_EVENTFD : VU_IRQ_DATA_NONE),
		.index = VU_IRQ_MSIX,
		.start = start,
		.cnt = cnt,
	};
	struct call call = { .cmd = VU_SET_IRQS, .fds = fds, .fd_cnt = cnt };
	struct wr out = body_begin(c);

	vu_irq_set_write(&out, &v);
	return ask_plain(c, &call, &out);
}

int vu_client_irqs_set(struct vu_client *c, const int *fds, unsigned cnt)
{
	unsigned step = (unsigned)min_u64(c->peer.max_msg_fds, VU_FDS_MAX);
	unsigned at;
	int r = 0;

	if (cnt > c->info.msix_cnt || (cnt && !step))
		return -EINVAL;
	pthread_mutex_lock(&c->lock);
	if (!cnt)
		r = irqs_set_some(c, NULL, 0, 0);
	for (at = 0; at < cnt && r == 0; at += step)
		r = irqs_set_some(c, fds + at, at, (unsigned)min_u64(step, cnt - at));
	pthread_mutex_unlock(&c->lock);
	return r;
}

static bool access_ok(const struct vu_client *c, unsigned region, uint64_t off, size_t len)
{
	return region < VU_REGIONS && len >= 1 && len <= ACCESS_MAX_BYTES &&
	       range_ok(off, len, c->info.region_size[region]);
}

int vu_client_read(struct vu_client *c, unsigned region, uint64_t off, void *buf, size_t len)
{
	int r;

	memset(buf, 0xff, len);
	if (!access_ok(c, region, off, len))
		return -EINVAL;
	pthread_mutex_lock(&c->lock);
	r = region_read(c, region, off, buf, len);
	pthread_mutex_unlock(&c->lock);
	return r;
}

static int region_write(struct vu_client *c, unsigned region, uint64_t off, const void *buf,
			size_t len)
{
	struct vu_region_access v = {
		.off = off, .region = region, .len = (uint32_t)len, .data = buf
	};
	struct call call = { .cmd = VU_REGION_WRITE };
	struct wr out = body_begin(c);
	struct rd in;
	int r;

	/* A configuration write may be a reset. */
	if (region == VU_REGION_CONFIG)
		call.ms = VU_CLIENT_DRAIN_MS;
	vu_region_access_write(&out, true, &v);
	r = ask(c, &call, &out, &in);
	if (r < 0)
		return r;
	if (vu_region_access_parse(&in, false, &v) < 0 || v.off != off || v.region != region ||
	    v.len != len)
		return judged(c, -EPROTO);
	return 0;
}

int vu_client_write(struct vu_client *c, unsigned region, uint64_t off, const void *buf, size_t len)
{
	int r;

	if (!access_ok(c, region, off, len))
		return -EINVAL;
	pthread_mutex_lock(&c->lock);
	r = region_write(c, region, off, buf, len);
	pthread_mutex_unlock(&c->lock);
	return r;
}

int vu_client_reset(struct vu_client *c)
{
	struct call call = { .cmd = VU_DEVICE_RESET, .ms = VU_CLIENT_DRAIN_MS };
	struct wr out;
	int r;

	if (!c->info.resets)
		return -ENOTSUP;
	pthread_mutex_lock(&c->lock);
	out = body_begin(c);
	r = ask_plain(c, &call, &out);
	pthread_mutex_unlock(&c->lock);
	return r;
}

int vu_client_fd(const struct vu_client *c)
{
	return c->sock;
}

bool vu_client_lost(struct vu_client *c)
{
	bool lost;

	pthread_mutex_lock(&c->lock);
	lost = c->lost;
	pthread_mutex_unlock(&c->lock);
	return lost;
}

void vu_client_lose(struct vu_client *c)
{
	pthread_mutex_lock(&c->lock);
	lose_locked(c);
	pthread_mutex_unlock(&c->lock);
}
