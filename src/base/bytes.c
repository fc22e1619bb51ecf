/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bytes.h"

#include <string.h>

/* Loads and stores are written as shifts, so that they mean the same on every machine and alignment. */

uint16_t le16_load(const void *p)
{
	const uint8_t *b = p;

	return (uint16_t)(b[0] | (uint32_t)b[1] << 8);
}

uint32_t le32_load(const void *p)
{
	const uint8_t *b = p;

	return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

uint64_t le64_load(const void *p)
{
	const uint8_t *b = p;

	return (uint64_t)le32_load(b) | (uint64_t)le32_load(b + 4) << 32;
}

void le16_store(void *p, uint16_t v)
{
	uint8_t *b = p;

	b[0] = (uint8_t)v;
	b[1] = (uint8_t)(v >> 8);
}

void le32_store(void *p, uint32_t v)
{
	uint8_t *b = p;

	le16_store(b, (uint16_t)v);
	le16_store(b + 2, (uint16_t)(v >> 16));
}

void le64_store(void *p, uint64_t v)
{
	uint8_t *b = p;

	le32_store(b, (uint32_t)v);
	le32_store(b + 4, (uint32_t)(v >> 32));
}

struct rd rd_init(const void *p, size_t len)
{
	return (struct rd){ .p = p, .left = len };
}

/* The next len bytes, or NULL: then the cursor is bad for ever and has nothing left. */
static const uint8_t *rd_need(struct rd *r, size_t len)
{
	const uint8_t *p = r->p;

	if (r->bad || len > r->left) {
		r->bad = true;
		r->left = 0;
		return NULL;
	}
	r->p += len;
	r->left -= len;
	return p;
}

uint8_t rd_u8(struct rd *r)
{
	const uint8_t *p = rd_need(r, 1);

	return p ? *p : 0;
}

uint16_t rd_le16(struct rd *r)
{
	const uint8_t *p = rd_need(r, 2);

	return p ? le16_load(p) : 0;
}

uint32_t rd_le32(struct rd *r)
{
	const uint8_t *p = rd_need(r, 4);

	return p ? le32_load(p) : 0;
}

uint64_t rd_le64(struct rd *r)
{
	const uint8_t *p = rd_need(r, 8);

	return p ? le64_load(p) : 0;
}

uint16_t rd_be16(struct rd *r)
{
	return __builtin_bswap16(rd_le16(r));
}

uint32_t rd_be32(struct rd *r)
{
	return __builtin_bswap32(rd_le32(r));
}

uint64_t rd_be64(struct rd *r)
{
	return __builtin_bswap64(rd_le64(r));
}

void rd_bytes(struct rd *r, void *ret, size_t len)
{
	const uint8_t *p = rd_need(r, len);

	if (!len)
		return;
	if (p)
		memcpy(ret, p, len);
	else
		memset(ret, 0, len);
}

void rd_skip(struct rd *r, size_t len)
{
	(void)rd_need(r, len);
}

struct wr wr_init(void *p, size_t cap)
{
	return (struct wr){ .p = p, .cap = cap };
}

static uint8_t *wr_need(struct wr *w, size_t len)
{
	uint8_t *p = w->p + w->len;

	if (w->bad || len > w->cap - w->len) {
		w->bad = true;
		return NULL;
	}
	w->len += len;
	return p;
}

void wr_u8(struct wr *w, uint8_t v)
{
	uint8_t *p = wr_need(w, 1);

	if (p)
		*p = v;
}

void wr_le16(struct wr *w, uint16_t v)
{
	uint8_t *p = wr_need(w, 2);

	if (p)
		le16_store(p, v);
}

void wr_le32(struct wr *w, uint32_t v)
{
	uint8_t *p = wr_need(w, 4);

	if (p)
		le32_store(p, v);
}

void wr_le64(struct wr *w, uint64_t v)
{
	uint8_t *p = wr_need(w, 8);

	if (p)
		le64_store(p, v);
}

void wr_be16(struct wr *w, uint16_t v)
{
	wr_le16(w, __builtin_bswap16(v));
}

void wr_be32(struct wr *w, uint32_t v)
{
	wr_le32(w, __builtin_bswap32(v));
}

void wr_be64(struct wr *w, uint64_t v)
{
	wr_le64(w, __builtin_bswap64(v));
}

void wr_bytes(struct wr *w, const void *p, size_t len)
{
	uint8_t *to = wr_need(w, len);

	if (to && len)
		memcpy(to, p, len);
}

void wr_zero(struct wr *w, size_t len)
{
	uint8_t *to = wr_need(w, len);

	if (to && len)
		memset(to, 0, len);
}

uint16_t be16_load(const void *p)
{
	return __builtin_bswap16(le16_load(p));
}

uint32_t be32_load(const void *p)
{
	return __builtin_bswap32(le32_load(p));
}

void be16_store(void *p, uint16_t v)
{
	le16_store(p, __builtin_bswap16(v));
}

void be32_store(void *p, uint32_t v)
{
	le32_store(p, __builtin_bswap32(v));
}
