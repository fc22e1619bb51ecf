/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a controller says about itself: an EBS volume. Pure: from the description to the 4096 bytes.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "cards/storage/nvme.h"

#define NVME_VERSION 0x00010400u /* 1.4.0 */

enum {
	NVME_MDTS = 6, /* 2^6 pages: 256 KiB */
	NVME_ERROR_LOG_ENTRIES = 64,
	NVME_AERS_MAX = 4,
	NVME_ABORTS_MAX = 4,
	NVME_WZSL = 13,       /* 2^13 pages: 32 MiB, what a 16-bit block count can say */
	NVME_DMRL = 255,      /* ranges of one discard; 256 does not fit the field */
	NVME_DMRSL = 1 << 19, /* blocks of one range: 256 MiB */
	NVME_EBS_NAME_BYTES = 32,
};

/* What tells one volume from another. Strings end with NUL and are ours, not the guest's. */
struct nvme_identity {
	char volume_id[24];   /* "vol-" and 17 hex digits */
	char device_name[64]; /* "/dev/sdf", "xvda" */
	uint64_t lba_cnt;     /* of NVME_LBA_BYTES */
	bool read_only;
};

/**
 * nvme_identify() - the data of one Identify command
 * @nsid, @cns, @csi: the guest's, unchecked
 * @ret:  every byte is written
 *
 * Pages are laid out as spec: nvme-1.4 §5.15 and the command set independent pages of later versions say; what EBS
 * puts into them is in docs (EBS identity).
 * Return: enum nvme_status.
 */
uint16_t nvme_identify(const struct nvme_identity *id, uint32_t nsid, uint8_t cns, uint8_t csi,
		       uint8_t ret[NVME_DATA_BYTES]);
