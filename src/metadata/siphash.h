/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { SIPHASH_KEY_BYTES = 16, SIPHASH_BYTES = 16 };

/* siphash128(): SipHash-2-4 with 128 bits of output, a keyed authenticator for short messages. spec: siphash */
void siphash128(const uint8_t key[SIPHASH_KEY_BYTES], const void *msg, size_t len,
		uint8_t ret[SIPHASH_BYTES]);
