/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/num.h"
#include "hypervisor/assign.h"
#include "proto/vu_client.h"

/*
 * A card's function over vfio-user. What the card says about itself is turned into struct assign_info here; vu_client
 * has checked that the numbers are possible, this file checks that they make a PCI function, and pci.c builds the
 * guest's view from nothing else. Capabilities other than MSI-X are not taken over: the guest sees our own PCI Express
 * (with FLR) and power management.
 */

enum {
	BAR_IO = 0x1,
	BAR_TYPE_MASK = 0x6,
	BAR_TYPE_64 = 0x4,
	BAR_PREFETCH = 0x8,
	HEADER_TYPE_MASK = 0x7f,
	MSIX_CAP_BYTES = 12,
	MSIX_BIR_MASK = 7,
};

void assign_free(struct assign *a)
{
	if (!a)
		return;
	a->ops->free(a->p);
	free(a);
}

void assign_freep(struct assign **a)
{
	assign_free(*a);
	*a = NULL;
}

/* The answer to a failed read is all ones already; a failed write has nobody to tell. Both are the card's matter. */
static void on_error(int r)
{
	if (r < 0 && r != -ENOTCONN)
		log_warn_limited("hv.card.access_failed", "err=%d", -r);
}

static void vu_read(void *p, unsigned bar, uint64_t off, void *buf, size_t len)
{
	on_error(vu_client_read(p, bar, off, buf, len));
}

static void vu_write(void *p, unsigned bar, uint64_t off, const void *buf, size_t len)
{
	on_error(vu_client_write(p, bar, off, buf, len));
}

static void vu_command(void *p, uint16_t command)
{
	uint8_t b[2];

	le16_store(b, command);
	on_error(vu_client_write(p, VU_REGION_CONFIG, PCI_CFG_COMMAND, b, sizeof(b)));
}

static int vu_irqs_set(void *p, const int *fds, unsigned cnt)
{
	return vu_client_irqs_set(p, fds, cnt);
}

static int vu_reset(void *p)
{
	return vu_client_reset(p);
}

static int vu_dma_map(void *p, uint64_t gpa, uint64_t len, int fd, uint64_t fd_off)
{
	return vu_client_dma_map(p, gpa, len, VU_DMA_READ | VU_DMA_WRITE, fd, fd_off);
}

static int vu_dma_unmap(void *p, uint64_t gpa, uint64_t len)
{
	return vu_client_dma_unmap(p, gpa, len);
}

static int vu_watch_fd(void *p)
{
	return vu_client_fd(p);
}

static void vu_hangup(void *p)
{
	vu_client_lose(p);
}

static bool vu_lost(void *p)
{
	return vu_client_lost(p);
}

static void vu_free(void *p)
{
	vu_client_free(p);
}

static const struct assign_ops vfio_user_ops = {
	.provider = "vfio-user",
	.read = vu_read,
	.write = vu_write,
	.command = vu_command,
	.irqs_set = vu_irqs_set,
	.reset = vu_reset,
	.dma_map = vu_dma_map,
	.dma_unmap = vu_dma_unmap,
	.watch_fd = vu_watch_fd,
	.hangup = vu_hangup,
	.lost = vu_lost,
	.free = vu_free,
};

/* BARs in I/O space do not exist for our guests; smaller ones than a page are shown as a page. */
static void bars_set(const struct vu_client_info *vu, struct pci_config_conf *conf)
{
	unsigned i;

	for (i = 0; i < PCI_BARS_MAX; i++) {
		uint8_t type = vu->config[PCI_CFG_BAR0 + 4 * i];
		struct pci_bar *b = &conf->bar[i];

		if (!vu->region_size[i] || (type & BAR_IO))
			continue;
		b->size = max_u64(vu->region_size[i], PCI_BAR_MIN_BYTES);
		b->is_64 = (type & BAR_TYPE_MASK) == BAR_TYPE_64;
		b->prefetchable = type & BAR_PREFETCH;
	}
}

static int msix_set(const struct vu_client_info *vu, struct pci_msix_conf *x)
{
	int cap = pci_caps_find(vu->config, PCI_CAP_MSIX, MSIX_CAP_BYTES);
	uint32_t table, pba;

	if (cap < 0 || !vu->msix_cnt)
		return cap == -ENOENT || cap >= 0 ? 0 : cap;
	table = le32_load(vu->config + cap + 4);
	pba = le32_load(vu->config + cap + 8);
	x->vector_cnt = (uint16_t)vu->msix_cnt;
	x->table_bar = table & MSIX_BIR_MASK;
	x->table_off = table & ~(uint32_t)MSIX_BIR_MASK;
	x->pba_bar = pba & MSIX_BIR_MASK;
	x->pba_off = pba & ~(uint32_t)MSIX_BIR_MASK;
	return 0;
}

static int info_set(struct vu_client *c, struct assign_info *info)
{
	const struct vu_client_info *vu = vu_client_info(c);
	struct pci_config_conf *conf = &info->conf;
	const struct vu_client_shadow *w;
	unsigned cnt, i;
	int r;

	if (!vu->resets || (vu->config[PCI_CFG_HEADER_TYPE] & HEADER_TYPE_MASK))
		return -EPROTO; /* a guest's reboot needs the reset; only type 0 is an endpoint */
	conf->vendor = le16_load(vu->config + PCI_CFG_VENDOR);
	conf->device = le16_load(vu->config + PCI_CFG_DEVICE);
	conf->subvendor = le16_load(vu->config + PCI_CFG_SUBVENDOR);
	conf->subdevice = le16_load(vu->config + PCI_CFG_SUBDEVICE);
	conf->revision = vu->config[PCI_CFG_REVISION];
	conf->class_code = le32_load(vu->config + PCI_CFG_REVISION) >> 8;
	conf->express = true;
	conf->flr = true;
	conf->pm = true;
	bars_set(vu, conf);
	r = msix_set(vu, &conf->msix);
	if (r < 0)
		return r;
	w = vu_client_shadows(c, &cnt);
	for (i = 0; i < cnt && info->area_cnt < ASSIGN_AREAS_MAX; i++, w++) {
		if (!conf->bar[w->region].size)
			continue;
		info->area[info->area_cnt++] = (struct assign_area){
			.kind = w->mem ? ASSIGN_AREA_SHADOW : ASSIGN_AREA_EVENT,
			.bar = w->region,
			.off = w->off,
			.size = w->size,
			.event_fd = w->event_fd,
			.mem = w->mem,
		};
	}
	return pci_config_conf_check(conf) < 0 ? -EPROTO : 0;
}

int assign_vfio_user_new(int sock, const struct assign_ram *ram, unsigned ram_cnt,
			 struct assign **ret)
{
	CLEANUP(vu_client_freep) struct vu_client *c = NULL;
	CLEANUP(free_p) struct assign *a = NULL;
	unsigned i;
	int r;

	r = vu_client_new(sock, 0, &c);
	if (r < 0)
		return r;
	a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	r = info_set(c, &a->info);
	if (r < 0)
		return r;
	for (i = 0; i < ram_cnt; i++) {
		r = vu_dma_map(c, ram[i].gpa, ram[i].len, ram[i].fd, ram[i].fd_off);
		if (r < 0)
			return r;
	}
	a->ops = &vfio_user_ops;
	a->p = TAKE_PTR(c);
	*ret = TAKE_PTR(a);
	return 0;
}
