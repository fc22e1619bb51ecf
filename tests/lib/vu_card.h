/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A card made of cardboard: answers vfio-user requests as a small NVMe-like function would, without any server code
 * of ours, so that a test can make single answers lie. One function, BAR 0 of 16 KiB with a doorbell page at 0x1000,
 * BAR 2 of 4 KiB with MSI-X for five vectors.
 */

#include "proto/pci.h"
#include "vu_raw.h"

enum { VU_CARD_BAR0 = 16384, VU_CARD_BAR2 = 4096, VU_CARD_VECTORS = 5, VU_CARD_DOORBELLS = 4096 };

struct vu_card {
	struct pci_config config;
	int event_fd, shadow_fd; /* owned; what GET_REGION_IO_FDS hands out */
	unsigned resets;
	uint16_t command; /* as last written */
	uint8_t last_write[8];
	uint64_t last_write_off;
};

/* One answer, before it is sent. */
struct vu_card_reply {
	struct vu_raw msg;
	int fds[VU_FDS_MAX + 4]; /* borrowed */
	unsigned fd_cnt;
	bool silent; /* do not send it */
};

void vu_card_init(struct vu_card *c);
void vu_card_done(struct vu_card *c);
/* vu_card_answer(): the honest reply to a complete request. */
void vu_card_answer(struct vu_card *c, const struct vu_msg *req, struct vu_card_reply *ret);
