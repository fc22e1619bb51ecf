/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Placement: is there room for one more? What the host has is known from the launcher's words; what is taken is what
 * the rows say, so that instances count from the moment they are recorded, long before the launcher hears of them.
 * The launcher decides again for itself; what it refuses ends with Server.InsufficientInstanceCapacity.
 */

#include <errno.h>
#include <string.h>

#include "base/num.h"
#include "controller/core_priv.h"
#include "controller/core_run.h"

/* What an instance costs besides its memory: the launcher's own figures, src/launcher/memory.c. */
enum { OVERHEAD_MIB = 24, OVERHEAD_SHARE = 256 };

static uint64_t cost(const struct instance *i)
{
	return i->ram_bytes + OVERHEAD_MIB * MIB + i->ram_bytes / OVERHEAD_SHARE;
}

/* Does @i hold cores and memory, or will it in a moment? */
static bool holds(const struct instance *i)
{
	return i->state == INSTANCE_PENDING || i->state == INSTANCE_RUNNING ||
	       i->state == INSTANCE_STOPPING || i->state == INSTANCE_SHUTTING_DOWN;
}

void core_capacity_said(struct core *c, const struct ctl_l_host *h, core_live_fn *live, void *ptr)
{
	struct core_capacity cap = { .known = true, .ram_bytes = h->ram_free_bytes };
	const struct instance *i;
	struct store_iter it;

	cap.whole_cores = strcmp(h->placement, "whole-cores") == 0;
	cap.cores = h->cores;
	store_each(c->st, &tbl_instances, &it);
	while (live && (i = store_next(&it)))
		if (live(ptr, i->id))
			cap.ram_bytes += cost(i);
	c->capacity = cap;
}

unsigned core_place_cnt(struct core *c, const struct instance *i, unsigned max)
{
	const struct core_capacity *cap = &c->capacity;
	uint64_t ram = 0, cores = 0, fit = max;
	const struct instance *other;
	struct store_iter it;

	if (!cap->known)
		return max;
	store_each(c->st, &tbl_instances, &it);
	while ((other = store_next(&it))) {
		if (!holds(other) || strcmp(other->id, i->id) == 0)
			continue;
		ram += cost(other);
		cores += other->cores;
	}
	/* The last one needs no more than its memory: free memory was said after what it costs besides. */
	fit = ram + i->ram_bytes > cap->ram_bytes
		      ? 0
		      : min_u64(fit, 1 + (cap->ram_bytes - ram - i->ram_bytes) / cost(i));
	if (cap->whole_cores)
		fit = cores >= cap->cores ? 0 : min_u64(fit, (cap->cores - cores) / i->cores);
	return (unsigned)fit;
}

int core_place_full(const struct instance *i, struct fault *f)
{
	return fault_set(f, ENOSPC, "InsufficientInstanceCapacity",
			 "take a smaller type or fewer, or stop an instance",
			 "We currently do not have sufficient %s capacity in the Availability Zone "
			 "you requested.",
			 i->type);
}
