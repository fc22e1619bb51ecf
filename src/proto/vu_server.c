/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/vu_server.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/fd.h"
#include "base/num.h"

enum {
	REQUESTS_PER_WAKE = 16, /* then the loop sees to its other descriptors */
};

/*
 * What the connection is doing.
 *   HELLO   nothing but VERSION is understood
 *   SERVING reads requests, answers each before the next
 *   UNMAP   a DMA_UNMAP waits for the model to be quiet; nothing is read
 *   RESET   a reset (DEVICE_RESET, or a configuration write that asked for FLR) waits likewise
 *   DEAD    broken; every call fails until vu_server_free()
 * An answer that the socket did not take yet (->out_len) holds everything up in any state.
 */
enum server_state { HELLO, SERVING, UNMAP, RESET, DEAD };

struct vu_server {
	int sock; /* owned */
	enum server_state state;
	struct vu_server_conf conf;
	struct vu_version peer; /* valid from SERVING on */
	unsigned vector_cnt;

	struct vu_msg in; /* the request worked on */
	struct vu_dma_unmap unmap;

	uint8_t out[VU_MSG_MAX_BYTES];
	size_t out_len;         /* bytes of an answer to send; 0: none */
	int out_fd[VU_FDS_MAX]; /* borrowed */
	unsigned out_fd_cnt;
	uint8_t data[VU_XFER_MAX_BYTES];

	pthread_mutex_t irq_lock;     /* guards irq_fd */
	int irq_fd[MSIX_VECTORS_MAX]; /* owned; -1: none */
};

/* Handlers return this when the answer has to wait. */
enum { ANSWER_LATER = 1 };

static uint64_t region_size(const struct vu_server *s, uint32_t region)
{
	if (region < PCI_BARS_MAX)
		return s->conf.config->conf.bar[region].size;
	return region == VU_REGION_CONFIG ? PCI_CFG_BYTES : 0;
}

static bool shadow_ok(const struct vu_server_conf *conf, const struct vu_server_shadow *w)
{
	if (w->region >= PCI_BARS_MAX || w->event_fd < 0 || !w->size ||
	    (w->off | w->size | w->mem_off) % 4)
		return false;
	return range_ok(w->off, w->size, conf->config->conf.bar[w->region].size);
}

static bool conf_ok(const struct vu_server_conf *conf)
{
	unsigned i;

	if (conf->shadow_cnt > VU_IO_FDS_MAX)
		return false;
	for (i = 0; i < conf->shadow_cnt; i++)
		if (!shadow_ok(conf, &conf->shadow[i]))
			return false;
	for (i = 0; i < PCI_BARS_MAX; i++)
		if (conf->area_cnt[i] > VU_AREAS_MAX ||
		    (conf->area_cnt[i] && conf->region_fd[i] < 0))
			return false;
	return true;
}

/* #syscalls:* fcntl(F_GETFL|F_SETFL) futex */
/* #syscalls-include <fcntl.h> */
int vu_server_new(int sock, const struct vu_server_conf *conf, struct vu_server **ret)
{
	CLEANUP(fd_closep) int fd = sock;
	struct vu_server *s;
	unsigned i;
	int fl;

	if (!conf_ok(conf))
		return -EINVAL;
	fl = fcntl(fd, F_GETFL);
	if (fl < 0 || fcntl(fd, F_SETFL, fl | O_NONBLOCK) < 0)
		return -errno;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->sock = TAKE_FD(fd);
	s->conf = *conf;
	s->vector_cnt = conf->config->conf.msix.vector_cnt;
	vu_msg_init(&s->in);
	pthread_mutex_init(&s->irq_lock, NULL);
	for (i = 0; i < MSIX_VECTORS_MAX; i++)
		s->irq_fd[i] = -1;
	*ret = s;
	return 0;
}

void vu_server_free(struct vu_server *s)
{
	unsigned i;

	if (!s)
		return;
	must(gmem_region_del_all(s->conf.mem) == 0); /* the model was quiet */
	vu_msg_done(&s->in);
	for (i = 0; i < MSIX_VECTORS_MAX; i++)
		fd_closep(&s->irq_fd[i]);
	pthread_mutex_destroy(&s->irq_lock);
	fd_closep(&s->sock);
	free(s);
}

void vu_server_freep(struct vu_server **s)
{
	vu_server_free(*s);
	*s = NULL;
}

int vu_server_fd(const struct vu_server *s)
{
	return s->sock;
}

uint32_t vu_server_events(const struct vu_server *s)
{
	if (s->out_len)
		return EPOLLOUT;
	return s->state == HELLO || s->state == SERVING ? EPOLLIN : 0;
}

bool vu_server_idle(const struct vu_server *s)
{
	return s->state != UNMAP && s->state != RESET;
}

/* spec: vfio-user "Version": same major, minor not above what was proposed, capabilities likewise. */
static int do_version(struct vu_server *s, struct rd *in, struct wr *out)
{
	struct vu_version v, reply;

	if (vu_version_parse(in, &v) < 0 || v.major != VU_VERSION_MAJOR ||
	    v.max_data_xfer_size == 0)
		return -EPROTO;
	s->peer = v;
	reply = (struct vu_version){
		.major = VU_VERSION_MAJOR,
		.minor = v.minor < VU_VERSION_MINOR ? v.minor : VU_VERSION_MINOR,
		.max_msg_fds = VU_FDS_MAX,
		.max_data_xfer_size = VU_XFER_MAX_BYTES,
		.max_dma_maps = GMEM_REGIONS_MAX,
		.pgsizes = GMEM_PAGE_BYTES,
	};
	vu_version_write(out, &reply);
	return 0;
}

/* A range without a descriptor is remembered and cannot be used: we do no DMA by message. */
static int do_dma_map(struct vu_server *s, struct rd *in, struct wr *out UNUSED)
{
	int fd = s->in.fds.cnt ? s->in.fds.fd[0] : -1;
	struct vu_dma_map v;
	unsigned prot;
	int r;

	r = vu_dma_map_parse(in, &v);
	if (r < 0)
		return r;
	if (v.flags & ~(uint32_t)(VU_DMA_READ | VU_DMA_WRITE | VU_DMA_MMAP))
		return -EINVAL;
	prot = (v.flags & VU_DMA_READ ? (unsigned)GMEM_READ : 0) |
	       (v.flags & VU_DMA_WRITE ? (unsigned)GMEM_WRITE : 0);
	return gmem_region_add(s->conf.mem, (gpa_t){ v.addr }, v.size, prot, fd, v.fd_off);
}

/* One step towards the end of an unmap. Return: ANSWER_LATER, 0 done, -errno for the reply. */
static int unmap_step(struct vu_server *s)
{
	int r;

	if (s->conf.ops->quiesce(s->conf.dev, false) < 0)
		return ANSWER_LATER;
	if (s->unmap.flags & VU_DMA_UNMAP_ALL)
		r = gmem_region_del_all(s->conf.mem);
	else
		r = gmem_region_del(s->conf.mem, (gpa_t){ s->unmap.addr }, s->unmap.size);
	if (r == -EBUSY)
		return ANSWER_LATER;
	s->conf.ops->resume(s->conf.dev);
	return r;
}

static int unmap_end(struct vu_server *s, int r, struct wr *out)
{
	if (r == 0) {
		s->unmap.argsz = VU_DMA_UNMAP_BYTES;
		vu_dma_unmap_write(out, &s->unmap);
	}
	return r;
}

static int do_dma_unmap(struct vu_server *s, struct rd *in, struct wr *out)
{
	int r;

	r = vu_dma_unmap_parse(in, &s->unmap);
	if (r < 0)
		return r;
	if (s->unmap.flags & ~(uint32_t)VU_DMA_UNMAP_ALL)
		return -EINVAL;
	if ((s->unmap.flags & VU_DMA_UNMAP_ALL) && (s->unmap.addr || s->unmap.size))
		return -EINVAL;
	r = unmap_step(s);
	if (r == ANSWER_LATER) {
		s->state = UNMAP;
		return r;
	}
	return unmap_end(s, r, out);
}

static int do_device_info(struct vu_server *s UNUSED, struct rd *in, struct wr *out)
{
	struct vu_device_info v;
	int r;

	r = vu_device_info_parse(in, &v);
	if (r < 0)
		return r;
	v = (struct vu_device_info){
		.argsz = VU_DEVICE_INFO_BYTES,
		.flags = VU_DEVICE_RESETS | VU_DEVICE_PCI,
		.region_cnt = VU_REGIONS,
		.irq_cnt = VU_IRQS,
	};
	vu_device_info_write(out, &v);
	return 0;
}

static void out_fd_add(struct vu_server *s, int fd, uint32_t *ret_idx)
{
	unsigned i;

	for (i = 0; i < s->out_fd_cnt && s->out_fd[i] != fd; i++)
		;
	if (i == s->out_fd_cnt && i < VU_FDS_MAX)
		s->out_fd[s->out_fd_cnt++] = fd;
	*ret_idx = i;
}

/* The parts a client may map, when its buffer has room for the list. */
static void region_areas(struct vu_server *s, uint32_t asked, struct vu_region_info *v)
{
	unsigned cnt = v->index < PCI_BARS_MAX ? s->conf.area_cnt[v->index] : 0;
	uint32_t idx;

	if (!cnt || s->peer.max_msg_fds == 0)
		return;
	v->argsz = vu_region_info_bytes(cnt);
	if (asked < v->argsz)
		return;
	v->flags |= VU_REGION_F_MMAP | VU_REGION_F_CAPS;
	v->cap_off = VU_REGION_INFO_BYTES;
	v->area_cnt = cnt;
	memcpy(v->area, s->conf.area[v->index], cnt * sizeof(v->area[0]));
	out_fd_add(s, s->conf.region_fd[v->index], &idx);
}

static int do_region_info(struct vu_server *s, struct rd *in, struct wr *out)
{
	struct vu_region_info q, v;
	int r;

	if (in->left != VU_REGION_INFO_BYTES)
		return -EPROTO;
	r = vu_region_info_parse(in, &q);
	if (r < 0)
		return r;
	if (q.index >= VU_REGIONS)
		return -EINVAL;
	memset(&v, 0, sizeof(v));
	v.argsz = VU_REGION_INFO_BYTES;
	v.index = q.index;
	v.size = region_size(s, q.index);
	if (v.size)
		v.flags = VU_REGION_F_READ | VU_REGION_F_WRITE;
	region_areas(s, q.argsz, &v);
	vu_region_info_write(out, &v);
	return 0;
}

/* Return: false when the client cannot take that many descriptors: it then writes by message. */
static bool io_fds_fill(struct vu_server *s, struct vu_io_fds *v)
{
	unsigned i;

	for (i = 0; i < s->conf.shadow_cnt; i++) {
		const struct vu_server_shadow *w = &s->conf.shadow[i];
		struct vu_io_fd *e = &v->io[v->cnt];

		if (w->region != v->index)
			continue;
		e->off = w->off;
		e->size = w->size;
		e->type = w->mem_fd >= 0 ? VU_IO_FD_SHADOW : VU_IO_FD_IOEVENTFD;
		e->shadow_off = w->mem_off;
		out_fd_add(s, w->event_fd, &e->fd_idx);
		if (w->mem_fd >= 0)
			out_fd_add(s, w->mem_fd, &e->shadow_fd_idx);
		if (e->fd_idx == VU_FDS_MAX || e->shadow_fd_idx == VU_FDS_MAX)
			return false;
		v->cnt++;
	}
	return s->out_fd_cnt <= s->peer.max_msg_fds;
}

static int do_io_fds(struct vu_server *s, struct rd *in, struct wr *out)
{
	struct vu_io_fds q, v;
	int r;

	r = vu_io_fds_request_parse(in, &q);
	if (r < 0)
		return r;
	if (q.index >= VU_REGIONS || !region_size(s, q.index))
		return -EINVAL;
	memset(&v, 0, sizeof(v));
	v.index = q.index;
	if (!io_fds_fill(s, &v)) {
		v.cnt = 0;
		s->out_fd_cnt = 0;
	}
	v.argsz = VU_IO_FDS_BYTES + v.cnt * VU_IO_FD_BYTES;
	if (q.argsz >= v.argsz) {
		vu_io_fds_reply_write(out, &v);
	} else { /* spec "Message sizes": only the head, argsz says what is needed */
		s->out_fd_cnt = 0;
		vu_io_fds_request_write(out, &v);
	}
	return 0;
}

static int do_irq_info(struct vu_server *s, struct rd *in, struct wr *out)
{
	struct vu_irq_info v;
	int r;

	r = vu_irq_info_parse(in, &v);
	if (r < 0)
		return r;
	if (v.index >= VU_IRQS)
		return -EINVAL;
	v.argsz = VU_IRQ_INFO_BYTES;
	v.flags = v.index == VU_IRQ_MSIX ? (uint32_t)VU_IRQ_EVENTFD : 0;
	v.cnt = v.index == VU_IRQ_MSIX ? s->vector_cnt : 0;
	vu_irq_info_write(out, &v);
	return 0;
}

/* Decides on every descriptor before it changes any. */
static int irqs_assign(struct vu_server *s, const struct vu_irq_set *v)
{
	struct fd_list *fds = &s->in.fds;
	unsigned i;
	int r;

	if (fds->cnt && fds->cnt != v->cnt)
		return -EINVAL;
	for (i = 0; i < fds->cnt; i++) {
		r = vu_eventfd_check(fds->fd[i]);
		if (r < 0)
			return r;
	}
	pthread_mutex_lock(&s->irq_lock);
	for (i = 0; i < v->cnt; i++) {
		fd_closep(&s->irq_fd[v->start + i]);
		if (fds->cnt)
			s->irq_fd[v->start + i] = TAKE_FD(fds->fd[i]);
	}
	pthread_mutex_unlock(&s->irq_lock);
	return 0;
}

static void irqs_remove_all(struct vu_server *s)
{
	unsigned i;

	pthread_mutex_lock(&s->irq_lock);
	for (i = 0; i < MSIX_VECTORS_MAX; i++)
		fd_closep(&s->irq_fd[i]);
	pthread_mutex_unlock(&s->irq_lock);
}

static int do_irqs_set(struct vu_server *s, struct rd *in, struct wr *out UNUSED)
{
	struct vu_irq_set v;
	uint32_t data;
	unsigned i;
	int r;

	r = vu_irq_set_parse(in, &v);
	if (r < 0)
		return r;
	data = v.flags & ~(uint32_t)VU_IRQ_ACTION_TRIGGER;
	if (!(v.flags & VU_IRQ_ACTION_TRIGGER) || v.index != VU_IRQ_MSIX)
		return -EINVAL; /* nothing can be masked here: the table is the client's */
	if (data != VU_IRQ_DATA_EVENTFD && s->in.fds.cnt)
		return -EINVAL;
	if (data == VU_IRQ_DATA_NONE && v.cnt == 0 && v.start == 0) {
		irqs_remove_all(s);
		return 0;
	}
	if (v.cnt == 0 || !range_ok(v.start, v.cnt, s->vector_cnt))
		return -EINVAL;
	if (data == VU_IRQ_DATA_EVENTFD)
		return irqs_assign(s, &v);
	if (data != VU_IRQ_DATA_NONE && data != VU_IRQ_DATA_BOOL)
		return -EINVAL;
	for (i = 0; i < v.cnt; i++)
		if (!v.bools || v.bools[i])
			vu_server_irq(s, v.start + i);
	return 0;
}

void vu_server_irq(struct vu_server *s, unsigned vector)
{
	if (vector >= s->vector_cnt)
		return;
	pthread_mutex_lock(&s->irq_lock);
	if (s->irq_fd[vector] >= 0)
		fd_event_signal(s->irq_fd[vector]);
	pthread_mutex_unlock(&s->irq_lock);
}

static int access_parse(struct vu_server *s, struct rd *in, bool write,
			struct vu_region_access *ret)
{
	struct vu_region_access v;
	int r;

	r = vu_region_access_parse(in, write, &v);
	if (r < 0)
		return r;
	if (v.len == 0 || v.len > VU_XFER_MAX_BYTES || v.region >= VU_REGIONS ||
	    !range_ok(v.off, v.len, region_size(s, v.region)))
		return -EINVAL;
	*ret = v;
	return 0;
}

static int do_region_read(struct vu_server *s, struct rd *in, struct wr *out)
{
	struct vu_region_access v;
	int r;

	r = access_parse(s, in, false, &v);
	if (r < 0)
		return r;
	memset(s->data, 0, v.len);
	if (v.region == VU_REGION_CONFIG)
		pci_config_read(s->conf.config, v.off, s->data, v.len);
	else
		r = s->conf.ops->region_access(s->conf.dev, v.region, v.off, s->data, v.len, false);
	if (r < 0)
		return r;
	v.data = s->data;
	vu_region_access_write(out, true, &v);
	return 0;
}

/* The whole function goes to its power-on state. Return: ANSWER_LATER or 0. */
static int reset_step(struct vu_server *s)
{
	if (s->conf.ops->quiesce(s->conf.dev, true) < 0 || gmem_pins(s->conf.mem))
		return ANSWER_LATER;
	pci_config_reset(s->conf.config);
	s->conf.ops->resume(s->conf.dev);
	return 0;
}

static int reset_start(struct vu_server *s)
{
	int r = reset_step(s);

	if (r == ANSWER_LATER)
		s->state = RESET;
	return r;
}

static int do_config_write(struct vu_server *s, const struct vu_region_access *v)
{
	unsigned ev = pci_config_write(s->conf.config, v->off, v->data, v->len);

	if (ev & PCI_EV_FLR)
		return reset_start(s);
	if (ev && s->conf.ops->config_changed)
		s->conf.ops->config_changed(s->conf.dev, ev);
	return 0;
}

/* What a write's reply repeats; the request is still in ->in. */
static void write_end(struct vu_server *s, struct wr *out)
{
	struct rd in = vu_msg_body(&s->in);
	struct vu_region_access v;

	if (vu_region_access_parse(&in, true, &v) == 0)
		vu_region_access_write(out, false, &v);
}

static int do_region_write(struct vu_server *s, struct rd *in, struct wr *out)
{
	struct vu_region_access v;
	int r;

	r = access_parse(s, in, true, &v);
	if (r < 0)
		return r;
	if (v.region == VU_REGION_CONFIG) {
		r = do_config_write(s, &v);
	} else {
		memcpy(s->data, v.data, v.len);
		r = s->conf.ops->region_access(s->conf.dev, v.region, v.off, s->data, v.len, true);
	}
	if (r == 0)
		write_end(s, out);
	return r;
}

static int do_reset(struct vu_server *s, struct rd *in, struct wr *out UNUSED)
{
	return in->left ? -EPROTO : reset_start(s);
}

struct command {
	uint16_t cmd;
	uint16_t fds_max; /* descriptors it may bring; the handler knows how many it needs */
	int (*run)(struct vu_server *s, struct rd *in, struct wr *out);
};

static const struct command commands[] = {
	{ VU_VERSION, 0, do_version },
	{ VU_DMA_MAP, 1, do_dma_map },
	{ VU_DMA_UNMAP, 0, do_dma_unmap },
	{ VU_DEVICE_GET_INFO, 0, do_device_info },
	{ VU_GET_REGION_INFO, 0, do_region_info },
	{ VU_GET_REGION_IO_FDS, 0, do_io_fds },
	{ VU_GET_IRQ_INFO, 0, do_irq_info },
	{ VU_SET_IRQS, VU_FDS_MAX, do_irqs_set },
	{ VU_REGION_READ, 0, do_region_read },
	{ VU_REGION_WRITE, 0, do_region_write },
	{ VU_DEVICE_RESET, 0, do_reset },
};

static const struct command *command_find(uint16_t cmd)
{
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (commands[i].cmd == cmd)
			return &commands[i];
	return NULL;
}

/* Sends what is waiting. Return: 1 nothing left, 0 the socket is full, -errno. */
static int out_flush(struct vu_server *s)
{
	int r;

	if (!s->out_len)
		return 1;
	r = fd_msg_send(s->sock, s->out, s->out_len, s->out_fd, s->out_fd_cnt);
	if (r == -EAGAIN)
		return 0;
	if (r < 0)
		return r;
	s->out_len = 0;
	s->out_fd_cnt = 0;
	return 1;
}

static struct wr out_body(struct vu_server *s)
{
	return wr_init(s->out + VU_HDR_BYTES, sizeof(s->out) - VU_HDR_BYTES);
}

/*
 * The request in ->in is done with result @r, its answer's body is @body. -EPROTO (the message made no sense) and what
 * is not an errno become EINVAL on the wire.
 */
static void answer(struct vu_server *s, const struct wr *body, int r)
{
	bool quiet = s->in.hdr.flags & VU_F_NO_REPLY;
	struct vu_hdr h = {
		.msg_id = s->in.hdr.msg_id,
		.cmd = s->in.hdr.cmd,
		.size = VU_HDR_BYTES,
		.flags = VU_F_REPLY,
	};
	struct wr hdr = wr_init(s->out, VU_HDR_BYTES);

	must(!body->bad);
	if (r < 0) {
		h.flags |= VU_F_ERROR;
		h.error = r == -EPROTO ? EINVAL : (uint32_t)-r;
		s->out_fd_cnt = 0;
	} else {
		h.size += (uint32_t)body->len;
	}
	vu_hdr_write(&hdr, &h);
	s->out_len = quiet ? 0 : h.size;
	if (quiet)
		s->out_fd_cnt = 0;
	vu_msg_done(&s->in);
}

/* One complete request. Return: 0, or -EPROTO when there is no talking with this client. */
static int request(struct vu_server *s)
{
	const struct command *c = command_find(s->in.hdr.cmd);
	struct rd in = vu_msg_body(&s->in);
	struct wr out = out_body(s);
	int r;

	if ((s->in.hdr.flags & VU_F_TYPE_MASK) != 0)
		return -EPROTO;
	if ((s->state == HELLO) != (s->in.hdr.cmd == VU_VERSION))
		return -EPROTO;
	s->out_fd_cnt = 0;
	if (!c)
		r = -ENOTSUP;
	else if (s->in.fds.cnt > c->fds_max)
		r = -EINVAL;
	else
		r = c->run(s, &in, &out);
	if (r == ANSWER_LATER)
		return 0;
	if (s->state == HELLO) {
		if (r < 0)
			return -EPROTO;
		s->state = SERVING;
	}
	answer(s, &out, r);
	return 0;
}

static int handle_some(struct vu_server *s)
{
	unsigned i;
	int r;

	for (i = 0; i < REQUESTS_PER_WAKE; i++) {
		r = out_flush(s);
		if (r <= 0)
			return r;
		if (!vu_server_idle(s))
			return 0;
		r = vu_msg_recv(&s->in, s->sock);
		if (r == -EAGAIN)
			return 0;
		if (r <= 0)
			return r ? r : -ECONNRESET;
		r = request(s);
		if (r < 0)
			return r;
	}
	r = out_flush(s);
	return r < 0 ? r : 0;
}

static int dead(struct vu_server *s, int r)
{
	if (r < 0)
		s->state = DEAD;
	return r;
}

int vu_server_handle(struct vu_server *s)
{
	if (s->state == DEAD)
		return -ECONNRESET;
	return dead(s, handle_some(s));
}

int vu_server_resume(struct vu_server *s)
{
	struct wr out = out_body(s);
	int r;

	if (s->state == DEAD)
		return -ECONNRESET;
	if (vu_server_idle(s))
		return 0;
	if (s->state == UNMAP) {
		r = unmap_step(s);
		if (r != ANSWER_LATER)
			r = unmap_end(s, r, &out);
	} else {
		r = reset_step(s);
		if (r == 0 && s->in.hdr.cmd == VU_REGION_WRITE)
			write_end(s, &out);
	}
	if (r == ANSWER_LATER)
		return 0;
	s->state = SERVING;
	answer(s, &out, r);
	r = out_flush(s);
	return dead(s, r < 0 ? r : 0);
}
