/* SPDX-License-Identifier: Apache-2.0 */

/*
 * TX descriptors and the packets behind them, on queues that are up: a small and a full-size set by the first byte. The
 * port takes what it is given, or stops and refuses as the bytes say. See tests/lib/ena_play.h.
 */

#include "ena_play.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd in = rd_init(data, size);
	struct ena_play p;
	unsigned i;

	ena_play_start(&p);
	ena_play_admin(&p);
	ena_play_queues(&p, rd_u8(&in) & 1 ? 8 : 512);
	for (i = 0; in.left && i < PLAY_STEPS_MAX; i++) {
		uint8_t k = rd_u8(&in);

		p.refuse = k & 1;
		p.room = k & 2 ? k >> 2 : 100000;
		ena_play_tx(&p, &in);
		ena_play_check(&p);
	}
	ena_play_end(&p);
	return 0;
}
