/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/control.h"

/*
 * First byte: descriptors that came along; the rest: a packet. A message has exactly one encoding, so what is
 * accepted must come out of the encoder byte for byte.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t out[CTL_MSG_MAX];
	static struct ctl_msg m;
	int n;

	if (size < 1 || ctl_decode(data + 1, size - 1, data[0], &m) < 0)
		return 0;
	n = ctl_encode(m.type, m.seq, &m.u, data[0], out, sizeof(out));
	must(n >= 0 && (size_t)n == size - 1);
	must(memcmp(out, data + 1, size - 1) == 0);
	return 0;
}
