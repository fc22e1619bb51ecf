/* SPDX-License-Identifier: Apache-2.0 */

#include "cards/storage/log_page.h"

#include <string.h>

#include "base/bytes.h"
#include "base/num.h"

#define EBS_MAGIC 0x3C23B510u
enum { TEMPERATURE_K = 300, EBS_HISTOGRAM_BINS = 64 };

/* Bin 0: below 1 us; bin n: [2^(n-1), 2^n) us; the last one takes the rest. */
static unsigned bin_of(uint64_t us)
{
	unsigned n = us ? 64u - (unsigned)__builtin_clzll(us) : 0;

	return n < NVME_HISTOGRAM_BINS ? n : NVME_HISTOGRAM_BINS - 1;
}

void nvme_stats_io(struct nvme_stats *s, bool write, uint32_t bytes, uint64_t time_ns)
{
	uint64_t us = time_ns / 1000;

	if (write) {
		s->write_ops++;
		s->write_bytes += bytes;
		s->write_us += us;
		s->write_bin[bin_of(us)]++;
	} else {
		s->read_ops++;
		s->read_bytes += bytes;
		s->read_us += us;
		s->read_bin[bin_of(us)]++;
	}
}

void nvme_stats_error(struct nvme_stats *s, struct nvme_error e)
{
	uint16_t status = e.status_phase >> 1;

	e.number = ++s->error_cnt;
	s->error[(e.number - 1) % NVME_ERROR_LOG_ENTRIES] = e;
	if ((status & 0x700) == 0x200)
		s->media_errors++;
}

/* Newest first. */
static size_t error_page(const struct nvme_stats *s, uint8_t *p)
{
	uint64_t n = min_u64(s->error_cnt, NVME_ERROR_LOG_ENTRIES), i;

	for (i = 0; i < n; i++, p += 64) {
		const struct nvme_error *e =
			&s->error[(s->error_cnt - 1 - i) % NVME_ERROR_LOG_ENTRIES];

		le64_store(p + 0, e->number);
		le16_store(p + 8, e->sqid);
		le16_store(p + 10, e->cid);
		le16_store(p + 12, e->status_phase);
		le16_store(p + 14, 0xffff); /* no particular parameter */
		le64_store(p + 16, e->lba);
		le32_store(p + 24, e->nsid);
	}
	return 64 * NVME_ERROR_LOG_ENTRIES;
}

/* spec: nvme-1.4 §5.14.1.2: counters of 16 bytes; data units are thousands of 512 bytes, rounded up. */
static size_t smart_page(const struct nvme_log_view *v, uint8_t *p)
{
	const struct nvme_stats *s = v->stats;

	p[0] = v->degraded ? 0x0c : 0; /* reliability degraded, media read only */
	le16_store(p + 1, TEMPERATURE_K);
	p[3] = 100; /* available spare, % */
	p[4] = 10;  /* its threshold */
	le64_store(p + 32, (s->read_bytes + 511999) / 512000);
	le64_store(p + 48, (s->write_bytes + 511999) / 512000);
	le64_store(p + 64, s->read_ops);
	le64_store(p + 80, s->write_ops);
	le64_store(p + 96, (s->read_us + s->write_us) / 60000000); /* busy minutes */
	le64_store(p + 112, 1);                                    /* power cycles */
	le64_store(p + 128, v->uptime_ns / 3600000000000u);        /* hours */
	le64_store(p + 160, s->media_errors);
	le64_store(p + 176, s->error_cnt);
	return 512;
}

static size_t firmware_page(uint8_t *p)
{
	p[0] = 1; /* slot 1 is active */
	memcpy(p + 8, "2.0     ", 8);
	return 512;
}

static size_t changed_ns_page(const struct nvme_log_view *v, uint8_t *p)
{
	if (v->ns_changed)
		le32_store(p, NVME_NSID);
	return 4096;
}

static void histogram_put(uint8_t *p, const uint32_t bin[NVME_HISTOGRAM_BINS])
{
	unsigned i;

	le64_store(p, NVME_HISTOGRAM_BINS);
	for (i = 0, p += 8; i < NVME_HISTOGRAM_BINS; i++, p += 24) {
		bool last = i == NVME_HISTOGRAM_BINS - 1;

		le64_store(p + 0, i ? (uint64_t)1 << (i - 1) : 0);
		le64_store(p + 8, last ? UINT64_MAX : (uint64_t)1 << i);
		le32_store(p + 16, bin[i]);
	}
}

/* AWS, "EBS detailed performance statistics": nvme-cli plugin amzn. */
static size_t ebs_page(const struct nvme_log_view *v, uint8_t *p)
{
	const struct nvme_stats *s = v->stats;

	le32_store(p + 0, EBS_MAGIC);
	le64_store(p + 8, s->read_ops);
	le64_store(p + 16, s->write_ops);
	le64_store(p + 24, s->read_bytes);
	le64_store(p + 32, s->write_bytes);
	le64_store(p + 40, s->read_us);
	le64_store(p + 48, s->write_us);
	le64_store(p + 88, v->queue_len);
	histogram_put(p + 512, s->read_bin);
	histogram_put(p + 512 + 8 + EBS_HISTOGRAM_BINS * 24, s->write_bin);
	return 4096;
}

uint16_t nvme_log_page(const struct nvme_log_view *v, uint8_t lid, uint8_t ret[NVME_LOG_BYTES_MAX],
		       size_t *ret_len)
{
	memset(ret, 0, NVME_LOG_BYTES_MAX);

	switch (lid) {
	case NVME_LOG_ERROR:
		*ret_len = error_page(v->stats, ret);
		return NVME_SC_SUCCESS;
	case NVME_LOG_SMART:
		*ret_len = smart_page(v, ret);
		return NVME_SC_SUCCESS;
	case NVME_LOG_FIRMWARE:
		*ret_len = firmware_page(ret);
		return NVME_SC_SUCCESS;
	case NVME_LOG_CHANGED_NS:
		*ret_len = changed_ns_page(v, ret);
		return NVME_SC_SUCCESS;
	case NVME_LOG_EBS_STATS:
		*ret_len = ebs_page(v, ret);
		return NVME_SC_SUCCESS;
	default:
		return NVME_SC_INVALID_LOG | NVME_SC_DNR;
	}
}

uint16_t nvme_log_part(uint64_t off, uint64_t want, size_t have, size_t *ret_len)
{
	if (off % 4 || off > have)
		return NVME_SC_INVALID_FIELD | NVME_SC_DNR;

	*ret_len = min_u64(want, have - off);
	return NVME_SC_SUCCESS;
}
