/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Cursors over bytes. Every read is checked; the first overrun is remembered in ->bad, later reads
 * give zero, and the parser asks once at its end. Writers work alike.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct rd {
	const uint8_t *p; /* borrowed */
	size_t left;      /* bytes */
	bool bad;         /* a read went past the end */
};

struct wr {
	uint8_t *p; /* borrowed */
	size_t cap; /* bytes in all */
	size_t len; /* bytes written */
	bool bad;   /* a write did not fit; nothing of it was written */
};

struct rd rd_init(const void *p, size_t len);
uint8_t rd_u8(struct rd *r);
uint16_t rd_le16(struct rd *r);
uint32_t rd_le32(struct rd *r);
uint64_t rd_le64(struct rd *r);
uint16_t rd_be16(struct rd *r);
uint32_t rd_be32(struct rd *r);
uint64_t rd_be64(struct rd *r);
void rd_bytes(struct rd *r, void *ret, size_t len); /* on overrun ret is zeroed */
void rd_skip(struct rd *r, size_t len);

struct wr wr_init(void *p, size_t cap);
void wr_u8(struct wr *w, uint8_t v);
void wr_le16(struct wr *w, uint16_t v);
void wr_le32(struct wr *w, uint32_t v);
void wr_le64(struct wr *w, uint64_t v);
void wr_be16(struct wr *w, uint16_t v);
void wr_be32(struct wr *w, uint32_t v);
void wr_be64(struct wr *w, uint64_t v);
void wr_bytes(struct wr *w, const void *p, size_t len);
void wr_zero(struct wr *w, size_t len);

/* Unaligned little-endian and big-endian access to private buffers whose size is known good. */
uint16_t le16_load(const void *p);
uint32_t le32_load(const void *p);
uint64_t le64_load(const void *p);
void le16_store(void *p, uint16_t v);
void le32_store(void *p, uint32_t v);
void le64_store(void *p, uint64_t v);
uint16_t be16_load(const void *p);
uint32_t be32_load(const void *p);
void be16_store(void *p, uint16_t v);
void be32_store(void *p, uint32_t v);
