/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/vfio_user.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/num.h"

/* Region info capability "sparse mmap". spec: linux-vfio struct vfio_region_info_cap_sparse_mmap */
enum {
	CAP_SPARSE_MMAP = 1,
	CAP_SPARSE_VERSION = 1,
	CAP_HDR_BYTES = 8,
	CAP_SPARSE_BYTES = 8, /* nr_areas, reserved */
	CAP_AREA_BYTES = 16,
	CAPS_MAX = 4, /* links we follow */
};

/* spec: vfio-user "Header" */
int vu_hdr_parse(struct rd *in, struct vu_hdr *ret)
{
	struct vu_hdr h;

	h.msg_id = rd_le16(in);
	h.cmd = rd_le16(in);
	h.size = rd_le32(in);
	h.flags = rd_le32(in);
	h.error = rd_le32(in);
	if (in->bad || h.size < VU_HDR_BYTES || h.size > VU_MSG_MAX_BYTES)
		return -EPROTO;
	*ret = h;
	return 0;
}

void vu_hdr_write(struct wr *out, const struct vu_hdr *h)
{
	wr_le16(out, h->msg_id);
	wr_le16(out, h->cmd);
	wr_le32(out, h->size);
	wr_le32(out, h->flags);
	wr_le32(out, h->error);
}

/* A payload is exactly as long as its message says: nothing may be missing and nothing left. */
static int parsed(const struct rd *in)
{
	return in->bad || in->left ? -EPROTO : 0;
}

int vu_dma_map_parse(struct rd *in, struct vu_dma_map *ret)
{
	struct vu_dma_map v;

	v.argsz = rd_le32(in);
	v.flags = rd_le32(in);
	v.fd_off = rd_le64(in);
	v.addr = rd_le64(in);
	v.size = rd_le64(in);
	if (parsed(in) < 0 || v.argsz < VU_DMA_MAP_BYTES)
		return -EPROTO;
	*ret = v;
	return 0;
}

void vu_dma_map_write(struct wr *out, const struct vu_dma_map *v)
{
	wr_le32(out, v->argsz);
	wr_le32(out, v->flags);
	wr_le64(out, v->fd_off);
	wr_le64(out, v->addr);
	wr_le64(out, v->size);
}

int vu_dma_unmap_parse(struct rd *in, struct vu_dma_unmap *ret)
{
	struct vu_dma_unmap v;

	v.argsz = rd_le32(in);
	v.flags = rd_le32(in);
	v.addr = rd_le64(in);
	v.size = rd_le64(in);
	if (parsed(in) < 0 || v.argsz < VU_DMA_UNMAP_BYTES)
		return -EPROTO;
	*ret = v;
	return 0;
}

void vu_dma_unmap_write(struct wr *out, const struct vu_dma_unmap *v)
{
	wr_le32(out, v->argsz);
	wr_le32(out, v->flags);
	wr_le64(out, v->addr);
	wr_le64(out, v->size);
}

int vu_device_info_parse(struct rd *in, struct vu_device_info *ret)
{
	struct vu_device_info v;

	v.argsz = rd_le32(in);
	v.flags = rd_le32(in);
	v.region_cnt = rd_le32(in);
	v.irq_cnt = rd_le32(in);
	if (parsed(in) < 0 || v.argsz < VU_DEVICE_INFO_BYTES)
		return -EPROTO;
	*ret = v;
	return 0;
}

void vu_device_info_write(struct wr *out, const struct vu_device_info *v)
{
	wr_le32(out, v->argsz);
	wr_le32(out, v->flags);
	wr_le32(out, v->region_cnt);
	wr_le32(out, v->irq_cnt);
}

/* One sparse mmap capability; @cap stands behind its header. */
static int sparse_parse(struct rd *cap, struct vu_region_info *v)
{
	uint32_t cnt = rd_le32(cap);
	unsigned i;

	rd_skip(cap, 4);
	if (cap->bad || cnt > VU_AREAS_MAX || v->area_cnt)
		return -EPROTO;
	for (i = 0; i < cnt; i++) {
		v->area[i].off = rd_le64(cap);
		v->area[i].size = rd_le64(cap);
		if (cap->bad || !range_ok(v->area[i].off, v->area[i].size, v->size))
			return -EPROTO;
	}
	v->area_cnt = cnt;
	return 0;
}

/* Offsets in the list are relative to the info struct; they must grow, so the walk ends. */
static int region_caps_parse(const uint8_t *body, size_t len, struct vu_region_info *v)
{
	uint32_t at = v->cap_off;
	uint32_t seen_to = VU_REGION_INFO_BYTES;
	unsigned i;

	for (i = 0; at && i < CAPS_MAX; i++) {
		struct rd cap;
		uint16_t id;

		if (at < seen_to || !range_ok(at, CAP_HDR_BYTES, len))
			return -EPROTO;
		cap = rd_init(body + at, len - at);
		seen_to = at + CAP_HDR_BYTES;
		id = rd_le16(&cap);
		rd_skip(&cap, 2); /* version: the layout we know never changed */
		at = rd_le32(&cap);
		if (id == CAP_SPARSE_MMAP && sparse_parse(&cap, v) < 0)
			return -EPROTO;
	}
	return at ? -EPROTO : 0;
}

int vu_region_info_parse(struct rd *in, struct vu_region_info *ret)
{
	const uint8_t *body = in->p;
	size_t len = in->left;
	struct vu_region_info v;

	memset(&v, 0, sizeof(v));
	v.argsz = rd_le32(in);
	v.flags = rd_le32(in);
	v.index = rd_le32(in);
	v.cap_off = rd_le32(in);
	v.size = rd_le64(in);
	v.fd_off = rd_le64(in);
	if (in->bad || v.argsz < VU_REGION_INFO_BYTES)
		return -EPROTO;
	/* Capabilities that did not fit into what the asker allowed are simply absent. */
	if ((v.flags & VU_REGION_F_CAPS) && len >= v.argsz && region_caps_parse(body, len, &v) < 0)
		return -EPROTO;
	rd_skip(in, in->left);
	*ret = v;
	return 0;
}

void vu_region_info_write(struct wr *out, const struct vu_region_info *v)
{
	unsigned i;

	wr_le32(out, v->argsz);
	wr_le32(out, v->flags);
	wr_le32(out, v->index);
	wr_le32(out, v->cap_off);
	wr_le64(out, v->size);
	wr_le64(out, v->fd_off);
	if (!(v->flags & VU_REGION_F_CAPS) || !v->area_cnt)
		return;
	wr_le16(out, CAP_SPARSE_MMAP);
	wr_le16(out, CAP_SPARSE_VERSION);
	wr_le32(out, 0); /* no next one */
	wr_le32(out, v->area_cnt);
	wr_le32(out, 0);
	for (i = 0; i < v->area_cnt; i++) {
		wr_le64(out, v->area[i].off);
		wr_le64(out, v->area[i].size);
	}
}

uint32_t vu_region_info_bytes(unsigned area_cnt)
{
	if (!area_cnt)
		return VU_REGION_INFO_BYTES;
	return VU_REGION_INFO_BYTES + CAP_HDR_BYTES + CAP_SPARSE_BYTES + area_cnt * CAP_AREA_BYTES;
}

static void io_fds_head_parse(struct rd *in, struct vu_io_fds *v)
{
	memset(v, 0, sizeof(*v));
	v->argsz = rd_le32(in);
	v->flags = rd_le32(in);
	v->index = rd_le32(in);
	v->cnt = rd_le32(in);
}

int vu_io_fds_request_parse(struct rd *in, struct vu_io_fds *ret)
{
	struct vu_io_fds v;

	io_fds_head_parse(in, &v);
	if (parsed(in) < 0 || v.argsz < VU_IO_FDS_BYTES || v.flags || v.cnt)
		return -EPROTO;
	*ret = v;
	return 0;
}

void vu_io_fds_request_write(struct wr *out, const struct vu_io_fds *v)
{
	wr_le32(out, v->argsz);
	wr_le32(out, v->flags);
	wr_le32(out, v->index);
	wr_le32(out, v->cnt);
}

/* The short form has no shadow memory: datamatch follows a word of padding at once. */
static void io_fd_parse(struct rd *in, bool is_short, struct vu_io_fd *ret)
{
	ret->off = rd_le64(in);
	ret->size = rd_le64(in);
	ret->fd_idx = rd_le32(in);
	ret->type = rd_le32(in);
	ret->flags = rd_le32(in);
	ret->shadow_fd_idx = rd_le32(in);
	ret->shadow_off = is_short ? 0 : rd_le64(in);
	ret->datamatch = rd_le64(in);
}

/* spec: vfio-user GET_REGION_IO_FDS: the size of an entry is what argsz and count say it is. */
int vu_io_fds_reply_parse(struct rd *in, struct vu_io_fds *ret)
{
	struct vu_io_fds v;
	bool is_short;
	unsigned i;

	io_fds_head_parse(in, &v);
	if (in->bad || v.argsz < VU_IO_FDS_BYTES || v.flags || v.cnt > VU_IO_FDS_MAX)
		return -EPROTO;
	is_short = v.argsz == VU_IO_FDS_BYTES + v.cnt * VU_IO_FD_SHORT_BYTES;
	if (!is_short && v.argsz != VU_IO_FDS_BYTES + v.cnt * VU_IO_FD_BYTES)
		return -EPROTO;
	for (i = 0; i < v.cnt; i++) {
		io_fd_parse(in, is_short, &v.io[i]);
		if (is_short && v.io[i].type == VU_IO_FD_SHADOW)
			return -EPROTO;
	}
	if (parsed(in) < 0)
		return -EPROTO;
	*ret = v;
	return 0;
}

void vu_io_fds_reply_write(struct wr *out, const struct vu_io_fds *v)
{
	unsigned i;

	vu_io_fds_request_write(out, v);
	for (i = 0; i < v->cnt && i < VU_IO_FDS_MAX; i++) {
		const struct vu_io_fd *e = &v->io[i];

		wr_le64(out, e->off);
		wr_le64(out, e->size);
		wr_le32(out, e->fd_idx);
		wr_le32(out, e->type);
		wr_le32(out, e->flags);
		wr_le32(out, e->shadow_fd_idx);
		wr_le64(out, e->shadow_off);
		wr_le64(out, e->datamatch);
	}
}

int vu_irq_info_parse(struct rd *in, struct vu_irq_info *ret)
{
	struct vu_irq_info v;

	v.argsz = rd_le32(in);
	v.flags = rd_le32(in);
	v.index = rd_le32(in);
	v.cnt = rd_le32(in);
	if (parsed(in) < 0 || v.argsz < VU_IRQ_INFO_BYTES)
		return -EPROTO;
	*ret = v;
	return 0;
}

void vu_irq_info_write(struct wr *out, const struct vu_irq_info *v)
{
	wr_le32(out, v->argsz);
	wr_le32(out, v->flags);
	wr_le32(out, v->index);
	wr_le32(out, v->cnt);
}

int vu_irq_set_parse(struct rd *in, struct vu_irq_set *ret)
{
	struct vu_irq_set v;

	v.argsz = rd_le32(in);
	v.flags = rd_le32(in);
	v.index = rd_le32(in);
	v.start = rd_le32(in);
	v.cnt = rd_le32(in);
	v.bools = NULL;
	if (in->bad || v.argsz < VU_IRQ_SET_BYTES)
		return -EPROTO;
	if (v.flags & VU_IRQ_DATA_BOOL) {
		v.bools = in->p;
		rd_skip(in, v.cnt);
	}
	if (parsed(in) < 0)
		return -EPROTO;
	*ret = v;
	return 0;
}

void vu_irq_set_write(struct wr *out, const struct vu_irq_set *v)
{
	wr_le32(out, v->argsz);
	wr_le32(out, v->flags);
	wr_le32(out, v->index);
	wr_le32(out, v->start);
	wr_le32(out, v->cnt);
	if (v->bools)
		wr_bytes(out, v->bools, v->cnt);
}

int vu_region_access_parse(struct rd *in, bool with_data, struct vu_region_access *ret)
{
	struct vu_region_access v;

	v.off = rd_le64(in);
	v.region = rd_le32(in);
	v.len = rd_le32(in);
	v.data = NULL;
	if (with_data) {
		v.data = in->p;
		rd_skip(in, v.len);
	}
	if (parsed(in) < 0)
		return -EPROTO;
	*ret = v;
	return 0;
}

void vu_region_access_write(struct wr *out, bool with_data, const struct vu_region_access *v)
{
	wr_le64(out, v->off);
	wr_le32(out, v->region);
	wr_le32(out, v->len);
	if (with_data)
		wr_bytes(out, v->data, v->len);
}

void vu_msg_init(struct vu_msg *m)
{
	m->len = 0;
	m->fds.cnt = 0;
	memset(&m->hdr, 0, sizeof(m->hdr));
}

void vu_msg_done(struct vu_msg *m)
{
	fd_list_done(&m->fds);
	vu_msg_init(m);
}

/* Moves @from's descriptors to the message; they are owned by one of the two at any time. */
static int fds_collect(struct vu_msg *m, struct fd_list *from)
{
	unsigned i;

	for (i = 0; i < from->cnt; i++) {
		if (m->fds.cnt == FD_MSG_FDS_MAX) {
			fd_list_done(from);
			return -EPROTO;
		}
		m->fds.fd[m->fds.cnt++] = TAKE_FD(from->fd[i]);
	}
	from->cnt = 0;
	return 0;
}

/* One read of at most what is missing up to @want bytes. */
static int msg_fill(struct vu_msg *m, int sock, size_t want)
{
	struct fd_list fds;
	ssize_t n;
	int r;

	n = fd_msg_recv(sock, m->buf + m->len, want - m->len, &fds);
	if (n < 0)
		return (int)n;
	r = fds_collect(m, &fds);
	if (r < 0)
		return r;
	if (n == 0)
		return m->len ? -EPROTO : 0;
	m->len += (size_t)n;
	return 1;
}

int vu_msg_recv(struct vu_msg *m, int sock)
{
	struct rd hdr;
	int r;

	while (m->len < VU_HDR_BYTES) {
		r = msg_fill(m, sock, VU_HDR_BYTES);
		if (r <= 0)
			return r;
	}
	hdr = rd_init(m->buf, VU_HDR_BYTES);
	r = vu_hdr_parse(&hdr, &m->hdr);
	if (r < 0)
		return r;
	while (m->len < m->hdr.size) {
		r = msg_fill(m, sock, m->hdr.size);
		if (r <= 0)
			return r;
	}
	return 1;
}

struct rd vu_msg_body(const struct vu_msg *m)
{
	must(m->len >= VU_HDR_BYTES);
	return rd_init(m->buf + VU_HDR_BYTES, m->len - VU_HDR_BYTES);
}

/* #syscalls:* fstat newfstatat fcntl(F_GETFL|F_SETFL) */
/* #syscalls-include <fcntl.h> */
int vu_eventfd_check(int fd)
{
	struct stat st;
	int fl;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_mode & S_IFMT) /* anonymous inodes have no type */
		return -EPROTO;
	fl = fcntl(fd, F_GETFL);
	if (fl < 0 || fcntl(fd, F_SETFL, fl | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}
