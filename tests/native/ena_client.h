/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A guest with an ENA function in this process: memory of its own behind two DMA ranges, eventfds for interrupts, doorbells
 * as the hypervisor would store them, and the player of the stock driver (tests/lib/ena_driver.h) on top. For native tests
 * and measurements of the network card; no VM is needed.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "ena_driver.h"
#include "proto/vu_client.h"

enum {
	ENA_CLIENT_VECTORS_MAX = ENA_DRIVER_QUEUES_MAX + 1,
	ENA_CLIENT_TIMEOUT_MS = 20000,
	ENA_CLIENT_SEND_MAX = 65536, /* bytes of one packet of ena_client_send() */
};
/* Guest memory: half at 0, half at 4 GiB, with nothing in between. */
#define ENA_CLIENT_HIGH ((uint64_t)4 << 30)

struct ena_client {
	struct vu_client *vu; /* owned */
	int ram_fd;
	uint8_t *ram;
	uint64_t ram_bytes; /* both halves */
	uint64_t next;      /* byte in ram of the next free page */
	const struct vu_client_shadow *doorbells;
	int irq_fd[ENA_CLIENT_VECTORS_MAX];
	unsigned vector_cnt;
	uint64_t rings;   /* doorbells that a guest would have exited for */
	uint64_t send_at; /* ENA_CLIENT_SEND_MAX bytes */
	struct ena_driver d;
};

/**
 * ena_client_open() - connect, give memory and interrupts
 * @sock: taken, also on failure
 * @ram_bytes: multiple of 8 KiB
 * Return: 0, -errno.
 */
MUST_USE int ena_client_open(struct ena_client *c, int sock, uint64_t ram_bytes);
void ena_client_close(struct ena_client *c);

/* ena_client_up(): probe, wait for the link, @queues pairs of @depth. Return: 0, -errno. */
MUST_USE int ena_client_up(struct ena_client *c, unsigned queues, uint16_t depth);

/* ena_client_alloc(): zeroed pages, never freed. Return: guest address; 0: none left. */
uint64_t ena_client_alloc(struct ena_client *c, size_t len);
/* ena_client_p(): guest address to pointer; NULL where there is no memory. */
void *ena_client_p(struct ena_client *c, uint64_t at);
uint32_t ena_client_reg(struct ena_client *c, unsigned off);
void ena_client_reg_write(struct ena_client *c, unsigned off, uint32_t v);

/* ena_client_irq_wait(): Return: true when @vector was raised. */
bool ena_client_irq_wait(struct ena_client *c, unsigned vector, int timeout_ms);

/* ena_client_send(): one packet in pieces of at most @piece, and wait for its completion. Return: 0, -ETIMEDOUT, -EIO. */
MUST_USE int ena_client_send(struct ena_client *c, unsigned q, const void *p, size_t len,
			     size_t piece, const struct ena_driver_offload *o);

/*
 * ena_client_recv(): the next frame of any queue, as NAPI would get it: interrupt, poll, refill, unmask.
 * Return: 1, 0 none came in time, -errno of ena_driver_rx().
 */
int ena_client_recv(struct ena_client *c, void *buf, size_t cap, struct ena_driver_rx *rx,
		    int timeout_ms);
