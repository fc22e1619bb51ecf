/* SPDX-License-Identifier: Apache-2.0 */

/* Admin commands one after the other, queues there or not by the first byte. See tests/lib/ena_play.h. */

#include "ena_play.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd in = rd_init(data, size);
	struct ena_play p;
	unsigned i;

	ena_play_start(&p);
	ena_play_admin(&p);
	if (rd_u8(&in) & 1)
		ena_play_queues(&p, 64);
	for (i = 0; in.left && i < PLAY_STEPS_MAX; i++) {
		ena_play_command(&p, &in);
		ena_play_check(&p);
	}
	ena_play_end(&p);
	return 0;
}
