/* SPDX-License-Identifier: Apache-2.0 */

#include "cards/storage/feature.h"

#include <string.h>

enum { TEMP_OVER_DEFAULT = 343 }; /* kelvin; the composite temperature we report never reaches it */

void nvme_features_reset(struct nvme_features *f, uint16_t io_queues)
{
	unsigned i;

	memset(f, 0, sizeof(*f));
	f->io_queues = io_queues;
	f->write_cache = true;
	f->temp_over = TEMP_OVER_DEFAULT;
	f->vector_config[0] = 1u << 16; /* the admin vector never coalesces */
	for (i = 0; i < sizeof(f->vector_config) / sizeof(f->vector_config[0]); i++)
		f->vector_config[i] |= i;
}

static uint32_t queue_counts(const struct nvme_features *f)
{
	uint32_t n = f->io_queues - 1u;

	return n << 16 | n;
}

/* spec: nvme-1.4 §5.21.1.4: THSEL 21:20, TMPSEL 19:16, TMPTH 15:0. Sensor 0 (or all) is all there is. */
static uint16_t temperature_set(struct nvme_features *f, uint32_t v)
{
	uint32_t sensor = v >> 16 & 0xf;

	if (sensor != 0 && sensor != 0xf)
		return NVME_SC_INVALID_FIELD | NVME_SC_DNR;
	if ((v >> 20 & 3) > 1)
		return NVME_SC_INVALID_FIELD | NVME_SC_DNR;
	if (v >> 20 & 1)
		f->temp_under = (uint16_t)v;
	else
		f->temp_over = (uint16_t)v;
	return NVME_SC_SUCCESS;
}

static uint16_t queues_set(const struct nvme_features *f, uint32_t v, bool queues_up, uint32_t *ret)
{
	if (queues_up)
		return NVME_SC_SEQUENCE | NVME_SC_DNR;
	if ((v & 0xffff) == 0xffff || v >> 16 == 0xffff)
		return NVME_SC_INVALID_FIELD | NVME_SC_DNR;
	*ret = queue_counts(f);
	return NVME_SC_SUCCESS;
}

static uint16_t vector_set(struct nvme_features *f, uint32_t v)
{
	uint32_t vector = v & 0xffff;

	if (vector > f->io_queues)
		return NVME_SC_INVALID_FIELD | NVME_SC_DNR;
	f->vector_config[vector] = v & 0x1ffff;
	return NVME_SC_SUCCESS;
}

uint16_t nvme_features_set(struct nvme_features *f, const struct nvme_sqe *sqe, bool queues_up,
			   uint32_t *ret)
{
	uint32_t v = sqe->cdw11;

	*ret = 0;
	if (sqe->cdw10 >> 31) /* save: there is nothing to save to */
		return NVME_SC_FEATURE_NOT_SAVEABLE | NVME_SC_DNR;

	switch (sqe->cdw10 & 0xff) {
	case NVME_FEAT_ARBITRATION:
		f->arbitration = v;
		return NVME_SC_SUCCESS;
	case NVME_FEAT_POWER:
		/* One power state: 0. */
		return (v & 0x1f) == 0 ? NVME_SC_SUCCESS : NVME_SC_INVALID_FIELD | NVME_SC_DNR;
	case NVME_FEAT_TEMPERATURE:
		return temperature_set(f, v);
	case NVME_FEAT_ERROR_RECOVERY:
		if (v & 1u << 16) /* DULBE: not supported by the namespace */
			return NVME_SC_INVALID_FIELD | NVME_SC_DNR;
		f->error_recovery = v & 0xffff;
		return NVME_SC_SUCCESS;
	case NVME_FEAT_WRITE_CACHE:
		f->write_cache = v & 1;
		return NVME_SC_SUCCESS;
	case NVME_FEAT_QUEUES:
		return queues_set(f, v, queues_up, ret);
	case NVME_FEAT_COALESCING:
		f->coalescing = v & 0xffff;
		return NVME_SC_SUCCESS;
	case NVME_FEAT_VECTOR:
		return vector_set(f, v);
	case NVME_FEAT_ATOMICITY:
		f->atomicity = v & 1;
		return NVME_SC_SUCCESS;
	case NVME_FEAT_ASYNC_EVENT:
		f->async_events = v & (NVME_AEC_NS_ATTR | NVME_AEC_SMART);
		return NVME_SC_SUCCESS;
	default:
		return NVME_SC_INVALID_FIELD | NVME_SC_DNR;
	}
}

static uint16_t temperature_get(const struct nvme_features *f, uint32_t v, uint32_t *ret)
{
	if ((v >> 16 & 0xf) != 0 || (v >> 20 & 3) > 1)
		return NVME_SC_INVALID_FIELD | NVME_SC_DNR;
	*ret = v >> 20 & 1 ? f->temp_under : f->temp_over;
	return NVME_SC_SUCCESS;
}

static uint16_t vector_get(const struct nvme_features *f, uint32_t v, uint32_t *ret)
{
	if ((v & 0xffff) > f->io_queues)
		return NVME_SC_INVALID_FIELD | NVME_SC_DNR;
	*ret = f->vector_config[v & 0xffff];
	return NVME_SC_SUCCESS;
}

uint16_t nvme_features_get(const struct nvme_features *f, const struct nvme_sqe *sqe, uint32_t *ret)
{
	*ret = 0;
	if (sqe->cdw10 >> 8 & 7) /* default, saved, capabilities: ONCS says no */
		return NVME_SC_INVALID_FIELD | NVME_SC_DNR;

	switch (sqe->cdw10 & 0xff) {
	case NVME_FEAT_ARBITRATION:
		*ret = f->arbitration;
		return NVME_SC_SUCCESS;
	case NVME_FEAT_POWER:
		return NVME_SC_SUCCESS;
	case NVME_FEAT_TEMPERATURE:
		return temperature_get(f, sqe->cdw11, ret);
	case NVME_FEAT_ERROR_RECOVERY:
		*ret = f->error_recovery;
		return NVME_SC_SUCCESS;
	case NVME_FEAT_WRITE_CACHE:
		*ret = f->write_cache;
		return NVME_SC_SUCCESS;
	case NVME_FEAT_QUEUES:
		*ret = queue_counts(f);
		return NVME_SC_SUCCESS;
	case NVME_FEAT_COALESCING:
		*ret = f->coalescing;
		return NVME_SC_SUCCESS;
	case NVME_FEAT_VECTOR:
		return vector_get(f, sqe->cdw11, ret);
	case NVME_FEAT_ATOMICITY:
		*ret = f->atomicity;
		return NVME_SC_SUCCESS;
	case NVME_FEAT_ASYNC_EVENT:
		*ret = f->async_events;
		return NVME_SC_SUCCESS;
	default:
		return NVME_SC_INVALID_FIELD | NVME_SC_DNR;
	}
}
