/* SPDX-License-Identifier: Apache-2.0 */
#include "vpc/replay.h"

void replay_init(struct replay *w, uint32_t top)
{
	w->top = top;
}

bool replay_check(const struct replay *w, uint32_t seq)
{
	(void)w;
	return seq != 0;
}

bool replay_update(struct replay *w, uint32_t seq)
{
	w->top = seq > w->top ? seq : w->top;
	return true;
}
