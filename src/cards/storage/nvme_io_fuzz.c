/* SPDX-License-Identifier: Apache-2.0 */

/* I/O queues that are up already: a small and a full-size set by the first byte. See tests/lib/nvme_play.h. */

#include "nvme_play.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct play p;

	if (size < 3)
		return 0;
	play_start(&p);
	play_enable(&p);
	play_queues(&p, data[0] % 2 ? 4 : 256);
	play_run(&p, data + 1, size - 1);
	play_end(&p);
	return 0;
}
