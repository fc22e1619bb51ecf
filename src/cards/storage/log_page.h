/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Log pages and the counters behind them. Pure: counters in, bytes out.
 *
 * Whatever length a guest asks for, a page is never longer than it is: what lies beyond is not written. AWS's own
 * tool asks for 4100 bytes of a 4096-byte page with one page of memory behind the address.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "cards/storage/identify.h"
#include "cards/storage/nvme.h"

enum {
	NVME_LOG_BYTES_MAX = 4096,
	NVME_HISTOGRAM_BINS = 24, /* of EBS's 64 */
};

/* A command that failed. spec: nvme-1.4 §5.14.1.1 */
struct nvme_error {
	uint64_t number; /* 1 …; 0: no entry */
	uint16_t sqid, cid, status_phase;
	uint32_t nsid;
	uint64_t lba;
};

struct nvme_stats {
	uint64_t read_ops, write_ops; /* completed commands */
	uint64_t read_bytes, write_bytes;
	uint64_t read_us, write_us; /* sum of their times */
	uint32_t read_bin[NVME_HISTOGRAM_BINS], write_bin[NVME_HISTOGRAM_BINS];
	uint64_t media_errors;
	uint64_t error_cnt;                              /* entries ever made in the error log */
	struct nvme_error error[NVME_ERROR_LOG_ENTRIES]; /* ring by number */
};

/* What the pages need to know besides the counters. */
struct nvme_log_view {
	const struct nvme_stats *stats;
	unsigned queue_len; /* commands in work */
	bool degraded;      /* the volume does not take writes any more */
	bool ns_changed;    /* the namespace changed since this log was read */
	uint64_t uptime_ns;
};

/* nvme_stats_io(): one read or write ended well. @time_ns from fetch to completion. */
void nvme_stats_io(struct nvme_stats *s, bool write, uint32_t bytes, uint64_t time_ns);
/* nvme_stats_error(): a command failed; e->number is filled in here. */
void nvme_stats_error(struct nvme_stats *s, struct nvme_error e);

/**
 * nvme_log_page() - one page, whole
 * @lid: the guest's
 * @ret: at least as much as *ret_len is written
 * @ret_len: bytes the page has
 *
 * Return: enum nvme_status.
 */
uint16_t nvme_log_page(const struct nvme_log_view *v, uint8_t lid, uint8_t ret[NVME_LOG_BYTES_MAX],
		       size_t *ret_len);

/**
 * nvme_log_part() - which bytes of a page a command gets
 * @off, @want: the guest's, bytes
 * @have:       bytes of the page
 * @ret_len:    bytes to send from @off, at most @want
 *
 * Return: enum nvme_status: an offset beyond the page, or not a multiple of 4, is an invalid field.
 */
uint16_t nvme_log_part(uint64_t off, uint64_t want, size_t have, size_t *ret_len);
