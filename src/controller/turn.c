/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One fsync for many requests: those that came over HTTP in one turn of the loop. Nothing of a turn is seen by
 * anybody, launcher or client, before it is durable.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "controller/front/front.h"
#include "controller/niterd.h"

int turn_begin(struct daemon *d)
{
	int r;

	if (d->turn.open)
		return 0;
	r = store_begin(d->core.st);
	if (r < 0)
		return r;
	d->turn.open = true;
	return 0;
}

int turn_acts(struct daemon *d, const struct core_acts *acts)
{
	CLEANUP(core_acts_done) struct core_acts copy = { .v = NULL };

	if (!d->turn.open) {
		(void)!link_acts(d, acts); /* what failed was reported to the core */
		return 0;
	}
	if (acts->cnt == 0)
		return 0;
	copy.v = reallocarray(NULL, acts->cnt, sizeof(*acts->v));
	if (!copy.v)
		return -ENOMEM;
	memcpy(copy.v, acts->v, acts->cnt * sizeof(*acts->v));
	copy.cnt = acts->cnt;
	copy.cap = acts->cnt;
	return core_acts_move(&d->turn.acts, &copy);
}

/* Return: whether everything since turn_begin() is durable; otherwise it never was. */
static bool commit(struct daemon *d)
{
	int r = store_commit(d->core.st);

	if (r == 0)
		return true;
	log_err("turn.commit", "err=%d", r);
	store_rollback(d->core.st);
	return false;
}

void turn_end(struct daemon *d)
{
	CLEANUP(core_acts_done) struct core_acts acts = { .v = NULL };
	bool open = d->turn.open, durable = true;

	if (open) {
		durable = commit(d);
		acts = d->turn.acts;
		d->turn = (struct turn){ .open = false };
	}
	if (durable)
		(void)!link_acts(d, &acts); /* what failed was reported to the core */
	front_turn_end(d, durable);
	if (open)
		api_check(d); /* others may wait for what was done */
}

void turn_free(struct daemon *d)
{
	if (d->turn.open)
		store_rollback(d->core.st);
	core_acts_done(&d->turn.acts);
	d->turn.open = false;
}
