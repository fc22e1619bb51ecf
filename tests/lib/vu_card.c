/* SPDX-License-Identifier: Apache-2.0 */
#include "vu_card.h"

#include <errno.h>
#include <string.h>

#include "base/num.h"

static const struct pci_config_conf card_conf = {
	.vendor = 0x1d0f,
	.device = 0x8061,
	.subvendor = 0x1d0f,
	.class_code = 0x010802,
	.bar = { [0] = { .size = VU_CARD_BAR0, .is_64 = true }, [2] = { .size = VU_CARD_BAR2 } },
	.msix = { .vector_cnt = VU_CARD_VECTORS, .table_bar = 2, .pba_bar = 2, .pba_off = 2048 },
	.express = true,
	.flr = true,
	.pm = true,
};

void vu_card_init(struct vu_card *c)
{
	memset(c, 0, sizeof(*c));
	must(pci_config_init(&c->config, &card_conf) == 0);
	c->event_fd = fd_eventfd();
	c->shadow_fd = fd_memfd("card-doorbells", VU_CARD_DOORBELLS);
}

void vu_card_done(struct vu_card *c)
{
	fd_closep(&c->event_fd);
	fd_closep(&c->shadow_fd);
}

static uint64_t region_size(uint32_t idx)
{
	switch (idx) {
	case 0:
		return VU_CARD_BAR0;
	case 2:
		return VU_CARD_BAR2;
	case VU_REGION_CONFIG:
		return PCI_CFG_BYTES;
	default:
		return 0;
	}
}

static void put_region_info(struct vu_card_reply *p, uint32_t idx)
{
	vu_raw_u32(&p->msg, VU_REGION_INFO_BYTES);
	vu_raw_u32(&p->msg, region_size(idx) ? VU_REGION_F_READ | VU_REGION_F_WRITE : 0);
	vu_raw_u32(&p->msg, idx);
	vu_raw_u32(&p->msg, 0);
	vu_raw_u64(&p->msg, region_size(idx));
	vu_raw_u64(&p->msg, 0);
}

static void put_io_fds(struct vu_card *c, struct vu_card_reply *p, uint32_t idx)
{
	vu_raw_u32(&p->msg, VU_IO_FDS_BYTES + (idx == 0 ? VU_IO_FD_BYTES : 0));
	vu_raw_u32(&p->msg, 0);
	vu_raw_u32(&p->msg, idx);
	vu_raw_u32(&p->msg, idx == 0);
	if (idx)
		return;
	vu_raw_u64(&p->msg, 0x1000); /* offset in the BAR */
	vu_raw_u64(&p->msg, VU_CARD_DOORBELLS);
	vu_raw_u32(&p->msg, 0);
	vu_raw_u32(&p->msg, VU_IO_FD_SHADOW);
	vu_raw_u32(&p->msg, 0);
	vu_raw_u32(&p->msg, 1);
	vu_raw_u64(&p->msg, 0); /* offset in the memory */
	vu_raw_u64(&p->msg, 0);
	p->fds[p->fd_cnt++] = c->event_fd;
	p->fds[p->fd_cnt++] = c->shadow_fd;
}

static void put_read(struct vu_card *c, struct vu_card_reply *p, const struct vu_region_access *v)
{
	static uint8_t data[VU_XFER_MAX_BYTES];
	size_t len = (size_t)min_u64(v->len, sizeof(data));

	memset(data, 0x42, len);
	if (v->region == VU_REGION_CONFIG)
		pci_config_read(&c->config, v->off, data, len);
	vu_raw_bytes(&p->msg, data, len);
}

static void take_write(struct vu_card *c, const struct vu_region_access *v)
{
	unsigned ev;

	c->last_write_off = v->off;
	memcpy(c->last_write, v->data, (size_t)min_u64(v->len, sizeof(c->last_write)));
	if (v->region == VU_REGION_CONFIG) {
		ev = pci_config_write(&c->config, v->off, v->data, v->len);
		if (ev & PCI_EV_COMMAND)
			c->command = pci_config_command(&c->config);
	}
}

static void put_access(struct vu_card *c, const struct vu_msg *req, struct vu_card_reply *p)
{
	bool write = req->hdr.cmd == VU_REGION_WRITE;
	struct rd in = vu_msg_body(req);
	struct vu_region_access v;

	if (vu_region_access_parse(&in, write, &v) < 0)
		return;
	vu_raw_u64(&p->msg, v.off);
	vu_raw_u32(&p->msg, v.region);
	vu_raw_u32(&p->msg, v.len);
	if (write)
		take_write(c, &v);
	else
		put_read(c, p, &v);
}

static void put_version(struct vu_card_reply *p)
{
	static const char json[] =
		"{\"capabilities\":{\"max_msg_fds\":3,\"max_data_xfer_size\":1048576}}";

	vu_raw_u16(&p->msg, 0);
	vu_raw_u16(&p->msg, 1);
	vu_raw_bytes(&p->msg, json, sizeof(json));
}

static void put_words(struct vu_card_reply *p, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
	vu_raw_u32(&p->msg, a);
	vu_raw_u32(&p->msg, b);
	vu_raw_u32(&p->msg, c);
	vu_raw_u32(&p->msg, d);
}

void vu_card_answer(struct vu_card *c, const struct vu_msg *req, struct vu_card_reply *ret)
{
	uint32_t idx = req->len >= VU_HDR_BYTES + 12 ? le32_load(req->buf + VU_HDR_BYTES + 8) : 0;

	ret->fd_cnt = 0;
	ret->silent = false;
	vu_raw_begin(&ret->msg, req->hdr.msg_id, req->hdr.cmd, VU_F_REPLY, 0);
	switch (req->hdr.cmd) {
	case VU_VERSION:
		put_version(ret);
		break;
	case VU_DEVICE_GET_INFO:
		put_words(ret, VU_DEVICE_INFO_BYTES, VU_DEVICE_RESETS | VU_DEVICE_PCI, VU_REGIONS,
			  VU_IRQS);
		break;
	case VU_GET_REGION_INFO:
		put_region_info(ret, idx);
		break;
	case VU_GET_REGION_IO_FDS:
		put_io_fds(c, ret, idx);
		break;
	case VU_GET_IRQ_INFO:
		put_words(ret, VU_IRQ_INFO_BYTES, VU_IRQ_EVENTFD, idx, VU_CARD_VECTORS);
		break;
	case VU_REGION_READ:
	case VU_REGION_WRITE:
		put_access(c, req, ret);
		break;
	case VU_DMA_UNMAP:
		vu_raw_bytes(&ret->msg, req->buf + VU_HDR_BYTES, req->len - VU_HDR_BYTES);
		break;
	case VU_DEVICE_RESET:
		c->resets++;
		break;
	default: /* DMA_MAP, SET_IRQS: nothing but the header */
		break;
	}
	vu_raw_size_true(&ret->msg);
}
