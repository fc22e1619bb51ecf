/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Data units between the guest's spans and private buffers. Ciphertext is made in, and plaintext is made in, private
 * memory only; a span is read once or written once.
 *
 * The hole rule: a 512-byte sector of ciphertext that is all zero was never written and reads as zeroes. A whole
 * unit of zeroes is a hole in the file. Less than a unit can be zero only when power failed in the middle of the
 * first write into a hole; without the rule per sector, the sectors that the disk had not reached would turn from
 * zeroes into noise, though nobody had a write of them in flight. By chance it happens once in 2^4096 sectors.
 */

#include <stdint.h>
#include <sys/uio.h>

#include "base/attr.h"
#include "crypto/xts.h"

/* A place in a list of spans. */
struct spans {
	const struct iovec *iov; /* borrowed */
	unsigned idx;            /* span */
	size_t off;              /* byte in it */
};

/* All three advance @s; the spans must hold @len bytes from there on. */
void spans_gather(struct spans *s, uint8_t *dst, size_t len);
void spans_scatter(struct spans *s, const uint8_t *src, size_t len);
void spans_skip(struct spans *s, size_t len);

/* units_encrypt() - @cnt units from the spans into @dst. Return: 0, -EIO, -EINVAL. */
MUST_USE int units_encrypt(struct xts *x, uint64_t unit, struct spans *from, uint8_t *dst,
			   size_t cnt);
/* units_decrypt() - in place, with the hole rule. Return: 0, -EIO, -EINVAL. */
MUST_USE int units_decrypt(struct xts *x, uint64_t unit, uint8_t *buf, size_t cnt);
