/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The card's half of vfio-user: one connection, one PCI function.
 *
 * Driven by the card's own loop: wait for vu_server_events() on vu_server_fd(), then call vu_server_handle(). One
 * request is worked on at a time and answered before the next is read. Configuration space (region 7), interrupt
 * descriptors and the DMA table are kept here; the device model implements struct vu_server_ops.
 *
 * DMA unmap and reset are promises: when they are answered, no I/O in flight touches the memory any more. The
 * server asks the model to quiesce; a model that still has I/O says -EINPROGRESS and calls vu_server_resume() as it
 * drains; the answer (and every later request) waits until it is idle and no span is pinned.
 *
 * All functions of one server are called from one thread, except vu_server_irq().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "proto/gmem.h"
#include "proto/pci.h"
#include "proto/vfio_user.h"

struct vu_server;

/* The device model. @dev is what vu_server_conf names. */
struct vu_server_ops {
	/*
	 * Access to a BAR: @off and @len lie inside the region (checked), @len is 1 … VU_XFER_MAX_BYTES. Alignment and
	 * meaning are the model's matter: an access it does not know reads as zero. @buf is zeroed before a read.
	 * Return: 0, or -errno, which becomes the error of the reply.
	 */
	int (*region_access)(void *dev, unsigned region, uint64_t off, void *buf, size_t len,
			     bool write);

	/*
	 * Stop using guest memory: complete or drop what is in flight, put back every span. @reset: DEVICE_RESET or FLR,
	 * the device state goes to power-on too. Called again (same @reset) by vu_server_resume() until it returns 0.
	 * After an unmap without reset the model goes on when vu_server calls @resume.
	 * Return: 0 idle, -EINPROGRESS not yet.
	 */
	int (*quiesce)(void *dev, bool reset);
	void (*resume)(void *dev);

	/* May be NULL: bits of enum pci_event after a write to configuration space (FLR is handled by the server). */
	void (*config_changed)(void *dev, unsigned events);
};

/* A part of a BAR whose writes arrive in shared memory: value first, then a signal of the eventfd. */
struct vu_server_shadow {
	unsigned region;    /* BAR 0 … 5 */
	uint64_t off, size; /* in the BAR; multiples of 4 */
	int event_fd;       /* borrowed; the model reads it */
	int mem_fd;         /* borrowed memfd; -1: plain ioeventfd, the value is lost */
	uint64_t mem_off;   /* where the byte at @off is stored */
};

struct vu_server_conf {
	const struct vu_server_ops *ops; /* borrowed for ever */
	void *dev;                       /* borrowed until vu_server_free() */
	struct pci_config *config; /* borrowed; region 7, BAR sizes and MSI-X count come from it */
	struct gmem *mem;          /* borrowed; table filled by DMA_MAP */
	struct vu_server_shadow shadow[VU_IO_FDS_MAX];
	unsigned shadow_cnt;
	/* Sparse mmap (optional): parts of a BAR a client may map itself. */
	int region_fd
		[PCI_BARS_MAX]; /* borrowed memfd of the BAR's size, or -1. Only looked at when area_cnt > 0 */
	struct vu_area area[PCI_BARS_MAX][VU_AREAS_MAX];
	unsigned area_cnt[PCI_BARS_MAX];
};

/**
 * vu_server_new() - serve a connected socket
 * @sock: stream socket; taken (also on failure); made non-blocking
 * @conf: copied
 *
 * Return: 0, -EINVAL a configuration that makes no sense, -ENOMEM, -errno.
 */
MUST_USE int vu_server_new(int sock, const struct vu_server_conf *conf, struct vu_server **ret);
/*
 * vu_server_free(): closes socket and interrupt descriptors and empties the DMA table. The model must be quiet: no span
 * held. NULL is fine.
 */
void vu_server_free(struct vu_server *s);
void vu_server_freep(struct vu_server **s);

int vu_server_fd(const struct vu_server *s);
/* vu_server_events(): EPOLLIN, EPOLLOUT or 0; ask again after each call into the server. */
uint32_t vu_server_events(const struct vu_server *s);

/**
 * vu_server_handle() - the socket is ready: work on a bounded number of requests
 *
 * Return: 0 go on, -ECONNRESET the client went away, -EPROTO it broke the protocol beyond an error reply, -errno. On
 * every failure the caller quiesces the model and frees the server.
 */
MUST_USE int vu_server_handle(struct vu_server *s);

/* vu_server_resume(): the model made progress on a quiesce. Cheap when none is going on. Return: as vu_server_handle(). */
MUST_USE int vu_server_resume(struct vu_server *s);

/**
 * vu_server_irq() - signal an MSI-X vector
 *
 * Nothing happens when the vector has no descriptor. Any thread: descriptors change only while the model is quiet
 * (SET_IRQS is answered by the loop thread, which takes the same lock).
 */
void vu_server_irq(struct vu_server *s, unsigned vector);

/* vu_server_idle(): no request is waiting for a quiesce. */
MUST_USE bool vu_server_idle(const struct vu_server *s);
