/* SPDX-License-Identifier: Apache-2.0 */

#include "controller/volume_types.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"

/* Words of the refusals that several rules share. */
static const char see_types[] = "see the volume types of EBS";

struct volume_type {
	const char *name;
	uint32_t gib_min, gib_max;
	uint32_t iops_min, iops_max;
	uint32_t iops_per_gib; /* the most; 0: IOPS cannot be chosen */
	bool iops_needed;
};

/* spec: ebs-volume-types */
/* clang-format off: a table */
static const struct volume_type types[] = {
	{ "gp3", 1, 16384, 3000, 16000, 500, false }, { "gp2", 1, 16384, 0, 0, 0, false },
	{ "io1", 4, 16384, 100, 64000, 50, true },    { "io2", 4, 65536, 100, 64000, 1000, true },
	{ "st1", 125, 16384, 0, 0, 0, false },        { "sc1", 125, 16384, 0, 0, 0, false },
	{ "standard", 1, 1024, 0, 0, 0, false },
};
/* clang-format on */

enum {
	GP3_IOPS = 3000,
	GP3_THROUGHPUT = 125,
	GP3_THROUGHPUT_MAX = 1000,
	GP3_IOPS_PER_MIB = 4, /* 0.25 MiB/s for each of its IOPS */
	GP2_IOPS_PER_GIB = 3,
	GP2_IOPS_MIN = 100,
	GP2_IOPS_MAX = 16000,
};

static const struct volume_type *find(const char *name)
{
	for (size_t k = 0; k < ARRAY_SIZE(types); k++)
		if (strcmp(types[k].name, name) == 0)
			return &types[k];
	return NULL;
}

static int size_check(const struct volume_type *t, const struct volume_wish *w, uint64_t gib,
		      struct fault *f)
{
	if (gib > t->gib_max)
		return fault_set(f, EINVAL, "InvalidParameterValue", see_types,
				 "Volume of %lluGiB is too large for volume type %s; maximum is "
				 "%uGiB",
				 (unsigned long long)gib, t->name, t->gib_max);
	if (gib < t->gib_min && !w->any_size)
		return fault_set(f, EINVAL, "InvalidParameterValue", see_types,
				 "Volume of %lluGiB is too small for volume type %s; minimum is "
				 "%uGiB",
				 (unsigned long long)gib, t->name, t->gib_min);
	return 0;
}

static int iops_check(const struct volume_type *t, const struct volume_wish *w, uint64_t gib,
		      struct fault *f)
{
	if (w->iops == 0 && t->iops_needed)
		return fault_set(f, EINVAL, "MissingParameter", see_types,
				 "The parameter iops must be specified for %s volumes.", t->name);
	if (w->iops == 0)
		return 0;
	if (t->iops_per_gib == 0)
		return fault_set(f, EINVAL, "InvalidParameterCombination", see_types,
				 "The parameter iops is not supported for %s volumes.", t->name);
	if (w->iops < t->iops_min || w->iops > t->iops_max)
		return fault_set(f, EINVAL, "InvalidParameterValue", see_types,
				 "Volume iops of %llu is out of range; %s volumes have %u to %u",
				 (unsigned long long)w->iops, t->name, t->iops_min, t->iops_max);
	if (w->iops > GP3_IOPS && w->iops > gib * t->iops_per_gib)
		return fault_set(f, EINVAL, "InvalidParameterValue", see_types,
				 "Iops to volume size ratio of %llu:%llu is too high; maximum is "
				 "%u:1",
				 (unsigned long long)w->iops, (unsigned long long)gib,
				 t->iops_per_gib);
	return 0;
}

static int throughput_check(const struct volume_type *t, const struct volume_wish *w,
			    struct fault *f)
{
	uint64_t iops = w->iops ? w->iops : GP3_IOPS;

	if (w->throughput == 0)
		return 0;
	if (strcmp(t->name, "gp3") != 0)
		return fault_set(f, EINVAL, "InvalidParameterCombination", see_types,
				 "The parameter throughput is not supported for %s volumes.",
				 t->name);
	if (w->throughput < GP3_THROUGHPUT || w->throughput > GP3_THROUGHPUT_MAX)
		return fault_set(f, EINVAL, "InvalidParameterValue", see_types,
				 "Throughput of %llu is out of range; gp3 volumes have %d to %d "
				 "MiB/s",
				 (unsigned long long)w->throughput, GP3_THROUGHPUT,
				 GP3_THROUGHPUT_MAX);
	if (w->throughput * GP3_IOPS_PER_MIB > iops)
		return fault_set(f, EINVAL, "InvalidParameterValue", see_types,
				 "Throughput (MiB/s) to iops ratio of %llu:%llu is too high; "
				 "maximum is 0.25:1",
				 (unsigned long long)w->throughput, (unsigned long long)iops);
	return 0;
}

static uint32_t iops_of(const struct volume_type *t, const struct volume_wish *w, uint64_t gib)
{
	if (strcmp(t->name, "gp2") == 0)
		return (uint32_t)min_u64(max_u64(gib * GP2_IOPS_PER_GIB, GP2_IOPS_MIN),
					 GP2_IOPS_MAX);
	if (strcmp(t->name, "gp3") == 0 && w->iops == 0)
		return GP3_IOPS;
	return (uint32_t)w->iops;
}

int volume_type_check(const struct volume_wish *w, struct volume *ret, struct fault *f)
{
	const char *name = w->type && w->type[0] ? w->type : VOLUME_TYPE_DEFAULT;
	const struct volume_type *t = find(name);
	uint64_t gib = w->bytes / GIB + (w->bytes % GIB != 0);
	char safe[CTL_NAME_MAX];
	int r;

	if (!t) {
		log_escape(safe, sizeof(safe), name, strnlen(name, sizeof(safe) / 4));
		return fault_set(f, EINVAL, "UnknownVolumeType", see_types,
				 "The volume type '%s' is not one of gp2, gp3, io1, io2, st1, sc1 "
				 "and standard",
				 safe);
	}
	r = size_check(t, w, gib, f);
	if (r == 0)
		r = iops_check(t, w, gib, f);
	if (r == 0)
		r = throughput_check(t, w, f);
	if (r < 0)
		return r;
	snprintf(ret->type, sizeof(ret->type), "%s", t->name);
	ret->size = align_up(w->bytes, MODEL_BLOCK);
	ret->iops = iops_of(t, w, gib);
	ret->throughput = strcmp(t->name, "gp3") != 0 ? 0
			  : w->throughput             ? (uint32_t)w->throughput
						      : GP3_THROUGHPUT;
	return 0;
}
