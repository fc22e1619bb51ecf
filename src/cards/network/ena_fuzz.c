/* SPDX-License-Identifier: Apache-2.0 */

/* The whole device: anything a guest, its hypervisor and its port can do, in any order. See tests/lib/ena_play.h. */

#include "ena_play.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd in = rd_init(data, size);
	struct ena_play p;
	unsigned i;

	ena_play_start(&p);
	for (i = 0; in.left && i < PLAY_STEPS_MAX; i++) {
		ena_play_step(&p, &in);
		ena_play_check(&p);
	}
	ena_play_end(&p);
	return 0;
}
