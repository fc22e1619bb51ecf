/* SPDX-License-Identifier: Apache-2.0 */

#include "volume/unit.h"

#include <stdbool.h>
#include <string.h>

#include "base/num.h"
#include "volume/volume.h"

enum { SECTORS = VOL_UNIT_BYTES / VOL_LBA_BYTES };

/* ---- spans ---- */

/* here() - the contiguous bytes at @s, at most @len. Return: where they are. */
static uint8_t *here(struct spans *s, size_t len, size_t *ret_len)
{
	while (s->off == s->iov[s->idx].iov_len) {
		s->idx++;
		s->off = 0;
	}
	*ret_len = min_u64(len, s->iov[s->idx].iov_len - s->off);
	return (uint8_t *)s->iov[s->idx].iov_base + s->off;
}

void spans_gather(struct spans *s, uint8_t *dst, size_t len)
{
	while (len) {
		size_t n;
		const uint8_t *p = here(s, len, &n);

		memcpy(dst, p, n);
		dst += n;
		s->off += n;
		len -= n;
	}
}

void spans_scatter(struct spans *s, const uint8_t *src, size_t len)
{
	while (len) {
		size_t n;
		uint8_t *p = here(s, len, &n);

		memcpy(p, src, n);
		src += n;
		s->off += n;
		len -= n;
	}
}

void spans_skip(struct spans *s, size_t len)
{
	while (len) {
		size_t n;

		(void)here(s, len, &n);
		s->off += n;
		len -= n;
	}
}

/* ---- units ---- */

int units_encrypt(struct xts *x, uint64_t unit, struct spans *from, uint8_t *dst, size_t cnt)
{
	while (cnt) {
		size_t n, run;
		const uint8_t *p = here(from, cnt * VOL_UNIT_BYTES, &n);
		int r;

		run = n / VOL_UNIT_BYTES;
		if (run) {
			r = xts_encrypt(x, unit, p, dst, run);
			from->off += run * VOL_UNIT_BYTES;
		} else { /* a unit in pieces */
			run = 1;
			spans_gather(from, dst, VOL_UNIT_BYTES);
			r = xts_encrypt(x, unit, dst, dst, 1);
		}
		if (r < 0)
			return r;
		unit += run;
		dst += run * VOL_UNIT_BYTES;
		cnt -= run;
	}
	return 0;
}

static bool sector_zero(const uint8_t *s)
{
	uint64_t first;

	memcpy(&first, s, sizeof(first));
	return first == 0 && memcmp(s, s + sizeof(first), VOL_LBA_BYTES - sizeof(first)) == 0;
}

static int unit_decrypt(struct xts *x, uint64_t unit, uint8_t *buf)
{
	unsigned holes = 0; /* a bit per sector */
	int r;

	for (unsigned i = 0; i < SECTORS; i++)
		holes |= (unsigned)sector_zero(buf + (size_t)i * VOL_LBA_BYTES) << i;
	if (holes == (1U << SECTORS) - 1)
		return 0;

	r = xts_decrypt(x, unit, buf, buf, 1);
	if (r < 0)
		return r;
	for (unsigned i = 0; holes >> i; i++) {
		if (holes >> i & 1)
			memset(buf + (size_t)i * VOL_LBA_BYTES, 0, VOL_LBA_BYTES);
	}
	return 0;
}

int units_decrypt(struct xts *x, uint64_t unit, uint8_t *buf, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++) {
		int r = unit_decrypt(x, unit + i, buf + i * VOL_UNIT_BYTES);

		if (r < 0)
			return r;
	}
	return 0;
}
