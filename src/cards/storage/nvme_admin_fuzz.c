/* SPDX-License-Identifier: Apache-2.0 */

/* Registers and the admin queue, from power-on. See tests/lib/nvme_play.h for the input. */

#include "nvme_play.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct play p;

	if (size < 2)
		return 0;
	play_start(&p);
	play_run(&p, data, size);
	play_end(&p);
	return 0;
}
