/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The vfio-user protocol on the wire: structs, parsers and writers, nothing that keeps state but the reassembly of
 * a message from a stream. docs/wire/vfio-user.md says which parts we speak.
 *
 * Parsers look at the numbers of one message alone; whether a region index or a range means anything is for the
 * server or client to decide. Every parser returns -EPROTO on bytes that cannot be that message.
 *
 * spec: vfio-user (libvfio-user efd091b; text in QEMU docs/interop/vfio-user.rst)
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/fd.h"

enum {
	VU_VERSION_MAJOR = 0,
	VU_VERSION_MINOR = 1,

	VU_HDR_BYTES = 16,
	VU_MSG_MAX_BYTES = 8192,  /* header included; what we send and take */
	VU_XFER_MAX_BYTES = 4096, /* data of one region access: our max_data_xfer_size */
	VU_FDS_MAX = 16,          /* descriptors in one message: our max_msg_fds */
	VU_DMA_MAPS_MAX = 64,     /* = GMEM_REGIONS_MAX */
	VU_AREAS_MAX = 8,         /* sparse mmap areas of one region */
	VU_IO_FDS_MAX = 16,       /* sub-regions in one GET_REGION_IO_FDS answer */

	/* struct sizes on the wire */
	VU_VERSION_BYTES = 4,
	VU_DMA_MAP_BYTES = 32,
	VU_DMA_UNMAP_BYTES = 24,
	VU_DEVICE_INFO_BYTES = 16,
	VU_REGION_INFO_BYTES = 32,
	VU_IO_FDS_BYTES = 16,
	VU_IO_FD_BYTES = 48,       /* one sub-region as we write it */
	VU_IO_FD_SHORT_BYTES = 40, /* as servers without shadow memory may write it */
	VU_IRQ_INFO_BYTES = 16,
	VU_IRQ_SET_BYTES = 20,
	VU_REGION_ACCESS_BYTES = 16,

	/* PCI regions and interrupt types */
	VU_REGION_BAR0 = 0,
	VU_REGION_BAR5 = 5,
	VU_REGION_ROM = 6,
	VU_REGION_CONFIG = 7,
	VU_REGION_VGA = 8,
	VU_REGIONS = 9,
	VU_IRQ_MSIX = 2,
	VU_IRQS = 5, /* INTx, MSI, MSI-X, error, request */
};

enum vu_cmd {
	VU_VERSION = 1,
	VU_DMA_MAP = 2,
	VU_DMA_UNMAP = 3,
	VU_DEVICE_GET_INFO = 4,
	VU_GET_REGION_INFO = 5,
	VU_GET_REGION_IO_FDS = 6,
	VU_GET_IRQ_INFO = 7,
	VU_SET_IRQS = 8,
	VU_REGION_READ = 9,
	VU_REGION_WRITE = 10,
	VU_DEVICE_RESET = 13,
};

enum vu_hdr_flags {
	VU_F_TYPE_MASK = 0xf,
	VU_F_REPLY = 0x1,
	VU_F_NO_REPLY = 0x10,
	VU_F_ERROR = 0x20,
};

enum vu_dma_flags {
	VU_DMA_READ = 1,
	VU_DMA_WRITE = 2,
	VU_DMA_MMAP = 4, /* libvfio-user's addition: "map the descriptor", which we do anyway */
};
enum vu_dma_unmap_flags { VU_DMA_UNMAP_ALL = 2 };
enum vu_device_flags { VU_DEVICE_RESETS = 1, VU_DEVICE_PCI = 2 };
enum vu_region_flags {
	VU_REGION_F_READ = 1,
	VU_REGION_F_WRITE = 2,
	VU_REGION_F_MMAP = 4,
	VU_REGION_F_CAPS = 8
};
enum vu_irq_info_flags {
	VU_IRQ_EVENTFD = 1,
	VU_IRQ_MASKABLE = 2,
	VU_IRQ_AUTOMASKED = 4,
	VU_IRQ_NORESIZE = 8
};
enum vu_irq_set_flags {
	VU_IRQ_DATA_NONE = 1,
	VU_IRQ_DATA_BOOL = 2,
	VU_IRQ_DATA_EVENTFD = 4,
	VU_IRQ_ACTION_MASK = 8,
	VU_IRQ_ACTION_UNMASK = 16,
	VU_IRQ_ACTION_TRIGGER = 32,
};
enum vu_io_fd_type { VU_IO_FD_IOEVENTFD = 0, VU_IO_FD_IOREGIONFD = 1, VU_IO_FD_SHADOW = 2 };

struct vu_hdr {
	uint16_t msg_id;
	uint16_t cmd;   /* enum vu_cmd, or anything */
	uint32_t size;  /* bytes, header included; VU_HDR_BYTES … VU_MSG_MAX_BYTES once parsed */
	uint32_t flags; /* enum vu_hdr_flags */
	uint32_t error; /* errno of a reply with VU_F_ERROR */
};

/* VERSION, both ways. Capabilities a peer leaves out have the specification's defaults. */
struct vu_version {
	uint16_t major, minor;
	uint64_t max_msg_fds;
	uint64_t max_data_xfer_size;
	uint64_t max_dma_maps;
	uint64_t pgsizes; /* sizes or-ed together */
};

struct vu_dma_map {
	uint32_t argsz, flags;
	uint64_t fd_off, addr, size;
};

struct vu_dma_unmap {
	uint32_t argsz, flags;
	uint64_t addr, size;
};

struct vu_device_info {
	uint32_t argsz, flags, region_cnt, irq_cnt;
};

struct vu_area {
	uint64_t off, size; /* inside the region */
};

struct vu_region_info {
	uint32_t argsz; /* bytes of the whole reply, capabilities included */
	uint32_t flags, index, cap_off;
	uint64_t size, fd_off;
	unsigned area_cnt; /* sparse mmap areas that follow */
	struct vu_area area[VU_AREAS_MAX];
};

/* One way to learn of writes to a part of a region without a message. */
struct vu_io_fd {
	uint64_t off, size; /* inside the region */
	uint32_t fd_idx;    /* which descriptor of the message */
	uint32_t type;      /* enum vu_io_fd_type */
	uint32_t flags;     /* KVM_IOEVENTFD_FLAG_… */
	uint32_t shadow_fd_idx;
	uint64_t shadow_off; /* in that descriptor: where the byte at @off is stored */
	uint64_t datamatch;
};

struct vu_io_fds {
	uint32_t argsz, flags, index, cnt;
	struct vu_io_fd io[VU_IO_FDS_MAX];
};

struct vu_irq_info {
	uint32_t argsz, flags, index, cnt;
};

struct vu_irq_set {
	uint32_t argsz, flags, index, start, cnt;
	const uint8_t *bools; /* @cnt of them inside the message; NULL without VU_IRQ_DATA_BOOL */
};

struct vu_region_access {
	uint64_t off;
	uint32_t region, len;
	const uint8_t *
		data; /* @len bytes inside the message; NULL for a read's request and a write's reply */
};

MUST_USE int vu_hdr_parse(struct rd *in, struct vu_hdr *ret);
void vu_hdr_write(struct wr *out, const struct vu_hdr *h);

/* vu_version_parse(): the JSON text ends with one NUL at the end of the message, or is absent. */
MUST_USE int vu_version_parse(struct rd *in, struct vu_version *ret);
void vu_version_write(struct wr *out, const struct vu_version *v);

MUST_USE int vu_dma_map_parse(struct rd *in, struct vu_dma_map *ret);
void vu_dma_map_write(struct wr *out, const struct vu_dma_map *v);
MUST_USE int vu_dma_unmap_parse(struct rd *in, struct vu_dma_unmap *ret);
void vu_dma_unmap_write(struct wr *out, const struct vu_dma_unmap *v);
MUST_USE int vu_device_info_parse(struct rd *in, struct vu_device_info *ret);
void vu_device_info_write(struct wr *out, const struct vu_device_info *v);
/* A request has no capabilities; a reply has them when flags say so and argsz says the message holds them all. */
MUST_USE int vu_region_info_parse(struct rd *in, struct vu_region_info *ret);
void vu_region_info_write(struct wr *out, const struct vu_region_info *v);
/* vu_region_info_bytes(): the whole reply with @area_cnt sparse mmap areas. */
uint32_t vu_region_info_bytes(unsigned area_cnt);
MUST_USE int vu_io_fds_request_parse(struct rd *in, struct vu_io_fds *ret);
void vu_io_fds_request_write(struct wr *out, const struct vu_io_fds *v);
MUST_USE int vu_io_fds_reply_parse(struct rd *in, struct vu_io_fds *ret);
void vu_io_fds_reply_write(struct wr *out, const struct vu_io_fds *v);
MUST_USE int vu_irq_info_parse(struct rd *in, struct vu_irq_info *ret);
void vu_irq_info_write(struct wr *out, const struct vu_irq_info *v);
MUST_USE int vu_irq_set_parse(struct rd *in, struct vu_irq_set *ret);
void vu_irq_set_write(struct wr *out, const struct vu_irq_set *v);
/* @with_data: the message carries the bytes (a write's request, a read's reply). */
MUST_USE int vu_region_access_parse(struct rd *in, bool with_data, struct vu_region_access *ret);
void vu_region_access_write(struct wr *out, bool with_data, const struct vu_region_access *v);

/*
 * One message being put together. Bytes of the next message are never read, so every descriptor is known to belong
 * to the message whose bytes it came with.
 */
struct vu_msg {
	uint8_t buf[VU_MSG_MAX_BYTES];
	size_t len;         /* bytes here so far */
	struct vu_hdr hdr;  /* valid once len >= VU_HDR_BYTES */
	struct fd_list fds; /* owned */
};

void vu_msg_init(struct vu_msg *m);
/* vu_msg_done(): closes descriptors nobody took; ready for the next message. */
void vu_msg_done(struct vu_msg *m);

/**
 * vu_msg_recv() - read what there is of one message
 * @sock: non-blocking stream socket
 *
 * Return: 1 complete, -EAGAIN more to come, 0 the peer closed between messages, -EPROTO (closed inside a message,
 * a header that lies, too many descriptors), or -errno.
 */
MUST_USE int vu_msg_recv(struct vu_msg *m, int sock);

/* vu_msg_body(): cursor over the payload of a complete message. */
struct rd vu_msg_body(const struct vu_msg *m);

/**
 * vu_eventfd_check() - a descriptor that came as an eventfd: make it one that cannot block us
 *
 * The kernel does not tell an eventfd from other anonymous descriptors; files, sockets, pipes and devices are
 * refused. It becomes non-blocking.
 * Return: 0, -EPROTO, -errno.
 */
MUST_USE int vu_eventfd_check(int fd);
