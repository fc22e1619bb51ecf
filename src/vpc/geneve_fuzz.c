/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "vpc/geneve.h"

/*
 * Any bytes as what lay inside ESP. What is accepted lies inside the bytes, and put together again without its options
 * it is accepted again and says the same.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(free_p) uint8_t *b = NULL;
	struct geneve g = { 0 }, again = { 0 };
	size_t options;

	if (size > UINT16_MAX || geneve_parse(data, size, &g) < 0)
		return 0;
	must(g.vni <= GENEVE_VNI_MAX && g.frame_len >= GENEVE_FRAME_MIN);
	must(g.frame >= data + GENEVE_BYTES && g.frame + g.frame_len == data + size);
	options = (size_t)(g.frame - data) - GENEVE_BYTES;
	must(options <= GENEVE_OPTIONS_MAX && options == (data[8] & 0x3fU) * 4);
	must(!(data[9] & 0xc0) && data[8] < 0x40);

	b = malloc(GENEVE_BYTES + g.frame_len);
	must(b);
	geneve_put(b, g.vni, g.frame_len);
	memcpy(b + GENEVE_BYTES, g.frame, g.frame_len);
	must(geneve_parse(b, GENEVE_BYTES + g.frame_len, &again) == 0);
	must(again.vni == g.vni && again.frame_len == g.frame_len);
	must(again.frame == b + GENEVE_BYTES);
	return 0;
}
