/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* hex(): bytes of a hexadecimal literal of a test vector. Return: how many. */
static inline size_t hex(const char *s, uint8_t *ret, size_t cap)
{
	size_t n = strlen(s) / 2, i;
	unsigned v;

	assert(n <= cap && strlen(s) % 2 == 0);
	for (i = 0; i < n; i++) {
		assert(sscanf(s + 2 * i, "%2x", &v) ==
		       1); /* NOLINT(cert-err34-c): a literal of ours */
		ret[i] = (uint8_t)v;
	}
	return n;
}
