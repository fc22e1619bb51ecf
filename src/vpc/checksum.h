/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The Internet checksum. Part of vpc.h. spec: rfc-1071, rfc-1624
 *
 * Sums are of 16-bit words in network order, ones' complement, not yet folded and not inverted; any number of them may be
 * added up (to 2^16 words and more). A part that starts at an odd offset is not supported: split at even ones.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* checksum_add(): @sum and the @len bytes at @p. */
uint64_t checksum_add(uint64_t sum, const void *p, size_t len);
/* checksum_fold(): what goes into the field, in host order: store it with be16_store(). */
uint16_t checksum_fold(uint64_t sum);
/* checksum_pseudo4(): sum of the IPv4 pseudo header; addresses in host order. */
uint64_t checksum_pseudo4(uint32_t src, uint32_t dst, uint8_t proto, uint16_t l4_len);
/* checksum_update16/32(): the field's new value after a word under it changed from @from to @to; host order. */
uint16_t checksum_update16(uint16_t check, uint16_t from, uint16_t to);
uint16_t checksum_update32(uint16_t check, uint32_t from, uint32_t to);
