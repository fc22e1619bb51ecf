/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Get Features and Set Features. Pure: values in, status and result out.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "cards/storage/nvme.h"

#define NVME_AEC_NS_ATTR (1u << 8)
#define NVME_AEC_SMART 0xffu

struct nvme_features {
	uint16_t io_queues;   /* pairs we grant, 1 …; never changes */
	uint32_t arbitration; /* kept, not followed: queues take turns */
	uint32_t error_recovery;
	uint32_t coalescing;        /* kept, not followed: one interrupt a batch */
	uint32_t vector_config[64]; /* feature 09h, by vector; bit 16: coalescing off */
	uint32_t atomicity;
	uint32_t async_events;          /* which events the guest wants: NVME_AEC_… */
	uint16_t temp_over, temp_under; /* thresholds in kelvin */
	bool write_cache;               /* off: every write is made durable before it completes */
};

/* As after a controller reset. */
void nvme_features_reset(struct nvme_features *f, uint16_t io_queues);

/**
 * nvme_features_set() / nvme_features_get()
 * @sqe:       private copy
 * @queues_up: I/O queues exist: their number cannot be asked for any more
 * @ret:       dword 0 of the completion; written always, 0 unless the feature has a result
 *
 * Nothing is changed unless the answer is success.
 * spec: nvme-1.4 §5.21, §5.9
 * Return: enum nvme_status.
 */
uint16_t nvme_features_set(struct nvme_features *f, const struct nvme_sqe *sqe, bool queues_up,
			   uint32_t *ret);
uint16_t nvme_features_get(const struct nvme_features *f, const struct nvme_sqe *sqe,
			   uint32_t *ret);
